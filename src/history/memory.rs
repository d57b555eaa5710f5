//! The memory itself. Time and randomness come from outside, as in a race.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::term::Term;
use super::{KnownFamily, KnownPath, Snapshot};
use crate::config::Config;
use crate::race::{Known, Lesson, Rtt};
use crate::resolve::is_same_name;

/// A race that may explore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeaseId(u64);

/// What there is to know of a path for one race.
pub(super) struct Recalled {
    pub(super) known: Known,
    /// Whether others hold back until that race is over.
    pub(super) explores: bool,
}

#[derive(Default)]
pub(super) struct Memory {
    partitions: HashMap<Arc<str>, Partition>,
    /// Of all of them.
    paths: usize,
    leases: u64,
    /// Of the interfaces' addresses.
    network: Option<u64>,
}

#[derive(Default)]
struct Partition {
    paths: HashMap<Path, Entry>,
    /// By source prefix.
    families: HashMap<IpAddr, Family>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Path {
    source: IpAddr,
    destination: SocketAddr,
}

struct Entry {
    rtt: Option<Sample>,
    term: Option<Term>,
    used: Instant,
}

#[derive(Clone, Copy)]
struct Sample {
    rtt: Rtt,
    since: Instant,
}

/// One family, as seen from one prefix of this host.
#[derive(Default)]
struct Family {
    term: Option<Term>,
    suspicions: Vec<Suspicion>,
}

/// That a host has an address that leads nowhere.
struct Suspicion {
    host: Arc<str>,
    site: IpAddr,
    until: Instant,
}

impl Memory {
    pub(super) fn clear(&mut self) {
        self.partitions.clear();
        self.paths = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    pub(super) fn on_network(&mut self, fingerprint: u64) {
        if self.network.replace(fingerprint).is_some_and(|before| before != fingerprint) {
            self.clear();
        }
    }

    pub(super) fn next_lease(&mut self) -> LeaseId {
        self.leases += 1;
        LeaseId(self.leases)
    }

    pub(super) fn recall(
        &mut self,
        partition: &str,
        source: IpAddr,
        destination: SocketAddr,
        lease: LeaseId,
        now: Instant,
    ) -> Recalled {
        let mut known = Known::default();
        let Some(partition) = self.partitions.get_mut(partition) else { return Recalled { known, explores: false } };
        let mut entry = partition.paths.get_mut(&Path { source, destination });
        if let Some(entry) = &mut entry {
            entry.forget(now);
            entry.used = now;
            known.rtt = entry.rtt.map(|sample| sample.rtt);
        }
        let mut family = partition.families.get_mut(&source);
        if let Some(family) = &mut family {
            family.forget(now);
        }
        let of_path = entry.and_then(|entry| entry.term.as_mut());
        let of_family = family.and_then(|family| family.term.as_mut());
        let mut terms = [of_path, of_family];
        known.unreachable = terms.iter().flatten().any(|term| !term.may_be_explored(lease, now));
        // Only who may explore all that there is takes the lease of any.
        let explored = terms.iter_mut().flatten().filter(|_| !known.unreachable);
        let explores = explored.map(|term| term.explore(lease)).count() > 0;
        Recalled { known, explores }
    }

    pub(super) fn learn(
        &mut self,
        partition: &Arc<str>,
        source: IpAddr,
        destination: SocketAddr,
        host: &Arc<str>,
        lesson: Lesson,
        now: Instant,
    ) {
        let partition = self.partitions.entry(partition.clone()).or_default();
        let entry = partition.paths.entry(Path { source, destination }).or_insert_with(|| {
            self.paths += 1;
            Entry::new(now)
        });
        entry.forget(now);
        entry.used = now;
        match lesson {
            Lesson::Reached { rtt } => {
                entry.term = None;
                if let Some(rtt) = rtt {
                    entry.sample(rtt, now);
                }
                partition.families.remove(&source);
            }
            Lesson::Silent | Lesson::Unreachable => {
                let term = entry.fail(now);
                let family = partition.families.entry(source).or_default();
                family.forget(now);
                family.suspect(host, site(destination.ip()), term, now);
            }
        }
        if self.paths > Config::MAX_PATHS {
            self.make_room();
        }
    }

    /// The race is over, whatever it has learned of that path.
    pub(super) fn release(&mut self, partition: &str, source: IpAddr, destination: SocketAddr, lease: LeaseId) {
        let Some(partition) = self.partitions.get_mut(partition) else { return };
        let path = partition.paths.get_mut(&Path { source, destination }).and_then(|entry| entry.term.as_mut());
        let family = partition.families.get_mut(&source).and_then(|family| family.term.as_mut());
        path.into_iter().chain(family).for_each(|term| term.release(lease));
    }

    /// A tenant that fills the memory loses its own paths first: an eighth at once, so that a full memory is not walked for
    /// every path.
    fn make_room(&mut self) {
        let Some(fullest) = self.partitions.values_mut().max_by_key(|partition| partition.paths.len()) else { return };
        let mut paths: Vec<_> = fullest.paths.iter().map(|(path, entry)| (entry.used, *path)).collect();
        let last = paths.len() / 8;
        paths.select_nth_unstable_by_key(last, |(used, _)| *used);
        for (_, path) in &paths[..=last] {
            fullest.paths.remove(path);
        }
        self.paths -= last + 1;
        if fullest.paths.is_empty() {
            self.partitions.retain(|_, partition| !partition.paths.is_empty());
        }
    }

    pub(super) fn snapshot(&self, now: Instant) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for (partition, its) in &self.partitions {
            snapshot.paths.extend(its.paths.iter().filter_map(|(path, entry)| {
                let rtt = entry.rtt.filter(|sample| sample.is_fresh(now)).map(|sample| sample.rtt.smoothed);
                let unreachable_for = entry.term.filter(|term| !term.is_forgotten(now)).map(|term| term.left(now));
                let partition = partition.clone();
                let Path { source, destination } = *path;
                let is_known = rtt.is_some() || unreachable_for.is_some();
                is_known.then_some(KnownPath { partition, source, destination, rtt, unreachable_for })
            }));
            snapshot.families.extend(its.families.iter().filter_map(|(source, family)| {
                let term = family.term.filter(|term| !term.is_forgotten(now))?;
                let partition = partition.clone();
                Some(KnownFamily { partition, source: *source, unreachable_for: term.left(now) })
            }));
        }
        snapshot
    }
}

impl Entry {
    fn new(now: Instant) -> Self {
        Self { rtt: None, term: None, used: now }
    }

