//! ICMP echo, where an ordinary user may send it.

use std::fmt;
use std::time::Duration;

#[cfg(any(target_os = "android", target_os = "linux"))]
pub(super) use echo::ping;

use super::fault::Fault;

/// What became of an ICMP echo request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ping {
    /// It was answered within this time.
    Answered(Duration),
    /// It was not answered, which many networks have so on purpose.
    Silent,
    /// It failed.
    Failed(Fault),
    /// This system does not let an ordinary user send one; with the reason.
    NotPermitted(String),
}

impl fmt::Display for Ping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(after) => write!(f, "{:.1} ms", after.as_secs_f64() * 1e3),
            Self::Silent => f.write_str("no answer"),
            Self::Failed(fault) => fault.fmt(f),
            Self::NotPermitted(why) => write!(f, "not permitted here: {why}"),
        }
    }
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
pub(super) async fn ping(_: &crate::dial::Dialer, _: std::net::SocketAddr, _: Duration) -> Ping {
    Ping::NotPermitted("this system has no sockets for it".into())
}

#[cfg(any(target_os = "android", target_os = "linux"))]
mod echo {
    use std::io;
    use std::net::{SocketAddr, UdpSocket};
    use std::time::Duration;

    use socket2::{Domain, Protocol, Socket, Type};
    use tokio::io::Interest;
    use tokio::net::UdpSocket as TokioUdpSocket;
    use tokio::time::{Instant, timeout};

    use super::Ping;
    use crate::dial::{Dialer, canonical, icmp};
    use crate::reachability::fault::Fault;
    use crate::report::{Failure, FailureKind};

    /// Who has not answered by then is taken for silent.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// Type, code, checksum, identifier, sequence number, and data. The kernel fills in the checksum and the identifier,
    /// by which it also tells whose an answer is.
    const REQUEST: [u8; 16] = *b"\0\0\0\0\0\0\0\x01eyeballs";

    /// Sends one request to `addr`, whose port is of no matter, the way that the packets of `dialer` go, and waits for
    /// the answer.
    pub(in crate::reachability) async fn ping(dialer: &Dialer, addr: SocketAddr, patience: Duration) -> Ping {
        match timeout(patience.min(PATIENCE), exchange(dialer, canonical(addr))).await {
            Ok(Ok(after)) => Ping::Answered(after),
            Ok(Err(ping)) => ping,
            Err(_) => Ping::Silent,
        }
    }

    async fn exchange(dialer: &Dialer, addr: SocketAddr) -> Result<Duration, Ping> {
        let failed = |kind| move |error: io::Error| Ping::Failed(Fault::of(&Failure::new(kind, error)));
        let socket = open(addr)?;
        let connect = || {
            icmp::report_errors(&socket, addr, true)?;
            dialer.route(&socket, addr)?;
            socket.connect(&addr.into())
        };
        connect().map_err(failed(FailureKind::Local))?;
        let socket = UdpSocket::from(socket);
        let readiness = socket.try_clone().and_then(TokioUdpSocket::from_std).map_err(failed(FailureKind::Local))?;
        let explained = |error| icmp::error(&socket).unwrap_or(error);

        let (request, answer) = match addr {
            SocketAddr::V4(_) => (8, 0),
            SocketAddr::V6(_) => (128, 129),
        };
        let mut packet = REQUEST;
        packet[0] = request;
        let start = Instant::now();
        socket.send(&packet).map_err(explained).map_err(failed(FailureKind::Local))?;
        let answered = || loop {
            let mut packet = [0; REQUEST.len()];
            let (length, from) = socket.recv_from(&mut packet)?;
            if length == packet.len() && packet[0] == answer && packet[6..] == REQUEST[6..] && from.ip() == addr.ip() {
                return Ok(());
            }
        };
        match readiness.async_io(Interest::READABLE | Interest::ERROR, answered).await {
            Ok(()) => Ok(start.elapsed()),
            Err(error) => Err(failed(FailureKind::Unreachable)(explained(error))),
        }
    }

    fn open(addr: SocketAddr) -> Result<Socket, Ping> {
        let protocol = if addr.is_ipv4() { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
        let open = || {
            let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(protocol))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        open().map_err(|error: io::Error| match error.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => {
                Ping::NotPermitted("no group of this user is in net.ipv4.ping_group_range".into())
            }
            Some(libc::EPROTONOSUPPORT) => Ping::NotPermitted("this system has no sockets for it".into()),
            _ => Ping::Failed(Fault::of(&Failure::new(FailureKind::Local, error))),
        })
    }
}
