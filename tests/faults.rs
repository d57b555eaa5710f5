//! Servers, resolvers and policies at their worst: the race goes on, or there is a clear error.

mod host;
mod lab;
mod support;

use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::future::join;
use hyper_happy_eyeballs::report::{AttemptOutcome, FailureKind, Stage};
use hyper_happy_eyeballs::resolve::{Answer, Kinds, QueryKind, ResolveError, ResolveErrorKind};
use hyper_happy_eyeballs::{AddressPolicy, Config, HappyEyeballsConnector, Origin, Pacing, Verdict};

use host::{HTTP, HTTPS, Host, V4, assert_untouched, config, faulty};
use lab::{Behaviour, Site};
use support::{Script, connect, failure, failure_kinds, ready};

/// So long that only a failure, never the timer, can be why the next attempt started.
const LONG_DELAY: Duration = Duration::from_secs(2);
/// Between two starts there is at least this much (RFC 8305 section 5).
const FLOOR: Duration = Duration::from_millis(10);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn patient() -> Config {
    let mut config = config();
    config.attempt_delay(LONG_DELAY);
    config
}

/// The first address is bad, the second good; the race must come to the second by the failure of the first.
async fn falls_back_from(site: Site) -> FailureKind {
    let host = Host::open([(V4[0], site), (V4[1], HTTPS)]).await;
    let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
    let [first, second] = stream.report().attempts() else { panic!("{}", stream.report()) };
    assert_eq!((first.addr(), second.addr()), (host.addr(V4[0]), host.addr(V4[1])));
    assert!(matches!(second.outcome(), AttemptOutcome::Won));
    assert!(second.start() - first.start() >= FLOOR, "{}", stream.report());
    assert!(second.start() < LONG_DELAY, "{}", stream.report());
    assert_eq!(stream.tcp_stream().peer_addr().unwrap(), host.addr(V4[1]));
    failure(first).kind()
}

/// Proves: TLS-5, ATT-7
#[tokio::test]
async fn a_server_that_breaks_off_or_talks_nonsense_is_not_the_end() {
    assert_eq!(falls_back_from(faulty(Behaviour::Close)).await, FailureKind::Closed);
    assert_eq!(falls_back_from(faulty(Behaviour::Reset)).await, FailureKind::Closed);
    assert_eq!(falls_back_from(faulty(Behaviour::ResetHello)).await, FailureKind::Closed);
    assert_eq!(falls_back_from(faulty(Behaviour::Garbage)).await, FailureKind::Tls);
    assert_eq!(falls_back_from(Site::Refused).await, FailureKind::Refused);
}

/// Proves: TLS-2, ATT-10
#[tokio::test]
async fn a_stalled_handshake_lets_the_race_go_on() {
    let host = Host::open([(V4[0], faulty(Behaviour::Stall)), (V4[1], HTTPS)]).await;
    let stream = connect(&host.connector(), &host.uri("https")).await.unwrap();
    let [stalled, won] = stream.report().attempts() else { panic!("{}", stream.report()) };
    assert!(matches!(stalled.outcome(), AttemptOutcome::Cancelled));
    assert_eq!(stalled.stage(), Stage::Tls);
    assert_eq!((won.addr(), won.start() - stalled.start() >= millis(250)), (host.addr(V4[1]), true));
    // The loser is closed although the winner lives.
    host.server().until(|connections| connections.len() == 1 && connections[0].closed).await;
    drop(stream);
}

#[tokio::test]
async fn tls_timeout_ends_a_stalled_handshake() {
    let host = Host::open([(V4[0], faulty(Behaviour::Stall)), (V4[1], HTTPS)]).await;
    let mut config = config();
    config.tls_timeout(Some(millis(150)));

    let lone = format!("https://{}/", host.addr(V4[0]));
    let start = Instant::now();
    let error = connect(&host.configured(config.clone()), &lone).await.unwrap_err();
    assert!(start.elapsed() >= millis(150));
    assert!(error.is_tls() && error.is_timeout() && !error.is_connect(), "{error}");
    assert!(error.to_string().contains("tls timed out: the TLS timeout ran out"), "{error}");

    // Where nothing else would start the next one.
    // The good handshake has as much time.
    config.pacing(Pacing::Sequential).tls_timeout(Some(millis(1000)));
    let stream = connect(&host.configured(config), &host.uri("https")).await.unwrap();
    let [stalled, won] = stream.report().attempts() else { panic!("{}", stream.report()) };
    assert_eq!(failure(stalled).kind(), FailureKind::TimedOut);
    assert!(won.start() - stalled.tcp().unwrap() >= millis(1000));
    assert_eq!(won.addr(), host.addr(V4[1]));
}

