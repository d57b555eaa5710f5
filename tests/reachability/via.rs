//! Through SOCKS5 proxies.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use futures_util::future::join;
use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::reachability::{Check, FaultClass, Level, Probe, Proxy, ViaCheck};
use tokio::net::TcpSocket;

use crate::host::{HOST, HTTPS, Host, V4, faulty};
use crate::lab::socks::{Answer, Greeting, Rules, Wanted};
use crate::lab::{Behaviour, Loopback, Reply, Site, Socks};
use crate::{PATIENCE, check_by, checker, checker_of};

async fn socks(rules: Rules) -> Socks {
    Socks::start(rules).await.expect("a port on loopback")
}

async fn check_via(host: &Host, proxy: &str) -> Check {
    check_by(checker(host).via(proxy.parse().expect("a proxy")), &host.uri("https")).await
}

/// Through a proxy that follows `rules`, and knows the name of the host by its first address.
async fn check_with(host: &Host, rules: Rules) -> Check {
    let socks = socks(rules.name(HOST, host.server().addr().ip())).await;
    check_via(host, &format!("socks5h://{}", socks.addr())).await
}

fn class(probe: &Probe) -> Option<FaultClass> {
    probe.fault.as_ref().map(|fault| fault.class)
}

/// Of the name, and of each address.
fn classes(via: &ViaCheck) -> Vec<Option<FaultClass>> {
    via.by_name.iter().chain(via.addresses.iter().map(|(_, probe)| probe)).map(class).collect()
}

/// What is worth knowing of the proxies.
fn notes(check: &Check) -> Vec<&str> {
    check.verdict.notes.iter().map(|note| &**note).filter(|note| note.starts_with("via ")).collect()
}

#[tokio::test]
async fn the_name_and_every_address_are_asked_of_the_proxy() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    let socks = socks(Rules::default().name(HOST, V4[1])).await;
    let check = check_via(&host, &format!("socks5h://{}", socks.addr())).await;

    let port = host.sites.port();
    let mut asked = socks.asked();
    assert_eq!(asked.len(), 3);
    asked.retain(|wanted| *wanted != Wanted::Name(HOST.to_owned(), port));
    asked.retain(|wanted| ![V4[0], V4[1]].map(|ip| Wanted::Address(SocketAddr::new(ip, port))).contains(wanted));
    assert_eq!(asked, []);

    let via = &check.via[0];
    assert_eq!(classes(via), [None; 3]);
    let probe = via.by_name.as_ref().expect("it has a name");
    assert!(probe.certificate.is_some() && probe.response.is_some());
    assert_eq!(check.verdict.level, Level::Ok, "{:?}", check.verdict);
    assert_eq!(notes(&check), [] as [&str; 0]);
}

/// It is another address than any that was found here.
#[tokio::test]
async fn the_proxy_resolves_the_name() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], Site::Refused)]).await;
    host.dns.set(HOST, RecordType::A, Reply::a([to_v4(V4[0])]));
    let check = check_with(&host, Rules::default().name(HOST, V4[0])).await;
    assert_eq!(classes(&check.via[0]), [None; 2]);
    let socks = socks(Rules::default().name(HOST, V4[1])).await;
    let check = check_via(&host, &format!("socks5h://{}", socks.addr())).await;
    assert_eq!(classes(&check.via[0]), [Some(FaultClass::Refused), None]);
    assert_eq!(check.verdict.level, Level::Degraded);
    let expected = format!("via socks5h://{}: the name refused: says the proxy", socks.addr());
    assert_eq!(check.verdict.reason, expected);
}

fn to_v4(ip: IpAddr) -> std::net::Ipv4Addr {
    match ip {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(ip) => panic!("{ip} is not IPv4"),
    }
}

