//! A bound on the attempts of all races together: each of this one needs a permit.

use super::notation::ms;
use super::scene::Scene;
use crate::report::AttemptOutcome;
use crate::report::FailureKind::{Refused, TimedOut};
use crate::resolve::QueryKind::{A, Aaaa};

fn bounded(names: &str) -> Scene {
    Scene::with(|setup| {
        setup.fixed(names).bounded();
    })
}

/// An attempt begins with its permit, and so do the delay to the next one and its time in the report.
#[test]
fn an_attempt_starts_when_its_permit_comes() {
    let mut scene = bounded("6a 4a");
    scene.expect("permit").at(400).expect("").permit().expect("start 6a");
    scene.at(649).expect("").at(650).expect("permit").permit().expect("start 4a");
    scene.at(660).tcp("4a").expect("cancel 6a, won 4a");
    let report = scene.report();
    let starts: Vec<_> = report.attempts().iter().map(|attempt| attempt.start()).collect();
    assert_eq!(starts, [ms(400), ms(650)]);
}

/// The attempt timeout begins with the attempt, the connect timeout does not.
#[test]
fn of_the_timeouts_only_that_of_the_connect_runs_while_a_permit_is_waited_for() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("6a").bounded();
        setup.config.attempt_timeout(Some(ms(500))).connect_timeout(Some(ms(1000)));
    });
    scene.at(700).permit().at(999).expect_log(["0 permit", "700 start 6a"]).at(1000).expect("cancel 6a, timed out");

    let mut scene = Scene::with(|setup| {
        setup.fixed("6a").bounded();
        setup.config.attempt_timeout(Some(ms(500))).connect_timeout(Some(ms(1000)));
    });
    scene.at(1000).expect_log(["0 permit", "1000 timed out"]);
    assert!(scene.report().attempts().is_empty());
}

/// What is tried is what is best when the permit comes.
#[test]
fn an_answer_that_comes_while_a_permit_is_waited_for_counts() {
    let mut scene = Scene::with(|setup| {
        setup.bounded();
    });
    scene.expect("query AAAA, query A").answer(A, "4a").at(50).expect("permit");
    scene.at(300).answer(Aaaa, "6a").at(400).expect("").permit().expect("start 6a");
}

/// What is in flight goes on meanwhile, and may win.
#[test]
fn an_attempt_in_flight_wins_while_a_permit_is_waited_for() {
    let mut scene = bounded("6a 4a");
    scene.permit().at(600).tcp("6a").expect_log(["0 permit", "0 start 6a", "250 permit", "600 won 6a"]);
}

/// No permit is kept for later: others may be waiting for it.
#[test]
fn a_permit_that_nothing_starts_with_lapses() {
    let mut scene = Scene::with(|setup| {
        setup.https().fixed("6a 4a").bounded();
    });
    scene.permit().at(260).tcp("6a").at(265).permit().at(359).expect_log([
        "0 permit",
        "0 start 6a",
        "250 permit",
        "260 handshake 6a",
    ]);
    // TLS has until 100 ms after 260.
    scene.at(510).expect_log(["0 permit", "0 start 6a", "250 permit", "260 handshake 6a", "510 permit"]);
}

/// A race must not wait for itself: where its own attempts have all the permits, the oldest gives way once the next start
/// has been put off to the maximum delay.
#[test]
fn the_oldest_attempt_gives_way_after_the_maximum_delay() {
    let mut scene = bounded("6a 4a 6b");
    scene.permit().at(29_999).expect_log([
        "0 permit",
        "0 start 6a",
        "250 permit",
        "2000 cancel 6a",
        "2000 start 4a",
        "2250 permit",
        "4000 cancel 4a",
        "4000 start 6b",
    ]);
    let report = scene.report();
    for attempt in &report.attempts()[..2] {
        let AttemptOutcome::Failed(failure) = attempt.outcome() else { panic!("{report}") };
        assert_eq!(failure.kind(), TimedOut);
        assert_eq!(failure.to_string(), "it gave way, as no more attempts may be in flight");
    }
}

