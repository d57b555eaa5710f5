//! Each scenario again, with the future dropped at every point where it waits.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;

use super::support::{NEVER, Reply, Step, World};
use crate::report::FailureKind;
use crate::resolve::{Lookups, QueryKind};

fn scenarios() -> Vec<World> {
    vec![
        World::new().aaaa(10, "6a").a(12, "4a").good("6a", 20, 30).good("4a", 1, 1),
        World::new().aaaa(10, "6a").a(10, "4a").silent("6a").good("4a", 20, 30),
        World::new().aaaa(NEVER, "").a(10, "4a 4b").silent("4a").good("4b", 5, 5),
        World::new().aaaa(0, "6a").a(0, "4a").path("6a", (20, Step::Ok), (NEVER, Step::Ok)).good("4a", 20, 20),
        World::new()
            .aaaa(0, "6a 6b")
            .a(700, "4a")
            .path("6a", (5, Step::Fail(FailureKind::Refused)), (0, Step::Ok))
            .path("6b", (5, Step::Ok), (5, Step::Fail(FailureKind::Tls)))
            .good("4a", 20, 0),
        // Two winners at once.
        World::new().aaaa(0, "6a").a(0, "4a").good("6a", 300, 0).good("4a", 50, 0),
        // The connect timeout.
        World::new().aaaa(10, "6a 6b").a(10, "4a").silent("6a").silent("6b").silent("4a"),
        // A late answer joins, and a slow path wins.
        World::new().aaaa(400, "6a").a(0, "4a").good("6a", 600, 600).silent("4a"),
        World::new().reply(QueryKind::Aaaa, 3, Reply::Panic).a(9, "4a").good("4a", 2, 2).plain(),
    ]
}

/// Polls the connect until it has waited `waits` times, then drops it; true if it was not over by then.
async fn drop_after(world: World, lookups: &Lookups, waits: usize) -> bool {
    let mut connect = pin!(world.connect_through(lookups));
    let mut left = waits;
    poll_fn(|cx| match connect.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(false),
        Poll::Pending if left == 0 => Poll::Ready(true),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Proves: ATT-12
#[tokio::test(start_paused = true)]
async fn dropping_the_connect_at_any_point_closes_every_socket_and_ends_every_task() {
    let bounded = scenarios().into_iter().map(|world| world.bounded(1));
    for (number, world) in scenarios().into_iter().chain(bounded).enumerate() {
        let mut waits = 0;
        loop {
            let lookups = Lookups::new(Arc::new(world.clone()));
            let dropped = drop_after(world.clone(), &lookups, waits).await;
            assert_eq!(world.log.open_sockets(), 0, "scenario {number}, dropped after {waits} waits");
            let permits = world.bound.as_ref().map_or(1, |bound| bound.available_permits());
            assert_eq!(permits, 1, "scenario {number}, dropped after {waits} waits");
            sleep(Duration::from_millis(1100)).await;
            assert_eq!(Handle::current().metrics().num_alive_tasks(), 0, "scenario {number}, {waits} waits");
            if !dropped {
                break;
            }
            waits += 1;
        }
        assert!(waits >= 3, "scenario {number} hardly waited");
    }
}
