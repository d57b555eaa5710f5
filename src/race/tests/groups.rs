//! Groups of endpoints: v3 draft section 5.

use std::cell::Cell;

use super::notation::{addr, numbered};
use super::scene::Scene;
use crate::race::groups::{Endpoint, cut};
use crate::report::FailureKind::{Local, Refused};
use crate::resolve::QueryKind::{A, Aaaa};

/// Service by service, and inside of each the families take turns; the origin comes last.
///
/// Proves: GRP-1, GRP-4, GRP-5, ILV-4, SVC-22
#[test]
fn the_families_take_turns_within_a_service() {
    let mut scene = Scene::with_records();
    scene.answer(Aaaa, "6x 6y").answer(A, "4x");
    scene.at(5).services("2 b.test port=8443 hints=6c,4c; 1 a.test");
    scene.answer_of("a.test", Aaaa, "6a 6b 6d").answer_of("a.test", A, "4a").at(6000);
    assert_eq!(scene.starts(), "5 6a, 255 4a, 505 6b, 755 6d, 1005 6c:8443, 1255 4c:8443, 1505 6x, 1755 4x, 2005 6y");
}

/// All of a service start before the first of the next does, however many are silent.
///
/// Proves: GRP-5
#[test]
fn a_long_service_delays_the_next() {
    let mut scene = Scene::with_records();
    scene.at(5).services("1 a.test; 2 b.test hints=6z").answer_of("a.test", Aaaa, &numbered(6, 1, 8)).at(6000);
    assert!(scene.starts().ends_with("1755 6h, 2005 6z"), "{}", scene.starts());
}

/// RFC 6724 sorts within a service: a better destination of a worse service does not overtake.
///
/// Proves: GRP-1
#[test]
fn addresses_are_sorted_within_a_service() {
    let mut scene = Scene::with(|setup| {
        setup.records().deprecated_source("6a", "2001:db8::ffff").deprecated_source("6b", "2001:db8::ffff");
    });
    scene.at(5).services("1 a.test; 2 b.test");
    scene.answer_of("b.test", Aaaa, "6c").answer_of("a.test", Aaaa, "6a 6d 6b").at(3000);
    assert_eq!(scene.starts(), "5 6d, 255 6a, 505 6b, 755 6c");
}

/// HTTP/2 and HTTP/1.1 are no reason to form groups: priority alone decides.
///
/// Proves: GRP-2, GRP-3, GRP-6
#[test]
fn protocols_over_tcp_are_one_group() {
    let mut scene = Scene::with(|setup| setup.records().environment.ask.v4 = false);
    scene.at(5).services("1 a.test alpn=http/1.1 hints=6a; 2 b.test alpn=h2 hints=6b; 3 c.test ech=x hints=6c").at(900);
    assert_eq!(scene.starts(), "5 6a, 255 6b, 505 6c");
    // What is alone in its group needs no order.
    assert!(scene.probes.is_empty(), "{:?}", scene.probes);
}

/// An address in several services, and as hint and answer, is tried once, in the first of them.
///
/// Proves: ILV-5
#[test]
fn an_endpoint_of_two_services_is_tried_once() {
    let mut scene = Scene::with_records();
    scene.at(5).services("1 a.test hints=6a,4a; 2 b.test hints=4a,6b,6a; 3 c.test port=8443 hints=6a");
    scene.answer_of("b.test", Aaaa, "6b 6a").answer_of("host.test", Aaaa, "6b").at(100).answer_of("a.test", Aaaa, "6a");
    scene.at(5000);
    assert_eq!(scene.starts(), "5 6a, 255 4a, 505 6b, 755 6a:8443");
}

/// A service that comes late takes its place before what has not started.
///
/// Proves: CHG-3, SVC-22
#[test]
fn a_late_service_goes_before_the_rest_of_the_origin() {
    let mut scene = Scene::with_records();
    scene.at(5).answer(Aaaa, "6x 6y 6z").at(100).services("1 t.test port=8443 hints=6t").at(2000);
    assert_eq!(scene.starts(), "55 6x, 305 6t:8443, 555 6y, 805 6z");
}

