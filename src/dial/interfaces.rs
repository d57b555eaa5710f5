//! What network this host is in, as far as its addresses tell.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use crate::race::FamilySet;

/// What the addresses of interfaces that are up tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    /// The families of which there is an address that is neither loopback nor link-local (v3 draft section 4.1). Both when
    /// there is none, or when the interfaces cannot be listed: then asking costs less than an address that was never
    /// looked for.
    pub(crate) families: FamilySet,
    /// Differs where these addresses do; `None` when the interfaces cannot be listed.
    pub(crate) fingerprint: Option<u64>,
}

/// Lists the interfaces.
pub(crate) fn network() -> Network {
    match interfaces() {
        Some(interfaces) => {
            Network::of(interfaces.filter(|interface| interface.up).map(|interface| interface.address.ip()))
        }
        None => Network { families: FamilySet::BOTH, fingerprint: None },
    }
}

impl Network {
    fn of(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let addresses: BTreeSet<_> = addresses.into_iter().filter(is_of_a_network).collect();
        let v4 = addresses.iter().any(IpAddr::is_ipv4);
        let v6 = addresses.iter().any(IpAddr::is_ipv6);
        let mut hasher = DefaultHasher::new();
        addresses.hash(&mut hasher);
        let families = if addresses.is_empty() { FamilySet::BOTH } else { FamilySet { v4, v6 } };
        Self { families, fingerprint: Some(hasher.finish()) }
    }
}

fn is_of_a_network(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()),
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified()),
    }
}

/// Whether `ip` is an address of this host.
#[cfg_attr(not(any(target_os = "android", target_os = "linux")), allow(dead_code))]
pub(super) fn is_own(ip: IpAddr) -> bool {
    ip.is_loopback() || interfaces().into_iter().flatten().any(|interface| interface.address.ip() == ip)
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
        Network::of(addresses.iter().map(|address| address.parse().unwrap())).families
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
        assert!(!network().families.is_empty());
    }

    #[test]
    fn a_network_is_told_by_its_addresses_in_any_order() {
        let of = |addresses: &[&str]| Network::of(addresses.iter().map(|ip| ip.parse().unwrap())).fingerprint;
        assert_eq!(of(&["192.0.2.1", "2001:db8::1"]), of(&["2001:db8::1", "fe80::1", "192.0.2.1", "127.0.0.1"]));
        assert_ne!(of(&["192.0.2.1"]), of(&["192.0.2.2"]));
        assert_ne!(of(&["192.0.2.1"]), of(&["192.0.2.1", "2001:db8::1"]));
    }
}
