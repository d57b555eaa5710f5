//! What is tried to get inside: URLs, and answers of a name server that means no good.

// The tests of namespaces use it too.
#![allow(unreachable_pub)]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hyper_happy_eyeballs::report::AttemptOutcome;
use hyper_happy_eyeballs::resolve::{Answer, Kinds, QueryKind, ServiceRecord};
use hyper_happy_eyeballs::{Builder, Config, Error, Families, HappyEyeballsConnector, Host, Origin};

use crate::support::{Script, call, ready};

/// In three parts: denied, no URL that can be connected to, no URI.
const SPELLINGS: &str = include_str!("spellings.txt");

/// What a file of lines cannot show.
const WITH_CONTROLS: [&str; 6] = [
    "",
    "http://127.0.0.1\t:PORT/",
    "http://127.0.0.1\0:PORT/",
    "http://127.0.0.1\r\n:PORT/",
    "http://local\u{ad}host:PORT/",
    "http://127.0.0.1\u{200b}:PORT/",
];

/// Addresses for a name that looks harmless.
const INSIDE: &str = "127.0.0.1 127.0.0.2 127.255.255.254 0.0.0.0 0.0.0.1 10.0.0.1 100.64.0.1 169.254.169.254 172.16.0.1 \
    192.0.0.1 192.0.0.170 192.0.2.1 192.168.0.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 \
    ::1 :: ::2 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:0.0.0.0 ::ffff:169.254.169.254 ::ffff:10.0.0.1 ::ffff:0:127.0.0.1 \
    64:ff9b::127.0.0.1 64:ff9b::169.254.169.254 64:ff9b::10.0.0.1 64:ff9b:: 64:ff9b:1::10.0.0.1 64:ff9b:1:a00:0:100:: \
    2002:7f00:1::1 2002:a9fe:a9fe:: 2002:a00:1::1 2002:808:808::5efe:10.0.0.1 2001::80ff:fffe 2001:0:808:808::f5ff:fffe \
    2606:4700::5efe:127.0.0.1 2606:4700::200:5efe:169.254.169.254 fe80::1 fe80::5efe:127.0.0.1 fec0::1 fc00::1 \
    fd00:ec2::254 ff02::1 ff0e::1 100::1 2001:db8::1 2001:2::1 3fff::1 5f00::1 4000::1";

/// One try to get inside.
pub struct Attack {
    pub what: String,
    uri: String,
    connector: HappyEyeballsConnector,
    pub expected: Expected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Denied,
    /// The system's resolver may not know the name.
    DeniedOrUnknown,
    Invalid,
    /// By the parser of URIs.
    NoUri,
}

impl Attack {
    /// Whether the URI is of a loopback address or a name, which are all loopback.
    #[allow(dead_code)]
    pub fn is_loopback(&self) -> bool {
        let uri = self.uri.parse::<http::Uri>().ok();
        let origin = uri.and_then(|uri| Origin::from_uri(&uri).ok());
        match origin.as_ref().map(Origin::host) {
            Some(Host::Address { ip, .. }) => ip.is_loopback(),
            other => other.is_some(),
        }
    }

    /// How it ends; none if there was no URI.
    pub async fn run(&self) -> Option<Result<(), Error>> {
        let uri = self.uri.parse().ok()?;
        Some(call(self.connector.clone(), uri).await.map(drop))
    }
}

/// Runs them, and asserts that each ends as it should.
pub async fn run(attacks: &[Attack]) {
    for attack in attacks {
        let Attack { what, expected, .. } = attack;
        let error = match attack.run().await {
            None => {
                assert_eq!(*expected, Expected::NoUri, "{what}");
                continue;
            }
            Some(Ok(())) => panic!("{what} is connected"),
            Some(Err(error)) => error,
        };
        let as_expected = match expected {
            Expected::Denied => error.is_denied(),
            Expected::DeniedOrUnknown => error.is_denied() || error.is_dns(),
            Expected::Invalid => error.is_invalid_uri(),
            Expected::NoUri => false,
        };
        assert!(as_expected, "{what} is not {expected:?}: {error}");
        for tried in error.report().into_iter().flat_map(|report| report.attempts()) {
            let AttemptOutcome::Denied(reason) = tried.outcome() else { panic!("{what} is dialled: {error}") };
            let text = error.to_string();
            assert!(
                text.contains(&format!("{} denied: {reason}", tried.addr())) || tried.target().is_some(),
                "{what}: {text}"
            );
        }
    }
}

/// Every spelling, with names that are inside by each kind of resolver.
pub fn spellings(config: &Config, port: u16) -> Vec<Attack> {
    let connectors = [Kinds::Addresses, Kinds::AddressesAndHttps, Kinds::PerFamily, Kinds::PerType].map(|kinds| {
        let inside = ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0"].map(parse);
        let builder = HappyEyeballsConnector::builder_with_resolver(resolver(kinds, inside.to_vec(), Way::Answer));
        (format!("{kinds:?}"), build(builder, config), false)
    });
    attacks(&connectors, port)
}