#[tokio::test]
async fn replies_of_the_proxy_are_told_apart() {
    let host = Host::with(HTTPS).await;
    for (code, expected, words) in [
        (1, FaultClass::Other, "failed: general failure, says the proxy"),
        (2, FaultClass::Proxy, "not checked: the proxy does not allow it"),
        (3, FaultClass::Unreachable, "unreachable: no network, says the proxy"),
        (4, FaultClass::Unreachable, "unreachable: no host, says the proxy"),
        (5, FaultClass::Refused, "refused: says the proxy"),
        (6, FaultClass::Unreachable, "unreachable: TTL expired, says the proxy"),
        (7, FaultClass::Proxy, "not checked: SOCKS: "),
        (8, FaultClass::Proxy, "not checked: SOCKS: "),
        (99, FaultClass::Proxy, "not checked: SOCKS: "),
    ] {
        let check = check_with(&host, Rules::default().otherwise(Answer::Code(code))).await;
        let via = &check.via[0];
        assert_eq!(classes(via), [None; 2].map(|_: Option<()>| Some(expected)), "{code}");
        let fault = via.addresses[0].1.fault.as_ref().expect("it failed").to_string();
        assert!(fault.starts_with(words), "{fault}");
        let degrades = expected != FaultClass::Proxy;
        assert_eq!(check.verdict.level, if degrades { Level::Degraded } else { Level::Ok }, "{code}");
        if degrades {
            assert_eq!(check.verdict.reason, format!("via {}: the name, 127.0.0.8 {fault}", via.proxy));
        }
        let note = format!("via {}: {fault}", via.proxy);
        assert_eq!(notes(&check), if degrades { vec![] } else { vec![&*note] }, "{code}");
    }
}

