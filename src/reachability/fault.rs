//! What is wrong with an address, as people put it.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use http::StatusCode;

use super::fetch::{HttpError, chain};
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
    /// A router says that there is no way (ICMP).
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

    /// Nothing came for so long.
    pub(super) fn timed_out(class: FaultClass, after: std::time::Duration) -> Self {
        Self::new(class, format!("nothing came for {} s", after.as_secs_f64()))
    }

    /// Of an attempt that failed, in TLS or before.
    pub(super) fn of(failure: &Failure) -> Self {
        let io = io_error(failure.error());
        let class = match failure.kind() {
            FailureKind::Local => match io.map(io::Error::kind) {
                Some(io::ErrorKind::PermissionDenied) => FaultClass::LocalRule,
                Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => FaultClass::NoRoute,
                _ => FaultClass::Local,
            },
            FailureKind::Refused => FaultClass::Refused,
            FailureKind::Unreachable => FaultClass::Unreachable,
            FailureKind::TimedOut => FaultClass::Silent,
            FailureKind::Closed => FaultClass::Closed,
            FailureKind::Certificate => FaultClass::Certificate,
            FailureKind::Tls => FaultClass::Tls,
            FailureKind::Other => FaultClass::Other,
        };
        Self::new(class, chain(failure.error()))
    }

    pub(super) fn of_http(error: &HttpError) -> Self {
        let class = if error.is_timeout() { FaultClass::HttpStalled } else { FaultClass::Http };
        Self::new(class, chain(error))
    }

    pub(super) fn of_status(status: StatusCode) -> Self {
        Self::new(FaultClass::Status, status.to_string())
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

/// The I/O error in a chain of causes.
fn io_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref() {
            return Some(io);
        }
        next = error.source();
    }
    None
}
