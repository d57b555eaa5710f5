//! Each source of addresses, on real DNS and real sockets.

use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_server::proto::rr::{RData, RecordType};
use hyper_happy_eyeballs::report::AttemptOutcome;
use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{AddressPolicy, Builder, Config, Error, Families, HappyEyeballsConnector};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::lab::{Dns, HttpsRecord, Reply};
use crate::support::{Script, chain, connect};
use crate::tripwire::Tripwire;

const HOST: &str = "www.lab.test";
const TARGET: &str = "svc.lab.test";

fn public_only() -> Config {
    with(AddressPolicy::public_only())
}

fn with(policy: AddressPolicy) -> Config {
    let mut config = Config::default();
    config.families(Families::Both).address_policy(policy);
    config
}

fn by(dns: &Dns) -> Builder {
    HappyEyeballsConnector::builder().resolver(HickoryResolver::with_name_servers([dns.addr()]))
}

/// Asserts that a connect to `uri` is denied, and that the error says which addresses and why.
async fn assert_denied(builder: Builder, config: Config, uri: &str, reasons: &[&str]) -> Error {
    let connector = builder.plaintext().config(config).build().expect("plaintext is a choice");
    let error = connect(&connector, uri).await.expect_err(uri);
    assert!(error.is_denied() && !error.is_connect() && !error.is_dns(), "{uri}: {error}");
    for reason in reasons {
        assert!(error.to_string().contains(reason), "{uri}: {error}, without {reason}");
    }
    error
}

/// Proves: NAM-9
#[tokio::test]
async fn answers_of_dns() {
    let tripwire = Tripwire::open();
    let port = tripwire.port();
    let dns = Dns::start().await.unwrap();
    let aaaa = ["::1", "::ffff:127.0.0.2", "64:ff9b::127.0.0.3"].map(|ip| ip.parse().unwrap());
    dns.set(HOST, RecordType::A, Reply::a(["127.0.0.9".parse().unwrap()]));
    dns.set(HOST, RecordType::AAAA, Reply::aaaa(aaaa));
    let reasons = [
        format!("; 127.0.0.9:{port} denied: 127.0.0.9 is loopback (RFC 1122)"),
        format!("; [::1]:{port} denied: ::1 is loopback (RFC 4291)"),
        format!("; 127.0.0.2:{port} denied: 127.0.0.2 is loopback (RFC 1122)"),
        format!("; [64:ff9b::7f00:3]:{port} denied: leads to 127.0.0.3: 127.0.0.3 is loopback (RFC 1122)"),
    ];
    let reasons: Vec<_> = reasons.iter().map(|reason| &**reason).collect();
    assert_denied(by(&dns), public_only(), &format!("http://{HOST}:{port}/"), &reasons).await;
    assert_eq!(tripwire.accepted(), 0);
}

/// A record leads to a name, a port, and addresses by hint or along with it.
///
/// Proves: NAM-9, SVC-13
#[tokio::test]
async fn https_records() {
    let tripwire = Tripwire::open();
    let inside = "127.0.0.9".parse().unwrap();
    let service = || HttpsRecord::new(1, TARGET).port(tripwire.port());
    let reason = format!("; 127.0.0.9:{} of {TARGET}. denied: 127.0.0.9 is loopback (RFC 1122)", tripwire.port());
    let bad_port =
        format!("; 127.0.0.9:25 of {TARGET}. denied: port 25 is of another protocol, and only a record names it");
    let a = || Reply::a([Ipv4Addr::new(127, 0, 0, 9)]);
    let data = RData::A(Ipv4Addr::new(127, 0, 0, 9).into());
    let [one, along] = [service(), service()].map(|record| Reply::records([record.into()]));
    let hinted = Reply::records([service().hint(inside).into()]);
    let ported = Reply::records([HttpsRecord::new(1, TARGET).port(25).into()]);
    for (records, addresses, config, reason) in [
        (one, a(), public_only(), &reason),
        (hinted, Reply::no_data(), public_only(), &reason),
        (along.with_additional(TARGET, data), Reply::no_data(), public_only(), &reason),
        // Without any policy.
        (ported, a(), with(AddressPolicy::default()), &bad_port),
    ] {
        let dns = Dns::start().await.unwrap();
        dns.set(HOST, RecordType::HTTPS, records);
        dns.set(HOST, RecordType::A, Reply::no_data());
        dns.set(TARGET, RecordType::A, addresses);
        assert_denied(by(&dns), config, &format!("https://{HOST}/"), &[reason]).await;
    }
    assert_eq!(tripwire.accepted(), 0);
}

