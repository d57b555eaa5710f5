//! Interleaving and what goes last: RFC 8305 section 4, v3 draft section 5.3.

use super::scene::Scene;
use crate::race::Family;
use crate::resolve::QueryKind::{A, Aaaa, Addresses};

/// The order in which a host of silent addresses is tried.
fn order_of(mut scene: Scene) -> String {
    scene.at(29_000);
    scene.attempts.iter().map(|addr| scene.name(*addr)).collect::<Vec<_>>().join(" ")
}

fn counting(names: &str, count: usize) -> String {
    order_of(Scene::with(|setup| {
        setup.fixed(names);
        setup.config.preferred_family_count(count);
    }))
}

/// After the first of the first family comes one of the other, and so on in turn.
///
/// Proves: ILV-1
#[test]
fn the_families_take_turns() {
    assert_eq!(counting("6a 6b 6c 4a 4b", 1), "6a 4a 6b 4b 6c");
    assert_eq!(counting("6a 4a 4b 4c", 1), "6a 4a 4b 4c");
}

/// The first family leads with as many as the setting says; the rest alternates.
///
/// Proves: ILV-2
#[test]
fn the_preferred_family_count_is_how_many_of_the_first_family_lead() {
    assert_eq!(counting("6a 6b 6c 4a 4b", 2), "6a 6b 4a 6c 4b");
    assert_eq!(counting("6a 6b 6c 4a 4b", 0), "6a 4a 6b 4b 6c");
    // As many as there are endpoints in all, or more, is still a count and not the order as it was.
    assert_eq!(counting("4a 6a 4b", 2), "4a 4b 6a");
    assert_eq!(counting("4a 6a 4b", 3), "4a 4b 6a");
    assert_eq!(counting("4a 6a 4b", 100), "4a 4b 6a");
    assert_eq!(counting("4a 6a 4b", usize::MAX), "4a 6a 4b");
}

/// The family of the first endpoint leads, IPv6 or not.
///
/// Proves: ILV-3
#[test]
fn the_first_endpoint_says_which_family_leads() {
    assert_eq!(counting("4a 4b 6a 6b 6c", 1), "4a 6a 4b 6b 6c");
    let mut scene = Scene::with(|setup| {
        setup.both_at_once();
    });
    scene.answer(Addresses, "4a 6a 4b");
    assert_eq!(order_of(scene), "4a 6a 4b");
}

/// Of answers per family, the preferred family's leads, whichever came first.
#[test]
fn the_preferred_family_leads_answers_per_family() {
    for (preferred, order) in [(Family::V6, "6a 4a 6b 4b"), (Family::V4, "4a 6a 4b 6b")] {
        let mut scene = Scene::with(|setup| {
            setup.environment.preferred = preferred;
            setup.config.resolution_delay(std::time::Duration::MAX);
        });
        scene.at(5).answer(A, "4a 4b").at(8).answer(Aaaa, "6a 6b");
        assert_eq!(order_of(scene), order);
    }
}

/// The same address twice in an answer, and in two answers, is one endpoint.
///
/// Proves: ILV-5
#[test]
fn duplicates_are_tried_once() {
    assert_eq!(counting("6a 6a 4a 6a 6b 4a", 1), "6a 4a 6b");
    let mut scene = Scene::new();
    scene.answer(Aaaa, "6a ::ffff:198.18.0.1").answer(A, "4a 4b");
    assert_eq!(order_of(scene), "6a 4a 4b");
}

/// The same address at two ports is two endpoints, and so it is with two zones.
#[test]
fn port_and_zone_are_part_of_an_endpoint() {
    assert_eq!(counting("6a:81 6a:82 6a:81", 1), "6a:81 6a:82");
    assert_eq!(counting("[fe80::1%3]:0 [fe80::1%4]:0", 1), "[fe80::1%3]:80 [fe80::1%4]:80");
}

/// No route: last, but not left out, since routes come back.
#[test]
fn addresses_without_a_route_go_last() {
    let routeless = |names: &str, routeless| {
        order_of(Scene::with(|setup| {
            setup.fixed(names);
            setup.routeless = String::from(routeless);
        }))
    };
    assert_eq!(routeless("6a 6b 4a 4b", "6a 6b"), "4a 4b 6a 6b");
    assert_eq!(routeless("6a 6b 4a 4b", "6a"), "6b 4a 4b 6a");
    assert_eq!(routeless("6a 4a", "6a 4a"), "6a 4a");
    assert_eq!(routeless("6a", "6a"), "6a");
}

/// A late answer is probed too, and what has started already keeps its place in the order.
#[test]
fn a_late_answer_is_probed_too() {
    let mut scene = Scene::with(|setup| setup.routeless = "4a".into());
    scene.at(10).answer(Aaaa, "6a 6b").at(30).answer(A, "4a 4b");
    assert_eq!(order_of(scene), "6a 4b 6b 4a");
}

/// The machine is asked only where the answer changes the order, and about each address once.
#[test]
fn only_what_has_an_order_is_probed() {
    assert!(Scene::over("6a").probes.is_empty(), "one endpoint has no order");
    assert_eq!(Scene::over("6a 4a 6b").probes, ["6a 4a 6b"]);

    let mut scene = Scene::new();
    scene.at(10).answer(Aaaa, "6a").at(30).answer(A, "4a 4b").at(40).answer(A, "4a 4b").answer(Aaaa, "6a 6b").at(2000);
    assert_eq!(scene.probes, ["4a 4b", "6b"], "what has started needs no order");
}
