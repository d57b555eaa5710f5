//! Through hyper-util's client: what a program that swaps its connector sees.

mod host;
mod lab;
mod support;

use std::error::Error as StdError;
use std::io;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{FutureExt, join_all};
use hickory_server::proto::rr::RecordType;
use http::{Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper_happy_eyeballs::report::AttemptOutcome;
use hyper_happy_eyeballs::{EchStatus, Error, Report, TlsInfo};
use hyper_util::client::legacy::connect::HttpInfo;
use rustls::pki_types::ServerName;
use tokio::net::TcpListener;
use tokio::task::yield_now;
use tokio::time::timeout;

use host::{HOST, HTTP, HTTPS, Host, HttpClient, V4, client, faulty};
use lab::{Behaviour, Certificate, Server, Site};
use support::{chain, connect};

async fn get(client: &HttpClient, uri: &str) -> Response<Bytes> {
    let response = client.get(uri.parse().unwrap()).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    let (head, body) = response.into_parts();
    Response::from_parts(head, whole(body).await)
}

/// A body that was read to its end gives its connection back to the pool.
async fn whole(body: Incoming) -> Bytes {
    body.collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn http_and_https_are_fetched() {
    for (scheme, site) in [("http", HTTP), ("https", HTTPS)] {
        let host = Host::with(site).await;
        let response = get(&client(host.connector()), &host.uri(scheme)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.body(), format!("{}\n", host.addr(V4[0])).as_bytes());
        assert_eq!(response.version(), Version::HTTP_11);
        let server = host.server();
        assert_eq!((server.accepted(), server.requests(), server.stray_bytes()), (1, 1, 0));
        assert_eq!(server.handshakes(), usize::from(scheme == "https"));
    }
}

#[tokio::test]
async fn alpn_chooses_the_version_among_those_enabled() {
    let host = Host::with(HTTPS).await;
    let cases = [
        (host.builder(), Version::HTTP_11, "http/1.1"),
        (host.builder().enable_http1(), Version::HTTP_11, "http/1.1"),
        (host.builder().enable_http2(), Version::HTTP_2, "h2"),
        (host.builder().enable_http1().enable_http2(), Version::HTTP_2, "h2"),
        (host.builder().enable_all_versions(), Version::HTTP_2, "h2"),
        (host.builder().tls_config(host.ca.client_config(&["http/1.1"])).enable_http2(), Version::HTTP_11, "http/1.1"),
    ];
    for (builder, version, alpn) in cases {
        let response = get(&client(builder.build().unwrap()), &host.uri("https")).await;
        assert_eq!(response.version(), version);
        let tls = response.extensions().get::<TlsInfo>().unwrap();
        assert_eq!(tls.alpn(), Some(alpn.as_bytes()));
    }
    assert_eq!((host.server().handshakes(), host.server().requests()), (6, 6));
}

#[tokio::test]
async fn a_server_without_http_2_is_spoken_to_in_http_1() {
    let host = Host::with(Site::Refused).await;
    let mut config = host.ca.server_config(HOST, Certificate::Good);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let server = Server::start(listener, Some(Arc::new(config)), Behaviour::Serve).unwrap();
    let builder = host.builder().enable_all_versions().resolve(HOST, [server.addr()]);
    let response = get(&client(builder.build().unwrap()), &format!("https://{HOST}/")).await;
    assert_eq!(response.version(), Version::HTTP_11);
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_second_request_takes_the_pooled_connection() {
    for (scheme, site) in [("http", HTTP), ("https", HTTPS)] {
        let host = Host::with(site).await;
        let client = client(host.connector());
        let mut reports = Vec::new();
        for _ in 0..3 {
            let response = get(&client, &host.uri(scheme)).await;
            assert_eq!(response.version(), Version::HTTP_11);
            reports.push(response.extensions().get::<Arc<Report>>().unwrap().clone());
        }
        assert_eq!((host.server().accepted(), host.server().requests()), (1, 3));
        assert_eq!(host.dns.asked(HOST, RecordType::A), 1);
        assert!(reports.iter().all(|report| Arc::ptr_eq(report, &reports[0])), "one connect, one report");
    }
}

#[tokio::test]
async fn requests_of_http_2_share_one_connection() {
    let host = Host::with(HTTPS).await;
    let client = client(host.builder().enable_http2().build().unwrap());
    get(&client, &host.uri("https")).await;
    let uri = host.uri("https");
    for response in join_all((0..20).map(|_| get(&client, &uri))).await {
        assert_eq!(response.version(), Version::HTTP_2);
    }
    assert_eq!((host.server().accepted(), host.server().requests()), (1, 21));
}

#[tokio::test]
async fn responses_carry_addresses_report_and_tls_facts() {
    let host = Host::open([(V4[0], Site::Refused), (V4[1], HTTPS)]).await;
    let client = client(host.builder().enable_all_versions().build().unwrap());
    let response = get(&client, &host.uri("https")).await;
    let extensions = response.extensions();

    let info = extensions.get::<HttpInfo>().unwrap();
    assert_eq!(info.remote_addr(), host.addr(V4[1]));
    assert!(info.local_addr().ip().is_loopback() && info.local_addr().port() != 0);

    let report = extensions.get::<Arc<Report>>().unwrap();
    assert_eq!((report.origin().scheme(), report.origin().port()), ("https", host.sites.port()));
    assert_eq!(report.winner().unwrap().addr(), host.addr(V4[1]));
    let [refused, won] = report.attempts() else { panic!("{report}") };
    assert!(matches!(refused.outcome(), AttemptOutcome::Failed(_)) && refused.tcp().is_none());
    assert!(won.tcp().unwrap() >= won.start() && won.end().unwrap() >= won.tcp().unwrap());
    assert!(report.elapsed() >= won.end().unwrap());
    // HTTPS, AAAA and A.
    assert_eq!(report.queries().len(), 3);

    let tls = extensions.get::<TlsInfo>().unwrap();
    assert_eq!((tls.version(), tls.alpn()), ("TLSv1.3", Some(&b"h2"[..])));
    assert!(tls.cipher_suite().starts_with("TLS_"), "{}", tls.cipher_suite());
    assert_eq!((tls.resumed(), tls.ech(), tls.peer_certificates().len()), (false, EchStatus::NotOffered, 1));
}

#[tokio::test]
async fn responses_over_tcp_carry_no_tls_facts() {
    let host = Host::with(HTTP).await;
    let response = get(&client(host.connector()), &host.uri("http")).await;
    assert_eq!(response.extensions().get::<HttpInfo>().unwrap().remote_addr(), host.addr(V4[0]));
    assert!(response.extensions().get::<Arc<Report>>().unwrap().winner().is_some());
    assert!(response.extensions().get::<TlsInfo>().is_none());
}

#[tokio::test]
async fn the_connectors_error_is_among_the_causes_of_the_clients() {
    let host = Host::open([(V4[0], Site::Refused), (V4[1], Site::Refused)]).await;
    let error = client(host.connector()).get(host.uri("http").parse().unwrap()).await.unwrap_err();
    assert!(error.is_connect());
    let ours = error.source().and_then(|error| error.downcast_ref::<Error>()).expect("the cause is ours");
    assert!(ours.is_connect());
    assert_eq!(ours.report().unwrap().attempts().len(), 2);
    // Who looks for an I/O error below it finds one, as below HttpConnector's.
    let io = ours.source().and_then(|error| error.downcast_ref::<io::Error>()).unwrap();
    assert_eq!(io.kind(), io::ErrorKind::ConnectionRefused);
}

/// A server with a certificate for `name`.
async fn server_for(host: &Host, name: &str) -> Server {
    let config = host.ca.server_config(name, Certificate::Good);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    Server::start(listener, Some(Arc::new(config)), Behaviour::Serve).unwrap()
}

#[tokio::test]
async fn the_host_is_the_server_name() {
    let host = Host::with(Site::Refused).await;
    let server = server_for(&host, HOST).await;
    let connector =
        host.builder().resolve(HOST, [server.addr()]).resolve("alias.lab.test", [server.addr()]).build().unwrap();
    connect(&connector, &format!("https://{HOST}/")).await.unwrap();
    assert_eq!(server.hello().await.server_name.as_deref(), Some(HOST));

    server.forget();
    let error = connect(&connector, "https://alias.lab.test/").await.unwrap_err();
    assert!(error.is_certificate(), "{error}");
    assert_eq!(server.hello().await.server_name.as_deref(), Some("alias.lab.test"));
}

#[tokio::test]
async fn a_final_dot_is_no_part_of_the_server_name() {
    let host = Host::with(Site::Refused).await;
    let server = server_for(&host, HOST).await;
    host.dns.set(HOST, RecordType::A, lab::Reply::a([Ipv4Addr::LOCALHOST]));
    connect(&host.connector(), &format!("https://{HOST}.:{}/", server.addr().port())).await.unwrap();
    assert_eq!(server.hello().await.server_name.as_deref(), Some(HOST));
    assert_eq!(host.dns.asked(HOST, RecordType::A), 1);
}

/// Proves: NAM-5
#[tokio::test]
async fn a_literal_sends_no_server_name_and_is_checked_against_the_certificate() {
    let host = Host::with(HTTPS).await;
    let server = server_for(&host, "127.0.0.1").await;
    connect(&host.connector(), &format!("https://{}/", server.addr())).await.unwrap();
    assert_eq!(server.hello().await.server_name, None);
    assert_eq!(host.dns.log().len(), 0);

    // This one's certificate is for the name only.
    let error = connect(&host.connector(), &format!("https://{}/", host.addr(V4[0]))).await.unwrap_err();
    assert!(error.is_certificate(), "{error}");
}

/// With a ticket the handshake would be shorter; the next address still has to wait for as long.
///
/// Proves: ATT-6
#[tokio::test]
async fn a_session_that_can_be_resumed_does_not_change_the_delay() {
    let host = Host::open([(V4[0], faulty(Behaviour::Stall)), (V4[1], HTTPS)]).await;
    let mut config = host::config();
    // The round-trip time that the first connect learns would change it.
    config.use_history(false);
    let connector = host.configured(config);
    for resumed in [false, true] {
        let response = get(&client(connector.clone()), &host.uri("https")).await;
        assert_eq!(response.extensions().get::<TlsInfo>().unwrap().resumed(), resumed);
        let report = response.extensions().get::<Arc<Report>>().unwrap();
        let [stalled, won] = report.attempts() else { panic!("{report}") };
        let delay = won.start() - stalled.start();
        // Below the longest delay that there is, of 2 s.
        assert!((Duration::from_millis(250)..Duration::from_millis(1500)).contains(&delay), "{report}");
    }
}

#[tokio::test]
async fn the_server_name_can_be_chosen_by_uri() {
    let host = Host::with(Site::Refused).await;
    let server = server_for(&host, HOST).await;
    let connector = host
        .builder()
        .resolve("alias.lab.test", [server.addr()])
        .server_name_resolver(|uri: &http::Uri| {
            assert_eq!(uri.host(), Some("alias.lab.test"));
            ServerName::try_from(HOST)
        })
        .build()
        .unwrap();
    connect(&connector, "https://alias.lab.test/").await.unwrap();
    assert_eq!(server.hello().await.server_name.as_deref(), Some(HOST));
}

#[tokio::test]
async fn a_server_name_that_cannot_be_chosen_fails_the_connect_before_anything_is_sent() {
    let host = Host::with(HTTPS).await;
    let refuse = |_: &http::Uri| Err::<ServerName<'static>, _>("no name for this one");
    let connector = host.builder().server_name_resolver(refuse).build().unwrap();
    let error = connect(&connector, &host.uri("https")).await.unwrap_err();
    assert!(error.is_tls() && !error.is_certificate());
    assert!(error.to_string().contains("no name for this one"), "{error}");
    assert_eq!((host.dns.log().len(), host.server().accepted()), (0, 0));
}

#[tokio::test]
async fn a_second_fresh_connection_resumes_the_session() {
    let host = Host::with(HTTPS).await;
    let connector = host.connector();
    // Clones share the sessions as they share the answers.
    for resumed in [false, true] {
        let client = client(connector.clone());
        let response = get(&client, &host.uri("https")).await;
        let tls = response.extensions().get::<TlsInfo>().unwrap();
        assert_eq!(tls.resumed(), resumed);
        assert_eq!(tls.peer_certificates().len(), 1);
    }
    assert_eq!((host.server().accepted(), host.server().requests()), (2, 2));
}

/// One past the bound waits until another attempt ends. Connections that are there do not count.
#[tokio::test]
async fn the_attempts_of_all_clones_are_bounded_together() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], HTTP)]).await;
    let connector = host.bare_builder().plaintext().max_attempts_in_flight(Some(2)).build().unwrap();
    let [silent, live] = [V4[0], V4[1]].map(|ip| format!("http://{}/", host.addr(ip)));
    let get_stuck = || {
        let (connector, silent) = (connector.clone(), silent.clone());
        tokio::spawn(async move { connect(&connector, &silent).await })
    };
    let _first = get_stuck();
    let mut connections = Vec::new();
    for _ in 0..3 {
        connections.push(connect(&connector, &live).await.unwrap());
    }

    let second = get_stuck();
    yield_now().await;
    let mut waiting = pin!(connect(&connector, &live));
    // Its clock begins before that of the timeout.
    assert!(waiting.as_mut().now_or_never().is_none());
    assert!(timeout(Duration::from_millis(100), &mut waiting).await.is_err(), "two are in flight");
    let mut other = connector.clone();
    other.set_max_attempts_in_flight(Some(1));
    connect(&other, &live).await.unwrap();

    second.abort();
    let stream = waiting.await.unwrap();
    assert!(stream.report().attempts()[0].start() >= Duration::from_millis(100), "{}", stream.report());
}
