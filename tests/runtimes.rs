//! One connector in a static, used from several runtimes: what becomes of one is nothing to the others.

mod host;
mod lab;
mod support;

use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use futures_util::future::{FutureExt, join, join_all};
use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::HappyEyeballsConnector;
use hyper_happy_eyeballs::report::AttemptOutcome;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use host::{HTTPS, Host, V4, faulty};
use lab::{Behaviour, Reply};
use support::connect;

/// The lab has a runtime of its own, which outlives every other.
struct Lab {
    host: Host,
    _runtime: Runtime,
}

static LAB: LazyLock<Lab> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let host = runtime.block_on(Host::open([(V4[0], HTTPS), (V4[1], faulty(Behaviour::Stall))]));
    Lab { host, _runtime: runtime }
});

static CONNECTOR: LazyLock<HappyEyeballsConnector> = LazyLock::new(|| LAB.host.connector());

/// A name of a test's own.
fn uri(name: &str) -> String {
    // The certificate is for one name, so only TCP can have others.
    format!("http://{name}:{}/", LAB.host.sites.port())
}

/// From now on `name` is that of the site at `last_octet`.
fn answer(name: &str, last_octet: u8) {
    LAB.host.dns.set(name, RecordType::A, Reply::a([Ipv4Addr::new(127, 0, 0, last_octet)]));
    LAB.host.dns.set(name, RecordType::AAAA, Reply::no_data());
}

/// A name of the good site.
fn answered(name: &str) -> String {
    answer(name, 8);
    uri(name)
}

/// Nobody gets an answer about `name` until there is one.
fn hold_back(name: &str) {
    for kind in [RecordType::A, RecordType::AAAA] {
        LAB.host.dns.set(name, kind, Reply::never());
    }
}

/// Returns in the middle of the first lookup of `name`.
async fn asked(name: &str) {
    LAB.host.dns.until_asked(name, RecordType::A, 1).await;
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

/// Begins a connect in `runtime` and leaves off in the `middle`.
fn begins(runtime: &Runtime, uri: &str, middle: impl Future<Output = ()>) {
    runtime.block_on(async {
        tokio::select! {
            _ = connect(&CONNECTOR, uri) => panic!("it was to be in the middle"),
            () = middle => {}
        }
    });
}

/// Begins a connect in a task of `runtime`, so that it is still under way afterwards.
fn leaves_under_way(runtime: &Runtime, uri: &str, middle: impl Future<Output = ()>) -> JoinHandle<bool> {
    let uri = uri.to_owned();
    let (begin, begun) = oneshot::channel();
    let mut task = runtime.spawn(async move {
        let mut connecting = pin!(connect(&CONNECTOR, &uri));
        assert!(connecting.as_mut().now_or_never().is_none(), "it was to take a while");
        begin.send(()).unwrap();
        connecting.await.is_ok()
    });
    runtime.block_on(async {
        begun.await.unwrap();
        tokio::select! {
            ended = &mut task => panic!("it was to be in the middle: {ended:?}"),
            () = middle => {}
        }
    });
    task
}

#[test]
fn a_runtime_that_is_dropped_in_the_middle_of_a_lookup_takes_nothing_along() {
    let cases = [("drop-current.test", current_thread as fn() -> Runtime), ("drop-multi.test", multi_thread)];
    for (name, runtime) in cases {
        let uri = uri(name);
        hold_back(name);
        let dropped = runtime();
        begins(&dropped, &uri, asked(name));
        leaves_under_way(&dropped, &uri, asked(name));
        drop(dropped);
        answer(name, 8);
        connects(&current_thread(), &uri);
        connects(&multi_thread(), &uri);
    }
}

#[test]
fn a_runtime_that_is_dropped_while_another_waits_for_the_same_name_takes_nothing_along() {
    let name = "drop-both.test";
    let uri = uri(name);
    hold_back(name);
    let dropped = current_thread();
    let other = multi_thread();
    leaves_under_way(&dropped, &uri, asked(name));
    let waiting = leaves_under_way(&other, &uri, asked(name));
    drop(dropped);
    answer(name, 8);
    assert!(other.block_on(waiting).unwrap());
}

#[test]
fn a_runtime_that_is_dropped_in_the_middle_of_a_race_takes_nothing_along() {
    // Its certificate, which would be for another name, never comes.
    let stalled = uri("drop-race.test").replace("http:", "https:");
    answer("drop-race.test", 9);
    let good = answered("after-race.test");
    let dropped = multi_thread();
    let connected = LAB.host.sites.server(V4[1]).until(|connections| !connections.is_empty());
    leaves_under_way(&dropped, &stalled, connected);
    drop(dropped);
    connects(&current_thread(), &good);
}

#[test]
fn a_runtime_that_stands_still_holds_up_no_other() {
    let name = "parked.test";
    let uri = uri(name);
    hold_back(name);
    // It owns a client of DNS and lookups in flight, and nobody drives it.
    let parked = current_thread();
    let waiting = leaves_under_way(&parked, &uri, asked(name));
    answer(name, 8);
    connects(&current_thread(), &uri);
    connects(&multi_thread(), &uri);
    // It goes on where it stood.
    assert!(parked.block_on(waiting).unwrap());
    connects(&parked, &uri);
}

#[test]
fn a_runtime_that_stands_still_with_an_idle_client_holds_up_no_other() {
    let [first, second] = ["idle-first.test", "idle-second.test"].map(answered);
    let parked = current_thread();
    connects(&parked, &first);
    connects(&multi_thread(), &second);
    connects(&current_thread(), &first);
}

#[test]
fn runtimes_share_what_is_known() {
    let uri = answered("shared.test");
    connects(&current_thread(), &uri);
    connects(&multi_thread(), &uri);
    connects(&current_thread(), &uri);
    // That there is no AAAA may come after the win, and is lost with the runtime then.
    assert_eq!(LAB.host.dns.asked("shared.test", RecordType::A), 1);
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
