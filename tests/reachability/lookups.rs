//! What is told of DNS.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hickory_server::proto::rr::rdata::{CNAME, PTR};
use hickory_server::proto::rr::{Name, RData, RecordType};
use hyper_happy_eyeballs::reachability::{Check, Level, Lookup};
use hyper_happy_eyeballs::resolve::{QueryKind, ResolveErrorKind};

use crate::host::{HOST, HTTPS, Host, V4};
use crate::lab::Reply;
use crate::{PATIENCE, at, builder, check, check_by, checker_of};

fn lookup(check: &Check, kind: QueryKind) -> &Lookup {
    check.lookups.iter().find(|lookup| lookup.kind == kind).unwrap_or_else(|| panic!("{kind} was not asked for"))
}

fn error_kind(lookup: &Lookup) -> Option<ResolveErrorKind> {
    lookup.result.as_ref().err().map(|error| error.kind())
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).expect("a name")
}

#[tokio::test]
async fn an_answer_is_told_with_its_aliases_and_its_shortest_ttl() {
    let host = Host::with(HTTPS).await;
    let IpAddr::V4(ip) = V4[0] else { panic!("an IPv4 address") };
    let chain = Reply::records([RData::CNAME(CNAME(name("edge.lab.test.")))])
        .with("edge.lab.test", RData::CNAME(CNAME(name("node.lab.test."))))
        .with("node.lab.test", RData::A(ip.into()))
        .ttl(17);
    host.dns.set(HOST, RecordType::A, chain);
    let check = check(&host).await;
    let lookup = lookup(&check, QueryKind::A);
    assert_eq!(lookup.name, format!("{HOST}."));
    assert_eq!(lookup.result.as_deref().ok(), Some(&[V4[0]][..]));
    assert_eq!(lookup.aliases, ["edge.lab.test.", "node.lab.test."]);
    assert_eq!(lookup.ttl, Some(Duration::from_secs(17)));
    assert!(lookup.end >= Some(lookup.start));
    assert_eq!(check.verdict.level, Level::Ok);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_down() {
    let host = Host::with(HTTPS).await;
    for kind in [RecordType::A, RecordType::AAAA] {
        host.dns.set(HOST, kind, Reply::nx_domain());
    }
    let check = check(&host).await;
    assert_eq!(error_kind(lookup(&check, QueryKind::A)), Some(ResolveErrorKind::NxDomain));
    assert_eq!(error_kind(lookup(&check, QueryKind::Aaaa)), Some(ResolveErrorKind::NxDomain));
    assert!(check.addresses.is_empty());
    assert_eq!(check.verdict.level, Level::Down);
    assert_eq!(check.verdict.reason, "name not resolved: the name does not exist (NXDOMAIN)");
}

#[tokio::test]
async fn a_name_without_addresses_is_down() {
    let host = Host::with(HTTPS).await;
    host.dns.set(HOST, RecordType::A, Reply::no_data());
    let check = check(&host).await;
    assert_eq!(error_kind(lookup(&check, QueryKind::A)), Some(ResolveErrorKind::NoData));
    assert!(check.addresses.is_empty() && check.drill.is_empty());
    assert_eq!(check.verdict.level, Level::Down);
}

/// Whoever has no answer for the other kind waits, or does not get there.
#[tokio::test]
async fn a_lookup_that_fails_degrades() {
    let host = Host::with(HTTPS).await;
    host.dns.set(HOST, RecordType::AAAA, Reply::serv_fail());
    let check = check(&host).await;
    assert_eq!(error_kind(lookup(&check, QueryKind::Aaaa)), Some(ResolveErrorKind::ServFail));
    assert!(at(&check, V4[0]).probe.is_good());
    assert_eq!(check.verdict.level, Level::Degraded);
    assert!(check.verdict.reason.starts_with("AAAA lookup: "), "{}", check.verdict.reason);
}

#[tokio::test]
async fn lookups_that_fail_differently_are_told_apart() {
    let host = Host::with(HTTPS).await;
    host.dns.set(HOST, RecordType::A, Reply::serv_fail());
    let expected = format!(
        "name not resolved: AAAA {HOST}: no records of this type (NODATA); A {HOST}: the server failed (SERVFAIL)"
    );
    assert_eq!(check(&host).await.verdict.reason, expected);
}

/// The time is shorter than that of a lookup.
#[tokio::test]
async fn a_lookup_without_an_answer_degrades() {
    let host = Host::with(HTTPS).await;
    host.dns.set(HOST, RecordType::AAAA, Reply::never());
    let degraded = check(&host).await;
    let lookup = lookup(&degraded, QueryKind::Aaaa);
    assert_eq!(error_kind(lookup), Some(ResolveErrorKind::Timeout));
    assert!(lookup.end >= Some(PATIENCE), "{lookup:?}");
    assert_eq!(degraded.verdict.level, Level::Degraded);
    assert_eq!(degraded.verdict.reason, "AAAA lookup: no answer in time");
    host.dns.set(HOST, RecordType::A, Reply::never());
    assert_eq!(check(&host).await.verdict.reason, "name not resolved: no answer in time");
}

/// hickory answers for 127.0.0.0/8 itself, so these are of documentation. From 127.0.0.1 the kernel sends them nothing.
#[tokio::test]
async fn addresses_have_the_names_of_their_ptr_records() {
    let host = Host::with(HTTPS).await;
    let [named, nameless] = [1, 2].map(|last| Ipv4Addr::new(192, 0, 2, last));
    host.dns.set(HOST, RecordType::A, Reply::a([named, nameless]));
    let names = ["a.lab.test.", "b.lab.test."];
    let pointers = Reply::records(names.map(|text| RData::PTR(PTR(name(text)))));
    host.dns.set("1.2.0.192.in-addr.arpa", RecordType::PTR, pointers);
    let checker = checker_of(&host, builder(&host).local_address(Some(Ipv4Addr::LOCALHOST.into())));
    let check = check_by(&checker, &host.uri("https")).await;
    let pointers = |ip: Ipv4Addr| at(&check, ip.into()).pointers.as_ref().expect("it was asked for");
    assert_eq!(pointers(named).as_deref().ok(), Some(&names.map(str::to_owned)[..]));
    let none = pointers(nameless).as_ref().expect_err("it has none");
    assert_eq!(none.kind(), ResolveErrorKind::NxDomain);
}