/// It has waited before the last one started, so nothing gives way until that has had its time.
#[test]
fn an_attempt_gives_way_only_when_the_last_one_has_had_its_time() {
    let mut scene = bounded("6a 4a 6b");
    scene.permit().at(1900).permit().at(3899).expect_log([
        "0 permit",
        "0 start 6a",
        "250 permit",
        "1900 start 4a",
        "2150 permit",
    ]);
    scene.at(3900).expect("cancel 6a, start 6b");
}

/// The permit of an attempt whose own time is up serves the next one as well.
#[test]
fn an_attempt_that_times_out_hands_its_permit_on() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("6a 4a").bounded();
        setup.config.attempt_timeout(Some(ms(700)));
    });
    scene.permit().at(700).expect_log(["0 permit", "0 start 6a", "250 permit", "700 cancel 6a", "700 start 4a"]);
}

/// A failure ends the race only when nobody waits for a permit.
#[test]
fn a_race_that_waits_for_a_permit_is_not_over() {
    let mut scene = bounded("6a 4a");
    scene.permit().at(300).fail("6a", Refused).at(5000).expect_log(["0 permit", "0 start 6a", "250 permit"]);
    scene.permit().expect("start 4a").fail("4a", Refused).expect("failed");
}

/// So does one whose handshake the records forbid: otherwise the race would wait for a permit that nobody owes it.
#[test]
fn an_attempt_that_may_not_shake_hands_hands_its_permit_on() {
    let mut scene = Scene::with(|setup| {
        setup.ech().bounded();
    });
    scene.expect("query HTTPS, query AAAA, query A").answer(Aaaa, "6a").answer(A, "4a").at(50).expect("permit");
    scene.permit().expect("start 6a").at(300).expect("permit").services("1 svc.test. ech=one");
    scene.expect("query AAAA svc.test., query A svc.test.").answer_of("svc.test.", Aaaa, "6b").at(320).tcp("6a");
    scene.expect("cancel 6a, start 6b");
}

/// And one that is given up as the choice has fallen: what was chosen may have to be tried once more.
#[test]
fn an_attempt_that_is_given_up_leaves_no_permit_to_wait_for() {
    let mut scene = Scene::with(|setup| {
        setup.ech().bounded();
        setup.config.race_tls(false);
    });
    scene.services("1 . ech=one").answer(Aaaa, "6a 6b").answer(A, "4a").permit().at(250).permit().at(510).expect_log([
        "0 query HTTPS",
        "0 query AAAA",
        "0 query A",
        "0 permit",
        "0 start 6a",
        "250 permit",
        "250 start 4a",
        "500 permit",
    ]);
    scene.tcp("6a").expect("cancel 4a, handshake 6a by one").at(600).reject("6a", Some("two")).expect("permit");
    scene.permit().expect("start 6a").at(620).tcp("6a").expect("handshake 6a by two");
}

/// It gives way to what is due, not to what has yet to wait for a better answer.
#[test]
fn nothing_gives_way_to_an_attempt_that_is_not_due() {
    let mut scene = Scene::with(|setup| {
        setup.bounded().unreachable("6c");
        setup.config.resolution_delay(ms(5000));
    });
    scene.answer(Aaaa, "6a 6b").permit().at(1000).answer(Aaaa, "6a 6c").at(5000).expect_log([
        "0 query AAAA",
        "0 query A",
        "0 permit",
        "0 start 6a",
        "250 permit",
        "5000 cancel 6a",
        "5000 start 6c",
    ]);
}

/// It was not given the time that the winner needed, so nothing is known of its address.
#[test]
fn an_attempt_that_gave_way_early_was_not_silent() {
    for (won, lessons) in [(4100, ["4a reached"].as_slice()), (3900, &["6a silent", "4a reached"])] {
        let mut scene = bounded("6a 4a");
        scene.permit().at(won).tcp("4a");
        assert_eq!(scene.lessons, lessons);
    }
}
