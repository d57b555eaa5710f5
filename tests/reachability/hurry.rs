//! A check that has to be done in time.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::reachability::{Check, FaultClass, Level};

use crate::host::{HOST, HTTP, HTTPS, Host, V4, faulty};
use crate::lab::{Behaviour, Reply, Site};
use crate::{check_by, checker, patient_checker};

/// Far below the connect timeout, and far above what a busy machine adds.
const LIMIT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn within_its_limit_a_check_is_complete() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], faulty(Behaviour::Stall)), (V4[2], HTTPS)]).await;
    host.dns.set(HOST, RecordType::AAAA, Reply::never());
    let classes = vec![Some(FaultClass::Silent), Some(FaultClass::TlsStalled), None];
    let expected = (classes, Level::Degraded, Some(host.addr(V4[2])));
    let uri = host.uri("https");
    let check = async || check_by(patient_checker(&host, Duration::from_secs(60)).time_limit(LIMIT), &uri).await;
    once(LIMIT * 2, check, |check| {
        let classes = check.addresses.iter().map(|address| address.probe.fault.as_ref().map(|fault| fault.class));
        let winner = check.race.report.as_ref().and_then(|report| Some(report.winner()?.addr()));
        (classes.collect(), check.verdict.level, winner) == expected
    })
    .await;
}

/// What DNS has taken is not left for the response.
#[tokio::test]
async fn a_response_has_to_come_within_the_limit() {
    let host = Host::with(Site::Http(Behaviour::Stall)).await;
    let (limit, dns) = (Duration::from_secs(3), Duration::from_secs(1));
    host.dns.set(HOST, RecordType::A, Reply::a([Ipv4Addr::new(127, 0, 0, 8)]).after(dns));
    let uri = host.uri("http");
    let check = async || {
        let mut checker = patient_checker(&host, Duration::from_secs(60));
        check_by(checker.dns_details(false).time_limit(limit), &uri).await
    };
    once(limit + dns, check, |check| {
        let class = check.addresses.first().and_then(|address| Some(address.probe.fault.as_ref()?.class));
        let won = check.race.report.as_ref().is_some_and(|report| report.winner().is_some());
        (class, check.verdict.level, won) == (Some(FaultClass::HttpStalled), Level::Down, true)
    })
    .await;
}

/// Asserts that one check of three is as it should be, and takes less than `limit`: a busy machine may be late. Each needs
/// a checker of its own, as DNS takes no time once it has answered.
async fn once(limit: Duration, check: impl AsyncFn() -> Check, is_right: impl Fn(&Check) -> bool) {
    for last in [false, false, true] {
        let start = Instant::now();
        let check = check().await;
        let elapsed = start.elapsed();
        if elapsed < limit && is_right(&check) {
            return;
        }
        assert!(!last, "{elapsed:?}: {check:#?}");
    }
}

#[tokio::test]
async fn without_details_only_what_a_connect_needs_is_asked_for() {
    let host = Host::with(HTTP).await;
    let uri = host.uri("http").parse().unwrap();
    let kinds = async |details| {
        host.dns.clear_log();
        let check = checker(&host).drill(false).ping(false).dns_details(details).check(&uri).await.unwrap();
        assert_eq!(check.addresses[0].pointers.is_some(), details);
        // What is answered late is asked for twice.
        host.dns.log().iter().map(|query| query.kind).collect::<HashSet<_>>()
    };
    // For a loopback address a PTR query is answered without the name server.
    let all = kinds(true).await;
    assert!(all.contains(&RecordType::HTTPS), "{all:?}");
    assert_eq!(kinds(false).await, HashSet::from([RecordType::AAAA, RecordType::A]));
}
