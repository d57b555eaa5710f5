//! HTTPS records (RFC 9460) as hickory hands them over, and the addresses that come along.

mod rdata;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::lookup::Lookup;
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData, Record};
use hickory_resolver::proto::serialize::binary::BinEncodable;

use self::rdata::Malformed;
use super::wire::OPAQUE;
use super::{Answer, ResolveError, ResolveErrorKind, ServiceRecord, no_data};
use crate::config::Config;

/// The services of `name`. One malformed record makes the whole set unusable (RFC 9460 section 2.2).
pub(super) fn answer(lookup: &Lookup, name: &Name) -> Result<Answer, ResolveError> {
    let (owner, _) = Aliases::of(lookup.answers()).follow(name);
    let mut services = Vec::new();
    let mut targets = Vec::new();
    for record in lookup.answers().iter().filter(|record| record.name == *owner) {
        let Some(rdata) = rdata(record) else { continue };
        let (target, mut service) = rdata.and_then(|rdata| rdata::service(&rdata)).map_err(malformed)?;
        if owner != name {
            service = service.with_owner(owner.to_ascii());
        }
        services.push(service);
        // "." is the owner (RFC 9460 section 2.5.2).
        targets.push(if target.is_root() { owner.clone() } else { target });
    }
    if services.is_empty() {
        return Err(no_data());
    }

    let mut expires = lookup.valid_until();
    let additional = additional(lookup.additionals(), &targets);
    if let Some(ttl) = additional.iter().map(|(.., ttl)| *ttl).min() {
        expires = expires.min(Instant::now() + Duration::from_secs(ttl.into()));
    }
    let additional = additional.into_iter().map(|(name, ip, _)| (name, ip));
    Ok(Answer::from_services(services).with_additional(additional).expires(expires))
}

/// The data of an HTTPS record; `None` for other records.
fn rdata(record: &Record) -> Option<Result<Cow<'_, [u8]>, Malformed>> {
    match &record.data {
        RData::Unknown { code: OPAQUE, rdata } => Some(Ok(Cow::Borrowed(&rdata.anything))),
        // Back to bytes, so that what is made of it is the same everywhere.
        RData::HTTPS(data) => Some(data.to_bytes().map(Cow::Owned).map_err(|_| "it cannot be read")),
        _ => None,
    }
}

/// Addresses of the targets, with the time that each lives. They go under the target's name even if they are at the end
/// of a CNAME, as it is the target that a race would ask for.
///
/// Nothing else is taken: an answer must not bring in addresses of names that it has nothing to do with. A server leaves
/// out a set that does not fit, never a part of one (RFC 2181 section 9), so these are all that a target has of a family.
fn additional(records: &[Record], targets: &[Name]) -> Vec<(Arc<str>, IpAddr, u32)> {
    let aliases = Aliases::of(records);
    let mut addresses = HashMap::<_, Vec<_>>::new();
    for record in records {
        if let Some(ip) = record.data.ip_addr() {
            addresses.entry(&record.name).or_default().push((ip, record.ttl));
        }
    }
    let mut seen = HashSet::new();
    let targets = targets.iter().filter(|target| seen.insert(*target));
    let additional = targets.flat_map(|target| {
        let (owner, lifetime) = aliases.follow(target);
        let name = Arc::<str>::from(target.to_ascii());
        let addresses = addresses.get(owner).into_iter().flatten();
        addresses.map(move |(ip, ttl)| (name.clone(), *ip, lifetime.min(*ttl)))
    });
    // Each of many targets could be an alias of one name with many addresses.
    additional.take(Config::MAX_ADDITIONAL).collect()
}

fn malformed(why: Malformed) -> ResolveError {
    let message = format!("an HTTPS record is malformed (RFC 9460 section 2.2): {why}");
    ResolveError::new(ResolveErrorKind::Malformed, message)
}

/// The CNAME records of a section.
pub(super) struct Aliases<'a>(HashMap<&'a Name, (&'a Name, u32)>);

impl<'a> Aliases<'a> {
    pub(super) fn of(records: &'a [Record]) -> Self {
        let aliases = records.iter().filter_map(|record| match &record.data {
            RData::CNAME(CNAME(target)) => Some((&record.name, (target, record.ttl))),
            _ => None,
        });
        Self(aliases.collect())
    }

    /// Where `name` leads, and how long the way there lives.
    pub(super) fn follow(&self, mut name: &'a Name) -> (&'a Name, u32) {
        let mut lifetime = u32::MAX;
        for _ in 0..Config::MAX_CNAMES {
            let Some((target, ttl)) = self.0.get(name) else { break };
            name = target;
            lifetime = lifetime.min(*ttl);
        }
        (name, lifetime)
    }
}
