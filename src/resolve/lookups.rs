//! Lookups that races share: one in flight per name and kind, and a cache of the answers.

mod bounds;
mod silence;

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::mem;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future;
use tokio::runtime::{self, Handle};

use self::silence::Silence;
use super::{Answer, Kinds, Names, QueryKind, Resolve, ResolveError, ResolveErrorKind};
use crate::config::Config;

type Outcome = Result<Answer, ResolveError>;

/// A resolver, its lookups in flight and its answers. Clones share them.
#[derive(Clone)]
pub(crate) struct Lookups {
    shared: Arc<Shared>,
}

impl Lookups {
    pub(crate) fn new(resolver: Arc<dyn Resolve>) -> Self {
        Self { shared: Arc::new(Shared { resolver, state: Mutex::default() }) }
    }

    pub(crate) fn kinds(&self) -> Kinds {
        self.shared.resolver.kinds()
    }

    pub(crate) fn names(&self, host: &str) -> Result<Names, ResolveError> {
        self.shared.resolver.names(host)
    }

    /// Forgets all answers if this host is in another network than before, as far as that is known, or the resolver asks
    /// somebody else.
    pub(crate) fn on_network(&self, fingerprint: Option<u64>) {
        let resolver = self.shared.resolver.epoch();
        let mut state = self.shared.state();
        let network = fingerprint.or_else(|| state.source?.network);
        let source = Source { network, resolver };
        if state.source.replace(source).is_some_and(|before| before != source) {
            state.generation += 1;
            state.silence = Silence::default();
            let forgotten = mem::take(&mut state.cache);
            // Errors in it may have sources of the resolver's.
            drop(state);
            drop(forgotten);
        }
    }

    /// Whether nobody on the way can read or change the answers.
    pub(crate) fn is_protected(&self) -> bool {
        self.shared.resolver.is_protected()
    }

    /// Whether a race should wait for HTTPS records now: not while their queries go unanswered, unless somebody may be
    /// hiding them.
    pub(crate) fn waits_for_https(&self) -> bool {
        self.is_protected() || !self.shared.state().silence.lasts(tokio::time::Instant::now())
    }

    /// Looks up `kind` of `name`, from the cache or by a lookup that is shared with all who ask for the same in this
    /// runtime. Nothing happens before the future is polled.
    ///
    /// Whoever waits drives the lookup, so that the queries of a race leave in the order in which it polls them.
    /// Dropping the future gives up the wait only: the lookup goes on in a task for `linger` once nobody waits, so that
    /// a late answer still fills the cache (RFC 8305 section 5). When waiters differ in it, the longest counts.
    pub(crate) fn lookup(
        &self,
        name: &Arc<str>,
        kind: QueryKind,
        linger: Duration,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        let shared = self.shared.clone();
        let name = name.clone();
        async move {
            loop {
                let mut waiter = match shared.join(&name, kind, linger)? {
                    Joined::Cached(outcome) => return outcome,
                    Joined::InFlight(waiter) => waiter,
                };
                // Without an outcome the waiter has come to another runtime, and asks there.
                if let Some(outcome) = poll_fn(|cx| waiter.poll(cx)).await {
                    return outcome;
                }
            }
        }
    }
}

struct Shared {
    resolver: Arc<dyn Resolve>,
    state: Mutex<State>,
}

/// Under one lock, so that who finds no answer in the cache finds the lookup that will put it there.
#[derive(Default)]
struct State {
    source: Option<Source>,
    /// How often the source has changed.
    generation: u64,
    cache: Cache,
    in_flight: HashMap<FlightKey, Flight>,
    started: u64,
    silence: Silence,
}

/// Where answers come from.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Source {
    network: Option<u64>,
    resolver: u64,
}

/// A lookup in flight. It has at least one waiter, or a task that lingers.
struct Flight {
    /// Tells it from an earlier one of the same key.
    id: u64,
    started: tokio::time::Instant,
    lookup: Lookup,
    waiters: usize,
    linger: Duration,
    /// When a lookup without waiters ends, if a task sees to that.
    lingers_until: Option<tokio::time::Instant>,
}

