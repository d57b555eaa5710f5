//! What earlier races have learned of paths: how long they take, and which lead nowhere.

mod memory;
mod term;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use memory::{LeaseId, Memory};

use crate::race::{Lesson, Probed};

/// A bounded memory of paths, so that a broken one is paid for once (v3 draft section 5.3).
///
/// A path is a destination address and port as seen from a prefix of this host's addresses, within a partition. Of each
/// it keeps the round-trip time, for ten minutes, and whether it leads nowhere: no answer came within an attempt delay,
/// or three round-trip times if that is longer, while another address of the race won; or a router said so. Such an
/// address goes last, as one that is "known to be unreachable" (RFC 6724 section 6, rule 1), for a minute, and twice as
/// long each time that it is found so again, up to ten minutes. Then one race tries it in its old place while the others
/// leave it where it is. An answer ends all that.
///
/// A whole family goes last when that holds for addresses in two prefixes, of two hosts, with no answer by this family
/// since: one host alone, whatever addresses it gives itself, changes nothing for others.
///
/// Partitions share nothing. All is forgotten when the addresses of this host's interfaces change. It keeps 4096 paths;
/// the partition with the most gives up those that were idle longest.
///
/// Clones share it.
#[derive(Clone, Default)]
pub struct History(Arc<Shared>);

#[derive(Default)]
struct Shared {
    memory: Mutex<Memory>,
    /// Whether anything was ever learned: until then a connect need not look.
    used: AtomicBool,
}

impl History {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.memory().clear();
    }

    /// What is known now, in no order.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_at(tokio::time::Instant::now().into_std())
    }

    fn snapshot_at(&self, now: Instant) -> Snapshot {
        self.memory().snapshot(now)
    }

    /// Forgets everything if this host has other addresses than it had before: it is in another network.
    pub(crate) fn on_network(&self, fingerprint: u64) {
        self.memory().on_network(fingerprint);
    }

    /// Whether there is nothing to recall.
    pub(crate) fn is_empty(&self) -> bool {
        !self.0.used.load(Ordering::Relaxed) || self.memory().is_empty()
    }

    /// What one race recalls and learns.
    pub(crate) fn session(&self, partition: Arc<str>, host: Arc<str>) -> Session {
        Session { history: self.clone(), partition, host, sources: Vec::new(), lease: None, explores: false }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing is left half done by whoever panics.
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").finish_non_exhaustive()
    }
}

/// The part of one race. Dropped, it gives back what the race was to explore.
pub(crate) struct Session {
    history: History,
    partition: Arc<str>,
    /// Whose addresses they are.
    host: Arc<str>,
    /// The source prefix towards each address.
    sources: Vec<(SocketAddr, IpAddr)>,
    lease: Option<LeaseId>,
    /// Whether there are addresses that only this race may try.
    explores: bool,
}

impl Session {
    /// Adds what is known to each of `probed`.
    pub(crate) fn recall(&mut self, probed: &mut [Probed], now: Instant) {
        let mut memory = self.history.memory();
        self.sources.reserve_exact(probed.len());
        for probed in probed {
            let Some(source) = probed.source else { continue };
            let source = prefix(source.ip);
            self.sources.push((probed.addr, source));
            let lease = *self.lease.get_or_insert_with(|| memory.next_lease());
            let recalled = memory.recall(&self.partition, source, probed.addr, lease, now);
            probed.known = recalled.known;
            self.explores |= recalled.explores;
        }
    }

    /// Takes in what the race has learned of `addr`.
    pub(crate) fn learn(&mut self, addr: SocketAddr, lesson: Lesson, now: Instant) {
        let Some((_, source)) = self.sources.iter().find(|(known, _)| *known == addr) else { return };
        self.history.memory().learn(&self.partition, *source, addr, &self.host, lesson, now);
        self.history.0.used.store(true, Ordering::Relaxed);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(lease) = self.lease.filter(|_| self.explores) else { return };
        let mut memory = self.history.memory();
        for (destination, source) in &self.sources {
            memory.release(&self.partition, *source, *destination, lease);
        }
    }
}

/// What a [`History`] knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Each path.
    pub paths: Vec<KnownPath>,
    /// Each family that leads nowhere.
    pub families: Vec<KnownFamily>,
}

/// A path of a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownPath {
    /// The partition.
    pub partition: Arc<str>,
    /// The prefix of this host's address: 64 bits of IPv6, 24 of IPv4; the other bits are zero.
    pub source: IpAddr,
    /// The destination, with its port.
    pub destination: SocketAddr,
    /// The smoothed round-trip time (RFC 6298), if one was measured within the last ten minutes.
    pub rtt: Option<Duration>,
    /// How much longer it goes last; zero where it is to be tried again.
    pub unreachable_for: Option<Duration>,
}

/// A family of a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownFamily {
    /// The partition.
    pub partition: Arc<str>,
    /// The prefix of this host's address, which tells the family.
    pub source: IpAddr,
    /// How much longer it goes last; zero where it is to be tried again.
    pub unreachable_for: Duration,
}

/// What addresses of one link, or of one site, have in common.
fn prefix(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4((ip.to_bits() & !0xff).into()),
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests;
