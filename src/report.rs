//! The timeline of a connect.

mod timeline;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::origin::{Host, Origin};
use crate::resolve::{QueryKind, ResolveError, ServiceRecord};

/// Everything that a connect did, with times from its start.
///
/// It stands in the extensions of every response on the connection as `Arc<Report>`, in
/// [`MaybeHttpsStream::report`](crate::MaybeHttpsStream::report), and in [`Error::report`](crate::Error::report).
/// Its `Display` draws the timeline for a terminal.
#[derive(Clone, Debug)]
pub struct Report {
    pub(crate) origin: Origin,
    pub(crate) queries: Vec<QueryReport>,
    pub(crate) attempts: Vec<AttemptReport>,
    pub(crate) elapsed: Duration,
    /// Whether at the end no handshake could begin without ECH.
    #[cfg_attr(not(feature = "reachability"), allow(dead_code))]
    pub(crate) relies_on_ech: bool,
}

impl Report {
    pub(crate) fn new(origin: Origin) -> Self {
        let (queries, attempts) = (Vec::new(), Vec::new());
        Self { origin, queries, attempts, elapsed: Duration::ZERO, relies_on_ech: false }
    }

    /// What was connected to.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The DNS queries, in the order in which they were asked. Addresses that needed no query, from an override or
    /// the hosts file, stand as one answered at time zero.
    pub fn queries(&self) -> &[QueryReport] {
        &self.queries
    }

    /// The endpoint attempts in the order in which they started, and the endpoints that the address policy denied.
    pub fn attempts(&self) -> &[AttemptReport] {
        &self.attempts
    }

    /// The attempt that won, if one did.
    pub fn winner(&self) -> Option<&AttemptReport> {
        self.attempts.iter().find(|attempt| matches!(attempt.outcome, AttemptOutcome::Won))
    }

    /// When the first answer with addresses came: at once where the origin has an address, `None` if none came.
    pub fn resolved(&self) -> Option<Duration> {
        if matches!(self.origin.host(), Host::Address { .. }) {
            return Some(Duration::ZERO);
        }
        let answers = self.queries.iter().filter(|query| matches!(query.result(), Some(Ok([_, ..]))));
        answers.filter_map(QueryReport::end).min()
    }

    /// From the start of the connect to its end.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

/// One DNS query of a [`Report`].
#[derive(Clone, Debug)]
pub struct QueryReport {
    pub(crate) name: Arc<str>,
    pub(crate) kind: QueryKind,
    pub(crate) start: Duration,
    pub(crate) end: Option<Duration>,
    pub(crate) result: Option<Result<Vec<SocketAddr>, ResolveError>>,
    pub(crate) services: Vec<ServiceRecord>,
}

impl QueryReport {
    /// The name that was asked for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind of records.
    pub fn kind(&self) -> QueryKind {
        self.kind
    }

    /// When it was asked.
    pub fn start(&self) -> Duration {
        self.start
    }

    /// When it was answered or given up; `None` if the connect ended before.
    pub fn end(&self) -> Option<Duration> {
        self.end
    }

    /// The addresses of the answer, or why there is none; `None` if the connect ended before. A port of 0 stands for
    /// the origin's. An answer to HTTPS has no addresses, but [`services`](Self::services).
    pub fn result(&self) -> Option<Result<&[SocketAddr], &ResolveError>> {
        self.result.as_ref().map(|result| result.as_deref())
    }

    /// The HTTPS records of the answer, all that came, usable or not: what else a service speaks (HTTP/3, say) stands
    /// in them. Empty for queries of other kinds.
    pub fn services(&self) -> &[ServiceRecord] {
        &self.services
    }
}

/// One endpoint attempt of a [`Report`].
// The race keeps its attempts as these, so that a report copies nothing, and times are worked out for who asks.
#[derive(Clone)]
pub struct AttemptReport {
    pub(crate) addr: SocketAddr,
    pub(crate) target: Option<Arc<str>>,
    /// When the connect began: times are told from there.
    pub(crate) began: Instant,
    pub(crate) started: Instant,
    pub(crate) tcp: Option<Tcp>,
    /// When TLS began: with TCP, or later where it has to wait.
    pub(crate) handshake: Option<Instant>,
    pub(crate) ended: Option<Instant>,
    pub(crate) outcome: AttemptOutcome,
    /// The ECH configurations that it came with, and once TLS has begun those of the hello.
    pub(crate) ech: Option<Arc<[u8]>>,
}

/// TCP of an attempt.
#[derive(Clone, Copy)]
pub(crate) struct Tcp {
    pub(crate) up: Instant,
    /// Of its handshake, if it could be measured.
    pub(crate) rtt: Option<Duration>,
}

impl AttemptReport {
    /// One that is under way since `started`.
    pub(crate) fn new(addr: SocketAddr, target: Option<Arc<str>>, began: Instant, started: Instant) -> Self {
        let outcome = AttemptOutcome::Pending;
        Self { addr, target, began, started, tcp: None, handshake: None, ended: None, outcome, ech: None }
    }

