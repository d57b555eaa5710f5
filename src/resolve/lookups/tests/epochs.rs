//! What is left of answers in another network, or when somebody else is asked.

use std::sync::atomic::AtomicU64;

use super::*;

/// A script that others answer from when its epoch changes.
struct Epochs {
    script: Arc<Script>,
    epoch: AtomicU64,
}

impl Resolve for Arc<Epochs> {
    fn kinds(&self) -> Kinds {
        self.script.kinds()
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    fn resolve(&self, name: &str, kind: QueryKind) -> Resolving {
        self.script.resolve(name, kind)
    }
}

fn epochs(answer: impl Fn(usize) -> Resolving + Send + Sync + 'static) -> (Arc<Epochs>, Lookups) {
    let epochs = Arc::new(Epochs { script: Script::new(answer), epoch: AtomicU64::new(1) });
    let lookups = Lookups::new(Arc::new(epochs.clone()));
    lookups.on_network(Some(1));
    (epochs, lookups)
}

/// Proves: NET-3
#[tokio::test(start_paused = true)]
async fn answers_are_kept_for_one_network_and_one_epoch() {
    let (epochs, lookups) = epochs(|call| numbered(call, MS, Some(60 * LINGER)));
    let ask = async |network| {
        lookups.on_network(network);
        call_of(&lookups.lookup(&name("a."), QueryKind::A, LINGER).await)
    };
    assert_eq!([ask(Some(1)).await, ask(Some(1)).await], [0, 0]);
    assert_eq!([ask(Some(2)).await, ask(Some(2)).await], [1, 1]);
    assert_eq!(ask(None).await, 1, "it could not be told");
    assert_eq!(ask(Some(1)).await, 2, "nothing is left of it");
    epochs.epoch.store(2, Ordering::SeqCst);
    assert_eq!([ask(None).await, ask(Some(1)).await], [3, 3]);
}

/// Proves: NET-3
#[tokio::test(start_paused = true)]
async fn a_lookup_in_flight_goes_on_for_those_who_wait_for_it_alone() {
    let (_, lookups) = epochs(|call| numbered(call, if call == 0 { 50 * MS } else { 100 * MS }, Some(60 * LINGER)));
    let name = name("a.");
    let early = tokio::spawn(lookups.lookup(&name, QueryKind::A, LINGER));
    sleep(MS).await;
    lookups.on_network(Some(2));
    let late = tokio::spawn(lookups.lookup(&name, QueryKind::A, LINGER));
    assert_eq!(call_of(&early.await.unwrap()), 0);
    // The early answer is not kept for the new network.
    assert_eq!(call_of(&lookups.lookup(&name, QueryKind::A, LINGER).await), 1);
    assert_eq!(call_of(&late.await.unwrap()), 1);
    assert_eq!(call_of(&lookups.lookup(&name, QueryKind::A, LINGER).await), 1);
}

#[tokio::test(start_paused = true)]
async fn silence_is_that_of_a_network() {
    let (_, lookups) =
        epochs(|_| Box::pin(async { Err(ResolveError::new(ResolveErrorKind::Timeout, "nothing came")) }));
    for _ in 0..3 {
        lookups.lookup(&name("a."), QueryKind::Https, LINGER).await.unwrap_err();
    }
    lookups.on_network(Some(1));
    assert!(!lookups.waits_for_https());
    lookups.on_network(Some(2));
    assert!(lookups.waits_for_https());
}
