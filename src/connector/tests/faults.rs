//! Resolvers that fail in every way, and errors that say what happened.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::support::{NEVER, Reply, Step, World};
use crate::report::FailureKind;
use crate::resolve::{QueryKind, ResolveErrorKind};

/// A resolver that panics fails the lookup, not the process.
#[tokio::test(start_paused = true)]
async fn a_panicking_resolver_is_a_dns_error() {
    let world = World::new().reply(QueryKind::Aaaa, 0, Reply::Panic).reply(QueryKind::A, 0, Reply::Panic);
    let error = world.connect().await.err().unwrap();
    assert!(error.is_dns(), "{error:?}");
}

/// One kind panics, the other answers.
#[tokio::test(start_paused = true)]
async fn a_panic_for_one_family_leaves_the_other() {
    let world = World::new().reply(QueryKind::Aaaa, 0, Reply::Panic).a(5, "4a").good("4a", 1, 1);
    assert!(world.connect().await.is_ok());
}

/// A resolver that never answers ends with the DNS timeout.
#[tokio::test(start_paused = true)]
async fn a_resolver_that_never_answers_times_out() {
    let world = World::new().aaaa(NEVER, "").a(NEVER, "");
    let start = Instant::now();
    let error = world.connect().await.err().unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    assert!(error.is_dns() && error.is_timeout(), "{error:?}");
}

/// The error names every query and address, on one line, and its source is the I/O error.
///
/// Proves: ATT-16
#[tokio::test(start_paused = true)]
async fn the_error_names_every_address() {
    let refused = (3, Step::Fail(FailureKind::Refused));
    let world =
        World::new().aaaa(1, "6a").a(1, "4a").path("6a", refused, (0, Step::Ok)).path("4a", refused, (0, Step::Ok));
    let error = world.connect().await.err().unwrap();
    assert!(error.is_connect() && !error.is_timeout());
    assert!(error.source().unwrap().is::<io::Error>());
    let text = error.to_string();
    assert_eq!(
        text,
        "tcp connect error: host.test:443 after 14.0 ms; [2001:db8::1]:443 tcp refused: scripted (3.0 ms); \
         192.0.2.1:443 tcp refused: scripted (3.0 ms)"
    );
}

/// Of a refused address and one with a wrong certificate, the certificate tells more.
#[tokio::test(start_paused = true)]
async fn the_attempt_that_got_furthest_gives_the_kind() {
    let world = World::new()
        .aaaa(1, "6a")
        .a(1, "4a")
        .path("6a", (3, Step::Fail(FailureKind::Refused)), (0, Step::Ok))
        .path("4a", (3, Step::Ok), (3, Step::Fail(FailureKind::Certificate)));
    let error = world.connect().await.err().unwrap();
    assert!(error.is_certificate() && error.is_tls() && !error.is_connect(), "{error:?}");
}

/// Whoever looks for a timeout among the causes, as of `HttpConnector`, finds one.
#[tokio::test(start_paused = true)]
async fn a_connect_timeout_is_an_io_timeout_below() {
    let world = World::new().aaaa(1, "6a").a(1, "").silent("6a");
    let error = world.connect().await.err().unwrap();
    let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::TimedOut);
}

/// NXDOMAIN for both kinds.
#[tokio::test(start_paused = true)]
async fn a_name_that_does_not_exist_is_a_dns_error() {
    let gone = Reply::Error(ResolveErrorKind::NxDomain);
    let world = World::new().reply(QueryKind::Aaaa, 2, gone.clone()).reply(QueryKind::A, 4, gone);
    let start = Instant::now();
    let error = world.connect().await.err().unwrap();
    assert_eq!(start.elapsed(), Duration::from_millis(4));
    assert!(error.is_dns() && !error.is_timeout());
    assert!(error.to_string().starts_with("dns error: host.test:443"), "{error}");
}
