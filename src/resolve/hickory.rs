//! DNS by hickory-resolver: one query a type, each answer as soon as it comes.

mod connections;
mod https;
mod mdns;
#[cfg(feature = "dns-over-https")]
mod over_https;
#[cfg(feature = "dns-over-tls")]
mod over_tls;
#[cfg(feature = "reachability")]
mod records;
mod servers;
mod setup;
mod transport;
mod wire;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::runtime::{self, Handle};

use self::https::Aliases;
use self::mdns::Mdns;
#[cfg(feature = "reachability")]
pub(crate) use self::records::Records;
use self::servers::Servers;
use self::setup::Setup;
use super::names::{Search, names, outside_dns};
use super::{
    Answer, Kinds, Names, QueryKind, Resolve, ResolveError, ResolveErrorKind, Resolving, ServiceRecord, is_under,
};
use crate::config::Config;

/// Resolves by DNS, one query a record type: a race goes on with the first answer and need not wait for the other.
///
/// The hosts file goes first, and its addresses stand for both families. Names of localhost are loopback, those under
/// `onion`, `invalid` and `alt` are errors without a query, and a search list is applied once, to both types together,
/// as resolv.conf(5) has it. All name servers are asked at once, those over IPv6 first, and the first answer counts;
/// queries carry EDNS(0), unless the server does not take it, and a truncated answer is fetched over TCP. What a server
/// failed to answer it is not asked for again for 5 s, of HTTPS records for 30 s (RFC 9520).
///
/// Both files are read again when they change, which is looked for at most once a second (the name servers only on Unix).
/// For 10 s a file that is gone or cannot be read counts as it was, as it may be about to be replaced. Lookups in flight
/// go on; with other name servers what the old ones have answered is forgotten.
///
/// HTTPS records (RFC 9460) are handed on as they are, aliases of theirs included, together with the addresses of their
/// targets if the server sends some along.
///
/// Names under `local` are mDNS's (RFC 6762): the system's `getaddrinfo` is asked for their addresses, and nobody for
/// HTTPS records. Where a network has such names in DNS, the system knows that too.
///
/// One resolver serves several tokio runtimes. Clones share their connections.
#[derive(Clone)]
pub struct HickoryResolver {
    shared: Arc<Shared>,
}

impl HickoryResolver {
    /// The name servers and the search list of the system: resolv.conf(5), elsewhere what the system says.
    ///
    /// On Android the first lookup panics unless the application has initialised the crate `ndk_context`.
    ///
    /// Nothing is read before the first name. While the configuration cannot be read, every lookup fails and says
    /// why; it is tried again with the next name. The servers of somebody else are never asked instead.
    pub fn from_system() -> Self {
        Self::from_setup(Setup::system())
    }

    /// The name servers and the search list of `config`. The hosts file is the system's.
    pub fn new(config: ResolverConfig) -> Self {
        Self::from_setup(Setup::fixed(config))
    }

    /// These name servers, over UDP and TCP, and no search list. The hosts file is the system's.
    ///
    /// The zone of a link-local address is not kept.
    pub fn with_name_servers(servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        let servers = servers.into_iter().map(|server| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for connection in &mut connections {
                connection.port = server.port();
            }
            NameServerConfig::new(server.ip(), true, connections)
        });
        Self::new(ResolverConfig::from_name_servers(servers.collect()))
    }

    fn from_setup(setup: Setup) -> Self {
        Self { shared: Arc::new(Shared::new(Arc::new(setup), Duration::from_secs(5))) }
    }

    /// The time for one lookup with all its tries. An answer to any of them counts until then. Of clones it changes this
    /// one only.
    ///
    /// Default is 5 s.
    pub fn set_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.shared = Arc::new(Shared::new(self.shared.setup.clone(), timeout));
        self
    }
}

/// As [`HickoryResolver::from_system`].
impl Default for HickoryResolver {
    fn default() -> Self {
        Self::from_system()
    }
}

impl fmt::Debug for HickoryResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HickoryResolver").field("timeout", &self.shared.timeout).finish_non_exhaustive()
    }
}

