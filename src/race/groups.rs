//! From answers to endpoints, in groups: one a service, by priority, and the origin's own addresses last
//! (v3 draft section 5.2).

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::Given;
use super::event::Family;
use super::query::Query;
use super::services::Service;
use super::translation::Translation;
use crate::address_policy::{Verdict, is_bad_port};
use crate::config::Config;
use crate::origin::Origin;
use crate::report::{AttemptOutcome, AttemptReport};
use crate::resolve::{Names, is_same_name};

/// What a race may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) addr: SocketAddr,
    /// All of a group start before the first of the next one does, but for those that are known to lead nowhere.
    pub(super) group: usize,
}

/// An address that the policy denied.
pub(super) struct Denied {
    addr: SocketAddr,
    /// The name that has it.
    pub(super) name: Arc<str>,
    at: Instant,
    reason: Cow<'static, str>,
}

impl Denied {
    pub(super) fn report(&self, target: Option<Arc<str>>, start: Instant) -> AttemptReport {
        let outcome = AttemptOutcome::Denied(self.reason.clone());
        AttemptReport { ended: Some(self.at), outcome, ..AttemptReport::new(self.addr, target, start, self.at) }
    }
}

/// Forms the endpoints, group after group.
pub(super) struct Roster<'a> {
    queries: &'a [Query],
    given: &'a Given,
    translation: &'a Translation,
    denied: &'a mut Vec<Denied>,
    now: Instant,
    /// Each once, in the first group that has it.
    endpoints: Vec<Endpoint>,
    /// Hints that a negative answer belies: a last resort.
    belied: Vec<Endpoint>,
    group: usize,
}

/// What is known of the addresses of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has some, and the preferred family is answered.
    Known,
    /// An answer is to come that matters.
    Open,
    /// It has none, and none will come.
    Empty,
}

impl<'a> Roster<'a> {
    pub(super) fn new(
        queries: &'a [Query],
        given: &'a Given,
        translation: &'a Translation,
        denied: &'a mut Vec<Denied>,
        now: Instant,
    ) -> Self {
        let endpoints = Vec::with_capacity(match &given.environment.names {
            Names::Fixed(addresses) => addresses.len().max(1),
            Names::Ask(_) => queries.iter().map(|query| query.addresses().len()).sum(),
        });
        Self { queries, given, translation, denied, now, endpoints, belied: Vec::new(), group: 0 }
    }

    /// The endpoints, and those of the last resort.
    pub(super) fn finish(self) -> (Vec<Endpoint>, Vec<Endpoint>) {
        (self.endpoints, self.belied)
    }

    /// Makes the only group, of the addresses that are at hand for `name`.
    pub(super) fn add_fixed(&mut self, name: &Arc<str>) {
        if let Names::Fixed(addresses) = &self.given.environment.names {
            let literal = self.given.origin.host().socket_addr(0);
            self.admit(name, literal.into_iter().chain(addresses.iter().copied()), None, List::Endpoints);
        }
    }

    /// Makes the next group, of the addresses of `name`; those of `service`, if `name` is the target of one.
    pub(super) fn add(&mut self, name: &Arc<str>, service: Option<&Service>) -> Standing {
        let preferred = self.given.environment.preferred;
        let (mut found, mut is_open, mut preferred_is_open) = (false, false, false);
        for leads in [true, false] {
            for query in address_queries(self.queries, name).filter(|query| query.tells_of(preferred) == leads) {
                found |= self.admit(name, query.addresses().iter().copied(), service, List::Endpoints);
                is_open |= query.is_pending();
                preferred_is_open |= leads && query.is_pending();
            }
        }
        // Without records there is nothing that could stand in for an answer.
        if self.given.environment.https {
            for family in [preferred, preferred.other()] {
                let (ips, list) = self.stand_ins(name, family, service);
                let any = self.admit(name, ips.into_iter().map(|ip| SocketAddr::new(ip, 0)), service, list);
                found |= any && list == List::Endpoints;
                preferred_is_open &= !(any && family == preferred);
            }
        }
        self.group += 1;
        match found {
            true if !preferred_is_open => Standing::Known,
            false if !is_open => Standing::Empty,
            _ => Standing::Open,
        }
    }

    /// What takes the place of an answer for `family` while it is missing: addresses that came along with records, or
    /// hints (v3 draft section 4.2.1).
    fn stand_ins(&self, name: &str, family: Family, service: Option<&Service>) -> (Vec<IpAddr>, List) {
        // Of a family that the host lacks nothing is asked for, and nothing is of use.
        let translates = family == Family::V4 && self.translation.is_possible();
        if !self.given.environment.ask.contains(family) && !translates {
            return (Vec::new(), List::Endpoints);
        }
        let (mut answered, mut negative) = (false, false);
        for query in address_queries(self.queries, name).filter(|query| query.tells_of(family)) {
            answered |= !query.addresses().is_empty();
            negative |= query.is_negative();
        }
        let mut came = came_along(self.queries, name, family).peekable();
        if !answered && !negative && came.peek().is_some() {
            return (came.collect(), List::Endpoints);
        }
        let hints = service.filter(|_| !answered).into_iter().flat_map(|service| &service.hints);
        let hints = hints.copied().filter(|ip| Family::of_ip(*ip) == family);
        (hints.collect(), if negative { List::Belied } else { List::Endpoints })
    }