#[tokio::test]
async fn a_proxy_that_falls_silent_once_asked_speaks_for_the_address() {
    let host = Host::with(HTTPS).await;
    let rules = Rules::default().otherwise(Answer::Stall);
    let open = socks(rules.clone()).await;
    let closed = socks(rules.greeting(Greeting::Login("me", "secret"))).await;
    let [open, closed] = [format!("{}", open.addr()), format!("me:secret@{}", closed.addr())];
    let [open, closed] = [format!("socks5h://{open}"), format!("socks5h://{closed}")];
    let (open, closed) = join(check_via(&host, &open), check_via(&host, &closed)).await;
    for check in [open, closed] {
        assert_eq!(classes(&check.via[0]), [Some(FaultClass::Silent); 2]);
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_do_its_work_says_nothing_of_the_site() {
    let host = Host::with(HTTPS).await;
    let (silent, refused) = (Host::with(Site::Silent).await, Host::with(Site::Refused).await);
    let closing = socks(Rules::default().otherwise(Answer::Close)).await;
    let stalling = socks(Rules::default().greeting(Greeting::Stall)).await;
    // The host itself speaks TLS, and nobody has the name.
    let addrs = [silent.addr(V4[0]), refused.addr(V4[0]), host.addr(V4[0]), closing.addr(), stalling.addr()];
    let mut checker = checker(&host);
    for proxy in addrs.iter().map(ToString::to_string).chain(["nowhere.lab.test".to_owned()]) {
        checker.via(format!("socks5h://{proxy}").parse().expect("a proxy"));
    }
    let check = check_by(&checker, &host.uri("https")).await;
    for via in &check.via {
        assert_eq!(classes(via), [Some(FaultClass::Proxy); 2], "{via:?}");
    }
    assert_eq!(check.verdict.level, Level::Ok, "{:?}", check.verdict);
    let expected = check.via.iter().map(|via| format!("via {}: not checked: ", via.proxy));
    assert!(notes(&check).iter().zip(expected).all(|(note, expected)| note.starts_with(&expected)));
    assert_eq!(notes(&check).len(), addrs.len() + 1);
    let nowhere = "via socks5h://nowhere.lab.test:1080: not checked: the proxy: the name does not exist (NXDOMAIN)";
    assert_eq!(notes(&check).last(), Some(&nowhere));
}

#[tokio::test]
async fn a_login_has_to_be_right() {
    let host = Host::with(HTTPS).await;
    let rules = Rules::default().greeting(Greeting::Login("me", "p@ss:word")).name(HOST, V4[0]);
    let socks = socks(rules).await;
    for (login, expected, words) in [
        ("me:p%40ss%3Aword@", None, ""),
        ("me:wrong@", Some(FaultClass::Proxy), "the proxy does not take the credentials"),
        ("", Some(FaultClass::Proxy), "the proxy wants other credentials"),
    ] {
        let check = check_via(&host, &format!("socks5h://{login}{}", socks.addr())).await;
        assert_eq!(classes(&check.via[0]), [expected; 2], "{login}");
        let detail = check.via[0].addresses[0].1.fault.as_ref().map_or("", |fault| &fault.detail);
        assert_eq!(detail, words);
    }
}

#[tokio::test]
async fn faults_beyond_the_proxy_are_those_of_the_site() {
    let host = Host::with(faulty(Behaviour::Garbage)).await;
    let check = check_with(&host, Rules::default()).await;
    assert_eq!(classes(&check.via[0]), [Some(FaultClass::Tls); 2]);
    let host = Host::with(faulty(Behaviour::Status(503))).await;
    let check = check_with(&host, Rules::default()).await;
    assert_eq!(classes(&check.via[0]), [Some(FaultClass::Status); 2]);
}

/// TCP and TLS have one time together, also where the proxy takes its share.
#[tokio::test]
async fn what_the_proxy_takes_is_taken_from_the_handshake() {
    let host = Host::with(faulty(Behaviour::Stall)).await;
    // With a time of its own the handshake would end after one and a half.
    let socks = socks(Rules::default().otherwise(Answer::After(PATIENCE / 2))).await;
    let mut checker = checker(&host);
    checker.via(format!("socks5h://{}", socks.addr()).parse().expect("a proxy"));
    let check = check_by(&checker, &host.uri("https")).await;
    let (_, probe) = &check.via[0].addresses[0];
    assert_eq!(class(probe), Some(FaultClass::TlsStalled));
    assert!(probe.total < PATIENCE * 3 / 2, "{:?}", probe.total);
}

/// Most proxies of the world: that they have no IPv6 is nothing that is wrong with the site.
#[tokio::test]
async fn a_proxy_without_ipv6_is_a_note() {
    if Loopback::detect().await == Loopback::Ipv4Only {
        return;
    }
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let host = Host::open([(V4[0], HTTPS), (v6, HTTPS)]).await;
    for answer in [Answer::Code(1), Answer::Code(3), Answer::Code(4), Answer::Boast] {
        let check = check_with(&host, Rules::default().answer(v6, answer)).await;
        assert_eq!(check.verdict.level, Level::Ok, "{:?}", check.verdict);
        assert_eq!(notes(&check), [format!("via {}: no IPv6 there", check.via[0].proxy)]);
    }
    let check = check_with(&host, Rules::default().answer(v6, Answer::Code(5))).await;
    assert_eq!(check.verdict.level, Level::Degraded);
    let check = check_with(&host, Rules::default().answer(V4[0], Answer::Code(3))).await;
    assert_eq!(check.verdict.level, Level::Degraded);

    let only_ipv6 = Host::open([(v6, HTTPS)]).await;
    let check = check_with(&only_ipv6, Rules::default().otherwise(Answer::Code(4))).await;
    assert_eq!(classes(&check.via[0]), [Some(FaultClass::Unreachable); 2]);
    assert_eq!(check.verdict.level, Level::Ok, "{:?}", check.verdict);
}

/// Its name is resolved, and its addresses raced, as those of any other host.
#[tokio::test]
async fn a_proxy_is_reached_by_happy_eyeballs() {
    let host = Host::with(HTTPS).await;
    // Bound and not listened on, the other address refuses, and nobody else can take it.
    let (socks, _refusing) = loop {
        let socks = socks(Rules::default().name(HOST, V4[0])).await;
        let refusing = TcpSocket::new_v4().expect("a socket");
        match refusing.bind(SocketAddr::new(V4[2], socks.addr().port())) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            bound => break (socks, bound.map(|()| refusing).expect("loopback has this address")),
        }
    };
    host.dns.set("proxy.lab.test", RecordType::A, Reply::a([to_v4(V4[2]), to_v4(socks.addr().ip())]));
    let check = check_via(&host, &format!("socks5h://proxy.lab.test:{}", socks.addr().port())).await;
    assert_eq!(classes(&check.via[0]), [None; 2]);
}

/// That goes for sites.
#[tokio::test]
async fn a_proxy_is_reached_without_tls_by_a_connector_of_https_only() {
    let host = Host::with(HTTPS).await;
    let socks = socks(Rules::default().name(HOST, V4[0])).await;
    let mut checker = checker_of(&host, crate::builder(&host).https_only());
    checker.via(format!("socks5h://{}", socks.addr()).parse().expect("a proxy"));
    let check = check_by(&checker, &host.uri("https")).await;
    assert_eq!(classes(&check.via[0]), [None; 2]);
}

#[tokio::test]
async fn a_literal_has_no_name_to_ask_for() {
    let host = Host::with(HTTPS).await;
    let socks = socks(Rules::default()).await;
    let mut checker = checker(&host);
    checker.via(format!("socks5h://{}", socks.addr()).parse().expect("a proxy"));
    let check = check_by(&checker, &format!("https://{}/", host.addr(V4[0]))).await;
    assert!(check.via[0].by_name.is_none());
    assert_eq!(socks.asked(), [Wanted::Address(host.addr(V4[0]))]);
}

#[test]
fn proxies_are_parsed() {
    let shown = |text: &str| text.parse::<Proxy>().map(|proxy| proxy.to_string()).map_err(|error| error.to_string());
    for (text, expected) in [
        ("socks5h://proxy.test", "socks5h://proxy.test:1080"),
        ("socks5h://proxy.test/", "socks5h://proxy.test:1080"),
        ("SOCKS5H://127.0.0.1:9050", "socks5h://127.0.0.1:9050"),
        ("socks5h://[::1]", "socks5h://[::1]:1080"),
        ("socks5h://[::1]:1", "socks5h://[::1]:1"),
        ("socks5h://me:secret@proxy.test:1", "socks5h://me@proxy.test:1"),
        ("socks5h://m%40e:sec%3Aret@[::1]", "socks5h://m%40e@[::1]:1080"),
    ] {
        assert_eq!(shown(text).as_deref(), Ok(expected));
    }
    let long = format!("socks5h://me:{}@h", "x".repeat(256));
    for (text, reason) in [
        ("127.0.0.1:1080", "only socks5h://"),
        ("http://proxy.test", "only socks5h://"),
        ("socks5://proxy.test", "has to resolve names itself"),
        ("socks5h://", "empty"),
        ("socks5h://:1080", "host is missing"),
        ("socks5h://proxy.test:0", "port is 0"),
        ("socks5h://proxy.test:65536", "port is not a number"),
        ("socks5h://::1", "invalid"),
        ("socks5h://proxy.test/path", "no path"),
        ("socks5h://proxy.test?query", "no path"),
        ("socks5h://me@proxy.test", "a password has 1 to 255 octets"),
        ("socks5h://:secret@proxy.test", "a user has 1 to 255 octets"),
        ("socks5h://me:%ff@proxy.test", "the password is not UTF-8"),
        (&long, "a password has 1 to 255 octets"),
    ] {
        let error = shown(text).expect_err(text);
        assert!(error.starts_with("not a proxy: ") && error.contains(reason), "{text}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn a_password_is_not_shown() {
    let proxy: Proxy = "socks5h://me:secret@proxy.test".parse().expect("a proxy");
    assert!(!format!("{proxy} {proxy:?} {proxy:#?}").contains("secret"));
}