impl Resolve for HickoryResolver {
    fn kinds(&self) -> Kinds {
        Kinds::PerType
    }

    fn names(&self, host: &str) -> Result<Names, ResolveError> {
        let hosts = self.shared.setup.hosts();
        match self.shared.setup.dns() {
            Ok(dns) => names(host, &hosts, &dns.search),
            Err(error) => match names(host, &hosts, &Search::default())? {
                Names::Ask(_) => Err(unusable(&error)),
                fixed @ Names::Fixed(_) => Ok(fixed),
            },
        }
    }

    fn epoch(&self) -> u64 {
        self.shared.setup.dns().map_or(0, |dns| dns.fingerprint)
    }

    fn is_protected(&self) -> bool {
        self.shared.setup.dns().is_ok_and(|dns| dns.is_protected())
    }

    fn resolve(&self, name: &str, kind: QueryKind) -> Resolving {
        let shared = self.shared.clone();
        // Records lead to names that `names` has not seen.
        let outside_dns = outside_dns(name);
        if is_under(name, "local") {
            let name = name.into();
            return Box::pin(async move { shared.mdns.resolve(name, kind, shared.timeout).await });
        }
        let name = Name::from_ascii(name);
        Box::pin(async move {
            if let Some(error) = outside_dns {
                return Err(error);
            }
            let record_type = match kind {
                QueryKind::A => RecordType::A,
                QueryKind::Aaaa => RecordType::AAAA,
                QueryKind::Https => RecordType::HTTPS,
                QueryKind::Addresses => return Err(other(format!("{kind} is not a query of this resolver"))),
            };
            let mut name = name.map_err(|err| other("the name is not one of DNS").with_source(err))?;
            name.set_fqdn(true);
            let servers = shared.servers()?;
            lookup(&servers, name, record_type).await
        })
    }
}

async fn lookup(servers: &Servers, name: Name, record_type: RecordType) -> Result<Answer, ResolveError> {
    let result = servers.lookup(&name, record_type).await.map_err(failure);
    if record_type == RecordType::HTTPS {
        return result
            .and_then(|lookup| https::answer(&lookup, &name))
            .map_err(|error| keep(error, Config::HTTPS_FAILURE_TTL));
    }
    let lookup = result.map_err(|error| keep(error, Config::ADDRESS_FAILURE_TTL))?;
    let addresses = addresses(&lookup, &name, record_type);
    if addresses.is_empty() {
        return Err(no_data());
    }
    Ok(Answer::from_ips(addresses).expires(lookup.valid_until()))
}

/// What a message from the wire comes to that answers a question for HTTPS records; `None` if hickory drops it.
#[cfg(feature = "__internal")]
pub fn https_answer(message: &mut [u8], is_cut: bool) -> Option<Result<Answer, ResolveError>> {
    let length = wire::response(message, is_cut);
    let message = hickory_resolver::proto::op::Message::from_vec(&message[..length]).ok()?;
    let query = message.queries.first()?.clone();
    let name = query.name().clone();
    let mut lookup = Lookup::new_with_max_ttl(query, message.answers);
    lookup.extend_additionals(message.additionals);
    Some(https::answer(&lookup, &name))
}

/// The addresses that `name` has, and no other name that the answer may speak of.
fn addresses(lookup: &Lookup, name: &Name, record_type: RecordType) -> Vec<IpAddr> {
    let (owner, _) = Aliases::of(lookup.answers()).follow(name);
    let records = lookup.answers().iter().filter(|record| record.record_type() == record_type && record.name == *owner);
    records.filter_map(|record| record.data.ip_addr()).collect()
}

struct Shared {
    setup: Arc<Setup>,
    timeout: Duration,
    mdns: Mdns,
    /// The last one used at the end.
    clients: Mutex<Vec<Clients>>,
}

/// The clients of one runtime: their sockets are driven by tasks in the runtime that made them, and would stand still
/// with it.
struct Clients {
    runtime: runtime::Id,
    /// Of the [`Dns`] that they are of.
    fingerprint: u64,
    servers: Servers,
}

