//! TLS as a part of an attempt: v3 draft section 6.1 and decision A7.

use std::time::Duration;

use super::notation::ms;
use super::scene::Scene;
use crate::race::{AttemptId, Input};
use crate::report::FailureKind::{Certificate, Closed, Refused, Tls};
use crate::report::{AttemptOutcome, Stage};

fn over(names: &str) -> Scene {
    Scene::with(|setup| {
        setup.https().fixed(names);
    })
}

/// A healthy host: one handshake runs, nothing else starts.
///
/// Proves: TLS-2
#[test]
fn a_finished_tls_handshake_wins() {
    let mut scene = over("6a 4a");
    scene.at(20).tcp_rtt("6a", 20).at(60).tls("6a");
    scene.expect_log(["0 start 6a", "20 handshake 6a", "60 won 6a"]);
}

/// IPv6 takes the connection and never speaks TLS: IPv4 wins, and IPv6 is dropped only then.
///
/// Proves: TLS-2
#[test]
fn tcp_alone_does_not_win() {
    let mut scene = over("6a 4a");
    scene.at(10).tcp_rtt("6a", 10).at(270).tcp_rtt("4a", 20).at(310).tls("4a");
    scene.expect_log([
        "0 start 6a",
        "10 handshake 6a",
        "250 start 4a",
        "270 handshake 4a",
        "310 cancel 6a",
        "310 won 4a",
    ]);
    assert_eq!(scene.report().attempts()[0].stage(), Stage::Tls);
}

/// TCP is up at 80 ms with a round trip of 80 ms: the handshake is expected until 80 + 2 * 80 + 50.
///
/// Proves: TLS-3
#[test]
fn a_tcp_handshake_puts_off_the_next_start_to_the_expected_end_of_tls() {
    let mut scene = over("6a 4a");
    scene.at(80).tcp_rtt("6a", 80).expect_log(["0 start 6a", "80 handshake 6a"]);
    assert_eq!(scene.wait(), Some(290));
    scene.expect_idle_until(290).expect_start("4a");
}

/// At least 100 ms are given to TLS, and an unknown round trip counts as 100 ms.
///
/// Proves: TLS-3
#[test]
fn the_expected_end_of_tls_has_a_lower_bound_and_a_guess() {
    for (up, rtt, next) in [
        (200, Some(0), 300),
        (200, Some(24), 300),
        (200, Some(25), 300),
        (200, Some(26), 302),
        (200, None, 450),
        (249, Some(300), 899),
    ] {
        let mut scene = over("6a 4a");
        match rtt {
            Some(rtt) => scene.at(up).tcp_rtt("6a", rtt),
            None => scene.at(up).tcp("6a"),
        };
        scene.at(2000);
        assert_eq!(scene.starts(), format!("0 6a, {next} 4a"), "{up} {rtt:?}");
    }
}

/// A quick handshake never brings the next start forward.
#[test]
fn the_extension_is_never_earlier_than_the_running_timer() {
    let mut scene = over("6a 4a");
    scene.at(20).tcp_rtt("6a", 20).at(1000);
    assert_eq!(scene.starts(), "0 6a, 250 4a");
}

/// A slow path does not hold the race for longer than the maximum delay since the last start.
///
/// Proves: TLS-3, ATT-3
#[test]
fn the_extension_ends_two_seconds_after_the_last_start() {
    for rtt in [975, 976, 3000, u64::MAX] {
        let mut scene = over("6a 4a");
        scene.at(0).tcp_rtt("6a", rtt).at(4000);
        assert_eq!(scene.starts(), "0 6a, 2000 4a", "{rtt}");
    }
    let mut scene = Scene::with(|setup| {
        setup.https().fixed("6a 4a");
        setup.config.max_attempt_delay(ms(400));
    });
    scene.at(100).tcp_rtt("6a", 500).at(4000);
    assert_eq!(scene.starts(), "0 6a, 400 4a");
}

/// A round trip that no network has does not panic.
#[test]
fn any_round_trip_time_is_taken() {
    let mut scene = over("6a 4a");
    scene.input(Input::Progress { id: AttemptId(0), rtt: Some(Duration::MAX) }).at(4000);
    assert_eq!(scene.starts(), "0 6a, 2000 4a");
}

/// TCP comes up on an older attempt: the bound counts from the latest start.
///
/// Proves: TLS-3
#[test]
fn an_older_attempt_extends_the_timer_of_the_latest() {
    let mut scene = over("6a 4a 6b");
    scene.at(300).tcp_rtt("6a", 300).at(4000);
    assert_eq!(scene.starts(), "0 6a, 250 4a, 950 6b");
    let mut scene = over("6a 4a 6b");
    scene.at(300).tcp_rtt("6a", 2000).at(4000);
    assert_eq!(scene.starts(), "0 6a, 250 4a, 2250 6b");
}

/// Two handshakes run: the later end counts, and each extension ends with its attempt.
///
/// Proves: TLS-3
#[test]
fn an_extension_ends_when_its_attempt_fails() {
    let mut scene = over("6a 4a 6b");
    scene.at(300).tcp_rtt("6a", 400).at(320).tcp_rtt("4a", 200);
    assert_eq!(scene.wait(), Some(1150));
    scene.at(330).fail("6a", Tls);
    assert_eq!(scene.wait(), Some(770));
    scene.at(4000);
    assert_eq!(scene.starts(), "0 6a, 250 4a, 770 6b");

    // The running timer has run out meanwhile: the next starts at once.
    let mut scene = over("6a 4a 6b");
    scene.at(300).tcp_rtt("6a", 400).at(600).fail("6a", Tls).at(600);
    assert_eq!(scene.starts(), "0 6a, 250 4a, 600 6b");
}

/// A certificate that is not good for the origin: the race goes on, and IPv4 is the connection.
///
/// Proves: TLS-4
#[test]
fn a_bad_certificate_starts_the_next_endpoint() {
    let mut scene = over("6a 4a");
    scene.at(20).tcp_rtt("6a", 20).at(45).fail("6a", Certificate).at(65).tcp_rtt("4a", 20).at(100).tls("4a");
    scene.expect_log(["0 start 6a", "20 handshake 6a", "45 start 4a", "65 handshake 4a", "100 won 4a"]);
    assert!(matches!(scene.report().attempts()[0].outcome(), AttemptOutcome::Failed(_)));
}

/// An alert or a closed connection: the next starts at once, whatever the extension was.
///
/// Proves: TLS-5
#[test]
fn a_failed_handshake_starts_the_next_at_once() {
    for kind in [Tls, Closed, Refused] {
        let mut scene = over("6a 4a");
        scene.at(100).tcp_rtt("6a", 300).at(140).fail("6a", kind).at(140);
        assert_eq!(scene.starts(), "0 6a, 140 4a", "{kind}");
    }
}

/// A second report of TCP on the same attempt starts no second handshake and moves no timer.
#[test]
fn tcp_is_up_only_once() {
    let mut scene = over("6a 4a");
    scene.at(80).tcp_rtt("6a", 80).at(200).tcp_rtt("6a", 400).at(1000);
    scene.expect_log(["0 start 6a", "80 handshake 6a", "290 start 4a"]);
}
