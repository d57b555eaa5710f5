//! What a race that failed tells.

use std::error::Error as _;
use std::io;

use super::scene::Scene;
use super::setup::HOST;
use crate::error::Error;
use crate::race::FamilySet;
use crate::report::FailureKind::{Certificate, Closed, Local, Refused, TimedOut, Tls, Unreachable};
use crate::report::Stage;
use crate::resolve::QueryKind::{A, Aaaa, Addresses, Https};

fn error_of(scene: &Scene) -> Error {
    assert!(scene.log().last().unwrap().ends_with("failed"), "{:?}", scene.log());
    Error::from_race(scene.report())
}

fn over(names: &str) -> Scene {
    Scene::with(|setup| {
        setup.https().fixed(names);
    })
}

/// Every address with stage, cause and time, in the order of the starts; the first cause is the source.
///
/// Proves: ATT-16
#[test]
fn the_error_lists_every_attempt_and_the_first_is_the_source() {
    let mut scene = Scene::over("6a 4a 6b");
    scene.at(20).fail("6a", Refused).at(50).fail("4a", Unreachable).at(60).fail("6b", TimedOut);
    let error = error_of(&scene);
    assert_eq!(
        error.to_string(),
        "tcp connect error: host.test:80 after 60.0 ms; \
         [2001:db8::1]:80 tcp refused: refused by the scene (20.0 ms); \
         198.18.0.1:80 tcp unreachable: unreachable by the scene (30.0 ms); \
         [2001:db8::2]:80 tcp timed out: timed out by the scene (10.0 ms)"
    );
    assert!(error.is_connect() && !error.is_timeout() && !error.is_dns() && !error.is_tls());
    let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.to_string(), "refused by the scene");
    assert_eq!(error.report().unwrap().attempts().len(), 3);
}

/// What got furthest tells most: TLS before TCP, a certificate before another TLS failure, and of equals the first.
///
/// Proves: ATT-16
#[test]
fn the_attempt_that_got_furthest_gives_the_kind() {
    let mut scene = over("6a 4a 6b 4b");
    scene.at(5).fail("6a", Refused).at(15).tcp("4a").at(20).fail("4a", Closed);
    scene.at(30).tcp("6b").at(40).fail("6b", Tls).at(50).fail("4b", Refused);
    let error = error_of(&scene);
    assert!(error.is_tls() && !error.is_certificate() && !error.is_connect());
    assert_eq!(error.source().unwrap().to_string(), "closed by the scene");

    let mut scene = over("6a 4a 6b");
    scene.at(5).tcp("6a").at(10).fail("6a", Tls).at(15).tcp("4a").at(20).fail("4a", Certificate);
    scene.at(25).tcp("6b").at(30).fail("6b", Certificate);
    let error = error_of(&scene);
    assert!(error.is_tls() && error.is_certificate());
    assert_eq!(error.source().unwrap().to_string(), "certificate by the scene");
    assert_eq!(error.report().unwrap().attempts()[0].stage(), Stage::Tls);
}

/// A host without a network says so.
///
/// Proves: ATT-13
#[test]
fn local_failures_are_told_too() {
    let mut scene = Scene::over("6a 6b");
    scene.fail("6a", Local).fail("6b", Local);
    let error = error_of(&scene);
    assert!(error.is_connect());
    assert!(error.to_string().contains("[2001:db8::1]:80 tcp local: local by the scene"), "{error}");
}

/// No address at all: every query is named with its answer.
#[test]
fn a_name_without_addresses_is_a_dns_error() {
    let mut scene = Scene::new();
    scene.at(10).nxdomain(Aaaa).at(30).servfail(A);
    let error = error_of(&scene);
    assert!(error.is_dns() && !error.is_timeout() && !error.is_connect());
    assert_eq!(
        error.to_string(),
        format!("dns error: {HOST}:80 after 30.0 ms; AAAA {HOST}: NxDomain (10.0 ms); A {HOST}: ServFail (30.0 ms)")
    );
}

/// HTTPS records are no addresses: that there are none is not why a name has none.
#[test]
fn the_source_of_a_dns_error_is_an_address_lookup() {
    let mut scene = Scene::with(|setup| setup.environment.https = true);
    scene.at(5).servfail(Https).at(10).nodata(Aaaa).at(30).nodata(A);
    assert_eq!(error_of(&scene).source().unwrap().to_string(), "NoData");

    let mut scene = Scene::with(|setup| setup.environment.https = true);
    scene.at(10).nodata(Aaaa).at(30).nodata(A).at(5000);
    let error = error_of(&scene);
    assert!(!error.is_timeout(), "{error}");
    assert_eq!(error.source().unwrap().to_string(), "NoData");
}

/// A timeout is what the error is only if every address lookup ran into it.
#[test]
fn one_lookup_that_timed_out_beside_an_answer_is_no_timeout() {
    let mut scene = Scene::new();
    scene.at(10).nxdomain(A).at(5000);
    assert!(error_of(&scene).is_dns() && !error_of(&scene).is_timeout());
    let mut scene = Scene::new();
    scene.at(10).nxdomain(Aaaa).at(5000);
    assert!(!error_of(&scene).is_timeout());
    let mut scene = Scene::new();
    scene.at(5000);
    assert!(error_of(&scene).is_timeout());
}

/// One address refused and one silent one is no timeout either.
#[test]
fn one_attempt_that_timed_out_beside_a_refused_one_is_no_timeout() {
    for (first, second, timeout) in [(TimedOut, TimedOut, true), (TimedOut, Refused, false), (Refused, TimedOut, false)]
    {
        let mut scene = Scene::over("6a 4a");
        scene.at(20).fail("6a", first).at(40).fail("4a", second);
        assert_eq!(error_of(&scene).is_timeout(), timeout);
    }
}

/// An answer of the other family is there, and what is missing is told beside the attempt that failed.
#[test]
fn a_failed_lookup_is_told_beside_the_attempts() {
    let mut scene = Scene::new();
    scene.at(10).answer(Aaaa, "6a").at(20).servfail(A).at(30).fail("6a", Refused);
    let error = error_of(&scene);
    assert!(error.is_connect());
    assert!(error.to_string().contains("; A host.test: ServFail (20.0 ms); [2001:db8::1]:80 tcp refused"), "{error}");
}

/// Fixed addresses none of which may be dialled.
/// Of whatever host, that lookup is about the network.
#[test]
fn the_lookup_of_a_nat64_prefix_says_nothing_of_the_host() {
    let mut scene = Scene::with(|setup| {
        setup.environment.ask = FamilySet { v4: false, v6: true };
    });
    scene.nodata_of("ipv4only.arpa.", Aaaa).at(5000);
    let error = error_of(&scene);
    assert!(error.is_dns() && error.is_timeout(), "{error}");
}

#[test]
fn addresses_of_the_wrong_family_are_unreachable_and_not_denied() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("6a").environment.dial = FamilySet { v4: true, v6: false };
    });
    scene.expect("failed");
    let error = error_of(&scene);
    assert!(error.is_connect() && !error.is_denied(), "{error}");
    assert!(error.to_string().starts_with("Network unreachable: host.test:80"), "{error}");
    assert_eq!(error.report().unwrap().queries()[0].kind(), Addresses);
}
