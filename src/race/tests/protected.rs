//! Answers that nobody can change on their way: RFC 9460 section 3.1, v3 draft sections 6.3 and 11.

use super::notation::ms;
use super::scene::Scene;
use super::setup::Setup;
use crate::resolve::Names;
use crate::resolve::QueryKind::{A, Aaaa, Https};
use crate::resolve::ResolveErrorKind::{Malformed, NoData, NxDomain, Other, Refused, ServFail, Timeout};

fn protected(change: impl FnOnce(&mut Setup)) -> Scene {
    let mut scene = Scene::with(|setup| {
        setup.records().environment.protected = true;
        setup.environment.tls = true;
        change(setup);
    });
    scene.expect("query HTTPS, query AAAA, query A");
    scene
}

/// Records that cannot be had may be withheld: nothing is sent to anybody.
///
/// Proves: SVC-17
#[test]
fn on_protected_dns_a_failed_lookup_ends_the_connect() {
    for kind in [ServFail, Refused, Timeout, Other] {
        let mut scene = protected(|_| {});
        scene.at(5).answer(Aaaa, "6a").expect_idle_until(55).expect_start("6a");
        scene.at(70).tcp("6a").expect("").at(90).dns_fails(Https, kind).expect("cancel 6a, withheld");
        assert!(scene.handshakes.is_empty());
        // Without protection nobody could tell, and the race goes on.
        let mut scene = Scene::with_records();
        scene.at(5).answer(Aaaa, "6a").dns_fails(Https, kind).expect_start("6a");
    }
    protected(|_| {}).at(5).answer(Aaaa, "6a").at(55).expect_start("6a").at(5000).expect("cancel 6a, withheld");
}

/// That there are none is an answer, and a malformed set is as good as none.
///
/// Proves: SVC-1, SVC-17
#[test]
fn on_protected_dns_a_name_without_records_is_connected_to() {
    for kind in [NoData, NxDomain, Malformed] {
        let mut scene = protected(|_| {});
        scene.at(5).answer(Aaaa, "6a").dns_fails(Https, kind).expect_start("6a").at(9).tcp("6a").expect("handshake 6a");
    }
}

/// A failure further on counts as well: the chain has to be known to its end.
///
/// Proves: SVC-17
#[test]
fn on_protected_dns_the_target_of_an_alias_has_to_be_known() {
    let mut scene = protected(|_| {});
    scene.at(5).services("0 cdn.test").answer_of("cdn.test", Aaaa, "6a").at(20).servfail(Https);
    assert_eq!(scene.log().last().unwrap(), "20 withheld");
}

/// TCP may come first; what follows waits for the records, and then goes on with each that is up.
///
/// Proves: SVC-17
#[test]
fn on_protected_dns_nothing_follows_tcp_before_the_records() {
    let mut scene = protected(|_| {});
    scene.at(5).answer(Aaaa, "6a").answer(A, "4a").at(55).expect_start("6a").at(70).tcp("6a").at(305);
    scene.expect_start("4a").at(330).tcp("4a").expect("").at(400).nodata(Https);
    scene.expect("handshake 6a, handshake 4a").at(430).tls("4a").expect("cancel 6a, won 4a");
}

/// What waits for the records does not shake hands yet, and the time for that has not begun.
#[test]
fn on_protected_dns_the_time_for_tls_begins_after_the_records() {
    let mut scene = protected(|setup| {
        setup.config.tls_timeout(Some(ms(1000)));
    });
    scene.at(5).answer(Aaaa, "6a").nodata(A).at(55).expect_start("6a").at(70).tcp("6a").expect_idle_until(1500);
    scene.nodata(Https).expect("handshake 6a").expect_idle_until(2500).expect("cancel 6a, failed");
}

/// An attempt that ends while it waits is over.
#[test]
fn an_attempt_that_fails_while_it_waits_does_not_go_on() {
    let mut scene = protected(|_| {});
    scene.at(5).answer(Aaaa, "6a 6b").at(55).expect_start("6a").at(70).tcp("6a");
    scene.at(80).fail("6a", crate::report::FailureKind::Closed).expect_start("6b").at(90).nodata(Https).expect("");
    scene.at(95).tcp("6b").expect("handshake 6b");
}

