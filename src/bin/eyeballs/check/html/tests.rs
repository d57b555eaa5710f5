use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use hyper_happy_eyeballs::HappyEyeballsConnector;
use hyper_happy_eyeballs::reachability::{
    Certificate, Check, Checker, Client, DRILL_LIMIT, DrillOutcome, Level, Ping, Proxy, Scenario,
};
use hyper_happy_eyeballs::resolve::{HickoryResolver, QueryKind, ServiceRecord};
use rcgen::{CertificateParams, DnType, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::bars::Axis;
use super::page;
use super::page::icon;
use crate::check::Checked;
use crate::waterfall::{Mark, Row, Span, Tone};

mod contrast;
mod markup;

const GOOD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const REFUSING: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Of a site with two addresses, of which one serves `location`.
async fn check(location: &str) -> Check {
    let listener = TcpListener::bind((GOOD, 0)).await.expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    let answer = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    // Nobody is there, so that there are no names, and no failures either that differ from machine to machine.
    let dns = HickoryResolver::with_name_servers([SocketAddr::from((GOOD, 9))]);
    let addrs = [REFUSING, GOOD].map(|ip| SocketAddr::new(IpAddr::V4(ip), 0));
    let builder = HappyEyeballsConnector::builder_with_resolver(dns.clone()).resolve("www.test", addrs).plaintext();
    let mut checker = Checker::new(builder, dns).expect("plaintext is a choice");
    checker.ping(false);
    let uri = format!("http://www.test:{port}/").parse().expect("a URI");
    checker.check(&uri).await.expect("a URL that can be connected to")
}

fn rendered(checked: Checked) -> String {
    page(&[checked], SystemTime::now())
}

fn of(url: &str, result: Result<Check, String>) -> Checked {
    Checked { url: url.into(), result }
}

/// A certificate with these names.
fn certificate(subject: &str, names: &[&str]) -> Certificate {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("they are ASCII");
    params.distinguished_name.push(DnType::CommonName, subject);
    let key = KeyPair::generate().expect("a key");
    Certificate::from_der(params.self_signed(&key).expect("a certificate").der()).expect("it can be read")
}

/// Text that would be an element, with characters that would turn what is around it.
fn hostile(number: usize) -> String {
    format!("<img{number} src=x onerror='alert(1)'>&\"\u{1b}[2J\u{9b}\u{202e}\u{2066}\n\0")
}

#[tokio::test]
async fn text_from_the_network_is_shown_and_nothing_else() {
    let mut check = check("<img0 src=x>").await;
    check.verdict.reason = hostile(1);
    check.verdict.notes = vec![hostile(2)];
    let lookup = &mut check.lookups[0];
    lookup.name = hostile(3);
    lookup.aliases = vec![hostile(4)];
    let mut services = lookup.clone();
    services.kind = QueryKind::Https;
    services.services = vec![ServiceRecord::new(1, hostile(5))];
    check.lookups.push(services);
    let address = &mut check.addresses[0];
    address.target = Some(hostile(6));
    address.pointers = Some(Ok(vec![hostile(7)]));
    address.probe.fault.as_mut().expect("it refuses").detail = hostile(8);
    address.ping = Some(Ping::NotPermitted(hostile(9)));
    address.probe.certificate = Some(certificate(&hostile(10), &[]));
    check.addresses[1].probe.certificate = Some(certificate("", &["<img11>"]));
    check.drill[0].outcome = DrillOutcome::Failed { error: hostile(12), after: Duration::ZERO };
    let page = rendered(of(&hostile(13), Ok(check)));

    for number in 0..=13 {
        assert!(page.contains(&format!("&lt;img{number}")), "{number}: {page}");
    }
    assert!(!page.contains("<img"), "{page}");
    let (_, body) = page.split_once("</style>").expect("it has a style");
    let disturbs = |char: char| char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!body.contains(disturbs), "{body:?}");
    markup::assert_well_formed(&page);
}

#[test]
fn the_title_is_text_too() {
    let page = rendered(of("</title><img src=x>\u{202e}", Err("</p><img src=x>".into())));
    assert!(!page.contains("<img") && !page.contains('\u{202e}'), "{page}");
    markup::assert_well_formed(&page);
}

