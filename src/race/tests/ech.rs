//! Encrypted Client Hello: who is shaken hands with by which configurations, and who is not at all (RFC 9848, RFC 9849).

use super::scene::Scene;
use super::setup::{HOST, Setup};
use crate::config::Pacing;
use crate::race::Outcome;
use crate::report::{AttemptOutcome, FailureKind};
use crate::resolve::QueryKind::{A, Aaaa, Https};
use crate::resolve::{ResolveError, ResolveErrorKind};

use FailureKind::{Refused, TimedOut, Tls};

/// The queries are out.
fn asked(change: impl FnOnce(&mut Setup)) -> Scene {
    let mut scene = Scene::with(|setup| {
        change(setup.ech());
    });
    scene.expect("query HTTPS, query AAAA, query A");
    scene
}

/// These records and addresses have come. A path takes 20 ms for each of TCP and TLS.
fn answered(records: &str, v6: &str, v4: &str) -> Scene {
    let mut scene = asked(|_| {});
    scene.services(records).answer_of(HOST, Aaaa, v6).answer_of(HOST, A, v4);
    scene
}

/// Proves: ECH-1
#[test]
fn a_handshake_is_by_the_configurations_of_its_record() {
    let mut scene = answered("1 . ech=one; 2 . port=8443 ech=two", "6a", "4a");
    scene.expect_start("6a").at(20).tcp("6a").expect("handshake 6a by one");
    scene
        .at(270)
        .expect_start("4a")
        .at(280)
        .fail("6a", Tls)
        .at(500)
        .fail("4a", Refused)
        .expect("start 6a:8443")
        .tcp("6a:8443")
        .expect("handshake 6a:8443 by two");
    scene.tls("6a:8443").expect("won 6a:8443");
    let told: Vec<_> = scene.report().attempts().iter().map(|attempt| attempt.has_ech()).collect();
    assert_eq!(told, [true; 3]);
}

/// Whoever keeps these endpoints from us would learn the name otherwise.
///
/// Proves: ECH-1
#[test]
fn where_all_records_have_ech_there_is_nothing_to_fall_back_to() {
    let mut scene = answered("1 svc.test. port=8443 ech=one", "6a", "4a");
    scene.expect("query AAAA svc.test., query A svc.test.");
    scene.answer_of("svc.test.", Aaaa, "6b").expect("start 6b:8443").at(5).nodata_of("svc.test.", A).expect("");
    scene.at(30).fail("6b:8443", Refused).expect("failed");
}

/// Proves: ECH-2
#[test]
fn where_one_record_is_without_there_is() {
    let mut scene = answered("1 . port=8443 ech=one; 2 . port=9443", "6a", "");
    scene.expect("start 6a:8443").at(10).fail("6a:8443", Refused);
    scene.expect("start 6a:9443").at(20).tcp("6a:9443").expect("handshake 6a:9443").at(30).fail("6a:9443", Tls);
    scene.expect_start("6a").tcp("6a").expect("handshake 6a").tls("6a").expect("won 6a");
}

/// Nor an alias, which is an endpoint without parameters.
///
/// Proves: ECH-1
#[test]
fn the_end_of_an_alias_is_no_fallback_either() {
    let mut scene = asked(|_| {});
    scene.services("0 svc.test.").expect("query HTTPS svc.test., query AAAA svc.test., query A svc.test.");
    scene.services("1 . port=8443 ech=one").answer_of("svc.test.", Aaaa, "6b").nodata_of("svc.test.", A);
    scene.answer_of(HOST, Aaaa, "6a").nodata_of(HOST, A).expect("start 6b:8443");
    scene.at(10).fail("6b:8443", Refused).expect("failed");
}

/// What it cannot use is as good as none, and hides nothing.
#[test]
fn configurations_of_no_use_are_none() {
    let mut scene = answered("1 . port=8443 ech=unknown", "6a", "");
    scene.expect("start 6a:8443").tcp("6a:8443").expect("handshake 6a:8443").at(10).fail("6a:8443", Tls);
    scene.expect_start("6a");
    // A record that makes them mandatory cannot be used then.
    let mut scene = answered("1 . port=8443 ech=unknown mandatory=5", "6a", "");
    scene.expect_start("6a");
}

