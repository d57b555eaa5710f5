//! From HTTPS records to services: which records of a set can be used, and in which order (RFC 9460).

use std::net::IpAddr;
use std::sync::Arc;

use super::Given;
use crate::config::Config;
use crate::resolve::{ServiceRecord, is_same_name};

// The keys of RFC 9460 section 14.3.2 that a record may make mandatory.
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4_HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6_HINT: u16 = 6;

/// What a set of HTTPS records comes to.
pub(super) enum Binding {
    /// The service is that of another name.
    Alias(Arc<str>),
    /// These services, the most preferred first. Where none is left, it is as if there were no records.
    Services(Vec<Service>),
}

/// An alternative endpoint: where a service is.
pub(super) struct Service {
    /// The smaller the earlier.
    pub(super) priority: u16,
    /// The name whose addresses it has.
    pub(super) target: Arc<str>,
    /// Its port, where it is not the authority's.
    pub(super) port: Option<u16>,
    /// Addresses that stand in for those of the target while they are missing, in no order.
    pub(super) hints: Vec<IpAddr>,
    /// Its ECH configurations, if they are of use.
    pub(super) ech: Option<Arc<[u8]>>,
}

impl Binding {
    /// What the records that came for `name` come to. `has_addresses` says whether addresses are asked for under
    /// `name` too, which they are not under the name of a port.
    pub(super) fn new(records: &[ServiceRecord], name: &Arc<str>, has_addresses: bool, given: &Given) -> Self {
        let mut random = Random::new(given.environment.seed, name);
        // Beside an alias no service counts (section 2.4.1), and of several aliases one is picked at random
        // (section 2.4.2).
        let aliases: Vec<_> = records.iter().filter(|record| record.is_alias()).collect();
        if !aliases.is_empty() {
            let alias = aliases[random.below(aliases.len())];
            return match is_root(&alias.target) {
                // The service is said not to exist, which a client may ignore (section 2.5.1).
                true => Self::Services(Vec::new()),
                false => Self::Alias(alias.target.clone()),
            };
        }
        let usable = records.iter().filter(|record| is_compatible(record, given) && is_reachable(record, given));
        let mut services: Vec<_> = usable
            .map(|record| Service {
                priority: record.priority,
                target: target(record, name, has_addresses),
                port: record.port,
                hints: random.shuffled(record.hints()),
                ech: record.ech.clone().filter(|configs| given.can_use_ech(configs)),
            })
            .collect();
        // Within a priority at random, so that load is shared (section 2.4.1).
        services = random.shuffled(services);
        services.sort_by_key(|service| service.priority);
        services.truncate(Config::MAX_SERVICES);
        Self::Services(services)
    }
}

/// Whether `records` say that the host is served by HTTPS (RFC 9460 section 9.5).
pub(super) fn ask_for_https(records: &[ServiceRecord], given: &Given) -> bool {
    records.iter().any(|record| match record.is_alias() {
        true => !is_root(&record.target),
        false => is_compatible(record, given),
    })
}

/// With its final dot or without.
fn is_root(name: &str) -> bool {
    matches!(name, "." | "")
}

/// The name whose addresses a service has. "." is the owner of the record (section 2.5.2); and what a name is a CNAME
/// of has the addresses that are asked for under the name itself.
fn target(record: &ServiceRecord, name: &Arc<str>, has_addresses: bool) -> Arc<str> {
    let owner = record.owner.as_ref().unwrap_or(name);
    let target = if is_root(&record.target) { owner } else { &record.target };
    let stands_for_name = has_addresses && is_same_name(target, owner);
    if stands_for_name { name.clone() } else { target.clone() }
}

/// Whether the record means what it says, and everything that it makes mandatory is understood (section 8). `port` and
/// `no-default-alpn` always are (section 9); `ech` is where a configuration can be used.
fn is_compatible(record: &ServiceRecord, given: &Given) -> bool {
    let is_consistent = record.mandatory.is_sorted_by(|one, next| one < next)
        && record.mandatory.iter().all(|key| has_key(record, *key))
        && record.alpn.as_ref().is_none_or(|protocols| !protocols.is_empty())
        && (record.alpn.is_some() || !record.no_default_alpn);
    let is_understood = |key| match key {
        ALPN | NO_DEFAULT_ALPN | PORT | IPV4_HINT | IPV6_HINT => true,
        ECH => record.ech.as_ref().is_some_and(|configs| given.can_use_ech(configs)),
        _ => false,
    };
    is_consistent && record.mandatory.iter().copied().all(is_understood)
}

/// Whether the record has the key among its parameters; `mandatory` itself, 0, cannot be.
fn has_key(record: &ServiceRecord, key: u16) -> bool {
    match key {
        0 => false,
        ALPN => record.alpn.is_some(),
        NO_DEFAULT_ALPN => record.no_default_alpn,
        PORT => record.port.is_some(),
        IPV4_HINT => !record.ipv4_hints.is_empty(),
        ECH => record.ech.is_some(),
        IPV6_HINT => !record.ipv6_hints.is_empty(),
        other => record.other_keys.contains(&other),
    }
}

/// Whether this client can speak to it: by a protocol over TCP that it knows.
///
/// What a record offers is the default protocol and what it names (section 7.1). A set of which every record is without
/// the default protocol is used as any other, which section 7.1.2 leaves open.
fn is_reachable(record: &ServiceRecord, given: &Given) -> bool {
    let speaks = |protocol: &[u8]| given.environment.alpn.iter().any(|known| known == protocol);
    (!record.no_default_alpn && speaks(b"http/1.1")) || record.alpn().any(speaks)
}

/// Numbers that are alike for one seed and name: SplitMix64. Good enough to share load, and for nothing else.
struct Random(u64);

impl Random {
    fn new(seed: u64, name: &str) -> Self {
        Self(name.bytes().fold(seed, |hash, byte| hash.rotate_left(5) ^ u64::from(byte)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn shuffled<T>(&mut self, items: impl IntoIterator<Item = T>) -> Vec<T> {
        let mut items: Vec<_> = items.into_iter().collect();
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the reference implementation.
    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        let mut random = Random(0);
        let numbers = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f];
        assert_eq!([random.next(), random.next(), random.next()], numbers);
    }
}
