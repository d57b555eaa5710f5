//! IPv4 addresses by way of a NAT64 (v3 draft section 8).
//!
//! An IPv4 address is tried as such. If it turns out to have no route, no packet has left and no time has passed, and the
//! addresses that lead to it through the NAT64 take its place.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;

use super::Given;
use super::query::Query;
use crate::nat64::{Nat64, Nat64Prefix, WELL_KNOWN_NAME};
use crate::resolve::{Names, QueryKind, is_same_name};

/// An address by which this host would reach the NAT64 for `addr`; `None` if `addr` is not to be translated.
pub(super) fn witness(addr: SocketAddr, given: &Given) -> Option<SocketAddr> {
    let SocketAddr::V4(v4) = addr else { return None };
    let prefix = match &given.config.nat64 {
        Nat64::Off => None,
        // Before the prefix is known, one like it: such addresses are not on any link.
        Nat64::Discover => Some(Nat64Prefix::WELL_KNOWN),
        Nat64::Prefixes(prefixes) => prefixes.first().copied(),
    };
    let ip = prefix.filter(|_| given.environment.dial.v6)?.synthesize(*v4.ip())?;
    Some(SocketAddrV6::new(ip, v4.port(), 0, 0).into())
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
                let Some(query) = queries.iter().find(|query| is_same_name(&query.name, WELL_KNOWN_NAME)) else {
                    let kind = match given.environment.kinds.has_ordered_addresses() {
                        false => QueryKind::Aaaa,
                        true => QueryKind::Addresses,
                    };
                    self.open = self.is_needed(given);
                    return self.open.then(|| (WELL_KNOWN_NAME.into(), kind));
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

    /// Without IPv4 the prefix is asked for beside the first queries, as names may have no AAAA. Otherwise only once an
    /// address has no route.
    fn is_needed(&self, given: &Given) -> bool {
        let environment = &given.environment;
        let lacks_ipv4 = environment.dial.v4 && !environment.ask.v4;
        !self.routeless.is_empty() || lacks_ipv4 && environment.dial.v6 && matches!(environment.names, Names::Ask(_))
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

    /// The IPv4 address that `addr` leads to through the NAT64, or `addr` itself.
    pub(super) fn undone(&self, addr: SocketAddr, given: &Given) -> SocketAddr {
        let SocketAddr::V6(v6) = addr else { return addr };
        let mut prefixes = self.prefixes.iter().filter(|_| given.environment.dial.v4);
        let within = prefixes.find_map(|prefix| prefix.extract(*v6.ip()));
        within.map_or(addr, |ip| SocketAddr::new(ip.into(), addr.port()))
    }

    /// The addresses that stand for `addr`, which has no route; none for others.
    pub(super) fn of(&self, addr: SocketAddr) -> impl Iterator<Item = SocketAddr> {
        let SocketAddr::V4(v4) = addr else { return None.into_iter().flatten() };
        let prefixes = self.routeless.contains(&addr).then_some(&self.prefixes).into_iter().flatten();
        let translated = prefixes.filter_map(move |prefix| prefix.synthesize(*v4.ip()));
        let translated: Vec<_> = translated.map(|ip| SocketAddrV6::new(ip, v4.port(), 0, 0).into()).collect();
        Some(translated).into_iter().flatten()
    }
}
