//! Which endpoints are checked: all that a connector would try.

use std::net::{IpAddr, SocketAddr};

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::reachability::{Check, Level};
use hyper_happy_eyeballs::resolve::QueryKind;

use crate::host::{HOST, HTTP, HTTPS, Host, V4};
use crate::lab::{HttpsRecord, Loopback, Reply, Site, Sites};
use crate::{at, builder, check, check_by, checker, checker_of};

/// As DNS has it, with its final dot.
const SERVICE: &str = "svc.lab.test.";

/// Address, target, and whether it serves, in the order of the check.
fn endpoints(check: &Check) -> Vec<(SocketAddr, Option<&str>, bool)> {
    let addresses = check.addresses.iter();
    addresses.map(|it| (it.addr, it.target.as_deref(), it.probe.is_good())).collect()
}

fn service_records(check: &Check) -> usize {
    let https = check.lookups.iter().filter(|lookup| lookup.kind == QueryKind::Https);
    https.map(|lookup| lookup.services.len()).sum()
}

fn a(ip: IpAddr) -> Reply {
    match ip {
        IpAddr::V4(ip) => Reply::a([ip]),
        IpAddr::V6(ip) => panic!("{ip} is not IPv4"),
    }
}

#[tokio::test]
async fn a_service_with_another_port_and_target_is_checked_beside_the_origin() {
    let host = Host::with(HTTPS).await;
    let elsewhere = Sites::open(&host.ca, HOST, [(V4[1], HTTPS)]).await.expect("a port on loopback");
    let record = HttpsRecord::new(1, SERVICE).port(elsewhere.port());
    host.dns.set(&host.https_name(), RecordType::HTTPS, Reply::records([record.into()]));
    host.dns.set(SERVICE, RecordType::A, a(V4[1]));
    let check = check(&host).await;
    let service = SocketAddr::new(V4[1], elsewhere.port());
    assert_eq!(endpoints(&check), [(service, Some(SERVICE), true), (host.addr(V4[0]), None, true)]);
    assert_eq!(service_records(&check), 1);
    // The port is shown where it is not that of the URL.
    assert_eq!(check.label(service), service.to_string());
    assert_eq!(check.label(host.addr(V4[0])), V4[0].to_string());
}

/// A client with a record of yesterday still goes there.
#[tokio::test]
async fn a_service_that_is_broken_degrades() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], Site::Refused)]).await;
    let record = HttpsRecord::new(1, SERVICE);
    host.dns.set(&host.https_name(), RecordType::HTTPS, Reply::records([record.into()]));
    host.dns.set(HOST, RecordType::A, a(V4[0]));
    host.dns.set(SERVICE, RecordType::A, a(V4[1]));
    let check = check(&host).await;
    assert_eq!(endpoints(&check), [(host.addr(V4[1]), Some(SERVICE), false), (host.addr(V4[0]), None, true)]);
    assert_eq!(check.verdict.level, Level::Degraded);
}

#[tokio::test]
async fn the_hint_of_a_target_without_addresses_is_checked() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    let record = HttpsRecord::new(1, SERVICE).hint(V4[1]);
    host.dns.set(&host.https_name(), RecordType::HTTPS, Reply::records([record.into()]));
    host.dns.set(HOST, RecordType::A, a(V4[0]));
    let check = check(&host).await;
    assert_eq!(at(&check, V4[1]).target.as_deref(), Some(SERVICE));
    assert!(at(&check, V4[1]).probe.is_good() && at(&check, V4[0]).probe.is_good());
}

#[tokio::test]
async fn an_alias_is_followed() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    let record = HttpsRecord::alias(SERVICE);
    host.dns.set(&host.https_name(), RecordType::HTTPS, Reply::records([record.into()]));
    host.dns.set(HOST, RecordType::A, a(V4[0]));
    host.dns.set(SERVICE, RecordType::A, a(V4[1]));
    let check = check(&host).await;
    assert_eq!(endpoints(&check), [(host.addr(V4[1]), Some(SERVICE), true), (host.addr(V4[0]), None, true)]);
}

#[tokio::test]
async fn every_address_of_both_families_is_checked_once() {
    let mut layout: Vec<_> = V4.map(|ip| (ip, HTTPS)).into();
    if Loopback::detect().await == Loopback::Both {
        layout.push((Loopback::Both.first(), HTTPS));
    }
    let host = Host::open(layout.clone()).await;
    let check = check(&host).await;
    assert_eq!(check.addresses.len(), layout.len());
    for (ip, _) in layout {
        assert!(at(&check, ip).probe.is_good(), "{ip}");
        assert_eq!(at(&check, ip).source.map(|source| source.is_ipv4()), Some(ip.is_ipv4()));
    }
}

/// It stands for the service, which comes first.
#[tokio::test]
async fn an_address_of_both_the_service_and_the_origin_is_checked_once() {
    let host = Host::with(HTTPS).await;
    host.dns.set(&host.https_name(), RecordType::HTTPS, Reply::records([HttpsRecord::new(1, SERVICE).into()]));
    host.dns.set(SERVICE, RecordType::A, a(V4[0]));
    let check = check(&host).await;
    assert_eq!(endpoints(&check), [(host.addr(V4[0]), Some(SERVICE), true)]);
    // A user and a probe.
    assert_eq!(host.server().accepted(), 2);
}

#[tokio::test]
async fn a_literal_needs_no_dns() {
    let host = Host::open([]).await;
    let layout = [(V4[0], HTTPS)];
    let site = Sites::open(&host.ca, &V4[0].to_string(), layout).await.expect("a port on loopback");
    let addr = SocketAddr::new(V4[0], site.port());
    let check = check_by(&checker(&host), &format!("https://{addr}/")).await;
    assert_eq!(endpoints(&check), [(addr, None, true)]);
    assert!(check.lookups.is_empty());
    assert_eq!(host.dns.log().iter().filter(|query| query.kind != RecordType::PTR).count(), 0);
    assert_eq!(check.verdict.level, Level::Ok);
}

/// They tell where https is, and lead nobody away from http.
#[tokio::test]
async fn the_https_records_of_an_http_url_are_only_shown() {
    let host = Host::with(HTTP).await;
    let record = HttpsRecord::new(1, SERVICE).port(1);
    host.dns.set(&host.https_name(), RecordType::HTTPS, Reply::records([record.into()]));
    let check = check_by(&checker(&host), &host.uri("http")).await;
    assert_eq!(endpoints(&check), [(host.addr(V4[0]), None, true)]);
    assert_eq!(service_records(&check), 1);
    let lookup = check.lookups.iter().find(|lookup| lookup.kind == QueryKind::Https).expect("it was asked for");
    assert_eq!(lookup.name, format!("{}.", host.https_name()));
    assert_eq!(check.verdict.level, Level::Ok);
}

#[tokio::test]
async fn an_override_stands_for_dns() {
    let host = Host::open([(V4[0], Site::Refused), (V4[1], HTTPS)]).await;
    let checker = checker_of(&host, builder(&host).resolve(HOST, [SocketAddr::new(V4[1], 0)]));
    let check = check_by(&checker, &host.uri("https")).await;
    assert_eq!(endpoints(&check), [(host.addr(V4[1]), None, true)]);
    assert_eq!(host.dns.asked(HOST, RecordType::A), 0);
    assert_eq!(check.verdict.level, Level::Ok);
}
