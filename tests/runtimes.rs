//! One connector in a static, used from several runtimes: what becomes of one is nothing to the others.

mod host;
mod lab;
mod support;

use std::net::Ipv4Addr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::HappyEyeballsConnector;
use hyper_happy_eyeballs::report::AttemptOutcome;
use tokio::runtime::{Builder, Runtime};

use host::{HTTPS, Host, V4};
use lab::{Reply, Site};
use support::connect;

/// How long an answer takes that a runtime is to be lost in; below the 333 ms after which hickory would ask again.
const SLOW: Duration = Duration::from_millis(250);
/// Some way into it.
const MIDDLE: Duration = Duration::from_millis(80);

/// The lab has a runtime of its own, which outlives every other.
struct Lab {
    host: Host,
    runtime: Runtime,
}

static LAB: LazyLock<Lab> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let host = runtime.block_on(Host::open([(V4[0], HTTPS), (V4[1], Site::Silent)]));
    Lab { host, runtime }
});

static CONNECTOR: LazyLock<HappyEyeballsConnector> = LazyLock::new(|| LAB.host.connector());

/// A name of this test's own for the site at `last_octet`, whose answers take as long as given.
fn uri(name: &str, last_octet: u8, delay: Duration) -> String {
    let Lab { host, runtime } = &*LAB;
    let _guard = runtime.enter();
    let a = Reply::a([Ipv4Addr::new(127, 0, 0, last_octet)]);
    host.dns.set(name, RecordType::A, a.after(delay));
    host.dns.set(name, RecordType::AAAA, Reply::no_data().after(delay));
    // The certificate is for one name, so only TCP can have others.
    format!("http://{name}:{}/", host.sites.port())
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Connects in `runtime`, which has to take less than a lookup that hangs would.
fn connects(runtime: &Runtime, uri: &str) {
    let start = Instant::now();
    // In a task, so that a runtime with workers uses them.
    let uri = uri.to_owned();
    let stream = runtime.block_on(runtime.spawn(async move { connect(&CONNECTOR, &uri).await })).unwrap();
    assert!(start.elapsed() < Duration::from_secs(4), "{}", stream.as_ref().unwrap().report());
    stream.unwrap();
}

/// Begins a connect in `runtime` and leaves off in the middle.
fn begins(runtime: &Runtime, uri: &str) {
    runtime.block_on(async {
        let begun = tokio::time::timeout(MIDDLE, connect(&CONNECTOR, uri)).await;
        assert!(begun.is_err(), "it was to be in the middle");
    });
}

/// Begins a connect in a task of `runtime`, so that it is still under way afterwards.
fn leaves_under_way(runtime: &Runtime, uri: &str) -> tokio::task::JoinHandle<bool> {
    let uri = uri.to_owned();
    let task = runtime.spawn(async move { connect(&CONNECTOR, &uri).await.is_ok() });
    runtime.block_on(async { tokio::time::sleep(MIDDLE).await });
    assert!(!task.is_finished(), "it was to be in the middle");
    task
}

#[test]
fn a_runtime_that_is_dropped_in_the_middle_of_a_lookup_takes_nothing_along() {
    let cases = [("drop-current.test", current_thread as fn() -> Runtime), ("drop-multi.test", multi_thread)];
    for (name, runtime) in cases {
        let uri = uri(name, 8, SLOW);
        let dropped = runtime();
        begins(&dropped, &uri);
        leaves_under_way(&dropped, &uri);
        drop(dropped);
        connects(&current_thread(), &uri);
        connects(&multi_thread(), &uri);
    }
}

#[test]
fn a_runtime_that_is_dropped_while_another_waits_for_the_same_name_takes_nothing_along() {
    let uri = uri("drop-both.test", 8, SLOW);
    let dropped = current_thread();
    let other = multi_thread();
    leaves_under_way(&dropped, &uri);
    let waiting = {
        let uri = uri.clone();
        other.spawn(async move { connect(&CONNECTOR, &uri).await.is_ok() })
    };
    drop(dropped);
    assert!(other.block_on(waiting).unwrap());
}

#[test]
fn a_runtime_that_is_dropped_in_the_middle_of_a_race_takes_nothing_along() {
    let silent = uri("drop-race.test", 9, Duration::ZERO);
    let good = uri("after-race.test", 8, Duration::ZERO);
    let dropped = multi_thread();
    leaves_under_way(&dropped, &silent);
    drop(dropped);
    connects(&current_thread(), &good);
}

#[test]
fn a_runtime_that_stands_still_holds_up_no_other() {
    let uri = uri("parked.test", 8, SLOW);
    // It owns a client of DNS and lookups in flight, and nobody drives it.
    let parked = current_thread();
    let waiting = leaves_under_way(&parked, &uri);
    connects(&current_thread(), &uri);
    connects(&multi_thread(), &uri);
    // It goes on where it stood.
    assert!(parked.block_on(waiting).unwrap());
    connects(&parked, &uri);
}

#[test]
fn a_runtime_that_stands_still_with_an_idle_client_holds_up_no_other() {
    let [first, second] = ["idle-first.test", "idle-second.test"].map(|name| uri(name, 8, Duration::ZERO));
    let parked = current_thread();
    connects(&parked, &first);
    connects(&multi_thread(), &second);
    connects(&current_thread(), &first);
}

#[test]
fn runtimes_share_what_is_known() {
    let uri = uri("shared.test", 8, Duration::ZERO);
    connects(&current_thread(), &uri);
    connects(&multi_thread(), &uri);
    connects(&current_thread(), &uri);
    let dns = &LAB.host.dns;
    assert_eq!((dns.asked("shared.test", RecordType::A), dns.asked("shared.test", RecordType::AAAA)), (1, 1));
}

#[test]
fn many_runtimes_at_once_connect_with_tls() {
    let uri = LAB.host.uri("https");
    std::thread::scope(|scope| {
        for runtime in [current_thread as fn() -> Runtime, multi_thread, current_thread, multi_thread] {
            let uri = &uri;
            scope.spawn(move || {
                runtime().block_on(async {
                    let many = join_all((0..10).map(|_| connect(&CONNECTOR, uri)));
                    let (streams, literal) =
                        join(many, connect(&CONNECTOR, &format!("http://{}/", LAB.host.addr(V4[0])))).await;
                    literal.unwrap();
                    for stream in streams {
                        let report = stream.unwrap().report().clone();
                        let winner = report.winner().unwrap();
                        assert!(matches!(winner.outcome(), AttemptOutcome::Won));
                        assert_eq!(winner.addr(), LAB.host.addr(V4[0]));
                    }
                });
            });
        }
    });
}