/// Proves: ECH-5
#[test]
fn a_record_may_make_ech_mandatory() {
    let mut scene = answered("1 . port=8443 ech=one mandatory=5", "6a", "");
    scene.expect("start 6a:8443").tcp("6a:8443").expect("handshake 6a:8443 by one");
    let mut scene = asked(|setup| setup.environment.ech = None);
    scene.services("1 . port=8443 ech=one mandatory=5").answer(Aaaa, "6a").nodata(A).expect_start("6a");
}

/// Without ECH the parameter says nothing.
///
/// Proves: ECH-5
#[test]
fn who_does_without_it_does_not_heed_it() {
    let mut scene = asked(|setup| setup.environment.ech = None);
    scene.services("1 . port=8443 ech=one").answer(Aaaa, "6a").nodata(A);
    scene.expect("start 6a:8443").tcp("6a:8443").expect("handshake 6a:8443").at(10).fail("6a:8443", Tls);
    scene.expect_start("6a");
    assert!(!scene.report().attempts()[0].has_ech());
}

/// The SYN does not wait for HTTPS longer than the Resolution Delay, and TLS begins by what is known then.
///
/// Proves: ECH-3
#[test]
fn records_that_come_between_tcp_and_tls_count() {
    let mut scene = asked(|_| {});
    scene.answer(Aaaa, "6a").nodata(A).expect_idle_until(50).expect_start("6a");
    scene.at(60).services("1 . ech=one").expect("").at(90).tcp("6a").expect("handshake 6a by one");
}

/// The hello has left in clear, and nobody is told otherwise.
#[test]
fn records_that_come_after_the_hello_do_not_change_what_it_was() {
    let mut scene = asked(|_| {});
    scene.answer(Aaaa, "6a").nodata(A).at(50).expect_start("6a").at(60).tcp("6a").expect("handshake 6a");
    scene.at(70).services("1 . ech=one").expect("").at(80).tls("6a").expect("won 6a");
    assert!(!scene.report().attempts()[0].has_ech());
}

/// A hint has been dialled, and the target's own addresses have taken its place: it is no less of a record with ECH.
///
/// Proves: ECH-5
#[test]
fn an_address_that_is_replaced_keeps_the_configurations_that_it_came_with() {
    let mut scene = asked(|_| {});
    scene.services("1 svc.test. port=8443 hints=6b ech=one; 2 . port=9443").nodata_of(HOST, A);
    scene.expect("query AAAA svc.test., query A svc.test., start 6b:8443");
    scene.at(10).answer_of("svc.test.", Aaaa, "6c").nodata_of("svc.test.", A).expect("");
    scene.at(20).tcp("6b:8443").expect("handshake 6b:8443 by one");
}

/// Proves: ECH-3
#[test]
fn an_attempt_that_they_do_not_lead_to_ends_before_tls() {
    let mut scene = asked(|_| {});
    scene.answer(Aaaa, "6a").nodata(A).at(50).expect_start("6a");
    scene.at(60).services("1 . port=8443 ech=one").expect("");
    scene.at(90).tcp("6a").expect("cancel 6a, start 6a:8443").at(100).tcp("6a:8443").expect("handshake 6a:8443 by one");
    scene.tls("6a:8443").expect("won 6a:8443");
    let AttemptOutcome::Failed(failure) = scene.report().attempts()[0].outcome().clone() else { panic!() };
    assert_eq!(failure.kind(), Tls);
}

/// Proves: ECH-3, ECH-6
#[test]
fn on_protected_dns_no_hello_comes_before_the_answer() {
    let mut scene = asked(|setup| setup.environment.protected = true);
    scene.answer(Aaaa, "6a").nodata(A).at(50).expect_start("6a").at(60).tcp("6a").expect_idle_until(400);
    scene.services("1 . ech=one").expect("handshake 6a by one");
    let mut scene = asked(|setup| setup.environment.protected = true);
    scene.answer(Aaaa, "6a").nodata(A).at(50).expect_start("6a").at(60).tcp("6a").expect_idle_until(400);
    scene.services("1 . port=8443 ech=one").expect("cancel 6a, start 6a:8443");
}

/// Proves: ECH-4, ATT-2
#[test]
fn who_rejects_it_is_tried_once_more_by_what_it_gives() {
    let mut scene = answered("1 . ech=old", "6a 6b", "");
    scene.expect_start("6a").at(3).tcp("6a").expect("handshake 6a by old");
    // Ten milliseconds lie between two starts, whatever the cause.
    scene.at(6).reject("6a", Some("new")).expect_idle_until(10).expect_start("6a");
    scene.at(12).tcp("6a").expect("handshake 6a by new").at(15).tls("6a").expect("won 6a");
    assert_eq!(scene.starts(), "0 6a, 10 6a");
    let told: Vec<_> = scene.report().attempts().iter().map(|attempt| attempt.has_ech()).collect();
    assert_eq!(told, [true, true]);
}