/// Proves: ATT-16
#[tokio::test]
async fn refused_everywhere_names_every_address() {
    for (scheme, pacing) in [("http", Pacing::Staggered), ("https", Pacing::Sequential)] {
        let host = Host::open([(V4[0], Site::Refused), (V4[1], Site::Refused)]).await;
        let mut config = patient();
        config.pacing(pacing);
        let error = connect(&host.configured(config), &host.uri(scheme)).await.unwrap_err();
        assert!(error.is_connect() && !error.is_tls() && !error.is_timeout() && !error.is_dns(), "{error}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("tcp connect error: {}:{} after ", host::HOST, host.sites.port())), "{text}");
        for ip in &V4[..2] {
            assert!(text.contains(&format!("; {} tcp refused: Connection refused", host.addr(*ip))), "{text}");
        }
        assert_eq!(text.lines().count(), 1, "{text}");
        let refused = |ip| (host.addr(ip), FailureKind::Refused);
        assert_eq!(failure_kinds(&error), [refused(V4[0]), refused(V4[1])]);
        let cause = error.source().and_then(|error| error.downcast_ref::<io::Error>()).unwrap();
        assert_eq!(cause.kind(), io::ErrorKind::ConnectionRefused);
    }
}

#[tokio::test]
async fn connect_timeout_is_not_divided_among_the_addresses() {
    let slow = faulty(Behaviour::Delay(millis(1500)));
    let host = Host::open(V4.map(|ip| (ip, slow))).await;
    let mut config = config();
    // A third of it would be too little for any of them.
    config.pacing(Pacing::Sequential).connect_timeout(Some(millis(4000)));
    let stream = connect(&host.configured(config), &host.uri("https")).await.unwrap();
    let [won] = stream.report().attempts() else { panic!("{}", stream.report()) };
    assert!(won.end().unwrap() - won.start() >= millis(1500));
}

#[tokio::test]
async fn connect_timeout_covers_dns_tcp_and_tls() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], faulty(Behaviour::Stall))]).await;
    let mut config = config();
    config.connect_timeout(Some(millis(400)));
    let never = Script::new(Kinds::PerFamily, |_, _| Box::pin(std::future::pending()));
    let asks_in_vain = host.builder().resolver(never).config(config.clone()).build().unwrap();
    let uri = host.uri("https");
    let silent = format!("https://{}/", host.addr(V4[0]));
    let stalled = format!("https://{}/", host.addr(V4[1]));
    let races = host.configured(config);

    let cases = [(&asks_in_vain, &uri), (&races, &silent), (&races, &stalled), (&races, &uri)];
    for (connector, uri) in cases {
        let start = Instant::now();
        let error = connect(connector, uri).await.unwrap_err();
        assert!(start.elapsed() >= millis(400), "{error}");
        assert!(start.elapsed() < Duration::from_secs(3), "{error}");
        assert!(error.is_timeout() && !error.is_connect() && !error.is_tls() && !error.is_dns(), "{error}");
        assert!(error.to_string().starts_with("connect timed out: "), "{error}");
        let report = error.report().unwrap();
        assert!(report.elapsed() >= millis(400));
        assert!(report.attempts().iter().all(|attempt| matches!(attempt.outcome(), AttemptOutcome::Cancelled)));
    }
}

