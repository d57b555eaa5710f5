//! Address hints: v3 draft section 4.2.1, RFC 9460 section 7.3.

use super::scene::Scene;
use crate::race::{Family, FamilySet};
use crate::report::FailureKind::Refused;
use crate::resolve::QueryKind::{A, Aaaa};
use crate::resolve::ResolveErrorKind;

/// Hints of both families are addresses, the preferred family's answer and service information in one: start.
///
/// Proves: TRG-6, SVC-18
#[test]
fn records_with_hints_of_both_families_start_the_race() {
    let mut scene = Scene::with_records();
    scene.at(30).services("1 . hints=4h,6h").expect_start("6h").at(500).answer(Aaaa, "6h").at(600);
    assert_eq!(scene.starts(), "30 6h, 280 4h");
}

/// Hints do not save a query: the target is asked for, and the hints go first.
///
/// Proves: SVC-18
#[test]
fn hints_are_used_while_the_real_addresses_are_asked_for() {
    Scene::with_records().at(5).services("1 t.test hints=6h").expect("query AAAA t.test, query A t.test, start 6h");
}

/// A hint of the other family is no answer of the preferred one.
///
/// Proves: TRG-6
#[test]
fn a_hint_of_the_other_family_waits_for_the_preferred_one() {
    Scene::with_records().at(30).services("1 . hints=4h").expect_idle_until(80).expect_start("4h");
    Scene::with_records().at(30).services("1 . hints=4h").at(40).nodata(Aaaa).expect_start("4h");
}

/// A hint of a family that the host lacks is none.
///
/// Proves: TRG-9
#[test]
fn a_hint_of_a_family_that_the_host_lacks_is_of_no_use() {
    let mut scene = Scene::with(|setup| {
        setup.records().environment.ask = FamilySet { v4: true, v6: false };
        setup.environment.preferred = Family::V4;
    });
    scene.expect("query HTTPS, query A").at(5).services("1 . hints=6h").at(900).answer(A, "4a").at(2000);
    assert_eq!(scene.starts(), "900 4a");
}

/// The real answer takes the place of hints: one that is not in it never starts.
///
/// Proves: SVC-19
#[test]
fn the_answer_takes_the_place_of_hints_that_have_not_started() {
    let mut scene = Scene::with_records();
    scene.at(5).services("1 . hints=4h,6h").at(100).answer(A, "4a").at(3000);
    assert_eq!(scene.starts(), "5 6h, 255 4a");
    // It stands for its family alone.
    let mut scene = Scene::with_records();
    scene.at(5).services("1 . hints=4h,6h").at(100).answer(Aaaa, "6h 6a").at(3000);
    assert_eq!(scene.starts(), "5 6h, 255 4h, 505 6a");
}

/// With the addresses at hand hints are not looked at.
///
/// Proves: SVC-20
#[test]
fn with_the_addresses_at_hand_hints_are_ignored() {
    let mut scene = Scene::with_records();
    scene.answer(Aaaa, "6a").answer(A, "4a").at(5).services("1 . hints=4h,6h").at(3000);
    assert_eq!(scene.starts(), "5 6a, 255 4a");
}

/// What has started with a hint goes on whatever the answer says.
///
/// Proves: SVC-19, CHG-1
#[test]
fn an_attempt_at_a_hint_goes_on() {
    let mut scene = Scene::with_records();
    scene.at(5).services("1 . hints=6h").expect_start("6h").at(50).answer(Aaaa, "6a").at(60).tcp("6h").expect("won 6h");
}

/// A negative answer takes hints out too, as long as there is anything else, even something silent.
///
/// Proves: SVC-19
#[test]
fn hints_that_a_negative_answer_belies_are_the_last_resort() {
    let mut scene = Scene::with_records();
    scene.at(5).services("1 t.test hints=4h,4i").at(10).nodata_of("t.test", A).answer_of("t.test", Aaaa, "6a").at(500);
    scene.fail("6a", Refused);
    assert_eq!(scene.starts(), "10 6a, 500 4h");
    scene.at(1000);
    assert_eq!(scene.starts(), "10 6a, 500 4h, 750 4i");
}

/// With nothing else they are what is left, and may be right.
///
/// Proves: SVC-19
#[test]
fn without_anything_else_belied_hints_are_tried() {
    let mut scene = Scene::with_records();
    scene.at(5).nodata(Aaaa).nodata(A).at(10).services("1 . hints=6h").expect_start("6h");
    let mut scene = Scene::with_records();
    scene.at(5).nodata(Aaaa).services("1 . hints=6h").expect_idle_until(55).expect_start("6h");
    scene.at(100).answer(A, "4a").at(400);
    assert_eq!(scene.starts(), "55 6h, 305 4a");
}

/// A lookup that failed says nothing of the addresses.
///
/// Proves: SVC-18
#[test]
fn a_failed_lookup_does_not_belie_hints() {
    for kind in [ResolveErrorKind::ServFail, ResolveErrorKind::Timeout, ResolveErrorKind::Refused] {
        let mut scene = Scene::with_records();
        scene.at(5).services("1 . hints=4h").at(10).dns_fails(A, kind).at(20).answer(Aaaa, "6a").at(1000);
        assert_eq!(scene.starts(), "20 6a, 270 4h", "{kind:?}");
    }
}

/// The policy sees hints as it sees every address, and a denied one is no address.
///
/// Proves: NAM-9
#[test]
fn a_denied_hint_is_no_address() {
    let mut scene = Scene::with(|setup| {
        let policy = crate::AddressPolicy::new(|_, addr| match addr.ip().is_loopback() || addr.port() == 8443 {
            true => crate::Verdict::deny("not for this client"),
            false => crate::Verdict::Allow,
        });
        setup.records().config.address_policy(policy);
    });
    scene.at(5).services("1 t.test hints=127.0.0.1,::1,::ffff:127.0.0.2; 2 . port=8443 hints=6p; 3 u.test hints=6u");
    scene.answer_of("t.test", Aaaa, "6p").at(3000);
    assert_eq!(scene.starts(), "5 6p, 255 6u");
    let report = scene.report();
    let denied = report.attempts().iter().skip(2).map(|it| (it.addr().to_string(), it.target()));
    let mut denied: Vec<_> = denied.collect();
    denied.sort();
    let target = Some("t.test");
    let expected =
        [("127.0.0.1:443", target), ("127.0.0.2:443", target), ("[2001:db8::10]:8443", None), ("[::1]:443", target)];
    assert_eq!(denied, expected.map(|(addr, target)| (addr.to_owned(), target)));
}
