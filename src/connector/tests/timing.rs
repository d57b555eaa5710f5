//! Exact times of whole connects.

use std::time::Duration;

use tokio::time::{Instant, advance, sleep};

use super::support::{NEVER, Step, World, addr};
use crate::report::{AttemptOutcome, FailureKind};
use crate::resolve::ServiceRecord;

/// Connects and gives the winner and the milliseconds that it took.
async fn run(world: World) -> (String, u64) {
    let start = Instant::now();
    let (socket, report) = world.connect().await.unwrap();
    let took = start.elapsed();
    assert_eq!(report.elapsed(), took);
    assert_eq!(report.winner().unwrap().addr(), socket.addr);
    (socket.addr.to_string(), took.as_millis() as u64)
}

/// A healthy connect costs DNS, TCP and TLS, and opens one socket.
#[tokio::test(start_paused = true)]
async fn a_healthy_connect_opens_one_socket() {
    let world = World::new().aaaa(10, "6a").a(12, "4a").good("6a", 20, 30).good("4a", 1, 1);
    let log = world.log.clone();
    assert_eq!(run(world).await, (addr("6a").to_string(), 60));
    assert_eq!(log.lines(), ["10 syn 6a", "60 close 6a after hello"]);
}

/// IPv6 silent: exactly DNS + 250 ms + TCP + TLS.
///
/// Proves: ATT-1, ATT-10
#[tokio::test(start_paused = true)]
async fn a_silent_ipv6_costs_one_attempt_delay() {
    let world = World::new().aaaa(10, "6a").a(10, "4a").silent("6a").good("4a", 20, 30);
    let log = world.log.clone();
    assert_eq!(run(world).await, (addr("4a").to_string(), 10 + 250 + 20 + 30));
    assert_eq!(log.lines(), ["10 syn 6a", "260 syn 4a", "310 close 6a unused", "310 close 4a after hello"]);
}

/// Two silent addresses before a good one in one family.
///
/// Proves: ATT-1
#[tokio::test(start_paused = true)]
async fn two_silent_addresses_cost_two_attempt_delays() {
    let world = World::new().aaaa(5, "").a(5, "4a 4b 4c").silent("4a").silent("4b").good("4c", 20, 0);
    assert_eq!(run(world).await, (addr("4c").to_string(), 5 + 500 + 20));
}

/// A is never answered, and IPv6 is good.
///
/// Proves: DNS-6
#[tokio::test(start_paused = true)]
async fn a_lookup_that_hangs_does_not_hold_up_the_other_family() {
    let world = World::new().aaaa(10, "6a").a(NEVER, "").good("6a", 5, 5);
    assert_eq!(run(world).await, (addr("6a").to_string(), 20));
    let world = World::new().aaaa(NEVER, "").a(10, "4a").good("4a", 5, 5);
    assert_eq!(run(world).await, (addr("4a").to_string(), 10 + 50 + 10));
}

/// AAAA comes within the Resolution Delay of A: IPv6 goes first, without waiting any longer.
///
/// Proves: TRG-5
#[tokio::test(start_paused = true)]
async fn the_preferred_family_has_the_resolution_delay() {
    let world = World::new().aaaa(40, "6a").a(10, "4a").good("6a", 5, 5).good("4a", 5, 5);
    assert_eq!(run(world).await, (addr("6a").to_string(), 50));
    let world = World::new().aaaa(61, "6a").a(10, "4a").good("6a", 5, 5).good("4a", 5, 5);
    assert_eq!(run(world).await, (addr("4a").to_string(), 70));
}

/// Whatever makes what is known enough, the SYN leaves in the same instant: the last of the three answers that are
/// waited for, hints of both families, or the end of the Resolution Delay.
///
/// Proves: TRG-1, TRG-2, TRG-6
#[tokio::test(start_paused = true)]
async fn no_time_passes_between_a_sufficient_answer_and_the_syn() {
    let hinted = ServiceRecord::new(1, ".").with_hints([addr("6b").ip(), addr("4b").ip()]);
    let bare = ServiceRecord::new(1, ".");
    for (https, aaaa, record, syn) in [
        (30, 10, bare.clone(), "30 syn 6a"),
        (10, 30, bare.clone(), "30 syn 6a"),
        (30, 500, hinted, "30 syn 6b"),
        (500, 10, bare, "60 syn 6a"),
    ] {
        let world = World::new().https(https, record).aaaa(aaaa, "6a").a(600, "4a").good("6a", 5, 5).good("6b", 5, 5);
        let log = world.log.clone();
        world.connect().await.unwrap();
        assert_eq!(log.lines()[0], syn);
    }
}

