//! An `http` origin with HTTPS records: RFC 9460 section 9.5.

use std::error::Error as _;

use super::scene::Scene;
use crate::error::Error;
use crate::resolve::Names;
use crate::resolve::QueryKind::{A, Aaaa, Https};

fn http(uri: &str) -> Scene {
    Scene::with(|setup| setup.records().uri = uri.into())
}

/// A record that can be used, or an alias to one, ends the connect before anything is sent.
///
/// Proves: SVC-25
#[test]
fn an_http_origin_with_records_is_upgraded() {
    for text in ["1 .", "1 t.test alpn=h3 no-default-alpn", "0 cdn.test", "9 . mandatory=667 key=667; 1 t.test"] {
        let mut scene = http("http://host.test/");
        scene.at(5).answer(Aaaa, "6a").at(30).services(text);
        assert_eq!(scene.log().split_off(3), ["30 upgrade"], "{text}");
    }
}

/// Records that nobody here can use are none, nor is an alias to nothing.
///
/// Proves: SVC-25
#[test]
fn an_http_origin_without_usable_records_is_connected_to() {
    for text in ["1 t.test mandatory=667 key=667", "0 .", "1 t.test no-default-alpn"] {
        let mut scene = http("http://host.test/");
        scene.at(5).answer(Aaaa, "6a").at(30).services(text);
        assert_eq!(scene.starts(), "30 6a", "{text}");
    }
}

/// Records say nothing of where `http` is.
#[test]
fn records_never_shape_an_http_endpoint() {
    let mut scene = http("http://host.test/");
    scene.at(5).answer(Aaaa, "6a").at(20).services("0 .").at(30).nodata(Https).at(1000);
    assert_eq!(scene.starts(), "20 6a");
    assert_eq!(scene.queries.len(), 3);
}

/// They are waited for as long as any: when they come later, what runs is given up.
///
/// Proves: SVC-25
#[test]
fn late_records_still_upgrade_what_is_not_connected() {
    let mut scene = http("http://host.test/");
    scene.at(5).answer(Aaaa, "6a").at(90).services("1 .");
    assert_eq!(scene.log().split_off(3), ["55 start 6a", "90 cancel 6a", "90 upgrade"]);
}

/// The error says where to go instead, and trusts the records no more than a redirect.
///
/// Proves: SVC-25
#[test]
fn the_error_says_where_to_connect_to() {
    for (uri, upgraded) in [
        ("http://host.test/", "https://host.test/"),
        ("http://host.test:80/", "https://host.test/"),
        ("http://host.test:8080/", "https://host.test:8080/"),
        ("ws://host.test/", "wss://host.test/"),
        ("http://host.test./", "https://host.test./"),
    ] {
        let mut scene = http(uri);
        let error = Error::upgrade(scene.at(5).services("1 .").report());
        assert_eq!(error.upgrade_to().unwrap(), upgraded);
        assert!(
            error.to_string().starts_with("the host has HTTPS records, so https is to be used: host.test"),
            "{error}"
        );
        assert!(error.source().is_none() && !error.is_timeout() && !error.is_dns() && !error.is_connect());
    }
    let mut scene = http("http://host.test/");
    assert!(Error::from_race(scene.at(5).nodata(Https).report()).upgrade_to().is_none());
}

/// A name with records alone is the one that was meant, whatever is answered last: the search list ends there.
#[test]
fn a_name_with_records_alone_is_upgraded_too() {
    let search = || {
        let mut scene = Scene::with(|setup| {
            setup.records().uri = "http://host.test/".into();
            setup.environment.names = Names::Ask(vec!["host.test".into(), "host.test.lan".into()]);
        });
        scene.expect("query HTTPS, query AAAA, query A").at(10).nodata(Aaaa);
        scene
    };
    search().services("1 .").expect("upgrade");
    search().nodata(A).expect("").at(20).services("1 .").expect("upgrade");
}
