//! Answers that change while the race runs: v3 draft section 7.

use super::scene::Scene;
use crate::report::FailureKind::Refused;
use crate::resolve::QueryKind::{A, Aaaa};

/// An answer without 6a: the attempt that runs may still win.
///
/// Proves: CHG-1
#[test]
fn a_removed_endpoint_whose_attempt_runs_goes_on() {
    let mut scene = Scene::new();
    scene.at(10).answer(Aaaa, "6a 6b").at(100).answer(Aaaa, "6b").at(150).nodata(Aaaa).at(200).tcp("6a");
    scene.expect_log(["0 query AAAA", "0 query A", "10 start 6a", "200 won 6a"]);
}

/// An answer without 6b: it never starts.
///
/// Proves: CHG-2
#[test]
fn a_removed_endpoint_that_has_not_started_never_does() {
    let mut scene = Scene::new();
    scene.at(10).answer(Aaaa, "6a 6b 6c").at(100).answer(Aaaa, "6a 6c").at(3000);
    assert_eq!(scene.starts(), "10 6a, 260 6c");
}

/// A comes while 6a runs: 4a goes ahead of 6b, as the whole list is sorted anew, started ones included.
///
/// Proves: CHG-3
#[test]
fn a_new_endpoint_is_sorted_among_all_and_the_next_unstarted_is_taken() {
    let mut scene = Scene::new();
    scene.at(10).answer(Aaaa, "6a 6b 6c").at(30).answer(A, "4a").at(3000);
    assert_eq!(scene.starts(), "10 6a, 260 4a, 510 6b, 760 6c");
}

/// Two IPv6 attempts have had their turn: IPv4 is next, then the families alternate again.
///
/// Proves: CHG-3
#[test]
fn a_late_family_goes_ahead_of_the_rest_of_the_other() {
    let mut scene = Scene::new();
    scene.at(10).answer(Aaaa, "6a 6b 6c 6d").at(300).answer(A, "4a 4b").at(3000);
    assert_eq!(scene.starts(), "10 6a, 260 6b, 510 4a, 760 4b, 1010 6c, 1260 6d");
}

/// An answer is no reason to move the timer.
///
/// Proves: CHG-4
#[test]
fn a_late_answer_does_not_move_the_timer() {
    let mut scene = Scene::new();
    scene.expect("query AAAA, query A").answer(Aaaa, "6a").expect_start("6a");
    scene.at(100).answer(A, "4a").expect_idle_until(250).expect_start("4a");
}

/// The timer had run out with nothing to start: what comes then starts at once.
#[test]
fn a_late_answer_after_the_timer_starts_at_once() {
    let mut scene = Scene::new();
    scene.expect("query AAAA, query A").answer(Aaaa, "6a").expect_start("6a");
    scene.at(900).answer(A, "4a").expect_start("4a");
}

/// The race is won: an answer that comes after is not used.
///
/// Proves: CHG-5
#[test]
fn an_answer_after_the_win_is_not_used() {
    let mut scene = Scene::new();
    scene.answer(Aaaa, "6a").at(20).tcp("6a").at(30).answer(A, "4a").at(1000);
    scene.expect_log(["0 query AAAA", "0 query A", "0 start 6a", "20 won 6a"]);
    assert!(scene.report().queries()[1].result().is_none());
}

/// All that was known has failed, but A is open: wait for it, and start its address when it comes.
///
/// Proves: CHG-6
#[test]
fn while_a_query_is_open_the_race_does_not_fail() {
    let mut scene = Scene::new();
    scene.expect("query AAAA, query A").answer(Aaaa, "6a").expect_start("6a").at(5).fail("6a", Refused);
    scene.at(899).expect("").at(900).answer(A, "4a").expect_start("4a");

    // AAAA itself is negative: the same.
    let mut scene = Scene::new();
    scene.expect("query AAAA, query A").at(5).nxdomain(Aaaa).expect("").at(900).answer(A, "4a").expect_start("4a");

    // And when the open query ends in nothing, so does the race.
    let mut scene = Scene::new();
    scene.answer(Aaaa, "6a").at(5).fail("6a", Refused).expect_log(["0 query AAAA", "0 query A", "0 start 6a"]);
    scene.at(900).nodata(A).expect("failed");
}

/// An answer that comes after its timeout still joins a race that goes on.
#[test]
fn an_answer_after_its_timeout_still_joins() {
    let mut scene = Scene::new();
    scene.answer(Aaaa, "6a").at(6000).expect_log(["0 query AAAA", "0 query A", "0 start 6a"]);
    scene.answer(A, "4a").expect_start("4a");
    assert!(scene.report().queries()[1].result().unwrap().is_ok());
}

/// An endpoint that comes again has had its turn.
///
/// Proves: ILV-5
#[test]
fn an_endpoint_that_comes_back_does_not_start_twice() {
    let mut scene = Scene::new();
    scene.answer(Aaaa, "6a").at(5).fail("6a", Refused).at(10).nodata(Aaaa).at(20).answer(Aaaa, "6a 6b").at(300);
    assert_eq!(scene.starts(), "0 6a, 20 6b");
}
