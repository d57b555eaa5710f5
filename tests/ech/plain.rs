//! The server with rustls alone, without the connector: what it is trusted with by the other tests.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::{EchConfig, EchGreaseConfig, EchMode, EchStatus};
use rustls::crypto::aws_lc_rs::hpke;
use rustls::internal::msgs::codec::Codec;
use rustls::{CertificateError, Error, PeerIncompatible};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::host::{HOST, V4};
use crate::lab::Ca;
use crate::scene::tls;
use crate::server::{EchServer, Manner, Names, PUBLIC_NAME};

const HERE: IpAddr = V4[0];

fn ech(configs: &[u8]) -> EchMode {
    EchConfig::new(configs.into(), hpke::ALL_SUPPORTED_SUITES).expect("the server's configurations are usable").into()
}

fn grease() -> EchMode {
    let suite = hpke::DH_KEM_X25519_HKDF_SHA256_AES_128;
    let (key, _) = rustls::crypto::hpke::Hpke::generate_key_pair(suite).expect("a key");
    EchGreaseConfig::new(suite, key).into()
}

async fn shake_hands(ca: &Ca, server: &EchServer, mode: EchMode) -> io::Result<TlsStream<TcpStream>> {
    let mut config = tls(ca)(Some(mode)).expect("the provider has TLS 1.3");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let tcp = TcpStream::connect(server.addr(HERE)).await?;
    TlsConnector::from(Arc::new(config)).connect(HOST.try_into().expect("a name"), tcp).await
}

/// Why a handshake failed.
async fn failure(ca: &Ca, server: &EchServer, mode: EchMode) -> Error {
    let error = shake_hands(ca, server, mode).await.expect_err("it fails");
    error.into_inner().and_then(|error| error.downcast().ok()).map(|error| *error).expect("rustls failed")
}

/// The configurations that a rejection came with, as they stand in a record.
async fn rejection(ca: &Ca, server: &EchServer, mode: EchMode) -> Option<Vec<u8>> {
    match failure(ca, server, mode).await {
        Error::PeerIncompatible(PeerIncompatible::ServerRejectedEncryptedClientHello(configs)) => {
            configs.map(|configs| configs.get_encoding())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_published_key_is_accepted() {
    let ca = Ca::new();
    let Some(server) = EchServer::open(&ca, HERE, Manner::Current).await else { return };
    let stream = shake_hands(&ca, &server, ech(server.configs())).await.unwrap();
    assert_eq!(stream.get_ref().1.ech_status(), EchStatus::Accepted);
    let [seen] = &server.handshakes(1).await[..] else { panic!("one handshake") };
    assert_eq!(seen.names(), (PUBLIC_NAME, HOST));
    assert!(seen.ech_offered && seen.ech_accepted && seen.error.is_empty(), "{seen:?}");
    assert_eq!((&*seen.version, &*seen.protocol), ("TLS 1.3", "h2"));
    assert_eq!((seen.ip, &seen.protocols[..]), (HERE, &["h2".to_owned(), "http/1.1".to_owned()][..]));
}

#[tokio::test]
async fn a_stale_key_is_rejected_and_the_one_in_its_place_accepted() {
    let ca = Ca::new();
    let Some(server) = EchServer::open(&ca, HERE, Manner::Stale).await else { return };
    let retry = rejection(&ca, &server, ech(server.configs())).await.expect("configurations to try");
    assert_ne!(retry, server.configs());
    let stream = shake_hands(&ca, &server, ech(&retry)).await.unwrap();
    assert_eq!(stream.get_ref().1.ech_status(), EchStatus::Accepted);
    let [rejected, accepted] = &server.handshakes(2).await[..] else { panic!("two handshakes") };
    assert_eq!((rejected.names(), accepted.names()), ((PUBLIC_NAME, PUBLIC_NAME), (PUBLIC_NAME, HOST)));
    assert!(rejected.ech_offered && !rejected.ech_accepted && accepted.ech_accepted);
}

#[tokio::test]
async fn a_moving_key_is_rejected_again() {
    let ca = Ca::new();
    let Some(server) = EchServer::open(&ca, HERE, Manner::Moving).await else { return };
    let retry = rejection(&ca, &server, ech(server.configs())).await.expect("configurations to try");
    let again = rejection(&ca, &server, ech(&retry)).await.expect("configurations to try");
    assert_ne!(retry, again);
}

#[tokio::test]
async fn disabled_means_no_configurations() {
    let ca = Ca::new();
    for manner in [Manner::Disabled, Manner::None] {
        let Some(server) = EchServer::open(&ca, HERE, manner).await else { return };
        assert_eq!(rejection(&ca, &server, ech(server.configs())).await, None);
        let [seen] = &server.handshakes(1).await[..] else { panic!("one handshake") };
        assert_eq!((seen.names(), seen.ech_accepted), ((PUBLIC_NAME, PUBLIC_NAME), false));
    }
}

/// Nobody may be told of a rejection in the public name.
#[tokio::test]
async fn without_a_certificate_for_the_public_name_a_rejection_is_a_bad_certificate() {
    let ca = Ca::new();
    let Some(server) = EchServer::with(&ca, [(HERE, Manner::Stale)], Names::HostAlone).await else { return };
    let error = failure(&ca, &server, ech(server.configs())).await;
    let is_of_name = |error: &CertificateError| {
        matches!(error, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
    };
    assert!(matches!(&error, Error::InvalidCertificate(error) if is_of_name(error)), "{error:?}");
}

#[tokio::test]
async fn tls_1_2_alone_fails() {
    let ca = Ca::new();
    let Some(server) = EchServer::open(&ca, HERE, Manner::Tls12).await else { return };
    failure(&ca, &server, ech(server.configs())).await;
    let [seen] = &server.handshakes(1).await[..] else { panic!("one handshake") };
    assert!(!seen.error.is_empty(), "{seen:?}");
}

/// What has no meaning is not in the way, whatever the server has.
#[tokio::test]
async fn grease_is_ignored() {
    let ca = Ca::new();
    for manner in [Manner::Current, Manner::Stale, Manner::Disabled, Manner::None] {
        let Some(server) = EchServer::open(&ca, HERE, manner).await else { return };
        let stream = shake_hands(&ca, &server, grease()).await.unwrap();
        assert_eq!(stream.get_ref().1.ech_status(), EchStatus::Grease, "{manner:?}");
        let [seen] = &server.handshakes(1).await[..] else { panic!("one handshake") };
        assert!(seen.ech_offered && !seen.ech_accepted, "{seen:?}");
        assert_eq!(seen.names(), (HOST, HOST));
    }
}
