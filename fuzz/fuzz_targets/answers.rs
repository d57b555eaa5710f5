//! Bytes to a race, and to whatever happens to it: answers, attempts that come and go, and time.
#![no_main]

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hyper_happy_eyeballs::__internal::{EchUse, Environment, Family, FamilySet, Input, ech_rejection, failure};
use hyper_happy_eyeballs::report::FailureKind;
use hyper_happy_eyeballs::resolve::{Answer, Kinds, Names, ResolveError, ResolveErrorKind, ServiceRecord};
use hyper_happy_eyeballs::{Config, Nat64, Origin, Pacing};
use hyper_happy_eyeballs_fuzz::{Player, environment};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

const HOSTS: [&str; 3] = ["a.test", "b.test", "c.test"];
/// Names that records lead to, and one that only its case and dot tell from a host.
const TARGETS: [&str; 5] = [".", "A.test.", "s.test", "t.test", "_8443._https.a.test"];
/// One that cannot be used among them, and none.
const ECH: [Option<&str>; 4] = [None, Some("one"), Some("two"), Some("unknown")];
const URIS: [&str; 5] =
    ["https://a.test/", "http://a.test/", "https://a.test:8443/", "http://192.0.2.1/", "https://[64:ff9b::c000:201]/"];
const FAMILIES: [FamilySet; 3] =
    [FamilySet::BOTH, FamilySet { v4: true, v6: false }, FamilySet { v4: false, v6: true }];

fuzz_target!(|data: &[u8]| {
    // Where the bytes end, so does what happens.
    let _ = play(&mut Unstructured::new(data));
});

fn play(bytes: &mut Unstructured<'_>) -> Result<()> {
    let origin = Origin::from_uri(&bytes.choose(&URIS)?.parse().expect("a URI")).expect("an origin");
    let mut player = Player::new(origin, surroundings(bytes)?, config(bytes)?);
    let played = steps(&mut player, bytes);
    player.rest();
    played
}

fn steps(player: &mut Player, bytes: &mut Unstructured<'_>) -> Result<()> {
    while !bytes.is_empty() {
        let step = bytes.int_in_range(0..=9)?;
        match step {
            0 => player.pass(Duration::from_millis(bytes.arbitrary::<u16>()?.into())),
            1 if player.wants_permit && bytes.arbitrary()? => player.permit(),
            1 => player.pass(Duration::from_millis(bytes.int_in_range(0..=20)?)),
            2..6 if !player.queries.is_empty() => {
                let (id, ..) = *bytes.choose(&player.queries)?;
                let result = if step == 2 { Err(negative(bytes)?) } else { Ok(answer(bytes)?) };
                player.input(Input::Answer { id, result });
            }
            6.. if !player.attempts.is_empty() => {
                let id = *bytes.choose(&player.attempts)?;
                player.input(match step {
                    6 => Input::Succeeded { id },
                    7 => Input::Progress { id, rtt: duration(bytes)? },
                    8 if bytes.ratio(1, 4)? => Input::Failed { id, failure: ech_rejection(*bytes.choose(&ECH)?) },
                    _ => Input::Failed { id, failure: failure(kind(bytes)?, ErrorKind::NetworkUnreachable.into()) },
                });
            }
            _ => {}
        }
    }
    Ok(())
}

fn surroundings(bytes: &mut Unstructured<'_>) -> Result<Environment> {
    let names = match bytes.int_in_range(0..=HOSTS.len())? {
        0 => Names::Fixed(addresses(bytes)?),
        count => Names::Ask(HOSTS[..count].iter().map(|name| (*name).into()).collect()),
    };
    let protected = bytes.ratio(1, 4)?;
    Ok(Environment {
        kinds: *bytes.choose(&[Kinds::PerType, Kinds::PerFamily, Kinds::Addresses, Kinds::AddressesAndHttps])?,
        https: bytes.ratio(3, 4)?,
        waits_for_https: protected || bytes.arbitrary()?,
        protected,
        seed: bytes.arbitrary::<u8>()?.into(),
        ask: *bytes.choose(&FAMILIES)?,
        dial: *bytes.choose(&FAMILIES)?,
        preferred: *bytes.choose(&[Family::V6, Family::V4])?,
        tls: bytes.arbitrary()?,
        ech: match bytes.int_in_range(0..=2)? {
            0 => None,
            required => Some(EchUse { is_usable: |configs| configs != b"unknown", required: required == 2 }),
        },
        bounded: bytes.ratio(1, 4)?,
        recalls: bytes.arbitrary()?,
        ..environment(names)
    })
}

