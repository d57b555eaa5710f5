//! The Connection Attempt Delay and its bounds: RFC 8305 section 5, v3 draft section 6.

use std::time::Duration;

use super::notation::{ms, numbered};
use super::scene::Scene;
use crate::report::FailureKind::{Local, Refused};

fn with_delays(names: &'static str, delay: u64, min: Option<u64>, max: Option<u64>) -> Scene {
    Scene::with(|setup| {
        setup.fixed(names);
        setup.config.attempt_delay(ms(delay));
        if let Some(min) = min {
            setup.config.min_attempt_delay(ms(min));
        }
        if let Some(max) = max {
            setup.config.max_attempt_delay(ms(max));
        }
    })
}

/// Everything is silent: one start per delay, in the interleaved order, and no attempt is disturbed.
///
/// Proves: ATT-1, ATT-9
#[test]
fn one_attempt_starts_per_delay() {
    let mut scene = Scene::over("6a 6b 6c 4a 4b");
    scene.at(20_000).expect_log(["0 start 6a", "250 start 4a", "500 start 6b", "750 start 4b", "1000 start 6c"]);
}

/// The delay is no timeout: a host with a round trip of 600 ms is reached at its first address.
///
/// Proves: ATT-9
#[test]
fn the_delay_never_ends_an_attempt() {
    let mut scene = Scene::over("6a 4a");
    scene.at(600).tcp("6a").expect_log(["0 start 6a", "250 start 4a", "600 cancel 4a", "600 won 6a"]);
}

/// The list is at its end: no timer is left but the connect timeout.
///
/// Proves: ATT-9, ATT-15
#[test]
fn at_the_end_of_the_list_only_the_connect_timeout_is_left() {
    let mut scene = Scene::over("6a 4a");
    scene.at(260).expect_log(["0 start 6a", "250 start 4a"]);
    assert_eq!(scene.wait(), Some(30_000));
    scene.at(29_999).expect("").at(30_000).expect("cancel 6a, cancel 4a, timed out");
}

/// The delay stays within its bounds: 100 ms and 2 s unless set otherwise.
///
/// Proves: ATT-3
#[test]
fn the_delay_is_clamped_to_its_bounds() {
    for (delay, min, max, expected) in [
        (5, None, None, 100),
        (99, None, None, 100),
        (3000, None, None, 2000),
        (2001, None, None, 2000),
        (60, Some(50), None, 60),
        (40, Some(50), None, 50),
        (3000, None, Some(2500), 2500),
        (300, None, Some(200), 200),
        // A maximum below the minimum counts as the minimum.
        (150, None, Some(20), 100),
        (150, Some(400), Some(20), 400),
    ] {
        let mut scene = with_delays("6a 4a", delay, min, max);
        scene.at(3000);
        assert_eq!(scene.starts(), format!("0 6a, {expected} 4a"), "{delay} in {min:?}..{max:?}");
    }
}

/// No setting goes below 10 ms.
///
/// Proves: ATT-2
#[test]
fn no_setting_brings_two_starts_closer_than_10_ms() {
    for (delay, expected) in [(0, "0 6a, 10 4a, 20 6b"), (9, "0 6a, 10 4a, 20 6b"), (11, "0 6a, 11 4a, 22 6b")] {
        let mut scene = with_delays("6a 4a 6b", delay, Some(delay), Some(delay));
        scene.at(100);
        assert_eq!(scene.starts(), expected);
    }
}

/// Delays of any length are taken as they are: no arithmetic on them fails.
#[test]
fn delays_at_their_limits_never_panic() {
    for delay in [Duration::ZERO, Duration::MAX] {
        let mut scene = Scene::with(|setup| {
            setup.fixed("6a 4a").https();
            let config = &mut setup.config;
            config.attempt_delay(delay).min_attempt_delay(delay).max_attempt_delay(delay).resolution_delay(delay);
            config.dns_linger(delay).connect_timeout(None).tls_timeout(None);
        });
        scene.at(1).tcp_rtt("6a", 3_000_000).at(2);
        assert_eq!(scene.starts(), "0 6a");
        assert_eq!(scene.wait(), Some(if delay.is_zero() { 10 } else { 24 * 60 * 60 * 1000 }));
    }
}

