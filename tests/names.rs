//! From names to addresses: special names, overrides, DNS good and bad, what is kept, and resolvers of hyper-util.

mod host;
mod lab;
mod support;

use std::convert::Infallible;
use std::error::Error as StdError;
use std::future::Ready;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::join_all;
use hickory_server::proto::rr::rdata::CNAME;
use hickory_server::proto::rr::{Name as DnsName, RData, RecordType};
use hyper_happy_eyeballs::report::FailureKind;
use hyper_happy_eyeballs::resolve::{QueryKind, ResolveError, ResolveErrorKind};
use hyper_happy_eyeballs::{AddressPolicy, HappyEyeballsConnector, Report, Verdict};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

use host::{HOST, HTTP, HTTPS, Host, V4, config, only_ipv4, unanswered_queries};
use lab::{Loopback, Reply, Site};
use support::{connect, failure_kinds};

const ONE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG_DELAY: Duration = Duration::from_secs(2);

/// The addresses of an answer in a report.
fn answer(report: &Report, kind: QueryKind) -> Option<Vec<IpAddr>> {
    let query = report.queries().iter().find(|query| query.kind() == kind)?;
    Some(query.result()?.ok()?.iter().map(SocketAddr::ip).collect())
}

#[tokio::test]
async fn localhost_is_not_asked_for_and_ipv4_alone_will_do() {
    let host = Host::open(only_ipv4(ONE, HTTP).await).await;
    // The failure on ::1 is what lets IPv4 start, not the timer.
    let mut config = config();
    config.attempt_delay(LONG_DELAY);
    let connector = host.configured(config);
    for name in ["localhost", "LocalHost.", "app.localhost"] {
        let stream = connect(&connector, &format!("http://{name}:{}/", host.sites.port())).await.unwrap();
        let report = stream.report();
        assert!(report.elapsed() < LONG_DELAY, "{report}");
        let addrs: Vec<_> = report.attempts().iter().map(|attempt| attempt.addr().ip()).collect();
        assert_eq!(addrs.last(), Some(&ONE));
        assert!(addrs.len() == 1 || addrs == [IpAddr::from(Ipv6Addr::LOCALHOST), ONE], "{report}");
    }
    assert_eq!(host.dns.log().len(), 0);
}

/// A scheduler of several threads may not change the order: the name server here says nothing and listens. It takes
/// a coincidence within hickory, whose two sockets become writable in between two polls, to turn it round, of which a
/// loaded machine has more; a task for each lookup turned it round nine times in ten.
///
/// Proves: DNS-5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aaaa_is_asked_for_before_a() {
    const AAAA: u16 = 28;
    let mut first = Vec::new();
    for _ in 0..50 {
        let queries = unanswered_queries("http://www.lab.test/", 2).await;
        let kinds: Vec<_> = queries.iter().map(|(_, kind)| *kind).collect();
        assert!(kinds.contains(&AAAA), "{kinds:?}");
        first.push(kinds[0]);
    }
    assert!(first.iter().filter(|kind| **kind == AAAA).count() >= 33, "{first:?}");
}

#[tokio::test]
async fn an_override_stands_for_a_host_in_every_spelling_and_nobody_is_asked() {
    let host = Host::with(HTTPS).await;
    let addr = host.addr(V4[0]);
    let connector = host.builder().resolve("Www.Lab.Test.", [addr]).build().unwrap();
    for name in ["www.lab.test", "www.lab.test.", "WWW.lab.TEST"] {
        let stream = connect(&connector, &format!("https://{name}/")).await.unwrap();
        assert_eq!(stream.tcp_stream().peer_addr().unwrap(), addr);
        assert_eq!(answer(stream.report(), QueryKind::Addresses), Some(vec![V4[0]]));
    }
    assert_eq!(host.dns.log().len(), 0);

    // Others are asked for, those below it included.
    let error = connect(&connector, "https://below.www.lab.test/").await.unwrap_err();
    assert!(error.is_dns(), "{error}");
    assert_ne!(host.dns.log().len(), 0);
}

