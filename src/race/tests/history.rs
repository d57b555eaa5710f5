//! What a race makes of what earlier ones have learned, and what it leaves to later ones.

use super::notation::ms;
use super::scene::Scene;
use super::setup::Setup;
use crate::config::{Config, Pacing};
use crate::report::FailureKind;
use crate::resolve::QueryKind::{A, Aaaa};

fn scene(change: impl FnOnce(&mut Setup)) -> Scene {
    let mut scene = Scene::with(change);
    scene.expect("query AAAA, query A");
    scene
}

/// Proves: HIS-6
#[test]
fn what_leads_nowhere_goes_last_behind_what_has_no_route_and_costs_nothing() {
    let mut scene = scene(|setup| {
        setup.unreachable("6a 4a");
        setup.routeless = "6b".into();
    });
    scene.answer(A, "4a 4b").answer(Aaaa, "6a 6b 6c").expect("start 6c").at(250).expect("start 4b");
    scene.at(500).expect("start 6b").no_route("6b").expect("start 6a").at(750).expect("start 4a");
}

/// A family that leads nowhere leaves the other's order alone, and is still tried.
#[test]
fn a_family_that_leads_nowhere_goes_last() {
    let mut scene = scene(|setup| {
        setup.unreachable("6a 6b");
    });
    scene.answer(A, "4a 4b").answer(Aaaa, "6a 6b").expect("start 4a").at(250).expect("start 4b");
    scene.at(500).expect("start 6a").at(750).expect("start 6b");
}

/// A service that leads nowhere would be paid for by each connect, however good the others are.
///
/// Proves: HIS-6
#[test]
fn a_group_that_leads_nowhere_goes_behind_the_others() {
    let mut scene = Scene::with(|setup| {
        setup.records().unreachable("6a 4a 6b");
    });
    scene.answer(Aaaa, "6b").answer(A, "4b").services("1 s1.test hints=6a,4a; 2 s2.test hints=6c");
    scene.at(1250);
    assert_eq!(scene.starts(), "0 6c, 250 4b, 500 6a, 750 4a, 1000 6b");
}

/// Its answer may come first. It is worth to wait for the other, but not for long.
#[test]
fn what_leads_nowhere_gives_the_other_family_the_resolution_delay() {
    let six_leads_nowhere = || {
        let mut scene = scene(|setup| {
            setup.unreachable("6a");
        });
        scene.at(10).answer(Aaaa, "6a").expect("").at(30);
        scene
    };
    six_leads_nowhere().answer(A, "4a").expect("start 4a").at(280).expect("start 6a");
    six_leads_nowhere().nodata(A).expect("start 6a");
    six_leads_nowhere().expect_idle_until(60).expect("start 6a").at(70).answer(A, "4a").at(310).expect("start 4a");
}

/// Addresses that a resolver has put in order keep it, but for what leads nowhere.
#[test]
fn of_ordered_addresses_only_those_that_lead_nowhere_move() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("4a 4b 4c").unreachable("4a").rtt("4c", 1);
    });
    scene.expect("start 4b").at(250).expect("start 4c").at(350).expect("start 4a");
}

/// Proves: HIS-1
#[test]
fn the_nearer_of_equal_addresses_goes_first() {
    let mut scene = scene(|setup| {
        setup.rtt("6a", 90).rtt("6b", 20);
    });
    scene.answer(A, "").answer(Aaaa, "6a 6b").expect("start 6b");
}

/// Proves: HIS-1
#[test]
fn an_address_that_was_used_before_goes_before_one_that_was_not() {
    let mut scene = scene(|setup| {
        setup.rtt("6b", 90);
    });
    scene.answer(A, "").answer(Aaaa, "6a 6b 6c").expect("start 6b").at(270).expect("start 6a");
}

#[test]
fn a_round_trip_time_moves_no_family_before_the_other() {
    let mut scene = scene(|setup| {
        setup.rtt("6a", 300).rtt("4a", 5);
    });
    scene.answer(A, "4a").answer(Aaaa, "6a").expect("start 6a");
}

/// The time after which a SYN would be sent again is SRTT + 4 RTTVAR, three times the only sample.
///
/// Proves: ATT-4
#[test]
fn the_attempt_delay_follows_the_round_trip_time_of_the_last_start() {
    for (rtt, delay) in [(1, 100), (33, 100), (50, 150), (200, 600), (700, 2000), (60_000, 2000)] {
        let mut scene = Scene::with(|setup| {
            setup.fixed("6a 4a 6b").rtt("6a", rtt);
        });
        scene.expect("start 6a").expect_idle_until(delay).expect("start 4a");
        // Of this one nothing is known.
        scene.expect_idle_until(delay + 250).expect("start 6b");
    }
}

/// Proves: ATT-4
#[test]
fn the_attempt_delay_stays_within_the_bounds_that_were_set() {
    let bounded = |min, max| {
        Scene::with(|setup| {
            setup.config.min_attempt_delay(ms(min)).max_attempt_delay(ms(max));
            setup.fixed("6a 4a").rtt("6a", 100);
        })
    };
    bounded(400, 2000).expect("start 6a").expect_idle_until(400).expect("start 4a");
    bounded(10, 200).expect("start 6a").expect_idle_until(200).expect("start 4a");
    bounded(10, 2000).expect("start 6a").expect_idle_until(300).expect("start 4a");
}

