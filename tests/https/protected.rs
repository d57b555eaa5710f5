//! A resolver whose answers nobody can change on their way (RFC 9460 section 3.1, v3 draft sections 6.3 and 11).

use std::error::Error as StdError;
use std::future::Future;
use std::time::Duration;

use hyper_happy_eyeballs::resolve::{QueryKind, ResolveError, ResolveErrorKind};
use hyper_happy_eyeballs::{Error, MaybeHttpsStream};

use crate::gate::Gate;
use crate::host::{HTTP, HTTPS, Host, config};
use crate::lab::{Connection, Reply};
use crate::support::connect;
use crate::zone::publish;

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
        let (connector, gate) = Gate::protected(&host, config());
        let error = gate.open_after_tcp(&host, connect(&connector, &host.uri("https"))).await.unwrap_err();
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
    let (connector, _gate) = Gate::protected(&host, config);
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
        let (connector, gate) = Gate::protected(&host, config());
        connected_after_the_records(&host, connect(&connector, &host.uri("https")), &gate).await;
        // The client is done a little earlier.
        host.server().until(|connections| connections.first().is_some_and(|it| it.handshake)).await;
    }
}

/// In clear, too: a connection that could be used is not handed out while the host may turn out to have records.
///
/// Proves: ECH-6
#[tokio::test]
async fn in_clear_nothing_is_sent_before_the_answer_either() {
    let host = Host::with(HTTP).await;
    let (connector, gate) = Gate::protected(&host, config());
    connected_after_the_records(&host, connect(&connector, &host.uri("http")), &gate).await;
}

/// Asserts that the connection was ready no earlier than the answer.
async fn connected_after_the_records(
    host: &Host,
    connecting: impl Future<Output = Result<MaybeHttpsStream, Error>>,
    gate: &Gate,
) {
    let stream = gate.open_after_tcp(host, connecting).await.unwrap();
    let report = stream.report();
    let answered = report.queries().iter().find(|query| query.kind() == QueryKind::Https).unwrap().end();
    let winner = report.winner().unwrap();
    assert!(winner.tcp() < answered && answered <= winner.end(), "{report}");
}