/// Proves: ECH-4
#[test]
fn a_second_rejection_is_a_plain_failure() {
    let mut scene = answered("1 . ech=old", "6a 6b", "");
    scene.at(20).tcp("6a").at(40).reject("6a", Some("new")).at(60).tcp("6a").at(80).reject("6a", Some("newer"));
    assert_eq!(scene.starts(), "0 6a, 40 6a, 80 6b");
    scene.at(100).fail("6b", Refused);
    assert_eq!(scene.outcome, Some(Outcome::Failed));
}

/// The server has proved to be the one of the public name, so it may say so.
///
/// Proves: ECH-4
#[test]
fn who_has_turned_it_off_is_tried_once_more_without() {
    let mut scene = answered("1 . ech=old", "6a", "");
    scene.at(20).tcp("6a").at(40).reject("6a", None).at(60).tcp("6a");
    assert_eq!(scene.log().last().unwrap(), "60 handshake 6a");
    scene.tls("6a");
    let told: Vec<_> = scene.report().attempts().iter().map(|attempt| attempt.has_ech()).collect();
    assert_eq!(told, [true, false]);
}

/// It goes before endpoints that have not had their turn, and waits for room as any attempt does.
#[test]
fn the_retry_has_its_turn_at_once() {
    let mut scene = asked(|setup| _ = setup.config.max_concurrent_attempts(2));
    scene.services("1 . ech=old").answer(Aaaa, "6a 6b 6c").nodata(A).at(200).tcp("6a");
    scene.at(490).reject("6a", Some("new"));
    assert_eq!(scene.starts(), "0 6a, 450 6b, 490 6a");
    scene.at(800).fail("6b", TimedOut);
    assert_eq!(scene.starts(), "0 6a, 450 6b, 490 6a, 800 6c");
}

/// Where TLS is no part of the race too, and where the next attempt waits for the last to fail.
#[test]
fn every_way_of_racing_retries() {
    let mut scene = asked(|setup| _ = setup.config.race_tls(false));
    scene.services("1 . ech=old").answer(Aaaa, "6a 6b").nodata(A).at(20).tcp("6a");
    scene.at(40).reject("6a", Some("new")).at(60).tcp("6a").at(80).tls("6a");
    assert_eq!(
        scene.log()[3..],
        ["0 start 6a", "20 handshake 6a by old", "40 start 6a", "60 handshake 6a by new", "80 won 6a"]
    );
    let mut scene = asked(|setup| _ = setup.config.pacing(Pacing::Sequential));
    scene.services("1 . ech=old").answer(Aaaa, "6a 6b").nodata(A).at(20).tcp("6a");
    scene.at(40).reject("6a", Some("new")).at(60).fail("6a", Refused);
    assert_eq!(scene.starts(), "0 6a, 40 6a, 60 6b");
}

/// Where TLS is no part of the race, the choice has fallen with TCP, and stands for the retry.
#[test]
fn a_retry_after_the_choice_that_fails_is_the_end() {
    let mut scene = asked(|setup| _ = setup.config.race_tls(false));
    scene.services("1 . ech=old").answer(Aaaa, "6a 6b").expect_start("6a").at(20).tcp("6a");
    scene.expect("handshake 6a by old").at(40).reject("6a", Some("new")).expect_start("6a");
    // Even if the records were taken back, there would be no way back to the others.
    scene.nodata(Https).expect("").at(60).fail("6a", Refused).expect("failed");
}

fn required() -> Scene {
    let mut scene = Scene::with(|setup| {
        setup.ech_required();
    });
    scene.expect("query HTTPS, query AAAA, query A");
    scene
}

#[test]
fn where_it_is_required_nothing_begins_without() {
    let mut scene = required();
    scene.answer(Aaaa, "6a").answer(A, "4a").expect_idle_until(400);
    scene.services("1 . port=8443; 2 . port=9443 ech=one").expect("start 6a:9443");
    scene.at(420).tcp("6a:9443").expect("handshake 6a:9443 by one").at(430).reject("6a:9443", None);
    scene.expect("start 4a:9443").at(440).fail("4a:9443", Refused).expect("failed");
}

