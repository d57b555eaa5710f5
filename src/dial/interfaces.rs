//! The addresses of this host's interfaces.

use std::net::{IpAddr, SocketAddr};

/// Whether `ip` is an address of this host.
#[cfg_attr(not(any(target_os = "android", target_os = "linux")), allow(dead_code))]
pub(super) fn is_own(ip: IpAddr) -> bool {
    ip.is_loopback() || interfaces().into_iter().flatten().any(|interface| interface.address.ip() == ip)
}

/// An address of an interface.
#[allow(dead_code)] // nothing makes one where nix has no `getifaddrs`
pub(super) struct Interface {
    pub(super) up: bool,
    pub(super) address: SocketAddr,
    pub(super) netmask: Option<IpAddr>,
}

// Where nix has `getifaddrs`.
#[cfg(any(
    target_vendor = "apple",
    target_os = "android",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "illumos",
    target_os = "linux",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "solaris",
))]
pub(super) fn interfaces() -> Option<impl Iterator<Item = Interface>> {
    use nix::net::if_::InterfaceFlags;
    use nix::sys::socket::SockaddrStorage;

    let socket_addr = |storage: SockaddrStorage| match (storage.as_sockaddr_in(), storage.as_sockaddr_in6()) {
        (Some(v4), _) => Some(SocketAddr::V4((*v4).into())),
        (_, Some(v6)) => Some(SocketAddr::V6((*v6).into())),
        _ => None,
    };
    Some(nix::ifaddrs::getifaddrs().ok()?.filter_map(move |interface| {
        Some(Interface {
            up: interface.flags.contains(InterfaceFlags::IFF_UP),
            address: interface.address.and_then(socket_addr)?,
            netmask: interface.netmask.and_then(socket_addr).map(|mask| mask.ip()),
        })
    }))
}

#[cfg(not(any(
    target_vendor = "apple",
    target_os = "android",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "illumos",
    target_os = "linux",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "solaris",
)))]
pub(super) fn interfaces() -> Option<std::iter::Empty<Interface>> {
    None
}
