//! The name servers of one runtime, all asked at once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};

/// Tries of one lookup. With three a lost packet costs at most a third of the time for the lookup.
const TRIES: u32 = 3;

/// Clients of the name servers, one each.
///
/// A pool of hickory's asks two at once and takes the first that says anything, so a server that refuses quickly hides
/// one that would answer, and of three servers two dead ones cost a try. Here each is asked, and only an answer counts.
#[derive(Clone)]
pub(super) struct Servers(Arc<[Server]>);

struct Server {
    client: TokioResolver,
    /// For a server that does not take EDNS(0) (RFC 6891 section 6.2.2).
    without_edns: TokioResolver,
}

impl Servers {
    /// Opens nothing yet.
    pub(super) fn new(config: &ResolverConfig, timeout: Duration) -> Result<Self, NetError> {
        let servers = config.name_servers().iter().map(|server| {
            Ok(Server { client: client(server, timeout, true)?, without_edns: client(server, timeout, false)? })
        });
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
    async fn lookup(&self, name: &Name, record_type: RecordType) -> Result<Lookup, NetError> {
        match self.client.lookup(name.clone(), record_type).await {
            Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::FormErr | ResponseCode::NotImp))) => {
                self.without_edns.lookup(name.clone(), record_type).await
            }
            result => result,
        }
    }
}

fn client(server: &NameServerConfig, timeout: Duration, edns: bool) -> Result<TokioResolver, NetError> {
    let config = ResolverConfig::from_name_servers(vec![server.clone()]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.timeout = timeout / TRIES;
    options.attempts = TRIES as usize - 1;
    options.edns0 = edns;
    options.use_hosts_file = ResolveHosts::Never;
    // The answers are kept by who asks, for all runtimes together.
    options.cache_size = 0;
    builder.build()
}

/// Whether the error is that there are no such records, and certain.
fn is_answer(error: &NetError) -> bool {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError)
        }
        _ => false,
    }
}