impl Shared {
    fn new(setup: Arc<Setup>, timeout: Duration) -> Self {
        Self { setup, timeout, mdns: Mdns::system(), clients: Mutex::default() }
    }

    fn servers(&self) -> Result<Servers, ResolveError> {
        let runtime = Handle::try_current().map_err(|err| other("no runtime to look up in").with_source(err))?.id();
        let dns = self.setup.dns().map_err(|error| unusable(&error))?;

        let mut kept = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|clients| clients.runtime == runtime).map(|index| kept.remove(index));
        let clients = match known.filter(|clients| clients.fingerprint == dns.fingerprint) {
            Some(clients) => clients,
            None => {
                let servers = Servers::new(&dns.servers, self.timeout).map_err(failure)?;
                Clients { runtime, fingerprint: dns.fingerprint, servers }
            }
        };
        if kept.len() >= Config::MAX_DNS_RUNTIMES {
            kept.remove(0);
        }
        let servers = clients.servers.clone();
        kept.push(clients);
        Ok(servers)
    }
}

const NO_DATA: &str = "no records of this type (NODATA)";

fn no_data() -> ResolveError {
    ResolveError::new(ResolveErrorKind::NoData, NO_DATA)
}

fn failure(error: NetError) -> ResolveError {
    let (kind, message) = match &error {
        NetError::Timeout => (ResolveErrorKind::Timeout, "no answer in time"),
        NetError::Dns(DnsError::NoRecordsFound(none)) => by_code(none.response_code),
        NetError::Dns(DnsError::ResponseCode(code)) => by_code(*code),
        _ => (ResolveErrorKind::Other, "the lookup failed"),
    };
    let mut failure = match kind {
        // The kind alone says little; a missing descriptor has to be seen in the error of the connect.
        ResolveErrorKind::Other => other(format!("{message}: {error}")),
        _ => ResolveError::new(kind, message),
    };
    if kind.is_negative_answer()
        && let NetError::Dns(DnsError::NoRecordsFound(none)) = &error
        && let Some(ttl) = none.negative_ttl
    {
        failure = failure.expires(Instant::now() + Duration::from_secs(ttl.into()).min(Config::MAX_NEGATIVE_TTL));
    }
    failure.with_source(error)
}

/// What a server did not manage it is not asked for again at each connect (RFC 9520).
fn keep(error: ResolveError, ttl: Duration) -> ResolveError {
    match error.kind() {
        ResolveErrorKind::Malformed | ResolveErrorKind::ServFail | ResolveErrorKind::Refused => {
            error.expires(Instant::now() + ttl)
        }
        _ => error,
    }
}

fn by_code(code: ResponseCode) -> (ResolveErrorKind, &'static str) {
    match code {
        ResponseCode::NXDomain => (ResolveErrorKind::NxDomain, "the name does not exist (NXDOMAIN)"),
        ResponseCode::NoError => (ResolveErrorKind::NoData, NO_DATA),
        ResponseCode::ServFail => (ResolveErrorKind::ServFail, "the server failed (SERVFAIL)"),
        ResponseCode::Refused => (ResolveErrorKind::Refused, "the server refused (REFUSED)"),
        wire::UNREADABLE => (ResolveErrorKind::Malformed, "the answer cannot be read"),
        // What servers say of types that they do not know.
        ResponseCode::NotImp => (ResolveErrorKind::Refused, "the server has not built it (NOTIMP)"),
        ResponseCode::FormErr => (ResolveErrorKind::Refused, "the server did not understand (FORMERR)"),
        _ => (ResolveErrorKind::Other, "the server answered with an error"),
    }
}

fn unusable(error: &NetError) -> ResolveError {
    other(format!("the system's DNS configuration could not be read: {error}")).with_source(error.clone())
}

fn other(message: impl Into<std::borrow::Cow<'static, str>>) -> ResolveError {
    ResolveError::new(ResolveErrorKind::Other, message)
}

#[cfg(test)]
mod tests;
