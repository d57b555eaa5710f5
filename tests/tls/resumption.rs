//! Sessions that are taken up again, at another address too.

use std::sync::Arc;

use hyper_happy_eyeballs::report::FailureKind;
use hyper_happy_eyeballs::{Config, Report};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::case::{HOST, TLS12, TLS13, client, connect_to, paced, serve, timeless};
use crate::lab::{Behaviour, Ca, Certificate, Server, ServerTls};
use crate::support::failure;

/// Servers that keep their sessions in memory, and servers that have them in tickets, of either version.
fn configs(ca: &Ca, certificate: Certificate) -> Vec<ServerConfig> {
    let with_memory = [TLS12, TLS13]
        .map(|versions| ca.server_config_with(HOST, ServerTls { certificate, versions, ..ServerTls::default() }));
    let with_tickets = with_memory.clone().map(|mut config| {
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
        config
    });
    with_memory.into_iter().chain(with_tickets).collect()
}

struct Visit {
    resumed: bool,
    report: Arc<Report>,
}

/// Connects, and asks for something, so that what the server says after the handshake is read.
async fn visit<'a>(client: &Arc<ClientConfig>, config: Config, servers: impl IntoIterator<Item = &'a Server>) -> Visit {
    let stream = connect_to(client, config, servers).await.unwrap();
    let (resumed, report) = (stream.tls_info().unwrap().resumed(), stream.report().clone());
    let mut stream = TokioIo::new(stream);
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    Visit { resumed, report }
}

/// Servers of one site mostly know each other's sessions.
#[tokio::test]
async fn a_session_goes_on_at_another_address() {
    let ca = Ca::new();
    for config in configs(&ca, Certificate::Good) {
        let client = client(&ca);
        let one = serve(config.clone(), Behaviour::Serve).await;
        let other = serve(config.clone(), Behaviour::Serve).await;
        let stalls = serve(config.clone(), Behaviour::Stall).await;
        assert!(!visit(&client, timeless(), [&one]).await.resumed);
        assert!(visit(&client, timeless(), [&one]).await.resumed);
        assert!(visit(&client, timeless(), [&other]).await.resumed);
        // The hello that is never answered has used up a ticket where they are good for one use only.
        let visit = visit(&client, paced(), [&stalls, &other]).await;
        assert!(visit.resumed && visit.report.attempts().len() == 2, "{}", visit.report);
    }
}

/// A session that the server does not know is none, and no failure.
#[tokio::test]
async fn where_the_session_is_unknown_the_handshake_is_a_whole_one() {
    let ca = Ca::new();
    for (known, unknown) in configs(&ca, Certificate::Good).into_iter().zip(configs(&ca, Certificate::Good)) {
        let client = client(&ca);
        let (known, unknown) = (serve(known, Behaviour::Serve).await, serve(unknown, Behaviour::Serve).await);
        visit(&client, timeless(), [&known]).await;
        let visit = visit(&client, timeless(), [&unknown, &known]).await;
        assert!(!visit.resumed && visit.report.attempts().len() == 1, "{}", visit.report);
    }
}

/// What was good at one address is no credit for another.
///
/// Proves: TLS-4
#[tokio::test]
async fn a_session_does_not_make_a_bad_certificate_good() {
    let ca = Ca::new();
    for (good, bad) in configs(&ca, Certificate::Good).into_iter().zip(configs(&ca, Certificate::OtherName)) {
        let client = client(&ca);
        let (good, bad) = (serve(good, Behaviour::Serve).await, serve(bad, Behaviour::Serve).await);
        visit(&client, timeless(), [&good]).await;
        let visit = visit(&client, timeless(), [&bad, &good]).await;
        let [first, _] = visit.report.attempts() else { panic!("{}", visit.report) };
        assert_eq!(failure(first).kind(), FailureKind::Certificate, "{}", visit.report);
        assert!(visit.resumed, "{}", visit.report);
    }
}
