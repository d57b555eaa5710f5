//! Which services are tried, and in which order, the origin last.

use std::time::Duration;

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::report::FailureKind;

use crate::host::{HTTP, HTTPS, Host, V4, assert_untouched, faulty};
use crate::lab::{Behaviour, HttpsRecord, Reply, Site};
use crate::support::{connect, failure_kinds};
use crate::zone::{LONG, Service, TARGET, patient, peer, publish, records, tried};

const OTHER: &str = "other.lab.test";

/// The priority decides, not the place in the set, and a failure leads to the next service before it leads to the
/// origin.
///
/// Proves: SVC-9, GRP-4
#[tokio::test]
async fn services_are_tried_by_priority() {
    let host = Host::with(HTTPS).await;
    let first = Service::open(&host, TARGET, V4[1], Site::Refused).await;
    let second = Service::open(&host, OTHER, V4[2], HTTPS).await;
    for set in [[second.record(2), first.record(1)], [first.record(1), second.record(2)]] {
        publish(&host, records(set));
        let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
        assert_eq!(tried(stream.report().attempts()), [first.addr(), second.addr()], "{}", stream.report());
        assert!(stream.report().elapsed() < LONG, "{}", stream.report());
    }
    assert_untouched(host.server()).await;
}

/// Whatever is wrong with the service: the origin is there, at its own port.
///
/// Proves: SVC-22, SVC-23
#[tokio::test]
async fn when_the_services_fail_it_is_the_origin() {
    let host = Host::with(HTTPS).await;
    for site in [Site::Refused, faulty(Behaviour::Close), Site::Http(Behaviour::Garbage)] {
        let service = Service::target(&host, site).await;
        publish(&host, records([service.record(1)]));
        let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
        let report = stream.report();
        assert_eq!(tried(report.attempts()), [service.addr(), host.addr(V4[0])], "{site:?}: {report}");
        assert!(report.elapsed() < LONG, "{site:?}: {report}");
        assert_eq!(report.winner().unwrap().target(), None);
    }
}

/// A service that says nothing has one attempt delay.
///
/// Proves: SVC-23
#[tokio::test]
async fn a_silent_service_is_not_waited_for() {
    let host = Host::with(HTTPS).await;
    for site in [Site::Silent, faulty(Behaviour::Stall)] {
        let service = Service::target(&host, site).await;
        publish(&host, records([service.record(1)]));
        let mut config = patient();
        config.attempt_delay(Duration::from_millis(250));
        let stream = connect(&host.configured(config), &host.uri("https")).await.unwrap();
        assert_eq!(tried(stream.report().attempts()), [service.addr(), host.addr(V4[0])], "{}", stream.report());
        assert_eq!(peer(&stream), host.addr(V4[0]));
    }
}

/// An error names the service and the origin.
#[tokio::test]
async fn when_all_refuse_the_error_names_all() {
    let host = Host::with(Site::Refused).await;
    let service = Service::target(&host, Site::Refused).await;
    publish(&host, records([service.record(1)]));
    let error = connect(&host.connector(), &host.uri("https")).await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    let refused = |addr| (addr, FailureKind::Refused);
    assert_eq!(failure_kinds(&error), [refused(service.addr()), refused(host.addr(V4[0]))]);
    let text = error.to_string();
    assert!(text.contains(&format!("; {} of {TARGET}. tcp refused: ", service.addr())), "{text}");
    assert!(text.contains(&format!("; {} tcp refused: ", host.addr(V4[0]))), "{text}");
}

/// What speaks HTTP/3 alone is for others: no query for it, and no packet. Where nothing else is left it is the origin.
///
/// Proves: SVC-15, QUI-1, QUI-3
#[tokio::test]
async fn a_service_of_http_3_alone_is_skipped() {
    let host = Host::with(HTTPS).await;
    let quic = Service::target(&host, HTTPS).await;
    let other = Service::open(&host, OTHER, V4[2], HTTPS).await;
    let quic_alone = || quic.record(1).alpn(&["h3"]).no_default_alpn().hint(V4[1]);
    for (set, expected) in
        [(vec![quic_alone(), other.record(2)], vec![other.addr()]), (vec![quic_alone()], vec![host.addr(V4[0])])]
    {
        publish(&host, records(set));
        let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
        assert_eq!(tried(stream.report().attempts()), expected, "{}", stream.report());
    }
    assert_eq!(host.dns.asked(TARGET, RecordType::AAAA) + host.dns.asked(TARGET, RecordType::A), 0);
    assert_untouched(quic.server()).await;
}

/// HTTP/3 beside the default protocol leaves TCP.
///
/// Proves: SVC-14, QUI-2
#[tokio::test]
async fn a_service_of_http_3_too_is_connected_to() {
    let host = Host::with(HTTPS).await;
    let service = Service::target(&host, HTTPS).await;
    publish(&host, records([service.record(1).alpn(&["h3"])]));
    let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
    assert_eq!(peer(&stream), service.addr());
}

/// A target that does not exist, or has no addresses, or cannot be resolved, costs no more than its answer.
///
/// Proves: SVC-23
#[tokio::test]
async fn a_target_without_addresses_leaves_the_origin() {
    let host = Host::with(HTTPS).await;
    for (target, reply) in [
        ("nx.lab.test", Reply::nx_domain()),
        ("nodata.lab.test", Reply::no_data()),
        ("fails.lab.test", Reply::refused()),
    ] {
        host.dns.set(target, RecordType::AAAA, reply.clone());
        host.dns.set(target, RecordType::A, reply);
        publish(&host, records([HttpsRecord::new(1, target).port(8443)]));
        let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
        assert_eq!(tried(stream.report().attempts()), [host.addr(V4[0])], "{target}");
        assert!(stream.report().elapsed() < LONG, "{}", stream.report());
        assert!(host.dns.asked(target, RecordType::A) > 0, "{target}");
    }
}

/// That the name has no records, or that nobody can say, is an answer: nothing else is waited for.
///
/// Proves: TRG-1
#[tokio::test]
async fn without_records_it_is_the_origin_at_once() {
    let host = Host::with(HTTP).await;
    for reply in [Reply::nx_domain(), Reply::no_data(), Reply::serv_fail(), Reply::refused()] {
        publish(&host, reply.clone());
        let connector = host.bare_builder().config(patient()).plaintext().build().unwrap();
        let stream = connect(&connector, &host.uri("https")).await.unwrap();
        assert_eq!(tried(stream.report().attempts()), [host.addr(V4[0])]);
        assert!(stream.report().elapsed() < LONG, "{reply:?}: {}", stream.report());
    }
}
