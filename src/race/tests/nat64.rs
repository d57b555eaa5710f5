//! IPv4 on networks that have none.

use std::net::Ipv6Addr;

use super::notation::numbered;
use super::scene::Scene;
use super::setup::{HOST, Setup};
use crate::address_policy::{AddressPolicy, Verdict};
use crate::config::Config;
use crate::nat64::{Nat64, Nat64Prefix};
use crate::race::{FamilySet, Outcome};
use crate::report::FailureKind::Refused;
use crate::resolve::Answer;
use crate::resolve::QueryKind::{A, Aaaa, Addresses};

/// What tells that the prefix is 64:ff9b::/96, and what tells another one.
const WELL_KNOWN: &str = "64:ff9b::c000:aa 64:ff9b::c000:ab";
const OWN: &str = "2001:db8:64::c000:aa";
/// 198.18.0.1 through each of them.
const THROUGH_WELL_KNOWN: &str = "[64:ff9b::c612:1]:80";
const THROUGH_OWN: &str = "[2001:db8:64::c612:1]:80";
const ASKED: &str = "query AAAA ipv4only.arpa.";

fn ipv6_only(setup: &mut Setup) {
    setup.environment.ask = FamilySet { v4: false, v6: true };
    setup.routeless = "4a 4b".into();
}

fn known(setup: &mut Setup, prefixes: &[&str]) {
    let prefixes = prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect();
    setup.config.nat64(Nat64::Prefixes(prefixes));
}

/// So does a name that stands for it.
///
/// Proves: N64-7, N64-12
#[test]
fn a_literal_without_a_route_goes_through_the_prefix() {
    for (uri, at_hand) in [("http://198.18.0.1/", ""), ("http://host.test/", "4a")] {
        let mut scene = Scene::with(|setup| {
            setup.uri = uri.to_owned();
            setup.fixed(at_hand);
        });
        scene.expect("start 4a").no_route("4a").expect(ASKED);
        scene.at(30).answer(Aaaa, WELL_KNOWN).expect(&format!("start {THROUGH_WELL_KNOWN}"));
        scene.at(50).tcp(THROUGH_WELL_KNOWN).expect(&format!("won {THROUGH_WELL_KNOWN}"));
    }
}

/// Proves: N64-12
#[test]
fn each_prefix_has_its_turn() {
    let mut scene = Scene::over("4a");
    scene.expect("start 4a").no_route("4a").expect(ASKED);
    scene.answer(Aaaa, &format!("{OWN} {WELL_KNOWN}"));
    scene.expect(&format!("start {THROUGH_OWN}")).at(250).expect(&format!("start {THROUGH_WELL_KNOWN}"));
}

/// An answer brings at most 16 addresses of a family, and what is made of them is not among these.
#[test]
fn translated_addresses_take_the_place_of_no_other() {
    let mut scene = Scene::with(|setup| {
        setup.fixed(&format!("4a {}", numbered(6, 1, 16)));
        known(setup, &["2001:db8:64::/96"]);
    });
    scene.expect("start 4a").no_route("4a").expect(&format!("start {THROUGH_OWN}"));
    scene.at(16 * 250);
    assert!(scene.starts().ends_with(", 4000 6p"), "{}", scene.starts());
}

/// Proves: N64-3
#[test]
fn without_a_prefix_it_fails_as_before() {
    let mut scene = Scene::over("4a");
    scene.expect("start 4a").no_route("4a").expect(ASKED).at(20).nodata(Aaaa).expect("failed");
    let mut scene = Scene::over("4a");
    scene.expect("start 4a").no_route("4a").expect(ASKED).at(20).answer(Aaaa, "2001:db8::1").expect("failed");
    let mut scene = Scene::over("4a");
    scene.expect("start 4a").no_route("4a").expect(ASKED).expect_idle_until(5000).expect("failed");
}

/// Proves: N64-1
#[test]
fn a_prefix_of_the_settings_is_not_asked_for() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("4a");
        known(setup, &["2001:db8:64::/96"]);
    });
    scene.expect("start 4a").no_route("4a").expect(&format!("start {THROUGH_OWN}"));
}

/// A name that has no AAAA, on a network whose name servers do not translate.
///
/// Proves: DNS-3, N64-2, N64-7
#[test]
fn without_ipv4_the_prefix_is_asked_for_and_then_a() {
    let mut scene = Scene::with(ipv6_only);
    scene.expect(&format!("query AAAA, {ASKED}")).at(10).nodata_of(HOST, Aaaa).expect("");
    scene.at(20).answer_of("ipv4only.arpa.", Aaaa, WELL_KNOWN).expect("query A").at(30).answer(A, "4a");
    scene.expect("start 4a").no_route("4a").expect(&format!("start {THROUGH_WELL_KNOWN}"));
}

