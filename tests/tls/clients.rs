//! Certificates of clients.
//!
//! In TLS 1.3 the client is done before the server has judged its certificate, or the lack of it, so that the race has
//! been won by then: what the server thinks is the first thing that is read.

use std::sync::Arc;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_happy_eyeballs::Error;
use hyper_happy_eyeballs::report::FailureKind;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::AsyncReadExt;

use crate::case::{Case, HOST, TLS12, TLS13, Versions, client, connect_to, connector, good, serve, timeless};
use crate::lab::ca::provider;
use crate::lab::{Behaviour, Ca, Certificate, Server, ServerTls};
use crate::support::chain;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Politely,
    /// Whoever has none is sent away.
    Strictly,
}

/// A server that asks for a certificate of the authority.
fn asking(ca: &Ca, asked: Asked, versions: Versions) -> ServerConfig {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(ca.roots()), provider());
    let verifier = if asked == Asked::Politely { verifier.allow_unauthenticated() } else { verifier };
    let clients = verifier.build().unwrap();
    ca.server_config_with(HOST, ServerTls { versions, clients, ..ServerTls::default() })
}

fn presenting(ca: &Ca, certificate: Certificate) -> Arc<ClientConfig> {
    let mut config = ca.client_config(&[]);
    let identity = ca.identity("client.lab.test", certificate);
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(identity));
    Arc::new(config)
}

async fn get(client: &Arc<ClientConfig>, server: &Server) -> Result<(), Box<dyn std::error::Error>> {
    let client: Client<_, Empty<Bytes>> =
        Client::builder(TokioExecutor::new()).build(connector(client, timeless(), [server]));
    client.get(format!("https://{HOST}/").parse()?).await?;
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_is_asked_for_is_given() {
    let ca = Ca::new();
    for versions in [TLS12, TLS13] {
        for (asked, client) in [
            (Asked::Strictly, presenting(&ca, Certificate::ForClients)),
            (Asked::Politely, presenting(&ca, Certificate::ForClients)),
            (Asked::Politely, client(&ca)),
        ] {
            let server = serve(asking(&ca, asked, versions), Behaviour::Serve).await;
            get(&client, &server).await.unwrap_or_else(|error| panic!("{asked:?} {versions:?}: {error}"));
        }
    }
}

/// A client that the server does not take, and what the server says to it.
fn rejected(ca: &Ca) -> [(Arc<ClientConfig>, &'static str); 4] {
    [
        (client(ca), "CertificateRequired"),
        (presenting(ca, Certificate::UnknownRoot), "UnknownCA"),
        (presenting(ca, Certificate::Expired), "CertificateExpired"),
        (presenting(ca, Certificate::WithoutKey), "DecryptError"),
    ]
}

/// In TLS 1.2 the server speaks last.
///
/// Proves: TLS-5
#[tokio::test]
async fn tls12_tells_a_rejection_and_passes_it_over() {
    let ca = Ca::new();
    let good = serve(good(&ca), Behaviour::Serve).await;
    let bad = serve(asking(&ca, Asked::Strictly, TLS12), Behaviour::Serve).await;
    for (client, cause) in &rejected(&ca) {
        let kind = FailureKind::Tls;
        Case { what: cause, client, bad: &bad, good: &good, kind, cause }.check().await;
    }
}

#[tokio::test]
async fn tls13_tells_a_rejection_to_the_first_who_reads() {
    let ca = Ca::new();
    let good = serve(good(&ca), Behaviour::Serve).await;
    let bad = serve(asking(&ca, Asked::Strictly, TLS13), Behaviour::Serve).await;
    for (client, cause) in &rejected(&ca) {
        let stream = connect_to(client, timeless(), [&bad, &good]).await.unwrap();
        let [won] = stream.report().attempts() else { panic!("{}", stream.report()) };
        assert_eq!(won.addr(), bad.addr());
        let error = TokioIo::new(stream).read_u8().await.unwrap_err();
        assert!(error.to_string().contains(cause), "{error}");

        let error = get(client, &bad).await.unwrap_err();
        let of_connect = std::iter::successors(error.source(), |error| error.source()).any(|it| it.is::<Error>());
        assert!(!of_connect, "{}", chain(&*error));
    }
}
