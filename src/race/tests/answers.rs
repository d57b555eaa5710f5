//! From answers to endpoints: ports, zones, caps, the address policy.

use super::notation::{addr, numbered};
use super::scene::Scene;
use crate::address_policy::{AddressPolicy, Verdict};
use crate::config::Families;
use crate::error::Error;
use crate::race::FamilySet;
use crate::report::AttemptOutcome;
use crate::report::FailureKind::Refused;
use crate::resolve::QueryKind::{A, Aaaa, Addresses};

fn at_uri(uri: &str) -> Scene {
    Scene::with(|setup| {
        setup.both_at_once().uri = uri.to_owned();
    })
}

/// The port of the URI wins, then that of the answer, then that of the scheme.
#[test]
fn the_port_comes_from_the_uri_then_from_the_answer_then_from_the_scheme() {
    for (uri, answer, endpoint) in [
        ("http://host.test/", "4a", "198.18.0.1:80"),
        ("https://host.test/", "4a", "198.18.0.1:443"),
        ("http://host.test/", "4a:8080", "198.18.0.1:8080"),
        ("http://host.test:81/", "4a:8080", "198.18.0.1:81"),
        ("http://host.test:81/", "4a", "198.18.0.1:81"),
    ] {
        let mut scene = at_uri(uri);
        scene.answer(Addresses, answer);
        assert_eq!(scene.attempts, [addr(endpoint)], "{uri} {answer}");
    }
}

/// The zone of a link-local address comes through; flow information does not make a second endpoint.
#[test]
fn the_scope_id_of_an_answer_is_kept() {
    let mut scene = at_uri("http://host.test/");
    scene.answer(Addresses, "[fe80::1%7]:0").fail("[fe80::1%7]:80", Refused);
    assert_eq!(scene.attempts, [addr("[fe80::1%7]:80")]);

    let with_flow = std::net::SocketAddrV6::new("2001:db8::1".parse().unwrap(), 0, 9, 0);
    let mut scene = at_uri("http://host.test/");
    let answer = crate::resolve::Answer::from_socket_addrs([with_flow.into(), addr("6a")]);
    scene.reply(Addresses, Ok(answer)).at(1000);
    assert_eq!(scene.attempts, [addr("6a:80")]);
}

/// A literal: no query, one attempt, and no resolver in the report.
///
/// Proves: NAM-5
#[test]
fn a_literal_is_one_endpoint_without_dns() {
    for (uri, endpoint) in [("https://[2001:db8::1]:8443/", "6a:8443"), ("https://198.18.0.1/", "4a:443")] {
        let mut scene = Scene::with(|setup| {
            setup.uri = uri.to_owned();
            setup.environment.https = true;
            setup.fixed(endpoint);
        });
        assert_eq!(scene.attempts, [addr(endpoint)]);
        scene.at(5).fail(endpoint, Refused);
        assert_eq!(scene.log().len(), 2);
        assert!(scene.report().queries().is_empty());
    }
}

/// An override or the hosts file: no query, but the report tells what the name stood for.
#[test]
fn fixed_addresses_of_a_name_are_told_as_a_query_answered_at_time_zero() {
    let mut scene = Scene::over("4a");
    scene.expect_start("4a").at(30).tcp("4a");
    let report = scene.report();
    let [query] = report.queries() else { panic!("{report:?}") };
    assert_eq!((query.name(), query.kind(), query.end()), ("host.test", Addresses, Some(std::time::Duration::ZERO)));
    assert_eq!(query.result().unwrap().unwrap(), [addr("4a")]);
}

/// A list of fixed addresses that is empty is a name without addresses.
#[test]
fn no_fixed_addresses_fail_at_once() {
    Scene::over("").expect("failed");
}

/// An IPv4-mapped address is IPv4: in order, in family, and on the socket.
///
/// Proves: NAM-6
#[test]
fn a_mapped_address_in_an_answer_is_ipv4() {
    let mut scene = Scene::new();
    scene.answer(Aaaa, "6a 6b ::ffff:198.18.0.1").at(3000);
    assert_eq!(scene.starts(), "0 6a, 250 4a, 500 6b");
    assert!(scene.attempts[1].is_ipv4());
}

