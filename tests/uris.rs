//! Which URIs are connected to, at which port, and when; no lab, so that it holds whatever is compiled in.

mod support;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdTcpListener};

use hyper_happy_eyeballs::report::AttemptOutcome;
use hyper_happy_eyeballs::{AddressPolicy, Builder, Config, Error, HappyEyeballsConnector, Origin, Verdict};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tower_service::Service;

use support::{Script, connect};

const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 0);

fn builder(script: &Script) -> Builder {
    HappyEyeballsConnector::builder_with_resolver(script.clone())
}

/// Dials nothing, so that the report only says what would be.
fn nothing() -> Config {
    let mut config = Config::default();
    config.address_policy(AddressPolicy::new(|_: &Origin, _| Verdict::deny("only asked")));
    config
}

/// The address that a connect to `uri` would dial, and the names that it asks for.
async fn target(uri: &str) -> (SocketAddr, Vec<String>) {
    let script = Script::addresses([NOWHERE]);
    let connector = builder(&script).plaintext().config(nothing()).build().unwrap();
    let error = connect(&connector, uri).await.unwrap_err();
    assert!(error.is_denied(), "{uri}: {error}");
    let [attempt] = error.report().unwrap().attempts() else { panic!("{uri}: {error}") };
    assert!(matches!(attempt.outcome(), AttemptOutcome::Denied(_)));
    (attempt.addr(), script.asked().into_iter().map(|(name, _)| name).collect())
}

#[tokio::test]
async fn the_port_is_the_uris_or_the_schemes() {
    for (uri, port) in [
        ("http://h.test/", 80),
        ("https://h.test/", 443),
        ("ws://h.test/", 80),
        ("wss://h.test/", 443),
        ("socks5://h.test/", 80),
        ("anything://h.test/", 80),
        ("http://h.test:8080/", 8080),
        ("socks5://h.test:1080", 1080),
        ("wss://user:word@h.test:65535/", 65535),
        ("http://user:word@h.test/", 80),
    ] {
        let (addr, asked) = target(uri).await;
        assert_eq!(addr, SocketAddr::new(NOWHERE.ip(), port), "{uri}");
        assert_eq!(asked, ["h.test"], "{uri}");
    }
}

#[tokio::test]
async fn names_are_asked_for_as_they_are() {
    for name in ["under_score.test", "_dmarc.test", "UPPER.test", "final.dot.", "xn--bcher-kva.test", "1.2.3.4.5", "a"]
    {
        let (_, asked) = target(&format!("http://{name}/")).await;
        assert_eq!(asked, [name]);
    }
}

#[tokio::test]
async fn literals_are_not_asked_for() {
    for (uri, addr) in [
        ("http://192.0.2.7/", "192.0.2.7:80"),
        ("https://192.0.2.7:8443/", "192.0.2.7:8443"),
        ("http://[2001:db8::1]/", "[2001:db8::1]:80"),
        ("wss://[2001:db8::1]/", "[2001:db8::1]:443"),
        ("http://[::ffff:192.0.2.7]/", "192.0.2.7:80"),
    ] {
        assert_eq!(target(uri).await, (addr.parse().unwrap(), vec![]), "{uri}");
    }
}

/// Proves: NAM-7
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_zone_is_an_interface() {
    for uri in ["http://[fe80::1%25lo]:81/", "http://[fe80::1%lo]:81/", "http://[fe80::1%251]:81/"] {
        assert_eq!(target(uri).await, ("[fe80::1%1]:81".parse().unwrap(), vec![]), "{uri}");
    }
}

/// Proves: NAM-10
#[tokio::test]
async fn what_cannot_be_connected_to_is_refused_before_anything_is_asked() {
    let long = format!("http://{}/", ["a".repeat(63).as_str(); 4].join("."));
    let long_label = format!("http://{}.test/", "a".repeat(64));
    let cases = [
        ("/path", "invalid URL, scheme is missing"),
        ("h.test:80", "invalid URL, scheme is missing"),
        ("http://:80/", "invalid URL, host is missing"),
        ("http://h.test:99999/", "invalid URL, port is not a number up to 65535"),
        ("http://user:word@h.test:65536/", "invalid URL, port is not a number up to 65535"),
        ("http://[::1]:99999/", "invalid URL, port is not a number up to 65535"),
        ("http://h.test:0/", "invalid URL, port is 0"),
        ("http://127.0.0.1:0/", "invalid URL, port is 0"),
        ("http://a..test/", "invalid URL, host has an empty label"),
        ("http://.test/", "invalid URL, host has an empty label"),
        ("http://h.test../", "invalid URL, host has an empty label"),
        ("http://./", "invalid URL, host has an empty label"),
        (&long, "invalid URL, host is longer than 253 octets"),
        (&long_label, "invalid URL, host has a label longer than 63 octets"),
        ("http://[::1%25eth0]/", "invalid URL, only a link-local address has a zone"),
        ("http://[fe80::1%nosuchif0]/", "invalid URL, zone is not an interface of this host"),
        ("http://[fe80::1%25nosuchif0]/", "invalid URL, zone is not an interface of this host"),
        ("http://[192.0.2.1]/", "invalid URL, host is not an IPv6 address"),
    ];
    let script = Script::addresses([NOWHERE]);
    let connector = builder(&script).plaintext().config(nothing()).build().unwrap();
    for (uri, text) in cases {
        let error = connect(&connector, uri).await.unwrap_err();
        assert_eq!(error.to_string(), text, "{uri}");
        assert!(error.is_invalid_uri() && error.report().is_none(), "{uri}");
        let others = [error.is_connect(), error.is_dns(), error.is_tls(), error.is_timeout(), error.is_denied()];
        assert_eq!(others, [false; 5], "{uri}");
    }
    assert_eq!(script.asked(), []);
}

