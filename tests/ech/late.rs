//! HTTPS records that come late, with the only word of ECH.

use std::time::Duration;

use hickory_server::proto::rr::RecordType;
#[cfg(feature = "reachability")]
use hyper_happy_eyeballs::reachability::Checker;
#[cfg(feature = "reachability")]
use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::resolve::QueryKind;
use hyper_happy_eyeballs::{Config, Ech, EchStatus};

use crate::gate::Gate;
use crate::host::{HOST, HTTPS, Host, V4, faulty};
use crate::lab::{Behaviour, HttpsRecord, Reply};
use crate::scene::{Alone, Scene, builder, connector, settings};
use crate::server::{EchServer, Manner, PUBLIC_NAME};
use crate::support::connect;
use crate::zone::{LONG, TARGET, publish, records, set_addresses, tried};

/// The default.
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// Records that come after the addresses are late.
fn hasty(ech: Ech) -> Config {
    let mut config = settings(ech);
    config.resolution_delay(RESOLUTION_DELAY);
    config
}

/// Within the Resolution Delay after the addresses: nothing goes before them.
///
/// Proves: ECH-3
#[tokio::test]
async fn records_within_the_resolution_delay_are_in_time() {
    let Some(alone) = Alone::open(Manner::Current).await else { return };
    alone.publish(Reply::records([alone.record()]).after(Duration::from_millis(200)));
    let stream = connect(&connector(&alone.host, Ech::On), &alone.uri()).await.unwrap();
    assert_eq!(stream.tls_info().unwrap().ech(), EchStatus::Accepted);
    assert_eq!(alone.server.handshakes(1).await[0].names(), (PUBLIC_NAME, HOST));
}

/// On plain DNS, where anybody could drop them for good, nobody waits longer than that.
///
/// Proves: ECH-3
#[tokio::test]
async fn on_plain_dns_the_hello_waits_for_the_resolution_delay_alone() {
    let Some(alone) = Alone::open(Manner::Current).await else { return };
    alone.publish(Reply::records([alone.record()]).after(Duration::from_secs(3)));
    let connector = builder(&alone.host).config(hasty(Ech::On)).build().unwrap();
    let stream = connect(&connector, &alone.uri()).await.unwrap();
    assert!((RESOLUTION_DELAY..LONG).contains(&stream.report().elapsed()), "{}", stream.report());
    assert_eq!(stream.tls_info().unwrap().ech(), EchStatus::NotOffered);
    assert_eq!(alone.server.handshakes(1).await[0].names(), (HOST, HOST));
}

/// Who requires ECH has nothing to do before the records are there.
///
/// Proves: ECH-3
#[tokio::test]
async fn who_requires_ech_waits_for_the_records() {
    let Some(alone) = Alone::open(Manner::Current).await else { return };
    alone.publish(Reply::records([alone.record()]).after(4 * RESOLUTION_DELAY));
    let connector = || builder(&alone.host).config(hasty(Ech::Required)).build().unwrap();
    let stream = connect(&connector(), &alone.uri()).await.unwrap();
    assert_eq!(stream.tls_info().unwrap().ech(), EchStatus::Accepted);

    alone.publish(Reply::no_data().after(4 * RESOLUTION_DELAY));
    let error = connect(&connector(), &alone.uri()).await.unwrap_err();
    assert!(error.is_tls() && error.report().unwrap().attempts().is_empty(), "{error}");
    alone.server.handshakes(1).await;
}

/// Also where name servers have dropped three such queries, after which nobody else waits for an answer.
///
/// Proves: ECH-3
#[tokio::test]
async fn who_requires_ech_waits_where_others_have_given_up() {
    const WAIT: Duration = Duration::from_millis(300);
    let Some(alone) = Alone::open(Manner::Current).await else { return };
    // Of the same server, which is good for this name too.
    let uri = alone.uri().replace(HOST, PUBLIC_NAME);
    let port = alone.server.addr(V4[0]).port();
    set_addresses(&alone.host, PUBLIC_NAME, [V4[0]]);
    alone.host.dns.set(&format!("_{port}._https.{PUBLIC_NAME}"), RecordType::HTTPS, Reply::never());
    let mut config = hasty(Ech::On);
    config.resolution_delay(WAIT).dns_linger(Duration::ZERO);
    let mut connector = builder(&alone.host).config(config).build().unwrap();
    let mut starts = Vec::new();
    for _ in 0..6 {
        let stream = connect(&connector, &uri).await.unwrap();
        starts.push(stream.report().attempts()[0].start());
    }
    assert!(starts[..3].iter().all(|start| *start >= WAIT), "{starts:?}");
    // One of several: a machine may stand still for as long.
    assert!(starts[3..].iter().any(|start| *start < WAIT), "{starts:?}");

    alone.publish(Reply::records([alone.record()]).after(4 * RESOLUTION_DELAY));
    connector.set_config(hasty(Ech::Required));
    let stream = connect(&connector, &alone.uri()).await.unwrap();
    assert_eq!(stream.tls_info().unwrap().ech(), EchStatus::Accepted);
}

/// The hello has left in clear: what the records say then is no longer of this handshake, and the report does not claim
/// that it was.
#[tokio::test]
async fn records_that_come_during_a_handshake_do_not_change_what_it_was() {
    let host = Host::with(faulty(Behaviour::Delay(Duration::from_secs(3)))).await;
    let Some(server) = EchServer::open(&host.ca, V4[1], Manner::Current).await else { return };
    publish(&host, records([HttpsRecord::new(1, HOST).ech(server.configs())]));
    let (resolver, gate) = Gate::before(&host, false);
    let connector = builder(&host).resolver(resolver).config(hasty(Ech::On)).build().unwrap();
    let uri = host.uri("https");
    let stream = gate.open_after_tcp(&host, connect(&connector, &uri)).await.unwrap();
    let report = stream.report();
    assert!(report.queries().iter().any(|query| !query.services().is_empty()), "{report}");
    assert_eq!(stream.tls_info().unwrap().ech(), EchStatus::NotOffered);
    let [won] = report.attempts() else { panic!("{report}") };
    assert!(!won.has_ech(), "{report}");
}

