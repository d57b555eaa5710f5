//! Records of somebody who means no good.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hickory_server::proto::rr::rdata::NULL;
use hickory_server::proto::rr::{RData, RecordType};
use hyper_happy_eyeballs::report::{AttemptOutcome, AttemptReport};
use hyper_happy_eyeballs::{AddressPolicy, Verdict};

use crate::host::{HOST, HTTPS, Host, V4, assert_untouched};
use crate::lab::{HttpsRecord, Reply};
use crate::support::connect;
use crate::zone::{LONG, Service, TARGET, a, patient, publish, records, set_addresses, tried};

/// Neither by hint nor by target does a record lead to where the policy does not.
///
/// Proves: NAM-9
#[tokio::test]
async fn a_record_does_not_lead_to_a_denied_address() {
    let host = Host::with(HTTPS).await;
    let inner = Service::open(&host, TARGET, V4[1], HTTPS).await;
    let mut config = patient();
    config.address_policy(AddressPolicy::new(|_, addr| match V4[1..].contains(&addr.ip()) {
        true => Verdict::deny("not for strangers"),
        false => Verdict::Allow,
    }));
    let by_hint = HttpsRecord::new(1, "nowhere.lab.test").port(inner.addr().port()).hint(V4[1]);
    for record in [inner.record(1), by_hint] {
        publish(&host, records([record]));
        let stream = connect(&host.configured(config.clone()), &host.uri("https")).await.unwrap();
        let report = stream.report();
        assert_eq!(tried(report.attempts()), [host.addr(V4[0])], "{report}");
        let denied = report.attempts().iter().find(|attempt| attempt.addr() == inner.addr()).unwrap();
        assert!(matches!(denied.outcome(), AttemptOutcome::Denied(reason) if reason == "not for strangers"));
        assert!(denied.target().is_some(), "{report}");
        assert!(report.elapsed() < LONG, "{report}");
    }
    assert_untouched(inner.server()).await;
}

/// The public address in the answer is tried, although nothing leaves: a source on loopback has no route to it.
///
/// Proves: NAM-9
#[tokio::test]
async fn public_only_dials_nothing_else_whatever_leads_there() {
    let public = IpAddr::V4(Ipv4Addr::new(192, 0, 0, 9));
    let host = Host::with(HTTPS).await;
    let inner = Service::open(&host, TARGET, V4[1], HTTPS).await;
    set_addresses(&host, HOST, [V4[0], public]);
    let mut config = patient();
    config.address_policy(AddressPolicy::public_only());
    let connector = host.builder().config(config).local_address(Some(V4[0])).build().expect("TLS is chosen");

    let by_hint = HttpsRecord::new(1, "nowhere.lab.test").port(inner.addr().port()).hint(V4[1]);
    for record in [inner.record(1), by_hint] {
        publish(&host, records([record]));
        let error = connect(&connector, &host.uri("https")).await.unwrap_err();
        let attempts = error.report().unwrap().attempts();
        assert_eq!(tried(attempts), [host.addr(public)], "{error}");
        assert_eq!(denied(attempts), BTreeSet::from([inner.addr(), host.addr(V4[0])]), "{error}");
        assert!(error.is_connect() && !error.is_denied(), "{error}");
        assert!(error.to_string().contains("127.0.0.8 is loopback (RFC 1122)"), "{error}");
    }

    let port = host.sites.port();
    for authority in [host.addr(V4[0]).to_string(), format!("[::ffff:127.0.0.8]:{port}"), format!("0.0.0.0:{port}")] {
        let error = connect(&connector, &format!("https://{authority}/")).await.unwrap_err();
        let attempts = error.report().unwrap().attempts();
        assert!(error.is_denied() && tried(attempts).is_empty() && attempts.len() == 1, "{authority}: {error}");
    }
    assert_untouched(host.server()).await;
    assert_untouched(inner.server()).await;
}

/// The addresses that the policy denied, in whichever order the answers came.
fn denied(attempts: &[AttemptReport]) -> BTreeSet<SocketAddr> {
    let denied = attempts.iter().filter(|attempt| matches!(attempt.outcome(), AttemptOutcome::Denied(_)));
    denied.map(AttemptReport::addr).collect()
}

/// What is never asked for is not asked for because a record leads there, and it is as if nothing were there.
///
/// Proves: NAM-3, NAM-4
#[tokio::test]
async fn a_record_does_not_lead_to_a_name_outside_dns() {
    let host = Host::with(HTTPS).await;
    for name in ["svc.onion", "svc.invalid", "svc.alt"] {
        for record in [HttpsRecord::new(1, name), HttpsRecord::alias(name)] {
            publish(&host, records([record]));
            let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
            assert_eq!(tried(stream.report().attempts()), [host.addr(V4[0])], "{}", stream.report());
            assert!(stream.report().elapsed() < LONG, "{}", stream.report());
        }
    }
    assert!(host.dns.log().iter().all(|query| query.name.ends_with(".lab.test.")), "{:?}", host.dns.log());
}

