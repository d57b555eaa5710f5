//! DNS over TLS (RFC 7858): the messages of TCP, and TLS beneath them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connections::{NameServer, Secure};
use super::setup::{Dns, Setup, Watched};
use super::{HickoryResolver, Search};

impl HickoryResolver {
    /// These name servers by DNS over TLS (RFC 7858), each with the name that its certificate has to have, and no search
    /// list. The port is usually 853. The hosts file is the system's.
    ///
    /// `tls` says which certificates are trusted; what it offers by ALPN is left out. Nothing is ever sent in clear: a
    /// server that cannot be reached by TLS, or has another certificate, fails each lookup with an error that says so.
    /// Each server has one connection, which is kept for as long as the server keeps it and answers; where it says
    /// nothing for a third of [the time](Self::set_timeout), another is asked as well.
    ///
    /// Answers are [protected](crate::Resolve::is_protected). Names under `local` are asked of the system all the same.
    ///
    /// The zone of a link-local address is not kept.
    ///
    /// ```
    /// # fn example(tls: rustls::ClientConfig) -> Result<(), Box<dyn std::error::Error>> {
    /// use hyper_happy_eyeballs::resolve::HickoryResolver;
    ///
    /// let server = ("192.0.2.53:853".parse()?, "dns.example".try_into()?);
    /// let resolver = HickoryResolver::over_tls([server], tls);
    /// # Ok(())
    /// # }
    /// ```
    pub fn over_tls(
        servers: impl IntoIterator<Item = (SocketAddr, ServerName<'static>)>,
        tls: impl Into<Arc<ClientConfig>>,
    ) -> Self {
        let tls = tls.into();
        let servers = servers.into_iter();
        Self::over(servers.map(|(addr, name)| NameServer::secure(addr, Secure::Tls(Tls::new(&tls, name, &[])))))
    }

    /// These name servers, and nothing of the system's but the hosts file.
    pub(super) fn over(servers: impl Iterator<Item = NameServer>) -> Self {
        let servers: Vec<_> = servers.collect();
        let dns = Watched::new(None, move || Ok(Dns::of(servers.clone(), Search::default())));
        Self::from_setup(Setup::new(Watched::hosts(), dns))
    }
}

/// Whom to shake hands with before anything is sent.
#[derive(Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    server_name: ServerName<'static>,
}

impl Tls {
    /// With `alpn`, as what else `config` may offer is not spoken here.
    pub(super) fn new(config: &ClientConfig, server_name: ServerName<'static>, alpn: &[&str]) -> Self {
        let mut config = config.clone();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        // Queries in early data could be sent again by others (RFC 8446 section 8).
        config.enable_early_data = false;
        Self { config: Arc::new(config), server_name }
    }

    /// Shakes hands with `server` on `tcp`.
    pub(super) async fn handshake(self, tcp: TcpStream, within: Option<Duration>) -> io::Result<TlsStream<TcpStream>> {
        let handshake = TlsConnector::from(self.config).connect(self.server_name, tcp);
        let result = match within {
            Some(time) => timeout(time, handshake).await?,
            None => handshake.await,
        };
        result.map_err(|err| io::Error::new(err.kind(), format!("TLS failed: {err}")))
    }
}
