//! Addresses from elsewhere, HTTPS records from DNS.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::resolve::{HickoryResolver, HybridResolver, QueryKind, Resolve, ServiceResolver};
use hyper_happy_eyeballs::{Config, HappyEyeballsConnector};
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service as TowerService;

use crate::host::{HOST, HTTPS, Host, V4, config};
use crate::lab::Reply;
use crate::support::connect;
use crate::zone::{LONG, Service, TARGET, patient, publish, records, tried};

/// What the system knows: each of these names has this address.
#[derive(Clone)]
struct System(Vec<(&'static str, SocketAddr)>);

impl TowerService<Name> for System {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let name = name.as_str().trim_end_matches('.').to_owned();
        let of_name: Vec<_> = self.0.iter().filter(|(known, _)| *known == name).map(|(_, addr)| *addr).collect();
        ready(Ok(of_name.into_iter()))
    }
}

fn hybrid(host: &Host, names: &[(&'static str, SocketAddr)]) -> HybridResolver<System> {
    let records = HickoryResolver::with_name_servers([host.dns.addr()]);
    HybridResolver::from_parts(ServiceResolver::new(System(names.to_vec())), records)
}

fn connector(host: &Host, names: &[(&'static str, SocketAddr)], config: Config) -> HappyEyeballsConnector {
    host.builder().resolver(hybrid(host, names)).config(config).build().expect("TLS is chosen")
}

/// The records lead to a name whose address the system has; no address is asked of the name server.
///
/// Proves: NET-5
#[tokio::test]
async fn addresses_are_the_systems_and_records_are_dnss() {
    let host = Host::with(HTTPS).await;
    let service = Service::target(&host, HTTPS).await;
    publish(&host, records([service.record(1)]));
    let names = [(HOST, host.addr(V4[2])), (TARGET, SocketAddr::new(V4[1], 0))];
    let stream = connect(&connector(&host, &names, patient()), &host.uri("https")).await.unwrap();
    let report = stream.report();
    assert_eq!(tried(report.attempts()), [service.addr()], "{report}");
    assert!(report.elapsed() < LONG, "{report}");
    let kinds: Vec<_> = report.queries().iter().map(|query| query.kind()).collect();
    assert_eq!(kinds, [QueryKind::Https, QueryKind::Addresses, QueryKind::Addresses], "{report}");
    let log = host.dns.log();
    assert!(log.iter().all(|query| query.kind == RecordType::HTTPS) && log.len() == 1, "{log:?}");
}

/// A name of a VPN, say: the name servers say that there is no such name, fail, refuse, or stay silent.
///
/// Proves: NET-5
#[tokio::test]
async fn a_name_that_only_the_system_knows_is_connected_to() {
    let host = Host::with(HTTPS).await;
    let names = [(HOST, host.addr(V4[0]))];
    for (reply, settings) in [
        (Reply::nx_domain(), patient()),
        (Reply::serv_fail(), patient()),
        (Reply::refused(), patient()),
        (Reply::never(), config()),
    ] {
        publish(&host, reply);
        let stream = connect(&connector(&host, &names, settings), &host.uri("https")).await.unwrap();
        assert_eq!(tried(stream.report().attempts()), [host.addr(V4[0])]);
        assert!(stream.report().elapsed() < LONG, "{}", stream.report());
    }
}

/// One label may be a name of any search list, and localhost is nobody else's.
#[tokio::test]
async fn names_that_are_not_of_dns_have_no_records() {
    let host = Host::with(HTTPS).await;
    let resolver = hybrid(&host, &[]);
    let names = ["db", "db.", "_8443._https.db", "localhost", "_8443._https.a.localhost", "printer.local", "x.onion."];
    for name in names {
        resolver.resolve(name, QueryKind::Https).await.unwrap_err();
    }
    assert_eq!(host.dns.log().len(), 0);
    resolver.resolve("_8443._https.db.test", QueryKind::Https).await.unwrap_err();
    assert_eq!(host.dns.asked("_8443._https.db.test", RecordType::HTTPS), 1);
}
