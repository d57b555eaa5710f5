//! Which address families this host has.

use std::net::{IpAddr, SocketAddr};

use crate::race::FamilySet;

/// The families of which an interface that is up has an address that is neither loopback nor link-local (v3 draft
/// section 4.1). Both when there is none, or when the interfaces cannot be listed: then asking costs less than an
/// address that was never looked for.
pub(crate) fn families() -> FamilySet {
    interface_addresses().map_or(FamilySet::BOTH, families_of)
}

fn families_of(addresses: impl IntoIterator<Item = IpAddr>) -> FamilySet {
    let mut families = FamilySet { v4: false, v6: false };
    for address in addresses {
        match address {
            IpAddr::V4(ip) => families.v4 |= !(ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()),
            IpAddr::V6(ip) => families.v6 |= !(ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified()),
        }
    }
    if families.is_empty() { FamilySet::BOTH } else { families }
}

/// Whether `ip` is an address of this host.
#[cfg_attr(not(any(target_os = "android", target_os = "linux")), allow(dead_code))]
pub(super) fn is_own(ip: IpAddr) -> bool {
    ip.is_loopback() || interfaces().into_iter().flatten().any(|interface| interface.address.ip() == ip)
}

/// The addresses of interfaces that are up.
fn interface_addresses() -> Option<impl Iterator<Item = IpAddr>> {
    Some(interfaces()?.filter(|interface| interface.up).map(|interface| interface.address.ip()))
}

/// An address of an interface.
#[allow(dead_code)] // nothing makes one where nix has no `getifaddrs`
pub(super) struct Interface {
    up: bool,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn families_with(addresses: &[&str]) -> FamilySet {
        families_of(addresses.iter().map(|address| address.parse().unwrap()))
    }

    /// Proves: DNS-1
    #[test]
    fn link_local_and_loopback_addresses_do_not_count() {
        assert_eq!(families_with(&["127.0.0.1", "::1", "169.254.7.1", "fe80::1"]), FamilySet::BOTH);
        assert_eq!(families_with(&["127.0.0.1", "192.0.2.1", "fe80::1"]), FamilySet { v4: true, v6: false });
        assert_eq!(families_with(&["169.254.7.1", "2001:db8::1"]), FamilySet { v4: false, v6: true });
        assert_eq!(families_with(&["192.0.2.1", "2001:db8::1"]), FamilySet::BOTH);
    }

    /// Proves: DNS-1
    #[test]
    fn private_addresses_count() {
        assert_eq!(families_with(&["fd00::1"]), FamilySet { v4: false, v6: true });
        assert_eq!(families_with(&["10.0.0.1"]), FamilySet { v4: true, v6: false });
    }

    #[test]
    fn a_host_without_any_address_asks_for_both() {
        assert_eq!(families_with(&[]), FamilySet::BOTH);
        assert!(!families().is_empty());
    }
}
