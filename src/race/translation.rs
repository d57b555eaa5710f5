//! IPv4 addresses by way of a NAT64 (v3 draft section 8).
//!
//! An IPv4 address is tried as such. If it turns out to have no route, no packet has left and no time has passed, and the
//! addresses that lead to it through the NAT64 take its place.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;

use super::Given;
use super::query::Query;
use crate::nat64::{Nat64, Nat64Prefix, WELL_KNOWN_NAME, is_of_this_host};
use crate::origin::Host;
use crate::resolve::{QueryKind, is_same_name};

/// Stands for the addresses of a NAT64 whose prefix is not known yet: they are not on any link either.
const WITNESS: SocketAddr =
    SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0xc000, 0xaa), 80, 0, 0));

/// Whether `addr` may be translated.
pub(super) fn is_for(addr: SocketAddr, given: &Given) -> bool {
    let may_be = matches!(addr, SocketAddr::V4(v4) if !is_of_this_host(*v4.ip()));
    may_be && given.environment.dial.v6 && given.config.nat64 != Nat64::Off
}

/// The address to which this host has to have a route before anybody is asked for the prefix.
pub(super) fn witness(given: &Given) -> Option<SocketAddr> {
    (given.config.nat64 == Nat64::Discover).then_some(WITNESS)
}

/// What is known of the NAT64 of this network.
#[derive(Clone, Debug, Default)]
pub(super) struct Translation {
    prefixes: Vec<Nat64Prefix>,
    /// IPv4 endpoints that turned out to have no route.
    routeless: Vec<SocketAddr>,
    /// Whether the prefix is asked for, and not known yet.
    open: bool,
}

impl Translation {
    /// An IPv4 endpoint has no route, but a NAT64 has.
    pub(super) fn on_no_route(&mut self, addr: SocketAddr) {
        self.routeless.push(addr);
    }

    /// Reads the prefixes of the settings, or of the answer that tells them. Returns the query for it if it is due.
    pub(super) fn update(&mut self, queries: &[Query], given: &Given) -> Option<(Arc<str>, QueryKind)> {
        match &given.config.nat64 {
            Nat64::Off => None,
            Nat64::Prefixes(prefixes) => {
                self.prefixes = prefixes.to_vec();
                None
            }
            Nat64::Discover => {
                // What is needed once stays so: before that there is no such query.
                if !self.is_needed(given) {
                    return None;
                }
                let Some(query) = queries.iter().find(|query| is_same_name(&query.name, WELL_KNOWN_NAME)) else {
                    let kind = match given.environment.kinds.has_ordered_addresses() {
                        false => QueryKind::Aaaa,
                        true => QueryKind::Addresses,
                    };
                    self.open = true;
                    return Some((WELL_KNOWN_NAME.into(), kind));
                };
                self.open = query.is_pending();
                let ips = query.addresses().iter().filter_map(|addr| match addr.ip() {
                    IpAddr::V6(ip) => Some(ip),
                    IpAddr::V4(_) => None,
                });
                self.prefixes = Nat64Prefix::discover(ips);
                None
            }
        }
    }

    /// Where A is not asked for, the prefix is asked for beside the first queries, as names may have no AAAA. Otherwise
    /// only once an address has no route.
    fn is_needed(&self, given: &Given) -> bool {
        let environment = &given.environment;
        let asks_no_a = environment.dial.v4 && !environment.ask.v4 && !environment.has_ordered_addresses();
        !self.routeless.is_empty() || asks_no_a && environment.dial.v6
    }

    /// Whether the answer that tells the prefixes is to come.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The prefixes that are known by now.
    pub(super) fn prefixes(&self) -> &[Nat64Prefix] {
        &self.prefixes
    }

    /// Whether there is a way to IPv4 addresses without IPv4.
    pub(super) fn is_possible(&self) -> bool {
        !self.prefixes.is_empty()
    }

    /// The IPv4 address that `addr` leads to through the NAT64, or `addr` itself. A literal is taken at its word.
    pub(super) fn undone(&self, addr: SocketAddr, given: &Given) -> SocketAddr {
        let SocketAddr::V6(v6) = addr else { return addr };
        let is_name = matches!(given.origin.host(), Host::Name(_));
        let mut prefixes = self.prefixes.iter().filter(|_| given.environment.dial.v4 && is_name);
        let within = prefixes.find_map(|prefix| prefix.extract(*v6.ip()));
        within.map_or(addr, |ip| SocketAddr::new(ip.into(), addr.port()))
    }

    /// The addresses that stand for `addr`, which has no route; none for others.
    pub(super) fn of(&self, addr: SocketAddr) -> impl Iterator<Item = SocketAddr> {
        let v4 = match addr {
            SocketAddr::V4(v4) if self.routeless.contains(&addr) => Some(v4),
            _ => None,
        };
        let translated =
            v4.into_iter().flat_map(|v4| self.prefixes.iter().map(move |it| (it.synthesize(*v4.ip()), v4)));
        translated.filter_map(|(ip, v4)| Some(SocketAddrV6::new(ip?, v4.port(), 0, 0).into()))
    }
}
