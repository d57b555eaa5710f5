//! From a record to addresses: the target's, its port, hints, what comes along, and aliases.

use std::time::Duration;

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::report::AttemptOutcome;

use crate::host::{HOST, HTTPS, Host, V4, assert_untouched};
use crate::lab::{HttpsRecord, Reply, Site};
use crate::support::connect;
use crate::zone::{LONG, Service, TARGET, a, patient, peer, publish, records, records_name, set_addresses, tried};

/// The origin is not touched although it would do.
///
/// Proves: SVC-13
#[tokio::test]
async fn the_connection_goes_to_the_address_of_the_target_and_the_port_of_the_record() {
    let host = Host::with(HTTPS).await;
    let service = Service::target(&host, HTTPS).await;
    publish(&host, records([service.record(1)]));
    let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
    assert_eq!(peer(&stream), service.addr());
    let [won] = stream.report().attempts() else { panic!("{}", stream.report()) };
    assert_eq!((won.addr(), won.target()), (service.addr(), Some("svc.lab.test.")));
    assert_untouched(host.server()).await;
}

/// Without a port in the record it is the URI's.
///
/// Proves: SVC-13
#[tokio::test]
async fn a_record_without_a_port_leaves_that_of_the_uri() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    set_addresses(&host, HOST, [V4[0]]);
    set_addresses(&host, TARGET, [V4[1]]);
    publish(&host, records([HttpsRecord::new(1, TARGET)]));
    let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
    assert_eq!(tried(stream.report().attempts()), [host.addr(V4[1])]);
    assert_untouched(host.sites.server(V4[0])).await;
}

/// "." is the owner of the record: the host itself where the port is the scheme's, and else the long name.
///
/// Proves: SVC-8
#[tokio::test]
async fn a_dot_is_the_owner_of_the_record() {
    let host = Host::with(HTTPS).await;
    let record = || records([HttpsRecord::new(1, ".").port(host.sites.port())]);
    host.dns.set(HOST, RecordType::HTTPS, record());
    let stream = connect(&host.configured(patient()), &format!("https://{HOST}/")).await.unwrap();
    assert_eq!(tried(stream.report().attempts()), [host.addr(V4[0])]);
    assert_eq!(host.dns.log().len(), 3);

    let service = Service::target(&host, HTTPS).await;
    publish(&host, records([HttpsRecord::new(1, ".").port(service.addr().port())]));
    set_addresses(&host, &records_name(&host), [V4[1]]);
    let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
    assert_eq!(tried(stream.report().attempts()), [service.addr()]);
    assert!(host.dns.log().iter().all(|query| query.name != "."));
}

/// They stand in while the target's own address is unknown, which is asked for all the same.
///
/// Proves: SVC-18
#[tokio::test]
async fn hints_stand_in_for_addresses_that_do_not_come() {
    let host = Host::with(HTTPS).await;
    let service = Service::target(&host, HTTPS).await;
    host.dns.set(TARGET, RecordType::A, Reply::never());
    publish(&host, records([service.record(1).hint(V4[1])]));
    let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
    assert_eq!(tried(stream.report().attempts()), [service.addr()], "{}", stream.report());
    assert!(stream.report().elapsed() < LONG, "{}", stream.report());
    host.dns.until_asked(TARGET, RecordType::A, 1).await;
}

/// The answer is there before anything starts, and refuses: after it comes the origin, not the hint that it replaced.
///
/// Proves: SVC-19, SVC-20
#[tokio::test]
async fn hints_give_way_to_addresses() {
    let host = Host::with(HTTPS).await;
    let service = Service::target(&host, Site::Refused).await;
    // What is known of IPv4, by hint or by answer, waits for AAAA of the target.
    host.dns.set(TARGET, RecordType::AAAA, Reply::no_data().after(Duration::from_millis(200)));
    publish(&host, records([service.record(1).hint(V4[2])]));
    let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
    assert_eq!(tried(stream.report().attempts()), [service.addr(), host.addr(V4[0])], "{}", stream.report());
}

/// Addresses in the additional section are all that the target has of their family.
///
/// Proves: DNS-12
#[tokio::test]
async fn addresses_that_come_along_spare_their_query() {
    let host = Host::with(HTTPS).await;
    let service = Service::target(&host, HTTPS).await;
    publish(&host, records([service.record(1)]).with_additional(TARGET, a(V4[1])));
    let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
    assert_eq!(tried(stream.report().attempts()), [service.addr()], "{}", stream.report());
    assert_eq!((host.dns.asked(TARGET, RecordType::AAAA), host.dns.asked(TARGET, RecordType::A)), (1, 0));
}

/// The records of an alias are those of its bare name, with its addresses as what is left when it has none.
///
/// Proves: SVC-5, SVC-6
#[tokio::test]
async fn aliases_are_followed_to_an_address() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    set_addresses(&host, HOST, [V4[0]]);
    publish(&host, records([HttpsRecord::alias("cdn.lab.test")]));
    host.dns.set("cdn.lab.test", RecordType::HTTPS, records([HttpsRecord::alias("edge.lab.test")]));
    set_addresses(&host, "edge.lab.test", [V4[1]]);
    let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
    let [won] = stream.report().attempts() else { panic!("{}", stream.report()) };
    assert_eq!((won.addr(), won.target()), (host.addr(V4[1]), Some("edge.lab.test.")));
    for name in ["cdn.lab.test", "edge.lab.test"] {
        for kind in [RecordType::HTTPS, RecordType::AAAA, RecordType::A] {
            assert_eq!(host.dns.asked(name, kind), 1, "{kind} {name}");
        }
    }
    assert_untouched(host.sites.server(V4[0])).await;
}

/// A service behind an alias goes before the alias's own addresses, and these before the origin's.
///
/// Proves: SVC-6, SVC-22
#[tokio::test]
async fn an_alias_leads_to_services() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], Site::Refused)]).await;
    set_addresses(&host, HOST, [V4[0]]);
    set_addresses(&host, "cdn.lab.test", [V4[1]]);
    let service = Service::open(&host, TARGET, V4[2], Site::Refused).await;
    publish(&host, records([HttpsRecord::alias("cdn.lab.test")]));
    host.dns.set("cdn.lab.test", RecordType::HTTPS, records([service.record(1)]));
    let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
    let attempts = stream.report().attempts();
    assert_eq!(tried(attempts), [service.addr(), host.addr(V4[1]), host.addr(V4[0])]);
    let targets: Vec<_> = attempts.iter().map(|attempt| attempt.target()).collect();
    assert_eq!(targets, [Some("svc.lab.test."), Some("cdn.lab.test."), None]);
    assert!(attempts[..2].iter().all(|attempt| matches!(attempt.outcome(), AttemptOutcome::Failed(_))));
}
