//! Services around the connector: hyper-timeout, and tower's layers.

use std::future::{Ready, ready};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Uri;
use hyper_happy_eyeballs::HappyEyeballsConnector;
use hyper_happy_eyeballs::resolve::{Answer, Kinds};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::HttpInfo;
use tower::retry::Policy;
use tower::timeout::error::Elapsed;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceBuilder};

use crate::host::{HTTP, HTTPS, Host, V4, faulty};
use crate::lab::{Behaviour, Site};
use crate::support::{self, Script};
use crate::{cause, extras, get, report};

#[tokio::test]
async fn hyper_timeout_hands_on_what_the_connector_knows() {
    let host = Host::with(HTTPS).await;
    let response = get(TimeoutConnector::new(host.connector()), &host.uri("https")).await.unwrap();
    assert_eq!(response.extensions().get::<HttpInfo>().unwrap().remote_addr(), host.addr(V4[0]));
    assert!(report(response.extensions()).winner().is_some());
}

#[tokio::test]
async fn hyper_timeout_ends_connects_and_reads() {
    let silent = Host::with(Site::Silent).await;
    let mut connector = TimeoutConnector::new(silent.connector());
    connector.set_connect_timeout(Some(Duration::from_millis(100)));
    let error = get(connector, &silent.uri("http")).await.unwrap_err();
    assert!(error.is_connect());
    assert_eq!(cause::<io::Error>(&error).unwrap().kind(), io::ErrorKind::TimedOut);

    let mute = Host::with(faulty(Behaviour::Mute)).await;
    let mut connector = TimeoutConnector::new(mute.connector());
    connector.set_read_timeout(Some(Duration::from_millis(500)));
    let error = get(connector, &mute.uri("https")).await.unwrap_err();
    assert!(!error.is_connect());
    assert_eq!(cause::<io::Error>(&error).unwrap().kind(), io::ErrorKind::TimedOut);
    assert!(report(&extras(error.connect_info().unwrap())).winner().is_some());
}

/// A connect that is cut off gives its place back, the connector's own too, and the next one begins anew.
#[tokio::test]
async fn towers_timeout_limit_and_retry_stand_around_connects() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], HTTP)]).await;
    let [silent, good] = [V4[0], V4[1]].map(|ip| Answer::from_socket_addrs([host.addr(ip)]));
    let asked = AtomicUsize::new(0);
    let script = Script::new(Kinds::Addresses, move |_, _| {
        let answer = if asked.fetch_add(1, Ordering::Relaxed) == 0 { &silent } else { &good };
        support::ready(Ok(answer.clone()))
    });
    let connector = HappyEyeballsConnector::builder_with_resolver(script.clone())
        .max_attempts_in_flight(Some(1))
        .plaintext()
        .build()
        .unwrap();
    let response = get(layered(connector), &host.uri("http")).await.unwrap();
    assert_eq!(report(response.extensions()).winner().unwrap().addr(), host.addr(V4[1]));
    assert_eq!(script.asked().len(), 2);
}

/// Each try is cut off, and the timeout of the last one is what is told.
#[tokio::test]
async fn tries_that_are_all_cut_off_fail_with_the_timeout() {
    let host = Host::with(Site::Silent).await;
    let start = Instant::now();
    let error = get(layered(host.connector()), &host.uri("http")).await.unwrap_err();
    assert!(error.is_connect() && cause::<Elapsed>(&error).is_some(), "{error}");
    assert!(start.elapsed() >= 2 * LIMIT);
}

const LIMIT: Duration = Duration::from_secs(1);

/// One connect at a time, each with a timeout, and twice if need be. hyper-util's client wants futures that are `Unpin`,
/// as those of the layers are not.
fn layered<C>(connector: C) -> BoxCloneSyncService<Uri, C::Response, BoxError>
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
{
    let layers = ServiceBuilder::new().retry(Once { done: false }).concurrency_limit(1).timeout(LIMIT);
    BoxCloneSyncService::new(layers.service(connector))
}

#[derive(Clone)]
struct Once {
    done: bool,
}

impl<R, E> Policy<Uri, R, E> for Once {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Uri, result: &mut Result<R, E>) -> Option<Self::Future> {
        let again = result.is_err() && !self.done;
        self.done = true;
        again.then(|| ready(()))
    }

    fn clone_request(&mut self, uri: &Uri) -> Option<Uri> {
        Some(uri.clone())
    }
}