/// 32 starts are shared out: the longest group gives first, and each keeps one of either family.
#[test]
fn the_longest_group_is_cut_first() {
    let mut scene = Scene::with_records();
    scene.answer(Aaaa, &numbered(6, 101, 16)).answer(A, &numbered(4, 101, 16));
    scene.at(5).services("1 a.test; 2 b.test port=8443 hints=6b,4b");
    scene.answer_of("a.test", Aaaa, &numbered(6, 201, 16)).answer_of("a.test", A, &numbered(4, 201, 16));
    scene.at(29_000);
    let starts = scene.starts();
    let count = |part: &str| starts.split(", ").filter(|start| start.contains(part)).count();
    assert_eq!(scene.attempts.len(), 32);
    assert_eq!((count("#2"), count(":8443"), count("#1")), (15, 2, 15), "{starts}");
    assert_eq!((count("6#2"), count("4#2"), count("6#1"), count("4#1")), (8, 7, 8, 7), "{starts}");
}

/// The only one of a family stays in the longest group, even where it is the last.
#[test]
fn the_only_one_of_a_family_is_not_cut() {
    let mut scene = Scene::with(|setup| {
        setup.records().config.preferred_family_count(usize::MAX);
    });
    scene.answer(Aaaa, &numbered(6, 101, 16)).at(5).services("1 a.test port=8443 hints=4a");
    scene.answer_of("a.test", Aaaa, &numbered(6, 201, 16)).at(29_000);
    let starts = scene.starts();
    assert!(scene.attempts.len() == 32 && starts.contains("6#215:8443, 3755 4a:8443"), "{starts}");
}

/// Records can lead to hundreds of endpoints, which are cut at every poll: each is looked at once.
#[test]
fn hundreds_of_endpoints_are_cut_in_one_pass() {
    let endpoint = |number: u16| Endpoint { addr: addr(&format!("6#{number}")), group: usize::from(number) / 32 };
    let mut left: Vec<_> = (0..320).map(endpoint).collect();
    let looks = Cell::new(0);
    cut(&mut left, 32, |_| {
        looks.set(looks.get() + 1);
        false
    });
    assert_eq!((left.len(), looks.get()), (32, 320));
}

/// What has not started of a longer group gives way to a late service.
#[test]
fn the_unstarted_give_way_to_a_late_service() {
    let mut scene = Scene::with_records();
    scene.answer(Aaaa, &numbered(6, 101, 16)).answer(A, &numbered(4, 101, 16)).at(6000);
    assert_eq!(scene.attempts.len(), 24);
    scene.services("1 t.test port=8443").answer_of("t.test", Aaaa, &numbered(6, 201, 8)).at(29_000);
    let starts = scene.starts();
    assert_eq!(scene.attempts.len(), 32);
    assert_eq!(starts.matches(":8443").count(), 8, "{starts}");
}

/// What fails before a packet leaves makes room again: of 34 endpoints all have their turn.
#[test]
fn what_was_never_sent_makes_room() {
    let mut scene = Scene::with_records();
    scene.at(5).services("1 a.test; 2 b.test").answer_of("b.test", Aaaa, "6b").answer_of("host.test", Aaaa, "6x");
    scene.answer_of("a.test", A, &numbered(4, 201, 16)).answer_of("a.test", Aaaa, &numbered(6, 201, 16));
    scene.fail("6#201", Local).fail("4#201", Local).at(29_000);
    assert_eq!(scene.attempts.len(), 34, "{}", scene.starts());
}

/// What fails gives its turn to the next of its group; the last of it to the next group, at once too.
///
/// Proves: GRP-5, ATT-7
#[test]
fn after_the_last_failure_of_a_service_the_next_starts_at_once() {
    let mut scene = Scene::with_records();
    scene.at(5).services("1 a.test hints=6a,4a; 2 b.test hints=6b").at(60).fail("6a", Refused);
    scene.at(100).fail("4a", Refused).at(101);
    assert_eq!(scene.starts(), "5 6a, 60 4a, 100 6b");
}
