//! From an address to a connected stream.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::report::Failure;

/// Opens what a race asks for, for one connect. The driver is generic over it so that tests can script it.
pub(crate) trait Dial: Send + Sync {
    /// A TCP connection.
    type Tcp: Send;
    /// What the connector hands out.
    type Stream: Send;

    /// The source address that the kernel would use towards `addr`; `None` if there is no route. Sends nothing.
    fn source(&self, addr: SocketAddr) -> Option<IpAddr>;

    /// Opens TCP. The round-trip time is that of the handshake, or `None` if unknown or a SYN was resent.
    fn tcp(
        &self,
        addr: SocketAddr,
    ) -> impl Future<Output = Result<(Self::Tcp, Option<Duration>), Failure>> + Send + 'static;

    /// Shakes hands on `tcp`. Only called where the connect has TLS.
    fn tls(&self, tcp: Self::Tcp) -> impl Future<Output = Result<Self::Stream, Failure>> + Send + 'static;

    /// Hands out `tcp` as it is.
    fn plain(&self, tcp: Self::Tcp) -> Self::Stream;
}
