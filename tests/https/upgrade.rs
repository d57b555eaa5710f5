//! An `http` URL of a host with records (RFC 9460 section 9.5).

use std::error::Error as StdError;
use std::iter::successors;

use http::{Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper_happy_eyeballs::{Config, Error};

use crate::host::{HTTP, HTTPS, Host, HttpClient, assert_untouched, client};
use crate::lab::{HttpsRecord, Reply};
use crate::support::{chain, connect};
use crate::zone::{LONG, Service, TARGET, patient, publish, records};

fn upgrading() -> Config {
    let mut config = patient();
    config.https_upgrade(true);
    config
}

/// The request once more where the error says, as after a redirect: what a program does.
async fn get(client: &HttpClient, uri: &Uri) -> Response<Incoming> {
    let error = match client.get(uri.clone()).await {
        Ok(response) => return response,
        Err(error) => error,
    };
    let causes = successors(error.source(), |error| (*error).source());
    let ours = causes.filter_map(|error| error.downcast_ref::<Error>()).next();
    let upgraded = ours.and_then(Error::upgrade_to).unwrap_or_else(|| panic!("{}", chain(&error)));
    let mut parts = upgraded.into_parts();
    parts.path_and_query = uri.path_and_query().cloned();
    client.get(Uri::from_parts(parts).unwrap()).await.unwrap()
}

/// The `http` server is at the port of the URL, and gets not even a connection.
///
/// Proves: SVC-25
#[tokio::test]
async fn a_client_goes_to_https_where_the_records_say() {
    let host = Host::with(HTTP).await;
    let service = Service::target(&host, HTTPS).await;
    publish(&host, records([service.record(1)]));
    let client = client(host.configured(upgrading()));
    let response = get(&client, &format!("{}a?b", host.uri("http")).parse().unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let [connection] = &service.server().connections()[..] else { panic!("one connection") };
    assert!(connection.handshake && connection.requests == 1);
    assert_eq!(connection.authority, host.uri("http").parse::<Uri>().unwrap().authority().map(ToString::to_string));
    assert_untouched(host.server()).await;
}

/// The error is of a kind of its own, and what was not sent stays unsent.
///
/// Proves: SVC-25
#[tokio::test]
async fn the_error_says_where_to_go() {
    let host = Host::with(HTTP).await;
    for (scheme, upgraded) in [("http", "https"), ("ws", "wss")] {
        for record in [
            HttpsRecord::new(1, TARGET),
            HttpsRecord::new(1, TARGET).alpn(&["h3"]).no_default_alpn(),
            HttpsRecord::alias(TARGET),
        ] {
            publish(&host, records([record]));
            let error = connect(&host.configured(upgrading()), &host.uri(scheme)).await.unwrap_err();
            assert_eq!(error.upgrade_to().unwrap(), host.uri(upgraded).as_str(), "{error}");
            assert!(
                !error.is_dns() && !error.is_connect() && !error.is_timeout() && !error.is_invalid_uri(),
                "{error}"
            );
            assert!(error.report().unwrap().attempts().is_empty(), "{error}");
        }
    }
    assert_untouched(host.server()).await;
}

/// Without records, with records that say so, or with records that cannot be had, `http` is what was asked for.
#[tokio::test]
async fn without_records_it_is_http() {
    let host = Host::with(HTTP).await;
    for reply in [Reply::nx_domain(), Reply::no_data(), Reply::serv_fail(), records([HttpsRecord::alias(".")])] {
        publish(&host, reply);
        let stream = connect(&host.configured(upgrading()), &host.uri("http")).await.unwrap();
        assert!(stream.report().elapsed() < LONG, "{}", stream.report());
    }
    host.server().until(|connections| connections.len() == 4).await;
}

/// Nobody is upgraded who has not asked for it.
#[tokio::test]
async fn without_the_setting_it_is_http() {
    let host = Host::with(HTTP).await;
    publish(&host, records([HttpsRecord::new(1, TARGET)]));
    connect(&host.configured(patient()), &host.uri("http")).await.unwrap();
}
