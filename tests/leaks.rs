//! Whatever is dropped leaves nothing behind. One test, since the descriptors and tasks that it counts are the
//! process's.
#![cfg(target_os = "linux")]

mod host;
mod lab;
mod support;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::HappyEyeballsConnector;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::{sleep, timeout};

use host::{HTTPS, Host, V4, config, faulty};
use lab::{Behaviour, Reply, Site};
use support::connect;

/// Of each of six kinds, more than a thousand in all.
const CONNECTS: u64 = 200;
/// At once; the backlog of a listener has room for more.
const AT_ONCE: usize = 50;

/// A second, and some.
const LINGER: Duration = Duration::from_millis(1200);

/// What this process has.
struct Left {
    descriptors: usize,
    tasks: usize,
}

impl Left {
    fn now() -> Self {
        Self {
            // The one that lists them is among them each time.
            descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            tasks: Handle::current().metrics().num_alive_tasks(),
        }
    }

    /// Returns when there is no more than this: within 100 ms, and later only where the machine does not let this process
    /// run.
    async fn is_back(&self, what: &str) {
        let mut counts = String::new();
        for _ in 0..20 {
            let Self { descriptors, tasks } = Self::now();
            if descriptors <= self.descriptors && tasks <= self.tasks {
                return;
            }
            counts = format!("{descriptors} descriptors of {}, {tasks} tasks of {}", self.descriptors, self.tasks);
            sleep(Duration::from_millis(5)).await;
        }
        panic!("{what}: {counts}");
    }
}

/// Begins connects and drops each at another moment, up to `longest` after its begin. Returns how many got through.
async fn cancel_connects(connector: &HappyEyeballsConnector, uri: &str, longest: Duration) -> u64 {
    let runs = stream::iter(0..CONNECTS).map(|n| async move {
        // At each begins another stretch; the first is dropped after one poll.
        let after = longest * u32::try_from(n).unwrap() / u32::try_from(CONNECTS).unwrap();
        timeout(after, connect(connector, uri)).await.is_ok()
    });
    runs.buffer_unordered(AT_ONCE).map(u64::from).fold(0, |sum, n| async move { sum + n }).await
}

/// The lab has a runtime of its own, so that the tasks counted are the connector's.
fn lab() -> (Runtime, Host, Host) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let stalled = [(V4[0], Site::Silent), (V4[1], faulty(Behaviour::Stall))];
    let (bad, good) = runtime.block_on(async { (Host::open(stalled).await, Host::with(HTTPS).await) });
    (runtime, bad, good)
}

/// Proves: ATT-12
#[test]
fn cancelled_connects_leave_no_descriptor_and_no_task() {
    let (_runtime, bad, good) = lab();
    Builder::new_current_thread().enable_all().build().unwrap().block_on(cancel_at_every_stage(&bad, &good));
}

async fn cancel_at_every_stage(bad: &Host, good: &Host) {
    let connector = good
        .builder()
        .resolve("silent.test", [bad.addr(V4[0])])
        .resolve("stalled.test", [bad.addr(V4[1])])
        .build()
        .unwrap();
    let mut config = config();
    config.dns_linger(Duration::ZERO);
    let without_linger = good.configured(config);
    let racing = bad.connector();
    for kind in [RecordType::A, RecordType::AAAA] {
        good.dns.set("mute.test", kind, Reply::never());
    }
    // What one connect leaves: the client of DNS and the answers.
    for connector in [&connector, &without_linger] {
        drop(connect(connector, &good.uri("https")).await.unwrap());
    }
    assert!(timeout(Duration::from_millis(100), connect(&racing, &bad.uri("https"))).await.is_err());
    sleep(LINGER).await;
    let before = Left::now();

    let (good, race) = (good.uri("https"), bad.uri("https"));
    for (connector, uri, longest) in [
        (&connector, "https://silent.test/", 30),
        (&connector, "https://stalled.test/", 30),
        (&racing, &race, 600),
        (&without_linger, "https://mute.test/", 50),
        // Some of these are through before they are dropped, the others are at every stage of the handshake.
        (&connector, &good, 100),
    ] {
        let through = cancel_connects(connector, uri, Duration::from_millis(longest)).await;
        assert!(through == 0 || uri == good, "{uri}");
        before.is_back(uri).await;
    }

    assert_eq!(cancel_connects(&connector, "https://mute.test/", Duration::from_millis(50)).await, 0);
    assert!(Left::now().tasks > before.tasks, "the lookups linger");
    sleep(LINGER).await;
    before.is_back("lookups that lingered").await;
}
