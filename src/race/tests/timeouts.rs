//! The timeouts, each with its own end: connect, DNS, TLS, attempt.

use std::time::Duration;

use super::notation::ms;
use super::scene::Scene;
use crate::error::Error;
use crate::report::FailureKind::{self, Refused, TimedOut};
use crate::report::{AttemptOutcome, Stage};
use crate::resolve::QueryKind::{A, Aaaa};
use crate::resolve::ResolveErrorKind;

fn failure_kind(outcome: &AttemptOutcome) -> FailureKind {
    match outcome {
        AttemptOutcome::Failed(failure) => failure.kind(),
        outcome => panic!("{outcome:?}"),
    }
}

/// DNS and race share one time, which is not divided among addresses.
///
/// Proves: ATT-15
#[test]
fn the_connect_timeout_covers_dns_and_race() {
    let mut scene = Scene::with(|setup| {
        setup.config.connect_timeout(Some(ms(1000)));
    });
    scene.at(600).answer(Aaaa, "6a").at(2000);
    scene.expect_log(["0 query AAAA", "0 query A", "600 start 6a", "1000 cancel 6a", "1000 timed out"]);

    let mut scene = Scene::with(|setup| {
        setup.config.connect_timeout(Some(ms(1000)));
    });
    scene.at(2000).expect_log(["0 query AAAA", "0 query A", "1000 timed out"]);
}

/// A TLS handshake is covered as well.
///
/// Proves: ATT-15
#[test]
fn the_connect_timeout_covers_tls() {
    let mut scene = Scene::with(|setup| {
        setup.https().fixed("6a");
        setup.config.connect_timeout(Some(ms(700)));
    });
    scene.at(100).tcp("6a").at(800);
    scene.expect_log(["0 start 6a", "100 handshake 6a", "700 cancel 6a", "700 timed out"]);
    assert!(matches!(scene.report().attempts()[0].outcome(), AttemptOutcome::Cancelled));
}

/// The kernel may resend SYNs for as long as it likes: no timeout cuts an attempt unless one is set.
///
/// Proves: ATT-15, ATT-9
#[test]
fn no_timeout_is_put_on_one_address() {
    let mut scene = Scene::over("6a 4a");
    scene.at(29_999).tcp("6a");
    assert_eq!(scene.log().last().unwrap(), "29999 won 6a");
}

/// Timeouts that are off, and timeouts too long for any clock.
#[test]
fn a_timeout_that_is_off_never_comes() {
    for timeout in [None, Some(Duration::MAX)] {
        let mut scene = Scene::with(|setup| {
            setup.https();
            let config = &mut setup.config;
            config.connect_timeout(timeout).dns_timeout(timeout).tls_timeout(timeout).attempt_timeout(timeout);
        });
        assert_eq!(scene.wait(), None);
        scene.at(1_000_000).answer(Aaaa, "6a").at(2_000_000).tcp("6a").at(3_000_000);
        assert_eq!(scene.wait(), None);
        scene.tls("6a");
        assert_eq!(scene.log().last().unwrap(), "3000000 won 6a");
    }
}

/// Each lookup has 5 s; what has not come by then has failed.
///
/// Proves: TRG-10
#[test]
fn lookups_without_an_answer_end_in_a_dns_timeout() {
    let mut scene = Scene::new();
    scene.expect("query AAAA, query A").expect_idle_until(5000).expect("failed");
    let report = scene.report();
    for query in report.queries() {
        assert_eq!(query.end(), Some(ms(5000)));
        assert_eq!(query.result().unwrap().unwrap_err().kind(), ResolveErrorKind::Timeout);
    }
    let error = Error::from_race(report);
    assert!(error.is_dns() && error.is_timeout(), "{error}");
}

/// The time of a lookup counts from when it was asked: the second name of a search list has its own.
#[test]
fn every_lookup_has_its_own_time() {
    let mut scene = Scene::with(|setup| {
        setup.environment.names = crate::resolve::Names::Ask(vec!["a.test".into(), "b.test".into()]);
        setup.config.dns_timeout(Some(ms(300)));
    });
    scene.at(200).nxdomain(Aaaa).nxdomain(A).at(499);
    assert_eq!(scene.log().len(), 4);
    scene.at(500);
    assert_eq!(scene.log().last().unwrap(), "500 failed");
}

