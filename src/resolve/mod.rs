//! Names to addresses: the [`Resolve`] trait, what it answers, and its adapters.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

#[cfg(feature = "hickory")]
pub(crate) mod hickory;
#[cfg(feature = "hickory")]
mod hybrid;
mod lookups;
#[cfg(feature = "hickory")]
mod names;
mod service;
mod system;

#[cfg(feature = "hickory")]
pub use hickory::HickoryResolver;
#[cfg(feature = "reachability")]
pub(crate) use hickory::Records;
/// The DNS client of [`HickoryResolver`], whose types its constructors take.
#[cfg(feature = "hickory")]
pub use hickory_resolver;
#[cfg(feature = "hickory")]
pub use hybrid::HybridResolver;
pub(crate) use lookups::Lookups;
pub use service::ServiceRecord;
pub use system::ServiceResolver;

/// Answers the queries of a race.
///
/// The connector shares lookups: one is in flight per name and kind however many races wait for it, they drive it, and
/// its answer is kept until it expires. An implementation only has to look up, without blocking.
pub trait Resolve: Send + Sync + 'static {
    /// Which queries it answers.
    fn kinds(&self) -> Kinds;

    /// What a race asks for to reach `host`, which is as the URI has it, a final dot included.
    ///
    /// By default the host itself. This is the place for a hosts file, a search list, and names that are never asked.
    ///
    /// # Errors
    ///
    /// A host that cannot be resolved whatever is asked.
    fn names(&self, host: &str) -> Result<Names, ResolveError> {
        Ok(Names::Ask(vec![host.into()]))
    }

    /// Whether nobody on the way can read or change its answers: DNS over TLS, HTTPS or QUIC (v3 draft section 6.3).
    ///
    /// Then nothing is sent on a connection before [`QueryKind::Https`] is answered, and a lookup of it that fails,
    /// other than by there being no records, ends the connect (RFC 9460 section 3.1): somebody may want to hide them.
    ///
    /// Default is `false`.
    fn is_protected(&self) -> bool {
        false
    }

    /// A number that changes when what was answered before may hold no longer, such as with other name servers.
    ///
    /// It is asked for before each connect to a name and must not block. Where it differs from the last time, every
    /// answer that was kept is forgotten; connects under way go on with what they have. The same happens when the
    /// addresses of this host's interfaces change.
    ///
    /// Default is 0, always.
    fn epoch(&self) -> u64 {
        0
    }

    /// Looks up one kind of record of one name.
    fn resolve(&self, name: &str, kind: QueryKind) -> Resolving;
}

/// The future of [`Resolve::resolve`].
pub type Resolving = Pin<Box<dyn Future<Output = Result<Answer, ResolveError>> + Send>>;

/// Which queries a resolver answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kinds {
    /// [`QueryKind::A`] and [`QueryKind::Aaaa`], each on its own.
    PerFamily,
    /// [`QueryKind::A`], [`QueryKind::Aaaa`] and [`QueryKind::Https`], each on its own.
    PerType,
    /// [`QueryKind::Addresses`]: both families in one answer whose order stands.
    Addresses,
    /// [`QueryKind::Addresses`], and [`QueryKind::Https`] on its own.
    AddressesAndHttps,
}

impl Kinds {
    /// Whether addresses of both families come in one answer, in order.
    pub(crate) fn has_ordered_addresses(self) -> bool {
        matches!(self, Self::Addresses | Self::AddressesAndHttps)
    }

    pub(crate) fn has_https(self) -> bool {
        matches!(self, Self::PerType | Self::AddressesAndHttps)
    }
}

/// What a race asks for to reach a host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Names {
    /// These addresses, and no query. A port of 0 stands for the origin's.
    Fixed(Vec<SocketAddr>),
    /// These final names, one after the other: the next only when the last exists in neither family.
    Ask(Vec<Arc<str>>),
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum QueryKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Service bindings (RFC 9460).
    Https,
    /// Addresses of both families in one ordered answer.
    Addresses,
}

