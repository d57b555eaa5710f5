//! The name servers of one runtime, all asked at once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hickory_resolver::Resolver;
use hickory_resolver::config::{ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};

use super::connections::{Connections, NameServer};
use super::wire::{OPAQUE, UNREADABLE};

/// Tries of one lookup. With three a lost packet costs at most a third of the time for the lookup.
const TRIES: u32 = 3;

/// Clients of the name servers, one each.
///
/// A pool of hickory's asks two at once and takes the first that says anything, so a server that refuses quickly hides
/// one that would answer, and of three servers two dead ones cost a try. Here each is asked, and only an answer counts.
#[derive(Clone)]
pub(super) struct Servers(Arc<[Server]>);

struct Server {
    client: Resolver<Connections>,
    /// For a server that does not take EDNS(0) (RFC 6891 section 6.2.2).
    without_edns: Resolver<Connections>,
    /// The type that HTTPS records have on the near side of the sockets.
    https: RecordType,
}

impl Servers {
    /// Opens nothing yet.
    pub(super) fn new(servers: &[NameServer], timeout: Duration) -> Result<Self, NetError> {
        let servers = servers.iter().map(|server| Server::new(server, timeout));
        servers.collect::<Result<_, NetError>>().map(Self)
    }

    /// The first answer, be it that there is none; if no server has one, the first failure.
    pub(super) async fn lookup(&self, name: &Name, record_type: RecordType) -> Result<Lookup, NetError> {
        let mut lookups: FuturesUnordered<_> = self.0.iter().map(|server| server.lookup(name, record_type)).collect();
        let mut failure = None;
        while let Some(result) = lookups.next().await {
            match result {
                Err(error) if !is_answer(&error) => {
                    failure.get_or_insert(error);
                }
                answer => return answer,
            }
        }
        Err(failure.unwrap_or(NetError::NoConnections))
    }
}

impl Server {
    fn new(server: &NameServer, timeout: Duration) -> Result<Self, NetError> {
        let connections = Connections::new(server, timeout / TRIES);
        Ok(Self {
            client: client(server, connections.clone(), timeout, true)?,
            without_edns: client(server, connections, timeout, false)?,
            https: if server.is_in_sight() { OPAQUE } else { RecordType::HTTPS },
        })
    }

    async fn lookup(&self, name: &Name, record_type: RecordType) -> Result<Lookup, NetError> {
        let inner_type = if record_type == RecordType::HTTPS { self.https } else { record_type };
        let mut result = self.client.lookup(name.clone(), inner_type).await;
        if let Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::FormErr | ResponseCode::NotImp))) = result {
            result = self.without_edns.lookup(name.clone(), inner_type).await;
        }
        if let Err(NetError::Dns(DnsError::NoRecordsFound(none))) = &mut result {
            // People see it in errors.
            none.query.query_type = record_type;
        }
        result
    }
}

fn client(
    server: &NameServer,
    connections: Connections,
    timeout: Duration,
    edns: bool,
) -> Result<Resolver<Connections>, NetError> {
    let config = ResolverConfig::from_name_servers(vec![server.config().clone()]);
    let mut builder = Resolver::builder_with_config(config, connections);
    let options = builder.options_mut();
    options.timeout = timeout / TRIES;
    options.attempts = TRIES as usize - 1;
    options.edns0 = edns;
    options.use_hosts_file = ResolveHosts::Never;
    // The answers are kept by who asks, for all runtimes together.
    options.cache_size = 0;
    builder.build()
}

/// Whether the error is an answer: that there are no such records, or that nobody can read them.
fn is_answer(error: &NetError) -> bool {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError | UNREADABLE)
        }
        _ => false,
    }
}