/// TLS has its time from the finished TCP handshake; then the race goes on.
#[test]
fn a_handshake_that_takes_too_long_fails_and_the_next_starts() {
    let mut scene = Scene::with(|setup| {
        setup.https().fixed("6a 4a");
        setup.config.tls_timeout(Some(ms(60)));
    });
    scene.at(100).tcp_rtt("6a", 100).at(1000);
    scene.expect_log(["0 start 6a", "100 handshake 6a", "160 cancel 6a", "160 start 4a"]);
    let report = scene.report();
    assert_eq!((failure_kind(report.attempts()[0].outcome()), report.attempts()[0].stage()), (TimedOut, Stage::Tls));
    assert_eq!(report.attempts()[0].end(), Some(ms(160)));
}

/// The default is 10 s.
#[test]
fn the_default_for_tls_is_ten_seconds() {
    let mut scene = Scene::with(|setup| {
        setup.https().fixed("6a");
    });
    scene.at(40).tcp("6a").at(11_000).expect_log(["0 start 6a", "40 handshake 6a", "10040 cancel 6a", "10040 failed"]);
}

/// One endpoint may be given a time of its own, TCP and TLS together.
#[test]
fn an_attempt_timeout_covers_tcp_and_tls_of_one_endpoint() {
    let with_timeout = || {
        Scene::with(|setup| {
            setup.https().fixed("6a 4a");
            setup.config.attempt_timeout(Some(ms(400)));
        })
    };
    let mut scene = with_timeout();
    scene.at(2000);
    let silent = ["0 start 6a", "250 start 4a", "400 cancel 6a", "650 cancel 4a", "650 failed"];
    scene.expect_log(silent);
    let error = Error::from_race(scene.report());
    assert!(error.is_timeout() && error.is_connect(), "{error}");
    assert!(error.to_string().contains("tcp timed out: the attempt timeout ran out"), "{error}");

    let mut scene = with_timeout();
    scene.at(300).tcp("6a").at(2000);
    assert_eq!(scene.log()[3], "400 cancel 6a");
    let error = Error::from_race(scene.report());
    assert!(error.is_timeout() && error.is_tls(), "{error}");
    assert!(error.to_string().contains("tls timed out: the attempt timeout ran out"), "{error}");
}

/// Of TLS timeout and attempt timeout the earlier one counts.
#[test]
fn the_earlier_of_two_timeouts_counts() {
    for (attempt, tls, end) in [(150, 100, 150), (300, 100, 200)] {
        let mut scene = Scene::with(|setup| {
            setup.https().fixed("6a");
            setup.config.attempt_timeout(Some(ms(attempt))).tls_timeout(Some(ms(tls)));
        });
        scene.at(100).tcp("6a").at(1000);
        assert_eq!(scene.log().last().unwrap(), &format!("{end} failed"));
    }
}

/// A timeout shorter than the delay: it is a failure as any other, so the next starts then.
///
/// Proves: ATT-7
#[test]
fn an_attempt_that_times_out_starts_the_next() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("6a 4a");
        setup.config.attempt_timeout(Some(ms(120)));
    });
    scene.at(1000).expect_log(["0 start 6a", "120 cancel 6a", "120 start 4a", "240 cancel 4a", "240 failed"]);
}

/// Timeouts of zero fail what they cover and never panic.
#[test]
fn timeouts_of_zero_end_at_once() {
    let mut scene = Scene::with(|setup| {
        setup.config.connect_timeout(Some(Duration::ZERO));
    });
    scene.expect("timed out");
    let mut scene = Scene::with(|setup| {
        setup.config.dns_timeout(Some(Duration::ZERO));
    });
    scene.expect("query AAAA, query A, failed");
    let mut scene = Scene::with(|setup| {
        setup.fixed("6a 4a");
        setup.config.attempt_timeout(Some(Duration::ZERO));
    });
    scene.at(100).expect_log(["0 start 6a", "0 cancel 6a", "10 start 4a", "10 cancel 4a", "10 failed"]);
    let mut scene = Scene::with(|setup| {
        setup.https().fixed("6a 4a");
        setup.config.tls_timeout(Some(Duration::ZERO));
    });
    scene.at(40).tcp("6a").at(45).fail("4a", Refused);
    assert_eq!(scene.log().last().unwrap(), "45 failed");
}

/// The same error names what ran out: the connect timeout is not an attempt's.
#[test]
fn the_connect_timeout_has_an_error_of_its_own() {
    let mut scene = Scene::over("6a");
    scene.at(30_000);
    let error = Error::timed_out(scene.report());
    assert!(error.is_timeout() && !error.is_connect() && !error.is_dns());
    assert!(error.to_string().contains("host.test:80 after 30000.0 ms"), "{error}");
    assert!(error.to_string().contains("[2001:db8::1]:80 tcp without an answer (30000.0 ms)"), "{error}");
}
