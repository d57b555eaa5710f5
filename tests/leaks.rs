//! Whatever is dropped leaves nothing behind. The tests take turns, since what they count is the process's.
#![cfg(target_os = "linux")]

mod host;
mod lab;
mod process;
mod support;

use std::alloc::System;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::HappyEyeballsConnector;
use hyper_happy_eyeballs::resolve::HickoryResolver;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use host::{HTTPS, Host, V4, config, faulty};
use lab::{Behaviour, Reply, Server, Site};
use process::{Left, raise_descriptor_limit};
use support::connect;

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

static TURN: Mutex<()> = Mutex::new(());

/// A second, and some.
const LINGER: Duration = Duration::from_millis(1200);

/// How many connects are dropped.
#[derive(Clone, Copy)]
struct Scale {
    /// Of each of five kinds.
    connects: u64,
    /// Of those whose lookups linger, all at once.
    lingering: u64,
    /// The backlog of a listener has room for more.
    at_once: usize,
    /// How soon their tasks have to be gone.
    within: Duration,
}

/// More than a thousand.
const SMALL: Scale = Scale { connects: 200, lingering: 200, at_once: 50, within: Duration::from_millis(100) };
/// More than a hundred thousand. There is as much to close as a loaded machine takes seconds for.
const LARGE: Scale = Scale { connects: 20_000, lingering: 2000, at_once: 800, within: Duration::from_secs(5) };
/// How many bytes of the heap there may be more after those, 40 for each: lists keep the room of what there was at once, the
/// lab's too.
const HEAP: isize = 4 * 1024 * 1024;

/// Proves: ATT-12
#[test]
fn cancelled_connects_leave_no_descriptor_and_no_task() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (_lab, bad, good) = lab();
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        Connects::new(&bad, &good, SMALL.connects).await.cancel(SMALL).await;
    });
}

#[test]
#[ignore = "takes 40 s; `.ci/run` runs it"]
fn a_hundred_thousand_cancelled_connects_leave_no_descriptor_no_task_and_no_memory() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    raise_descriptor_limit();
    let (lab, bad, good) = lab();
    lab.spawn(forget(bad.clone(), good.clone()));
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let connects = Connects::new(&bad, &good, LARGE.connects).await;
        // Caches fill, and lists grow to what there is at once.
        connects.cancel(Scale { connects: 4000, ..LARGE }).await;
        let (heap, start) = (Region::new(GLOBAL), Instant::now());
        connects.cancel(LARGE).await;
        let Stats { bytes_allocated, bytes_deallocated, .. } = heap.change();
        let left = bytes_allocated as isize - bytes_deallocated as isize;
        println!("{} connects in {:?} left {left} bytes", 5 * LARGE.connects, start.elapsed());
        assert!(left <= HEAP, "{left} bytes are left");
    });
}

/// The lab has a runtime of its own, so that the tasks counted are the connector's.
fn lab() -> (Runtime, Arc<Host>, Arc<Host>) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let stalled = [(V4[0], Site::Silent), (V4[1], faulty(Behaviour::Stall))];
    let (bad, good) = runtime.block_on(async { (Host::open(stalled).await, Host::with(HTTPS).await) });
    (runtime, Arc::new(bad), Arc::new(good))
}

/// Keeps the memory of the lab from growing.
async fn forget(bad: Arc<Host>, good: Arc<Host>) {
    loop {
        for host in [&bad, &good] {
            host.sites.servers().iter().for_each(Server::forget);
            host.dns.clear_log();
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// To hosts that say nothing at one stage or another, and to a good one.
struct Connects {
    connector: HappyEyeballsConnector,
    without_linger: HappyEyeballsConnector,
    racing: HappyEyeballsConnector,
    good: String,
    race: String,
    before: Left,
}

impl Connects {
    async fn new(bad: &Host, good: &Host, connects: u64) -> Self {
        // After a third of this a name server is asked without EDNS(0), by a task that stays; lookups linger for less.
        let mut resolver = HickoryResolver::with_name_servers([good.dns.addr()]);
        resolver.set_timeout(Duration::from_secs(30));
        let connector = good
            .builder()
            .resolver(resolver)
            .resolve("silent.test", [bad.addr(V4[0])])
            .resolve("stalled.test", [bad.addr(V4[1])])
            .build()
            .unwrap();
        let mut config = config();
        config.dns_linger(Duration::ZERO);
        let without_linger = good.configured(config);
        let racing = bad.connector();
        for kind in [RecordType::A, RecordType::AAAA] {
            // One for each: a lookup that others always wait for would end by itself.
            (0..connects).for_each(|n| good.dns.set(&format!("mute-{n}.test"), kind, Reply::never()));
        }
        let (good, race) = (good.uri("https"), bad.uri("https"));
        // What one connect leaves: the client of DNS and the answers.
        for connector in [&connector, &without_linger] {
            drop(connect(connector, &good).await.unwrap());
        }
        assert!(timeout(Duration::from_millis(100), connect(&racing, &race)).await.is_err());
        sleep(LINGER).await;
        Self { connector, without_linger, racing, good, race, before: Left::now() }
    }

    async fn cancel(&self, scale: Scale) {
        for (connector, uri, longest) in [
            (&self.connector, "https://silent.test/", 30),
            (&self.connector, "https://stalled.test/", 30),
            (&self.racing, &self.race, 600),
            (&self.without_linger, "https://mute-{n}.test/", 50),
            // Some of these are through before they are dropped, the others are at every stage of the handshake.
            (&self.connector, &self.good, 100),
        ] {
            let through = scale.cancel(scale.connects, connector, uri, Duration::from_millis(longest)).await;
            assert!(through == 0 || uri == self.good, "{uri}");
            self.before.is_back(uri, scale.within).await;
        }

        let longest = Duration::from_millis(50);
        assert_eq!(scale.cancel(scale.lingering, &self.connector, "https://mute-{n}.test/", longest).await, 0);
        assert!(Left::now().tasks > self.before.tasks, "the lookups linger");
        sleep(LINGER).await;
        self.before.is_back("lookups that lingered", scale.within).await;
    }
}

impl Scale {
    /// Begins connects and drops each at another moment, up to `longest` after its begin. Returns how many got through.
    async fn cancel(self, count: u64, connector: &HappyEyeballsConnector, uri: &str, longest: Duration) -> u64 {
        let runs = stream::iter(0..count).map(|n| async move {
            // Multiples of the golden ratio lie everywhere between two whole numbers, whichever are taken together. The
            // first is dropped after one poll.
            let after = longest.mul_f64((n as f64 * 1.618_033_988_749_895).fract());
            let uri = uri.replace("{n}", &n.to_string());
            timeout(after, connect(connector, &uri)).await.is_ok()
        });
        runs.buffer_unordered(self.at_once).map(u64::from).fold(0, |sum, n| async move { sum + n }).await
    }
}
