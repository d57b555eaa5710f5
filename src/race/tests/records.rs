//! Which HTTPS records can be used, and in which order: RFC 9460 sections 2.4, 7, 8 and 9.

use std::collections::BTreeMap;

use super::notation::records;
use super::scene::Scene;
use crate::report::AttemptOutcome;
use crate::resolve::Answer;
use crate::resolve::QueryKind::{A, Aaaa, Https};

/// The endpoints of the services that `text` leaves, in the order in which they start: records with a hint each.
fn followed(text: &str) -> String {
    followed_with(0, text)
}

fn followed_with(seed: u64, text: &str) -> String {
    let mut scene = Scene::with(|setup| setup.records().environment.seed = seed);
    scene.at(5).reply(Https, Ok(Answer::from_services(records(text)))).at(6).nodata_of("host.test", Aaaa);
    scene.nodata_of("host.test", A).at(4000);
    scene.attempts.iter().map(|addr| scene.name(*addr)).collect::<Vec<_>>().join(" ")
}

/// The smaller number goes first, wherever it stands in the set.
///
/// Proves: SVC-9, GRP-4
#[test]
fn services_go_by_priority() {
    assert_eq!(followed("3 c hints=6c; 1 a hints=6a; 2 b hints=6b"), "6a 6b 6c");
}

/// Those of one priority are shuffled as wholes: each leads about as often, and what belongs to one stays together.
///
/// Proves: SVC-9, GRP-4
#[test]
fn services_of_one_priority_are_shuffled_as_groups() {
    let mut counts = BTreeMap::new();
    for seed in 0..600 {
        *counts.entry(followed_with(seed, "1 a hints=6a; 1 b hints=6b,4b; 2 c hints=6c")).or_insert(0) += 1;
    }
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["6a 6b 4b 6c", "6b 4b 6a 6c"]);
    assert!(counts.values().all(|count| (200..400).contains(count)), "{counts:?}");
}

/// A key that nobody knows is no obstacle unless the record says so, and then to this record alone.
///
/// Proves: SVC-10
#[test]
fn a_record_whose_mandatory_keys_are_not_understood_is_skipped() {
    assert_eq!(followed("1 a key=667 hints=6a"), "6a");
    assert_eq!(followed("1 a mandatory=667 key=667 hints=6a; 2 b hints=6b"), "6b");
    assert_eq!(followed("1 a mandatory=1,2,3,4,6 alpn=h2 no-default-alpn port=8443 hints=4a,6a"), "6a:8443 4a:8443");
    // Without ECH of our own a record that insists on it is for others; otherwise it does not matter.
    assert_eq!(followed("1 a mandatory=5 ech=x hints=6a; 2 b ech=x hints=6b"), "6b");
}

/// What contradicts itself is skipped by itself.
///
/// Proves: SVC-10
#[test]
fn a_record_that_is_not_consistent_is_skipped() {
    for bad in [
        "mandatory=0",
        "mandatory=667",
        "mandatory=1",
        "mandatory=2",
        "mandatory=3",
        "mandatory=4",
        "mandatory=5",
        "mandatory=4,1 alpn=h2 hints=4a",
        "mandatory=1,1 alpn=h2",
        "no-default-alpn",
        "alpn=",
    ] {
        assert_eq!(followed(&format!("1 a hints=6a {bad}; 2 b hints=6b")), "6b", "{bad}");
    }
    assert_eq!(followed("1 a hints=4a mandatory=6; 2 b hints=6b"), "6b");
}

/// What remains is as if there were no other: the origin, at its own port.
///
/// Proves: SVC-12, QUI-3
#[test]
fn without_a_usable_record_it_is_the_origin() {
    for text in ["1 a mandatory=667 key=667 hints=6a", "1 a alpn=h3 no-default-alpn port=8443 hints=6a"] {
        let mut scene = Scene::with_records();
        scene.at(5).services(text).expect("").at(10).answer(Aaaa, "6x").expect_start("6x");
    }
}

/// The set of a record is what it names and HTTP/1.1, unless it says not: HTTP/3 alone still leaves TCP.
///
/// Proves: SVC-14, QUI-2
#[test]
fn the_default_protocol_belongs_to_every_record_that_does_not_exclude_it() {
    assert_eq!(followed("1 a alpn=h3 hints=6a; 2 b hints=6b"), "6a 6b");
    assert_eq!(followed("1 a alpn=h2 no-default-alpn hints=6a"), "6a");
    assert_eq!(followed("1 a alpn=h3,h2 no-default-alpn hints=6a"), "6a");
}

/// A service that speaks nothing of ours gets neither a query nor an attempt.
///
/// Proves: SVC-11, SVC-15, QUI-1
#[test]
fn a_service_without_a_protocol_of_ours_is_skipped() {
    assert_eq!(followed("1 a alpn=h3 no-default-alpn hints=6a; 2 b alpn=h2 hints=6b"), "6b");
    let mut scene = Scene::with_records();
    scene
        .at(5)
        .services("1 a.test alpn=h3,foo no-default-alpn hints=6a; 2 b.test")
        .expect("query AAAA b.test, query A b.test");

    // It hangs on what this client offers.
    let offers = |protocol: &str, text| {
        let mut scene = Scene::with(|setup| setup.records().environment.alpn = [protocol.into()].into());
        scene.at(5).services(text).at(60).answer_of("host.test", Aaaa, "6x").at(1000);
        scene.starts()
    };
    assert_eq!(offers("h2", "1 . alpn=http/1.1 port=8443 hints=6a"), "60 6x");
    assert_eq!(offers("http/1.1", "1 . alpn=h2 no-default-alpn port=8443 hints=6a"), "60 6x");
    assert_eq!(offers("h2", "1 . alpn=h2 no-default-alpn port=8443 hints=6a"), "5 6a:8443, 255 6x:8443, 505 6x");
}

