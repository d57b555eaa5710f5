//! When what is known of the addresses is enough to start: v3 draft section 4.2.

use std::time::Duration;

use super::notation::ms;
use super::scene::Scene;
use crate::race::{Family, FamilySet};
use crate::resolve::QueryKind::{A, Aaaa, Https};

fn with_https() -> Scene {
    let mut scene = Scene::with(|setup| setup.environment.https = true);
    scene.expect("query HTTPS, query AAAA, query A");
    scene
}

fn without_https() -> Scene {
    let mut scene = Scene::new();
    scene.expect("query AAAA, query A");
    scene
}

/// An address, the preferred family and service information: start, without a look at A.
///
/// Proves: TRG-1
#[test]
fn it_starts_when_address_preferred_family_and_service_are_known() {
    with_https()
        .at(30)
        .nodata(Https)
        .expect("")
        .answer(Aaaa, "6a")
        .expect_start("6a")
        .at(32)
        .answer(A, "4a")
        .expect("");
    with_https().at(30).answer(Aaaa, "6a").expect("").at(45).nodata(Https).expect_start("6a");
    // The service information may be a record, too.
    let mut scene = Scene::with_records();
    scene.at(30).services("1 .").expect("").answer(Aaaa, "6a").expect_start("6a").at(32).answer(A, "4a").expect("");
}

/// Servers that do not answer HTTPS are not waited for (decision A15): neither to start nor to fail.
#[test]
fn https_is_not_waited_for_where_it_is_never_answered() {
    let impatient = || {
        let mut scene = Scene::with(|setup| setup.records().environment.waits_for_https = false);
        scene.expect("query HTTPS, query AAAA, query A");
        scene
    };
    impatient().at(30).answer(Aaaa, "6a").expect_start("6a");
    impatient().at(30).nodata(Aaaa).nodata(A).expect("failed");
    // An answer that comes all the same counts.
    let mut scene = impatient();
    scene.at(5).services("1 . port=8443").at(30).answer(Aaaa, "6a").expect_start("6a:8443");
}

/// The draft's drawing: AAAA comes long after the Resolution Delay, and joins a race that runs.
///
/// Proves: TRG-2
#[test]
fn it_starts_when_the_resolution_delay_has_run_out() {
    let mut scene = with_https();
    scene.at(30).nodata(Https).answer(A, "4a 4b").expect_idle_until(80).expect_start("4a");
    scene.at(180).answer(Aaaa, "6a 6b").at(600);
    assert_eq!(scene.starts(), "80 4a, 330 6a, 580 6b");
}

/// Only service information is missing.
///
/// Proves: TRG-2
#[test]
fn missing_service_information_is_waited_for_one_resolution_delay() {
    with_https().at(30).answer(Aaaa, "6a").at(31).answer(A, "4a").expect_idle_until(80).expect_start("6a");
}

/// NXDOMAIN, NODATA and errors all say that there is nothing to wait for.
///
/// Proves: TRG-3
#[test]
fn a_negative_answer_of_the_preferred_family_ends_the_wait() {
    for negative in [Scene::nxdomain, Scene::nodata, Scene::servfail] {
        let scene = &mut with_https();
        negative(scene.at(10), Aaaa).nodata(Https).at(20).answer(A, "4a").expect_start("4a");
        let scene = &mut with_https();
        negative(scene.at(10).nodata(Https).at(20).answer(A, "4a").expect("").at(30), Aaaa).expect_start("4a");
    }
}

/// Everything is negative: fail with the last answer, not before.
///
/// Proves: TRG-3
#[test]
fn it_fails_when_every_answer_is_negative() {
    let mut scene = with_https();
    scene.at(10).nodata(Aaaa).at(20).servfail(A).expect("").at(30).nodata(Https).expect("failed");
}

/// On a host with IPv4 only, A is what is waited for.
///
/// Proves: TRG-4
#[test]
fn the_preferred_family_is_that_of_the_host() {
    let v4_only = || {
        let mut scene = Scene::with(|setup| {
            setup.environment.https = true;
            setup.environment.ask = FamilySet { v4: true, v6: false };
            setup.environment.preferred = Family::V4;
        });
        scene.expect("query HTTPS, query A");
        scene
    };
    v4_only().at(30).answer(A, "4a").expect("").at(41).nodata(Https).expect_start("4a");
    v4_only().at(30).answer(A, "4a").expect_idle_until(80).expect_start("4a");

    // Both families asked, IPv4 preferred: its answer starts the race and leads the order.
    let prefers_v4 = || {
        Scene::with(|setup| {
            setup.prefers_ipv4();
        })
    };
    let mut scene = prefers_v4();
    scene.at(30).answer(A, "4a 4b").at(40).answer(Aaaa, "6a 6b").at(800);
    assert_eq!(scene.starts(), "30 4a, 280 6a, 530 4b, 780 6b");
    let mut scene = prefers_v4();
    scene.at(30).answer(Aaaa, "6a").at(40).answer(A, "4a").at(300);
    assert_eq!(scene.starts(), "40 4a, 290 6a");
}

