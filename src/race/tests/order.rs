//! RFC 6724, interleaving and what goes last: RFC 8305 section 4, v3 draft section 5.3.

use super::scene::Scene;
use super::setup::Setup;
use crate::policy_table::PolicyTable;
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

/// Of answers per family, the preferred family's leads where no rule decides, whichever came first.
#[test]
fn the_preferred_family_leads_answers_per_family() {
    for (preferred, order) in [(Family::V6, "6a 4a 6b 4b"), (Family::V4, "4a 6a 4b 6b")] {
        let mut scene = Scene::with(|setup| {
            setup.environment.preferred = preferred;
            setup.environment.policy_table = PolicyTable::from_gai_conf("precedence ::/0 40");
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
    assert_eq!(scene.probes, ["6a", "4a 4b", "6b"], "what has started has its place among the others");
}

/// A race over silent addresses whose answers come together, in the wrong order.
fn sorted(change: impl FnOnce(&mut Setup), aaaa: &str, a: &str) -> String {
    let mut scene = Scene::with(|setup| {
        setup.config.resolution_delay(std::time::Duration::MAX);
        change(setup);
    });
    scene.answer(A, a).answer(Aaaa, aaaa);
    order_of(scene)
}

/// Without a reason against it, IPv6 leads.
///
/// Proves: DAS-1, ILV-3
#[test]
fn what_rfc6724_puts_first_leads() {
    assert_eq!(sorted(|_| {}, "6a 6b", "4a 4b"), "6a 4a 6b 4b");
    let table =
        |text: &'static str| move |setup: &mut Setup| setup.environment.policy_table = PolicyTable::from_gai_conf(text);
    assert_eq!(sorted(table("precedence ::ffff:0:0/96 100"), "6a 6b", "4a 4b"), "4a 6a 4b 6b");
    assert_eq!(sorted(table("precedence 2001:db8::2 100"), "6a 6b", "4a 4b"), "6b 4a 6a 4b");
}

/// The source address turns the order round: a unique local one, a link-local one, a deprecated one.
///
/// Proves: DAS-1, ILV-3
#[test]
fn the_source_address_turns_the_order_round() {
    let from = |ip: &'static str| {
        move |setup: &mut Setup| {
            setup.source("6a", ip).source("6b", ip);
        }
    };
    assert_eq!(sorted(from("2001:db8::5"), "6a 6b", "4a 4b"), "6a 4a 6b 4b");
    assert_eq!(sorted(from("fd00::5"), "6a 6b", "4a 4b"), "4a 6a 4b 6b");
    assert_eq!(sorted(from("fe80::5"), "6a 6b", "4a 4b"), "4a 6a 4b 6b");
    let deprecated = |setup: &mut Setup| {
        setup.deprecated_source("6a", "2001:db8::5");
    };
    assert_eq!(sorted(deprecated, "6a 6b", "4a 4b"), "6b 4a 6a 4b");
}

/// Otherwise a hair's breadth between two answers would decide on the order.
///
/// Proves: DAS-1
#[test]
fn what_goes_behind_the_other_family_waits_for_it() {
    type Change = fn(&mut Setup);
    let from_unique_local: Change = |setup| _ = setup.source("6a", "fd00::5");
    let deprecated: Change = |setup| _ = setup.deprecated_source("6a", "2001:db8::5");
    for (change, first) in [(from_unique_local, "6a"), (deprecated, "6a"), (|_| {}, "2002::1"), (|_| {}, "fd00::1")] {
        let behind = || {
            let mut scene = Scene::with(change);
            scene.at(10).answer(Aaaa, first).before(30);
            assert_eq!(scene.starts(), "", "{first}");
            scene
        };
        let started = |mut scene: Scene| scene.at(29_000).starts().replace(&format!("[{first}]:80"), "6a");
        let mut with_ipv4 = behind();
        with_ipv4.at(30).answer(A, "4a");
        assert_eq!(started(with_ipv4), "30 4a, 280 6a");
        let mut without = behind();
        without.at(30).nodata(A);
        assert_eq!(started(without), "30 6a");
        let mut late = behind();
        late.at(70).answer(A, "4a");
        assert_eq!(started(late), "60 6a, 310 4a");
    }
    // Whatever the other family has, this would go first, or nobody asks for it.
    let alone: Change = |setup| setup.source("6a", "fd00::5").environment.ask.v4 = false;
    for change in [|_| {}, alone] as [Change; 2] {
        let mut scene = Scene::with(change);
        scene.at(10).answer_of("host.test", Aaaa, "6a").at(11);
        assert_eq!(scene.starts(), "10 6a", "{:?}", scene.log());
    }
}

/// A destination in the network of its source goes before others of IPv6.
///
/// Proves: DAS-1
#[test]
fn the_nearer_address_goes_first() {
    assert_eq!(sorted(|_| {}, "2600::1 6a", "4a"), "6a 4a [2600::1]:80");
}

/// An answer of both families has been sorted by the resolver.
///
/// Proves: ILV-3
#[test]
fn an_ordered_answer_keeps_its_order() {
    let from_local = |setup: &mut Setup| {
        setup.both_at_once().source("6a", "fd00::5").deprecated_source("4a", "169.254.1.1");
    };
    let mut scene = Scene::with(from_local);
    scene.answer(Addresses, "6a 6b 4a 4b");
    assert_eq!(order_of(scene), "6a 4a 6b 4b");
    let scene = Scene::with(|setup| {
        from_local(setup);
        setup.fixed("4a 4b 6a 6b");
    });
    assert_eq!(order_of(scene), "4a 6a 4b 6b");
}

/// No route: last of all, not left out, and started like any other.
///
/// Proves: DAS-4
#[test]
fn sorted_addresses_without_a_route_go_last() {
    let routeless = |names: &'static str| move |setup: &mut Setup| setup.routeless = names.into();
    assert_eq!(sorted(routeless("6a"), "6a 6b", "4a 4b"), "6b 4a 4b 6a");
    assert_eq!(sorted(routeless("6a 6b"), "6a 6b", "4a 4b"), "4a 4b 6a 6b");
    assert_eq!(sorted(routeless("6a 6b 4a 4b"), "6a 6b", "4a 4b"), "6a 4a 6b 4b");
}

/// What runs has its place in the new order as well: that is 6b, 4a, 6a, 4b, so after 6a comes 6b and not 4a.
///
/// Proves: DAS-1
#[test]
fn a_late_answer_is_sorted_with_what_runs() {
    let mut scene = Scene::with(|setup| {
        setup.deprecated_source("6a", "2001:db8::5");
    });
    scene.at(10).answer(Aaaa, "6a").at(70).answer(A, "4a 4b").at(80).answer(Aaaa, "6a 6b");
    assert_eq!(order_of(scene), "6a 6b 4a 4b");
}
