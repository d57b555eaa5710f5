//! Certificates that are not good for the origin.

use std::sync::Arc;

use hyper_happy_eyeballs::report::FailureKind;
use rustls::ClientConfig;
use rustls::client::WebPkiServerVerifier;

use crate::case::{Case, HOST, client, connect_to, good, serve, timeless};
use crate::lab::ca::provider;
use crate::lab::{Behaviour, Ca, Certificate};

/// A client with the authority's list of what is revoked, which is good until that year.
fn with_list(ca: &Ca, next_update: i32) -> Arc<ClientConfig> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(ca.roots()), provider())
        .with_crls([ca.revoked(next_update)])
        .enforce_revocation_expiration()
        .build()
        .unwrap();
    let mut config = ca.client_config(&[]);
    config.dangerous().set_certificate_verifier(verifier);
    Arc::new(config)
}

/// Proves: TLS-4, ATT-7
#[tokio::test]
async fn a_bad_certificate_is_told_and_passed_over() {
    let ca = Ca::new();
    let (usual, listed) = (client(&ca), with_list(&ca, 3000));
    let good = serve(good(&ca), Behaviour::Serve).await;
    for (certificate, client, cause) in [
        (Certificate::Expired, &usual, "certificate expired"),
        (Certificate::NotYetValid, &usual, "certificate not valid yet"),
        (Certificate::OtherName, &usual, "certificate not valid for name \"www.lab.test\""),
        (Certificate::UnknownRoot, &usual, "UnknownIssuer"),
        (Certificate::SelfSigned, &usual, "UnknownIssuer"),
        (Certificate::OwnAuthority, &usual, "CaUsedAsEndEntity"),
        (Certificate::WithoutIntermediate, &usual, "UnknownIssuer"),
        (Certificate::ForClients, &usual, "certificate does not allow extended key usage for server authentication"),
        (Certificate::Revoked, &listed, "Revoked"),
        (Certificate::WithoutKey, &usual, "BadSignature"),
    ] {
        let bad = serve(ca.server_config(HOST, certificate), Behaviour::Serve).await;
        let case = Case { what: certificate, client, bad: &bad, good: &good, kind: FailureKind::Certificate, cause };
        case.check().await;
        assert!(bad.connections().iter().all(|connection| !connection.handshake && connection.requests == 0));
    }
}

/// What the above would fail by if the lab made bad certificates only.
#[tokio::test]
async fn the_certificates_without_the_fault_are_good() {
    let ca = Ca::new();
    for (certificate, client) in [
        (Certificate::Good, client(&ca)),
        (Certificate::Good, with_list(&ca, 3000)),
        (Certificate::Chained, client(&ca)),
        (Certificate::Ed25519, client(&ca)),
        // Nobody has told this one.
        (Certificate::Revoked, client(&ca)),
    ] {
        let server = serve(ca.server_config(HOST, certificate), Behaviour::Serve).await;
        connect_to(&client, timeless(), [&server]).await.unwrap_or_else(|error| panic!("{certificate:?}: {error}"));
    }
}

/// It is the client that is wrong, and no address is any better.
#[tokio::test]
async fn a_list_that_is_too_old_makes_every_certificate_bad() {
    let ca = Ca::new();
    let server = serve(good(&ca), Behaviour::Serve).await;
    let case = Case {
        what: "an old list",
        client: &with_list(&ca, 2001),
        bad: &server,
        good: &server,
        kind: FailureKind::Certificate,
        cause: "certificate revocation list expired",
    };
    case.check_error(timeless()).await;
}