type Lookup = future::Shared<Pin<Box<dyn Future<Output = Outcome> + Send>>>;

enum Joined {
    Cached(Outcome),
    InFlight(Waiter),
}

impl Shared {
    fn join(self: &Arc<Self>, name: &Arc<str>, kind: QueryKind, linger: Duration) -> Result<Joined, ResolveError> {
        let key = CacheKey { name: name.to_ascii_lowercase().into(), kind };
        let now = tokio::time::Instant::now();
        let mut state = self.state();
        if let Some(outcome) = state.cache.get(&key, now.into_std()) {
            return Ok(Joined::Cached(outcome));
        }
        let generation = state.generation;
        let runtime = Handle::try_current()
            .map_err(|err| ResolveError::new(ResolveErrorKind::Other, "no runtime to look up in").with_source(err))?;
        let key = FlightKey { runtime: runtime.id(), generation, key };
        let State { in_flight, started, .. } = &mut *state;
        let flight = in_flight.entry(key.clone()).or_insert_with(|| {
            *started += 1;
            let lookup = self.look_up(*started, key.clone(), name.clone());
            Flight { id: *started, started: now, lookup, waiters: 0, linger: Duration::ZERO, lingers_until: None }
        });
        flight.waiters += 1;
        flight.linger = flight.linger.max(linger).min(Config::LONGEST_DELAY);
        let (id, lookup) = (flight.id, flight.lookup.clone());
        Ok(Joined::InFlight(Waiter { shared: self.clone(), runtime, key, id, lookup }))
    }

    /// The lookup itself. When it is done its answer is in the cache, and its place free.
    fn look_up(self: &Arc<Self>, id: u64, key: FlightKey, name: Arc<str>) -> Lookup {
        let resolver = self.resolver.clone();
        // The lookup stands in the list that it would keep alive.
        let shared = Arc::downgrade(self);
        let lookup = async move {
            let lookup = async { resolver.resolve(&name, key.key.kind).await };
            // What a resolver breaks by panicking is its own; here nothing is left half done.
            let mut outcome = AssertUnwindSafe(lookup).catch_unwind().await.unwrap_or_else(|_| Err(panicked()));
            if let Ok(answer) = &mut outcome {
                bounds::cut(answer);
            }
            if let Some(shared) = shared.upgrade() {
                shared.end(&key, id, &outcome);
            }
            outcome
        };
        lookup.boxed().shared()
    }

    /// The lookup is done.
    fn end(&self, key: &FlightKey, id: u64, outcome: &Outcome) {
        let now = tokio::time::Instant::now();
        let mut state = self.state();
        if key.generation == state.generation {
            state.cache.put(key.key.clone(), outcome, now.into_std());
            if key.key.kind == QueryKind::Https {
                state.silence.outcome(outcome, now);
            }
        }
        let flight = state.remove(key, |flight| flight.id == id);
        // What a resolver does when its future is dropped it must not do under the lock.
        drop(state);
        drop(flight);
    }

    /// Nobody wants the lookup any more, unless somebody has come for it since.
    fn give_up(&self, key: &FlightKey, id: u64) {
        let now = tokio::time::Instant::now();
        let mut state = self.state();
        let flight = state.remove(key, |flight| flight.id == id && flight.waiters == 0);
        if let Some(flight) = &flight
            && key.key.kind == QueryKind::Https
            && key.generation == state.generation
        {
            state.silence.given_up(flight.started, now);
        }
        drop(state);
        drop(flight);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the lookup of `key` out if it is as `condition` says.
    fn remove(&mut self, key: &FlightKey, condition: impl FnOnce(&Flight) -> bool) -> Option<Flight> {
        self.in_flight.get(key).is_some_and(condition).then(|| self.in_flight.remove(key)).flatten()
    }
}

fn panicked() -> ResolveError {
    ResolveError::new(ResolveErrorKind::Other, "the resolver panicked")
}

/// Waits for a lookup, and drives it.
struct Waiter {
    shared: Arc<Shared>,
    runtime: Handle,
    key: FlightKey,
    id: u64,
    lookup: Lookup,
}

impl Waiter {
    /// `None` outside the runtime of the lookup, whose sockets and timers would not move.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outcome>> {
        if Handle::try_current().map(|runtime| runtime.id()).ok() != Some(self.key.runtime) {
            return Poll::Ready(None);
        }
        self.lookup.poll_unpin(cx).map(Some)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let Some(flight) = state.in_flight.get_mut(&self.key).filter(|flight| flight.id == self.id) else { return };
        flight.waiters -= 1;
        if flight.waiters > 0 {
            return;
        }
        let lingers = flight.lingers_until.is_some();
        flight.lingers_until = tokio::time::Instant::now().checked_add(flight.linger);
        let linger = flight.linger;
        drop(state);
        if linger.is_zero() {
            self.shared.give_up(&self.key, self.id);
        } else if !lingers {
            let lingering = Lingering { shared: self.shared.clone(), key: self.key.clone(), id: self.id };
            // A runtime that is shutting down drops the task here and now, and with it the lookup.
            self.runtime.spawn(lingering.run(self.lookup.clone()));
        }
    }
}

