//! The order in which endpoints are tried.

mod interleave;
mod rfc6724;

use std::net::SocketAddr;

use interleave::interleave;
use rfc6724::Rank;

use super::event::{Environment, Family, Probed, Rtt};
use super::groups::Endpoint;

/// What is known of each address for its order, sorted by the address. A `BTreeMap` would take a kilobyte for the first.
#[derive(Default)]
pub(super) struct Order(Vec<(SocketAddr, Place)>);

struct Place {
    rank: Rank,
    /// Whether it goes behind what the other family usually has.
    is_behind: bool,
    /// If one was measured before.
    rtt: Option<Rtt>,
}

impl Order {
    /// Takes in what this machine knows of addresses.
    pub(super) fn learn(&mut self, probed: &[Probed], environment: &Environment) {
        self.0.reserve_exact(probed.len());
        self.0.extend(probed.iter().map(|probed| {
            let Environment { preferred, ref policy_table, .. } = *environment;
            let rank = match environment.has_ordered_addresses() {
                true => Rank::by_route(probed),
                false => Rank::new(probed, preferred, policy_table),
            };
            // The other family waits for the preferred one in any case.
            let is_behind = environment.compares_families()
                && Family::of(probed.addr) == preferred
                && rank.is_behind_the_other_family(preferred, policy_table);
            (probed.addr, Place { rank, is_behind, rtt: probed.known.rtt })
        }));
        self.0.sort_by_key(|(addr, _)| *addr);
        self.0.dedup_by_key(|(addr, _)| *addr);
    }

    /// The round-trip time to `addr` that earlier races have measured.
    pub(super) fn rtt(&self, addr: SocketAddr) -> Option<Rtt> {
        self.place(addr)?.rtt
    }

    fn place(&self, addr: SocketAddr) -> Option<&Place> {
        let index = self.0.binary_search_by_key(&addr, |(addr, _)| *addr).ok()?;
        Some(&self.0[index].1)
    }

    /// Whether nothing is known of any address.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn knows(&self, addr: SocketAddr) -> bool {
        self.place(addr).is_some()
    }

    /// Whether this host has a route to `addr`, as far as it is known.
    pub(super) fn has_route(&self, addr: SocketAddr) -> bool {
        self.place(addr).is_some_and(|place| place.rank.has_route())
    }

    /// Whether `addr` is worth to wait for another: earlier races have found that it leads nowhere, or the other family's
    /// will hardly go behind it.
    pub(super) fn gives_way(&self, addr: SocketAddr) -> bool {
        self.place(addr).is_some_and(|place| place.rank.leads_nowhere() || place.is_behind)
    }

    /// The addresses without which the order of `endpoints` is not known. What is alone in its group needs none, unless
    /// `each` may be worth to be asked about.
    pub(super) fn unknown(&self, endpoints: &[Endpoint], each: bool) -> Vec<SocketAddr> {
        let groups = endpoints.chunk_by(|one, next| one.group == next.group);
        let groups = groups.filter(|group| each || group.len() > 1);
        groups.flatten().map(|endpoint| endpoint.addr).filter(|addr| !self.knows(*addr)).collect()
    }

    /// Sorts `endpoints` stably and interleaves the families, each group by itself.
    ///
    /// What has no route goes last in its group. What is known to lead nowhere goes behind all groups: every connect would
    /// pay for a first group that leads nowhere. They stay in the list, as paths and routes come back.
    pub(super) fn apply(&self, endpoints: &[Endpoint], preferred_family_count: usize) -> Vec<Endpoint> {
        let rank = |endpoint: &Endpoint| self.place(endpoint.addr).map_or_else(Rank::default, |place| place.rank);
        let mut ranked: Vec<_> = endpoints.iter().map(|endpoint| (rank(endpoint), *endpoint)).collect();
        ranked.sort_by_key(|(rank, endpoint)| (rank.leads_nowhere(), endpoint.group, *rank));
        let mut ordered = Vec::with_capacity(endpoints.len());
        for group in ranked.chunk_by(|(a, one), (b, next)| one.group == next.group && a.usable() == b.usable()) {
            interleave(group.iter().map(|(_, endpoint)| *endpoint), preferred_family_count, &mut ordered);
        }
        ordered
    }
}

/// The addresses in the order of RFC 6724, without interleaving.
#[cfg(any(test, feature = "__internal"))]
pub fn sorted(list: &[Probed], environment: &Environment) -> Vec<SocketAddr> {
    let mut order = Order::default();
    order.learn(list, environment);
    let endpoints: Vec<_> = list.iter().map(|probed| Endpoint { addr: probed.addr, group: 0 }).collect();
    order.apply(&endpoints, usize::MAX).into_iter().map(|endpoint| endpoint.addr).collect()
}
