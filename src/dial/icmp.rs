//! The ICMP error behind the failure of a socket: who sent it, and what it says.

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;

#[cfg(any(target_os = "android", target_os = "linux"))]
pub(crate) use linux::{error, report_errors};
#[cfg(not(any(target_os = "android", target_os = "linux")))]
pub(crate) use other::{error, report_errors};

/// An ICMP error, of the version that its sender's address has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(target_os = "android", target_os = "linux", test)), allow(dead_code))]
pub(crate) struct Icmp {
    pub(crate) type_: u8,
    pub(crate) code: u8,
    pub(crate) from: IpAddr,
    /// Whether the sender is this host.
    pub(crate) own: bool,
}

impl Icmp {
    /// Whether it says that nothing listens on the port.
    #[cfg(feature = "reachability")]
    pub(crate) fn is_port_unreachable(&self) -> bool {
        matches!((self.from, self.type_, self.code), (IpAddr::V4(_), 3, 3) | (IpAddr::V6(_), 1, 4))
    }

    /// Whether it says that nobody on the last link has the address.
    #[cfg(feature = "reachability")]
    pub(crate) fn is_host_unreachable(&self) -> bool {
        matches!((self.from, self.type_, self.code), (IpAddr::V4(_), 3, 1) | (IpAddr::V6(_), 1, 3))
    }

    /// RFC 792, RFC 1122 section 3.2.2.1 and RFC 1812 section 5.2.7.1; RFC 4443 section 3.
    fn meaning(&self) -> &'static str {
        match (self.from, self.type_, self.code) {
            (IpAddr::V4(_), 3, 0) => "network unreachable",
            (IpAddr::V4(_), 3, 1) => "host unreachable",
            (IpAddr::V4(_), 3, 2) => "protocol unreachable",
            (IpAddr::V4(_), 3, 3) => "port unreachable",
            (IpAddr::V4(_), 3, 4) => "packet too big",
            (IpAddr::V4(_), 3, 5) => "source route failed",
            (IpAddr::V4(_), 3, 6) => "network unknown",
            (IpAddr::V4(_), 3, 7) => "host unknown",
            (IpAddr::V4(_), 3, 8) => "source host isolated",
            (IpAddr::V4(_), 3, 9) => "network administratively prohibited",
            (IpAddr::V4(_), 3, 10) => "host administratively prohibited",
            (IpAddr::V4(_), 3, 11) => "network unreachable for this type of service",
            (IpAddr::V4(_), 3, 12) => "host unreachable for this type of service",
            (IpAddr::V4(_), 3, 13) => "administratively prohibited",
            (IpAddr::V4(_), 3, 14) => "host precedence violation",
            (IpAddr::V4(_), 3, 15) => "precedence cutoff in effect",
            (IpAddr::V4(_), 11, 0) => "time to live exceeded in transit",
            (IpAddr::V6(_), 1, 0) => "no route to destination",
            (IpAddr::V6(_), 1, 1) => "administratively prohibited",
            (IpAddr::V6(_), 1, 2) => "beyond scope of source address",
            (IpAddr::V6(_), 1, 3) => "address unreachable",
            (IpAddr::V6(_), 1, 4) => "port unreachable",
            (IpAddr::V6(_), 1, 5) => "source address failed ingress/egress policy",
            (IpAddr::V6(_), 1, 6) => "reject route to destination",
            (IpAddr::V6(_), 1, 7) => "error in source routing header",
            (IpAddr::V6(_), 2, _) => "packet too big",
            (IpAddr::V6(_), 3, 0) => "hop limit exceeded in transit",
            (IpAddr::V4(_), 11, 1) | (IpAddr::V6(_), 3, 1) => "fragment reassembly time exceeded",
            (IpAddr::V4(_), 12, _) | (IpAddr::V6(_), 4, _) => "parameter problem",
            _ => "rejected",
        }
    }
}

