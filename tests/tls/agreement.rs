//! Versions, key exchanges and protocols, where both sides have one in common and where they have none.

use std::sync::Arc;

use http_body_util::Empty;
use hyper::Version;
use hyper::body::Bytes;
use hyper_happy_eyeballs::report::FailureKind;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs::kx_group::{SECP384R1, X25519};
use rustls::{ALL_VERSIONS, ClientConfig};

use crate::case::{Case, HOST, TLS12, TLS13, Versions, client, connect_to, connector, good, serve, timeless};
use crate::lab::ca::provider;
use crate::lab::{Behaviour, Ca, ServerTls};

fn speaking(ca: &Ca, versions: Versions) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
    Arc::new(builder.with_root_certificates(ca.roots()).with_no_client_auth())
}

#[tokio::test]
async fn one_common_version_is_enough() {
    let ca = Ca::new();
    let cases: [(Versions, Versions, _); 4] = [
        (ALL_VERSIONS, TLS12, "TLSv1.2"),
        (ALL_VERSIONS, TLS13, "TLSv1.3"),
        (TLS12, ALL_VERSIONS, "TLSv1.2"),
        (TLS13, ALL_VERSIONS, "TLSv1.3"),
    ];
    for (own, versions, agreed) in cases {
        let tls = ServerTls { versions, ..ServerTls::default() };
        let server = serve(ca.server_config_with(HOST, tls), Behaviour::Serve).await;
        let stream = connect_to(&speaking(&ca, own), timeless(), [&server]).await.unwrap();
        assert_eq!(stream.tls_info().unwrap().version(), agreed);
    }
}

/// Proves: TLS-5
#[tokio::test]
async fn nothing_in_common_is_told_and_passed_over() {
    let ca = Ca::new();
    let usual = client(&ca);
    let (only12, only13) = (speaking(&ca, TLS12), speaking(&ca, TLS13));
    let other_key_exchange = {
        let mut provider = (*provider()).clone();
        provider.kx_groups = vec![X25519];
        let builder =
            ClientConfig::builder_with_provider(provider.into()).with_protocol_versions(ALL_VERSIONS).unwrap();
        Arc::new(builder.with_root_certificates(ca.roots()).with_no_client_auth())
    };
    let server = |tls| ca.server_config_with(HOST, tls);
    let versions = |versions| server(ServerTls { versions, ..ServerTls::default() });
    let other_protocol = {
        let mut config = good(&ca);
        config.alpn_protocols = vec![b"smtp".to_vec()];
        config
    };
    let good = serve(good(&ca), Behaviour::Serve).await;
    for (what, client, config, cause) in [
        ("TLS 1.2 alone", &only13, versions(TLS12), "ProtocolVersion"),
        ("TLS 1.3 alone", &only12, versions(TLS13), "ProtocolVersion"),
        (
            "another key exchange",
            &other_key_exchange,
            server(ServerTls { groups: vec![SECP384R1], ..ServerTls::default() }),
            "HandshakeFailure",
        ),
        ("another protocol", &usual, other_protocol, "NoApplicationProtocol"),
    ] {
        let bad = serve(config, Behaviour::Serve).await;
        Case { what, client, bad: &bad, good: &good, kind: FailureKind::Tls, cause }.check().await;
    }
}

/// HTTP/1.1 is what is spoken then (RFC 9113 section 3.2), even where only h2 was offered.
#[tokio::test]
async fn a_server_that_chooses_no_protocol_is_spoken_to_in_http1() {
    let ca = Ca::new();
    let mut config = good(&ca);
    config.alpn_protocols.clear();
    let server = serve(config, Behaviour::Serve).await;
    for offer in [&["h2", "http/1.1"][..], &["h2"], &["http/1.1"]] {
        let client = Arc::new(ca.client_config(offer));
        let stream = connect_to(&client, timeless(), [&server]).await.unwrap();
        assert_eq!(stream.tls_info().unwrap().alpn(), None);

        let connector = connector(&client, timeless(), [&server]);
        let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
        let response = client.get(format!("https://{HOST}/").parse().unwrap()).await.unwrap();
        assert_eq!(response.version(), Version::HTTP_11, "{offer:?}");
    }
}
