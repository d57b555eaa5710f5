//! What a certificate says.

use std::fmt;
use std::time::{Duration, SystemTime};

use x509_parser::parse_x509_certificate;
use x509_parser::prelude::GeneralName;
use x509_parser::time::ASN1Time;

use crate::stream::TlsInfo;

/// What people want to know of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate {
    /// Whom it is for, as the certificate writes it.
    pub subject: String,
    /// The DNS names and addresses that it is good for.
    pub names: Vec<String>,
    /// Who has signed it.
    pub issuer: String,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

impl Certificate {
    /// Reads one in DER; `None` if it cannot be read.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let (_, certificate) = parse_x509_certificate(der).ok()?;
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.into_iter().flat_map(|extension| &extension.value.general_names);
        Some(Self {
            subject: certificate.subject().to_string(),
            names: names.filter_map(name).collect(),
            issuer: certificate.issuer().to_string(),
            not_before: Timestamp(certificate.validity().not_before),
            not_after: Timestamp(certificate.validity().not_after),
        })
    }

    /// The server's own, if it can be read.
    pub fn of(tls: &TlsInfo) -> Option<Self> {
        Self::from_der(tls.peer_certificates().next()?)
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => <[u8; 4]>::try_from(*octets).ok().map(|octets| std::net::Ipv4Addr::from(octets).to_string()),
            _ => <[u8; 16]>::try_from(*octets).ok().map(|octets| std::net::Ipv6Addr::from(octets).to_string()),
        },
        _ => None,
    }
}

/// A time of a certificate, in seconds. Its `Display` is of RFC 3339, the alternate one the day alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(ASN1Time);

impl Timestamp {
    pub(super) fn from_unix(seconds: u64) -> Option<Self> {
        ASN1Time::from_timestamp(seconds.try_into().ok()?).ok().map(Self)
    }

    /// Of the system's clock; `None` before 1970 and after 9999.
    pub fn of(time: SystemTime) -> Option<Self> {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Self::from_unix(since.as_secs())
    }

    /// Seconds since 1970, negative before.
    pub fn unix(self) -> i64 {
        self.0.timestamp()
    }

    /// How long from `now`; `None` if it is past.
    pub fn after(self, now: SystemTime) -> Option<Duration> {
        let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.unix().try_into().ok()?))?;
        at.duration_since(now).ok()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0.to_datetime();
        write!(f, "{:04}-{:02}-{:02}", time.year(), u8::from(time.month()), time.day())?;
        match f.alternate() {
            true => Ok(()),
            false => write!(f, "T{:02}:{:02}:{:02}Z", time.hour(), time.minute(), time.second()),
        }
    }
}
