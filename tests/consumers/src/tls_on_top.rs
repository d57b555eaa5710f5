//! hyper-rustls around the connector, which then does TCP alone.

use http::Version;
use hyper_happy_eyeballs::TlsInfo;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpInfo;

use crate::host::{HTTP, HTTPS, Host, V4};
use crate::lab::{Behaviour, Certificate, Site};
use crate::{get, ours, report};

/// TLS by hyper-rustls on whatever connects.
pub fn https<C>(host: &Host, connector: C) -> HttpsConnector<C> {
    let config = host.ca.client_config(&[]);
    HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_all_versions().wrap_connector(connector)
}

/// TCP is raced for both schemes, and what the connector knows comes through.
#[tokio::test]
async fn tcp_is_raced_below_tls() {
    for (scheme, site, version) in [("http", HTTP, Version::HTTP_11), ("https", HTTPS, Version::HTTP_2)] {
        let host = Host::open([(V4[0], Site::Silent), (V4[1], site)]).await;
        let connector = host.bare_builder().plaintext().build().unwrap();
        let response = get(https(&host, connector), &host.uri(scheme)).await.unwrap();
        assert_eq!(response.version(), version);
        assert_eq!(response.extensions().get::<HttpInfo>().unwrap().remote_addr(), host.addr(V4[1]));
        assert_eq!(report(response.extensions()).attempts().len(), 2);
        assert!(response.extensions().get::<TlsInfo>().is_none(), "that is of the connector's TLS");
        assert_eq!(host.server().handshakes(), usize::from(scheme == "https"));
    }
}

#[tokio::test]
async fn a_failed_race_is_among_the_causes() {
    let host = Host::open([(V4[0], Site::Refused), (V4[1], Site::Refused)]).await;
    let connector = host.bare_builder().plaintext().build().unwrap();
    let error = get(https(&host, connector), &host.uri("https")).await.unwrap_err();
    assert!(error.is_connect());
    assert_eq!(ours(&error).report().unwrap().attempts().len(), 2);
}

/// By the time that TLS fails the race is over: what the connector's own TLS is for.
#[tokio::test]
async fn a_certificate_that_is_judged_above_the_race_ends_the_connect() {
    let host = Host::open([(V4[0], Site::Https(Certificate::OtherName, Behaviour::Serve)), (V4[1], HTTPS)]).await;
    let plain = host.bare_builder().plaintext().build().unwrap();
    assert!(get(https(&host, plain), &host.uri("https")).await.unwrap_err().is_connect());
    let response = get(host.connector(), &host.uri("https")).await.unwrap();
    assert_eq!(report(response.extensions()).winner().unwrap().addr(), host.addr(V4[1]));
}