/// Losers that were through teach as winners do.
///
/// Proves: HIS-5
#[test]
fn every_handshake_that_was_seen_is_learned_from() {
    let mut scene = Scene::https();
    scene.expect("query AAAA, query A").answer(A, "4a").answer(Aaaa, "6a").expect("start 6a");
    scene.at(250).expect("start 4a").at(260).tcp_rtt("4a", 10).tcp_rtt("6a", 260).tls("4a");
    scene.expect("handshake 4a, handshake 6a, cancel 6a, won 4a");
    assert_eq!(scene.lessons, ["6a reached in 260", "4a reached in 10"]);
}

/// One answer says more of a family, and of a host with several ports, than the silence beside it.
#[test]
fn what_was_reached_is_learned_last() {
    let mut scene = Scene::https();
    scene.expect("query AAAA, query A").answer(Aaaa, "6a 6b").nodata(A).expect("start 6a");
    scene.at(240).tcp("6a").expect("handshake 6a").at(490).expect("start 6b").at(800).tls("6a");
    assert_eq!(scene.lessons, ["6b silent", "6a reached"]);
}

/// Proves: HIS-6
#[test]
fn what_did_not_answer_within_an_attempt_delay_of_a_win_is_silent() {
    for (won_at, lessons) in [(250, &["6a silent", "4a reached"][..]), (499, &["6a silent", "4a reached"])] {
        let mut scene = scene(|_| {});
        scene.answer(A, "4a").answer(Aaaa, "6a").at(250).at(won_at).tcp("4a");
        assert_eq!(scene.lessons, lessons);
    }
    let mut scene = Scene::over("6a 4a");
    scene.fail("6a", FailureKind::Closed).at(10).at(12).tcp("4a");
    assert_eq!(scene.lessons, ["4a reached"], "it was not silent");
}

#[test]
fn a_loser_that_had_no_time_to_answer_is_not_judged() {
    let mut scene = Scene::over("6a 4a 6b");
    scene.expect("start 6a").at(250).expect("start 4a").at(500).expect("start 6b");
    scene.at(510).tcp("4a").expect("cancel 6a, cancel 6b, won 4a");
    assert_eq!(scene.lessons, ["6a silent", "4a reached"]);
}

/// Three round trips are what a far host may take.
#[test]
fn a_far_host_is_given_the_time_it_is_known_to_take() {
    for (won_at, judged) in [(2390, false), (2401, true)] {
        let mut scene = Scene::with(|setup| {
            setup.fixed("6a 4a").rtt("6a", 800);
        });
        scene.expect("start 6a").at(2000).expect("start 4a").at(won_at).tcp("4a");
        assert_eq!(scene.lessons.contains(&"6a silent".to_owned()), judged, "{:?}", scene.lessons);
    }
}

/// A network may be far from everything. Who had less time than the winner took is not judged by it.
///
/// Proves: HIS-6
#[test]
fn a_far_winner_tells_how_far_others_may_be() {
    let mut scene = Scene::over("6a 4a");
    scene.expect("start 6a").at(250).expect("start 4a").at(600).tcp("6a");
    assert_eq!(scene.lessons, ["6a reached"], "4a had 350 ms, and the winner took 600");
    let mut scene = Scene::over("6a 4a 6b");
    scene.expect("start 6a").at(250).expect("start 4a").at(500).expect("start 6b").at(800).tcp("4a");
    assert_eq!(scene.lessons, ["6a silent", "4a reached"], "6b had 300 ms, and the winner took 550");
}

/// Without a winner it may as well be this host that has no network.
#[test]
fn silence_says_nothing_where_nobody_wins() {
    let mut scene = Scene::with(|setup| {
        setup.config.connect_timeout(Some(ms(1000)));
        setup.fixed("6a 4a 4b");
    });
    scene.at(250).at(260).fail("4a", FailureKind::Unreachable).at(510).fail("4b", FailureKind::Refused).at(1000);
    assert_eq!(scene.lessons, ["4a unreachable", "4b reached"]);
}

/// Proves: HIS-6
#[test]
fn what_a_router_says_is_learned_at_once() {
    let mut scene = Scene::over("6a 4a");
    scene.fail("6a", FailureKind::Unreachable).at(10).at(12).tcp("4a");
    assert_eq!(scene.lessons, ["6a unreachable", "4a reached"]);
    let mut scene = Scene::over("6a 4a");
    scene.fail("6a", FailureKind::Local).tcp("4a");
    assert_eq!(scene.lessons, ["4a reached"], "it says something of this host");
}

#[test]
fn one_address_alone_teaches_nothing() {
    let mut scene = Scene::over("6a");
    scene.tcp("6a");
    assert!(scene.lessons.is_empty() && scene.probes.is_empty());
}

#[test]
fn where_something_is_known_one_address_alone_counts_too() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("6a").unreachable("4a");
    });
    scene.tcp("6a");
    assert_eq!((scene.lessons, scene.probes), (vec!["6a reached".into()], vec!["6a".into()]));
}

#[test]
fn without_history_nothing_is_learned_and_every_delay_is_the_usual() {
    let mut scene = Scene::with(|setup| {
        setup.config.use_history(false);
        setup.fixed("6a 4a");
    });
    scene.at(250).at(300).tcp("4a");
    assert!(scene.lessons.is_empty());
    for (mut preset, pacing) in
        [(Config::sequential(), Pacing::Sequential), (Config::rfc6555(), Pacing::Rfc6555 { delay: ms(300) })]
    {
        let mut scene = Scene::with(|setup| {
            setup.config = preset.pacing(pacing).clone();
            setup.fixed("6a 4a");
        });
        scene.at(300).fail("6a", FailureKind::Unreachable).at(310).at(700).tcp("4a");
        assert!(scene.lessons.is_empty(), "{pacing:?}");
    }
}
