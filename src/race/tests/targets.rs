//! Where a service is: names, ports, and what is asked for to get there. RFC 9460 sections 2.3, 2.5.2, 7.2 and 9.1.

use super::notation::records;
use super::scene::Scene;
use crate::report::FailureKind::Refused;
use crate::resolve::QueryKind::{A, Aaaa, Https};
use crate::resolve::{Answer, Names, ServiceRecord};

fn queries_of(uri: &str) -> String {
    let scene = Scene::with(|setup| setup.records().uri = uri.into());
    scene.queries.iter().map(|(name, kind)| format!("{kind} {name}")).collect::<Vec<_>>().join(", ")
}

/// The port is in the name of the query, unless it is that of `https`. `http` looks where its `https` would.
///
/// Proves: DNS-8
#[test]
fn https_records_are_those_of_the_host_or_of_its_port() {
    let bare = "HTTPS host.test, AAAA host.test, A host.test";
    for uri in [
        "https://host.test/",
        "https://host.test:443/",
        "wss://host.test/",
        "http://host.test/",
        "http://host.test:80/",
        "http://host.test:443/",
        "ws://host.test",
    ] {
        assert_eq!(queries_of(uri), bare, "{uri}");
    }
    for (uri, port) in
        [("https://host.test:8443/", 8443), ("https://host.test:80/", 80), ("http://host.test:8080/", 8080)]
    {
        assert_eq!(queries_of(uri), format!("HTTPS _{port}._https.host.test, AAAA host.test, A host.test"), "{uri}");
    }
}

/// A literal and a host whose addresses are at hand have no records to ask for.
///
/// Proves: NAM-5
#[test]
fn where_no_query_is_needed_there_is_none_for_records_either() {
    for uri in ["https://[2001:db8::1]/", "https://host.test/"] {
        let mut scene = Scene::with(|setup| setup.records().fixed("6a").uri = uri.into());
        scene.expect_start("6a");
    }
}

/// "." is the host itself: its addresses, already asked for, at the port of the record, and then at its own.
///
/// Proves: SVC-8, SVC-13
#[test]
fn a_target_of_the_root_is_the_host_itself() {
    let mut scene = Scene::with_records();
    scene.at(5).services("1 . port=8443").expect("").at(10).answer(Aaaa, "6a").at(12).answer(A, "4a").at(2000);
    assert_eq!(scene.starts(), "10 6a:8443, 260 4a:8443, 510 6a, 760 4a");
    assert!(scene.report().attempts().iter().all(|attempt| attempt.target().is_none()));
}

/// The root without its final dot, as a resolver may have it, is the root: no query is for nothing.
///
/// Proves: SVC-8
#[test]
fn a_target_without_a_label_is_the_root() {
    let mut scene = Scene::with_records();
    scene.at(5).reply(Https, Ok(Answer::from_services([ServiceRecord::new(1, "").with_port(8443)]))).expect("");
    scene.at(10).answer(Aaaa, "6a").expect_start("6a:8443");
    let mut scene = Scene::with_records();
    scene.at(5).reply(Https, Ok(Answer::from_services([ServiceRecord::alias("")]))).expect("");
}

/// After a CNAME "." is where that led, which the host's own address queries follow too: nothing more is asked.
///
/// Proves: SVC-8
#[test]
fn a_target_of_the_root_behind_a_cname_is_what_the_host_is_a_name_of() {
    for text in ["1 . owner=edge.test.", "1 edge.test owner=EDGE.test."] {
        let mut scene = Scene::with_records();
        scene.at(5).services(text).expect("").at(10).answer(Aaaa, "6a").expect_start("6a");
    }
    // Under the name of a port there are no addresses of the host, so there it is a name of its own.
    for (text, target) in [("1 . owner=edge.test", "edge.test"), ("1 .", "_8443._https.host.test")] {
        let mut scene = Scene::with(|setup| setup.records().uri = "https://host.test:8443/".into());
        scene.expect("query HTTPS _8443._https.host.test, query AAAA, query A").at(5).services(text);
        scene.expect(&format!("query AAAA {target}, query A {target}"));
    }
}