    /// The address and port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The name whose address it is, where HTTPS records led to another one than the origin's.
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// Whether its handshake hides the server name: the records, or the server itself, gave ECH configurations for it
    /// (RFC 9849).
    pub fn has_ech(&self) -> bool {
        self.ech.is_some()
    }

    /// When it started.
    pub fn start(&self) -> Duration {
        self.started - self.began
    }

    /// When TCP was up, if it was.
    pub fn tcp(&self) -> Option<Duration> {
        self.tcp.map(|tcp| tcp.up - self.began)
    }

    /// When it ended. Every attempt has ended once the connect has.
    pub fn end(&self) -> Option<Duration> {
        self.ended.map(|ended| ended - self.began)
    }

    /// How it ended.
    pub fn outcome(&self) -> &AttemptOutcome {
        &self.outcome
    }

    /// The last stage that it reached.
    pub fn stage(&self) -> Stage {
        if self.tcp.is_some() { Stage::Tls } else { Stage::Tcp }
    }
}

impl fmt::Debug for AttemptReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptReport")
            .field("addr", &self.addr)
            .field("target", &self.target)
            .field("start", &self.start())
            .field("tcp", &self.tcp())
            .field("end", &self.end())
            .field("outcome", &self.outcome)
            .finish()
    }
}

/// How an attempt ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// It is still under way. Not seen in a finished report.
    Pending,
    /// It is the connection.
    Won,
    /// It failed.
    Failed(Failure),
    /// It was dropped because another won, or because the connect timed out.
    Cancelled,
    /// The [address policy](crate::AddressPolicy) denied it, or only a record names its port, which is of another protocol.
    /// This is the reason; nothing was sent.
    Denied(std::borrow::Cow<'static, str>),
}

/// The stages of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// Until the TCP handshake is done.
    Tcp,
    /// After it.
    Tls,
}

/// Why an attempt failed.
#[derive(Clone, Debug)]
pub struct Failure {
    kind: FailureKind,
    error: Arc<dyn StdError + Send + Sync>,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { kind, error: Arc::from(error.into()) }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Whether this host has no route, so that nothing was sent.
    pub(crate) fn is_no_route(&self) -> bool {
        use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable};

        let io = self.error.downcast_ref::<io::Error>().map(io::Error::kind);
        self.kind == FailureKind::Local && matches!(io, Some(AddrNotAvailable | HostUnreachable | NetworkUnreachable))
    }

    /// What a server that rejected ECH has given to try again.
    pub(crate) fn ech_rejection(&self) -> Option<&EchRejection> {
        self.error.downcast_ref()
    }

    pub(crate) fn shared_error(&self) -> Arc<dyn StdError + Send + Sync> {
        self.error.clone()
    }

    /// The cause: a [`std::io::Error`] for TCP.
    pub fn error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.error
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The causes of an I/O error that wraps one are already in its text; others hide theirs.
        write!(f, "{}", self.error)?;
        let mut text = self.error.to_string();
        let mut source = self.error.source();
        while let Some(error) = source {
            let cause = error.to_string();
            if !text.contains(&cause) {
                write!(f, ": {cause}")?;
            }
            text = cause;
            source = error.source();
        }
        Ok(())
    }
}

/// The kinds of [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// This host could not send anything: no route, no such family, no descriptor left, a refused local address.
    Local,
    /// The port is closed (RST to the SYN).
    Refused,
    /// A router says that there is no way (ICMP).
    Unreachable,
    /// The kernel, or one of the timeouts of [`Config`](crate::Config), gave up.
    TimedOut,
    /// The peer ended the connection before the handshake was done.
    Closed,
    /// The certificate is not good for the origin.
    Certificate,
    /// The server rejected Encrypted Client Hello, and proved to have the right to (RFC 9849 section 6.1.6).
    EchRejected,
    /// TLS failed in another way.
    Tls,
    /// Anything else.
    Other,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Local => "local",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed out",
            Self::Closed => "closed",
            Self::Certificate => "certificate",
            Self::EchRejected => "ech rejected",
            // It stands behind the stage.
            Self::Tls => "handshake",
            Self::Other => "failed",
        })
    }
}

/// A server's rejection of Encrypted Client Hello: the error of its [`Failure`].
#[derive(Clone, Debug)]
pub(crate) struct EchRejection {
    /// An `ECHConfigList` to try again with. If none of it is of use the server has turned ECH off, of which it has proved to
    /// have the right.
    pub(crate) retry_configs: Option<Arc<[u8]>>,
}

impl fmt::Display for EchRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.retry_configs {
            Some(_) => "the server has other ECH configurations",
            None => "the server has turned ECH off",
        })
    }
}

impl StdError for EchRejection {}
