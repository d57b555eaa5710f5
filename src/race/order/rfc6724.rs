//! Destination address selection: RFC 6724 section 6.
//!
//! The rules compare pairs. Here each is turned into a value that one destination has by itself, and destinations are
//! compared by the tuple of these values: so the order is total and transitive however the rules fall out, and sorting
//! cannot depend on the algorithm.
//!
//! For that, one step stands between the rules: rule 9 compares within a family only, which alone would not be
//! transitive where a policy gives both families one precedence. So before it the preferred family goes first, as it
//! would by rule 10, since its answer stands first in the list.
//!
//! Rules 4 (home addresses) and 7 (native transport) are not built: they take knowledge of Mobile IPv6 and of tunnels
//! that hardly any host has.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv6Addr};

use crate::policy_table::{PolicyTable, bits};
use crate::race::{Family, Probed, Source};

const LINK_LOCAL: u8 = 0x2;
const SITE_LOCAL: u8 = 0x5;
const GLOBAL: u8 = 0xe;

/// Interface identifiers take the other half of an address (RFC 4291 section 2.5.1).
const USUAL_PREFIX_LEN: u8 = 64;

/// Where a destination stands: the smaller the earlier. What is equal keeps its order (rule 10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Rule 1: avoid unusable destinations. It "is known to be unreachable",
    unreachable: bool,
    /// or there is no route, which costs no time to find out again, and by which a NAT64 is found.
    no_route: bool,
    /// Rule 2: prefer matching scope.
    scope_differs: bool,
    /// Rule 3: avoid deprecated addresses.
    source_is_deprecated: bool,
    /// Rule 5: prefer matching label.
    label_differs: bool,
    /// Rule 6: prefer higher precedence.
    precedence: Reverse<u32>,
    /// Rule 8: prefer smaller scope.
    scope: u8,
    /// See the module.
    other_family: bool,
    /// Between rules 8 and 9 (v3 draft section 5.3): prefer the shorter round-trip time in whole milliseconds, and one
    /// that is known. It stands behind the family, which it never decides.
    rtt: u128,
    /// Rule 9: use longest matching prefix. For IPv6 only: IPv4 addresses are handed out without regard to topology,
    /// and there the rule would only send all clients to one of several equal servers.
    common_prefix: Reverse<u8>,
}

impl Rank {
    /// By all rules. Without a source those that need none still hold.
    pub(super) fn new(probed: &Probed, preferred: Family, table: &PolicyTable) -> Self {
        let destination = probed.addr.ip();
        let by_itself = Self {
            precedence: Reverse(table.precedence(destination)),
            scope: scope(destination),
            other_family: Family::of(probed.addr) != preferred,
            ..Self::by_route(probed)
        };
        let Some(source) = probed.source else { return by_itself };
        Self {
            scope_differs: scope(source.ip) != scope(destination),
            source_is_deprecated: source.deprecated,
            label_differs: table.label(source.ip) != table.label(destination),
            rtt: probed.known.rtt.map_or(u128::MAX, |rtt| rtt.smoothed.as_millis()),
            common_prefix: Reverse(common_prefix_len(source, destination)),
            ..by_itself
        }
    }

    /// By rule 1 alone, for a list that is in order.
    pub(super) fn by_route(probed: &Probed) -> Self {
        Self { no_route: probed.source.is_none(), unreachable: probed.known.unreachable, ..Self::default() }
    }

    /// Whether the rank of the `preferred` family goes behind what the other family usually has: a global address.
    pub(super) fn is_behind_the_other_family(&self, preferred: Family, table: &PolicyTable) -> bool {
        let usual = match preferred {
            Family::V4 => PolicyTable::GLOBAL_V6,
            Family::V6 => PolicyTable::GLOBAL_V4,
        };
        let precedence = Reverse(table.precedence(usual));
        self.has_route() && Self { precedence, scope: GLOBAL, other_family: true, ..Self::default() } < *self
    }

    pub(super) fn has_route(&self) -> bool {
        !self.no_route
    }

    pub(super) fn leads_nowhere(&self) -> bool {
        self.unreachable
    }

    /// What tells addresses that can be expected to answer from those that are a last resort.
    pub(super) fn usable(&self) -> (bool, bool) {
        (!self.unreachable, !self.no_route)
    }
}

/// Section 3.1, and for IPv4 section 3.2.
fn scope(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_link_local() => LINK_LOCAL,
        IpAddr::V4(_) => GLOBAL,
        IpAddr::V6(ip) if ip.is_multicast() => ip.octets()[1] & 0xf,
        IpAddr::V6(ip) if ip == Ipv6Addr::LOCALHOST || ip.is_unicast_link_local() => LINK_LOCAL,
        IpAddr::V6(ip) if ip.segments()[0] & 0xffc0 == 0xfec0 => SITE_LOCAL,
        IpAddr::V6(_) => GLOBAL,
    }
}

/// Section 2.2: the leading bits that both have in common, at most as many as the source's prefix has.
fn common_prefix_len(source: Source, destination: IpAddr) -> u8 {
    match (source.ip, destination) {
        (IpAddr::V6(_), IpAddr::V6(_)) => {
            let common = (bits(source.ip) ^ bits(destination)).leading_zeros() as u8;
            common.min(source.prefix_len.unwrap_or(USUAL_PREFIX_LEN))
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