#[test]
fn where_it_is_required_and_not_to_be_had_the_end_says_so() {
    for records in ["1 . port=8443", "1 . ech=unknown"] {
        let mut scene = required();
        scene.answer(Aaaa, "6a").answer(A, "4a").services(records).expect("without ech");
    }
    let mut scene = required();
    scene.answer(Aaaa, "6a").answer(A, "4a").nodata(Https).expect("without ech");
    let mut scene = required();
    scene.nxdomain(Aaaa).nxdomain(A).expect("failed");
    for uri in ["https://host.test/", "https://[2001:db8::1]/"] {
        let mut scene = Scene::with(|setup| {
            setup.ech_required().fixed("6a").uri = uri.into();
        });
        scene.expect("without ech");
    }
}

/// The answer to HTTPS is waited for even where it usually is not: nothing can begin before it.
#[test]
fn where_it_is_required_the_records_are_waited_for() {
    let mut scene = Scene::with(|setup| {
        setup.ech_required().environment.waits_for_https = false;
    });
    scene.expect("query HTTPS, query AAAA, query A");
    scene.answer(Aaaa, "6a").nodata(A).expect_idle_until(700).services("1 . ech=one").expect_start("6a");
}

/// `http` has no TLS to hide a name in.
#[test]
fn without_tls_nothing_is_required() {
    let mut scene = Scene::with(|setup| {
        setup.ech_required().fixed("6a").environment.tls = false;
    });
    scene.expect_start("6a");
}

/// Whoever is in flight has a permit, and who ends leaves it to the next.
#[test]
fn an_attempt_that_ends_before_tls_hands_its_permit_on() {
    let mut scene = asked(|setup| _ = setup.bounded());
    scene.answer(Aaaa, "6a 6b").nodata(A).at(50).expect("permit").permit().expect_start("6a");
    scene.at(300).expect("permit").services("1 . port=8443 ech=one").expect("");
    scene.at(310).tcp("6a").expect("cancel 6a, start 6a:8443");
}

/// So do those that the choice leaves behind: the retry needs one.
#[test]
fn a_retry_after_the_choice_gets_its_permit() {
    let mut scene = asked(|setup| _ = setup.bounded().config.race_tls(false));
    scene.services("1 . ech=old").answer(Aaaa, "6a 6b 6c").nodata(A).expect("permit").permit().expect_start("6a");
    scene.at(250).expect("permit").permit().expect_start("6b").at(500).expect("permit");
    scene.at(510).tcp("6a").expect("cancel 6b, handshake 6a by old");
    scene.at(530).reject("6a", Some("new")).expect("permit").permit().expect_start("6a");
    scene.at(540).tcp("6a").expect("handshake 6a by new");
}

/// The target of a record may have the very address that was found first, and its answer come after TCP is up.
#[test]
fn an_address_that_turns_out_to_be_the_targets_is_tried_again() {
    let mut scene = asked(|_| {});
    scene.answer(Aaaa, "6a").nodata(A).at(50).expect_start("6a");
    scene.at(60).services("1 svc.test. ech=one").expect("query AAAA svc.test., query A svc.test.");
    scene.at(70).tcp("6a").expect("cancel 6a");
    scene.at(80).answer_of("svc.test.", Aaaa, "6a").nodata_of("svc.test.", A).expect_start("6a");
    scene.at(90).tcp("6a").expect("handshake 6a by one").tls("6a").expect("won 6a");
    let told: Vec<_> = scene.report().attempts().iter().map(|attempt| attempt.has_ech()).collect();
    assert_eq!(told, [false, true]);
}

/// The answer that tells of the NAT64 is none for the host.
#[test]
fn where_it_is_required_of_a_host_that_does_not_exist_that_is_the_end() {
    let mut scene = Scene::with(|setup| {
        setup.ech_required().environment.ask.v4 = false;
    });
    scene.expect("query HTTPS, query AAAA, query AAAA ipv4only.arpa.");
    scene.answer_of("ipv4only.arpa.", Aaaa, "64:ff9b::c000:aa").expect("query A").nxdomain(A).nodata(Https);
    scene.reply_of(HOST, Aaaa, Err(ResolveError::new(ResolveErrorKind::NxDomain, "none"))).expect("failed");
}

/// It comes with ECH, but may not be dialled.
#[test]
fn where_it_is_required_what_is_denied_is_not_what_is_missing() {
    let mut scene = required();
    scene.answer(Aaaa, "6a").nodata(A).services("1 . port=22 ech=one").expect("failed");
}
