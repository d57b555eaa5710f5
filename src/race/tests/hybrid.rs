//! Addresses of both families in one answer from the system, HTTPS records from DNS.

use super::scene::Scene;
use crate::resolve::Kinds;
use crate::resolve::QueryKind::{Addresses, Https};
use crate::resolve::ResolveErrorKind::{NxDomain, Other, Refused, ServFail, Timeout};

fn hybrid() -> Scene {
    let mut scene = Scene::with(|setup| setup.records().environment.kinds = Kinds::AddressesAndHttps);
    scene.expect("query HTTPS, query addresses");
    scene
}

/// The one answer tells of both families; the Resolution Delay is for the records.
#[test]
fn the_records_are_waited_for_as_ever() {
    hybrid().at(20).answer(Addresses, "4a 6a").expect_idle_until(70).expect_start("4a");
    hybrid().at(20).answer(Addresses, "4a 6a").at(30).nodata(Https).expect_start("4a");
}

/// The order of the system stands within each group, and targets are asked of the system as well.
#[test]
fn records_lead_where_the_system_says_the_target_is() {
    let mut scene = hybrid();
    scene.at(5).services("1 svc.test port=8443").expect("query addresses svc.test");
    scene.at(10).answer_of("host.test", Addresses, "6x").at(12).answer_of("svc.test", Addresses, "4a 6a").at(1000);
    assert_eq!(scene.starts(), "12 4a:8443, 262 6a:8443, 512 6x");
}

/// The name servers of resolv.conf need not know the names of a VPN, nor be there at all.
///
/// Proves: NET-5
#[test]
fn a_name_that_only_the_system_knows_is_connected_to() {
    for kind in [NxDomain, Refused, ServFail, Timeout, Other] {
        let mut scene = hybrid();
        scene.at(5).dns_fails(Https, kind).expect("").at(20).answer(Addresses, "4a 6a").expect_start("4a");
        let mut scene = hybrid();
        scene.at(5).answer(Addresses, "4a 6a").at(20).dns_fails(Https, kind).expect_start("4a");
    }
}

/// Hints are addresses that the system has not been asked for.
#[test]
fn hints_lead_on_where_the_system_fails() {
    let mut scene = hybrid();
    scene.at(5).dns_fails(Addresses, Other).expect("").at(20).services("1 . hints=4h").expect_start("4h");
}

/// Without addresses and without records nothing is left.
#[test]
fn a_name_that_nobody_knows_fails() {
    hybrid().at(5).dns_fails(Addresses, Other).expect("").at(20).nxdomain(Https).expect("failed");
}