/// Proves: DNS-3
#[test]
fn with_a_known_prefix_a_is_asked_at_once() {
    let mut scene = Scene::with(|setup| {
        ipv6_only(setup);
        known(setup, &["64:ff9b::/96"]);
    });
    scene.expect("query AAAA, query A");
}

/// Proves: N64-9
#[test]
fn ipv6_goes_before_what_is_translated() {
    let mut scene = Scene::with(|setup| {
        ipv6_only(setup);
        known(setup, &["64:ff9b::/96"]);
    });
    scene.expect("query AAAA, query A").answer(A, "4a").answer(Aaaa, "6a 6b").expect("start 6a");
    scene.at(250).expect("start 6b").at(500).expect("start 4a").no_route("4a");
    scene.expect(&format!("start {THROUGH_WELL_KNOWN}"));
}

/// What leads nowhere goes behind what has to be translated first, or each connect would pay for it.
///
/// Proves: HIS-6
#[test]
fn what_leads_nowhere_goes_behind_what_is_translated() {
    let mut scene = Scene::with(|setup| {
        ipv6_only(setup);
        known(setup, &["64:ff9b::/96"]);
        setup.unreachable("6a");
    });
    scene.expect("query AAAA, query A").answer(A, "4a").answer(Aaaa, "6a").expect("start 4a").no_route("4a");
    scene.expect(&format!("start {THROUGH_WELL_KNOWN}")).at(250).expect("start 6a");
}

/// What a name server has translated is the IPv4 address that it stands for, which A has too.
///
/// Proves: N64-6
#[test]
fn a_translated_answer_counts_as_ipv4() {
    let mut scene = Scene::with(|setup| known(setup, &["64:ff9b::/96"]));
    scene.expect("query AAAA, query A").answer(Aaaa, "64:ff9b::c612:1").answer(A, "4a").expect("start 4a");
    scene.at(250).expect("").at(400).tcp("4a").expect("won 4a");

    let mut scene = Scene::with(|setup| {
        ipv6_only(setup);
        known(setup, &["64:ff9b::/96"]);
    });
    scene.expect("query AAAA, query A").nodata(A).answer(Aaaa, "64:ff9b::c612:1").expect("start 4a").no_route("4a");
    scene.expect(&format!("start {THROUGH_WELL_KNOWN}"));
}

/// Proves: N64-14
#[test]
fn while_no_prefix_is_known_answers_are_used_as_they_are() {
    let mut scene = Scene::with(ipv6_only);
    scene.expect(&format!("query AAAA, {ASKED}")).answer_of(HOST, Aaaa, "64:ff9b::c612:1");
    scene.expect(&format!("start {THROUGH_WELL_KNOWN}")).at(10).answer_of("ipv4only.arpa.", Aaaa, WELL_KNOWN);
    // The same address by way of A is not tried twice.
    scene.expect("query A").at(20).answer(A, "4a").at(250).expect("start 4a").no_route("4a").expect("");
    scene.at(300).tcp(THROUGH_WELL_KNOWN).expect(&format!("won {THROUGH_WELL_KNOWN}"));
}

/// 464XLAT gives a host IPv4 again.
///
/// Proves: N64-10
#[test]
fn where_there_is_a_route_nothing_is_translated() {
    let mut scene = Scene::new();
    scene.expect("query AAAA, query A").nodata(Aaaa).answer(A, "4a").expect("start 4a").at(100).tcp("4a");
    scene.expect("won 4a");
}

/// A resolver of a virtual private network knows only IPv4, to which there is no way.
///
/// Proves: N64-13
#[test]
fn an_address_without_a_route_is_enough_to_ask_for_the_prefix() {
    let mut scene = Scene::new();
    scene.expect("query AAAA, query A").nodata(Aaaa).answer(A, "4a").expect("start 4a").no_route("4a");
    scene.expect(ASKED).at(5).answer_of("ipv4only.arpa.", Aaaa, OWN).expect(&format!("start {THROUGH_OWN}"));
}

/// Proves: N64-8
#[test]
fn what_is_of_this_host_alone_is_not_translated() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("127.0.0.1");
        known(setup, &["64:ff9b::/96"]);
    });
    scene.expect("start 127.0.0.1:80").no_route("127.0.0.1").expect("failed");
}

