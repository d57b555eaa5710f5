//! Connections to a name server.

#[cfg(feature = "dns-over-tls")]
mod kept;

use std::net::IpAddr;
#[cfg(feature = "dns-over-tls")]
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::Stream;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ProtocolConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::xfer::{DnsExchange, DnsHandle};
use hickory_resolver::proto::op::{DnsRequest, DnsResponse};
use hickory_resolver::{ConnectionProvider, PoolContext};

#[cfg(feature = "dns-over-tls")]
use self::kept::Kept;
#[cfg(feature = "dns-over-https")]
pub(super) use self::kept::Times;
#[cfg(feature = "dns-over-https")]
use super::over_https::Https;
#[cfg(feature = "dns-over-tls")]
use super::over_tls::Tls;
use super::transport::Sockets;

/// A name server, and how to reach it.
#[derive(Clone)]
pub(super) struct NameServer {
    config: NameServerConfig,
    /// What messages travel in instead of what the configuration says.
    #[cfg(feature = "dns-over-tls")]
    secure: Option<(SocketAddr, Secure)>,
}

#[cfg(feature = "dns-over-tls")]
#[derive(Clone)]
pub(super) enum Secure {
    #[cfg(feature = "dns-over-https")]
    Https(Https),
    Tls(Tls),
}

impl NameServer {
    pub(super) fn new(config: NameServerConfig) -> Self {
        Self {
            config,
            #[cfg(feature = "dns-over-tls")]
            secure: None,
        }
    }

    /// At `addr`, and never in clear.
    #[cfg(feature = "dns-over-tls")]
    pub(super) fn secure(addr: SocketAddr, secure: Secure) -> Self {
        let mut connection = ConnectionConfig::tcp();
        connection.port = addr.port();
        let config = NameServerConfig::new(addr.ip(), true, vec![connection]);
        Self { config, secure: Some((addr, secure)) }
    }

    pub(super) fn config(&self) -> &NameServerConfig {
        &self.config
    }

    /// Whether nobody on the way can read or change messages.
    pub(super) fn is_protected(&self) -> bool {
        #[cfg(feature = "dns-over-tls")]
        if self.secure.is_some() {
            return true;
        }
        // What another crate can add to hickory is encrypted.
        !self.protocols().any(is_plain)
    }

    /// Whether HTTPS records can be handed past hickory. What another crate can add to it, such as DNS over TLS of its
    /// own, is out of sight: there it reads them.
    pub(super) fn is_in_sight(&self) -> bool {
        self.protocols().all(is_plain)
    }

    fn protocols(&self) -> impl Iterator<Item = &ProtocolConfig> {
        self.config.connections.iter().map(|connection| &connection.protocol)
    }
}

fn is_plain(protocol: &ProtocolConfig) -> bool {
    matches!(protocol, ProtocolConfig::Udp | ProtocolConfig::Tcp)
}

/// Makes the connections to one name server.
#[derive(Clone)]
pub(super) struct Connections {
    sockets: Sockets,
    /// The only one, where TLS makes each one dear.
    #[cfg(feature = "dns-over-tls")]
    kept: Option<Kept>,
}

impl Connections {
    /// A query takes `timeout` at most.
    #[cfg_attr(not(feature = "dns-over-tls"), expect(unused_variables))]
    pub(super) fn new(server: &NameServer, timeout: Duration) -> Self {
        let sockets = Sockets::new(server.is_in_sight());
        Self {
            #[cfg(feature = "dns-over-tls")]
            kept: server.secure.clone().map(|(addr, secure)| Kept::new(addr, secure, sockets.clone(), timeout)),
            sockets,
        }
    }
}

impl ConnectionProvider for Connections {
    type Conn = Connection;
    type FutureConn = Pin<Box<dyn Future<Output = Result<Connection, NetError>> + Send>>;
    type RuntimeProvider = Sockets;

    fn new_connection(
        &self,
        ip: IpAddr,
        config: &ConnectionConfig,
        cx: &PoolContext,
    ) -> Result<Self::FutureConn, NetError> {
        #[cfg(feature = "dns-over-tls")]
        if let Some(kept) = self.kept.clone() {
            return Ok(Box::pin(std::future::ready(Ok(Connection::Kept(kept)))));
        }
        let connecting = self.sockets.new_connection(ip, config, cx)?;
        Ok(Box::pin(async { connecting.await.map(Connection::Own) }))
    }

    fn runtime_provider(&self) -> &Sockets {
        &self.sockets
    }
}

/// A connection to a name server.
#[derive(Clone)]
pub(super) enum Connection {
    #[cfg(feature = "dns-over-tls")]
    Kept(Kept),
    Own(DnsExchange<Sockets>),
}

impl DnsHandle for Connection {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = Sockets;

    fn send(&self, request: DnsRequest) -> Self::Response {
        match self {
            #[cfg(feature = "dns-over-tls")]
            Self::Kept(kept) => Box::pin(futures_util::stream::once(kept.clone().exchange(request))),
            Self::Own(exchange) => Box::pin(exchange.send(request)),
        }
    }
}
