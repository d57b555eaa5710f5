//! AliasMode: RFC 9460 sections 2.4.2, 2.5.1 and 3.

use super::scene::Scene;
use crate::report::FailureKind::Refused;
use crate::resolve::QueryKind::{A, Aaaa, Https};

/// The target is asked for under all types, at once, and under its bare name whatever the port.
///
/// Proves: SVC-5
#[test]
fn the_target_of_an_alias_is_asked_for_services_and_addresses() {
    Scene::with_records()
        .at(5)
        .services("0 cdn.test")
        .expect("query HTTPS cdn.test, query AAAA cdn.test, query A cdn.test");
    let mut scene = Scene::with(|setup| setup.records().uri = "https://host.test:8443/".into());
    scene.expect("query HTTPS _8443._https.host.test, query AAAA, query A").at(5).services("0 cdn.test");
    scene.expect("query HTTPS cdn.test, query AAAA cdn.test, query A cdn.test");
}

/// An alias says nothing of the service: only its target's records, or that it has none, end the wait.
///
/// Proves: TRG-8
#[test]
fn an_alias_alone_is_no_service_information() {
    let mut scene = Scene::with_records();
    scene.at(30).answer_of("host.test", Aaaa, "6x").services("0 cdn.test");
    scene.expect("query HTTPS cdn.test, query AAAA cdn.test, query A cdn.test");
    scene.at(40).answer_of("cdn.test", Aaaa, "6a").expect("").at(60).nodata_of("cdn.test", Https).expect_start("6a");

    // Its service has hints.
    let mut scene = Scene::with_records();
    scene.at(30).services("0 cdn.test").expect("query HTTPS cdn.test, query AAAA cdn.test, query A cdn.test");
    scene.at(60).services("1 . hints=6h,4h").expect_start("6h");
}

/// What the alias leads to stands behind its services and before the origin, at the authority's port.
///
/// Proves: SVC-6, SVC-22
#[test]
fn the_name_that_an_alias_leads_to_goes_before_the_origin() {
    let mut scene = Scene::with(|setup| setup.records().uri = "https://host.test:444/".into());
    scene.at(5).services("0 cdn.test").at(10).answer_of("cdn.test", Aaaa, "6a").answer_of("cdn.test", A, "4a");
    scene.answer_of("host.test", Aaaa, "6x").at(20).nodata_of("cdn.test", Https).at(1000);
    assert_eq!(scene.starts(), "20 6a, 270 4a, 520 6x");
    assert_eq!(
        scene.report().attempts().iter().map(|it| it.target()).collect::<Vec<_>>(),
        [Some("cdn.test"), Some("cdn.test"), None]
    );

    let mut scene = Scene::with_records();
    scene.at(5).services("0 cdn.test").at(10).answer_of("cdn.test", Aaaa, "6a").answer_of("host.test", Aaaa, "6x");
    scene.at(20).services("1 svc.test port=8443 hints=6s").at(1000);
    assert_eq!(scene.starts(), "20 6s:8443, 270 6a, 520 6x");
}

/// It is waited for within the Resolution Delay, although the origin is known.
#[test]
fn the_addresses_of_an_alias_are_waited_for_one_resolution_delay() {
    let mut scene = Scene::with_records();
    scene.at(5).services("0 cdn.test").at(10).answer_of("host.test", Aaaa, "6x").nodata_of("cdn.test", Https);
    scene.at(30).answer_of("cdn.test", Aaaa, "6a").at(300);
    assert_eq!(scene.starts(), "30 6a, 280 6x");
}

/// While the chain is being followed its last name is the best that is known.
#[test]
fn a_chain_that_is_not_followed_to_its_end_in_time_leads_to_its_last_name() {
    let mut scene = Scene::with_records();
    scene.at(5).services("0 cdn.test").at(10).answer_of("cdn.test", Aaaa, "6a").answer_of("host.test", Aaaa, "6x");
    scene.at(400);
    assert_eq!(scene.starts(), "60 6a, 310 6x");
}

/// A target without anything: the origin.
#[test]
fn an_alias_to_nothing_leaves_the_origin() {
    let mut scene = Scene::with_records();
    scene.at(5).services("0 cdn.test").at(10).answer_of("host.test", Aaaa, "6x");
    scene.nodata_of("cdn.test", Https).nodata_of("cdn.test", Aaaa).nodata_of("cdn.test", A).at(11);
    assert_eq!(scene.starts(), "10 6x");
}

