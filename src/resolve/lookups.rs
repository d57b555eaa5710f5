//! Lookups that races share: one in flight per name and kind, and a cache of the answers.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::runtime::{self, Handle};
use tokio::sync::{Notify, watch};

use super::{Answer, Kinds, Names, QueryKind, Resolve, ResolveError, ResolveErrorKind};

/// Answers that are kept, of all names and kinds together.
const MAX_CACHED: usize = 4096;

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

    /// Looks up `kind` of `name`, from the cache or by a lookup that is shared with all who ask for the same in this
    /// runtime. Nothing happens before the future is polled.
    ///
    /// Dropping the future gives up the wait only: the lookup goes on for `linger` once nobody waits, so that a late
    /// answer still fills the cache (RFC 8305 section 5). When waiters differ in it, the longest counts.
    pub(crate) fn lookup(
        &self,
        name: &Arc<str>,
        kind: QueryKind,
        linger: Duration,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        let shared = self.shared.clone();
        let name = name.clone();
        async move {
            // A lookup can vanish through no fault of its resolver: one more try tells the two apart.
            for _ in 0..2 {
                let mut waiter = match shared.join(&name, kind, linger)? {
                    Joined::Cached(outcome) => return outcome,
                    Joined::InFlight(waiter) => waiter,
                };
                if let Ok(outcome) = waiter.wait_for(Option::is_some).await
                    && let Some(outcome) = &*outcome
                {
                    return outcome.clone();
                }
            }
            Err(ResolveError::new(ResolveErrorKind::Other, "the lookup ended without an answer"))
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
    cache: Cache,
    in_flight: HashMap<FlightKey, Arc<Flight>>,
}

enum Joined {
    Cached(Outcome),
    InFlight(watch::Receiver<Option<Outcome>>),
}

impl Shared {
    fn join(self: &Arc<Self>, name: &Arc<str>, kind: QueryKind, linger: Duration) -> Result<Joined, ResolveError> {
        let key = CacheKey { name: name.to_ascii_lowercase().into(), kind };
        let now = tokio::time::Instant::now().into_std();
        let mut state = self.state();
        if let Some(outcome) = state.cache.get(&key, now) {
            return Ok(Joined::Cached(outcome));
        }
        let runtime = Handle::try_current()
            .map_err(|err| ResolveError::new(ResolveErrorKind::Other, "no runtime to look up in").with_source(err))?;
        let key = FlightKey { runtime: runtime.id(), key };
        if let Some(flight) = state.in_flight.get(&key) {
            return Ok(Joined::InFlight(flight.join(linger)));
        }
        let flight = Arc::new(Flight::default());
        let waiter = flight.join(linger);
        state.in_flight.insert(key.clone(), flight.clone());
        drop(state);

        // Not under the lock: the lookup may end here and now, and so may a task that a runtime refuses as it shuts down.
        let mut lookup = Box::pin(run(Entry { shared: self.clone(), key, flight }, name.clone()));
        // The first poll is made here, because it sends the query: queries are to leave in the order in which a race
        // asks them (v3 draft section 4.1), and a scheduler would start the last spawned task first.
        if lookup.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            runtime.spawn(lookup);
        }
        Ok(Joined::InFlight(waiter))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn run(entry: Entry, name: Arc<str>) {
    let lookup = async { entry.shared.resolver.resolve(&name, entry.key.key.kind).await };
    let outcome = tokio::select! {
        biased;
        // What a resolver breaks by panicking is its own; here nothing is left half done.
        outcome = AssertUnwindSafe(lookup).catch_unwind() => outcome.unwrap_or_else(|_| Err(panicked())),
        () = entry.abandoned() => return,
    };
    let Entry { shared, key, flight } = &entry;
    let now = tokio::time::Instant::now().into_std();
    shared.state().cache.put(key.key.clone(), &outcome, now);
    flight.outcome.send_replace(Some(outcome));
}

fn panicked() -> ResolveError {
    ResolveError::new(ResolveErrorKind::Other, "the resolver panicked")
}

/// A lookup in flight. It ends without an outcome when the task that holds it does.
#[derive(Default)]
struct Flight {
    outcome: watch::Sender<Option<Outcome>>,
    joined: Notify,
    linger_nanos: AtomicU64,
}

impl Flight {
    fn join(&self, linger: Duration) -> watch::Receiver<Option<Outcome>> {
        let nanos = u64::try_from(linger.as_nanos()).unwrap_or(u64::MAX);
        self.linger_nanos.fetch_max(nanos, Ordering::Relaxed);
        self.joined.notify_one();
        self.outcome.subscribe()
    }
}

/// The place of a lookup in the list, held by its task. However the task ends, the place is free afterwards, and
/// whoever still waits learns that there is no answer.
struct Entry {
    shared: Arc<Shared>,
    key: FlightKey,
    flight: Arc<Flight>,
}

impl Entry {
    /// Returns when nobody has waited for the time of the linger, with the entry removed so that nobody can join.
    async fn abandoned(&self) {
        loop {
            self.flight.outcome.closed().await;
            let linger = Duration::from_nanos(self.flight.linger_nanos.load(Ordering::Relaxed));
            // A waiter that came and left within the linger starts it anew.
            if !linger.is_zero() && tokio::time::timeout(linger, self.flight.joined.notified()).await.is_ok() {
                continue;
            }
            let mut state = self.shared.state();
            if self.flight.outcome.receiver_count() == 0 {
                self.remove_from(&mut state);
                return;
            }
        }
    }

    fn remove_from(&self, state: &mut State) {
        if state.in_flight.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            state.in_flight.remove(&self.key);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let shared = self.shared.clone();
        self.remove_from(&mut shared.state());
    }
}

/// Sockets and timers of a lookup belong to one runtime, which may stand still while another waits.
#[derive(Clone, PartialEq, Eq, Hash)]
struct FlightKey {
    runtime: runtime::Id,
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
        if self.entries.len() >= MAX_CACHED {
            self.make_room(now);
        }
        self.stored += 1;
        self.entries.insert(key, Cached { outcome: outcome.clone(), expires, age: self.stored });
    }

    /// Drops what has expired; if that is too little, the oldest eighth, so that a full cache is not walked for every
    /// answer.
    fn make_room(&mut self, now: Instant) {
        self.entries.retain(|_, cached| now < cached.expires);
        if self.entries.len() < MAX_CACHED - MAX_CACHED / 8 {
            return;
        }
        let mut ages: Vec<_> = self.entries.values().map(|cached| cached.age).collect();
        let (_, &mut limit, _) = ages.select_nth_unstable(MAX_CACHED / 8);
        self.entries.retain(|_, cached| cached.age >= limit);
    }
}

#[cfg(test)]
mod tests;
