//! The order in which endpoints are tried.

mod interleave;
mod rfc6724;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use interleave::interleave;
use rfc6724::Rank;

use super::event::{Environment, Probed};

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

    /// Whether `addr` has its place.
    pub(super) fn knows(&self, addr: SocketAddr) -> bool {
        self.ranks.contains_key(&addr)
    }

    /// Sorts `endpoints`, all of them known, stably, and interleaves the families.
    ///
    /// What has no route goes last. It stays in the list, as routes come back.
    pub(super) fn apply(&self, endpoints: Vec<SocketAddr>, preferred_family_count: usize) -> Vec<SocketAddr> {
        let ranked = endpoints.into_iter().filter_map(|addr| Some((*self.ranks.get(&addr)?, addr)));
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        let alive = ranked.partition_point(|(rank, _)| rank.has_route());
        let sorted: Vec<_> = ranked.into_iter().map(|(_, addr)| addr).collect();
        let mut ordered = interleave(&sorted[..alive], preferred_family_count);
        ordered.extend(interleave(&sorted[alive..], preferred_family_count));
        ordered
    }
}
