//! Which queries are sent, and when: v3 draft section 4.1.

use super::scene::Scene;
use crate::nat64::Nat64;
use crate::race::{Family, FamilySet};
use crate::report::FailureKind::Refused;
use crate::resolve::Names;
use crate::resolve::QueryKind::{A, Aaaa, Addresses, Https};
use crate::resolve::ResolveErrorKind::{NoData, NxDomain, Other, Refused as DnsRefused, ServFail, Timeout};

/// Both families and HTTPS: three queries, none of which waits for the answer to another.
///
/// Proves: DNS-5
#[test]
fn https_then_aaaa_then_a_are_asked_back_to_back() {
    Scene::with(|setup| setup.environment.https = true).expect("query HTTPS, query AAAA, query A");
    Scene::new().expect("query AAAA, query A");
}

/// A host of one family asks for that family only.
///
/// Proves: DNS-2, DNS-5
#[test]
fn only_the_families_of_the_host_are_asked_for() {
    for (ask, queries) in [
        (FamilySet { v4: true, v6: false }, "query HTTPS, query A"),
        (FamilySet { v4: false, v6: true }, "query HTTPS, query AAAA"),
    ] {
        let mut scene = Scene::with(|setup| {
            setup.environment.https = true;
            setup.environment.ask = ask;
            setup.config.nat64(Nat64::Off);
        });
        scene.expect(queries);
    }
}

/// A connector whose settings leave no family has to notice that before it starts a race.
#[test]
fn a_set_of_no_family_is_empty() {
    for (v4, v6) in [(false, false), (true, false), (false, true), (true, true)] {
        assert_eq!(FamilySet { v4, v6 }.is_empty(), !(v4 || v6));
    }
}

/// A resolver that answers both families at once gets one query for both.
#[test]
fn a_resolver_of_both_families_is_asked_once() {
    let mut scene = Scene::with(|setup| {
        setup.both_at_once().environment.https = true;
    });
    scene.expect("query HTTPS, query addresses");
    // It tells of both families at once; only HTTPS is still missing.
    scene.at(20).answer(Addresses, "4a 6a").expect_idle_until(70).expect_start("4a");

    let mut scene = Scene::with(|setup| {
        setup.both_at_once();
    });
    scene.at(20).answer(Addresses, "4a 6a").at(300).expect_log(["0 query addresses", "20 start 4a", "270 start 6a"]);
}

/// A is never answered: AAAA alone is enough, and A is not waited for later either.
///
/// Proves: DNS-6
#[test]
fn a_silent_a_query_does_not_hold_up_ipv6() {
    let mut scene = Scene::new();
    scene.at(30).answer(Aaaa, "6a 6b").at(1000);
    assert_eq!(scene.starts(), "30 6a, 280 6b");
    scene.tcp("6b").at(2000).expect_log([
        "0 query AAAA",
        "0 query A",
        "30 start 6a",
        "280 start 6b",
        "1000 cancel 6a",
        "1000 won 6b",
    ]);
}

/// AAAA is never answered: the reverse costs one Resolution Delay.
///
/// Proves: DNS-6, TRG-2
#[test]
fn a_silent_aaaa_query_costs_one_resolution_delay() {
    let mut scene = Scene::new();
    scene.expect("query AAAA, query A").at(30).answer(A, "4a").expect_idle_until(80).expect_start("4a");
}

fn search_list() -> Scene {
    Scene::with(|setup| setup.environment.names = Names::Ask(vec!["a.test".into(), "b.test".into()]))
}

/// A name of the search list that exists in neither family gives way to the next.
#[test]
fn the_next_name_is_asked_when_the_last_exists_in_neither_family() {
    let mut scene = search_list();
    scene.expect("query AAAA a.test, query A a.test");
    scene.at(10).nxdomain(Aaaa).expect("");
    scene.at(20).nodata(A).expect("query AAAA b.test, query A b.test");
    scene.at(30).answer(Aaaa, "6a").expect_start("6a");
    scene.at(35).fail("6a", Refused).expect("").at(40).nodata(A).expect("failed");
}

/// An answer without records is NODATA.
#[test]
fn an_empty_answer_counts_as_nodata() {
    let mut scene = search_list();
    scene.expect("query AAAA a.test, query A a.test").at(10).answer(Aaaa, "").answer(A, "");
    scene.expect("query AAAA b.test, query A b.test").answer(Aaaa, "").answer(A, "").expect("failed");
    let all_are_nodata = |scene: &Scene| {
        let report = scene.report();
        report.queries().iter().all(|query| query.result().unwrap().unwrap_err().kind() == NoData)
    };
    assert!(all_are_nodata(&scene));
    let mut scene = Scene::with_records();
    scene.at(10).answer(Aaaa, "").answer(A, "").answer(Https, "").expect("failed");
    assert!(all_are_nodata(&scene));
}

/// A failure is no word on whether the name exists: going on could reach another host of that name.
#[test]
fn a_failed_lookup_does_not_move_on_in_the_search_list() {
    for kind in [ServFail, DnsRefused, Timeout, Other] {
        let mut scene = search_list();
        scene.expect("query AAAA a.test, query A a.test");
        scene.at(10).dns_fails(Aaaa, kind).at(20).dns_fails(A, NxDomain).expect("failed");
    }
}

/// A name with addresses in one family is the name.
#[test]
fn a_name_with_addresses_ends_the_search() {
    let mut scene = search_list();
    scene.at(10).nxdomain(Aaaa).at(20).answer(A, "4a").at(21).fail("4a", Refused);
    scene.expect_log(["0 query AAAA a.test", "0 query A a.test", "20 start 4a", "21 failed"]);
}

/// Below a name that does not exist there are no records: HTTPS is not waited for.
#[test]
fn the_search_does_not_wait_for_https_of_a_name_that_does_not_exist() {
    let mut scene = Scene::with(|setup| {
        setup.uri = "http://a.test/".into();
        setup.environment.https = true;
        setup.environment.ask = FamilySet { v4: true, v6: false };
        setup.environment.preferred = Family::V4;
        setup.environment.names = Names::Ask(vec!["a.test".into(), "b.test".into()]);
    });
    scene.at(10).nxdomain(A);
    scene.expect_log(["0 query HTTPS a.test", "0 query A a.test", "10 query A b.test"]);
}

/// No name is left: the race fails at the last answer.
#[test]
fn a_search_list_without_any_name_fails() {
    let mut scene = search_list();
    scene.at(10).nxdomain(Aaaa).nxdomain(A).at(20).nxdomain(A).at(30).nxdomain(Aaaa);
    scene.expect_log([
        "0 query AAAA a.test",
        "0 query A a.test",
        "10 query AAAA b.test",
        "10 query A b.test",
        "30 failed",
    ]);
}