impl fmt::Display for QueryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Https => "HTTPS",
            Self::Addresses => "addresses",
        })
    }
}

/// A positive answer. Without records it counts as [`ResolveErrorKind::NoData`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) services: Vec<ServiceRecord>,
    /// Of other names, which came along.
    pub(crate) additional: Vec<(Arc<str>, IpAddr)>,
    pub(crate) expires: Option<Instant>,
}

impl Answer {
    /// An answer of IP addresses, in order; each is dialled at the origin's port.
    pub fn from_ips(ips: impl IntoIterator<Item = IpAddr>) -> Self {
        Self::from_socket_addrs(ips.into_iter().map(|ip| SocketAddr::new(ip, 0)))
    }

    /// An answer of socket addresses, in order. A port that is not 0 is used when the URI has none; the scope id of a
    /// link-local address is kept.
    pub fn from_socket_addrs(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self { addresses: addresses.into_iter().collect(), ..Self::default() }
    }

    /// An answer to [`QueryKind::Https`]: the whole set, in any order.
    pub fn from_services(services: impl IntoIterator<Item = ServiceRecord>) -> Self {
        Self { services: services.into_iter().collect(), ..Self::default() }
    }

    /// Addresses of other names that came along with the services: all that these names have of their family. A race
    /// does not ask for them again (RFC 9460 section 5).
    pub fn with_additional<N: Into<Arc<str>>>(mut self, addresses: impl IntoIterator<Item = (N, IpAddr)>) -> Self {
        self.additional.extend(addresses.into_iter().map(|(name, ip)| (name.into(), ip)));
        self
    }

    /// Until when the answer may be kept and given again.
    ///
    /// Default is not at all.
    pub fn expires(mut self, at: Instant) -> Self {
        self.expires = Some(at);
        self
    }
}

/// Why a lookup gave no records.
#[derive(Clone, Debug)]
pub struct ResolveError {
    kind: ResolveErrorKind,
    message: Cow<'static, str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    pub(crate) expires: Option<Instant>,
}

impl ResolveError {
    /// A failure of `kind`, described by `message`.
    pub fn new(kind: ResolveErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None, expires: None }
    }

    /// Adds the cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Until when the failure may be kept and given again, for negative answers (RFC 2308).
    ///
    /// Default is not at all.
    pub fn expires(mut self, at: Instant) -> Self {
        self.expires = Some(at);
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ResolveErrorKind {
        self.kind
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for ResolveError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The kinds of [`ResolveError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolveErrorKind {
    /// The name does not exist (NXDOMAIN).
    NxDomain,
    /// The name exists without records of this kind.
    NoData,
    /// The server failed (SERVFAIL).
    ServFail,
    /// The server refused, or could not do it (REFUSED, NOTIMP, FORMERR).
    Refused,
    /// The answer cannot be read, or an HTTPS record in it is malformed (RFC 9460 section 2.2).
    Malformed,
    /// No answer in time.
    Timeout,
    /// Anything else: the transport, the configuration, or a resolver that does not say.
    Other,
}

impl ResolveErrorKind {
    /// Whether the answer is certain: there are no such records.
    pub(crate) fn is_negative_answer(self) -> bool {
        matches!(self, Self::NxDomain | Self::NoData)
    }
}

/// Whether two names are one: DNS compares without case (RFC 4343), and a final dot only says that a name is absolute.
pub(crate) fn is_same_name(one: &str, other: &str) -> bool {
    let absolute = |name: &'_ str| name.len() - usize::from(name.ends_with('.'));
    // Mostly it is one string that is shared.
    std::ptr::eq(one, other) || {
        let (length, other_length) = (absolute(one), absolute(other));
        length == other_length && one.as_bytes()[..length].eq_ignore_ascii_case(&other.as_bytes()[..length])
    }
}

/// Whether `name` is the top-level domain `zone` or below it.
fn is_under(name: &str, zone: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.rsplit('.').next().is_some_and(|label| label.eq_ignore_ascii_case(zone))
}
