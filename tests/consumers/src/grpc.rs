//! tonic, with the connector's TLS and with its own.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hyper_happy_eyeballs::{Builder, Error};
use tokio::net::TcpListener;
use tonic::transport::Endpoint;

use crate::example::{connect, connect_with_tls_of_tonic, greet, serve};
use crate::host::{HOST, Host, V4};
use crate::lab::{Certificate, Site};
use crate::{cause, ours};

/// A builder of connectors to a greeter that has a silent address before its good one.
async fn greeter(host: &Host) -> Builder {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let builder = host.builder().resolve(HOST, [host.addr(V4[0]), listener.local_addr().unwrap()]);
    tokio::spawn(serve(listener, Arc::new(host.ca.server_config(HOST, Certificate::Good))));
    builder
}

#[tokio::test]
async fn calls_go_over_the_connectors_tls() {
    let host = Host::with(Site::Silent).await;
    let connector = greeter(&host).await.enable_http2().build().unwrap();
    let channel = connect(connector, HOST).await.unwrap();
    for name in ["one", "two"] {
        assert_eq!(greet(channel.clone(), name).await.unwrap(), format!("Hello, {name}"));
    }
}

#[tokio::test]
async fn calls_go_over_tonics_tls_above_a_tcp_race() {
    let host = Host::with(Site::Silent).await;
    let connector = greeter(&host).await.plaintext().build().unwrap();
    let channel = connect_with_tls_of_tonic(connector, HOST, &host.ca.pem()).await.unwrap();
    assert_eq!(greet(channel, "one").await.unwrap(), "Hello, one");
}

#[tokio::test]
async fn a_failed_race_is_among_tonics_causes() {
    let host = Host::open([(V4[0], Site::Refused), (V4[1], Site::Refused)]).await;
    let authority = format!("{HOST}:{}", host.sites.port());
    let plain = host.bare_builder().plaintext().build().unwrap();
    let errors = [
        connect(host.connector(), &authority).await.unwrap_err(),
        connect_with_tls_of_tonic(plain, &authority, &host.ca.pem()).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(ours(&*error).report().unwrap().attempts().len(), 2);
    }
}

/// Which tonic has from hyper-timeout.
#[tokio::test]
async fn tonics_connect_timeout_ends_a_race() {
    let host = Host::with(Site::Silent).await;
    let endpoint = Endpoint::from_shared(host.uri("http")).unwrap().connect_timeout(Duration::from_millis(100));
    let connector = host.bare_builder().plaintext().build().unwrap();
    let error = endpoint.connect_with_connector(connector).await.unwrap_err();
    assert_eq!(cause::<io::Error>(&error).expect("hyper-timeout has one").kind(), io::ErrorKind::TimedOut);
    assert!(cause::<Error>(&error).is_none(), "the connector would have waited");
}
