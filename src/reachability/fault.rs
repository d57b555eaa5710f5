//! What is wrong with an address, as people put it.

mod certificate;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::fmt;
use std::io;

use http::StatusCode;

use super::fetch::{HttpError, chain};
use crate::dial::icmp::Icmp;
use crate::report::{Failure, FailureKind};

/// What keeps an address from serving.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Of what kind it is.
    pub class: FaultClass,
    /// What else is known: the ICMP message, how a certificate is wrong, the system's error. May be empty.
    pub detail: String,
}

/// The kinds of [`Fault`], by the stage at which they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FaultClass {
    /// The address policy denied it; nothing was sent.
    Denied,
    /// This host has no route to it; nothing was sent.
    NoRoute,
    /// A rule of this host forbids it: `EPERM` or `EACCES`, or an ICMP error of this host's own.
    LocalRule,
    /// This host could not try for another reason: no descriptor left, a local address refused.
    Local,
    /// The port is closed.
    Refused,
    /// Nothing came back: a filter drops the packets, or nobody is there.
    Silent,
    /// A router says that there is no way (ICMP), or this host finds nobody at the next hop.
    Unreachable,
    /// TCP was up, and the peer did not finish the handshake in time.
    TlsStalled,
    /// The peer ended the connection before the handshake was done.
    Closed,
    /// The certificate is not good for the origin.
    Certificate,
    /// TLS failed in another way.
    Tls,
    /// The connection was up, and no response came in time.
    HttpStalled,
    /// The exchange failed.
    Http,
    /// The response says that the server has failed (a status of 500 and more), or refuses what other addresses of the
    /// site serve (400 and more).
    Status,
    /// The proxy could not be reached or did not do as asked, so that nothing is known of the address.
    Proxy,
    /// Anything else.
    Other,
}

impl FaultClass {
    /// A name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NoRoute => "no_route",
            Self::LocalRule => "local_rule",
            Self::Local => "local",
            Self::Refused => "refused",
            Self::Silent => "silent",
            Self::Unreachable => "unreachable",
            Self::TlsStalled => "tls_stalled",
            Self::Closed => "closed",
            Self::Certificate => "certificate",
            Self::Tls => "tls",
            Self::HttpStalled => "http_stalled",
            Self::Http => "http",
            Self::Status => "status",
            Self::Proxy => "proxy",
            Self::Other => "other",
        }
    }

    /// Whether it says something of this host alone, and nothing of the address.
    pub fn is_unchecked(self) -> bool {
        matches!(self, Self::Denied | Self::NoRoute | Self::Local | Self::Proxy)
    }
}

/// In words.
impl fmt::Display for FaultClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Denied => "denied",
            Self::NoRoute => "no route from here",
            Self::LocalRule => "forbidden by a rule of this host",
            Self::Local => "not tried",
            Self::Refused => "refused",
            Self::Silent => "silent (filtered)",
            Self::Unreachable => "unreachable",
            Self::TlsStalled => "TLS stalled",
            Self::Closed => "connection closed",
            Self::Certificate => "wrong certificate",
            Self::Tls => "TLS failed",
            Self::HttpStalled => "no HTTP response",
            Self::Http => "HTTP failed",
            Self::Status => "HTTP error",
            Self::Proxy => "not checked",
            Self::Other => "failed",
        })
    }
}

impl Fault {
    pub(super) fn new(class: FaultClass, detail: impl Into<String>) -> Self {
        Self { class, detail: detail.into() }
    }

    /// It was not done after so long.
    pub(super) fn timed_out(class: FaultClass, after: std::time::Duration) -> Self {
        let words = match class {
            // Somebody may have said something, if too slowly.
            FaultClass::TlsStalled => "not done within",
            _ => "nothing came for",
        };
        Self::new(class, format!("{words} {} s", after.as_secs_f64()))
    }

    /// Of an attempt that failed, in TLS or before.
    pub(super) fn of(failure: &Failure) -> Self {
        if let Some(icmp) = inner(failure) {
            return Self::of_icmp(icmp);
        }
        if let (FailureKind::Certificate, Some(error)) = (failure.kind(), inner(failure)) {
            return Self::new(FaultClass::Certificate, certificate::describe(error));
        }
        let class = match failure.kind() {
            FailureKind::Local => local_class(failure.error()),
            FailureKind::Refused => FaultClass::Refused,
            FailureKind::Unreachable => FaultClass::Unreachable,
            FailureKind::TimedOut => FaultClass::Silent,
            FailureKind::Closed => FaultClass::Closed,
            FailureKind::Certificate => FaultClass::Certificate,
            FailureKind::Tls | FailureKind::EchRejected => FaultClass::Tls,
            FailureKind::Other => FaultClass::Other,
        };
        match class {
            // There is no more to say.
            FaultClass::Refused => Self::new(class, ""),
            _ => Self::new(class, chain(failure.error())),
        }
    }

    fn of_icmp(icmp: &Icmp) -> Self {
        let class = match icmp {
            // The kernel tells itself so when nobody answers its ARP or neighbour solicitations.
            _ if icmp.is_host_unreachable() => FaultClass::Unreachable,
            _ if icmp.own => FaultClass::LocalRule,
            _ if icmp.is_port_unreachable() => FaultClass::Refused,
            _ => FaultClass::Unreachable,
        };
        Self::new(class, icmp.to_string())
    }

    pub(super) fn of_http(error: &HttpError) -> Self {
        let class = if error.is_timeout() { FaultClass::HttpStalled } else { FaultClass::Http };
        Self::new(class, chain(error))
    }

    pub(super) fn of_status(status: StatusCode) -> Self {
        let words = match status.canonical_reason() {
            Some(reason) => format!("{} {reason}", status.as_u16()),
            None => status.as_u16().to_string(),
        };
        Self::new(FaultClass::Status, words)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.detail {
            "" => self.class.fmt(f),
            detail => write!(f, "{}: {detail}", self.class),
        }
    }
}

/// What the I/O error of a failure was made of.
fn inner<E: StdError + 'static>(failure: &Failure) -> Option<&E> {
    failure.error().downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}

/// Why this host could not send anything. Only an error of `connect`, which comes as the system made it, is one of the
/// way to the address.
fn local_class(error: &(dyn StdError + 'static)) -> FaultClass {
    match error.downcast_ref::<io::Error>() {
        Some(error) if error.raw_os_error().is_some() => match error.kind() {
            io::ErrorKind::PermissionDenied => FaultClass::LocalRule,
            // Linux gives EINVAL for a blackhole route.
            io::ErrorKind::HostUnreachable | io::ErrorKind::InvalidInput | io::ErrorKind::NetworkUnreachable => {
                FaultClass::NoRoute
            }
            _ => FaultClass::Local,
        },
        _ if is_without_family(error) => FaultClass::NoRoute,
        _ => FaultClass::Local,
    }
}

/// Whether the system has no sockets for the family of the address.
fn is_without_family(error: &(dyn StdError + 'static)) -> bool {
    #[cfg(unix)]
    const CODE: i32 = libc::EAFNOSUPPORT;
    #[cfg(not(unix))]
    const CODE: i32 = 10047; // WSAEAFNOSUPPORT
    let code = |error: &io::Error| error.raw_os_error() == Some(CODE);
    error.downcast_ref().is_some_and(code) || error.source().is_some_and(is_without_family)
}
