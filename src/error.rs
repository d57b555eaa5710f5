//! The one error of a connect.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use crate::nat64::WELL_KNOWN_NAME;
use crate::report::{AttemptOutcome, Failure, FailureKind, QueryReport, Report, Stage};
use crate::resolve::{QueryKind, ResolveError, ResolveErrorKind};

/// Why a connect failed.
///
/// Its `Display` is one line: what failed, the host and port, and every address with its stage, cause and time. Its
/// [`source`](StdError::source) is the cause of the first attempt that got as far as any: a
/// [`std::io::Error`] for TCP.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: &'static str,
    source: Option<Source>,
    report: Option<Arc<Report>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    InvalidUri,
    Dns,
    Denied,
    Connect,
    Tls,
    Certificate,
    Timeout,
    Upgrade,
}

enum Source {
    Resolve(ResolveError),
    Attempt(Arc<dyn StdError + Send + Sync>),
}

impl Error {
    /// A URI that cannot be connected to; the messages are hyper-util's where it has the case.
    pub(crate) fn invalid_uri(message: &'static str) -> Self {
        Self(Box::new(Inner { kind: Kind::InvalidUri, message, source: None, report: None }))
    }

    /// A name that cannot be asked for.
    pub(crate) fn unresolvable(error: ResolveError, report: Report) -> Self {
        Self(Box::new(Inner {
            kind: Kind::Dns,
            message: "dns error",
            source: Some(Source::Resolve(error)),
            report: Some(Arc::new(report)),
        }))
    }

    /// No name to shake hands with.
    #[cfg(feature = "rustls")]
    pub(crate) fn without_server_name(source: Box<dyn StdError + Send + Sync>, report: Report) -> Self {
        Self(Box::new(Inner {
            kind: Kind::Tls,
            message: "tls server name error",
            source: Some(Source::Attempt(Arc::from(source))),
            report: Some(Arc::new(report)),
        }))
    }

    /// The connect timeout ran out.
    pub(crate) fn timed_out(report: Report) -> Self {
        Self(Box::new(Inner {
            kind: Kind::Timeout,
            message: "connect timed out",
            source: Some(Source::Attempt(Arc::new(io::Error::from(io::ErrorKind::TimedOut)))),
            report: Some(Arc::new(report)),
        }))
    }

    /// An `http` origin that has HTTPS records.
    pub(crate) fn upgrade(report: Report) -> Self {
        let message = "the host has HTTPS records, so https is to be used";
        Self(Box::new(Inner { kind: Kind::Upgrade, message, source: None, report: Some(Arc::new(report)) }))
    }

    /// A lookup of HTTPS that failed although its answers are protected on their way.
    pub(crate) fn withheld(report: Report) -> Self {
        let failed = report.queries.iter().filter(|query| query.kind == QueryKind::Https);
        let mut errors = failed.filter_map(|query| query.result.as_ref()?.as_ref().err());
        let source = errors.find(|error| !error.kind().is_negative_answer()).cloned().map(Source::Resolve);
        let message = "dns error: HTTPS records may be withheld";
        Self(Box::new(Inner { kind: Kind::Dns, message, source, report: Some(Arc::new(report)) }))
    }

    /// ECH is required, and there is none to be had.
    pub(crate) fn without_ech(report: Report) -> Self {
        Self::ech_required("no HTTPS record has an ECH configuration that can be used", report)
    }

    /// ECH is required of TLS that cannot do it.
    pub(crate) fn incapable_of_ech(report: Report) -> Self {
        Self::ech_required("the TLS of this connector cannot do it", report)
    }

    fn ech_required(cause: &str, report: Report) -> Self {
        let source = Some(Source::Attempt(Arc::from(Box::<dyn StdError + Send + Sync>::from(cause))));
        Self(Box::new(Inner { kind: Kind::Tls, message: "ECH is required", source, report: Some(Arc::new(report)) }))
    }

    /// A race that ended without a winner. The attempt that got furthest tells most of what is wrong with the origin,
    /// so it gives the kind, and of several the first.
    pub(crate) fn from_race(report: Report) -> Self {
        let failure = report
            .attempts
            .iter()
            .filter_map(|attempt| match &attempt.outcome {
                AttemptOutcome::Failed(failure) => Some((attempt.stage(), failure)),
                _ => None,
            })
            .reduce(|first, next| if rank(&next) > rank(&first) { next } else { first });
        let denied = report.attempts.iter().any(|attempt| matches!(attempt.outcome, AttemptOutcome::Denied(_)));
        let (kind, message, source) = match failure {
            Some((stage, failure)) => {
                let source = Some(Source::Attempt(failure.shared_error()));
                match (stage, failure.kind()) {
                    (_, FailureKind::Certificate) => (Kind::Certificate, "tls certificate error", source),
                    (Stage::Tls, _) => (Kind::Tls, "tls handshake error", source),
                    (Stage::Tcp, _) => (Kind::Connect, "tcp connect error", source),
                }
            }
            None if denied => (Kind::Denied, "every address is denied", None),
            None => match failed_lookups(&report).next().cloned() {
                Some(error) => (Kind::Dns, "dns error", Some(Source::Resolve(error))),
                // No query failed and nothing was tried: no address is of a family that may be dialled.
                None => (Kind::Connect, "Network unreachable", None),
            },
        };
        Self(Box::new(Inner { kind, message, source, report: Some(Arc::new(report)) }))
    }

    /// The name could not be resolved.
    pub fn is_dns(&self) -> bool {
        self.0.kind == Kind::Dns
    }

