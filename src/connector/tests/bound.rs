//! A bound on the attempts of all connects together.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake};
use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::time::{Instant, sleep, timeout};

use super::support::{Log, Step, World, addr};
use crate::report::FailureKind;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// IPv6 that answers; TCP and TLS take 20 + 30 ms.
fn good() -> World {
    World::new().aaaa(0, "6a").a(0, "").good("6a", 20, 30)
}

/// One past the bound waits until an attempt has ended, TLS included; the connections that were handed out are alive.
#[tokio::test(start_paused = true)]
async fn one_past_the_bound_waits() {
    for (bound, connects, last) in [(3, 3, 0), (3, 4, 50), (1, 4, 150)] {
        let world = good().bounded(bound);
        let ended = join_all((0..connects).map(|_| world.clone().connect())).await;
        let starts = ended.iter().map(|result| result.as_ref().unwrap().1.attempts()[0].start());
        assert_eq!(starts.max(), Some(ms(last)), "{connects} connects of {bound} attempts");
        assert_eq!(world.log.open_sockets(), connects);
        assert_eq!(world.bound.unwrap().available_permits(), bound);
    }
}

/// Whether it fails or is dropped, whoever waits next goes on in the same instant.
#[tokio::test(start_paused = true)]
async fn a_permit_is_given_back_when_an_attempt_ends() {
    let refused = good().path("6a", (70, Step::Fail(FailureKind::Refused)), (0, Step::Ok));
    for first in [refused, good().silent("6a")] {
        let first = first.bounded(1);
        let mut second = good();
        second.bound = first.bound.clone();
        let start = Instant::now();
        let (first, second) = join(timeout(ms(70), first.connect()), second.connect()).await;
        assert!(!matches!(first, Ok(Ok(_))));
        let (_socket, report) = second.unwrap();
        assert_eq!(report.attempts()[0].start(), ms(70));
        assert_eq!(start.elapsed(), ms(120));
    }
}

/// Who is dropped while it waits does not hold up those behind it.
#[tokio::test(start_paused = true)]
async fn a_connect_that_is_dropped_while_it_waits_leaves_the_queue() {
    let world = good().silent("6a").bounded(1);
    let mut last = good();
    last.bound = world.bound.clone();
    let (holder, waiter) = (timeout(ms(80), world.clone().connect()), timeout(ms(40), world.connect()));
    let ((holder, waiter), last) = join(join(holder, waiter), last.connect()).await;
    assert!(holder.is_err() && waiter.is_err());
    assert_eq!(last.unwrap().1.attempts()[0].start(), ms(80));
}

/// Of a connect that has many addresses and one that has one, each gets its turn: the queue is in order.
#[tokio::test(start_paused = true)]
async fn who_waits_first_goes_first() {
    let refused = (60, Step::Fail(FailureKind::Refused));
    let mut many = World::new().aaaa(0, "6b 6c").a(0, "4b").bounded(1);
    for name in ["6b", "6c", "4b"] {
        many = many.path(name, refused, (0, Step::Ok));
    }
    let mut one = good();
    one.bound = many.bound.clone();
    let log = many.log.clone();
    let (failed, won) = join(many.connect(), one.connect()).await;
    assert_eq!(won.unwrap().1.attempts()[0].start(), ms(60));
    assert!(failed.is_err());
    assert_eq!(log.lines()[..3], ["0 syn 6b", "60 close 6b unused", "110 syn 4b"]);
}

/// Connects that hold all permits for addresses that are silent do not wait for each other: each goes on to its next
/// address once the first has had the maximum delay.
#[tokio::test(start_paused = true)]
async fn silent_addresses_hold_no_connect_up_for_ever() {
    let world = World::new().aaaa(0, "6a").a(0, "4a").silent("6a").good("4a", 20, 30).bounded(5);
    let start = Instant::now();
    for result in join_all((0..5).map(|_| world.clone().connect())).await {
        assert_eq!(result.unwrap().0.addr, addr("4a"));
    }
    assert_eq!(start.elapsed(), ms(2000 + 20 + 30));
    assert_eq!(world.bound.unwrap().available_permits(), 5);
}