    /// Takes in the addresses of `name` that may be dialled, each once, at most 16 of a family, and as many
    /// that they are translated to; false if there are none.
    fn admit(
        &mut self,
        name: &Arc<str>,
        addrs: impl Iterator<Item = SocketAddr>,
        service: Option<&Service>,
        list: List,
    ) -> bool {
        let (mut own, mut translated) = ([0; 2], [0; 2]);
        let mut found = false;
        for addr in addrs {
            let addr = self.translation.undone(endpoint(addr, service, &self.given.origin), self.given);
            found |= self.admit_one(name, addr, service, list, &mut own);
            let translation = self.translation;
            for addr in translation.of(addr) {
                found |= self.admit_one(name, addr, service, list, &mut translated);
            }
        }
        found
    }

    /// `admitted` counts those of each family.
    fn admit_one(
        &mut self,
        name: &Arc<str>,
        addr: SocketAddr,
        service: Option<&Service>,
        list: List,
        admitted: &mut [usize; 2],
    ) -> bool {
        let environment = &self.given.environment;
        let (group, family) = (self.group, Family::of(addr));
        if self.list(list).iter().any(|known| known.addr == addr) {
            return true;
        }
        let of_family = &mut admitted[usize::from(addr.is_ipv6())];
        if !environment.dial.contains(family) || *of_family >= Config::MAX_ADDRESSES_PER_FAMILY {
            return false;
        }
        match self.judge(addr, service) {
            Verdict::Allow => {
                *of_family += 1;
                self.list(list).push(Endpoint { addr, group });
                true
            }
            Verdict::Deny(reason) => {
                if self.denied.len() < Config::MAX_SHOWN && self.denied.iter().all(|denied| denied.addr != addr) {
                    self.denied.push(Denied { addr, name: name.clone(), at: self.now, reason });
                }
                false
            }
        }
    }

    fn judge(&self, addr: SocketAddr, service: Option<&Service>) -> Verdict {
        let Given { origin, config, .. } = self.given;
        let by_record = service.and_then(|service| service.port).filter(|port| *port != origin.port());
        match by_record.filter(|port| is_bad_port(*port)) {
            Some(port) => Verdict::deny(format!("port {port} is of another protocol, and only a record names it")),
            None => config.address_policy.judge(origin, addr, self.translation.prefixes()),
        }
    }

    fn list(&mut self, list: List) -> &mut Vec<Endpoint> {
        match list {
            List::Endpoints => &mut self.endpoints,
            List::Belied => &mut self.belied,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Endpoints,
    Belied,
}

/// The queries for the addresses of `name`.
pub(super) fn address_queries<'a>(queries: &'a [Query], name: &str) -> impl Iterator<Item = &'a Query> + Clone {
    queries.iter().filter(move |query| query.is_for_addresses() && is_same_name(&query.name, name))
}

/// The addresses of `name` that came along with records (RFC 9460 section 5).
pub(super) fn came_along(queries: &[Query], name: &str, family: Family) -> impl Iterator<Item = IpAddr> {
    let additional = queries.iter().filter_map(Query::services).flat_map(|services| &services.additional);
    let of_name = additional.filter(move |(owner, ip)| Family::of_ip(*ip) == family && is_same_name(owner, name));
    of_name.map(|(_, ip)| *ip)
}

/// The endpoint that an address stands for. The port of a service is its own or the authority's. Elsewhere the port of
/// the URI wins, then the answer's, then the scheme's. An IPv4-mapped address is IPv4.
fn endpoint(addr: SocketAddr, service: Option<&Service>, origin: &Origin) -> SocketAddr {
    let mut addr = match addr.ip().to_canonical() {
        ip if ip == addr.ip() => addr,
        ip => SocketAddr::new(ip, addr.port()),
    };
    match service {
        Some(service) => addr.set_port(service.port.unwrap_or_else(|| origin.port())),
        None if addr.port() == 0 || origin.explicit_port().is_some() => addr.set_port(origin.port()),
        None => {}
    }
    if let SocketAddr::V6(addr) = &mut addr {
        // Flow information is no part of an endpoint's identity.
        addr.set_flowinfo(0);
    }
    addr
}

/// Leaves at most `room` endpoints that have not `started`: of the longest group the last goes first. The only one of a
/// family in its group stays, so that no group is without a chance.
///
/// Records can bring hundreds of endpoints, and they are cut at every poll: so each is looked at once.
pub(super) fn cut(ordered: &mut Vec<Endpoint>, room: usize, started: impl Fn(SocketAddr) -> bool) {
    let (mut unstarted, mut end) = (0_usize, 0);
    // What can be spared, each with the length that its group has when it goes.
    let mut spare = Vec::new();
    for group in ordered.chunk_by(|one, next| one.group == next.group) {
        end += group.len();
        let ipv6 = group.iter().filter(|it| it.addr.is_ipv6()).count();
        // Started ones count: otherwise a group would grow by what it starts.
        let (mut length, mut of_family) = (group.len(), [group.len() - ipv6, ipv6]);
        for (from_end, it) in group.iter().rev().enumerate().filter(|(_, it)| !started(it.addr)) {
            unstarted += 1;
            let alike = &mut of_family[usize::from(it.addr.is_ipv6())];
            if *alike > 1 {
                *alike -= 1;
                spare.push((length, end - 1 - from_end));
                length -= 1;
            }
        }
    }
    // The lengths of a group fall, so its last goes before those that stand before it.
    spare.sort_unstable_by(|one, other| other.cmp(one));
    spare.truncate(unstarted.saturating_sub(room));
    let mut kept = vec![true; ordered.len()];
    spare.into_iter().for_each(|(_, index)| kept[index] = false);
    let mut kept = kept.into_iter();
    ordered.retain(|_| kept.next() == Some(true));
}