/// RFC 8305 section 3, without an HTTPS query.
///
/// Proves: TRG-5
#[test]
fn without_https_aaaa_starts_at_once_and_a_waits_for_it() {
    without_https().at(10).answer(Aaaa, "6a").expect_start("6a");
    without_https().at(10).answer(A, "4a").expect("").at(40).answer(Aaaa, "6a").expect_start("6a");
    without_https().at(10).answer(A, "4a").expect_idle_until(60).expect_start("4a");
    without_https().at(10).answer(A, "4a").expect("").at(30).nodata(Aaaa).expect_start("4a");
}

/// The delay runs from the first address, not from the first answer of any kind (decision A1).
///
/// Proves: TRG-7
#[test]
fn the_resolution_delay_runs_from_the_first_address() {
    with_https().nodata(Https).at(40).answer(A, "4a").expect_idle_until(90).expect_start("4a");
    // A later address does not start it anew.
    with_https().at(20).answer(Aaaa, "6a").at(60).answer(A, "4a").expect_idle_until(70).expect_start("6a");
    // Nor does an address that may not be dialled start it.
    let mut scene = Scene::new();
    scene.expect("query AAAA, query A").at(10).answer(A, "0.0.0.0").at(40).answer(A, "4a");
    scene.expect_idle_until(90).expect_start("4a");
}

/// HTTPS is never answered: the lookup's timeout counts as a negative answer, and the race leaks nothing.
///
/// Proves: TRG-10, TRG-3
#[test]
fn a_lookup_that_times_out_is_a_negative_answer() {
    let mut scene = with_https();
    scene.at(100).nodata(A).at(200).nodata(Aaaa).expect_idle_until(5000).expect("failed");

    // A resolution delay beyond the timeout: the timeout of AAAA frees A.
    let mut scene = Scene::with(|setup| {
        setup.config.resolution_delay(ms(60_000));
    });
    scene.expect("query AAAA, query A").at(10).answer(A, "4a").expect_idle_until(5000).expect_start("4a");
}

/// As `getaddrinfo`: with a delay without an end every answer is waited for, whatever its family.
#[test]
fn a_resolution_delay_without_an_end_waits_for_every_answer() {
    let endless = || {
        let mut scene = Scene::with(|setup| {
            setup.config.resolution_delay(Duration::MAX);
        });
        scene.expect("query AAAA, query A");
        scene
    };
    endless().at(10).answer(Aaaa, "6a").expect("").at(900).answer(A, "4a").expect_start("6a");
    endless().at(10).answer(A, "4a").expect_idle_until(5000).expect_start("4a");
}

/// The other end: whatever comes first starts.
/// What is listed for others cannot grow once it has begun; so it waits for A too, and no longer than for AAAA.
#[test]
fn a_list_waits_for_every_answer_within_the_resolution_delay() {
    let list = || {
        let mut scene = Scene::with(|setup| setup.config.awaits_all = true);
        scene.expect("query AAAA, query A").at(10);
        scene
    };
    list().answer(Aaaa, "6a").expect("").at(30).answer(A, "4a").expect_start("6a");
    list().answer(Aaaa, "6a").expect("").at(30).nodata(A).expect_start("6a");
    list().answer(Aaaa, "6a").expect_idle_until(60).expect_start("6a");
    list().answer(A, "4a").expect_idle_until(60).expect_start("4a");
}

#[test]
fn a_resolution_delay_of_zero_waits_for_nothing() {
    let mut scene = Scene::with(|setup| {
        setup.config.resolution_delay(Duration::ZERO);
        setup.environment.https = true;
    });
    scene.expect("query HTTPS, query AAAA, query A").at(10).answer(A, "4a").expect_start("4a");
    scene.at(12).answer(Aaaa, "6a").expect_idle_until(260).expect_start("6a");
}
