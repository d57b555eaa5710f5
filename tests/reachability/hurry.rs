//! A check that has to be done in time.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::reachability::{FaultClass, Level};

use crate::host::{HOST, HTTP, HTTPS, Host, V4, faulty};
use crate::lab::{Behaviour, Reply, Site};
use crate::{checker, patient_checker};

/// Far below the connect timeout, and far above what a busy machine adds.
const LIMIT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn within_its_limit_a_check_is_complete() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], faulty(Behaviour::Stall)), (V4[2], HTTPS)]).await;
    host.dns.set(HOST, RecordType::AAAA, Reply::never());
    let mut checker = patient_checker(&host, Duration::from_secs(60));
    checker.drill(false).ping(false).time_limit(LIMIT);
    let start = Instant::now();
    let check = checker.check(&host.uri("https").parse().unwrap()).await.unwrap();
    assert!(start.elapsed() < 2 * LIMIT, "{:?}", start.elapsed());
    let classes = check.addresses.iter().map(|address| address.probe.fault.as_ref().map(|fault| fault.class));
    let expected = [Some(FaultClass::Silent), Some(FaultClass::TlsStalled), None];
    assert_eq!(classes.collect::<Vec<_>>(), expected);
    assert_eq!(check.verdict.level, Level::Degraded);
    assert_eq!(check.race.report.unwrap().winner().unwrap().addr(), host.addr(V4[2]));
}

/// What DNS has taken is not left for the response.
#[tokio::test]
async fn a_response_has_to_come_within_the_limit() {
    let host = Host::with(Site::Http(Behaviour::Stall)).await;
    let (limit, dns) = (Duration::from_secs(3), Duration::from_secs(1));
    host.dns.set(HOST, RecordType::A, Reply::a([Ipv4Addr::new(127, 0, 0, 8)]).after(dns));
    let mut checker = patient_checker(&host, Duration::from_secs(60));
    checker.drill(false).ping(false).dns_details(false).time_limit(limit);
    let start = Instant::now();
    let check = checker.check(&host.uri("http").parse().unwrap()).await.unwrap();
    assert!(start.elapsed() < limit + dns, "{:?}", start.elapsed());
    let fault = check.addresses[0].probe.fault.as_ref().unwrap();
    assert_eq!((fault.class, check.verdict.level), (FaultClass::HttpStalled, Level::Down));
    assert!(check.race.report.unwrap().winner().is_some());
}

#[tokio::test]
async fn without_details_only_what_a_connect_needs_is_asked_for() {
    let host = Host::with(HTTP).await;
    let uri = host.uri("http").parse().unwrap();
    let kinds = async |details| {
        host.dns.clear_log();
        let check = checker(&host).drill(false).ping(false).dns_details(details).check(&uri).await.unwrap();
        assert_eq!(check.addresses[0].pointers.is_some(), details);
        host.dns.log().iter().map(|query| query.kind).collect::<Vec<_>>()
    };
    // For a loopback address a PTR query is answered without the name server.
    let all = kinds(true).await;
    assert!(all.contains(&RecordType::HTTPS), "{all:?}");
    assert_eq!(kinds(false).await, [RecordType::AAAA, RecordType::A]);
}
