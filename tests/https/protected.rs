//! A resolver whose answers nobody can change on their way (RFC 9460 section 3.1, v3 draft sections 6.3 and 11).

use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use hyper_happy_eyeballs::resolve::{
    HickoryResolver, Kinds, Names, QueryKind, Resolve, ResolveError, ResolveErrorKind, Resolving,
};
use hyper_happy_eyeballs::{Config, Error, HappyEyeballsConnector, MaybeHttpsStream};
use tokio::sync::Semaphore;

use crate::host::{HTTP, HTTPS, Host, config};
use crate::lab::{Connection, Reply};
use crate::support::connect;
use crate::zone::publish;

/// hickory's answers, held to be protected. HTTPS is asked for when the gate opens.
struct Protected {
    resolver: HickoryResolver,
    gate: Arc<Semaphore>,
}

impl Resolve for Protected {
    fn kinds(&self) -> Kinds {
        self.resolver.kinds()
    }

    fn names(&self, host: &str) -> Result<Names, ResolveError> {
        self.resolver.names(host)
    }

    fn is_protected(&self) -> bool {
        true
    }

    fn resolve(&self, name: &str, kind: QueryKind) -> Resolving {
        let lookup = self.resolver.resolve(name, kind);
        if kind != QueryKind::Https {
            return lookup;
        }
        let gate = self.gate.clone();
        Box::pin(async move {
            gate.acquire().await.expect("nobody closes it").forget();
            lookup.await
        })
    }
}

/// A connector with protected DNS, and the gate in front of the records.
fn protected(host: &Host, config: Config) -> (HappyEyeballsConnector, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let resolver = Protected { resolver: HickoryResolver::with_name_servers([host.dns.addr()]), gate: gate.clone() };
    (host.builder().resolver(resolver).config(config).build().unwrap(), gate)
}

/// Opens the gate once TCP is up at the server, on which nothing has come.
async fn open_after_tcp(host: &Host, gate: &Semaphore) {
    host.server().until(|connections| !connections.is_empty()).await;
    assert_eq!(host.server().stray_bytes(), 0);
    gate.add_permits(1);
}

/// Somebody may want to hide the records. TCP was up, and not a byte has come.
///
/// Proves: SVC-17
#[tokio::test]
async fn records_that_are_withheld_end_the_connect_before_the_hello() {
    let host = Host::with(HTTPS).await;
    for (reply, kind, text) in [
        (Reply::serv_fail(), ResolveErrorKind::ServFail, "SERVFAIL"),
        (Reply::refused(), ResolveErrorKind::Refused, "REFUSED"),
    ] {
        host.server().forget();
        publish(&host, reply);
        let (connector, gate) = protected(&host, config());
        let (result, ()) = join(connect(&connector, &host.uri("https")), open_after_tcp(&host, &gate)).await;
        let error = result.unwrap_err();
        assert!(error.is_dns() && !error.is_timeout() && !error.is_tls(), "{error}");
        let message = error.to_string();
        assert!(message.starts_with("dns error: HTTPS records may be withheld: "), "{message}");
        assert!(message.contains(text), "{message}");
        assert_eq!(error.source().unwrap().downcast_ref::<ResolveError>().unwrap().kind(), kind);
        assert!(error.report().unwrap().attempts()[0].tcp().is_some());
        let closed = |all: &[Connection]| all.iter().all(|connection| connection.closed);
        host.server().until(closed).await;
        assert_eq!((host.server().accepted(), host.server().stray_bytes()), (1, 0));
    }
}

/// The same when nobody answers.
///
/// Proves: SVC-17
#[tokio::test]
async fn records_that_do_not_come_in_time_end_the_connect() {
    let host = Host::with(HTTPS).await;
    let mut config = config();
    config.dns_timeout(Some(Duration::from_millis(400)));
    let (connector, _gate) = protected(&host, config);
    let error = connect(&connector, &host.uri("https")).await.unwrap_err();
    assert!(error.is_dns(), "{error}");
    assert!(error.to_string().contains("no answer in time"), "{error}");
    host.server().until(|all| all.iter().all(|connection| connection.closed)).await;
    assert_eq!(host.server().stray_bytes(), 0);
}

/// Where anybody can change answers, a failed lookup means nothing.
///
/// Proves: SVC-17
#[tokio::test]
async fn on_plain_dns_a_failed_lookup_is_no_obstacle() {
    let host = Host::with(HTTPS).await;
    publish(&host, Reply::serv_fail());
    connect(&host.connector(), &host.uri("https")).await.unwrap();
}

/// That there are none is an answer, and the handshake comes after it.
///
/// Proves: SVC-17
#[tokio::test]
async fn without_records_the_handshake_follows_the_answer() {
    let host = Host::with(HTTPS).await;
    for reply in [Reply::no_data(), Reply::nx_domain()] {
        host.server().forget();
        publish(&host, reply);
        let (connector, gate) = protected(&host, config());
        connected_after_the_records(&host, connect(&connector, &host.uri("https")), &gate).await;
        // The client is done a little earlier.
        host.server().until(|connections| connections[0].handshake).await;
    }
}

/// In clear, too: a connection that could be used is not handed out while the host may turn out to have records.
///
/// Proves: ECH-6
#[tokio::test]
async fn in_clear_nothing_is_sent_before_the_answer_either() {
    let host = Host::with(HTTP).await;
    let (connector, gate) = protected(&host, config());
    connected_after_the_records(&host, connect(&connector, &host.uri("http")), &gate).await;
}

/// Asserts that the connection was ready no earlier than the answer.
async fn connected_after_the_records(
    host: &Host,
    connecting: impl Future<Output = Result<MaybeHttpsStream, Error>>,
    gate: &Semaphore,
) {
    let (result, ()) = join(connecting, open_after_tcp(host, gate)).await;
    let stream = result.unwrap();
    let report = stream.report();
    let answered = report.queries().iter().find(|query| query.kind() == QueryKind::Https).unwrap().end();
    let winner = report.winner().unwrap();
    assert!(winner.tcp() < answered && answered <= winner.end(), "{report}");
}
