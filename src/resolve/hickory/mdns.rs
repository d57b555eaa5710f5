//! Names of mDNS (RFC 6762), which are the system's matter.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::net::NetError;

use super::{failure, no_data};
use crate::resolve::{Answer, Lookups, QueryKind, Resolve, ResolveError, ResolveErrorKind, ServiceResolver};

/// Whom to ask for them. One question tells of both families, so it is shared by the queries for each.
pub(super) struct Mdns(Lookups);

impl Mdns {
    pub(super) fn system() -> Self {
        Self::new(ServiceResolver::system())
    }

    pub(super) fn new(resolver: impl Resolve) -> Self {
        Self(Lookups::new(Arc::new(resolver)))
    }

    pub(super) async fn resolve(
        &self,
        name: Arc<str>,
        kind: QueryKind,
        timeout: Duration,
    ) -> Result<Answer, ResolveError> {
        let is_wanted = match kind {
            QueryKind::A => SocketAddr::is_ipv4,
            QueryKind::Aaaa => SocketAddr::is_ipv6,
            QueryKind::Https | QueryKind::Addresses => return Err(no_data()),
        };
        let lookup = self.0.lookup(&name, QueryKind::Addresses, Duration::ZERO);
        let mut answer = match tokio::time::timeout(timeout, lookup).await {
            Ok(Ok(answer)) => answer,
            // The system does not say why. Of a name that nobody has, mDNS says nothing.
            Ok(Err(error)) => {
                let message = "the system does not know the name";
                return Err(ResolveError::new(ResolveErrorKind::NxDomain, message).with_source(error));
            }
            Err(_) => return Err(failure(NetError::Timeout)),
        };
        answer.addresses.retain(is_wanted);
        if answer.addresses.is_empty() { Err(no_data()) } else { Ok(answer) }
    }
}
