//! What the address policy denies is left alone altogether.

use std::net::Ipv4Addr;

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::reachability::{Checker, FaultClass, Level};
use hyper_happy_eyeballs::{AddressPolicy, Verdict};

use crate::host::{self, HOST, HTTPS, Host, V4, assert_untouched};
use crate::lab::socks::{Rules, Wanted};
use crate::lab::{Reply, Socks};
use crate::{at, builder, check_by, checker_of};

async fn proxy() -> Socks {
    Socks::start(Rules::default().name(HOST, V4[0])).await.expect("a port on loopback")
}

/// With everything that a checker can send.
fn checker(host: &Host, policy: AddressPolicy, proxy: &Socks) -> Checker {
    let mut config = host::config();
    config.address_policy(policy);
    let mut checker = checker_of(host, builder(host).config(config));
    checker.drill(true).ping(true).via(format!("socks5h://{}", proxy.addr()).parse().expect("a proxy"));
    checker
}

#[tokio::test]
async fn a_site_inside_is_not_touched_by_public_only() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    let proxy = proxy().await;
    let check = check_by(&checker(&host, AddressPolicy::public_only(), &proxy), &host.uri("https")).await;

    for ip in [V4[0], V4[1]] {
        let address = at(&check, ip);
        assert_eq!(address.probe.fault.as_ref().map(|fault| fault.class), Some(FaultClass::Denied));
        assert!(address.ping.is_none() && address.pointers.is_none() && address.source.is_none());
        assert_untouched(host.sites.server(ip)).await;
    }
    assert!(check.via[0].by_name.is_none() && check.via[0].addresses.is_empty());
    assert_eq!(proxy.accepted(), 0);
    assert!(check.drill.is_empty());
    assert_eq!(check.verdict.level, Level::Down);
    let expected = "every address is denied: 127.0.0.8 is loopback (RFC 1122); 127.0.0.9 is loopback (RFC 1122)";
    assert_eq!(check.verdict.reason, expected);
}

#[tokio::test]
async fn a_literal_inside_is_not_touched_by_public_only() {
    let host = Host::with(HTTPS).await;
    let proxy = proxy().await;
    let checker = checker(&host, AddressPolicy::public_only(), &proxy);
    let check = check_by(&checker, &format!("https://{}/", host.addr(V4[0]))).await;
    assert_eq!(at(&check, V4[0]).probe.fault.as_ref().map(|fault| fault.class), Some(FaultClass::Denied));
    assert_untouched(host.server()).await;
    assert!(host.dns.log().is_empty());
    assert_eq!(proxy.accepted(), 0);
}

/// A name could lead the proxy to the address that is denied.
#[tokio::test]
async fn a_denied_address_is_left_alone_beside_others() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    let proxy = proxy().await;
    let policy = AddressPolicy::new(|_, addr| match addr.ip() == V4[0] {
        true => Verdict::deny("not this one"),
        false => Verdict::Allow,
    });
    let check = check_by(&checker(&host, policy, &proxy), &host.uri("https")).await;
    assert_eq!(proxy.asked(), [Wanted::Address(host.addr(V4[1]))]);
    assert!(check.via[0].by_name.is_none());
    assert_eq!(check.drill.len(), 3);
    assert_untouched(host.sites.server(V4[0])).await;
    assert_eq!(check.verdict.level, Level::Ok, "{:?}", check.verdict);
    let note = "1 of 2 IPv4 addresses not checked: denied: not this one";
    assert!(check.verdict.notes.iter().any(|other| other == note), "{:?}", check.verdict);
}

/// hickory answers for 127.0.0.0/8 itself, so these are of documentation. From 127.0.0.1 the kernel sends them nothing.
#[tokio::test]
async fn the_name_of_a_denied_address_is_not_asked_for() {
    let host = Host::with(HTTPS).await;
    let [denied, allowed] = [1, 2].map(|last| Ipv4Addr::new(192, 0, 2, last));
    host.dns.set(HOST, RecordType::A, Reply::a([denied, allowed]));
    let mut config = host::config();
    config.address_policy(AddressPolicy::new(move |_, addr| match addr.ip() == denied {
        true => Verdict::deny("not this one"),
        false => Verdict::Allow,
    }));
    let builder = builder(&host).config(config).local_address(Some(Ipv4Addr::LOCALHOST.into()));
    let check = check_by(&checker_of(&host, builder), &host.uri("https")).await;
    assert!(at(&check, denied.into()).pointers.is_none());
    let log = host.dns.log();
    let pointers = log.iter().filter(|query| query.kind == RecordType::PTR).map(|query| &*query.name);
    let mut pointers: Vec<_> = pointers.collect();
    // What is answered late is asked for twice.
    pointers.dedup();
    assert_eq!(pointers, ["2.2.0.192.in-addr.arpa."]);
}

/// The proxy is dialled too.
#[tokio::test]
async fn a_denied_proxy_is_not_dialled() {
    let host = Host::with(HTTPS).await;
    let proxy = proxy().await;
    let addr = proxy.addr();
    let policy = AddressPolicy::new(move |_, other| match addr == other {
        true => Verdict::deny("no proxies"),
        false => Verdict::Allow,
    });
    let check = check_by(&checker(&host, policy, &proxy), &host.uri("https")).await;
    assert_eq!(proxy.accepted(), 0);
    let (_, probe) = &check.via[0].addresses[0];
    assert_eq!(probe.fault.as_ref().map(|fault| fault.class), Some(FaultClass::Proxy));
    assert_eq!(check.verdict.level, Level::Ok);
    assert!(check.verdict.notes.iter().any(|note| note.contains("no proxies")), "{:?}", check.verdict.notes);
}
