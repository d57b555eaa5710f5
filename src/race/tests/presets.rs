//! The presets that behave as older clients do.

use std::time::Duration;

use super::notation::ms;
use super::scene::Scene;
use crate::config::{Config, Pacing};
use crate::report::FailureKind::{Certificate, Local, Refused};
use crate::resolve::QueryKind::{A, Aaaa};

fn preset(config: Config, names: &'static str) -> Scene {
    Scene::with(|setup| {
        setup.https().fixed(names);
        setup.config = config;
    })
}

/// The client of old: both answers first, one after the other in the list's order, however long it takes.
#[test]
fn sequential_starts_the_next_only_after_a_failure() {
    let mut scene = preset(Config::sequential(), "6a 6b 4a");
    scene.at(20_000).fail("6a", Refused).at(20_003).fail("6b", Refused).at(20_100).tcp("4a").at(20_200).tls("4a");
    scene.expect_log(["0 start 6a", "20000 start 6b", "20010 start 4a", "20100 handshake 4a", "20200 won 4a"]);
}

/// It waits for A although AAAA is there.
#[test]
fn sequential_waits_for_both_answers() {
    let mut scene = Scene::with(|setup| setup.config = Config::sequential());
    scene
        .expect("query AAAA, query A")
        .at(10)
        .answer(Aaaa, "6a")
        .expect("")
        .at(3000)
        .answer(A, "4a")
        .expect_start("6a");
    scene.at(3100).fail("6a", Refused).expect_start("4a").at(3200).fail("4a", Refused).expect("failed");
}

/// TLS fails on the first address that takes the connection: so does the connect.
#[test]
fn sequential_does_not_go_on_after_a_tls_failure() {
    let mut scene = preset(Config::sequential(), "6a 4a");
    scene.at(20).tcp("6a").at(40).fail("6a", Certificate);
    scene.expect_log(["0 start 6a", "20 handshake 6a", "40 failed"]);
}

/// Two lanes: IPv4 starts 300 ms after IPv6, and each lane is sequential.
#[test]
fn rfc6555_runs_one_attempt_per_family() {
    let mut scene = preset(Config::rfc6555(), "6a 6b 4a 4b");
    scene.at(1000).expect_log(["0 start 6a", "300 start 4a"]);
    scene.fail("4a", Refused).expect_start("4b");
    scene.at(1100).fail("6a", Refused).expect_start("6b").at(2000).expect("");
}

/// Failures in the first lane do not pull the second forward, nor do they put it off.
#[test]
fn rfc6555_counts_its_delay_from_the_first_start() {
    let mut scene = preset(Config::rfc6555(), "6a 6b 6c 4a");
    scene.at(200).fail("6a", Refused).at(260).fail("6b", Refused).at(1000);
    assert_eq!(scene.starts(), "0 6a, 200 6b, 260 6c, 300 4a");
}

/// The first lane has nothing left: the second starts then.
#[test]
fn rfc6555_does_not_wait_when_the_first_lane_has_failed() {
    let mut scene = preset(Config::rfc6555(), "6a 6b 4a 4b");
    scene.at(3).fail("6a", Refused).at(12).fail("6b", Refused).at(400);
    assert_eq!(scene.starts(), "0 6a, 10 6b, 20 4a");
    scene.at(500).fail("4a", Refused).at(1000);
    assert_eq!(scene.starts(), "0 6a, 10 6b, 20 4a, 500 4b");
    scene.fail("4b", Refused);
    assert_eq!(scene.log().last().unwrap(), "1000 failed");
}

/// The floor of 10 ms holds between the lanes too.
///
/// Proves: ATT-2
#[test]
fn rfc6555_keeps_10_ms_between_its_lanes() {
    let mut scene = preset(Config::rfc6555(), "6a 6b 4a");
    scene.at(295).fail("6a", Refused).at(1000);
    assert_eq!(scene.starts(), "0 6a, 295 6b, 305 4a");
}

/// The lane that leads is that of the first address.
#[test]
fn rfc6555_lets_the_first_address_lead() {
    let mut scene = preset(Config::rfc6555(), "4a 6a 4b");
    scene.at(1000);
    assert_eq!(scene.starts(), "0 4a, 300 6a");
    scene.fail("4a", Refused).at(1001);
    assert_eq!(scene.starts(), "0 4a, 300 6a, 1000 4b");
}

/// One family only: one lane.
#[test]
fn rfc6555_with_one_family_is_sequential() {
    let mut scene = preset(Config::rfc6555(), "6a 6b");
    scene.at(5000).fail("6a", Refused).at(9000);
    assert_eq!(scene.starts(), "0 6a, 5000 6b");
}

/// What cannot be sent takes no time in any pacing.
///
/// Proves: ATT-13
#[test]
fn local_failures_take_no_time_in_the_presets() {
    for config in [Config::sequential(), Config::rfc6555(), Config::rfc8305()] {
        let mut scene = preset(config, "6a 4a");
        scene.fail("6a", Local).at(100);
        assert_eq!(scene.starts(), "0 6a, 0 4a");
    }
}

/// Delays at their limits.
#[test]
fn rfc6555_takes_any_delay() {
    for (delay, starts) in [(Duration::ZERO, "0 6a, 10 4a"), (ms(500), "0 6a, 500 4a"), (Duration::MAX, "0 6a")] {
        let mut config = Config::rfc6555();
        config.pacing(Pacing::Rfc6555 { delay });
        let mut scene = preset(config, "6a 4a");
        scene.at(5000);
        assert_eq!(scene.starts(), starts);
    }
}

/// RFC 8305: the pacing of today, but TCP decides; the losers end before TLS starts.
#[test]
fn rfc8305_lets_the_first_tcp_connection_win() {
    let mut scene = preset(Config::rfc8305(), "6a 4a 6b");
    scene.at(280).tcp("4a").at(300).tcp("6a").at(900).expect_log([
        "0 start 6a",
        "250 start 4a",
        "280 cancel 6a",
        "280 handshake 4a",
    ]);
    scene.tls("4a").expect("won 4a");
    assert_eq!(scene.report().winner().unwrap().addr(), scene.endpoint("4a"));
}

/// A handshake that fails, or takes too long, fails the connect; nothing else starts, whatever else comes.
#[test]
fn rfc8305_fails_with_the_handshake_of_its_choice() {
    let mut scene = preset(Config::rfc8305(), "6a 4a 6b");
    scene.at(280).tcp("4a").at(400).fail("4a", Certificate);
    assert_eq!(scene.log()[3..], ["280 handshake 4a", "400 failed"]);

    let mut scene = preset(Config::rfc8305(), "6a 4a 6b");
    scene.at(20).tcp("6a").at(20_000);
    scene.expect_log(["0 start 6a", "20 handshake 6a", "10020 cancel 6a", "10020 failed"]);

    let mut scene = Scene::with(|setup| {
        setup.https().config = Config::rfc8305();
    });
    scene.answer(Aaaa, "6a").at(20).tcp("6a").at(30).answer(A, "4a").at(5000).fail("6a", Refused);
    scene.expect_log(["0 query AAAA", "0 query A", "0 start 6a", "20 handshake 6a", "5000 failed"]);
}

/// Without TLS the presets differ only in pacing.
#[test]
fn rfc8305_without_tls_is_the_default() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("6a 4a").config = Config::rfc8305();
    });
    scene.at(270).tcp("6a").expect_log(["0 start 6a", "250 start 4a", "270 cancel 4a", "270 won 6a"]);
}
