//! Whoever the records lead to has to be the origin: server name, certificate, authority, ALPN.

use std::sync::Arc;

use hickory_server::proto::rr::RecordType;
use http::Version;
use hyper_happy_eyeballs::report::{AttemptOutcome, FailureKind};
use tokio::net::TcpListener;

use crate::host::{HOST, HTTPS, Host, V4, client, faulty};
use crate::lab::{Behaviour, Certificate, HttpsRecord, Server, Site, Sites};
use crate::support::{connect, failure};
use crate::zone::{Service, TARGET, patient, peer, publish, records, set_addresses};

/// Proves: SVC-24
#[tokio::test]
async fn server_name_and_authority_stay_the_origins() {
    let host = Host::with(Site::Refused).await;
    let service = Service::target(&host, HTTPS).await;
    publish(&host, records([service.record(1)]));
    let builder = || host.builder().config(patient());
    for (builder, version) in
        [(builder().enable_http1(), Version::HTTP_11), (builder().enable_all_versions(), Version::HTTP_2)]
    {
        service.server().forget();
        let response = client(builder.build().unwrap()).get(host.uri("https").parse().unwrap()).await.unwrap();
        assert_eq!(response.version(), version);
        let [connection] = &service.server().connections()[..] else { panic!("one connection") };
        assert_eq!(connection.hello.as_ref().unwrap().server_name.as_deref(), Some(HOST));
        assert_eq!(connection.authority, Some(format!("{HOST}:{}", host.sites.port())));
    }
}

/// Records come from anybody: a certificate that is good for the target's name says nothing.
///
/// Proves: SVC-24
#[tokio::test]
async fn a_certificate_for_the_target_is_refused_and_the_race_goes_on() {
    let host = Host::with(HTTPS).await;
    let impostor = Sites::open(&host.ca, TARGET, [(V4[1], HTTPS)]).await.unwrap();
    set_addresses(&host, TARGET, [V4[1]]);
    publish(&host, records([HttpsRecord::new(1, TARGET).port(impostor.port())]));
    let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
    let [refused, won] = stream.report().attempts() else { panic!("{}", stream.report()) };
    assert_eq!((refused.target(), failure(refused).kind()), (Some("svc.lab.test."), FailureKind::Certificate));
    assert!(matches!(won.outcome(), AttemptOutcome::Won));
    assert_eq!(peer(&stream), host.addr(V4[0]));
    assert_eq!(impostor.server(V4[1]).requests(), 0);
}

/// A server at the second address that speaks `alpn`.
async fn speaking(host: &Host, alpn: &[&str]) -> Server {
    let mut config = host.ca.server_config(HOST, Certificate::Good);
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let listener = TcpListener::bind((V4[1], 0)).await.unwrap();
    Server::start(listener, Some(Arc::new(config)), Behaviour::Serve).unwrap()
}

/// Both are offered whatever the record names, or who changes records could choose the weaker one.
///
/// Proves: SVC-16
#[tokio::test]
async fn alpn_offers_all_that_the_client_speaks() {
    let host = Host::with(Site::Refused).await;
    let service = Service::target(&host, HTTPS).await;
    for record in [
        service.record(1).alpn(&["http/1.1"]),
        service.record(1).alpn(&["h2"]).no_default_alpn(),
        service.record(1).alpn(&["h3"]),
        service.record(1),
    ] {
        service.server().forget();
        publish(&host, records([record]));
        let connector = host.builder().enable_all_versions().config(patient()).build().unwrap();
        let stream = connect(&connector, &host.uri("https")).await.unwrap();
        assert_eq!(service.server().hello().await.alpn, ["h2", "http/1.1"]);
        // The record is wrong about what the server speaks, and the handshake right.
        assert_eq!(stream.tls_info().unwrap().alpn(), Some(&b"h2"[..]));
    }
}

/// The record is about the service alone.
///
/// Proves: SVC-23
#[tokio::test]
async fn the_protocols_of_a_record_are_not_those_of_the_origin() {
    let host = Host::with(Site::Refused).await;
    let origin = speaking(&host, &["http/1.1"]).await;
    set_addresses(&host, HOST, [V4[1]]);
    for site in [Site::Refused, faulty(Behaviour::ResetHello)] {
        let service = Service::open(&host, TARGET, V4[2], site).await;
        let name = format!("_{}._https.{HOST}", origin.addr().port());
        let record = service.record(1).alpn(&["h2"]).no_default_alpn();
        host.dns.set(&name, RecordType::HTTPS, records([record]));
        let connector = host.builder().enable_all_versions().config(patient()).build().unwrap();
        let uri = format!("https://{HOST}:{}/", origin.addr().port());
        let response = client(connector).get(uri.parse().unwrap()).await.unwrap();
        assert_eq!(response.version(), Version::HTTP_11);
    }
    assert_eq!(origin.requests(), 2);
    assert!(origin.connections().iter().all(|it| it.hello.as_ref().unwrap().alpn == ["h2", "http/1.1"]));
}
