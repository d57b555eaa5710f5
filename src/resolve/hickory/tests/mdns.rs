//! Names under `local`: the system is asked, and no name server.

use std::future::ready;
#[cfg(feature = "reachability")]
use std::net::IpAddr;
use std::sync::atomic::AtomicUsize;

use tokio::task::yield_now;

use super::*;
use crate::resolve::hickory::mdns::Mdns;

/// Knows the printer, by an address of either family, and counts what it is asked.
struct System(Arc<AtomicUsize>);

impl Resolve for System {
    fn kinds(&self) -> Kinds {
        Kinds::Addresses
    }

    fn resolve(&self, name: &str, kind: QueryKind) -> Resolving {
        assert_eq!(kind, QueryKind::Addresses);
        self.0.fetch_add(1, Ordering::SeqCst);
        let name = name.to_ascii_lowercase();
        if !name.starts_with("printer.") {
            return Box::pin(ready(Err(other("no luck"))));
        }
        let addrs = ["[fe80::1%3]:0", "192.0.2.1:0"].map(|addr| addr.parse().unwrap());
        Box::pin(async move {
            yield_now().await;
            Ok(Answer::from_socket_addrs(addrs))
        })
    }
}

fn resolver(server: &Server) -> (HickoryResolver, Arc<AtomicUsize>) {
    let asked = Arc::<AtomicUsize>::default();
    let mut resolver = server.resolver(LONG);
    Arc::get_mut(&mut resolver.shared).unwrap().mdns = Mdns::new(System(asked.clone()));
    (resolver, asked)
}

/// The name server would have an address for each name.
fn server() -> Server {
    Server::start(|query, _| Some(Reply::addresses(&query, 1)))
}

/// Proves: NAM-2
#[tokio::test]
async fn the_system_is_asked_once_for_both_families() {
    let server = server();
    let (resolver, asked) = resolver(&server);
    for name in ["printer.local.", "Printer.LOCAL"] {
        asked.store(0, Ordering::SeqCst);
        let (aaaa, a) = tokio::join!(resolver.resolve(name, QueryKind::Aaaa), resolver.resolve(name, QueryKind::A));
        // The zone of a link-local address is worth nothing if it is lost.
        assert_eq!(aaaa.unwrap().addresses, ["[fe80::1%3]:0".parse().unwrap()]);
        assert_eq!(a.unwrap().addresses, ["192.0.2.1:0".parse().unwrap()]);
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{name}");
    }
    // Such as ends in the same letters is an ordinary name.
    for name in ["local.test.", "notlocal."] {
        resolver.resolve(name, QueryKind::A).await.unwrap();
    }
    assert_eq!((server.queries(), asked.load(Ordering::SeqCst)), ((2, 0), 1));
}

/// Proves: NAM-2
#[tokio::test]
async fn names_of_mdns_have_no_services() {
    let server = server();
    let (resolver, asked) = resolver(&server);
    for name in ["local.", "printer.local.", "Printer.LOCAL", "_8443._https.printer.local."] {
        let error = resolver.resolve(name, QueryKind::Https).await.unwrap_err();
        assert_eq!(error.kind(), ResolveErrorKind::NoData, "{name}");
    }
    assert_eq!((server.queries(), asked.load(Ordering::SeqCst)), ((0, 0), 0));
    // The port before the host does not hide where the name is.
    resolver.resolve("_8443._https.local.test.", QueryKind::Https).await.unwrap_err();
    assert_eq!(server.queries(), (1, 0));
}

/// So the next name of a search list has its turn.
///
/// Proves: NAM-2
#[tokio::test]
async fn what_the_system_does_not_know_does_not_exist() {
    let server = server();
    let (resolver, _) = resolver(&server);
    let error = resolver.resolve("scanner.local.", QueryKind::A).await.unwrap_err();
    assert_eq!(error.kind(), ResolveErrorKind::NxDomain);
    assert_eq!(error.source().unwrap().to_string(), "no luck");
    assert_eq!(server.queries(), (0, 0));
}

/// Proves: NAM-2
#[cfg(feature = "reachability")]
#[tokio::test]
async fn a_lookup_for_people_goes_to_the_system_as_well() {
    let server = server();
    let (resolver, _) = resolver(&server);
    let records = resolver.look_up("printer.local.", QueryKind::A).await.unwrap();
    assert_eq!(records.addresses, [IpAddr::from([192, 0, 2, 1])]);
    assert_eq!(
        resolver.look_up("printer.local.", QueryKind::Https).await.unwrap_err().kind(),
        ResolveErrorKind::NoData
    );
    assert_eq!(server.queries(), (0, 0));
}
