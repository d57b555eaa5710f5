//! When a race should wait for HTTPS records.

use super::*;
use crate::resolve::ServiceRecord;

const HTTPS: QueryKind = QueryKind::Https;
const MINUTE: Duration = Duration::from_secs(60);

fn failed(kind: ResolveErrorKind) -> Outcome {
    Err(ResolveError::new(kind, "scripted"))
}

fn found() -> Outcome {
    Ok(Answer::from_services([ServiceRecord::new(1, "svc.test.")]))
}

/// Lookups that end with these outcomes, one after the other, and then not at all.
fn scripted(outcomes: impl IntoIterator<Item = Outcome>) -> Lookups {
    let outcomes: Vec<_> = outcomes.into_iter().collect();
    Lookups::new(Script::new(move |call| match outcomes.get(call).cloned() {
        Some(outcome) => Box::pin(async move {
            sleep(MS).await;
            outcome
        }),
        None => Box::pin(pending()),
    }))
}

async fn look_up(lookups: &Lookups, times: usize) {
    for _ in 0..times {
        let _ = lookups.lookup(&name("a."), HTTPS, LINGER).await;
    }
}

/// Gives up a lookup after so long.
async fn give_up(lookups: &Lookups, after: Duration, linger: Duration) {
    timeout(after, lookups.lookup(&name("a."), HTTPS, linger)).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn three_unanswered_queries_are_a_silence_of_ten_minutes() {
    let lookups = scripted(vec![failed(ResolveErrorKind::Timeout); 5]);
    assert!(lookups.waits_for_https());
    look_up(&lookups, 2).await;
    assert!(lookups.waits_for_https());
    look_up(&lookups, 1).await;
    assert!(!lookups.waits_for_https() && !lookups.clone().waits_for_https());
    // It lasts on with each that is unanswered.
    advance(5 * MINUTE).await;
    look_up(&lookups, 1).await;
    advance(10 * MINUTE - MS).await;
    assert!(!lookups.waits_for_https());
    advance(MS).await;
    assert!(lookups.waits_for_https());
    look_up(&lookups, 1).await;
    assert!(!lookups.waits_for_https());
}

#[tokio::test(start_paused = true)]
async fn whatever_a_server_says_ends_it() {
    let timeout = || failed(ResolveErrorKind::Timeout);
    for said in [
        found(),
        failed(ResolveErrorKind::NxDomain),
        failed(ResolveErrorKind::NoData),
        failed(ResolveErrorKind::ServFail),
        failed(ResolveErrorKind::Refused),
        failed(ResolveErrorKind::Malformed),
    ] {
        let between = [timeout(), timeout(), said.clone(), timeout(), timeout(), timeout(), said];
        let lookups = scripted(between);
        look_up(&lookups, 5).await;
        assert!(lookups.waits_for_https());
        look_up(&lookups, 1).await;
        assert!(!lookups.waits_for_https());
        look_up(&lookups, 1).await;
        assert!(lookups.waits_for_https());
    }
}

#[tokio::test(start_paused = true)]
async fn failures_on_this_side_say_nothing() {
    let (timeout, other) = (|| failed(ResolveErrorKind::Timeout), || failed(ResolveErrorKind::Other));
    let lookups = scripted([timeout(), timeout(), other(), other(), other(), timeout(), other()]);
    look_up(&lookups, 5).await;
    assert!(lookups.waits_for_https());
    look_up(&lookups, 2).await;
    assert!(!lookups.waits_for_https());
}

#[tokio::test(start_paused = true)]
async fn a_query_given_up_counts_if_it_had_its_time() {
    let lookups = scripted([]);
    for _ in 0..5 {
        give_up(&lookups, 49 * MS, Duration::ZERO).await;
        timeout(60 * MS, lookups.lookup(&name("a."), QueryKind::A, Duration::ZERO)).await.unwrap_err();
    }
    assert!(lookups.waits_for_https());
    for waits in [true, true, false] {
        give_up(&lookups, 50 * MS, Duration::ZERO).await;
        assert_eq!(lookups.waits_for_https(), waits);
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_that_lingers_counts_at_the_end() {
    let lookups = scripted([]);
    for waits in [true, true, false] {
        give_up(&lookups, MS, LINGER).await;
        sleep(LINGER - MS).await;
        assert!(lookups.waits_for_https());
        sleep(2 * MS).await;
        assert_eq!(lookups.waits_for_https(), waits);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_late_is_one() {
    let script = Script::new(|call| match call {
        3 => Box::pin(async {
            sleep(LINGER / 2).await;
            found()
        }),
        _ => Box::pin(async { failed(ResolveErrorKind::Timeout) }),
    });
    let lookups = Lookups::new(script);
    look_up(&lookups, 3).await;
    give_up(&lookups, 60 * MS, LINGER).await;
    assert!(!lookups.waits_for_https());
    sleep(LINGER / 2).await;
    assert!(lookups.waits_for_https());
}

#[tokio::test(start_paused = true)]
async fn a_shared_lookup_counts_once() {
    let all = |lookups: &Lookups| join_all((0..100).map(|_| lookups.lookup(&name("a."), HTTPS, Duration::ZERO)));
    let timing_out = scripted(vec![failed(ResolveErrorKind::Timeout); 3]);
    let pending = scripted([]);
    for waits in [true, true, false] {
        all(&timing_out).await;
        timeout(60 * MS, all(&pending)).await.unwrap_err();
        assert_eq!((timing_out.waits_for_https(), pending.waits_for_https()), (waits, waits));
    }
}

#[tokio::test(start_paused = true)]
async fn kept_answers_and_other_kinds_do_not_count() {
    let script = Script::new(|call| {
        Box::pin(async move {
            let expires = (Instant::now() + 60 * MINUTE).into_std();
            let kept = ResolveError::new(ResolveErrorKind::Timeout, "kept").expires(expires);
            if call == 0 { found().map(|answer| answer.expires(expires)) } else { Err(kept) }
        })
    });
    let lookups = Lookups::new(script.clone());
    let ask = async |host: &str, kind| _ = lookups.lookup(&name(host), kind, LINGER).await;
    ask("kept.", HTTPS).await;
    for host in ["a.", "b.", "b.", "b.", "c."] {
        assert!(lookups.waits_for_https());
        ask(host, QueryKind::A).await;
        ask(host, HTTPS).await;
    }
    assert_eq!(script.calls(), 7);
    assert!(!lookups.waits_for_https());
    ask("kept.", HTTPS).await;
    assert!(!lookups.waits_for_https());
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_is_protected_is_always_waited_for() {
    struct Protected;
    impl Resolve for Protected {
        fn kinds(&self) -> Kinds {
            Kinds::PerType
        }

        fn is_protected(&self) -> bool {
            true
        }

        fn resolve(&self, _: &str, _: QueryKind) -> Resolving {
            Box::pin(async { failed(ResolveErrorKind::Timeout) })
        }
    }
    let lookups = Lookups::new(Arc::new(Protected));
    look_up(&lookups, 5).await;
    assert!(lookups.is_protected() && lookups.waits_for_https());
    assert!(!scripted([]).is_protected());
}
