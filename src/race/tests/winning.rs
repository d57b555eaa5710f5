//! The end of a race.

use super::notation::failure;
use super::scene::Scene;
use crate::race::{AttemptId, Input, Outcome, QueryId};
use crate::report::AttemptOutcome;
use crate::report::FailureKind::Refused;
use crate::resolve::Answer;
use crate::resolve::QueryKind::{A, Aaaa};

/// Without TLS the first TCP handshake wins.
///
/// Proves: TLS-1, ATT-10
#[test]
fn without_tls_the_first_tcp_handshake_wins() {
    let mut scene = Scene::over("6a 4a 6b");
    scene.at(280).tcp("4a").expect_log(["0 start 6a", "250 start 4a", "280 cancel 6a", "280 won 4a"]);
    let report = scene.at(9000).report();
    assert_eq!(report.winner().unwrap().addr(), scene.endpoint("4a"));
    assert!(matches!(report.attempts()[0].outcome(), AttemptOutcome::Cancelled));
    assert_eq!(report.attempts().len(), 2, "what had not started is not told");
    assert_eq!(report.elapsed().as_millis(), 280);
}

/// Two complete in the same instant: one wins, the other is dropped without a byte.
///
/// Proves: ATT-11
#[test]
fn of_two_that_complete_together_one_wins() {
    let mut scene = Scene::over("6a 4a");
    scene.at(300).tcp("6a").tcp("4a").expect_log(["0 start 6a", "250 start 4a", "300 cancel 4a", "300 won 6a"]);

    let mut scene = Scene::with(|setup| {
        setup.https().fixed("6a 4a");
    });
    scene.at(300).tcp("4a").tcp("6a").at(400).tls("4a").tls("6a");
    let log = scene.log();
    assert_eq!(log[log.len() - 2..], ["400 cancel 6a", "400 won 4a"]);
}

/// Whatever happens after the end is ignored, and every poll tells the same end.
#[test]
fn after_the_end_nothing_changes() {
    type Script = fn(&mut Scene);
    let scripts: [(Script, Outcome); 3] = [
        (|scene| _ = scene.at(20).tcp("6a"), Outcome::Won(AttemptId(0))),
        (|scene| _ = scene.at(20).fail("6a", Refused).nodata(A), Outcome::Failed),
        (|scene| _ = scene.at(30_000), Outcome::TimedOut),
    ];
    for (script, outcome) in scripts {
        let mut scene = Scene::new();
        script(scene.at(10).answer(Aaaa, "6a"));
        assert_eq!(scene.outcome, Some(outcome));
        let (log, report) = (scene.log(), format!("{:?}", scene.report()));
        let id = AttemptId(0);
        scene
            .answer(A, "4a 4b")
            .fail("6a", Refused)
            .tcp("6a")
            .tls("6a")
            .input(Input::Probed(Vec::new()))
            .input(Input::Answer { id: QueryId(99), result: Ok(Answer::default()) })
            .input(Input::Failed { id: AttemptId(99), failure: failure(Refused) })
            .input(Input::Progress { id, rtt: None })
            .at(90_000);
        assert_eq!(scene.log(), log);
        assert_eq!(format!("{:?}", scene.report()), report);
    }
}

/// The race says what to drop before it says that it is over.
///
/// Proves: ATT-10
#[test]
fn the_losers_are_cancelled_before_done() {
    let mut scene = Scene::over("6a 4a 6b 4b");
    scene.at(760).tcp("6b");
    let log = scene.log();
    assert_eq!(log[4..], ["760 cancel 6a", "760 cancel 4a", "760 cancel 4b", "760 won 6b"]);
}