#[tokio::test]
async fn nothing_runs_and_nothing_is_loaded() {
    let page = rendered(of("http://www.test/", Ok(check("/elsewhere").await)));
    let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'";
    assert!(page.contains(policy), "{page}");
    for tag in markup::tags(&page) {
        let loads =
            ["script", "link", "img", "iframe", "object", "embed", "form", "base", "image", "use", "foreignObject"];
        assert!(!loads.contains(&tag.name), "{tag:?}");
        for (name, value) in &tag.attributes {
            assert!(!name.starts_with("on") && *name != "src", "{tag:?}");
            assert!(*name != "href" || value.starts_with('#'), "{tag:?}");
        }
    }
    assert!(!page.contains("url(") && !page.contains("@import"), "{page}");
}

/// Also where a sum of floats is a hair off.
#[test]
fn every_time_can_be_drawn() {
    let axis_end = Duration::from_micros(23_519);
    for start in (0..23_519).step_by(7).chain([23_519]).map(Duration::from_micros) {
        for end in [Some(start), Some(start + Duration::from_nanos(300)), Some(axis_end), None] {
            let spans = vec![Span { start, mark: Mark::Tcp }, Span { start: end.unwrap_or(axis_end), mark: Mark::Tls }];
            let row = Row { label: "a".into(), start, end, spans, text: "won".into(), tone: Tone::Won };
            for axis_end in [axis_end, Duration::ZERO] {
                let drawn = Axis::new(axis_end).bar(false, &row).into_string();
                assert_eq!(drawn.matches("<rect").count(), 2, "{drawn}");
                assert!(!drawn.contains("width=\"-") && !drawn.contains("NaN"), "{drawn}");
            }
        }
    }
}

#[tokio::test]
async fn every_fact_is_there() {
    let mut check = check("http://other.test/").await;
    let port = check.origin.port();
    check.verdict.notes = vec!["worth knowing".into()];
    check.lookups[0].aliases = vec!["alias.test.".into()];
    check.lookups[0].ttl = Some(Duration::from_secs(321));
    let address = &mut check.addresses[1];
    address.target = Some("svc.test.".into());
    address.pointers = Some(Ok(vec!["host.test.".into()]));
    address.ping = Some(Ping::Answered(Duration::from_micros(12_340)));
    let names = ["a.test", "b.test", "c.test", "d.test", "e.test"];
    address.probe.certificate = Some(certificate("", &names));
    let until = address.probe.certificate.as_ref().expect("it is there").not_after;
    check.drill.truncate(3);
    check.drill[0].cost = Some(Duration::from_micros(251_900));
    check.drill[1].outcome = DrillOutcome::CutOff;
    check.drill[2].outcome = DrillOutcome::Failed { error: "all lost".into(), after: Duration::from_millis(7) };
    check.drill[2].scenario = Scenario::Ipv6Silent;
    let drill = (check.drill[1].client, check.drill[2].client);
    assert_eq!(drill, (Client::Rfc6555, Client::Sequential));
    let url = format!("http://www.test:{port}/");
    let page = rendered(of(&url, Ok(check)));
    let text = markup::text(&page);

    let facts = [
        &*url,
        "degraded",
        "127.0.0.2 refused",
        "worth knowing",
        // DNS
        "addresses",
        "→ alias.test",
        "321 s",
        // Addresses
        "of svc.test",
        "host.test",
        "from 127.0.0.1",
        "12.3 ms",
        "✓ 302",
        "HTTP/1.1",
        "→ http://other.test/",
        "c.test",
        "and 2 more",
        &format!("until {until:#}"),
        "✗ refused",
        "A full bar is ",
        // The connect
        "Connected to 127.0.0.1 in ",
        "HTTP/1.1 302 Found to http://other.test/.",
        "addresses www.test",
        "TCP refused",
        "✓ won",
        "first byte",
        // The drill
        "this connector",
        "RFC 6555 client",
        "sequential client",
        "as it is",
        "+251 ms",
        &format!("> {} s", DRILL_LIMIT.as_secs()),
        "IPv6 silent",
        "✗ failed",
        "after 7.0 ms",
        "IPv6 silent, sequential client: all lost",
    ];
    for fact in facts {
        assert!(text.contains(fact), "{fact}: {text}");
    }
    assert!(!text.contains("d.test"), "{text}");
    markup::assert_well_formed(&page);
}