/// Another name is asked for its addresses, of the families that the host is, and once however often it is named.
///
/// Proves: SVC-18
#[test]
fn a_target_of_another_name_is_asked_for_its_addresses() {
    let mut scene = Scene::with_records();
    scene.at(5).services("1 t.test; 2 T.test. port=8443; 3 u.test; 4 HOST.test");
    scene.expect("query AAAA t.test, query A t.test, query AAAA u.test, query A u.test");

    let mut scene = Scene::with(|setup| {
        setup.records().environment.ask.v6 = false;
        setup.environment.preferred = crate::race::Family::V4;
    });
    scene.expect("query HTTPS, query A").at(5).services("1 t.test").expect("query A t.test");
    scene.at(10).answer_of("host.test", A, "4x").answer_of("t.test", A, "4a").expect_start("4a");
}

/// A resolver that answers both families at once is asked so for targets too.
#[test]
fn a_resolver_of_both_families_is_asked_once_for_a_target() {
    let mut scene = Scene::with(|setup| {
        setup.records().both_at_once();
    });
    scene.expect("query HTTPS, query addresses").at(5).services("1 t.test").expect("query addresses t.test");
}

/// The port of a record is that of its endpoints, hinted or asked for; without one it is the authority's. The origin
/// stays at its own.
///
/// Proves: SVC-13, SVC-23
#[test]
fn the_port_of_a_record_is_that_of_its_endpoints() {
    let mut scene = Scene::with(|setup| setup.records().uri = "https://host.test:444/".into());
    scene.at(5).services("1 t.test port=8443 hints=6h; 2 u.test hints=6u").at(6).answer_of("t.test", A, "4a");
    scene.answer_of("host.test", Aaaa, "6x").at(3000);
    assert_eq!(scene.starts(), "5 6h:8443, 255 4a:8443, 505 6u, 755 6x");
    let targets: Vec<_> = scene.report().attempts().iter().map(|it| it.target().map(str::to_owned)).collect();
    assert_eq!(targets, [Some("t.test".into()), Some("t.test".into()), Some("u.test".into()), None]);
}

/// All services refused: the origin, as if there had never been a record.
///
/// Proves: SVC-22, SVC-23
#[test]
fn the_origin_comes_when_every_service_has_failed() {
    let mut scene = Scene::with_records();
    scene.at(5).services("1 t.test port=8443 hints=6t").answer_of("host.test", Aaaa, "6x");
    scene.at(20).fail("6t:8443", Refused).nodata_of("t.test", Aaaa).nodata_of("t.test", A).at(400);
    assert_eq!(scene.starts(), "5 6t:8443, 20 6x");
}

/// Addresses that came along with the records are not asked for; the other family is.
///
/// Proves: DNS-12
#[test]
fn what_comes_along_with_the_records_is_not_asked_for() {
    let came = [("T.test.", "6a"), ("t.test", "6b"), ("other.test", "6c")];
    let came = came.map(|(name, addr)| (name, super::notation::addr(addr).ip()));
    let mut scene = Scene::with_records();
    let answer = Answer::from_services(records("1 t.test port=8443 hints=6h")).with_additional(came);
    scene.at(5).reply(Https, Ok(answer)).expect("query A t.test, start 6a:8443");
    scene.at(10).answer_of("t.test", A, "4a").answer_of("host.test", Aaaa, "6x").at(3000);
    assert_eq!(scene.starts(), "5 6a:8443, 255 4a:8443, 505 6b:8443, 755 6x");
}

/// A target whose addresses are to come is waited for, within the Resolution Delay, although the origin's are known:
/// records would otherwise hardly ever be followed.
///
/// Proves: SVC-18
#[test]
fn the_addresses_of_a_target_are_waited_for_one_resolution_delay() {
    let mut scene = Scene::with_records();
    scene.at(5).answer(Aaaa, "6x").answer(A, "4x").at(10).services("1 t.test").at(40).answer_of("t.test", Aaaa, "6a");
    scene.at(300);
    assert_eq!(scene.starts(), "40 6a, 290 6x");

    let mut scene = Scene::with_records();
    scene.at(5).answer(Aaaa, "6x").at(10).services("1 t.test").at(120).answer_of("t.test", Aaaa, "6a").at(310);
    assert_eq!(scene.starts(), "55 6x, 305 6a");
}

/// Where the preferred family of a target is missing, the other waits for it.
#[test]
fn a_target_waits_for_its_preferred_family() {
    let mut scene = Scene::with_records();
    scene.at(5).services("1 t.test").at(10).answer_of("t.test", A, "4a").at(30).answer_of("t.test", Aaaa, "6a").at(300);
    assert_eq!(scene.starts(), "30 6a, 280 4a");
    let mut scene = Scene::with_records();
    scene.at(5).services("1 t.test").at(10).answer_of("t.test", A, "4a").at(30).nodata_of("t.test", Aaaa);
    assert_eq!(scene.starts(), "30 4a");
}