#[tokio::test]
async fn attempt_timeout_ends_one_address_and_the_next_has_its_turn() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], HTTPS)]).await;
    let mut config = config();
    // Time enough for the good one too, and a delay that is well beyond it.
    let (timeout, delay) = (millis(1000), 2 * LONG_DELAY);
    config.attempt_timeout(Some(timeout)).max_attempt_delay(delay).attempt_delay(delay);
    let connector = host.configured(config);
    let stream = connect(&connector, &host.uri("https")).await.unwrap();
    let [silent, won] = stream.report().attempts() else { panic!("{}", stream.report()) };
    assert_eq!(failure(silent).kind(), FailureKind::TimedOut);
    assert!(silent.end().unwrap() - silent.start() >= timeout);
    assert!((timeout..delay).contains(&(won.start() - silent.start())), "{}", stream.report());

    let error = connect(&connector, &format!("https://{}/", host.addr(V4[0]))).await.unwrap_err();
    assert!(error.is_timeout() && error.is_connect() && !error.is_tls(), "{error}");
}

/// Denies these.
fn policy(denied: impl IntoIterator<Item = IpAddr>) -> AddressPolicy {
    let denied: Vec<_> = denied.into_iter().collect();
    AddressPolicy::new(move |_: &Origin, addr: SocketAddr| match denied.contains(&addr.ip()) {
        true => Verdict::deny("not for us"),
        false => Verdict::Allow,
    })
}

/// Proves: NAM-9
#[tokio::test]
async fn a_denied_address_is_not_dialled_and_another_wins() {
    let host = Host::open([(V4[0], HTTP), (V4[1], HTTP)]).await;
    let mut config = config();
    config.address_policy(policy([V4[0]]));
    let stream = connect(&host.configured(config), &host.uri("http")).await.unwrap();
    assert_eq!(stream.tcp_stream().peer_addr().unwrap(), host.addr(V4[1]));
    let denied = stream.report().attempts().iter().find(|attempt| attempt.addr() == host.addr(V4[0])).unwrap();
    assert!(matches!(denied.outcome(), AttemptOutcome::Denied(reason) if reason == "not for us"));
    assert!(stream.report().to_string().contains("not for us"), "{}", stream.report());
    assert_untouched(host.sites.server(V4[0])).await;
}

/// Proves: NAM-9
#[tokio::test]
async fn when_every_address_is_denied_nothing_is_dialled() {
    let host = Host::open([(V4[0], HTTP), (V4[1], HTTP)]).await;
    let mut config = config();
    config.address_policy(policy(V4));
    let connector = host.configured(config);
    let literal = format!("http://{}/", host.addr(V4[0]));
    let mapped = format!("http://[::ffff:127.0.0.8]:{}/", host.sites.port());
    for (uri, count) in [(host.uri("http"), 2), (literal, 1), (mapped, 1)] {
        let error = connect(&connector, &uri).await.unwrap_err();
        assert!(error.is_denied() && !error.is_connect() && !error.is_dns() && !error.is_timeout(), "{error}");
        assert!(error.to_string().contains("denied: not for us"), "{error}");
        let attempts = error.report().unwrap().attempts();
        assert_eq!(attempts.len(), count);
        assert!(attempts.iter().all(|attempt| matches!(attempt.outcome(), AttemptOutcome::Denied(_))));
    }
    for server in host.sites.servers() {
        assert_untouched(server).await;
    }
}

#[tokio::test]
async fn the_policy_is_told_the_origin() {
    let policy = AddressPolicy::new(|origin: &Origin, addr| {
        assert_eq!((origin.scheme(), addr.port(), origin.port()), ("http", 8080, 8080));
        Verdict::deny(format!("{origin} may not be at {}", addr.ip()))
    });
    let mut config = config();
    config.address_policy(policy);
    let addr = (Ipv4Addr::new(192, 0, 2, 1), 0).into();
    let builder = HappyEyeballsConnector::builder_with_resolver(Script::addresses([addr])).plaintext();
    let error = connect(&builder.config(config).build().unwrap(), "http://h.test:8080/").await.unwrap_err();
    assert!(error.to_string().contains("h.test:8080 may not be at 192.0.2.1"), "{error}");
}

