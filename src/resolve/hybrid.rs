//! Addresses from the system, HTTPS records from DNS.

use std::error::Error as StdError;
use std::fmt;
use std::future::ready;
use std::net::SocketAddr;

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

use super::{
    HickoryResolver, Kinds, Names, QueryKind, Resolve, ResolveError, ResolveErrorKind, Resolving, ServiceResolver,
};

/// Addresses from the system's `getaddrinfo`, HTTPS records (RFC 9460) from DNS.
///
/// It is for hosts whose names are the system's own matter: nsswitch.conf, mDNS, a VPN to which some domains belong.
/// Both families come in one answer, whose order stands, and HTTPS records are asked for beside it.
///
/// `getaddrinfo` applies the search list; HTTPS is asked of the host as it stands. A host without a dot, and one in the
/// hosts file, has no records, nor has a name under `local`. Where the name servers of resolv.conf(5) do not know what
/// the system knows, that is an answer like any other: there are no records.
///
/// ```
/// use hyper_happy_eyeballs::HappyEyeballsConnector;
/// use hyper_happy_eyeballs::resolve::HybridResolver;
///
/// let builder = HappyEyeballsConnector::builder().resolver(HybridResolver::new());
/// ```
#[derive(Clone)]
pub struct HybridResolver<S = GaiResolver> {
    addresses: ServiceResolver<S>,
    records: HickoryResolver,
}

impl HybridResolver {
    /// `getaddrinfo`, and the name servers of the system: see [`ServiceResolver::system`] and
    /// [`HickoryResolver::from_system`].
    pub fn new() -> Self {
        Self::from_parts(ServiceResolver::system(), HickoryResolver::from_system())
    }
}

impl<S> HybridResolver<S> {
    /// Addresses from `addresses`, HTTPS records from `records`.
    ///
    /// Answers do not count as [protected](Resolve::is_protected), whatever `records` is, as the addresses are not.
    pub fn from_parts(addresses: ServiceResolver<S>, records: HickoryResolver) -> Self {
        Self { addresses, records }
    }

    /// Whether DNS may have records under `name`.
    fn may_have_records(&self, name: &str) -> bool {
        // The name has the port before the host, unless that is 443 (RFC 9460 section 9.1).
        let host = name.split_once("._https.").map_or(name, |(_, host)| host);
        let has_dot = host.trim_end_matches('.').contains('.');
        has_dot && !matches!(self.records.names(host), Ok(Names::Fixed(_)))
    }
}

/// As [`HybridResolver::new`].
impl Default for HybridResolver {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Resolve for HybridResolver<S>
where
    S: Service<Name> + Clone + Send + Sync + 'static,
    S::Response: Iterator<Item = SocketAddr>,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
    S::Future: Send,
{
    fn kinds(&self) -> Kinds {
        Kinds::AddressesAndHttps
    }

    fn names(&self, host: &str) -> Result<Names, ResolveError> {
        self.addresses.names(host)
    }

    fn epoch(&self) -> u64 {
        self.records.epoch()
    }

    fn resolve(&self, name: &str, kind: QueryKind) -> Resolving {
        match kind {
            QueryKind::Https if self.may_have_records(name) => self.records.resolve(name, kind),
            QueryKind::Https => {
                let error = ResolveError::new(ResolveErrorKind::NoData, "the name is not one of DNS: not asked for");
                Box::pin(ready(Err(error)))
            }
            _ => self.addresses.resolve(name, kind),
        }
    }
}

impl<S> fmt::Debug for HybridResolver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HybridResolver").field("records", &self.records).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What its name servers have answered is forgotten with them.
    #[test]
    fn its_epoch_is_that_of_its_records() {
        let records = HickoryResolver::with_name_servers(["192.0.2.53:53".parse().unwrap()]);
        let epoch = records.epoch();
        assert_ne!(epoch, 0);
        assert_eq!(HybridResolver::from_parts(ServiceResolver::system(), records).epoch(), epoch);
    }
}