/// A handshake of one attempt makes the wait after it longer than the wait after another.
///
/// Proves: ATT-5
#[test]
fn the_delay_may_differ_per_attempt() {
    let mut scene = Scene::with(|setup| {
        setup.https().fixed("6a 4a 6b");
    });
    scene.at(80).tcp_rtt("6a", 150).at(2000);
    assert_eq!(scene.starts(), "0 6a, 430 4a, 680 6b");
}

/// Six at once: the seventh waits for an end, and the oldest, slow but alive, is not the one to go.
///
/// Proves: ATT-14
#[test]
fn at_the_cap_the_race_waits_and_drops_nobody() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("6a 6b 6c 6d 6e 6f 6g 6h 6i");
        setup.config.max_concurrent_attempts(6);
    });
    scene.at(1700);
    assert_eq!(scene.starts(), "0 6a, 250 6b, 500 6c, 750 6d, 1000 6e, 1250 6f");
    scene.fail("6b", Refused).at(1750);
    assert_eq!(scene.starts(), "0 6a, 250 6b, 500 6c, 750 6d, 1000 6e, 1250 6f, 1700 6g");
    scene.at(1800).tcp("6a");
    assert_eq!(scene.log().last().unwrap(), "1800 won 6a");
}

/// The end of an attempt frees its slot, but the delay since the last start still runs.
///
/// Proves: ATT-1
#[test]
fn a_free_slot_does_not_hurry_the_timer() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("6a 6b 6c");
        setup.config.max_concurrent_attempts(2);
    });
    scene.at(260).fail("6a", Refused).at(2000);
    assert_eq!(scene.starts(), "0 6a, 250 6b, 500 6c");
}

/// A cap of 0 counts as 1.
///
/// Proves: ATT-14
#[test]
fn a_cap_of_one_makes_the_race_sequential() {
    for cap in [0, 1] {
        let mut scene = Scene::with(|setup| {
            setup.fixed("6a 4a");
            setup.config.max_concurrent_attempts(cap);
        });
        scene.at(700).fail("6a", Refused).at(701);
        assert_eq!(scene.starts(), "0 6a, 700 4a");
    }
}

/// The default cap is as high as the bound on endpoints: silent addresses never starve a good one.
#[test]
fn many_silent_addresses_do_not_starve_a_good_one() {
    let mut scene = Scene::over(&numbered(6, 1, 16));
    scene.at(15 * 250);
    assert_eq!(scene.attempts.len(), 16);
    scene.tcp("6p");
    assert_eq!(scene.log().last().unwrap(), "3750 won 6p");
}

/// 16 of each family make 32 starts, and nothing that comes late makes a 33rd.
#[test]
fn a_race_starts_at_most_32_endpoints() {
    use crate::resolve::QueryKind::{A, Aaaa};
    let mut scene = Scene::with(|setup| {
        setup.config.connect_timeout(None).min_attempt_delay(ms(10)).attempt_delay(ms(10));
    });
    scene.answer(Aaaa, &numbered(6, 1, 16)).answer(A, &numbered(4, 1, 16)).at(1000);
    assert_eq!(scene.attempts.len(), 32);
    scene.answer(A, &numbered(4, 101, 16)).at(2000);
    assert_eq!(scene.attempts.len(), 32);
    for addr in scene.attempts.clone() {
        let name = scene.name(addr);
        scene.fail(&name, Refused);
    }
    assert_eq!(scene.log().last().unwrap(), "2000 failed");
}

/// What never left this host does not count among the 32.
///
/// Proves: ATT-13
#[test]
fn local_failures_do_not_count_among_the_32() {
    use crate::resolve::QueryKind::{A, Aaaa};
    let mut scene = Scene::new();
    scene.answer(Aaaa, "6a").fail("6a", Local).answer(Aaaa, &numbered(6, 1, 16));
    for number in 2..=16 {
        let name = scene.name(scene.endpoint(&format!("6#{number}")));
        scene.fail(&name, Local);
    }
    scene.answer(A, &numbered(4, 1, 16)).at(10_000).answer(A, &numbered(4, 17, 16)).at(20_000);
    assert_eq!(scene.attempts.len(), 16 + 32);
}
