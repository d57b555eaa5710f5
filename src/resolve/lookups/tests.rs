//! Lookups with scripted resolvers, on a paused clock except where two runtimes are at work.

mod epochs;
mod silence;

use std::future::pending;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{Instant, advance, sleep, timeout};

use super::*;
use crate::resolve::Resolving;

const LINGER: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// Answers by a function of how many calls there were before.
struct Script {
    calls: AtomicUsize,
    alive: Arc<AtomicUsize>,
    answer: Box<dyn Fn(usize) -> Resolving + Send + Sync>,
}

impl Script {
    fn new(answer: impl Fn(usize) -> Resolving + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { calls: AtomicUsize::new(0), alive: Arc::default(), answer: Box::new(answer) })
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }
}

impl Resolve for Script {
    fn kinds(&self) -> Kinds {
        Kinds::PerFamily
    }

    fn resolve(&self, _name: &str, _kind: QueryKind) -> Resolving {
        struct Alive(Arc<AtomicUsize>);
        impl Drop for Alive {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.alive.fetch_add(1, Ordering::SeqCst);
        let alive = Alive(self.alive.clone());
        let answer = (self.answer)(self.calls.fetch_add(1, Ordering::SeqCst));
        Box::pin(async move {
            let _alive = alive;
            answer.await
        })
    }
}

/// An answer that tells which call it is of, after `delay` and for `ttl`.
fn numbered(call: usize, delay: Duration, ttl: Option<Duration>) -> Resolving {
    Box::pin(async move {
        sleep(delay).await;
        let mut answer = Answer::from_ips([address(call)]);
        answer.expires = ttl.map(|ttl| (Instant::now() + ttl).into_std());
        Ok(answer)
    })
}

fn address(call: usize) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, u8::try_from(call).unwrap()).into()
}

fn name(name: &str) -> Arc<str> {
    name.into()
}

fn call_of(outcome: &Outcome) -> u8 {
    match outcome.as_ref().unwrap().addresses[0].ip() {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(_) => unreachable!("the script answers with IPv4"),
    }
}

/// Proves: DNS-13
#[tokio::test(start_paused = true)]
async fn a_hundred_waiters_share_one_lookup() {
    let script = Script::new(|call| numbered(call, 20 * MS, None));
    let lookups = Lookups::new(script.clone());
    let outcomes = join_all((0..100).map(|i| {
        let name = if i % 2 == 0 { name("example.com.") } else { name("EXAMPLE.com.") };
        lookups.lookup(&name, QueryKind::A, LINGER)
    }))
    .await;
    assert_eq!(script.calls(), 1);
    assert!(outcomes.iter().all(|outcome| call_of(outcome) == 0));
}