/// Proves: SVC-21
#[test]
fn hints_of_ipv4_are_translated_too() {
    let mut scene = Scene::with(|setup| {
        setup.records();
        ipv6_only(setup);
        known(setup, &["64:ff9b::/96"]);
    });
    scene.expect("query HTTPS, query AAAA, query A").nodata(Aaaa).services("1 . hints=4a").expect("start 4a");
    scene.no_route("4a").expect("start [64:ff9b::c612:1]:443");
}

#[test]
fn the_policy_sees_the_address_that_is_dialled() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("4a");
        known(setup, &["64:ff9b::/96"]);
        setup.config.address_policy(AddressPolicy::new(|_, addr| match addr.is_ipv6() {
            true => Verdict::deny("no IPv6 here"),
            false => Verdict::Allow,
        }));
    });
    scene.expect("start 4a").no_route("4a").expect("failed");
    assert!(scene.report().attempts().iter().any(|it| it.addr().is_ipv6()), "the denied one is told");
}

/// 10.0.0.1, 127.0.0.1 and 169.254.169.254, and the same with something behind. Of these the race translates none back,
/// as it would make none of them.
///
/// Proves: NAM-11
#[test]
fn what_an_address_of_the_nat64_leads_to_is_judged_too() {
    for within in ["2001:db8:64::a00:1", "2001:db8:64::7f00:1", "2001:db8:64::a9fe:a9fe"] {
        for dial in [FamilySet::BOTH, FamilySet { v4: false, v6: true }] {
            let mut scene = Scene::with(|setup| {
                known(setup, &["2001:db8:64::/96"]);
                setup.environment.dial = dial;
                setup.environment.ask = dial;
                setup.config.address_policy(not_inside());
            });
            match dial.v4 {
                true => scene.expect("query AAAA, query A").nodata(A),
                false => scene.expect("query AAAA"),
            };
            scene.answer(Aaaa, within).expect("failed");
            assert_eq!(scene.report().attempts().len(), 1);
        }
    }
    let mut scene = Scene::with(|setup| {
        known(setup, &["2001:db8:122::/48"]);
        setup.config.address_policy(not_inside());
    });
    scene.expect("query AAAA, query A").answer(Aaaa, "2001:db8:122:a00:0:1ff:ffff:ffff").nodata(A).expect("failed");
}

/// While no prefix is known nobody can know; from then on such an address does not start any more.
///
/// Proves: NAM-11
#[test]
fn the_policy_knows_a_prefix_from_its_answer_on() {
    let scene = || {
        let mut scene = Scene::with(|setup| {
            ipv6_only(setup);
            setup.config.address_policy(not_inside());
        });
        scene.expect(&format!("query AAAA, {ASKED}"));
        scene
    };
    let inside = "2001:db8:64::a00:1 2001:db8:64::a9fe:a9fe";
    let mut late = scene();
    late.answer_of(HOST, Aaaa, inside).expect("start [2001:db8:64::a00:1]:80");
    late.at(10).answer_of("ipv4only.arpa.", Aaaa, OWN).expect("query A").nodata(A).at(300);
    late.expect("").fail("[2001:db8:64::a00:1]:80", Refused).expect("failed");

    let mut early = scene();
    early.at(10).answer_of("ipv4only.arpa.", Aaaa, OWN).expect("query A").answer_of(HOST, Aaaa, inside).nodata(A);
    early.expect("failed");
    assert_eq!(early.report().attempts().len(), 2);
}

fn not_inside() -> AddressPolicy {
    let networks = ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16"];
    AddressPolicy::deny(networks.map(|network| network.parse().unwrap()))
}

/// A name that is a stranger's may lead to any address of the NAT64, and by that into the network behind it.
#[test]
fn the_policy_sees_the_address_within_one_of_a_known_prefix() {
    for prefix in ["2600:64::/32", "2600:64::/40", "2600:64::/48", "2600:64::/56", "2600:64::/64", "2600:64::/96"] {
        let prefix: Nat64Prefix = prefix.parse().unwrap();
        let through = |v4: [u8; 4]| prefix.synthesize(v4.into()).unwrap();
        let private = through([10, 9, 9, 9]);
        // No prefix makes one for 127.9.9.9, but a stranger can.
        let loopback = Ipv6Addr::from_bits(through([126, 9, 9, 9]).to_bits() | through([1, 9, 9, 9]).to_bits());
        // And a translator may not look at what stands behind.
        let odd = Ipv6Addr::from_bits(private.to_bits() | 1);
        for dial in [FamilySet::BOTH, FamilySet { v4: false, v6: true }] {
            let starts = |aaaa: Ipv6Addr| {
                let mut scene = Scene::with(|setup| {
                    setup.config.nat64(Nat64::Prefixes([prefix].into())).address_policy(AddressPolicy::public_only());
                    setup.environment.ask = FamilySet { v4: false, v6: true };
                    setup.environment.dial = dial;
                });
                scene.reply_of(HOST, Aaaa, Ok(Answer::from_ips([aaaa.into()])));
                !scene.starts().is_empty()
            };
            assert!(starts(through([8, 8, 8, 8])), "{prefix}");
            for denied in [private, loopback, odd] {
                assert!(!starts(denied), "{denied} of {prefix}");
            }
        }
    }
}

