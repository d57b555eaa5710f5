//! How scenes write addresses, records and times.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::race::Source;
use crate::report::{EchRejection, Failure, FailureKind};
use crate::resolve::ServiceRecord;

/// A source that leaves the scenes' addresses of a family in their order: global, of their label and of their /64.
pub(super) fn own_source(to: SocketAddr) -> Source {
    source(if to.is_ipv6() { "2001:db8::ffff" } else { "198.18.255.255" })
}

pub(super) fn source(ip: &str) -> Source {
    Source { ip: ip.parse().unwrap(), deprecated: false, prefix_len: Some(64) }
}

/// Reads `6a`, `4#300`, `6a:8443`, an IP address, or an address with a port; without a port it is 0.
pub(super) fn addr(name: &str) -> SocketAddr {
    if let Ok(addr) = name.parse() {
        return addr;
    }
    if let Ok(ip) = name.parse() {
        return SocketAddr::new(ip, 0);
    }
    let (host, port) = name.split_once(':').unwrap_or((name, "0"));
    let (family, label) = host.split_at(1);
    let number = match label.strip_prefix('#') {
        Some(number) => number.parse().unwrap(),
        None => u16::from(label.as_bytes()[0] - b'a') + 1,
    };
    let ip = match family {
        "6" => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, number]),
        "4" => IpAddr::from([198, 18, number.to_be_bytes()[0], number.to_be_bytes()[1]]),
        _ => panic!("no address: {name}"),
    };
    SocketAddr::new(ip, port.parse().unwrap())
}

pub(super) fn list(names: &str) -> Vec<SocketAddr> {
    names.split_whitespace().map(addr).collect()
}

/// Reads records such as `1 svc.test alpn=h2,h3 no-default-alpn port=8443 hints=6a,4a mandatory=1,4 key=667`, separated
/// by semicolons; `owner=` names the owner that is not the name asked for.
pub(super) fn records(text: &str) -> Vec<ServiceRecord> {
    text.split(';').map(record).collect()
}

fn record(text: &str) -> ServiceRecord {
    let mut words = text.split_whitespace();
    let priority = words.next().unwrap().parse().unwrap();
    let record = ServiceRecord::new(priority, words.next().unwrap());
    words.fold(record, |record, word| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let values = || value.split(',').filter(|value| !value.is_empty());
        match key {
            "alpn" => record.with_alpn(values()),
            "no-default-alpn" => record.without_default_alpn(),
            "port" => record.with_port(value.parse().unwrap()),
            "hints" => record.with_hints(values().map(|name| addr(name).ip())),
            "mandatory" => record.with_mandatory(values().map(|key| key.parse().unwrap())),
            "ech" => record.with_ech(value.as_bytes()),
            "key" => record.with_other_key(value.parse().unwrap()),
            "owner" => record.with_owner(value),
            _ => panic!("no such key: {word}"),
        }
    })
}

/// `count` addresses of a family, numbered from `first`.
pub(super) fn numbered(family: u8, first: u16, count: u16) -> String {
    (first..first + count).map(|number| format!("{family}#{number} ")).collect()
}

/// With configurations to try again where the server rejects ECH.
pub(super) fn failure(kind: FailureKind) -> Failure {
    if kind == FailureKind::EchRejected {
        return Failure::new(kind, EchRejection { retry_configs: Some(b"retry"[..].into()) });
    }
    let cause = match kind {
        // What a race may do something about.
        FailureKind::Local => io::ErrorKind::NetworkUnreachable,
        _ => io::ErrorKind::Other,
    };
    Failure::new(kind, io::Error::new(cause, format!("{kind} by the scene")))
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