/// Nobody's name means the unspecified address, a multicast group or the broadcast address.
///
/// Proves: NAM-9
#[test]
fn addresses_that_are_no_destination_are_denied() {
    let mut scene = Scene::new();
    scene.answer(Aaaa, ":: ff02::1 ::ffff:0.0.0.0 6a").answer(A, "0.0.0.0 224.0.0.1 255.255.255.255 4a").at(1000);
    assert_eq!(scene.starts(), "0 6a, 250 4a");
    let denied =
        scene.report().attempts().iter().filter(|it| matches!(it.outcome(), AttemptOutcome::Denied(_))).count();
    assert_eq!(denied, 5, "0.0.0.0 came twice");
}

/// The policy sees every address before the race can choose: what it denies counts as no answer.
///
/// Proves: NAM-9
#[test]
fn what_the_policy_denies_counts_as_no_answer() {
    let guarded = || {
        Scene::with(|setup| {
            setup.config.address_policy(AddressPolicy::new(|origin, addr| {
                assert_eq!((origin.port(), addr.port()), (80, 80), "it sees the endpoint, not the record");
                if addr.is_ipv6() { Verdict::deny("no IPv6 here") } else { Verdict::Allow }
            }));
        })
    };
    // No trigger: the Resolution Delay does not run yet, and AAAA has answered.
    let mut scene = guarded();
    scene.at(10).answer(Aaaa, "6a 6b").at(300).answer(A, "4a").at(1000);
    assert_eq!(scene.starts(), "300 4a");

    let mut scene = guarded();
    scene.at(10).answer(Aaaa, "6a").at(20).nodata(A);
    let report = scene.report();
    let [attempt] = report.attempts() else { panic!("{report:?}") };
    assert!(matches!(attempt.outcome(), AttemptOutcome::Denied(reason) if reason == "no IPv6 here"));
    assert_eq!(attempt.start().as_millis(), 10);
    let error = Error::from_race(report);
    assert!(error.is_denied() && !error.is_dns() && !error.is_connect());
    assert!(error.to_string().contains("[2001:db8::1]:80 denied: no IPv6 here"), "{error}");
}

/// A denied address costs no place under the caps.
#[test]
fn denied_addresses_do_not_use_up_the_cap() {
    for count in [32, 33, 100] {
        let mut scene = Scene::with(|setup| {
            setup.config.address_policy(AddressPolicy::new(|_, addr| {
                let number = addr.ip().to_string().len();
                if number < "2001:db8::100".len() { Verdict::deny("short") } else { Verdict::Allow }
            }));
        });
        scene.answer(Aaaa, &(numbered(6, 1, count) + &numbered(6, 0x100, 2))).at(1000);
        assert_eq!(scene.starts(), "0 6#256, 250 6#257");
        assert_eq!(scene.report().attempts().len(), 2 + 32, "the report does not grow without bound: {count}");
    }
}

/// The local address is IPv4: only IPv4 is dialled.
///
/// Proves: ATT-17
#[test]
fn only_the_families_that_may_be_dialled_are() {
    for (dial, starts) in
        [(FamilySet { v4: true, v6: false }, "10 4a, 260 4b"), (FamilySet { v4: false, v6: true }, "10 6a, 260 6b")]
    {
        let mut scene = Scene::with(|setup| {
            setup.environment.dial = dial;
            setup.config.families(Families::Both);
        });
        scene.at(10).answer(Aaaa, "6a 6b").answer(A, "4a 4b").at(3000);
        assert_eq!(scene.starts(), starts);
    }
}

/// 16 addresses of a family are taken of one answer, in its order.
#[test]
fn an_answer_brings_16_addresses_of_a_family() {
    let mut scene = at_uri("http://host.test/");
    scene.answer(Addresses, &(numbered(6, 1, 17) + &numbered(4, 1, 18))).at(29_000);
    assert_eq!(scene.attempts.len(), 32);
    let last: Vec<_> = scene.attempts[30..].iter().map(|addr| scene.name(*addr)).collect();
    assert_eq!(last, ["6p", "4p"]);
}

/// Thousands of addresses in one answer: the first 16 are tried, and the report stays small.
#[test]
fn an_answer_of_4000_addresses_is_cut() {
    for count in [32, 33, 4000] {
        let mut scene = Scene::new();
        scene.answer(Aaaa, &numbered(6, 1, count)).answer(A, &numbered(4, 1, count)).at(29_000);
        assert_eq!(scene.attempts.len(), 32, "{count}");
        assert_eq!(scene.report().queries()[0].result().unwrap().unwrap().len(), 32, "{count}");
    }
}
