//! TCP: options, the connection itself, and the source address.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream as StdTcpStream};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tracing::warn;

use super::{icmp, platform};
use crate::report::{Failure, FailureKind};

/// What is set on every socket before it connects.
#[derive(Clone, Debug)]
pub(crate) struct TcpOptions {
    /// Idle time before the first keepalive probe.
    pub(crate) keepalive_time: Option<Duration>,
    /// Time between keepalive probes.
    pub(crate) keepalive_interval: Option<Duration>,
    /// Probes without an answer that end the connection.
    pub(crate) keepalive_retries: Option<u32>,
    /// `TCP_NODELAY`.
    pub(crate) nodelay: bool,
    /// `SO_SNDBUF` in octets.
    pub(crate) send_buffer_size: Option<usize>,
    /// `SO_RCVBUF` in octets.
    pub(crate) recv_buffer_size: Option<usize>,
    /// The source address towards IPv4.
    pub(crate) local_address_ipv4: Option<Ipv4Addr>,
    /// The source address towards IPv6.
    pub(crate) local_address_ipv6: Option<Ipv6Addr>,
    /// `SO_REUSEADDR`.
    pub(crate) reuse_address: bool,
    /// The interface that all packets have to take.
    pub(crate) interface: Option<String>,
    /// `TCP_USER_TIMEOUT`.
    pub(crate) user_timeout: Option<Duration>,
    /// `SO_MARK`.
    pub(crate) mark: Option<u32>,
    /// Whether a failure that comes of an ICMP error is made of the [`Icmp`](icmp::Icmp).
    pub(crate) explain: bool,
}

/// Nagle's algorithm holds the first request back until the server has acknowledged the end of the TLS handshake, so
/// it is off. Everything else is the system's.
impl Default for TcpOptions {
    fn default() -> Self {
        Self {
            keepalive_time: None,
            keepalive_interval: None,
            keepalive_retries: None,
            nodelay: true,
            send_buffer_size: None,
            recv_buffer_size: None,
            local_address_ipv4: None,
            local_address_ipv6: None,
            reuse_address: false,
            interface: None,
            user_timeout: None,
            mark: None,
            explain: false,
        }
    }
}

impl TcpOptions {
    /// Sets what is a matter of performance: a socket without it still does its job, so failing is only worth a
    /// warning.
    fn tune(&self, socket: &Socket, addr: SocketAddr) {
        let attempt = |what: &str, result: io::Result<()>| {
            if let Err(error) = result {
                warn!("tcp {what} error: {error}");
            }
        };
        if let Some(keepalive) = self.keepalive() {
            attempt("set_keepalive", socket.set_tcp_keepalive(&keepalive));
        }
        if self.nodelay {
            attempt("set_nodelay", socket.set_tcp_nodelay(true));
        }
        if let Some(timeout) = self.user_timeout {
            attempt("set_tcp_user_timeout", platform::set_user_timeout(socket, timeout));
        }
        if self.explain {
            attempt("report_errors", icmp::report_errors(socket, addr, true));
        }
        // Before `bind`, which is what it speaks to.
        if self.reuse_address {
            attempt("set_reuse_address", socket.set_reuse_address(true));
        }
        // The kernel takes a C int.
        const MAX: usize = i32::MAX as usize;
        if let Some(size) = self.send_buffer_size {
            attempt("set_send_buffer_size", socket.set_send_buffer_size(size.min(MAX)));
        }
        if let Some(size) = self.recv_buffer_size {
            attempt("set_recv_buffer_size", socket.set_recv_buffer_size(size.min(MAX)));
        }
    }

    fn keepalive(&self) -> Option<TcpKeepalive> {
        if self.keepalive_time.is_none() && self.keepalive_interval.is_none() && self.keepalive_retries.is_none() {
            return None;
        }
        let mut keepalive = TcpKeepalive::new();
        if let Some(time) = self.keepalive_time {
            keepalive = keepalive.with_time(time);
        }
        if let Some(interval) = self.keepalive_interval {
            keepalive = platform::with_keepalive_interval(keepalive, interval);
        }
        if let Some(retries) = self.keepalive_retries {
            keepalive = platform::with_keepalive_retries(keepalive, retries);
        }
        Some(keepalive)
    }

