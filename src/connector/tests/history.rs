//! What a broken path costs those who connect again and again.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::support::{World, addr};
use crate::history::History;

const SECOND: Duration = Duration::from_secs(1);

/// A name whose answers have to be asked for each time, with this AAAA first. IPv4 takes 12 + 20 + 30 ms.
fn dual_stack() -> World {
    World::new().aaaa(10, "6a").a(12, "4a").good("4a", 20, 30)
}

const BY_IPV4: Duration = Duration::from_millis(62);

/// Connects, and says to which family and how long it took.
async fn connect(world: World) -> (bool, Duration) {
    let start = Instant::now();
    let (socket, _) = world.connect().await.unwrap();
    (socket.addr.is_ipv6(), start.elapsed())
}

/// Proves: HIS-6
#[tokio::test(start_paused = true)]
async fn a_hundred_connects_over_a_silent_ipv6_pay_once() {
    let lost = |history: Option<History>| async move {
        let mut lost = Duration::ZERO;
        for _ in 0..100 {
            let mut world = dual_stack().silent("6a");
            world.history = history.clone();
            lost += connect(world).await.1 - BY_IPV4;
        }
        lost
    };
    assert_eq!(lost(Some(History::new())).await, Duration::from_millis(248));
    assert_eq!(lost(None).await, Duration::from_millis(24_800));
}

/// Ever more rarely: after one, two, four, eight and then each ten minutes.
///
/// Proves: HIS-4, HIS-6
#[tokio::test(start_paused = true)]
async fn a_path_that_stays_broken_is_tried_now_and_then() {
    let history = History::new();
    let world = dual_stack().silent("6a").with_history(&history);
    let start = Instant::now();
    let mut tried = Vec::new();
    while start.elapsed() < 40 * 60 * SECOND {
        let at = start.elapsed();
        if connect(world.clone()).await.1 > BY_IPV4 {
            tried.push(at.as_secs());
        }
        sleep(SECOND).await;
    }
    let rests: Vec<_> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let expected = [60, 120, 240, 480, 600, 600];
    assert!(rests.iter().zip(expected).all(|(rest, expected)| rest.abs_diff(expected) <= 3), "{rests:?}");
    assert_eq!(rests.len(), expected.len());
}

/// Proves: HIS-4, HIS-6
#[tokio::test(start_paused = true)]
async fn a_path_that_is_repaired_is_used_again_within_a_minute() {
    let history = History::new();
    connect(dual_stack().silent("6a").with_history(&history)).await;
    let verdict = Instant::now();
    let repaired = dual_stack().good("6a", 20, 30).with_history(&history);
    while !connect(repaired.clone()).await.0 {
        sleep(SECOND).await;
    }
    let after = verdict.elapsed();
    assert!((60 * SECOND..62 * SECOND).contains(&after), "{after:?}");
    assert!(connect(repaired).await.0, "and stays in use");
}

#[tokio::test(start_paused = true)]
async fn the_next_connect_over_a_slow_ipv6_pays_nothing() {
    let history = History::new();
    let world = || {
        let world = World::new().aaaa(10, "6a").a(12, "4a").good("6a", 400, 400).good("4a", 10, 10);
        world.with_history(&history)
    };
    assert_eq!(connect(world()).await, (false, Duration::from_millis(10 + 250 + 20)));
    assert_eq!(connect(world()).await, (false, Duration::from_millis(12 + 20)));
}

/// Whatever has been learned of a far host, it is given its time.
#[tokio::test(start_paused = true)]
async fn a_far_host_is_reached_each_time() {
    let history = History::new();
    for _ in 0..5 {
        let world = World::new().aaaa(10, "6a").a(10, "4a").good("6a", 600, 600).good("4a", 600, 600);
        let (_, took) = connect(world.with_history(&history)).await;
        assert_eq!(took, Duration::from_millis(10 + 600 + 600));
    }
}

/// Proves: HIS-4
#[tokio::test(start_paused = true)]
async fn of_many_connects_at_the_end_of_a_term_one_explores() {
    let history = History::new();
    connect(dual_stack().silent("6a").with_history(&history)).await;
    sleep(61 * SECOND).await;
    let took = join_all((0..50).map(|_| connect(dual_stack().silent("6a").with_history(&history)))).await;
    assert_eq!(took.iter().filter(|(_, took)| *took > BY_IPV4).count(), 1, "{took:?}");
}

/// Proves: HIS-6
#[tokio::test(start_paused = true)]
async fn a_connect_that_is_dropped_gives_the_exploration_back() {
    let history = History::new();
    let world = || dual_stack().silent("6a").with_history(&history);
    connect(world()).await;
    sleep(61 * SECOND).await;
    let dropped = timeout(Duration::from_millis(100), connect(world())).await;
    assert!(dropped.is_err(), "it explores");
    assert!(connect(world()).await.1 > BY_IPV4, "and so does the next");
    assert_eq!(connect(world()).await.1, BY_IPV4);
}

#[tokio::test(start_paused = true)]
async fn what_is_learned_of_an_address_is_told() {
    let history = History::new();
    connect(dual_stack().silent("6a").with_history(&history)).await;
    let mut paths = history.snapshot().paths;
    paths.sort_by_key(|path| path.destination.is_ipv6());
    let [four, six] = &paths[..] else { panic!("{paths:?}") };
    assert_eq!((four.destination, four.rtt), (addr("4a"), Some(Duration::from_millis(20))));
    assert_eq!((six.destination, six.unreachable_for), (addr("6a"), Some(60 * SECOND)));
    assert_eq!((four.unreachable_for, six.rtt), (None, None));
}