#[tokio::test]
async fn what_is_not_known_is_left_out() {
    let mut check = check("/").await;
    check.lookups.clear();
    check.drill.clear();
    let page = rendered(of("http://www.test/", Ok(check)));
    assert!(page.contains("<h3>Addresses</h3>"), "{page}");
    for heading in ["DNS", "What a broken family costs", "Through proxies"] {
        assert!(!page.contains(&format!("<h3>{heading}</h3>")), "{heading}: {page}");
    }
}

#[tokio::test]
async fn the_worst_comes_first() {
    let mut checked = vec![];
    for (level, reason) in [(Level::Ok, "one"), (Level::Degraded, "two"), (Level::Ok, "three"), (Level::Down, "four")] {
        let mut check = check("/").await;
        check.verdict.level = level;
        check.verdict.reason = reason.into();
        checked.push(of(&format!("http://{reason}.test/"), Ok(check)));
    }
    checked.push(of("nonsense", Err("it has no scheme".into())));
    let page = page(&checked, SystemTime::now());

    let urls = ["http://four.test/", "nonsense", "http://two.test/", "http://one.test/", "http://three.test/"];
    let (summary, sections) = page.split_once("<main>").expect("targets come after the summary");
    for part in [summary, sections] {
        let (_, part) = part.split_once("<body>").unwrap_or(("", part));
        let places: Vec<_> = urls.iter().map(|url| part.find(url).expect("it is there")).collect();
        assert!(places.is_sorted(), "{places:?}: {part}");
    }
    let text = markup::text(summary);
    assert!(text.contains("2 down") && text.contains("1 degraded") && text.contains("2 ok"), "{text}");
    assert!(text.contains("bad URL: it has no scheme"), "{text}");

    let tags = markup::tags(&page);
    let attributes = |name| tags.iter().filter_map(move |tag| tag.attribute(name)).collect::<Vec<_>>();
    let links: Vec<_> = attributes("href").iter().map(|link| link.trim_start_matches('#')).collect();
    assert_eq!(links, attributes("id"));
    let open = tags.iter().filter(|tag| tag.name == "details").map(|tag| tag.attribute("open").is_some());
    assert_eq!(open.collect::<Vec<_>>(), [true, true, false, false]);
    markup::assert_well_formed(&page);
}

#[tokio::test]
async fn an_only_target_is_open_and_has_no_summary() {
    let mut check = check("/").await;
    check.verdict.level = Level::Ok;
    let page = rendered(of("http://www.test/", Ok(check)));
    assert!(page.contains("<details open>") && !page.contains("<nav"), "{page}");
    assert!(page.contains("<title>http://www.test/: ok</title>"), "{page}");
}

#[test]
fn the_page_tells_when_it_was() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let page = page(&[of("nonsense", Err("bad".into()))], now);
    assert!(page.contains("<time datetime=\"2001-09-09T01:46:40Z\">2001-09-09 01:46:40 UTC</time>"), "{page}");
}

#[test]
fn every_level_has_a_shape_and_a_word_of_its_own() {
    let shapes = [Level::Ok, Level::Degraded, Level::Down].map(|level| icon(level).into_string());
    assert!(shapes[0] != shapes[1] && shapes[1] != shapes[2] && shapes[2] != shapes[0]);
    let page = rendered(of("nonsense", Err("bad".into())));
    assert!(page.contains(&format!("<span class=\"level down\">{}<span>down</span></span>", shapes[2])), "{page}");
}

#[tokio::test]
async fn what_proxies_see_is_a_column_each() {
    let dns = HickoryResolver::with_name_servers([SocketAddr::from((GOOD, 9))]);
    let builder = HappyEyeballsConnector::builder_with_resolver(dns.clone()).plaintext();
    let mut checker = Checker::new(builder, dns).expect("plaintext is a choice");
    let proxies = ["socks5h://127.0.0.3:9", "socks5h://127.0.0.4:9"];
    for proxy in proxies {
        checker.via(proxy.parse::<Proxy>().expect("a proxy"));
    }
    let check = checker.drill(false).check(&"http://127.0.0.2:9/".parse().expect("a URI")).await.expect("a URL");
    let text = markup::text(&rendered(of("http://127.0.0.2:9/", Ok(check))));
    for fact in ["Through proxies", proxies[0], proxies[1], "not checked"] {
        assert!(text.contains(fact), "{fact}: {text}");
    }
}
