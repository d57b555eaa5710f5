//! The order in which endpoints are tried.

mod interleave;
mod rfc6724;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use interleave::interleave;
use rfc6724::Rank;

use super::event::{Environment, Probed};
use super::groups::Endpoint;

/// What is known of each address for its order.
#[derive(Default)]
pub(super) struct Order {
    ranks: BTreeMap<SocketAddr, Rank>,
}

impl Order {
    /// Takes in what this machine knows of addresses.
    pub(super) fn learn(&mut self, probed: &[Probed], environment: &Environment) {
        self.ranks.extend(probed.iter().map(|probed| {
            let rank = match environment.has_ordered_addresses() {
                true => Rank::by_route(probed),
                false => Rank::new(probed, environment.preferred, &environment.policy_table),
            };
            (probed.addr, rank)
        }));
    }

    /// The addresses without which the order of `endpoints` is not known: what is alone in its group needs none.
    pub(super) fn unknown(&self, endpoints: &[Endpoint]) -> Vec<SocketAddr> {
        let groups = endpoints.chunk_by(|one, next| one.group == next.group).filter(|group| group.len() > 1);
        groups.flatten().map(|endpoint| endpoint.addr).filter(|addr| !self.ranks.contains_key(addr)).collect()
    }

    /// Sorts `endpoints` stably and interleaves the families, each group by itself; a group stands together.
    ///
    /// What has no route goes last in its group. It stays in the list, as routes come back.
    pub(super) fn apply(&self, endpoints: &[Endpoint], preferred_family_count: usize) -> Vec<Endpoint> {
        let rank = |endpoint: &Endpoint| self.ranks.get(&endpoint.addr).copied().unwrap_or_default();
        let mut ranked: Vec<_> = endpoints.iter().map(|endpoint| (rank(endpoint), *endpoint)).collect();
        ranked.sort_by_key(|(rank, endpoint)| (endpoint.group, *rank));
        let mut ordered = Vec::with_capacity(endpoints.len());
        for group in ranked.chunk_by(|(a, one), (b, next)| one.group == next.group && a.has_route() == b.has_route()) {
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