/// The task of a lookup for which nobody waits.
struct Lingering {
    shared: Arc<Shared>,
    key: FlightKey,
    id: u64,
}

impl Lingering {
    async fn run(self, mut lookup: Lookup) {
        // Each time that the last waiter leaves, the linger starts anew.
        while let Some(until) = self.until() {
            tokio::select! {
                _ = &mut lookup => return,
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// Until when to go on: `None` if that time is over, or somebody waits.
    fn until(&self) -> Option<tokio::time::Instant> {
        let mut state = self.shared.state();
        let flight = state.in_flight.get_mut(&self.key).filter(|flight| flight.id == self.id)?;
        let until = flight.lingers_until.filter(|until| flight.waiters == 0 && *until > tokio::time::Instant::now());
        // From here on this task is over: whoever leaves last starts another.
        flight.lingers_until = until;
        until
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        self.shared.give_up(&self.key, self.id);
    }
}

/// Sockets and timers of a lookup belong to one runtime, which may stand still while another waits. A lookup of an earlier
/// generation goes on for those who wait for it, and nobody else.
#[derive(Clone, PartialEq, Eq, Hash)]
struct FlightKey {
    runtime: runtime::Id,
    generation: u64,
    key: CacheKey,
}

/// The name in lower case: DNS compares without case (RFC 4343).
#[derive(Clone, PartialEq, Eq, Hash)]
struct CacheKey {
    name: Arc<str>,
    kind: QueryKind,
}

/// Answers and failures until they expire.
#[derive(Default)]
struct Cache {
    entries: HashMap<CacheKey, Cached>,
    stored: u64,
}

struct Cached {
    outcome: Outcome,
    expires: Instant,
    age: u64,
}

impl Cache {
    fn get(&self, key: &CacheKey, now: Instant) -> Option<Outcome> {
        self.entries.get(key).filter(|cached| now < cached.expires).map(|cached| cached.outcome.clone())
    }

    fn put(&mut self, key: CacheKey, outcome: &Outcome, now: Instant) {
        let expires = match outcome {
            Ok(answer) => answer.expires,
            Err(error) => error.expires,
        };
        let Some(expires) = expires.filter(|expires| now < *expires) else { return };
        if self.entries.len() >= Config::MAX_CACHED_ANSWERS {
            self.make_room(now);
        }
        self.stored += 1;
        self.entries.insert(key, Cached { outcome: outcome.clone(), expires, age: self.stored });
    }

    /// Drops what has expired; if that is too little, the oldest eighth, so that a full cache is not walked for every
    /// answer.
    fn make_room(&mut self, now: Instant) {
        self.entries.retain(|_, cached| now < cached.expires);
        if self.entries.len() < Config::MAX_CACHED_ANSWERS - Config::MAX_CACHED_ANSWERS / 8 {
            return;
        }
        let mut ages: Vec<_> = self.entries.values().map(|cached| cached.age).collect();
        let (_, &mut limit, _) = ages.select_nth_unstable(Config::MAX_CACHED_ANSWERS / 8);
        self.entries.retain(|_, cached| cached.age >= limit);
    }
}

#[cfg(test)]
mod tests;
