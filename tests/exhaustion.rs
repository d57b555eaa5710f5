//! No descriptor left. One test, since the process has none left for any other.
#![cfg(target_os = "linux")]

mod host;
mod lab;
mod support;

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;

use futures_util::future::join_all;
use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::Error;
use hyper_happy_eyeballs::report::FailureKind;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use host::{HTTPS, Host, V4};
use lab::Reply;
use support::{connect, failure};

const LIMIT: u64 = 128;

/// Takes every descriptor that is left.
fn take_all() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

fn assert_no_descriptor(error: &Error) {
    assert!(error.is_connect() && !error.is_timeout() && !error.is_dns(), "{error}");
    for attempt in error.report().unwrap().attempts() {
        let failure = failure(attempt);
        assert_eq!(failure.kind(), FailureKind::Local, "{error}");
        let cause = failure.error().downcast_ref::<io::Error>().unwrap();
        assert!(cause.to_string().contains("Too many open files"), "{error}");
    }
    assert!(error.to_string().contains("tcp open error: Too many open files"), "{error}");
}

#[tokio::test]
async fn without_descriptors_there_is_an_error_and_with_them_it_works_again() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, LIMIT, hard).unwrap();
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    let literal = format!("http://{}/", host.addr(V4[0]));
    let connector = host.builder().resolve("both.test", [host.addr(V4[0]), host.addr(V4[1])]).build().unwrap();
    drop(connect(&connector, &host.uri("https")).await.unwrap());

    for round in 0..3 {
        let taken = take_all();
        assert!(!taken.is_empty());
        let error = connect(&connector, &literal).await.unwrap_err();
        assert_no_descriptor(&error);
        assert_eq!(error.report().unwrap().attempts().len(), 1);
        // Its answers are known, and each address is tried once.
        for uri in [host.uri("https"), "http://both.test/".to_owned()] {
            let error = connect(&connector, &uri).await.unwrap_err();
            assert_no_descriptor(&error);
            assert_eq!(error.report().unwrap().attempts().len(), 2, "{error}");
        }
        // This one would have to be asked for.
        let unknown = format!("https://unknown-{round}.lab.test/");
        let error = connect(&connector, &unknown).await.unwrap_err();
        assert!(error.is_dns(), "{error}");

        drop(taken);
        connect(&connector, &literal).await.unwrap();
        connect(&connector, &host.uri("https")).await.unwrap();
        let known = format!("known-{round}.lab.test");
        host.dns.set(&known, RecordType::A, Reply::a([Ipv4Addr::new(127, 0, 0, 8)]));
        connect(&connector, &format!("http://{known}:{}/", host.sites.port())).await.unwrap();
    }
    more_connects_than_descriptors(&host).await;
}

/// With a bound on the attempts there are descriptors for any number of connects.
async fn more_connects_than_descriptors(host: &Host) {
    let connector = host.builder().max_attempts_in_flight(Some(10)).build().unwrap();
    let uri = host.uri("https");
    drop(connect(&connector, &uri).await.unwrap());
    let connects = (0..2 * LIMIT).map(|_| async { connect(&connector, &uri).await.map(drop) });
    for result in join_all(connects).await {
        result.unwrap();
    }
}
