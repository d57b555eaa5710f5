//! What a failed attempt means for the next start: decisions A3 and A4.

use super::notation::ms;
use super::scene::Scene;
use crate::report::FailureKind::{Certificate, Closed, Local, Other, Refused, TimedOut, Tls, Unreachable};

/// A reset at 3 ms: the next start is at 10 ms, not at 3 and not at 250.
///
/// Proves: ATT-7, ATT-2
#[test]
fn after_a_failure_the_next_starts_at_once_but_not_within_10_ms() {
    let mut scene = Scene::over("6a 4a 6b");
    scene.expect_start("6a").at(3).fail("6a", Refused).expect_idle_until(10).expect_start("4a");
    scene.expect_idle_until(260).expect_start("6b");
}

/// A reset at 120 ms: the next starts then, and the delay counts from there.
///
/// Proves: ATT-7
#[test]
fn after_a_late_failure_the_delay_counts_from_the_new_start() {
    let mut scene = Scene::over("6a 4a 6b");
    scene.expect_start("6a").at(120).fail("6a", Refused).expect_start("4a").expect_idle_until(370).expect_start("6b");
}

/// Whatever the failure is, it is one.
///
/// Proves: ATT-7
#[test]
fn every_kind_of_failure_starts_the_next() {
    for kind in [Refused, Unreachable, TimedOut, Closed, Certificate, Tls, Other] {
        let mut scene = Scene::over("6a 4a");
        scene.expect_start("6a").at(3).fail("6a", kind).expect_idle_until(10).expect_start("4a");
    }
}

/// The latest start fails: the next starts at once, although an older attempt is in flight.
///
/// Proves: ATT-8
#[test]
fn the_failure_of_the_latest_start_pulls_the_timer() {
    let mut scene = Scene::over("6a 4a 6b");
    scene.at(300).fail("4a", Refused).at(300);
    assert_eq!(scene.starts(), "0 6a, 250 4a, 300 6b");
}

/// An older attempt fails: the timer of the latest goes on.
///
/// Proves: ATT-8
#[test]
fn the_failure_of_an_older_attempt_does_not_pull_the_timer() {
    let mut scene = Scene::over("6a 4a 6b");
    scene.at(300).fail("6a", Refused).at(1000);
    assert_eq!(scene.starts(), "0 6a, 250 4a, 500 6b");
}

/// Both in flight fail, the latest first: each failure starts one.
///
/// Proves: ATT-8, ATT-2
#[test]
fn nothing_left_in_flight_starts_the_next_too() {
    let mut scene = Scene::over("6a 4a 6b 4b");
    scene.at(300).fail("4a", Refused).at(301).fail("6a", Refused).at(302).fail("6b", Refused).at(310);
    assert_eq!(scene.starts(), "0 6a, 250 4a, 300 6b, 310 4b");
}

/// No route for IPv6: IPv4 starts in the same instant, the failure is told, and the timer counts from 4a.
///
/// Proves: ATT-13
#[test]
fn a_local_failure_gives_its_slot_back_at_once() {
    let mut scene = Scene::over("6a 4a 6b");
    scene.expect_start("6a").fail("6a", Local).expect_start("4a").expect_idle_until(250).expect_start("6b");
    let report = scene.report();
    assert_eq!(report.attempts().len(), 3);
    assert!(report.attempts()[0].end().is_some());
}

/// A local failure between two starts leaves the timer of the earlier one alone: its own turn is free again.
///
/// Proves: ATT-13, ATT-2
#[test]
fn a_local_failure_neither_shortens_nor_restarts_the_delay() {
    let mut scene = Scene::over("6a 4a 6b 4b");
    scene.at(250).fail("4a", Local).at(1000);
    assert_eq!(scene.starts(), "0 6a, 250 4a, 250 6b, 500 4b");

    // Refused at 3 ms, local at 10 ms: the floor counts from the start that left.
    let mut scene = Scene::over("6a 4a 6b");
    scene.at(3).fail("6a", Refused).at(10).fail("4a", Local).at(11);
    assert_eq!(scene.starts(), "0 6a, 10 4a, 10 6b");
}

/// All addresses fail on this host: the race fails in its first instant.
///
/// Proves: ATT-13
#[test]
fn a_host_without_any_route_fails_at_once() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("6a 4a");
        setup.routeless = "6a 4a 64:ff9b::c000:aa".into();
    });
    scene.fail("6a", Local).fail("4a", Local).expect_log(["0 start 6a", "0 start 4a", "0 failed"]);
}

/// "Local" after TCP was up is an ordinary failure: its packets had left.
///
/// Proves: ATT-2
#[test]
fn a_local_failure_after_tcp_counts_as_a_start() {
    let mut scene = Scene::with(|setup| {
        setup.https().fixed("6a 4a");
    });
    scene.expect_start("6a").at(2).tcp("6a").expect("handshake 6a").at(3).fail("6a", Local);
    scene.expect_idle_until(10).expect_start("4a");
}

/// The floor holds between failures that come in a burst.
///
/// Proves: ATT-2
#[test]
fn a_burst_of_failures_keeps_10_ms_between_starts() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("6a 6b 6c 6d");
        setup.config.attempt_delay(ms(100));
    });
    for (time, name) in [(1, "6a"), (10, "6b"), (21, "6c")] {
        scene.at(time).fail(name, Refused);
    }
    scene.at(500);
    assert_eq!(scene.starts(), "0 6a, 10 6b, 20 6c, 30 6d");
}

/// The last address fails and no query is open.
#[test]
fn the_race_fails_with_its_last_attempt() {
    let mut scene = Scene::over("6a 4a");
    scene.at(100).fail("6a", Refused).at(130).fail("4a", Refused);
    scene.expect_log(["0 start 6a", "100 start 4a", "130 failed"]);
}