#[tokio::test(start_paused = true)]
async fn kinds_and_names_are_looked_up_apart() {
    let script = Script::new(|call| numbered(call, 20 * MS, Some(LINGER)));
    let lookups = Lookups::new(script.clone());
    let asked = [("a.", QueryKind::A), ("a.", QueryKind::Aaaa), ("b.", QueryKind::A), ("a", QueryKind::A)];
    let outcomes = join_all(asked.map(|(host, kind)| lookups.lookup(&name(host), kind, LINGER))).await;
    assert_eq!(outcomes.iter().map(call_of).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_says_no_expiry_is_not_kept() {
    let script = Script::new(|call| numbered(call, MS, None));
    let lookups = Lookups::new(script.clone());
    lookups.lookup(&name("a."), QueryKind::A, LINGER).await.unwrap();
    let again = lookups.lookup(&name("a."), QueryKind::A, LINGER).await;
    assert_eq!(call_of(&again), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_until_it_expires() {
    let script = Script::new(|call| numbered(call, MS, Some(60 * LINGER)));
    let lookups = Lookups::new(script.clone());
    lookups.lookup(&name("a."), QueryKind::A, LINGER).await.unwrap();
    advance(60 * LINGER - MS).await;
    assert_eq!(call_of(&lookups.lookup(&name("A."), QueryKind::A, LINGER).await), 0);
    advance(MS).await;
    assert_eq!(call_of(&lookups.lookup(&name("a."), QueryKind::A, LINGER).await), 1);
}

#[tokio::test(start_paused = true)]
async fn a_negative_answer_is_kept_until_it_expires() {
    let script = Script::new(|call| match call {
        0 => Box::pin(async {
            let expires = (Instant::now() + 30 * LINGER).into_std();
            Err(ResolveError::new(ResolveErrorKind::NxDomain, "no such name").expires(expires))
        }),
        _ => numbered(call, MS, None),
    });
    let lookups = Lookups::new(script.clone());
    for _ in 0..2 {
        let error = lookups.lookup(&name("a."), QueryKind::A, LINGER).await.unwrap_err();
        assert_eq!(error.kind(), ResolveErrorKind::NxDomain);
    }
    assert_eq!(script.calls(), 1);
    advance(30 * LINGER).await;
    assert!(lookups.lookup(&name("a."), QueryKind::A, LINGER).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_cached_answer_is_ready_at_the_first_poll_and_needs_no_runtime() {
    let lookups = Lookups::new(Script::new(|call| numbered(call, MS, Some(60 * LINGER))));
    lookups.lookup(&name("a."), QueryKind::A, LINGER).await.unwrap();
    let polled = thread::spawn(move || {
        let mut cached = pin!(lookups.lookup(&name("a."), QueryKind::A, LINGER));
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(cached) = cached.as_mut().poll(&mut context) else { panic!("the cached answer must be ready") };
        let mut uncached = pin!(lookups.lookup(&name("b."), QueryKind::A, LINGER));
        let Poll::Ready(uncached) = uncached.as_mut().poll(&mut context) else { panic!("there is no runtime") };
        (cached.is_ok(), uncached.unwrap_err().to_string())
    });
    assert_eq!(polled.join().unwrap(), (true, "no runtime to look up in".into()));
}

#[tokio::test(start_paused = true)]
async fn the_cache_is_bounded_and_drops_the_oldest() {
    let lookups = Lookups::new(Script::new(|call| numbered(call % 200, Duration::ZERO, Some(3600 * LINGER))));
    let look_up = async |i: usize| _ = lookups.lookup(&name(&format!("{i}.")), QueryKind::A, LINGER).await.unwrap();
    let cached = || lookups.shared.state().cache.entries.len();
    let most = Config::MAX_CACHED_ANSWERS;
    for i in 0..most {
        look_up(i).await;
    }
    assert_eq!(cached(), most);
    look_up(most).await;
    assert_eq!(cached(), most - most / 8 + 1);
    let now = Instant::now().into_std();
    let state = lookups.shared.state();
    let cached = |i: usize| state.cache.get(&CacheKey { name: name(&format!("{i}.")), kind: QueryKind::A }, now);
    assert!(cached(most / 8 - 1).is_none() && cached(most / 8).is_some() && cached(most).is_some());
}

#[tokio::test(start_paused = true)]
async fn of_an_answer_so_many_different_addresses_are_kept() {
    let ips = |count: u32| (0..count).flat_map(|i| [IpAddr::from(Ipv4Addr::from_bits(i)); 3]);
    let script = Script::new(move |call| {
        let count = Config::MAX_ANSWER_ADDRESSES as u32 + call as u32;
        Box::pin(async move { Ok(Answer::from_ips(ips(count))) })
    });
    let lookups = Lookups::new(script);
    for _ in 0..2 {
        let answer = lookups.lookup(&name("a."), QueryKind::A, LINGER).await.unwrap();
        assert_eq!(answer.addresses.len(), Config::MAX_ANSWER_ADDRESSES);
        assert_eq!(
            answer.addresses[Config::MAX_ANSWER_ADDRESSES - 1].ip(),
            Ipv4Addr::from_bits(Config::MAX_ANSWER_ADDRESSES as u32 - 1)
        );
    }
}

/// Proves: DNS-10
#[tokio::test(start_paused = true)]
async fn a_late_answer_fills_the_cache() {
    let script = Script::new(|call| numbered(call, 900 * MS, Some(60 * LINGER)));
    let lookups = Lookups::new(script.clone());
    let wait = lookups.lookup(&name("a."), QueryKind::A, LINGER);
    timeout(10 * MS, wait).await.unwrap_err();
    sleep(900 * MS).await;
    assert_eq!(script.alive(), 0);
    let start = Instant::now();
    assert_eq!(call_of(&lookups.lookup(&name("a."), QueryKind::A, LINGER).await), 0);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// Proves: DNS-10
#[tokio::test(start_paused = true)]
async fn a_lookup_nobody_waits_for_ends_with_the_linger() {
    let script = Script::new(|_| Box::pin(pending()));
    let lookups = Lookups::new(script.clone());
    timeout(10 * MS, lookups.lookup(&name("a."), QueryKind::A, LINGER)).await.unwrap_err();
    sleep(LINGER - 5 * MS).await;
    assert_eq!(script.alive(), 1);
    sleep(10 * MS).await;
    assert_eq!(script.alive(), 0);
    assert!(lookups.shared.state().in_flight.is_empty());
}

/// Whatever was set, it does not go on for ever.
#[tokio::test(start_paused = true)]
async fn a_linger_is_cut_to_a_day() {
    let script = Script::new(|_| Box::pin(pending()));
    let lookups = Lookups::new(script.clone());
    timeout(10 * MS, lookups.lookup(&name("a."), QueryKind::A, Duration::MAX)).await.unwrap_err();
    sleep(Config::LONGEST_DELAY - 5 * MS).await;
    assert_eq!(script.alive(), 1);
    sleep(10 * MS).await;
    assert_eq!(script.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_linger_a_lookup_ends_with_its_last_waiter() {
    let script = Script::new(|_| Box::pin(pending()));
    let lookups = Lookups::new(script.clone());
    timeout(10 * MS, lookups.lookup(&name("a."), QueryKind::A, Duration::ZERO)).await.unwrap_err();
    let before = Instant::now();
    while script.alive() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_comes_during_the_linger_joins() {
    let script = Script::new(|call| numbered(call, 2500 * MS, None));
    let lookups = Lookups::new(script.clone());
    timeout(10 * MS, lookups.lookup(&name("a."), QueryKind::A, LINGER)).await.unwrap_err();
    sleep(900 * MS).await;
    // It stays beyond the end of the first linger, then leaves: the linger starts anew.
    timeout(700 * MS, lookups.lookup(&name("a."), QueryKind::A, LINGER)).await.unwrap_err();
    sleep(850 * MS).await;
    assert_eq!(call_of(&lookups.lookup(&name("a."), QueryKind::A, LINGER).await), 0);
    assert_eq!(script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_comes_and_goes_within_the_linger_starts_it_anew() {
    let script = Script::new(|_| Box::pin(pending()));
    let lookups = Lookups::new(script.clone());
    for _ in 0..2 {
        timeout(10 * MS, lookups.lookup(&name("a."), QueryKind::A, LINGER)).await.unwrap_err();
        sleep(900 * MS).await;
    }
    sleep(90 * MS).await;
    assert_eq!((script.calls(), script.alive()), (1, 1));
    sleep(20 * MS).await;
    assert_eq!(script.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_does_not_end_the_wait_of_another() {
    let script = Script::new(|call| numbered(call, 50 * MS, None));
    let lookups = Lookups::new(script.clone());
    let stays = tokio::spawn(lookups.lookup(&name("a."), QueryKind::A, Duration::ZERO));
    timeout(10 * MS, lookups.lookup(&name("a."), QueryKind::A, Duration::ZERO)).await.unwrap_err();
    assert_eq!(call_of(&stays.await.unwrap()), 0);
    assert_eq!(script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_panics_fails_that_lookup_and_is_asked_anew_the_next_time() {
    let script = Script::new(|call| match call {
        0 => panic!("a fault before the future"),
        1 => Box::pin(async { panic!("a fault in the first poll") }),
        2 => Box::pin(async {
            sleep(MS).await;
            panic!("a fault in a later poll")
        }),
        _ => numbered(call, MS, None),
    });
    let lookups = Lookups::new(script.clone());
    for calls in 1..=3 {
        let error = lookups.lookup(&name("a."), QueryKind::A, LINGER).await.unwrap_err();
        assert_eq!(error.kind(), ResolveErrorKind::Other);
        assert_eq!(error.to_string(), "the resolver panicked");
        assert_eq!(script.calls(), calls);
        assert!(lookups.shared.state().in_flight.is_empty());
    }
    assert_eq!(call_of(&lookups.lookup(&name("a."), QueryKind::A, LINGER).await), 3);
}

/// Proves: DNS-5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lookups_begin_in_the_order_in_which_they_are_asked() {
    struct Begun(Mutex<Vec<String>>);
    impl Resolve for Begun {
        fn kinds(&self) -> Kinds {
            Kinds::PerFamily
        }

        fn resolve(&self, name: &str, _: QueryKind) -> Resolving {
            self.0.lock().unwrap().push(name.into());
            Box::pin(pending())
        }
    }
    let begun = Arc::new(Begun(Mutex::default()));
    let lookups = Lookups::new(begun.clone());
    // From inside a task, where the scheduler would run the last spawned one next.
    let wait = tokio::spawn(async move {
        let names = ["a.", "b.", "c.", "d."].map(name);
        let waits = names.iter().map(|name| lookups.lookup(name, QueryKind::A, LINGER));
        timeout(20 * MS, join_all(waits)).await.unwrap_err();
    });
    wait.await.unwrap();
    assert_eq!(*begun.0.lock().unwrap(), ["a.", "b.", "c.", "d."]);
}

#[test]
fn a_runtime_that_is_dropped_takes_only_its_own_lookup_with_it() {
    let script = Script::new(|call| match call {
        0 => Box::pin(pending()),
        _ => numbered(call, MS, None),
    });
    let lookups = Lookups::new(script.clone());
    let first = current_thread();
    let wait = lookups.lookup(&name("a."), QueryKind::A, 60 * LINGER);
    first.block_on(async { timeout(10 * MS, wait).await.unwrap_err() });
    assert_eq!(script.alive(), 1);
    drop(first);
    assert_eq!(script.alive(), 0);
    assert!(lookups.shared.state().in_flight.is_empty());
    let outcome = current_thread().block_on(lookups.lookup(&name("a."), QueryKind::A, LINGER));
    assert_eq!(call_of(&outcome), 1);
}

/// The waiter outlives the runtime that looked up for it.
#[test]
fn a_waiter_whose_runtime_is_gone_asks_in_its_own() {
    let script = Script::new(|call| match call {
        0 => Box::pin(pending()),
        _ => numbered(call, MS, None),
    });
    let lookups = Lookups::new(script.clone());
    let mut wait = Box::pin(lookups.lookup(&name("a."), QueryKind::A, LINGER));
    let first = current_thread();
    first.block_on(async { timeout(10 * MS, &mut wait).await.unwrap_err() });
    drop(first);
    assert_eq!(call_of(&current_thread().block_on(wait)), 1);
}

#[test]
fn a_parked_runtime_does_not_hold_up_another() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let script = Script::new(move |call| {
        let gate = gate.clone();
        Box::pin(async move {
            if call == 0 {
                let _ = gate.acquire().await;
            }
            numbered(call, MS, None).await
        })
    });
    let lookups = Lookups::new(script.clone());
    let parked = current_thread();
    let mut wait = Box::pin(lookups.lookup(&name("a."), QueryKind::A, LINGER));
    parked.block_on(async { assert!((&mut wait).now_or_never().is_none()) });

    let (sender, receiver) = mpsc::channel();
    let other = lookups.clone();
    let thread = thread::spawn(move || {
        sender.send(current_thread().block_on(other.lookup(&name("a."), QueryKind::A, LINGER))).unwrap();
    });
    let outcome = receiver.recv_timeout(Duration::from_secs(10)).expect("the second runtime must not wait");
    assert_eq!(call_of(&outcome), 1);
    thread.join().unwrap();
    opened.add_permits(1);
    assert_eq!(call_of(&parked.block_on(wait)), 0);
}

fn current_thread() -> runtime::Runtime {
    runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