/// Where nobody can drop them, TCP goes ahead and TLS does not, and the connection that is there already is the one that
/// the records are about.
///
/// Proves: ECH-3, ECH-6
#[tokio::test]
async fn on_protected_dns_the_hello_waits_for_the_answer() {
    for (manner, tries) in [(Manner::Current, 1), (Manner::Stale, 2)] {
        let Some(alone) = Alone::open(manner).await else { return };
        alone.publish(Reply::records([alone.record()]));
        let (resolver, gate) = Gate::before(&alone.host, true);
        let connector = builder(&alone.host).resolver(resolver).config(hasty(Ech::On)).build().unwrap();
        let uri = alone.uri();
        let connecting = connect(&connector, &uri);
        let stream = gate.open_after(alone.server.until_accepted(), connecting).await.unwrap();
        let report = stream.report();
        let answered = report.queries().iter().find(|query| query.kind() == QueryKind::Https).unwrap().end();
        assert!(report.attempts()[0].tcp() < answered, "{report}");
        assert_eq!(stream.tls_info().unwrap().ech(), EchStatus::Accepted);
        let seen = alone.server.handshakes(tries).await;
        assert_eq!(seen.last().unwrap().names(), (PUBLIC_NAME, HOST));
    }
}

/// Nor does a check of the site, which tries each address on its own, and has found this one before the records.
///
/// Proves: ECH-1, ECH-3
#[cfg(feature = "reachability")]
#[tokio::test]
async fn a_check_sends_no_hello_to_whom_the_records_do_not_cover() {
    let host = Host::with(HTTPS).await;
    publish(&host, records([HttpsRecord::new(1, TARGET).ech(&config_list())]).after(Duration::from_millis(300)));
    set_addresses(&host, TARGET, [V4[1]]);
    let (resolver, gate) = Gate::before(&host, true);
    gate.open();
    let dns = HickoryResolver::with_name_servers([host.dns.addr()]);
    let mut checker = Checker::new(builder(&host).resolver(resolver).config(hasty(Ech::On)), dns).unwrap();
    checker.drill(false).ping(false).dns_details(false);
    let check = checker.check(&host.uri("https").parse().unwrap()).await.unwrap();
    let addrs: Vec<_> = check.addresses.iter().map(|address| address.addr).collect();
    assert_eq!(addrs, [host.addr(V4[1])]);
    let hellos = host.server().connections().into_iter().filter(|connection| connection.hello.is_some()).count();
    assert_eq!(hellos, 0);
}

/// The connection that is there is to nobody whom the records name: it ends, and no hello has gone by it.
///
/// Proves: ECH-1, ECH-3
#[tokio::test]
async fn a_connection_that_the_records_do_not_cover_sends_no_hello() {
    let Some(scene) = Scene::open(Manner::Current).await else { return };
    let (resolver, gate) = Gate::before(&scene.host, true);
    let connector = builder(&scene.host).resolver(resolver).config(hasty(Ech::On)).build().unwrap();
    let uri = scene.uri();
    let stream = gate.open_after_tcp(&scene.host, connect(&connector, &uri)).await.unwrap();
    assert_eq!(tried(stream.report().attempts()), [scene.host.addr(V4[0]), scene.service()], "{}", stream.report());
    assert_eq!(stream.tls_info().unwrap().ech(), EchStatus::Accepted);
    scene.host.server().until(|connections| connections.first().is_some_and(|it| it.closed)).await;
    assert_eq!((scene.host.server().accepted(), scene.host.server().stray_bytes()), (1, 0));
}

/// It is once more for who may go on without alone.
#[cfg(feature = "reachability")]
#[tokio::test]
async fn a_check_tries_again_as_a_connect_does() {
    for (ech, tries) in [(Ech::On, 4), (Ech::Required, 2)] {
        let Some(alone) = Alone::open(Manner::Disabled).await else { return };
        alone.publish(records([HttpsRecord::new(1, HOST).ech(alone.server.configs())]));
        let dns = HickoryResolver::with_name_servers([alone.host.dns.addr()]);
        let mut checker = Checker::new(builder(&alone.host).config(settings(ech)), dns).unwrap();
        checker.drill(false).ping(false).dns_details(false);
        let check = checker.check(&alone.uri().parse().unwrap()).await.unwrap();
        let fault = check.addresses[0].probe.fault.as_ref().map(ToString::to_string);
        assert_eq!(fault.is_some(), ech == Ech::Required, "{fault:?}");
        assert!(fault.is_none_or(|fault| fault.contains("turned ECH off")));
        // The user's connect, and the address on its own.
        assert_eq!(alone.server.handshakes(tries).await.len(), tries);
    }
}

/// One configuration that nobody has the key of: X25519, HKDF-SHA256, AES-128-GCM.
#[cfg(feature = "reachability")]
fn config_list() -> Vec<u8> {
    let mut contents = vec![7, 0, 32, 0, 32];
    contents.extend([9; 32]);
    contents.extend([0, 4, 0, 1, 0, 1, 0, 15]);
    contents.extend(b"public.lab.test");
    contents.extend([0, 0]);
    let length = contents.len() as u8;
    [vec![0, length + 4, 0xfe, 0x0d, 0, length], contents].concat()
}
