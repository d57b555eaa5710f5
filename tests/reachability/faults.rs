//! What can be wrong with one address while another one serves.

use std::net::{IpAddr, Ipv4Addr};

use futures_util::future::join_all;
use hyper_happy_eyeballs::reachability::{Check, FaultClass, Level};
use hyper_happy_eyeballs::{AddressPolicy, Verdict};

use crate::host::{self, HTTP, HTTPS, Host, V4, faulty};
use crate::lab::{Behaviour, Certificate, Site};
use crate::{PATIENCE, at, builder, check, check_by, checker, checker_of, class_at};

/// The first, so that a user is served.
const GOOD: IpAddr = V4[0];
const BAD: IpAddr = V4[1];

async fn beside(good: Site, bad: Site, scheme: &str) -> Check {
    let host = Host::open([(GOOD, good), (BAD, bad)]).await;
    let check = check_by(&checker(&host), &host.uri(scheme)).await;
    assert_eq!(class_at(&check, GOOD), None);
    check
}

#[tokio::test]
async fn each_fault_of_https_has_its_class() {
    let certificate = |certificate| Site::Https(certificate, Behaviour::Serve);
    let slow = [
        (Site::Silent, FaultClass::Silent, "silent (filtered): nothing came for 2 s"),
        (faulty(Behaviour::Stall), FaultClass::TlsStalled, "TLS stalled: not done within 2 s"),
        (faulty(Behaviour::Mute), FaultClass::HttpStalled, "no HTTP response: no whole head within 2 s"),
    ];
    let quick = [
        (Site::Refused, FaultClass::Refused, "refused"),
        (faulty(Behaviour::Close), FaultClass::Closed, "connection closed: "),
        (faulty(Behaviour::ResetHello), FaultClass::Closed, "connection closed: "),
        (faulty(Behaviour::Garbage), FaultClass::Tls, "TLS failed: "),
        (certificate(Certificate::Expired), FaultClass::Certificate, "wrong certificate: "),
        (certificate(Certificate::OtherName), FaultClass::Certificate, "wrong certificate: "),
        (certificate(Certificate::UnknownRoot), FaultClass::Certificate, "wrong certificate: "),
        (faulty(Behaviour::Status(500)), FaultClass::Status, "HTTP error: 500 Internal Server Error"),
        (faulty(Behaviour::Status(404)), FaultClass::Status, "HTTP error: 404 Not Found"),
    ];
    // Not all at once, as the good address beside each has to be done in its time too.
    let mut checks = join_all(slow.map(|(site, ..)| beside(HTTPS, site, "https"))).await;
    for (site, ..) in quick {
        checks.push(beside(HTTPS, site, "https").await);
    }
    for ((site, expected, words), check) in slow.into_iter().chain(quick).zip(checks) {
        let fault = at(&check, BAD).probe.fault.as_ref().unwrap_or_else(|| panic!("{site:?} has a fault"));
        assert_eq!(fault.class, expected, "{site:?}: {fault}");
        assert!(fault.to_string().starts_with(words), "{site:?}: {fault}");
        assert_eq!(check.verdict.level, Level::Degraded, "{site:?}");
        assert!(check.verdict.reason.contains(&format!("127.0.0.9 {fault}")), "{}", check.verdict.reason);
    }
}

#[tokio::test]
async fn each_fault_of_http_has_its_class() {
    for (behaviour, expected) in [
        (Behaviour::Stall, FaultClass::HttpStalled),
        (Behaviour::Garbage, FaultClass::Http),
        (Behaviour::Close, FaultClass::Http),
        (Behaviour::ResetHello, FaultClass::Http),
        (Behaviour::Status(502), FaultClass::Status),
    ] {
        let check = beside(HTTP, Site::Http(behaviour), "http").await;
        assert_eq!(class_at(&check, BAD), Some(expected), "{behaviour:?}");
        assert_eq!(check.verdict.level, Level::Degraded, "{behaviour:?}");
    }
}

#[tokio::test]
async fn how_far_an_address_got_is_told() {
    let check = beside(HTTPS, faulty(Behaviour::Mute), "https").await;
    let (mute, good) = (&at(&check, BAD).probe, &at(&check, GOOD).probe);
    assert!(mute.tcp.is_some() && mute.tls >= mute.tcp && mute.response.is_none() && mute.total >= PATIENCE);
    assert!(mute.certificate.is_some() && mute.tls_info.is_some() && mute.server_time().is_none());
    assert!(good.response.is_some() && good.server_time().is_some() && good.connected() == good.tls);
    let certificate = good.certificate.as_ref().expect("it has shown one");
    assert_eq!(certificate.names, [host::HOST]);
}

#[tokio::test]
async fn what_every_address_refuses_is_the_sites_own_affair() {
    let not_found = faulty(Behaviour::Status(404));
    let host = Host::open([(V4[0], not_found), (V4[1], not_found)]).await;
    let check = check(&host).await;
    assert_eq!((class_at(&check, V4[0]), class_at(&check, V4[1])), (None, None));
    assert_eq!(check.verdict.level, Level::Ok);
}

#[tokio::test]
async fn a_redirect_serves() {
    let check = beside(HTTPS, faulty(Behaviour::Status(301)), "https").await;
    assert_eq!(class_at(&check, BAD), None);
}

#[tokio::test]
async fn what_is_denied_degrades_nothing() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    let mut config = host::config();
    config.address_policy(AddressPolicy::new(|_, addr| match addr.ip() == V4[0] {
        true => Verdict::deny("it is not wanted"),
        false => Verdict::Allow,
    }));
    let checker = checker_of(&host, builder(&host).config(config));
    let check = check_by(&checker, &host.uri("https")).await;
    let fault = at(&check, V4[0]).probe.fault.as_ref().expect("it is denied");
    assert_eq!((fault.class, &*fault.detail), (FaultClass::Denied, "it is not wanted"));
    assert_eq!(check.verdict.level, Level::Ok);
}

/// From an address that this host does not have nothing can be sent, whatever the site is like.
#[tokio::test]
async fn what_this_host_cannot_try_is_not_the_sites_fault() {
    let host = Host::with(HTTPS).await;
    let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let checker = checker_of(&host, builder(&host).local_address(Some(elsewhere)));
    let check = check_by(&checker, &host.uri("https")).await;
    assert_eq!(class_at(&check, V4[0]), Some(FaultClass::Local));
    assert_eq!(check.verdict.level, Level::Down);
}
