//! The two clients, and how their connectors are called.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use http::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// This crate's connector.
    Ours,
    HttpConnector,
}

impl Client {
    pub const BOTH: [Self; 2] = [Self::Ours, Self::HttpConnector];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::HttpConnector => "http-connector",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|client| client.name() == name)
    }
}

pub async fn connect<S: Service<Uri>>(connector: &mut S, uri: Uri) -> Result<S::Response, S::Error> {
    poll_fn(|cx| connector.poll_ready(cx)).await?;
    connector.call(uri).await
}

pub fn resolver(name_server: SocketAddr) -> Result<TokioResolver, NetError> {
    let mut server = NameServerConfig::udp_and_tcp(name_server.ip());
    for connection in &mut server.connections {
        connection.port = name_server.port();
    }
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.options_mut().use_hosts_file = ResolveHosts::Never;
    builder.build()
}

/// hickory's `lookup_ip` as a resolver for `HttpConnector`: both families, once both are there.
#[derive(Clone)]
pub struct LookupIp(pub TokioResolver);

impl Service<Name> for LookupIp {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = NetError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NetError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NetError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.0.clone();
        Box::pin(async move {
            let lookup = resolver.lookup_ip(name.as_str()).await?;
            let addrs: Vec<_> = lookup.iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            Ok(addrs.into_iter())
        })
    }
}