/// An alias to "." says that there is no service, which is advice.
///
/// Proves: SVC-7
#[test]
fn an_alias_to_the_root_is_ignored() {
    let mut scene = Scene::with_records();
    scene.at(5).services("0 .").expect("").at(10).answer(Aaaa, "6x").expect_start("6x");
}

/// Parameters of an alias mean nothing.
///
/// Proves: SVC-4
#[test]
fn the_parameters_of_an_alias_are_ignored() {
    let mut scene = Scene::with_records();
    scene.at(5).services("0 cdn.test port=8443 hints=6h mandatory=667 alpn=h3 no-default-alpn");
    scene.expect("query HTTPS cdn.test, query AAAA cdn.test, query A cdn.test");
    scene.at(10).nodata_of("cdn.test", Https).answer_of("cdn.test", Aaaa, "6a").expect_start("6a");
}

/// A loop is as good as no record, however long it is.
///
/// Proves: SVC-4
#[test]
fn a_loop_of_aliases_leaves_the_origin() {
    let mut scene = Scene::with_records();
    scene.at(5).answer(Aaaa, "6x").services("0 HOST.test.").expect_start("6x");

    let mut scene = Scene::with_records();
    scene.at(5).answer(Aaaa, "6x").services("0 b.test").answer_of("b.test", Aaaa, "6b").at(10).services("0 c.test");
    scene.at(15).services("0 b.test").at(1000);
    assert_eq!(scene.starts(), "15 6x");
    assert_eq!(scene.queries.iter().filter(|(_, kind)| *kind == Https).count(), 3);
}

/// Follows a chain of `length` aliases; where the first attempt goes.
fn chain(length: usize) -> String {
    let mut scene = Scene::with_records();
    scene.answer(Aaaa, "6x");
    for number in 1..=length {
        scene.services(&format!("0 a{number}.test"));
    }
    if length <= 8 {
        scene.services(&format!("1 . hints=6{}", char::from(b'a' + length as u8)));
    }
    scene.at(1);
    scene.name(scene.attempts[0])
}

/// Eight aliases are followed; with one more it is as if there were none.
///
/// Proves: SVC-4
#[test]
fn a_chain_of_9_aliases_leaves_the_origin() {
    assert_eq!(chain(1), "6b");
    assert_eq!(chain(8), "6i");
    assert_eq!(chain(9), "6x");
}

/// The name of a port can be an alias to the host itself.
#[test]
fn the_records_of_a_port_can_be_those_of_the_host() {
    let mut scene = Scene::with(|setup| setup.records().uri = "https://host.test:8443/".into());
    scene.at(5).services("0 host.test").at(10).answer_of("host.test", Aaaa, "6x").services("1 . port=444").at(300);
    assert_eq!(scene.starts(), "10 6x:444, 260 6x");
    assert_eq!(scene.queries.len(), 4, "{:?}", scene.queries);
}

/// An alias counts as an answer: its target is waited for although the name itself has no address.
#[test]
fn a_name_with_an_alias_alone_is_not_given_up() {
    let mut scene = Scene::with_records();
    scene.at(5).nodata_of("host.test", Aaaa).nodata_of("host.test", A).services("0 cdn.test");
    scene.at(900).answer_of("cdn.test", A, "4a").at(901).nodata_of("cdn.test", Https);
    scene.at(902).nodata_of("cdn.test", Aaaa).at(910).fail("4a", Refused);
    assert_eq!(scene.log().last().unwrap(), "910 failed");
    assert_eq!(scene.starts(), "902 4a");
}

/// Only the last name of a chain has a place among the endpoints: the others are not waited for.
#[test]
fn the_addresses_of_a_name_on_the_way_are_not_waited_for() {
    let mut scene = Scene::with_records();
    scene.at(5).services("0 b.test").services("0 c.test").at(10).nodata(Https);
    for name in ["host.test", "c.test"] {
        scene.nodata_of(name, Aaaa).nodata_of(name, A);
    }
    assert_eq!(scene.log().last().unwrap(), "10 failed");
}