#[tokio::test]
async fn the_port_is_the_uris_then_the_overrides_then_the_schemes() {
    let ip = Ipv4Addr::new(192, 0, 2, 1);
    let mut config = config();
    config.address_policy(AddressPolicy::new(|_, _| Verdict::deny("only asked")));
    let connector = HappyEyeballsConnector::builder()
        .plaintext()
        .config(config)
        .resolve("with.test", [(ip, 8080).into()])
        .resolve("without.test", [(ip, 0).into()])
        .resolve("many.test", [(ip, 8080).into(), (ip, 0).into(), (ip, 8081).into()])
        .build()
        .unwrap();
    for (uri, ports) in [
        ("http://with.test:81/", &[81][..]),
        ("http://with.test/", &[8080]),
        ("https://with.test/", &[8080]),
        ("http://without.test:81/", &[81]),
        ("http://without.test/", &[80]),
        ("https://without.test/", &[443]),
        ("https://many.test/", &[8080, 443, 8081]),
        ("https://many.test:444/", &[444]),
    ] {
        let error = connect(&connector, uri).await.unwrap_err();
        let addrs: Vec<_> = error.report().unwrap().attempts().iter().map(|attempt| attempt.addr()).collect();
        let expected: Vec<_> = ports.iter().map(|&port| SocketAddr::from((ip, port))).collect();
        assert_eq!(addrs, expected, "{uri}");
    }
}

/// Proves: NAM-3, NAM-4
#[tokio::test]
async fn names_outside_dns_are_errors_without_a_query() {
    let host = Host::with(HTTP).await;
    let connector = host.connector();
    for (name, zone) in [
        ("expyuzz4wqqyqhjn.onion", ".onion"),
        ("WWW.Example.ONION.", ".onion"),
        ("www.invalid", ".invalid"),
        ("invalid", ".invalid"),
        ("www.alt", ".alt"),
    ] {
        let error = connect(&connector, &format!("http://{name}/")).await.unwrap_err();
        assert!(error.is_dns() && !error.is_timeout() && !error.is_connect(), "{error}");
        assert!(error.to_string().contains(zone), "{error}");
        let cause = error.source().unwrap().downcast_ref::<ResolveError>().unwrap();
        assert_eq!(cause.kind(), ResolveErrorKind::NxDomain);
    }
    assert_eq!(host.dns.log().len(), 0);
}

/// Proves: NAM-5
#[tokio::test]
async fn literals_are_not_asked_for() {
    let host = Host::with(HTTP).await;
    let uris = [format!("http://{}/", host.addr(V4[0])), format!("http://[::ffff:127.0.0.8]:{}/", host.sites.port())];
    for uri in uris {
        let stream = connect(&host.connector(), &uri).await.unwrap();
        // Over IPv4 also where IPv6 was written.
        assert_eq!(stream.tcp_stream().peer_addr().unwrap(), host.addr(V4[0]));
        assert_eq!(stream.report().queries().len(), 0);
    }
    assert_eq!(host.dns.log().len(), 0);
}

fn alias(of: &str) -> RData {
    RData::CNAME(CNAME(DnsName::from_ascii(of).unwrap()))
}

#[tokio::test]
async fn aliases_are_followed() {
    let host = Host::with(HTTP).await;
    // All in one answer, and one link at a time.
    let whole = Reply::records([alias("b.lab.test.")]).with("b.lab.test", alias("c.lab.test."));
    host.dns.set(
        "whole.lab.test",
        RecordType::A,
        whole.with("c.lab.test", RData::A(Ipv4Addr::new(127, 0, 0, 8).into())),
    );
    for kind in [RecordType::A, RecordType::AAAA] {
        host.dns.set("link.lab.test", kind, Reply::records([alias("next.lab.test.")]));
        host.dns.set("next.lab.test", kind, Reply::records([alias(&format!("{HOST}."))]));
    }
    for name in ["whole.lab.test", "link.lab.test"] {
        let stream = connect(&host.connector(), &format!("http://{name}:{}/", host.sites.port())).await.unwrap();
        assert_eq!(answer(stream.report(), QueryKind::A), Some(vec![V4[0]]), "{}", stream.report());
    }
}