/// IPv6 takes TCP and never answers TLS: with 20 ms of RTT the next start is at 20 + 100 ms at the earliest, so the
/// regular 250 ms stand. With 150 ms TLS has until 150 + 2 * 150 + 50.
///
/// Proves: TLS-2, TLS-3
#[tokio::test(start_paused = true)]
async fn a_stalled_handshake_is_raced() {
    for (rtt, next) in [(20, 250), (150, 500)] {
        let stalled = ((rtt, Step::Ok), (NEVER, Step::Ok));
        let world = World::new().aaaa(0, "6a").a(0, "4a").path("6a", stalled.0, stalled.1).good("4a", 20, 20);
        let log = world.log.clone();
        assert_eq!(run(world).await, (addr("4a").to_string(), next + 40));
        assert_eq!(log.lines()[..2], ["0 syn 6a".to_owned(), format!("{next} syn 4a")]);
    }
}

/// A certificate that is not good lets the race go on at once.
///
/// Proves: TLS-4, TLS-5
#[tokio::test(start_paused = true)]
async fn a_wrong_certificate_is_not_the_end() {
    for kind in [FailureKind::Certificate, FailureKind::Tls, FailureKind::Closed] {
        let world = World::new().aaaa(0, "6a").a(0, "4a").path("6a", (20, Step::Ok), (20, Step::Fail(kind)));
        assert_eq!(run(world.good("4a", 20, 20)).await, (addr("4a").to_string(), 80));
    }
}

/// The 250 ms never end an attempt: a path of 600 ms connects.
///
/// Proves: ATT-9
#[tokio::test(start_paused = true)]
async fn a_slow_path_connects() {
    let world = World::new().aaaa(0, "6a").a(0, "4a").good("6a", 600, 600).silent("4a");
    assert_eq!(run(world).await, (addr("6a").to_string(), 1200));
}

/// Both families finish in the same instant: one is handed out, the other is closed without a byte.
///
/// Proves: ATT-11
#[tokio::test(start_paused = true)]
async fn of_two_winners_one_is_closed_unused() {
    let world = World::new().aaaa(0, "6a").a(0, "4a").good("6a", 300, 0).good("4a", 50, 0).plain();
    let log = world.log.clone();
    let (socket, report) = world.connect().await.unwrap();
    assert_eq!(log.open_sockets(), 1);
    let winner = &socket.addr;
    let loser = if *winner == addr("6a") { "4a" } else { "6a" };
    assert!(log.lines().contains(&format!("300 close {loser} unused")), "{:?}", log.lines());
    let outcomes = report.attempts().iter().map(|attempt| attempt.outcome());
    assert_eq!(outcomes.filter(|outcome| matches!(outcome, AttemptOutcome::Cancelled)).count(), 1);
}

/// Everything is silent: the connect timeout ends it to the millisecond, whatever the number of addresses.
///
/// Proves: ATT-15
#[tokio::test(start_paused = true)]
async fn the_connect_timeout_covers_everything() {
    let mut world = World::new().aaaa(10, "6a 6b").a(10, "4a").silent("6a").silent("6b").silent("4a");
    world.config.connect_timeout(Some(Duration::from_secs(2)));
    let log = world.log.clone();
    let start = Instant::now();
    let error = world.connect().await.err().unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.report().unwrap().attempts().len(), 3);
    assert_eq!(log.open_sockets(), 0);
}

/// The report has the times of every stage.
#[tokio::test(start_paused = true)]
async fn the_report_has_every_time() {
    let world = World::new().aaaa(10, "6a").a(12, "4a").silent("6a").good("4a", 20, 30);
    let (_socket, report) = world.connect().await.unwrap();
    let ms = |time: Option<Duration>| time.unwrap().as_millis();
    let [aaaa, a] = report.queries() else { panic!("{report:?}") };
    assert_eq!((ms(aaaa.end()), ms(a.end())), (10, 12));
    let [first, second] = report.attempts() else { panic!("{report:?}") };
    assert_eq!((first.start().as_millis(), first.tcp(), ms(first.end())), (10, None, 310));
    assert_eq!((second.start().as_millis(), ms(second.tcp()), ms(second.end())), (260, 280, 310));
}

/// The runtime stood still from 5 to 405 ms, and TCP was up at 100: nothing starts that this makes needless.
#[tokio::test(start_paused = true)]
async fn a_runtime_that_stood_still_starts_nothing_needless() {
    let world = World::new().aaaa(0, "6a").a(0, "4a").good("6a", 100, 30).good("4a", 20, 30);
    let log = world.log.clone();
    let (result, ()) = tokio::join!(world.connect(), stand_still());
    assert_eq!(result.unwrap().0.addr, addr("6a"));
    assert_eq!(log.lines(), ["0 syn 6a", "435 close 6a after hello"]);
}

/// The connection was up before the connect timeout ran out, though nobody looked.
#[tokio::test(start_paused = true)]
async fn a_runtime_that_stood_still_is_no_connect_timeout() {
    let mut world = World::new().aaaa(0, "6a").a(0, "4a").good("6a", 100, 0).good("4a", 20, 0).plain();
    world.config.connect_timeout(Some(Duration::from_millis(200)));
    let (result, ()) = tokio::join!(world.connect(), stand_still());
    result.unwrap();
}

async fn stand_still() {
    sleep(Duration::from_millis(5)).await;
    advance(Duration::from_millis(400)).await;
}