/// Proves: NAM-9
#[tokio::test]
async fn addresses_that_nothing_can_be_at_are_not_dialled() {
    let host = Host::with(HTTP).await;
    let port = host.sites.port();
    let never: [IpAddr; 8] = [
        Ipv6Addr::UNSPECIFIED.into(),
        Ipv4Addr::UNSPECIFIED.into(),
        Ipv4Addr::new(224, 0, 0, 1).into(),
        Ipv4Addr::new(239, 255, 255, 255).into(),
        Ipv4Addr::BROADCAST.into(),
        "ff02::1".parse().unwrap(),
        "::ffff:0.0.0.0".parse().unwrap(),
        "::ffff:224.0.0.9".parse().unwrap(),
    ];
    for kinds in [Kinds::Addresses, Kinds::PerFamily] {
        let script = |good: Option<IpAddr>| {
            let ips = never.into_iter().chain(good).collect::<Vec<_>>();
            Script::new(kinds, move |_, kind| {
                // A resolver may put anything into any answer.
                let ips = ips.iter().copied().filter(|ip| kind != QueryKind::A || ip.is_ipv4());
                ready(Ok(Answer::from_ips(ips)))
            })
        };
        let builder = HappyEyeballsConnector::builder_with_resolver(script(Some(V4[0]))).config(config());
        let stream = connect(&builder.plaintext().build().unwrap(), &format!("http://h.test:{port}/")).await.unwrap();
        assert_eq!(stream.tcp_stream().peer_addr().unwrap(), host.addr(V4[0]));
        let denied = |report: &hyper_happy_eyeballs::Report| {
            let denied = report.attempts().iter().filter(|it| matches!(it.outcome(), AttemptOutcome::Denied(_)));
            denied.map(|attempt| attempt.addr().ip()).collect::<Vec<_>>()
        };
        let refused = denied(stream.report());
        assert!(never.iter().all(|ip| refused.contains(&ip.to_canonical())), "{}", stream.report());
        assert_eq!(stream.report().attempts().len(), refused.len() + 1, "{}", stream.report());

        let builder = HappyEyeballsConnector::builder_with_resolver(script(None)).config(config());
        let error = connect(&builder.plaintext().build().unwrap(), &format!("http://h.test:{port}/")).await;
        assert!(error.unwrap_err().is_denied());
    }
    for literal in ["224.0.0.1", "255.255.255.255", "[ff0e::1]"] {
        let error = connect(&host.connector(), &format!("http://{literal}:{port}/")).await.unwrap_err();
        assert!(error.is_denied(), "{error}");
    }
}

#[tokio::test]
async fn a_resolver_that_panics_is_an_error_and_harms_nobody_else() {
    let host = Host::with(HTTP).await;
    let at_once = |_: &str, _| panic!("no such luck");
    let later = |_: &str, _| -> hyper_happy_eyeballs::resolve::Resolving {
        Box::pin(async {
            tokio::task::yield_now().await;
            panic!("no such luck either")
        })
    };
    let scripts = [
        Script::new(Kinds::PerFamily, at_once),
        Script::new(Kinds::Addresses, at_once),
        Script::new(Kinds::PerFamily, later),
    ];
    for script in scripts {
        let connector = HappyEyeballsConnector::builder_with_resolver(script.clone())
            .config(config())
            .plaintext()
            .resolve("good.test", [host.addr(V4[0])])
            .build()
            .unwrap();
        for _ in 0..2 {
            let (bad, good) =
                join(connect(&connector, "http://bad.test/"), connect(&connector, "http://good.test/")).await;
            let error = bad.unwrap_err();
            assert!(error.is_dns() && !error.is_timeout(), "{error}");
            assert!(error.to_string().contains("the resolver panicked"), "{error}");
            good.unwrap();
        }
        assert!(!script.asked().is_empty());
    }
}

#[tokio::test]
async fn a_panic_for_one_family_leaves_the_other() {
    let host = Host::with(HTTP).await;
    let script = Script::new(Kinds::PerFamily, |_, kind| match kind {
        QueryKind::Aaaa => panic!("no IPv6 here"),
        _ => ready(Ok(Answer::from_ips([V4[0]]))),
    });
    let builder = HappyEyeballsConnector::builder_with_resolver(script).config(config()).plaintext();
    let uri = format!("http://h.test:{}/", host.sites.port());
    connect(&builder.build().unwrap(), &uri).await.unwrap();
}