#[tokio::test]
async fn every_negative_answer_is_an_error_that_names_it() {
    let host = Host::with(HTTP).await;
    let connector = host.connector();
    for (name, reply, kind, text) in [
        ("nx.lab.test", Reply::nx_domain(), ResolveErrorKind::NxDomain, "NXDOMAIN"),
        ("nodata.lab.test", Reply::no_data(), ResolveErrorKind::NoData, "NODATA"),
        ("fail.lab.test", Reply::serv_fail(), ResolveErrorKind::ServFail, "SERVFAIL"),
        ("refused.lab.test", Reply::refused(), ResolveErrorKind::Refused, "REFUSED"),
    ] {
        host.dns.set(name, RecordType::A, reply.clone());
        host.dns.set(name, RecordType::AAAA, reply);
        let error = connect(&connector, &format!("http://{name}/")).await.unwrap_err();
        assert!(error.is_dns() && !error.is_timeout() && !error.is_connect() && !error.is_tls(), "{error}");
        let cause = error.source().unwrap().downcast_ref::<ResolveError>().unwrap();
        assert_eq!(cause.kind(), kind);
        let message = error.to_string();
        assert!(message.starts_with(&format!("dns error: {name}:80 after ")), "{message}");
        for query in ["A", "AAAA"] {
            assert!(message.contains(&format!("; {query} {name}.: ")), "{message}");
        }
        assert_eq!(message.matches(text).count(), 2, "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[tokio::test]
async fn a_failed_aaaa_leaves_a_good_a() {
    for reply in [Reply::serv_fail(), Reply::refused(), Reply::no_data(), Reply::nx_domain()] {
        let host = Host::with(HTTP).await;
        host.dns.set(HOST, RecordType::AAAA, reply);
        let stream = connect(&host.connector(), &host.uri("http")).await.unwrap();
        assert_eq!(answer(stream.report(), QueryKind::A), Some(vec![V4[0]]));
        assert_eq!(answer(stream.report(), QueryKind::Aaaa), None);
    }
}

#[tokio::test]
async fn answers_are_kept_for_clones_too() {
    let host = Host::with(HTTP).await;
    let connector = host.connector();
    connect(&connector, &host.uri("http")).await.unwrap();
    let asked = host.dns.log().len();
    assert_eq!(asked, 2);
    let clone = connector.clone();
    for uri in [host.uri("http"), host.uri("http").to_uppercase().replace("HTTP", "http")] {
        connect(&clone, &uri).await.unwrap();
    }
    assert_eq!(host.dns.log().len(), asked);
}

#[tokio::test]
async fn negative_answers_are_kept() {
    let host = Host::with(HTTP).await;
    let connector = host.connector();
    for _ in 0..3 {
        assert!(connect(&connector, "http://nx.lab.test/").await.unwrap_err().is_dns());
    }
    assert_eq!(host.dns.asked("nx.lab.test", RecordType::A), 1);
    assert_eq!(host.dns.asked("nx.lab.test", RecordType::AAAA), 1);
}

#[tokio::test]
async fn an_answer_that_may_not_be_kept_is_asked_for_again() {
    let host = Host::with(HTTP).await;
    host.dns.set(HOST, RecordType::A, Reply::a([Ipv4Addr::new(127, 0, 0, 8)]).ttl(0));
    let connector = host.connector();
    for _ in 0..3 {
        connect(&connector, &host.uri("http")).await.unwrap();
    }
    assert_eq!(host.dns.asked(HOST, RecordType::A), 3);
    // This one may be kept.
    assert_eq!(host.dns.asked(HOST, RecordType::AAAA), 1);
}

#[tokio::test]
async fn an_answer_expires() {
    let host = Host::with(HTTP).await;
    host.dns.set(HOST, RecordType::A, Reply::a([Ipv4Addr::new(127, 0, 0, 8)]).ttl(1));
    let connector = host.connector();
    connect(&connector, &host.uri("http")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    connect(&connector, &host.uri("http")).await.unwrap();
    assert_eq!(host.dns.asked(HOST, RecordType::A), 2);
    assert_eq!(host.dns.asked(HOST, RecordType::AAAA), 1);
}

/// Proves: DNS-10
#[tokio::test]
async fn an_answer_that_comes_after_the_win_is_kept() {
    let host = Host::with(HTTP).await;
    host.dns.set(HOST, RecordType::AAAA, Reply::never());
    let mut config = config();
    config.dns_linger(Duration::from_secs(30));
    let connector = host.configured(config);
    let stream = connect(&connector, &host.uri("http")).await.unwrap();
    assert_eq!(answer(stream.report(), QueryKind::Aaaa), None);
    // hickory sends its packet again, for which nobody waits meanwhile.
    host.dns.set(HOST, RecordType::AAAA, Reply::aaaa([Ipv6Addr::LOCALHOST]));
    let kept = async {
        loop {
            let stream = connect(&connector, &host.uri("http")).await.unwrap();
            if let Some(addresses) = answer(stream.report(), QueryKind::Aaaa) {
                return addresses;
            }
        }
    };
    let kept = tokio::time::timeout(Duration::from_secs(10), kept).await.expect("an answer");
    assert_eq!(kept, [Ipv6Addr::LOCALHOST]);
    assert_eq!((host.dns.asked(HOST, RecordType::A), host.dns.asked(HOST, RecordType::AAAA)), (1, 1));
}

/// Proves: DNS-13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_connects_at_once_ask_once() {
    let host = Host::with(HTTP).await;
    for kind in [RecordType::A, RecordType::AAAA] {
        let reply = if kind == RecordType::A { Reply::a([Ipv4Addr::new(127, 0, 0, 8)]) } else { Reply::no_data() };
        // Long enough for the connects to find the lookup under way.
        host.dns.set(HOST, kind, reply.after(Duration::from_millis(150)));
    }
    let connector = host.connector();
    let connects = (0..100).map(|_| {
        let (connector, uri) = (connector.clone(), host.uri("http"));
        tokio::spawn(async move { connect(&connector, &uri).await })
    });
    for connected in join_all(connects).await {
        connected.unwrap().unwrap();
    }
    for kind in [RecordType::A, RecordType::AAAA] {
        assert_eq!(host.dns.asked(HOST, kind), 1, "{kind}");
    }
    host.server().until(|connections| connections.len() == 100).await;
}

#[tokio::test]
async fn getaddrinfo_resolves() {
    let host = Host::open(only_ipv4(ONE, HTTP).await).await;
    let uri = format!("http://localhost:{}/", host.sites.port());
    let by_service = HappyEyeballsConnector::new_with_resolver(GaiResolver::new());
    let by_builder = HappyEyeballsConnector::builder().system_resolver().plaintext().build().unwrap();
    for connector in [by_service, by_builder] {
        let stream = connect(&connector, &uri).await.unwrap();
        let [query] = stream.report().queries() else { panic!("{}", stream.report()) };
        assert_eq!((query.name(), query.kind()), ("localhost", QueryKind::Addresses));
        assert_eq!(stream.tcp_stream().peer_addr().unwrap(), host.addr(ONE));
        let error = connect(&connector, "http://no-such-name.invalid/").await.unwrap_err();
        assert!(error.is_dns(), "{error}");
    }
}

/// A resolver as hyper-util has them, with ports in its addresses and an order of its own.
#[derive(Clone)]
struct Fixed(Vec<SocketAddr>);

impl Service<Name> for Fixed {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        std::future::ready(Ok(self.0.clone().into_iter()))
    }
}

#[tokio::test]
async fn a_resolvers_ports_are_used_where_the_uri_has_none() {
    let host = Host::open([(V4[0], Site::Refused), (V4[1], HTTP)]).await;
    let other = Host::open([(V4[2], Site::Refused)]).await;
    let addrs = vec![other.addr(V4[2]), host.addr(V4[0]), host.addr(V4[1])];
    let connector = HappyEyeballsConnector::new_with_resolver(Fixed(addrs.clone()));
    let stream = connect(&connector, "http://h.test/").await.unwrap();
    let tried: Vec<_> = stream.report().attempts().iter().map(|attempt| attempt.addr()).collect();
    assert_eq!(tried, addrs);

    let explicit = format!("http://h.test:{}/", host.sites.port());
    let stream = connect(&connector, &explicit).await.unwrap();
    let mut tried = stream.report().attempts().iter().map(|attempt| attempt.addr());
    assert!(tried.all(|addr| addr.port() == host.sites.port()));
}

#[tokio::test]
async fn a_resolvers_order_stands() {
    // IPv4 first, and no order that sorting by number would give.
    let host = Host::open([(V4[0], Site::Refused), (V4[1], Site::Refused), (V4[2], Site::Refused)]).await;
    for order in [[2, 0, 1], [1, 2, 0], [0, 2, 1]] {
        let addrs = order.map(|index| host.addr(V4[index]));
        let connector = HappyEyeballsConnector::new_with_resolver(Fixed(addrs.to_vec()));
        let error = connect(&connector, "http://h.test/").await.unwrap_err();
        assert_eq!(failure_kinds(&error), addrs.map(|addr| (addr, FailureKind::Refused)));
    }
    let host = Host::open(only_ipv4(ONE, Site::Refused).await).await;
    if Loopback::detect().await == Loopback::Both {
        let addrs = [host.addr(ONE), host.addr(Ipv6Addr::LOCALHOST.into())];
        for addrs in [addrs, [addrs[1], addrs[0]]] {
            let connector = HappyEyeballsConnector::new_with_resolver(Fixed(addrs.to_vec()));
            let error = connect(&connector, "http://h.test/").await.unwrap_err();
            assert_eq!(failure_kinds(&error), addrs.map(|addr| (addr, FailureKind::Refused)));
        }
    }
}
