//! Ten thousand connects at once. One test, since the descriptors and the memory that it measures are the process's.
#![cfg(target_os = "linux")]

mod host;
mod lab;
mod process;
mod support;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::poll;
use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::report::AttemptOutcome;
use hyper_happy_eyeballs::{HappyEyeballsConnector, Report};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::timeout;

use host::{HTTP, Host, V4, config};
use lab::{Reply, Site};
use process::{Left, memory, raise_descriptor_limit};
use support::connect;

/// Half of them to two silent addresses, half to a silent and a live one.
const CONNECTS: usize = 10_000;
/// So long that all of them have begun before the first goes on to its second address, which takes a debug build a second or
/// two, and some more on a loaded machine.
const DELAY: Duration = Duration::from_secs(12);
const TIMEOUT: Duration = Duration::from_secs(15);
/// How late a timer may be: it wakes thousands of connects in a debug build, beside whatever else the machine does.
const LATE: Duration = Duration::from_secs(3);
/// Of one connect, its task included, while its first attempt is in flight.
const MEMORY: usize = 5 * 1024;
const PROBES: usize = 101;

#[test]
#[ignore = "takes 17 s and 18,000 descriptors; `.ci/run` runs it"]
fn ten_thousand_connects_at_once() {
    // For each a socket, for the dead half a second one, and room for those that end.
    let limit = raise_descriptor_limit();
    let connects = CONNECTS.min(usize::try_from(limit).unwrap().saturating_sub(500) / 7 * 4);
    if connects < CONNECTS {
        let text = format!("SCALED DOWN: {connects} connects instead of {CONNECTS}, for {limit} descriptors\n");
        // Straight to the descriptor: what a passing test prints is thrown away.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    let (_lab, host) = lab();
    Builder::new_current_thread().enable_all().build().unwrap().block_on(connect_all(&host, connects));
}

/// A runtime of its own, so that the tasks measured are the connector's.
fn lab() -> (Runtime, Host) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let host = runtime.block_on(async {
        let host = Host::open([(V4[0], Site::Silent), (V4[1], Site::Silent), (V4[2], HTTP)]).await;
        for (name, addrs) in [("dead.test", &V4[..2]), ("half.test", &[V4[0], V4[2]]), ("live.test", &V4[2..])] {
            host.dns.set(name, RecordType::A, Reply::a(addrs.iter().copied().map(ipv4)));
            host.dns.set(name, RecordType::AAAA, Reply::aaaa([]));
        }
        host
    });
    (runtime, host)
}

fn ipv4(ip: IpAddr) -> Ipv4Addr {
    if let IpAddr::V4(ip) = ip { ip } else { panic!("{ip} is of the other family") }
}

async fn connect_all(host: &Host, connects: usize) {
    let uri = |name: &str| format!("http://{name}:{}/", host.sites.port());
    let [dead, half, live] = ["dead.test", "half.test", "live.test"].map(uri);
    let mut config = config();
    config.attempt_delay(DELAY).max_attempt_delay(DELAY).connect_timeout(Some(TIMEOUT));
    let connector = host.configured(config.clone());
    // Whoever wins would teach the others to leave the silent address alone.
    let mut forgetful = connector.clone();
    config.use_history(false);
    forgetful.set_config(config);

    // Their answers are in the cache from here on.
    for uri in [&dead, &half] {
        assert!(timeout(Duration::from_millis(500), connect(&connector, uri)).await.is_err());
    }
    let before = Left::now();
    let alone = latency(&connector, &live).await;
    let memory_before = memory();

    let begun = Arc::new(AtomicUsize::new(0));
    let tasks = (0..connects).map(|n| {
        let (connector, uri) =
            if n % 2 == 0 { (connector.clone(), dead.clone()) } else { (forgetful.clone(), half.clone()) };
        let begun = begun.clone();
        tokio::spawn(async move {
            let mut connecting = pin!(connect(&connector, &uri));
            // With its answers at hand the first poll gets as far as the SYN.
            let first = poll!(connecting.as_mut());
            begun.fetch_add(1, Ordering::Relaxed);
            let ended = if let Poll::Ready(early) = first { early } else { connecting.await };
            // Only what it did is of interest; the connection is closed.
            ended.map(|stream| stream.report().clone())
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let begin = Instant::now();
    while begun.load(Ordering::Relaxed) < connects {
        yield_now().await;
    }
    assert!(Left::now().descriptors >= connects, "each has its socket");
    let each = (memory() - memory_before) / connects;
    println!("{connects} connects began within {:?}, {each} bytes each", begin.elapsed());

    let beside = latency(&connector, &live).await;
    println!("a healthy connect took {alone:?} alone, {beside:?} beside them");

    let mut latest = Duration::ZERO;
    for (n, ended) in join_all(tasks).await.into_iter().enumerate() {
        let late = match ended.unwrap() {
            Ok(report) if n % 2 == 1 => after_the_delay(&report),
            Err(error) if n % 2 == 0 => {
                let report = error.report().unwrap();
                assert!(error.is_timeout(), "{error}");
                after_the_delay(report).max(report.elapsed() - TIMEOUT)
            }
            other => panic!("{other:?}"),
        };
        latest = latest.max(late);
    }
    println!("the latest timer was {latest:?} late");
    before.is_back("all have ended", Duration::from_secs(5)).await;

    assert!(each <= MEMORY, "{each} bytes");
    assert!(latest <= LATE);
    assert!(beside <= 5 * alone + Duration::from_millis(10), "{beside:?} beside them, {alone:?} alone");
}

/// The median.
async fn latency(connector: &HappyEyeballsConnector, uri: &str) -> Duration {
    let mut took = Vec::new();
    for _ in 0..PROBES {
        took.push(connect(connector, uri).await.unwrap().report().elapsed());
    }
    took.sort();
    took[PROBES / 2]
}

/// How much more than the attempt delay the silent first address has cost.
fn after_the_delay(report: &Report) -> Duration {
    let [first, second] = report.attempts() else { panic!("{report}") };
    assert!(matches!(first.outcome(), AttemptOutcome::Cancelled), "{report}");
    (second.start() - first.start()).checked_sub(DELAY).unwrap_or_else(|| panic!("{report}"))
}
