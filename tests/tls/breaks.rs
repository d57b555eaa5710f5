//! Handshakes that end, stall or go wrong at each place of what the server says.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use hyper_happy_eyeballs::report::FailureKind;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::kx_group::SECP384R1;
use rustls::{ClientConfig, ServerConfig};

use crate::case::{Case, HOST, TLS12, TLS13, connect_to, good, serve, timeless};
use crate::lab::{Behaviour, Ca, Certificate, Cut, ServerTls, Then, Within};

/// In records so short that messages are cut into several.
fn in_short_records(ca: &Ca, tls: ServerTls) -> ServerConfig {
    // The places of one handshake have to be those of the next.
    let mut config = ca.server_config_with(HOST, ServerTls { certificate: Certificate::Ed25519, ..tls });
    config.max_fragment_size = Some(128);
    config
}

/// How many records the server sends before the client is done: with one less it is not.
async fn flight(config: &ServerConfig, client: &Arc<ClientConfig>) -> usize {
    for records in 0..50 {
        let cut = Cut { records, within: Within::Start, then: Then::Close };
        let server = serve(config.clone(), Behaviour::Cut(cut)).await;
        if connect_to(client, timeless(), [&server]).await.is_ok() {
            return records;
        }
    }
    panic!("a handshake without end");
}

/// Each place of a handshake with each break, alone and beside a good server.
async fn check(tls: ServerTls, at_least: usize) {
    let ca = &Ca::new();
    let mut client = ca.client_config(&[]);
    // Taken up again, a session makes another handshake.
    client.resumption = Resumption::disabled();
    let client = &Arc::new(client);
    let config = &in_short_records(ca, tls);
    let good = &serve(good(ca), Behaviour::Serve).await;
    let records = flight(config, client).await;
    assert!(records >= at_least, "{records} records");
    let places = (0..records)
        .flat_map(|records| [Within::Start, Within::Header, Within::Half, Within::End].map(|within| (records, within)));
    let cases = places.flat_map(|(records, within)| {
        [
            (Then::Silence, FailureKind::TimedOut, "the TLS timeout ran out"),
            (Then::Close, FailureKind::Closed, "tls handshake eof"),
            (Then::Reset, FailureKind::Closed, "Connection reset by peer"),
            (Then::Garbage, FailureKind::Tls, ""),
        ]
        .map(|(then, kind, cause)| (Cut { records, within, then }, kind, cause))
    });
    let checks = cases.map(|(cut, kind, cause)| async move {
        let bad = serve(config.clone(), Behaviour::Cut(cut)).await;
        Case { what: cut, client, bad: &bad, good, kind, cause }.check().await;
    });
    stream::iter(checks).buffer_unordered(64).collect::<()>().await;
}

/// Proves: TLS-2, TLS-5
#[tokio::test]
async fn tls12_breaks_at_any_place() {
    check(ServerTls { versions: TLS12, ..ServerTls::default() }, 6).await;
}

/// Proves: TLS-2, TLS-5
#[tokio::test]
async fn tls13_breaks_at_any_place() {
    check(ServerTls { versions: TLS13, ..ServerTls::default() }, 6).await;
}

/// With a round trip more, as the server wants another key exchange than the client has guessed.
///
/// Proves: TLS-2, TLS-5
#[tokio::test]
async fn a_retried_hello_breaks_at_any_place() {
    let tls = ServerTls { versions: TLS13, groups: vec![SECP384R1], ..ServerTls::default() };
    check(tls, 6).await;
}
