//! From an address to a connected stream.

pub(crate) mod icmp;
mod interfaces;
mod network;
mod own_addresses;
mod platform;
mod tcp;
#[cfg(feature = "rustls")]
pub(crate) mod tls;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
#[cfg(feature = "reachability")]
use socket2::Socket;
use tokio::net::TcpStream;

use crate::address_policy::Verdict;
use crate::config::Config;
use crate::origin::Origin;
use crate::race::{Known, Probed};
use crate::report::{Failure, FailureKind};
use crate::stream::Transport;

pub(crate) use network::Networks;
use own_addresses::OwnAddresses;
pub(crate) use tcp::TcpOptions;

/// Opens what a race asks for, for one connect. The driver is generic over it so that tests can script it.
pub(crate) trait Dial: Send + Sync {
    /// A TCP connection.
    type Tcp: Send;
    /// What the connector hands out.
    type Stream: Send;

    /// The source address that the kernel would use towards each of `addrs`. Sends nothing.
    fn probe(&self, addrs: Vec<SocketAddr>) -> Vec<Probed>;

    /// Opens TCP. The round-trip time is that of the handshake, or `None` if unknown or a SYN was resent.
    fn tcp(
        &self,
        addr: SocketAddr,
    ) -> impl Future<Output = Result<(Self::Tcp, Option<Duration>), Failure>> + Send + 'static;

    /// Shakes hands on `tcp`, by one of these ECH configurations if there are any. Only called where the connect has TLS.
    fn tls(
        &self,
        tcp: Self::Tcp,
        ech: Option<Arc<[u8]>>,
    ) -> impl Future<Output = Result<Self::Stream, Failure>> + Send + 'static;

    /// Hands out `tcp` as it is.
    fn plain(&self, tcp: Self::Tcp) -> Self::Stream;
}

/// Dials for one connect, with real sockets.
#[derive(Debug)]
pub(crate) struct Dialer {
    origin: Origin,
    config: Arc<Config>,
    options: Arc<TcpOptions>,
    #[cfg(feature = "rustls")]
    tls: Option<tls::TlsTarget>,
}

impl Dialer {
    /// A dialer that hands out plain TCP.
    pub(crate) fn new(origin: Origin, config: Arc<Config>, options: Arc<TcpOptions>) -> Self {
        Self {
            origin,
            config,
            options,
            #[cfg(feature = "rustls")]
            tls: None,
        }
    }

    /// A dialer that shakes hands with `target`.
    #[cfg(feature = "rustls")]
    pub(crate) fn with_tls(self, target: tls::TlsTarget) -> Self {
        Self { tls: Some(target), ..self }
    }

    #[cfg(feature = "reachability")]
    pub(crate) fn tls_target(&self) -> Option<tls::TlsTarget> {
        self.tls.clone()
    }

    /// The same, but a failure that comes of an ICMP error says who sent it, and why.
    #[cfg(feature = "reachability")]
    pub(crate) fn explaining(mut self) -> Self {
        Arc::make_mut(&mut self.options).explain = true;
        self
    }

    /// Sets on `socket` what decides which way its packets to `addr` take.
    #[cfg(feature = "reachability")]
    #[cfg_attr(not(any(target_os = "android", target_os = "linux")), allow(dead_code))] // pings are of these alone
    pub(crate) fn route(&self, socket: &Socket, addr: SocketAddr) -> io::Result<()> {
        self.options.route(socket, addr)
    }

    /// The last word on `addr`: whatever led to it, no socket is opened to an address that the policy denies.
    pub(crate) fn admit(&self, addr: SocketAddr) -> Result<(), Failure> {
        let Config { address_policy, nat64, .. } = &*self.config;
        match address_policy.judge(&self.origin, addr, nat64.prefixes()) {
            Verdict::Allow => Ok(()),
            Verdict::Deny(reason) => Err(Failure::new(
                FailureKind::Local,
                io::Error::new(io::ErrorKind::PermissionDenied, format!("denied by the address policy: {reason}")),
            )),
        }
    }
}

impl Dial for Dialer {
    type Tcp = TcpStream;
    type Stream = Transport;

    fn probe(&self, addrs: Vec<SocketAddr>) -> Vec<Probed> {
        let mut own = OwnAddresses::default();
        let probed = addrs.into_iter().map(|addr| {
            let source = tcp::source(canonical(addr), &self.options).map(|source| own.describe(source));
            Probed { addr, source, known: Known::default() }
        });
        probed.collect()
    }

    fn tcp(
        &self,
        addr: SocketAddr,
    ) -> impl Future<Output = Result<(TcpStream, Option<Duration>), Failure>> + Send + 'static {
        let addr = canonical(addr);
        let admitted = self.admit(addr);
        let options = self.options.clone();
        async move {
            admitted?;
            tcp::connect(addr, &options).await
        }
    }

    #[cfg(feature = "rustls")]
    fn tls(
        &self,
        tcp: TcpStream,
        ech: Option<Arc<[u8]>>,
    ) -> impl Future<Output = Result<Transport, Failure>> + Send + 'static {
        let target = self.tls.clone();
        async move {
            let target = target.ok_or_else(no_tls)?;
            Ok(Transport::tls(target.handshake(tcp, ech.as_deref()).await?))
        }
    }

    #[cfg(not(feature = "rustls"))]
    fn tls(
        &self,
        _: TcpStream,
        _: Option<Arc<[u8]>>,
    ) -> impl Future<Output = Result<Transport, Failure>> + Send + 'static {
        std::future::ready(Err(no_tls()))
    }

    fn plain(&self, tcp: TcpStream) -> Transport {
        Transport::Tcp(TokioIo::new(tcp))
    }
}

fn no_tls() -> Failure {
    Failure::new(FailureKind::Tls, "this connect has no TLS")
}

/// The kernel connects an IPv4-mapped address over IPv4, so that is what the policy has to see.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, addr.port()),
        IpAddr::V6(_) => addr,
    }
}