/// Proves: NAM-9
#[tokio::test]
async fn overrides() {
    let tripwire = Tripwire::open();
    let builder = HappyEyeballsConnector::builder_with_resolver(Script::addresses([]));
    let addrs = [([127, 0, 0, 9], tripwire.port()).into(), (Ipv6Addr::LOCALHOST, tripwire.port()).into()];
    let reasons = ["127.0.0.9 is loopback", "::1 is loopback"];
    assert_denied(builder.resolve(HOST, addrs), public_only(), &format!("http://{HOST}/"), &reasons).await;
    assert_eq!(tripwire.accepted(), 0);
}

/// getaddrinfo reads addresses where nobody would write them, and the hosts file has names.
///
/// Proves: NAM-9
#[tokio::test]
async fn the_systems_resolver() {
    let tripwire = Tripwire::open();
    let spellings = ["127.1", "0x7f.1", "0x7F000001", "017700000001", "2130706433", "0177.0.0.1", "0", "localhost"];
    for host in spellings {
        let builder = HappyEyeballsConnector::builder_with_resolver(Script::addresses([])).system_resolver();
        let uri = format!("http://{host}:{}/", tripwire.port());
        let error = assert_denied(builder.clone(), public_only(), &uri, &[" denied: "]).await;
        let attempts = error.report().unwrap().attempts();
        assert!(attempts.iter().all(|attempt| matches!(attempt.outcome(), AttemptOutcome::Denied(_))), "{error}");
    }
    assert_eq!(tripwire.accepted(), 0);
}

/// Each redirect is a connect of its own. The site is allowed here, what it leads to is not.
///
/// Proves: NAM-9
#[tokio::test]
async fn redirects() {
    let tripwire = Tripwire::open();
    let listener = TcpListener::bind(("127.0.0.8", 0)).await.unwrap();
    let site = listener.local_addr().unwrap();
    let port = tripwire.port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await.unwrap();
        let response = format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.9:{port}/\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(response.as_bytes()).await.unwrap();
    });
    let policy = AddressPolicy::public_only().or(AddressPolicy::allow(["127.0.0.8".parse().unwrap()]));
    let connector = HappyEyeballsConnector::builder_with_resolver(Script::addresses([]));
    let connector = connector.plaintext().config(with(policy)).build().unwrap();
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
    let client = client.build::<_, http_body_util::Empty<hyper::body::Bytes>>(connector);

    let response = client.get(format!("http://{site}/").parse().unwrap()).await.unwrap();
    let location = response.headers()["location"].to_str().unwrap();
    let error = client.get(location.parse().unwrap()).await.unwrap_err();
    assert!(chain(&error).contains("127.0.0.9 is loopback (RFC 1122)"), "{}", chain(&error));
    assert_eq!(tripwire.accepted(), 0);
}

/// A proxy is dialled as any origin is.
///
/// Proves: NAM-9
#[tokio::test]
async fn proxies() {
    let tripwire = Tripwire::open();
    for scheme in ["http", "https", "socks5", "socks5h"] {
        let builder = HappyEyeballsConnector::builder_with_resolver(Script::addresses([]));
        let uri = format!("{scheme}://127.0.0.9:{}", tripwire.port());
        assert_denied(builder, public_only(), &uri, &["127.0.0.9 is loopback (RFC 1122)"]).await;
    }
    assert_eq!(tripwire.accepted(), 0);
}