/// A mail server that takes a request for a mail.
///
/// Proves: SVC-13
#[tokio::test]
async fn a_port_of_another_protocol_is_not_dialled() {
    let host = Host::with(HTTPS).await;
    for port in [0, 25, 6667] {
        publish(&host, records([HttpsRecord::new(1, TARGET).port(port).hint(V4[1])]));
        let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
        let attempts = stream.report().attempts();
        assert_eq!(tried(attempts), [host.addr(V4[0])], "{}", stream.report());
        assert_eq!(denied(attempts), BTreeSet::from([SocketAddr::new(V4[1], port)]), "{}", stream.report());
    }
}

/// The answer comes over TCP; a part of it is kept, the most preferred, and eight of its targets are asked for.
#[tokio::test]
async fn a_thousand_targets_are_not_a_thousand_queries() {
    let host = Host::with(HTTPS).await;
    publish(&host, records((1..=1000).map(|i| HttpsRecord::new(i, &format!("t{i}.lab.test")))));
    let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
    assert_eq!(tried(stream.report().attempts()), [host.addr(V4[0])]);
    let log = host.dns.log();
    let targets: BTreeSet<_> = log.iter().filter(|query| query.name.starts_with('t')).map(|it| &it.name).collect();
    let best: Vec<_> = (1..=8).map(|i| format!("t{i}.lab.test.")).collect();
    assert!(targets.into_iter().eq(&best), "{log:?}");
    assert_eq!(stream.report().queries()[0].services().len(), 32);
}

/// It is as if there were no records, and nothing waits for what cannot come.
///
/// Proves: SVC-4
#[tokio::test]
async fn a_loop_of_aliases_ends_at_the_origin() {
    let host = Host::with(HTTPS).await;
    let own = format!("_{}._https.{HOST}", host.sites.port());
    // Where the loop leads counts for nothing, even an address.
    host.dns.set("a.lab.test", RecordType::A, Reply::a([[127, 0, 0, 66].into()]));
    for round in [vec!["a.lab.test", "b.lab.test", "a.lab.test"], vec!["a.lab.test", "a.lab.test"], vec![&own]] {
        publish(&host, records([HttpsRecord::alias(round[0])]));
        for pair in round.windows(2) {
            host.dns.set(pair[0], RecordType::HTTPS, records([HttpsRecord::alias(pair[1])]));
        }
        let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
        assert_eq!(tried(stream.report().attempts()), [host.addr(V4[0])], "{}", stream.report());
        assert!(stream.report().elapsed() < LONG, "{}", stream.report());
    }
    for name in ["a.lab.test", "b.lab.test"] {
        assert!(host.dns.asked(name, RecordType::HTTPS) <= 2, "{name}");
    }
}

/// One record that cannot be read makes the set worth nothing: the good one beside it is not followed.
///
/// Proves: SVC-1
#[tokio::test]
async fn a_malformed_set_is_none() {
    let host = Host::with(HTTPS).await;
    let service = Service::target(&host, HTTPS).await;
    // A port of one byte, and a list of IPv4 addresses without any.
    for param in [vec![0, 3, 0, 1, 80], vec![0, 4, 0, 0]] {
        // Before it the priority, and the root as target.
        let rdata = [vec![0, 2, 0], param].concat();
        let malformed = RData::Unknown { code: RecordType::HTTPS, rdata: NULL::with(rdata) };
        publish(&host, Reply::records([service.record(1).into(), malformed]));
        let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
        assert_eq!(tried(stream.report().attempts()), [host.addr(V4[0])], "{}", stream.report());
        assert!(stream.report().elapsed() < LONG, "{}", stream.report());
    }
    assert_eq!(host.dns.asked(TARGET, RecordType::A), 0);
    assert_untouched(service.server()).await;
}

/// An address for a bank that comes along with the records of another host leads only that host's connects there.
#[tokio::test]
async fn what_comes_along_is_for_nobody_else() {
    let host = Host::with(HTTPS).await;
    let bank = Service::open(&host, "bank.lab.test", V4[1], HTTPS).await;
    let connector = host.configured(patient());
    let forged = SocketAddr::new([127, 0, 0, 66].into(), bank.addr().port());
    publish(&host, records([bank.record(1)]).with_additional("bank.lab.test", a(forged.ip())));
    let lured = connect(&connector, &host.uri("https")).await.unwrap();
    assert_eq!(tried(lured.report().attempts()), [forged, host.addr(V4[0])], "{}", lured.report());
    // The lab's certificate is not the bank's.
    let error = connect(&connector, &format!("https://bank.lab.test:{}/", forged.port())).await.unwrap_err();
    assert!(error.is_certificate(), "{error}");
    assert_eq!(tried(error.report().unwrap().attempts()), [bank.addr()], "{error}");
}
