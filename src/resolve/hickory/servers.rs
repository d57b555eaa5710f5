//! The name servers of one runtime, all asked at once.

mod standing;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{mem, ptr};

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use hickory_resolver::config::{ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{ConnectionProvider, Resolver};
use tokio::time;

use self::standing::Standing;
use super::connections::{Connections, NameServer};
use super::transport::Sockets;
use super::wire::{self, OPAQUE, UNREADABLE};
use crate::config::Config;

/// Clients of the name servers, one each.
///
/// A pool of hickory's asks two at once and takes the first that says anything, so a server that refuses quickly hides
/// one that would answer, and of three servers two dead ones cost a try. Here each is asked, and only an answer counts.
/// A server that has left lookups unanswered is asked as well, but not waited for once another has said that it failed.
#[derive(Clone)]
pub(super) struct Servers(Arc<[Server]>);

struct Server {
    client: Resolver<Connections>,
    /// For a server that does not take EDNS(0) (RFC 6891 section 6.2.2), or drops what has it.
    without_edns: Resolver<Connections>,
    /// The type that HTTPS records have on the near side of the sockets.
    https: RecordType,
    /// Whether the others are asked when its packet has left.
    leads: bool,
    sockets: Sockets,
    timeout: Duration,
    /// For so long it is asked with EDNS(0) only.
    patience: Duration,
    standing: Standing,
}

impl Servers {
    /// Opens nothing yet.
    pub(super) fn new(servers: &[NameServer], timeout: Duration) -> Result<Self, NetError> {
        let servers = servers.iter().map(|server| Server::new(server, timeout));
        let mut servers = servers.collect::<Result<Vec<_>, NetError>>()?;
        servers.sort_by_key(|server| !server.leads);
        Ok(Self(servers.into()))
    }

    /// The first answer, be it that there is none; if no server has one, the first failure that one has told.
    pub(super) async fn lookup(&self, name: &Name, record_type: RecordType) -> Result<Lookup, NetError> {
        let ask = |server| async move { (server, Server::lookup(server, name, record_type).await) };
        let (leading, mut others) = self.0.split_at(self.0.partition_point(|server| server.leads));
        // The order of the queries is not that of the packets: a task of hickory's stands in between.
        let sent = || leading.iter().map(|server| server.sockets.sent()).sum::<u64>();
        let sent_before = sent();
        let mut lookups: FuturesUnordered<_> = leading.iter().map(ask).collect();
        let mut poll_next = |cx: &mut Context<'_>| loop {
            let next = lookups.poll_next_unpin(cx);
            if !others.is_empty() && (next.is_ready() || sent() > sent_before) {
                lookups.extend(mem::take(&mut others).iter().map(ask));
                if !matches!(next, Poll::Ready(Some(_))) {
                    continue;
                }
            }
            return next;
        };

        let mut awaited: Vec<_> = self.0.iter().filter(|server| !server.standing.is_silent()).collect();
        let mut failure: Option<NetError> = None;
        while let Some((server, result)) = poll_fn(&mut poll_next).await {
            let error = match result {
                Err(error) if !is_answer(&error, record_type) => error,
                answer => return answer,
            };
            awaited.retain(|awaited| !ptr::eq(*awaited, server));
            if failure.as_ref().is_none_or(|failure| !is_told(failure) && is_told(&error)) {
                failure = Some(error);
            }
            if awaited.is_empty() && failure.as_ref().is_some_and(is_told) {
                break;
            }
        }
        Err(failure.unwrap_or(NetError::NoConnections))
    }
}

impl Server {
    fn new(server: &NameServer, timeout: Duration) -> Result<Self, NetError> {
        let connections = Connections::new(server, timeout);
        Ok(Self {
            sockets: connections.runtime_provider().clone(),
            client: client(server, connections.clone(), timeout, true)?,
            without_edns: client(server, connections, timeout, false)?,
            https: if server.is_in_sight() { OPAQUE } else { RecordType::HTTPS },
            // v3 draft section 4.5. Of other protocols the sockets do not see all that leaves.
            leads: server.is_in_sight() && !server.is_protected() && server.config().ip.is_ipv6(),
            timeout,
            // Of what nobody on the way can read nobody drops a part.
            patience: if server.is_protected() { Duration::MAX } else { timeout / Config::DNS_TRIES },
            standing: Standing::new(timeout),
        })
    }

    async fn lookup(&self, name: &Name, record_type: RecordType) -> Result<Lookup, NetError> {
        let asked = self.standing.asked();
        let mut result =
            time::timeout(self.timeout, self.ask(name, record_type)).await.unwrap_or(Err(NetError::Timeout));
        asked.end(&result);
        if let Err(NetError::Dns(DnsError::NoRecordsFound(none))) = &mut result {
            // People see it in errors.
            none.query.query_type = record_type;
        }
        result
    }

    /// With EDNS(0), and in time without it as well: some servers, and boxes on the way to them, drop what has it. A server
    /// may as well be slow, so the first query is waited for all the same.
    async fn ask(&self, name: &Name, record_type: RecordType) -> Result<Lookup, NetError> {
        let inner_type = if record_type == RecordType::HTTPS { self.https } else { record_type };
        let mut first = pin!(ask(&self.client, name, inner_type));
        let without_edns = pin!(ask(&self.without_edns, name, inner_type));
        let result = match time::timeout(self.patience, &mut first).await {
            Ok(result) => Either::Left((result, without_edns)),
            Err(_) => select(first, without_edns).await,
        };
        match result {
            Either::Left((Err(error), without_edns)) if is_without_edns(&error) => without_edns.await,
            Either::Right((Err(error), first)) if !is_told(&error) => first.await,
            Either::Left((result, _)) | Either::Right((result, _)) => result,
        }
    }
}

async fn ask(client: &Resolver<Connections>, name: &Name, record_type: RecordType) -> Result<Lookup, NetError> {
    client.lookup(name.clone(), record_type).await.map_err(|error| match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match wire::failure(none.response_code) {
            Some(code) => DnsError::ResponseCode(code).into(),
            None => none.into(),
        },
        error => error,
    })
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
    options.timeout = timeout;
    options.attempts = Config::DNS_TRIES as usize - 1;
    options.edns0 = edns;
    options.use_hosts_file = ResolveHosts::Never;
    // The answers are kept by who asks, for all runtimes together.
    options.cache_size = 0;
    builder.build()
}

/// Whether the error is an answer: that there are no such records, or that they cannot be read. Of HTTPS records that is
/// as good as none; addresses another server may have whole.
fn is_answer(error: &NetError, record_type: RecordType) -> bool {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain | ResponseCode::NoError => true,
            code => code == UNREADABLE && record_type == RecordType::HTTPS,
        },
        _ => false,
    }
}

/// Whether the error says that the server does not take EDNS(0).
fn is_without_edns(error: &NetError) -> bool {
    matches!(error, NetError::Dns(DnsError::ResponseCode(ResponseCode::FormErr | ResponseCode::NotImp)))
}

/// Whether the server has said that it failed.
fn is_told(failure: &NetError) -> bool {
    matches!(failure, NetError::Dns(_))
}