/// Of the services of one priority the first that is known leads; of two priorities the better one is waited for.
///
/// Proves: SVC-9
#[test]
fn of_one_priority_the_first_known_leads() {
    for (target, addr) in [("t.test", "6t"), ("u.test", "6u")] {
        let mut scene = Scene::with_records();
        scene.at(5).services("1 t.test; 1 u.test").at(10).answer_of(target, Aaaa, addr);
        assert_eq!(scene.starts(), format!("10 {addr}"));
    }
    let mut scene = Scene::with_records();
    scene.at(5).services("1 t.test; 2 u.test").at(10).answer_of("u.test", Aaaa, "6u").at(20).nodata_of("t.test", Aaaa);
    scene.at(30).nodata_of("t.test", A);
    assert_eq!(scene.starts(), "30 6u");
}

/// An attempt at the origin that runs when records come goes on.
///
/// Proves: SVC-26
#[test]
fn an_attempt_that_runs_when_records_come_goes_on() {
    let mut scene = Scene::with_records();
    scene.at(5).answer(Aaaa, "6a").at(90).services("2 . ; 1 t.test port=8443 hints=6t").at(310).tcp("6a");
    assert_eq!(
        scene.log().split_off(3),
        [
            "55 start 6a",
            "90 query AAAA t.test",
            "90 query A t.test",
            "305 start 6t:8443",
            "310 cancel 6t:8443",
            "310 won 6a"
        ]
    );
}

/// The records of what a search list makes of a host are asked for when it exists; those of the host itself at once.
///
/// Proves: NET-7
#[test]
fn records_are_those_of_the_name_that_has_answered() {
    let search = |uri: &str, names: &[&str]| {
        let names = names.iter().map(|&name| name.into()).collect();
        Scene::with(|setup| {
            setup.records().uri = uri.into();
            setup.environment.names = Names::Ask(names);
        })
    };
    let mut scene = search("https://db/", &["db.lan.", "db."]);
    scene.expect("query AAAA db.lan., query A db.lan.").at(10).answer_of("db.lan.", A, "4a");
    scene.expect("query HTTPS db.lan.").at(20).nodata_of("db.lan.", Aaaa).at(25).services("1 . port=8443").at(26);
    assert_eq!(scene.starts(), "25 4a:8443");

    let mut scene = search("https://www.db/", &["www.db.", "www.db.lan."]);
    scene.expect("query HTTPS www.db., query AAAA www.db., query A www.db.");
    scene.at(10).nxdomain(Aaaa).at(11).nxdomain(A).expect("query AAAA www.db.lan., query A www.db.lan.");
}

/// A name without addresses whose service is elsewhere is found; only without records too is it another's turn.
#[test]
fn a_name_with_records_alone_ends_the_search() {
    let search = || {
        let mut scene = Scene::with(|setup| {
            setup.records().environment.names = Names::Ask(vec!["host.test".into(), "host.test.lan".into()]);
        });
        scene.expect("query HTTPS, query AAAA, query A").at(10).nodata(Aaaa).nodata(A).expect("");
        scene
    };
    let mut scene = search();
    scene.at(20).services("1 t.test").expect("query AAAA t.test, query A t.test");
    scene.at(30).answer_of("t.test", Aaaa, "6a").expect_start("6a");
    search().at(20).nodata(Https).expect("query AAAA host.test.lan, query A host.test.lan");
}

/// Those of a name that has been asked for already stand in until its own answer comes.
///
/// Proves: DNS-12
#[test]
fn what_comes_along_stands_in_for_an_answer_on_its_way() {
    let came = || [("host.test", super::notation::addr("6a").ip())];
    let answer = || Answer::from_services(records("1 . port=8443 hints=6h")).with_additional(came());
    let mut scene = Scene::with_records();
    scene.at(5).reply(Https, Ok(answer())).expect_start("6a:8443").at(10).answer(A, "4a").at(300);
    scene.answer(Aaaa, "6b").at(2000);
    assert_eq!(scene.starts(), "5 6a:8443, 255 4a:8443, 505 6b:8443, 755 6b, 1005 4a");
    let mut scene = Scene::with_records();
    scene.at(4).answer(Aaaa, "6b").at(5).reply(Https, Ok(answer())).at(400);
    assert_eq!(scene.starts(), "5 6b:8443, 255 6b");
}
