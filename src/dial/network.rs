//! What network this host is in, as far as its addresses tell.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::interfaces::interfaces;
use super::platform::Changes;
use crate::race::FamilySet;

/// Tells the network, which it lists anew only when something has changed: a list costs more than all else of a connect
/// to a cached name. Where the system does not tell of changes, each time.
///
/// It is that of the network namespace in which it was first asked for.
#[derive(Default)]
pub(crate) struct Networks(Mutex<State>);

#[derive(Default)]
struct State {
    changes: Option<Changes>,
    network: Option<Network>,
}

impl Networks {
    /// The network now.
    pub(crate) fn current(&self) -> Network {
        let State { changes, network } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*changes, *network) {
            (Some(changes), Some(network)) if !changes.any() => return network,
            (Some(_), _) => {}
            // Before the list, so that nothing falls between.
            (None, _) => *changes = Changes::subscribe().ok(),
        }
        *network.insert(Network::list())
    }
}

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

impl Network {
    fn list() -> Self {
        match interfaces() {
            Some(interfaces) => Self::of(interfaces.filter(|interface| interface.up).map(|it| it.address.ip())),
            None => Self { families: FamilySet::BOTH, fingerprint: None },
        }
    }

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
        assert!(!Networks::default().current().families.is_empty());
    }

    /// Tests in network namespaces have it notice what changes.
    #[cfg(target_os = "linux")]
    #[test]
    fn while_nothing_changes_nothing_is_listed() {
        let listed = Network { families: FamilySet::BOTH, fingerprint: Some(7) };
        let state = State { changes: Some(Changes::subscribe().unwrap()), network: Some(listed) };
        assert_eq!(Networks(Mutex::new(state)).current(), listed);
        let state = State { changes: None, network: Some(listed) };
        assert_eq!(Networks(Mutex::new(state)).current(), Network::list());
    }

    #[test]
    fn a_network_is_told_by_its_addresses_in_any_order() {
        let of = |addresses: &[&str]| Network::of(addresses.iter().map(|ip| ip.parse().unwrap())).fingerprint;
        assert_eq!(of(&["192.0.2.1", "2001:db8::1"]), of(&["2001:db8::1", "fe80::1", "192.0.2.1", "127.0.0.1"]));
        assert_ne!(of(&["192.0.2.1"]), of(&["192.0.2.2"]));
        assert_ne!(of(&["192.0.2.1"]), of(&["192.0.2.1", "2001:db8::1"]));
    }
}