impl fmt::Display for Icmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { type_, code, from, own } = self;
        let version = if from.is_ipv4() { 4 } else { 6 };
        write!(f, "{} (ICMPv{version} type {type_} code {code}) by ", self.meaning())?;
        match own {
            true => write!(f, "this host ({from})"),
            false => from.fmt(f),
        }
    }
}

impl StdError for Icmp {}

#[cfg(any(target_os = "android", target_os = "linux"))]
mod linux {
    use std::io;
    use std::net::{IpAddr, SocketAddr};
    use std::os::fd::{AsFd, AsRawFd};

    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};

    use super::Icmp;
    use crate::dial::interfaces::is_own;

    /// Has the kernel keep the ICMP errors that come for `socket`, which is for the family of `addr`, or not any
    /// longer. On an established connection it makes errors fatal that otherwise pass.
    pub(crate) fn report_errors(socket: &impl AsFd, addr: SocketAddr, report: bool) -> io::Result<()> {
        match addr {
            SocketAddr::V4(_) => setsockopt(socket, sockopt::Ipv4RecvErr, &report)?,
            SocketAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvErr, &report)?,
        }
        Ok(())
    }

    /// The first error that the kernel has kept: an [`Icmp`] in an I/O error of the kind that it comes to.
    pub(crate) fn error(socket: &impl AsFd) -> Option<io::Error> {
        let mut buffer = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let fd = socket.as_fd().as_raw_fd();
        let message = recvmsg::<()>(fd, &mut [], Some(&mut buffer), MsgFlags::MSG_ERRQUEUE).ok()?;
        let report = message.cmsgs().ok().and_then(|mut messages| {
            messages.find_map(|message| match message {
                ControlMessageOwned::Ipv4RecvErr(error, from) => {
                    Some((error, from.map(|from| IpAddr::from(from.sin_addr.s_addr.to_ne_bytes()))))
                }
                ControlMessageOwned::Ipv6RecvErr(error, from) => {
                    Some((error, from.map(|from| IpAddr::from(from.sin6_addr.s6_addr))))
                }
                _ => None,
            })
        });
        // It is out of the queue now. Without an error the socket would seem to have none, and yet be woken for it.
        let Some((report, from)) = report else { return Some(io::Error::other("unreadable socket error")) };
        let cause = io::Error::from_raw_os_error(report.ee_errno.try_into().unwrap_or_default());
        Some(match (report.ee_origin, from) {
            (libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6, Some(from)) => {
                let icmp = Icmp { type_: report.ee_type, code: report.ee_code, from, own: is_own(from) };
                io::Error::new(cause.kind(), icmp)
            }
            _ => cause,
        })
    }
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
mod other {
    use std::io;
    use std::net::SocketAddr;

    pub(crate) fn report_errors<S>(_: &S, _: SocketAddr, _: bool) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn error<S>(_: &S) -> Option<io::Error> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(type_: u8, code: u8, from: &str, own: bool) -> String {
        Icmp { type_, code, from: from.parse().unwrap(), own }.to_string()
    }

    #[test]
    fn the_version_decides_what_type_and_code_mean() {
        let v6 = "administratively prohibited (ICMPv6 type 1 code 1) by 2001:db8::1";
        assert_eq!(text(1, 1, "2001:db8::1", false), v6);
        assert_eq!(text(3, 1, "192.0.2.1", false), "host unreachable (ICMPv4 type 3 code 1) by 192.0.2.1");
        let looped = "hop limit exceeded in transit (ICMPv6 type 3 code 0) by 2001:db8::1";
        assert_eq!(text(3, 0, "2001:db8::1", false), looped);
    }

    #[test]
    fn a_message_of_this_host_says_so() {
        let own = "port unreachable (ICMPv4 type 3 code 3) by this host (192.0.2.1)";
        assert_eq!(text(3, 3, "192.0.2.1", true), own);
    }

    #[test]
    fn a_message_that_is_not_known_is_still_a_rejection() {
        assert_eq!(text(3, 99, "192.0.2.1", false), "rejected (ICMPv4 type 3 code 99) by 192.0.2.1");
    }
}