fn assert_refused(result: Result<impl Sized, Error>, text: &str) {
    let Err(error) = result else { panic!("not refused with {text:?}") };
    assert_eq!(error.to_string(), text);
    assert!(error.is_invalid_uri());
}

/// A resolver as hyper-util has them.
#[derive(Clone)]
struct Addresses(Vec<SocketAddr>);

impl Service<hyper_util::client::legacy::connect::dns::Name> for Addresses {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: hyper_util::client::legacy::connect::dns::Name) -> Self::Future {
        std::future::ready(Ok(self.0.clone().into_iter()))
    }
}

#[tokio::test]
async fn credentials_of_a_uri_are_told_nobody() {
    let connector = builder(&Script::addresses([NOWHERE])).plaintext().config(nothing()).build().unwrap();
    for (uri, is_denied) in [("http://somebody:secret@h.test/", true), ("http://somebody:secret@h..test/", false)] {
        let error = connect(&connector, uri).await.unwrap_err();
        assert_eq!(error.is_denied(), is_denied, "{error}");
        let told = format!("{error} {error:?}");
        assert!(!told.contains("secret") && !told.contains("somebody"), "{told}");
    }
}

#[tokio::test]
async fn without_a_word_on_tls_only_http_is_connected() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut connector = HappyEyeballsConnector::new_with_resolver(Addresses(vec![addr]));
    connect(&connector, "http://h.test/").await.unwrap();
    for scheme in ["https", "wss", "ws", "socks5"] {
        let result = connect(&connector, &format!("{scheme}://{addr}/")).await;
        assert_refused(result, "invalid URL, scheme is not http");
    }
    #[cfg(feature = "hickory")]
    for connector in [HappyEyeballsConnector::new(), HappyEyeballsConnector::default()] {
        let result = connect(&connector, &format!("https://{addr}/")).await;
        assert_refused(result, "invalid URL, scheme is not http");
        connect(&connector, &format!("http://{addr}/")).await.unwrap();
    }

    connector.enforce_http(false);
    for scheme in ["https", "wss", "ws", "socks5", "http"] {
        let stream = connect(&connector, &format!("{scheme}://h.test/")).await.unwrap();
        assert!(stream.tls_info().is_none());
        assert!(stream.into_tcp().is_ok());
    }
    connector.enforce_http(true);
    assert_refused(connect(&connector, "https://h.test/").await, "invalid URL, scheme is not http");
}

#[tokio::test]
async fn https_only_refuses_what_would_be_in_clear() {
    let script = Script::addresses([NOWHERE]);
    let mut connector = builder(&script).plaintext().config(nothing()).https_only().build().unwrap();
    // What people write by habit must not open the door.
    connector.enforce_http(false);
    for uri in ["http://h.test/", "ws://h.test/", "http://127.0.0.1/", "socks5://h.test/", "http://h.test:443/"] {
        assert_refused(connect(&connector, uri).await, "invalid URL, scheme is not https");
    }
    assert_eq!(script.asked(), []);
    for uri in ["https://h.test/", "wss://h.test/", "HTTPS://h.test/"] {
        assert!(connect(&connector, uri).await.unwrap_err().is_denied(), "{uri}");
    }
}

#[test]
fn a_builder_that_was_told_nothing_about_tls_builds_nothing() {
    let error = builder(&Script::addresses([])).build().unwrap_err();
    assert_eq!(error.to_string(), "neither TLS nor plaintext() was chosen");
    let error = builder(&Script::addresses([])).https_only().build().unwrap_err();
    assert!(std::error::Error::source(&error).is_none());
    #[cfg(feature = "hickory")]
    assert!(HappyEyeballsConnector::builder().build().is_err());
}

#[tokio::test]
async fn plaintext_opens_tcp_and_sends_nothing_of_its_own() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let by_builder = builder(&Script::addresses([addr])).plaintext().build().unwrap();
    let mut by_setter = HappyEyeballsConnector::new_with_resolver(Addresses(vec![addr]));
    by_setter.enforce_http(false);
    for connector in [by_builder, by_setter] {
        for scheme in ["https", "wss", "http"] {
            let stream = connect(&connector, &format!("{scheme}://h.test/")).await.unwrap();
            let (mut peer, _) = listener.accept().await.unwrap();
            drop(stream);
            let mut received = Vec::new();
            peer.read_to_end(&mut received).await.unwrap();
            assert_eq!(received, [], "{scheme}");
        }
    }
}

/// Not a tokio test: there is no runtime where the future is made.
#[test]
fn nothing_is_done_before_the_future_is_polled() {
    let listener = StdTcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let addr = listener.local_addr().unwrap();
    let script = Script::addresses([addr]);
    let mut connector = builder(&script).plaintext().build().unwrap();
    drop(connector.call("http://h.test/".parse().unwrap()));
    let by_name = connector.call("http://h.test/".parse().unwrap());
    let by_address = connector.call(format!("http://{addr}/").parse().unwrap());

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(tokio::task::yield_now());
    assert_eq!(script.asked(), []);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);

    runtime.block_on(by_name).unwrap();
    runtime.block_on(by_address).unwrap();
    assert_eq!(script.asked().len(), 1);
    // Who is connected is not yet accepted.
    listener.set_nonblocking(false).unwrap();
    for _ in 0..2 {
        listener.accept().unwrap();
    }
}
