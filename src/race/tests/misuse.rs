//! Inputs that a driver should not give.

use super::notation::failure;
use super::scene::Scene;
use crate::race::{AttemptId, Input, QueryId};
use crate::report::AttemptOutcome;
use crate::report::FailureKind::{Refused, Tls};
use crate::resolve::Answer;
use crate::resolve::QueryKind::{A, Aaaa};

#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "no such attempt")]
fn an_attempt_that_was_never_started_is_a_bug_of_the_driver() {
    Scene::new().input(Input::Failed { id: AttemptId(0), failure: failure(Refused) });
}

#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "no such attempt")]
fn progress_of_nothing_is_a_bug_of_the_driver() {
    Scene::over("6a").input(Input::Progress { id: AttemptId(1), rtt: None });
}

#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "never asked")]
fn an_answer_to_nothing_is_a_bug_of_the_driver() {
    Scene::new().input(Input::Answer { id: QueryId(2), result: Ok(Answer::default()) });
}

/// Outside of debug builds what nobody asked for is ignored.
#[cfg(not(debug_assertions))]
#[test]
fn unknown_ids_are_ignored() {
    let mut scene = Scene::over("6a");
    scene.input(Input::Failed { id: AttemptId(9), failure: failure(Refused) });
    scene.input(Input::Answer { id: QueryId(9), result: Ok(Answer::default()) });
    scene.at(20).tcp("6a").expect_log(["0 start 6a", "20 won 6a"]);
}

/// What concerns an attempt that is over changes nothing: the driver may be slow to drop it.
#[test]
fn a_stale_id_is_ignored() {
    let mut scene = Scene::with(|setup| {
        setup.https().fixed("6a 4a 6b");
    });
    scene.at(3).fail("6a", Refused).at(5).tcp("6a").tls("6a").fail("6a", Refused).at(1000);
    assert_eq!(scene.starts(), "0 6a, 10 4a, 260 6b");
    let report = scene.report();
    assert!(matches!(report.attempts()[0].outcome(), AttemptOutcome::Failed(_)));
    assert_eq!((report.attempts()[0].tcp(), report.attempts()[0].end().unwrap().as_millis()), (None, 3));
}

/// TLS fails before it was let begin: that is an attempt like any other, and not one that the records ended.
#[test]
fn a_failure_of_tls_ahead_of_the_handshake_is_not_tried_again() {
    let mut scene = Scene::with(|setup| {
        setup.records().environment.protected = true;
        setup.environment.tls = true;
    });
    scene.at(5).answer(Aaaa, "6a").at(70).tcp("6a").at(72).fail("6a", Tls).at(4000);
    assert_eq!(scene.starts(), "55 6a");
}

/// TLS is up before TCP was said to be: it is a win all the same.
#[test]
fn success_without_progress_wins() {
    let mut scene = Scene::https();
    scene.answer(Aaaa, "6a").at(70).tls("6a");
    assert_eq!(scene.log().last().unwrap(), "70 won 6a");
}

/// The same answer twice is the same answer.
#[test]
fn a_repeated_answer_changes_nothing() {
    let mut scene = Scene::new();
    scene.answer(Aaaa, "6a 6b").answer(Aaaa, "6a 6b").at(20).answer(A, "4a").answer(A, "4a").at(3000);
    assert_eq!(scene.starts(), "0 6a, 250 4a, 500 6b");
}

/// However often it is polled once it is over, that is all that it says.
#[test]
fn a_race_that_is_over_says_so_for_good() {
    let mut scene = Scene::over("6a");
    scene.at(20).tcp("6a");
    for _ in 0..1100 {
        scene.fail("6a", Refused);
    }
    assert_eq!(scene.log().last().unwrap(), "20 won 6a");
}
