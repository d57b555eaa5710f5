//! What differs between operating systems.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;

/// A TCP socket for `addr` that does not block.
pub(super) fn nonblocking_tcp(addr: SocketAddr) -> io::Result<Socket> {
    let open = |kind| Socket::new(Domain::for_address(addr), kind, Some(Protocol::TCP));
    // At once, where the system can, rather than by two more calls.
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    return open(Type::STREAM.nonblocking());
    #[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
    {
        let socket = open(Type::STREAM)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// Whether `error`, returned by a non-blocking `connect`, says that the handshake is under way.
pub(super) fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    // POSIX: an interrupted `connect` goes on by itself.
    let in_progress = matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR));
    #[cfg(not(unix))]
    let in_progress = error.kind() == io::ErrorKind::WouldBlock;
    in_progress
}

/// Ties `socket` to the interface named `interface`, for packets to the family of `addr`.
pub(super) fn bind_interface(socket: &Socket, interface: &str, addr: SocketAddr) -> io::Result<()> {
    // The kernel would cut the name there, and bind to another interface.
    if interface.contains('\0') {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "interface name contains a NUL"));
    }
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    {
        let _ = addr;
        socket.bind_device(Some(interface.as_bytes()))
    }
    #[cfg(any(
        target_os = "illumos",
        target_os = "ios",
        target_os = "macos",
        target_os = "solaris",
        target_os = "tvos",
        target_os = "visionos",
        target_os = "watchos",
    ))]
    {
        let index = std::num::NonZeroU32::new(nix::net::if_::if_nametoindex(interface)?);
        match addr {
            SocketAddr::V4(_) => socket.bind_device_by_index_v4(index),
            SocketAddr::V6(_) => socket.bind_device_by_index_v6(index),
        }
    }
    #[cfg(not(any(
        target_os = "android",
        target_os = "fuchsia",
        target_os = "illumos",
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "solaris",
        target_os = "tvos",
        target_os = "visionos",
        target_os = "watchos",
    )))]
    {
        let _ = (socket, addr);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Marks the packets of `socket` (`SO_MARK`).
pub(super) fn set_mark(socket: &Socket, mark: u32) -> io::Result<()> {
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    {
        socket.set_mark(mark)
    }
    #[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
    {
        let _ = (socket, mark);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// How long sent data may stay without an acknowledgement (`TCP_USER_TIMEOUT`).
pub(super) fn set_user_timeout(socket: &Socket, timeout: Duration) -> io::Result<()> {
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    {
        socket.set_tcp_user_timeout(Some(timeout))
    }
    #[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
    {
        let _ = (socket, timeout);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// `keepalive` with the time between probes, where the system can set it for one socket.
pub(super) fn with_keepalive_interval(keepalive: TcpKeepalive, interval: Duration) -> TcpKeepalive {
    #[cfg(not(any(target_os = "haiku", target_os = "openbsd", target_os = "redox", target_os = "solaris")))]
    {
        keepalive.with_interval(interval)
    }
    #[cfg(any(target_os = "haiku", target_os = "openbsd", target_os = "redox", target_os = "solaris"))]
    {
        let _ = interval;
        keepalive
    }
}

/// `keepalive` with the number of probes, where the system can set it for one socket.
pub(super) fn with_keepalive_retries(keepalive: TcpKeepalive, retries: u32) -> TcpKeepalive {
    #[cfg(not(any(
        target_os = "haiku",
        target_os = "openbsd",
        target_os = "redox",
        target_os = "solaris",
        target_os = "windows"
    )))]
    {
        keepalive.with_retries(retries)
    }
    #[cfg(any(
        target_os = "haiku",
        target_os = "openbsd",
        target_os = "redox",
        target_os = "solaris",
        target_os = "windows"
    ))]
    {
        let _ = retries;
        keepalive
    }
}

/// The round-trip time that the kernel measured on the handshake of `stream`. `None` when a segment was sent twice:
/// it cannot be known then which of them was answered (RFC 6298 section 3).
#[cfg(target_os = "linux")]
pub(super) fn handshake_rtt(stream: &TcpStream) -> Option<Duration> {
    let info = nix::sys::socket::getsockopt(stream, linux::TcpInfo).ok()?;
    (info.tcpi_total_retrans == 0 && info.tcpi_rtt > 0).then(|| Duration::from_micros(info.tcpi_rtt.into()))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn handshake_rtt(_: &TcpStream) -> Option<Duration> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    // The first macro calls the second by its bare name.
    use nix::{getsockopt_impl, sockopt_impl};

    sockopt_impl!(
        /// What the kernel knows of a TCP connection.
        TcpInfo,
        GetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_INFO,
        libc::tcp_info
    );
}

/// Tells that links or addresses of this host may have changed.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Changes(std::os::fd::OwnedFd);

#[cfg(target_os = "linux")]
impl Changes {
    /// Of the network namespace of this thread, from here on (rtnetlink(7)).
    pub(super) fn subscribe() -> io::Result<Self> {
        use std::os::fd::AsRawFd;

        use nix::sys::socket::{AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket};

        let groups = libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups.cast_unsigned()))?;
        Ok(Self(socket))
    }

    /// Whether there were any since it was last asked. What they were is of no matter.
    pub(super) fn any(&self) -> bool {
        use std::os::fd::AsRawFd;

        use nix::errno::Errno;
        use nix::sys::socket::{MsgFlags, recv};

        let mut any = false;
        loop {
            match recv(self.0.as_raw_fd(), &mut [0], MsgFlags::empty()) {
                Err(Errno::EAGAIN) => return any,
                // More than the socket can hold.
                Err(Errno::ENOBUFS) | Ok(1..) => any = true,
                Err(Errno::EINTR) => {}
                Err(_) | Ok(0) => return true,
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) enum Changes {}

#[cfg(not(target_os = "linux"))]
impl Changes {
    pub(super) fn subscribe() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn any(&self) -> bool {
        match *self {}
    }
}