/// While it waits a connect hears its answers, and its time runs out.
#[tokio::test(start_paused = true)]
async fn a_connect_that_waits_hears_answers_and_its_timeout() {
    let holder = good().silent("6a").bounded(1);
    let mut listens = World::new().aaaa(90, "6a").a(0, "4a").good("6a", 20, 30);
    listens.bound = holder.bound.clone();
    let mut impatient = good();
    impatient.bound = holder.bound.clone();
    impatient.config.connect_timeout(Some(ms(75)));
    let (holder, (listens, impatient)) =
        join(timeout(ms(100), holder.connect()), join(listens.connect(), impatient.connect())).await;
    assert!(holder.is_err());
    let (socket, report) = listens.unwrap();
    assert_eq!((socket.addr, report.attempts()[0].start()), (addr("6a"), ms(100)));
    let error = impatient.err().unwrap();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(error.report().unwrap().elapsed(), ms(75));
}

/// While there are permits nothing gives way, however late the next address comes.
#[tokio::test(start_paused = true)]
async fn nothing_gives_way_while_there_are_permits() {
    let world = World::new().a(0, "4a").aaaa(3000, "6a").good("4a", 3100, 30).silent("6a").bounded(2);
    let (socket, report) = world.connect().await.unwrap();
    assert_eq!((socket.addr, report.attempts().len()), (addr("4a"), 2), "{report}");
}

/// Who waits goes on when the socket is closed, not before.
#[tokio::test(start_paused = true)]
async fn a_permit_is_given_back_once_the_socket_is_closed() {
    struct OpenWhenWoken(Log, Mutex<Vec<usize>>);
    impl Wake for OpenWhenWoken {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0.open_sockets());
        }
    }
    let world = good().silent("6a").bounded(1);
    let woken = Arc::new(OpenWhenWoken(world.log.clone(), Mutex::default()));
    let mut holder = Box::pin(world.clone().connect());
    assert!(timeout(ms(10), &mut holder).await.is_err());
    let mut waiter = pin!(world.connect());
    assert!(waiter.as_mut().poll(&mut Context::from_waker(&woken.clone().into())).is_pending());
    woken.1.lock().unwrap().clear();
    drop(holder);
    assert_eq!(*woken.1.lock().unwrap(), [0]);
}

/// Whatever becomes of connects, no more attempts are in flight than the bound says, and none of its permits is lost.
#[tokio::test(start_paused = true)]
async fn the_bound_holds_for_connects_of_all_kinds() {
    for bound in [1, 3, 10] {
        let shared = World::new().bounded(bound);
        let connects = (0..200u64).map(|n| {
            let mut world = World::new().a(n * 7 % 400, "4a 4b").aaaa(n * 13 % 3000, "6a 6b");
            for (index, name) in (0u64..).zip(["6a", "6b", "4a", "4b"]) {
                let time = (n + 1) * (index + 3) * 37 % 900;
                let refused = Step::Fail(FailureKind::Refused);
                world = match (n + index) % 5 {
                    0 => world.silent(name),
                    1 => world.path(name, (time, refused), (0, Step::Ok)),
                    2 => world.path(name, (time, Step::Ok), (time, refused)),
                    3 => world.path(name, (time, Step::Ok), (5 * time, Step::Ok)),
                    _ => world.path(name, (3 * time, Step::Ok), (time, Step::Ok)),
                };
            }
            world
                .config
                .attempt_timeout(n.is_multiple_of(3).then(|| ms(300 + n)))
                .connect_timeout(Some(ms(50 * (n + 1))));
            (world.bound, world.log) = (shared.bound.clone(), shared.log.clone());
            async move {
                sleep(ms(n * 29 % 2000)).await;
                // Some are dropped, and what is handed out goes at once.
                _ = timeout(ms(n * 101 % 5000), world.connect()).await;
            }
        });
        join_all(connects).await;
        let (mut open, mut most) = (0, 0);
        for line in shared.log.lines() {
            if line.contains("syn") {
                open += 1;
                most = usize::max(most, open);
            } else {
                open -= 1;
            }
        }
        assert_eq!((open, most), (0, bound));
        assert_eq!(shared.bound.unwrap().available_permits(), bound);
    }
}