/// Every spelling, with names that the system's resolver knows.
#[allow(dead_code)] // it would ask the name servers of this host: only where there are none
pub fn spellings_of_the_system(config: &Config, port: u16) -> Vec<Attack> {
    // Any resolver, as it is replaced.
    let builder = HappyEyeballsConnector::builder_with_resolver(Script::addresses([])).system_resolver();
    attacks(&[("getaddrinfo".into(), build(builder, config), true)], port)
}

fn attacks(connectors: &[(String, HappyEyeballsConnector, bool)], port: u16) -> Vec<Attack> {
    let mut parts = SPELLINGS.split("\n\n").skip(1);
    let mut part = || parts.next().expect("three parts").lines().filter(|line| !line.starts_with('#'));
    let denied = part().map(|line| (line, Expected::Denied));
    let invalid = part().map(|line| (line, Expected::Invalid));
    let no_uris = part().chain(WITH_CONTROLS).map(|line| (line, Expected::NoUri));
    let all = denied.chain(invalid).chain(no_uris).flat_map(|(line, expected)| {
        connectors.iter().map(move |(name, connector, may_not_know)| Attack {
            what: format!("{line:?} by {name}"),
            uri: line.replace("PORT", &port.to_string()),
            connector: connector.clone(),
            expected: match expected {
                Expected::Denied if *may_not_know => Expected::DeniedOrUnknown,
                expected => expected,
            },
        })
    });
    all.collect()
}

/// Every address, by every way that leads a name to it.
pub fn answers(config: &Config, port: u16) -> Vec<Attack> {
    let attack = |ip: IpAddr, way: &str, builder: Builder| Attack {
        what: format!("{ip} by {way}"),
        uri: format!("https://harmless.test:{port}/"),
        connector: build(builder, config),
        expected: Expected::Denied,
    };
    let ways = [
        (Kinds::Addresses, Way::Answer),
        (Kinds::AddressesAndHttps, Way::Answer),
        (Kinds::AddressesAndHttps, Way::Target),
        (Kinds::AddressesAndHttps, Way::Hint),
        (Kinds::PerFamily, Way::Answer),
        (Kinds::PerType, Way::Answer),
        (Kinds::PerType, Way::Target),
        (Kinds::PerType, Way::Alias),
        (Kinds::PerType, Way::Hint),
        (Kinds::PerType, Way::Additional),
    ];
    let all = INSIDE.split_whitespace().map(parse).flat_map(|ip| {
        let by_resolver = ways.map(|(kinds, way)| {
            let builder = HappyEyeballsConnector::builder_with_resolver(resolver(kinds, vec![ip], way));
            attack(ip, &format!("{way:?}, {kinds:?}"), builder)
        });
        let builder = HappyEyeballsConnector::builder_with_resolver(Script::addresses([]));
        let by_override = attack(ip, "override", builder.resolve("harmless.test", [SocketAddr::new(ip, 0)]));
        by_resolver.into_iter().chain([by_override])
    });
    all.collect()
}

/// How a name leads to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Answer,
    /// The addresses of another name, to which a record leads.
    Target,
    Alias,
    Hint,
    /// Along with a record.
    Additional,
}

/// Says that every name, or the one to which records lead, has these addresses. A name server may put anything into any
/// answer.
fn resolver(kinds: Kinds, ips: Vec<IpAddr>, way: Way) -> Script {
    Script::new(kinds, move |name, kind| {
        let addresses = || Answer::from_socket_addrs(ips.iter().map(|ip| SocketAddr::new(*ip, 0)));
        let is_target = name.starts_with("target.test");
        ready(Ok(match (kind, way) {
            (QueryKind::Https, Way::Target) => Answer::from_services([ServiceRecord::new(1, "target.test.")]),
            (QueryKind::Https, Way::Alias) if !is_target => {
                Answer::from_services([ServiceRecord::new(0, "target.test.")])
            }
            (QueryKind::Https, Way::Hint) => {
                Answer::from_services([ServiceRecord::new(1, "target.test.").with_hints(ips.iter().copied())])
            }
            (QueryKind::Https, Way::Additional) => {
                let target: Arc<str> = "target.test.".into();
                let came = ips.iter().map(|ip| (target.clone(), *ip));
                Answer::from_services([ServiceRecord::new(1, "target.test.")]).with_additional(came)
            }
            (QueryKind::Https, _) => Answer::from_socket_addrs([]),
            (_, Way::Answer) => addresses(),
            (_, Way::Target | Way::Alias) if is_target => addresses(),
            _ => Answer::from_socket_addrs([]),
        }))
    })
}

/// Asks for records and both families, wherever it runs; TLS would change nothing of what is dialled.
fn build(builder: Builder, config: &Config) -> HappyEyeballsConnector {
    let mut config = config.clone();
    config.families(Families::Both);
    builder.plaintext().config(config).build().expect("plaintext is a choice")
}

fn parse(ip: &str) -> IpAddr {
    ip.parse().unwrap_or_else(|_| panic!("{ip} is no address"))
}