/// A set of which every record goes without the default protocol is used as any other (section 7.1.2 leaves it open).
///
/// Proves: SVC-29
#[test]
fn a_set_without_the_default_protocol_is_used() {
    assert_eq!(followed("1 a alpn=h2 no-default-alpn hints=6a; 2 b alpn=h2 no-default-alpn hints=6b"), "6a 6b");
}

/// A record cannot send anybody to a mail server, nor to the port 0; the URI's own port stays what it is.
///
/// Proves: SVC-13
#[test]
fn a_port_of_another_protocol_is_denied_where_only_a_record_names_it() {
    for port in [0, 1, 22, 25, 587, 6000, 6667, 10080] {
        let mut scene = Scene::with_records();
        scene.at(5).services(&format!("1 a.test port={port} hints=6a; 2 b.test port=8443 hints=6b"));
        scene.answer_of("a.test", Aaaa, "6a 6c").nodata_of("a.test", A).at(300);
        assert_eq!(scene.starts(), "5 6b:8443", "{port}");
        let report = scene.report();
        let denied = report.attempts().iter().filter_map(|it| match it.outcome() {
            AttemptOutcome::Denied(reason) => Some((it.addr().port(), &**reason)),
            _ => None,
        });
        let reason = format!("port {port} is of another protocol, and only a record names it");
        assert_eq!(denied.collect::<Vec<_>>(), [(port, &*reason); 2]);
    }
    let mut scene = Scene::with(|setup| setup.records().uri = "https://host.test:6000/".into());
    scene.at(5).services("1 a.test port=6000 hints=6a").at(6);
    assert_eq!(scene.starts(), "5 6a");
}

/// An alias beside services: they do not count.
///
/// Proves: SVC-2
#[test]
fn beside_an_alias_services_do_not_count() {
    let mut scene = Scene::with_records();
    scene.at(5).services("1 svc.test hints=6a; 0 alias.test; 2 other.test");
    scene.expect("query HTTPS alias.test, query AAAA alias.test, query A alias.test");
}

/// Of several aliases one is followed, each about as often.
///
/// Proves: SVC-3
#[test]
fn one_of_several_aliases_is_picked_at_random() {
    let mut counts = BTreeMap::new();
    for seed in 0..1000 {
        let mut scene = Scene::with(|setup| setup.records().environment.seed = seed);
        scene.at(5).services("0 a.test; 0 b.test; 0 c.test");
        let asked: Vec<_> = scene.queries.iter().skip(3).map(|(name, _)| name.to_string()).collect();
        assert!(asked.iter().all(|name| *name == asked[0]) && asked.len() == 3, "{asked:?}");
        *counts.entry(asked[0].clone()).or_insert(0) += 1;
    }
    assert!(counts.len() == 3 && counts.values().all(|count| (250..420).contains(count)), "{counts:?}");
}

/// However many there are, they are eight, the most preferred.
#[test]
fn the_services_of_a_set_are_capped() {
    for count in [8, 9, 1000] {
        let text: Vec<_> = (1..=count).rev().map(|priority| format!("{priority} t{priority}.test")).collect();
        let mut scene = Scene::with_records();
        scene.at(5).services(&text.join(";"));
        let targets: Vec<_> = scene.queries.iter().skip(3).map(|(name, kind)| format!("{kind} {name}")).collect();
        let expected: Vec<_> = (1..=8).flat_map(|it| [format!("AAAA t{it}.test"), format!("A t{it}.test")]).collect();
        assert_eq!(targets, expected, "{count}");
    }
}

/// What a name can have asked at most: its own three, three for each of 8 aliases, and two for each of 8 services.
#[test]
fn the_queries_of_a_name_are_bounded() {
    let mut scene = Scene::with_records();
    for number in 1..=8 {
        scene.services(&format!("0 a{number}.test"));
    }
    let services: Vec<_> = (1..=20).map(|number| format!("{number} t{number}.test")).collect();
    scene.services(&services.join(";")).at(1);
    assert_eq!(scene.queries.len(), 3 + 8 * 3 + 8 * 2);
}

/// What was offered beside TCP stands in the report, for layers that could use it.
///
/// Proves: QUI-6
#[test]
fn the_report_shows_the_records_that_came() {
    let mut scene = Scene::with_records();
    let text = "1 . alpn=h3,h2; 2 t.test alpn=h3 no-default-alpn";
    scene.at(5).services(text);
    let report = scene.report();
    let query = report.queries().iter().find(|query| query.kind() == Https).unwrap();
    assert_eq!(query.services(), records(text));
    assert!(query.services()[1].alpn().any(|protocol| protocol == b"h3"));
    assert!(query.result().unwrap().unwrap().is_empty());
    assert!(report.queries().iter().all(|query| query.kind() == Https || query.services().is_empty()));
}

/// Lists of hints have no order of their own: which of the two goes first is left to chance.
///
/// Proves: SVC-20
#[test]
fn hints_are_shuffled() {
    let first = |seed| followed_with(seed, "1 a hints=6a,6b")[..2].to_owned();
    let leads = (0..400).filter(|seed| first(*seed) == "6a").count();
    assert!((130..270).contains(&leads), "{leads}");
}
