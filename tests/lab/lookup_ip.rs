//! hickory's lookup of both families at once, as a resolver for `HttpConnector`: what the connectors of others are fed
//! with.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

/// Both families, once both are there.
#[derive(Clone)]
pub struct LookupIp(TokioResolver);

impl LookupIp {
    pub fn new(name_server: SocketAddr) -> Result<Self, NetError> {
        resolver(name_server, ResolveHosts::Never).map(Self)
    }

    /// It looks into the hosts file before, as users have it.
    pub fn with_hosts_file(name_server: SocketAddr) -> Result<Self, NetError> {
        resolver(name_server, ResolveHosts::Always).map(Self)
    }
}

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

/// hickory with one name server.
fn resolver(name_server: SocketAddr, hosts_file: ResolveHosts) -> Result<TokioResolver, NetError> {
    let mut server = NameServerConfig::udp_and_tcp(name_server.ip());
    for connection in &mut server.connections {
        connection.port = name_server.port();
    }
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.options_mut().use_hosts_file = hosts_file;
    builder.build()
}
