//! What network this host is in, as far as its addresses tell.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::interfaces::interfaces;
use super::platform::Changes;
use crate::race::FamilySet;

/// For so long a list stands. A change can be missed: who forks shares the socket that tells of it with the child, and
/// some sandboxes have one that never tells.
const STANDS: Duration = Duration::from_secs(30);

/// Tells the network, which it lists anew only when something may have changed: a list costs more than all else of a connect
/// to a cached name. Where the system does not tell of changes, each time.
///
/// It is that of the network namespace in which it was first asked for.
#[derive(Default)]
pub(crate) struct Networks(Mutex<State>);

#[derive(Default)]
struct State {
    changes: Option<Changes>,
    /// And when it was listed.
    network: Option<(Network, Instant)>,
}

impl Networks {
    /// The network now.
    pub(crate) fn current(&self) -> Network {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Network {
        let State { changes, network } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*changes, *network) {
            // What could not be listed may be the next time.
            (Some(changes), Some((network, listed)))
                if network.fingerprint.is_some()
                    && now.saturating_duration_since(listed) < STANDS
                    && !changes.any() =>
            {
                return network;
            }
            (Some(_), _) => {}
            // Before the list, so that nothing falls between.
            (None, _) => *changes = Changes::subscribe().ok(),
        }
        network.insert((Network::list(), now)).0
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

    #[cfg(target_os = "linux")]
    fn networks_that_listed(network: Network, since: Instant) -> Networks {
        let changes = Some(Changes::subscribe().unwrap());
        Networks(Mutex::new(State { changes, network: Some((network, since)) }))
    }

    /// Tests in network namespaces have it notice what changes.
    #[cfg(target_os = "linux")]
    #[test]
    fn while_nothing_changes_nothing_is_listed() {
        let (listed, now) = (Network { families: FamilySet::BOTH, fingerprint: Some(7) }, Instant::now());
        let networks = networks_that_listed(listed, now);
        assert_eq!(networks.at(now + STANDS - Duration::from_millis(1)), listed);
        assert_eq!(networks.at(now + STANDS), Network::list());
        let state = State { changes: None, network: Some((listed, now)) };
        assert_eq!(Networks(Mutex::new(state)).at(now), Network::list());
    }

    /// As when the process is out of descriptors for a while.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_could_not_be_listed_is_listed_again() {
        let (unknown, now) = (Network { families: FamilySet::BOTH, fingerprint: None }, Instant::now());
        let network = networks_that_listed(unknown, now).at(now);
        assert_eq!((network, network.fingerprint.is_some()), (Network::list(), true));
    }

    #[test]
    fn a_network_is_told_by_its_addresses_in_any_order() {
        let of = |addresses: &[&str]| Network::of(addresses.iter().map(|ip| ip.parse().unwrap())).fingerprint;
        assert_eq!(of(&["192.0.2.1", "2001:db8::1"]), of(&["2001:db8::1", "fe80::1", "192.0.2.1", "127.0.0.1"]));
        assert_ne!(of(&["192.0.2.1"]), of(&["192.0.2.2"]));
        assert_ne!(of(&["192.0.2.1"]), of(&["192.0.2.1", "2001:db8::1"]));
    }
}