/// Who writes an address means it.
#[test]
fn a_literal_of_the_prefix_is_taken_at_its_word() {
    let mut scene = Scene::with(|setup| {
        setup.uri = "http://[64:ff9b::c612:1]/".into();
        setup.fixed("64:ff9b::c612:1");
        known(setup, &["64:ff9b::/96"]);
    });
    scene.expect(&format!("start {THROUGH_WELL_KNOWN}"));
}

/// Proves: N64-5
#[test]
fn an_address_of_a_private_network_goes_through_a_prefix_of_the_network() {
    let mut scene = Scene::over("10.0.0.1");
    scene.expect("start 10.0.0.1:80").no_route("10.0.0.1").expect(ASKED);
    scene.answer(Aaaa, &format!("{WELL_KNOWN} {OWN}")).expect("start [2001:db8:64::a00:1]:80");
    let mut scene = Scene::with(|setup| {
        setup.fixed("10.0.0.1");
        known(setup, &["64:ff9b::/96", "2001:db8:64::/96"]);
    });
    scene.expect("start 10.0.0.1:80").no_route("10.0.0.1").expect("start [2001:db8:64::a00:1]:80");
}

/// It has asked for A already, and each lookup takes a thread.
#[test]
fn a_resolver_of_both_families_is_asked_for_the_prefix_only_if_it_is_needed() {
    let mut scene = Scene::with(|setup| {
        ipv6_only(setup);
        setup.both_at_once();
    });
    scene.expect("query addresses").answer(Addresses, "6a 4a").expect("start 6a").at(250).expect("start 4a");
    scene.no_route("4a").expect("query addresses ipv4only.arpa.");
}

#[test]
fn a_search_list_waits_for_the_prefix() {
    let mut scene = Scene::with(|setup| {
        ipv6_only(setup);
        setup.environment.names = crate::resolve::Names::Ask(vec![HOST.into(), "other.test".into()]);
    });
    scene.expect(&format!("query AAAA, {ASKED}")).nodata_of(HOST, Aaaa).expect("");
    scene.answer_of("ipv4only.arpa.", Aaaa, WELL_KNOWN).expect("query A").answer(A, "4a").expect("start 4a");
}

#[test]
fn a_resolver_of_both_families_is_asked_for_both() {
    let mut scene = Scene::with(|setup| {
        setup.both_at_once();
    });
    scene.expect("query addresses").answer(Addresses, "4a").expect("start 4a").no_route("4a");
    scene.expect("query addresses ipv4only.arpa.").answer(Addresses, &format!("192.0.0.170 {OWN}"));
    scene.expect(&format!("start {THROUGH_OWN}"));
}

#[test]
fn it_can_be_turned_off_and_is_for_older_clients() {
    let mut off = Config::default();
    off.nat64(Nat64::Off);
    for config in [off, Config::sequential(), Config::rfc6555()] {
        let mut scene = Scene::with(|setup| {
            setup.config = config;
            setup.fixed("4a");
        });
        scene.expect("start 4a").no_route("4a").expect("failed");
        assert_eq!(scene.outcome, Some(Outcome::Failed));
    }
}

/// Who wants no IPv6 does not get it by way of IPv4.
#[test]
fn a_family_that_is_not_to_be_dialled_is_not_used_for_translation() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("4a");
        setup.environment.dial = FamilySet { v4: true, v6: false };
    });
    scene.expect("start 4a").no_route("4a").expect("failed");
}

/// Where there is no IPv6 either, nobody is to be asked or waited for.
///
/// Proves: N64-10
#[test]
fn without_a_way_to_a_nat64_nothing_is_asked() {
    let mut scene = Scene::with(|setup| {
        setup.fixed("4a");
        setup.routeless = "64:ff9b::c000:aa".into();
    });
    scene.expect("start 4a").no_route("4a").expect("failed");
}