    /// No address took a TCP connection.
    pub fn is_connect(&self) -> bool {
        self.0.kind == Kind::Connect
    }

    /// TCP was up on some address, and TLS failed, a wrong certificate included; or [`Ech::Required`](crate::Ech::Required)
    /// let nothing begin.
    pub fn is_tls(&self) -> bool {
        matches!(self.0.kind, Kind::Tls | Kind::Certificate)
    }

    /// An address answered with a certificate that is not good for the origin.
    pub fn is_certificate(&self) -> bool {
        self.0.kind == Kind::Certificate
    }

    /// The connect timeout ran out, or every lookup or attempt ended in a timeout.
    pub fn is_timeout(&self) -> bool {
        match self.0.kind {
            Kind::Timeout => true,
            Kind::Dns => match &self.0.source {
                Some(Source::Resolve(error)) => {
                    let lookups = self.report().into_iter().flat_map(|report| failed_lookups(report));
                    lookups.chain([error]).all(|error| error.kind() == ResolveErrorKind::Timeout)
                }
                _ => false,
            },
            _ => self.report().is_some_and(|report| {
                let mut failures = report.attempts.iter().filter_map(|attempt| match &attempt.outcome {
                    AttemptOutcome::Failed(failure) => Some(failure.kind()),
                    _ => None,
                });
                failures.next() == Some(FailureKind::TimedOut) && failures.all(|kind| kind == FailureKind::TimedOut)
            }),
        }
    }

    /// Every address is [denied](crate::report::AttemptOutcome::Denied), most often by the
    /// [address policy](crate::AddressPolicy).
    pub fn is_denied(&self) -> bool {
        self.0.kind == Kind::Denied
    }

    /// The URI cannot be connected to.
    pub fn is_invalid_uri(&self) -> bool {
        self.0.kind == Kind::InvalidUri
    }

    /// Where to connect to instead: the host has HTTPS records, and
    /// [`Config::https_upgrade`](crate::Config::https_upgrade) asked for them to be heeded (RFC 9460 section 9.5).
    ///
    /// It is the origin with `https` or `wss`, and its port unless that was 80. What follows is as after a redirect by
    /// the status 307: the same request, at the new place.
    pub fn upgrade_to(&self) -> Option<Uri> {
        let origin = self.report().filter(|_| self.0.kind == Kind::Upgrade)?.origin();
        origin.upgraded()
    }

    /// What was tried. `None` if the URI was refused before anything was.
    pub fn report(&self) -> Option<&Arc<Report>> {
        self.0.report.as_ref()
    }
}

/// The lookups that left the race without addresses. HTTPS is none: most names have no such records, and need none. Nor
/// is the one that tells of the NAT64 of the network.
fn failed_lookups(report: &Report) -> impl Iterator<Item = &ResolveError> {
    let is_of_host = |query: &&QueryReport| query.kind != QueryKind::Https && *query.name != *WELL_KNOWN_NAME;
    let lookups = report.queries.iter().filter(is_of_host);
    lookups.filter_map(|query| query.result.as_ref()?.as_ref().err())
}

/// How far an attempt got: a certificate was judged after everything else of the handshake.
fn rank((stage, failure): &(Stage, &Failure)) -> (Stage, bool) {
    (*stage, failure.kind() == FailureKind::Certificate)
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("report", &self.0.report)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_invalid_uri() {
            return write!(f, "invalid URL, {}", self.0.message);
        }
        f.write_str(self.0.message)?;
        let Some(report) = &self.0.report else { return Ok(()) };
        write!(f, ": {} after {}", report.origin, Millis(report.elapsed))?;
        // The cause stands nowhere below: nothing was asked or tried, or it is not about who was.
        if report.attempts.is_empty()
            && (report.queries.is_empty() || self.is_tls())
            && let Some(error) = self.source()
        {
            write!(f, ": {error}")?;
        }
        for query in &report.queries {
            match &query.result {
                Some(Err(error)) => {
                    write!(f, "; {} {}: {error}", query.kind, query.name)?;
                    if let Some(end) = query.end {
                        write!(f, " ({})", Millis(end - query.start))?;
                    }
                }
                Some(Ok(_)) => {}
                None => write!(f, "; {} {}: no answer yet", query.kind, query.name)?,
            }
        }
        for attempt in &report.attempts {
            let stage = match attempt.stage() {
                Stage::Tcp => "tcp",
                Stage::Tls => "tls",
            };
            write!(f, "; {} ", attempt.addr)?;
            if let Some(target) = &attempt.target {
                write!(f, "of {target} ")?;
            }
            match &attempt.outcome {
                AttemptOutcome::Failed(failure) => write!(f, "{stage} {}: {failure}", failure.kind())?,
                AttemptOutcome::Denied(reason) => write!(f, "denied: {reason}")?,
                AttemptOutcome::Cancelled | AttemptOutcome::Pending => write!(f, "{stage} without an answer")?,
                AttemptOutcome::Won => f.write_str("won")?,
            }
            if let (Some(end), false) = (attempt.end(), matches!(attempt.outcome, AttemptOutcome::Denied(_))) {
                write!(f, " ({})", Millis(end - attempt.start()))?;
            }
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.0.source.as_ref()? {
            Source::Resolve(error) => Some(error),
            Source::Attempt(error) => Some(&**error),
        }
    }
}

/// A duration in milliseconds with one decimal.
pub(crate) struct Millis(pub(crate) Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0.as_secs_f64() * 1e3)
    }
}