    /// Sets what decides which way the packets take: without it they must not leave.
    pub(super) fn route(&self, socket: &Socket, addr: SocketAddr) -> io::Result<()> {
        if let Some(interface) = &self.interface {
            platform::bind_interface(socket, interface, addr).map_err(Step::named("tcp bind interface error"))?;
        }
        if let Some(mark) = self.mark {
            platform::set_mark(socket, mark).map_err(Step::named("tcp set_mark error"))?;
        }
        let local = match addr {
            SocketAddr::V4(_) => self.local_address_ipv4.map(IpAddr::V4),
            SocketAddr::V6(_) => self.local_address_ipv6.map(IpAddr::V6),
        };
        if let Some(local) = local {
            socket.bind(&SocketAddr::new(local, 0).into()).map_err(Step::named("tcp bind local error"))?;
        }
        Ok(())
    }
}

/// Connects to `addr`. A failure that is [`FailureKind::Local`] happened before a packet could leave, and without
/// waiting. The duration is the round-trip time of the handshake, where the system tells it and no SYN was resent.
///
/// Dropping the future closes the socket.
pub(crate) async fn connect(addr: SocketAddr, options: &TcpOptions) -> Result<(TcpStream, Option<Duration>), Failure> {
    let socket = start(addr, options)?;
    let stream = TcpStream::from_std(socket).map_err(network_failure)?;
    let explained = |error| if options.explain { icmp::error(&stream).unwrap_or(error) } else { error };
    // Who has a peer needs no look for an error. A socket can be reported writable with neither; that is no news.
    let connected = || {
        stream.peer_addr().or_else(|no_peer| match stream.take_error()? {
            Some(error) => Err(explained(error)),
            None if no_peer.kind() == io::ErrorKind::NotConnected => Err(io::ErrorKind::WouldBlock.into()),
            None => Err(no_peer),
        })
    };
    // On loopback the handshake is done before `connect` returns, and there is nothing to wait for.
    let peer = match connected() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            stream.async_io(Interest::WRITABLE, connected).await.map_err(network_failure)?
        }
        result => result.map_err(network_failure)?,
    };
    // Where nobody listens, a socket that is given the very port it connects to is connected to itself.
    if stream.local_addr().is_ok_and(|own| own == peer) {
        return Err(network_failure(io::ErrorKind::ConnectionRefused.into()));
    }
    if options.explain {
        // From now on an ICMP error can be one that passes.
        icmp::report_errors(&stream, addr, false).map_err(network_failure)?;
    }
    let rtt = platform::handshake_rtt(&stream);
    Ok((stream, rtt))
}

/// Sends the SYN. `connect` is called here and not by tokio, because only what it returns at once tells whether the
/// SYN has left.
pub(super) fn start(addr: SocketAddr, options: &TcpOptions) -> Result<StdTcpStream, Failure> {
    let local = |error| Failure::new(FailureKind::Local, error);
    let socket = platform::nonblocking_tcp(addr).map_err(Step::named("tcp open error")).map_err(local)?;
    options.tune(&socket, addr);
    options.route(&socket, addr).map_err(local)?;
    match socket.connect(&addr.into()) {
        Err(error) if !platform::is_in_progress(&error) => Err(match failure_kind(&error) {
            // On loopback the answer can be there already.
            kind @ (FailureKind::Refused | FailureKind::Closed | FailureKind::TimedOut) => Failure::new(kind, error),
            _ => local(error),
        }),
        _ => Ok(socket.into()),
    }
}

/// The source address that the kernel would use towards `addr` under `options`; `None` if it has none. Connecting a
/// UDP socket looks the route up and sends nothing.
pub(crate) fn source(addr: SocketAddr, options: &TcpOptions) -> Option<SocketAddr> {
    let probe = || {
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        options.route(&socket, addr)?;
        socket.connect(&addr.into())?;
        socket.local_addr()
    };
    let source: io::Result<_> = probe();
    source.ok()?.as_socket()
}

/// The failure behind an error of a socket whose SYN has left.
fn network_failure(error: io::Error) -> Failure {
    Failure::new(failure_kind(&error), error)
}

/// What an error of a socket says about the path or the peer.
pub(super) fn failure_kind(error: &io::Error) -> FailureKind {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => FailureKind::Refused,
        // Linux gives EACCES for the ICMPv6 codes that say that the way is prohibited.
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::PermissionDenied => {
            FailureKind::Unreachable
        }
        io::ErrorKind::TimedOut => FailureKind::TimedOut,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => FailureKind::Closed,
        _ => FailureKind::Other,
    }
}

/// A step that the system refused, in the words of hyper-util.
#[derive(Debug)]
struct Step {
    name: &'static str,
    cause: io::Error,
}

impl Step {
    /// Wraps an error so that its text names the step; the kind stays, and the system's error is the source.
    fn named(name: &'static str) -> impl Fn(io::Error) -> io::Error {
        move |cause| io::Error::new(cause.kind(), Self { name, cause })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.cause)
    }
}

impl StdError for Step {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.cause)
    }
}