/// Where TLS is not part of the race, the first that may go on is the choice.
#[test]
fn where_tls_is_not_raced_the_first_that_may_go_on_is_the_choice() {
    let mut scene = protected(|setup| {
        setup.config.race_tls(false);
    });
    scene.at(5).answer(Aaaa, "6a").answer(A, "4a").at(55).expect_start("6a").at(70).tcp("6a").at(305);
    scene.expect_start("4a").at(330).tcp("4a").expect("").at(400).nodata(Https).expect("cancel 4a, handshake 6a");
}

/// In clear nothing is sent before it is known that there are no records, and nothing at all if there are.
///
/// Proves: ECH-6
#[test]
fn on_protected_dns_an_http_origin_waits_for_the_records_too() {
    let http = || {
        protected(|setup| {
            setup.uri = "http://host.test/".into();
            setup.environment.tls = false;
        })
    };
    let mut scene = http();
    scene.at(5).answer(Aaaa, "6a").at(55).expect_start("6a").at(70).tcp("6a").expect("").at(400).nodata(Https);
    scene.expect("won 6a");
    let mut scene = http();
    scene.at(5).answer(Aaaa, "6a").at(55).expect_start("6a").at(70).tcp("6a").at(400).services("1 .");
    scene.expect("cancel 6a, upgrade");
}

/// Where the records are withheld the name may have some: the next of the search list could be another host.
///
/// Proves: SVC-17
#[test]
fn on_protected_dns_a_failed_lookup_ends_the_search() {
    let mut scene = protected(|setup| {
        setup.environment.names = Names::Ask(vec!["host.test".into(), "host.test.lan".into()]);
    });
    scene.at(5).nodata(Aaaa).nodata(A).expect("").at(20).servfail(Https).expect("withheld");
}

/// Some servers say of one family that the name does not exist although it has an address of the other: it does exist.
///
/// Proves: ECH-6
#[test]
fn on_protected_dns_a_name_with_an_address_exists_whatever_the_other_family_says() {
    let mut scene = protected(|_| {});
    scene.at(5).nxdomain(Aaaa).at(10).answer(A, "4a").expect_idle_until(60).expect_start("4a");
    scene.at(70).tcp("4a").expect("").at(80).nodata(Https).expect("handshake 4a");
    let mut scene = protected(|_| {});
    scene.at(5).answer(A, "4a").at(10).nxdomain(Aaaa).expect_idle_until(55).expect_start("4a");
    scene.at(70).tcp("4a").expect("").at(80).nodata(Https).expect("handshake 4a");
}

/// TLS is not under way while an attempt waits, so its time does not run.
#[test]
fn an_attempt_that_waits_does_not_use_up_the_time_for_tls() {
    let mut scene = protected(|setup| {
        setup.config.tls_timeout(Some(ms(1000)));
    });
    scene.at(5).answer(Aaaa, "6a").at(55).expect_start("6a").at(70).tcp("6a").at(2000).expect("").nodata(Https);
    scene.expect("handshake 6a").expect_idle_until(3000).expect("cancel 6a");
}

/// Nor is the next attempt put off for its sake before it has begun, and then it is given the usual time.
#[test]
fn the_next_attempt_is_put_off_for_tls_from_where_it_begins() {
    let mut scene = protected(|_| {});
    scene.at(5).answer(Aaaa, "6a").answer(A, "4a").at(55).expect_start("6a").at(290).tcp("6a");
    scene.expect_idle_until(305).expect_start("4a");
    let mut scene = protected(|_| {});
    scene.at(5).answer(Aaaa, "6a").answer(A, "4a").at(55).expect_start("6a").at(70).tcp("6a").at(300).nodata(Https);
    scene.expect("handshake 6a").expect_idle_until(550).expect_start("4a");
}