fn config(bytes: &mut Unstructured<'_>) -> Result<Config> {
    let mut config = Config::default();
    if bytes.arbitrary()? {
        return Ok(config);
    }
    let delay = |bytes: &mut Unstructured<'_>| duration(bytes).map(Option::unwrap_or_default);
    config
        .pacing(match bytes.int_in_range(0..=3)? {
            0 => Pacing::Sequential,
            1 => Pacing::Rfc6555 { delay: delay(bytes)? },
            _ => Pacing::Staggered,
        })
        .resolution_delay(delay(bytes)?)
        .preferred_family_count(bytes.arbitrary::<u8>()?.into())
        .attempt_delay(delay(bytes)?)
        .min_attempt_delay(delay(bytes)?)
        .max_attempt_delay(delay(bytes)?)
        .max_concurrent_attempts(bytes.int_in_range(1..=40)?)
        .race_tls(bytes.arbitrary()?)
        .use_history(bytes.arbitrary()?)
        .nat64(match bytes.int_in_range(0..=2)? {
            0 => Nat64::Off,
            1 => Nat64::Prefixes(["2001:db8:64::/96", "64:ff9b::/96"].map(|it| it.parse().expect("a prefix")).into()),
            _ => Nat64::Discover,
        })
        .connect_timeout(duration(bytes)?)
        .dns_timeout(duration(bytes)?)
        .tls_timeout(duration(bytes)?)
        .attempt_timeout(duration(bytes)?);
    Ok(config)
}

fn duration(bytes: &mut Unstructured<'_>) -> Result<Option<Duration>> {
    Ok(match bytes.arbitrary::<u8>()? {
        0 => None,
        1 => Some(Duration::MAX),
        long @ 200.. => Some(Duration::from_millis(100 * u64::from(long - 199))),
        short => Some(Duration::from_millis(short.into())),
    })
}

fn answer(bytes: &mut Unstructured<'_>) -> Result<Answer> {
    if bytes.arbitrary()? {
        return Ok(Answer::from_socket_addrs(addresses(bytes)?));
    }
    let count = bytes.int_in_range(0..=12)?;
    let services = (0..count).map(|_| service(bytes)).collect::<Result<Vec<_>>>()?;
    let count = bytes.int_in_range(0..=4)?;
    let additional =
        (0..count).map(|_| Ok((*bytes.choose(&TARGETS)?, address(bytes)?.ip()))).collect::<Result<Vec<_>>>()?;
    Ok(Answer::from_services(services).with_additional(additional))
}

fn service(bytes: &mut Unstructured<'_>) -> Result<ServiceRecord> {
    let mut service = ServiceRecord::new(bytes.int_in_range(0..=3)?, *bytes.choose(&TARGETS)?);
    let parameters = bytes.arbitrary::<u8>()?;
    if parameters & 1 != 0 {
        service = service.with_alpn([*bytes.choose(&["h2", "h3", "http/1.1"])?]);
    }
    if parameters & 2 != 0 {
        service = service.with_port(*bytes.choose(&[443, 8443, 25])?);
    }
    if parameters & 4 != 0 {
        service = service.with_hints(addresses(bytes)?.into_iter().map(|addr| addr.ip()));
    }
    if parameters & 8 != 0 {
        service = service.with_owner(*bytes.choose(&TARGETS)?);
    }
    if parameters & 16 != 0 {
        service = service.with_mandatory([bytes.int_in_range(0..=7)?]);
    }
    if let (true, Some(ech)) = (parameters & 64 != 0, bytes.choose(&ECH)?) {
        service = service.with_ech(ech.as_bytes());
    }
    Ok(if parameters & 32 != 0 { service.without_default_alpn() } else { service })
}

/// A few, or more of a family than are taken.
fn addresses(bytes: &mut Unstructured<'_>) -> Result<Vec<SocketAddr>> {
    match bytes.int_in_range(0..=7)? {
        0 => Ok((1..=20).map(|last| SocketAddr::new(v6(last), 0)).collect()),
        count => (1..count).map(|_| address(bytes)).collect(),
    }
}

fn address(bytes: &mut Unstructured<'_>) -> Result<SocketAddr> {
    let last = bytes.int_in_range(1..=40)?;
    let ip = match bytes.int_in_range(0..=9)? {
        0 => Ipv4Addr::new(198, 18, 0, last).to_ipv6_mapped().into(),
        1 => Ipv6Addr::from([0x64, 0xff9b, 0, 0, 0, 0, 0xc612, last.into()]).into(),
        2 => Ipv6Addr::from([0x64, 0xff9b, 0, 0, 0, 0, 0xc000, 0xaa]).into(),
        3 => Ipv4Addr::LOCALHOST.into(),
        4..7 => Ipv4Addr::new(198, 18, 0, last).into(),
        _ => v6(last),
    };
    Ok(SocketAddr::new(ip, if bytes.ratio(1, 8)? { 8080 } else { 0 }))
}

fn v6(last: u8) -> IpAddr {
    Ipv6Addr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()]).into()
}

fn negative(bytes: &mut Unstructured<'_>) -> Result<ResolveError> {
    use ResolveErrorKind::{Malformed, NoData, NxDomain, Other, Refused, ServFail, Timeout};
    let kind = *bytes.choose(&[NxDomain, NoData, ServFail, Refused, Malformed, Timeout, Other])?;
    Ok(ResolveError::new(kind, "by the fuzzer"))
}

fn kind(bytes: &mut Unstructured<'_>) -> Result<FailureKind> {
    use FailureKind::{Certificate, Closed, Local, Other, Refused, TimedOut, Tls, Unreachable};
    Ok(*bytes.choose(&[Local, Refused, Unreachable, TimedOut, Closed, Certificate, Tls, Other])?)
}