    fn forget(&mut self, now: Instant) {
        self.rtt = self.rtt.filter(|sample| sample.is_fresh(now));
        self.term = self.term.filter(|term| !term.is_forgotten(now));
    }

    /// RFC 6298 section 2.
    fn sample(&mut self, measured: Duration, now: Instant) {
        let since = self.rtt.map_or(now, |sample| sample.since);
        let rtt = match self.rtt {
            None => Rtt { smoothed: measured, variation: measured / 2 },
            Some(Sample { rtt: Rtt { smoothed, variation }, .. }) => Rtt {
                smoothed: (7 * smoothed + measured) / 8,
                variation: (3 * variation + smoothed.abs_diff(measured)) / 4,
            },
        };
        self.rtt = Some(Sample { rtt, since });
    }

    /// Returns how long it goes last now.
    fn fail(&mut self, now: Instant) -> Duration {
        let term = self.term.get_or_insert_with(|| Term::new(now));
        term.renew(now);
        term.left(now)
    }
}

impl Sample {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < Config::RTT_LIFETIME
    }
}

impl Family {
    fn forget(&mut self, now: Instant) {
        self.term = self.term.filter(|term| !term.is_forgotten(now));
    }

    /// `host` has an address at `site` that leads nowhere, and goes last for `term`.
    fn suspect(&mut self, host: &Arc<str>, site: IpAddr, term: Duration, now: Instant) {
        let is_of_host = |one: &Suspicion| is_same_name(&one.host, host);
        self.suspicions.retain(|one| now < one.until && !(is_of_host(one) && one.site == site));
        if self.suspicions.iter().any(|one| !is_of_host(one) && one.site != site) {
            self.term.get_or_insert_with(|| Term::new(now)).renew(now);
        }
        // Two sites of a host confirm all that any number could: one of them is not that of another host.
        let its = self.suspicions.iter().filter(|one| is_of_host(one)).count();
        if its >= 2 || self.suspicions.len() >= Config::MAX_SUSPICIONS {
            let oldest = self.suspicions.iter().position(is_of_host).unwrap_or(0);
            self.suspicions.remove(oldest);
        }
        self.suspicions.push(Suspicion { host: host.clone(), site, until: now + term });
    }
}

/// What addresses of one site have in common: 48 bits (RFC 6177), of IPv4 24.
fn site(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4((ip.to_bits() & !0xff).into()),
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & (u128::MAX << 80)).into()),
    }
}

#[test]
fn suspicions_are_bounded_and_the_oldest_goes_first() {
    let (mut family, now) = (Family::default(), Instant::now());
    // Of one site, as two would be a verdict.
    let mut suspect = |number: usize| {
        family.suspect(&number.to_string().into(), [192, 0, 2, 0].into(), Config::MIN_UNREACHABLE_TIME, now);
        (family.suspicions.len(), family.suspicions[0].host.to_string())
    };
    for number in 1..=Config::MAX_SUSPICIONS {
        assert_eq!(suspect(number), (number, "1".into()));
    }
    assert_eq!(suspect(0), (Config::MAX_SUSPICIONS, "2".into()));
}