#[tokio::test]
async fn a_resolver_that_never_answers_is_a_timeout() {
    for kinds in [Kinds::PerFamily, Kinds::Addresses] {
        let script = Script::new(kinds, |_, _| Box::pin(std::future::pending()));
        let mut config = config();
        config.dns_timeout(Some(millis(200)));
        let builder = HappyEyeballsConnector::builder_with_resolver(script).config(config).plaintext();
        let start = Instant::now();
        let error = connect(&builder.build().unwrap(), "http://h.test/").await.unwrap_err();
        assert!(start.elapsed() >= millis(200));
        assert!(error.is_dns() && error.is_timeout() && !error.is_connect(), "{error}");
        assert!(error.to_string().starts_with("dns error: h.test:80 after "), "{error}");
    }
}

/// Proves: DNS-6
#[tokio::test]
async fn a_family_that_is_never_answered_does_not_stop_the_other() {
    let host = Host::with(HTTP).await;
    let script = Script::new(Kinds::PerFamily, |_, kind| match kind {
        QueryKind::Aaaa => Box::pin(std::future::pending()),
        _ => ready(Ok(Answer::from_ips([V4[0]]))),
    });
    let builder = HappyEyeballsConnector::builder_with_resolver(script).config(config()).plaintext();
    let uri = format!("http://h.test:{}/", host.sites.port());
    let stream = connect(&builder.build().unwrap(), &uri).await.unwrap();
    // The Resolution Delay is over, the five seconds for the lookup are not.
    assert!(stream.report().attempts()[0].start() >= millis(50));
    assert!(stream.report().elapsed() < Duration::from_secs(4), "{}", stream.report());
}

#[tokio::test]
async fn four_thousand_addresses_are_cut_and_each_is_tried_once() {
    let host = Host::open([(V4[0], Site::Refused), (V4[1], Site::Refused)]).await;
    let port = host.sites.port();
    // Every one of 1,000 addresses four times, on loopback where nobody listens.
    let ips = (0..4000_u32).map(|n| Ipv4Addr::from_bits(0x7f01_0000 + n % 1000 + 1));
    let addrs: Vec<_> = ips.map(|ip| SocketAddr::new(ip.into(), port)).collect();
    for kinds in [Kinds::Addresses, Kinds::PerFamily] {
        let answer = Answer::from_socket_addrs(addrs.iter().copied());
        let script = Script::new(kinds, move |_, kind| match kind {
            QueryKind::Aaaa => ready(Err(ResolveError::new(ResolveErrorKind::NoData, "no IPv6"))),
            _ => ready(Ok(answer.clone())),
        });
        let builder = HappyEyeballsConnector::builder_with_resolver(script).config(config()).plaintext();
        let error = connect(&builder.build().unwrap(), "http://h.test/").await.unwrap_err();
        assert!(error.is_connect(), "{error}");
        let tried: Vec<_> = error.report().unwrap().attempts().iter().map(|attempt| attempt.addr()).collect();
        assert_eq!(tried, addrs[..16]);
    }
}

#[tokio::test]
async fn a_good_address_behind_thousands_of_duplicates_is_found() {
    let host = Host::open([(V4[0], Site::Refused), (V4[1], HTTP)]).await;
    let many = std::iter::repeat_n(host.addr(V4[0]), 3999).chain([host.addr(V4[1])]);
    let builder = HappyEyeballsConnector::builder_with_resolver(Script::addresses(many)).plaintext();
    let stream = connect(&builder.build().unwrap(), "http://h.test/").await.unwrap();
    assert_eq!(stream.report().attempts().len(), 2);
}

#[tokio::test]
async fn an_empty_answer_is_an_error_of_dns() {
    for kinds in [Kinds::PerFamily, Kinds::Addresses] {
        let script = Script::new(kinds, |_, _| ready(Ok(Answer::default())));
        let builder = HappyEyeballsConnector::builder_with_resolver(script).config(config()).plaintext();
        let error = connect(&builder.build().unwrap(), "http://h.test/").await.unwrap_err();
        assert!(error.is_dns() && !error.is_connect() && !error.is_timeout(), "{error}");
    }
    let builder = HappyEyeballsConnector::builder_with_resolver(Script::addresses([])).plaintext();
    let connector = builder.resolve("h.test", []).build().unwrap();
    assert!(connect(&connector, "http://h.test/").await.unwrap_err().is_dns());
}
