//! What a user meets.

use std::net::Ipv4Addr;

use futures_util::FutureExt;
use hickory_server::proto::rr::RecordType;
use tokio::net::TcpListener;

use super::exporter::{Exporter, path};
use crate::host::{HOST, HTTP, HTTPS, Host, V4, assert_untouched, faulty};
use crate::lab::{Behaviour, Certificate, Reply, Site};
use crate::tool::answering;

/// What blackbox_exporter has for https without a label: exactly one series each.
const ONE_EACH: [&str; 14] = [
    "probe_success",
    "probe_duration_seconds",
    "probe_timeout_seconds",
    "probe_dns_lookup_time_seconds",
    "probe_ip_protocol",
    "probe_ip_addr_hash",
    "probe_http_status_code",
    "probe_http_version",
    "probe_http_ssl",
    "probe_http_redirects",
    "probe_http_content_length",
    "probe_ssl_earliest_cert_expiry",
    "probe_race_attempts",
    "probe_race_fallback_seconds",
];

#[tokio::test]
async fn a_good_site_is_told_under_the_names_of_blackbox_exporter() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    // Long enough for one attempt on a busy machine.
    let exporter = Exporter::start(&host, &["--attempt-delay", "10000"]).await;
    let metrics = exporter.probe(&host.uri("https")).await;
    for family in ONE_EACH {
        assert_eq!(metrics.of(family), [family]);
    }
    let body = format!("{}\n", host.addr(V4[0]));
    for (series, value) in [
        ("probe_success", 1.0),
        ("probe_timeout_seconds", 10.0),
        ("probe_ip_protocol", 4.0),
        // FNV-1a of 127.0.0.8.
        ("probe_ip_addr_hash", 3_517_919_938.0),
        ("probe_http_status_code", 200.0),
        ("probe_http_version", 2.0),
        ("probe_http_ssl", 1.0),
        ("probe_http_redirects", 0.0),
        ("probe_http_content_length", body.len() as f64),
        // The first second of 4096, which is rcgen's default.
        ("probe_ssl_earliest_cert_expiry", 67_090_118_400.0),
        ("probe_tls_version_info{version=\"TLS 1.3\"}", 1.0),
        ("probe_race_winner_ip_protocol", 4.0),
        ("probe_race_fallback_seconds", 0.0),
        ("probe_race_attempts", 1.0),
        ("probe_verdict{level=\"ok\"}", 1.0),
        ("probe_verdict{level=\"degraded\"}", 0.0),
        ("probe_verdict{level=\"down\"}", 0.0),
        ("probe_dns_failed{type=\"A\"}", 0.0),
        ("probe_dns_failed{type=\"AAAA\"}", 0.0),
    ] {
        assert_eq!(metrics.value(series), value, "{series}");
    }
    let [cipher] = metrics.of("probe_tls_cipher_info")[..] else { panic!("{metrics:#?}") };
    assert!(cipher.starts_with("probe_tls_cipher_info{cipher=\"TLS_"), "{cipher}");
    assert_eq!(metrics.of("probe_failure"), [""; 0]);

    let phase = |phase| metrics.value(&format!("probe_http_duration_seconds{{phase=\"{phase}\"}}"));
    let phases = ["resolve", "connect", "tls", "processing"].map(phase);
    assert!(phases.iter().all(|&seconds| seconds > 0.0), "{phases:?}");
    assert_eq!((phase("transfer"), phase("resolve")), (0.0, metrics.value("probe_dns_lookup_time_seconds")));
    assert!(phases.iter().sum::<f64>() <= metrics.value("probe_duration_seconds"));
}

#[tokio::test]
async fn what_did_not_come_to_be_is_0() {
    let host = Host::with(Site::Refused).await;
    let exporter = Exporter::start(&host, &[]).await;
    let metrics = exporter.probe(&host.uri("https")).await;
    for series in [
        "probe_success",
        "probe_ip_protocol",
        "probe_ip_addr_hash",
        "probe_http_status_code",
        "probe_http_version",
        "probe_http_ssl",
        "probe_http_content_length",
        "probe_http_duration_seconds{phase=\"connect\"}",
        "probe_http_duration_seconds{phase=\"processing\"}",
    ] {
        assert_eq!(metrics.value(series), 0.0, "{series}");
    }
    for family in ["probe_ssl_earliest_cert_expiry", "probe_tls_version_info", "probe_race_fallback_seconds"] {
        assert_eq!(metrics.of(family), [""; 0]);
    }
    assert_eq!(metrics.value("probe_verdict{level=\"down\"}"), 1.0);
}

#[tokio::test]
async fn a_failure_has_its_stage() {
    let site = async |site, scheme, stage: &str| {
        let host = Host::with(site).await;
        // What fails by itself has the usual time for it.
        let short = if stage == "timeout" { &["--connect-timeout", "1"][..] } else { &[] };
        let exporter = Exporter::start(&host, short).await;
        let metrics = exporter.probe(&host.uri(scheme)).await;
        assert_eq!(metrics.value("probe_success"), 0.0);
        assert_eq!(metrics.of("probe_failure"), [format!("probe_failure{{stage=\"{stage}\"}}")]);
    };
    site(Site::Refused, "https", "tcp").await;
    site(Site::Silent, "https", "timeout").await;
    site(faulty(Behaviour::ResetHello), "https", "tls").await;
    site(Site::Https(Certificate::Expired, Behaviour::Serve), "https", "certificate").await;
    site(Site::Http(Behaviour::Garbage), "http", "http").await;
    site(Site::Http(Behaviour::Stall), "http", "timeout").await;
}

#[tokio::test]
async fn a_name_that_is_not_resolved_is_down() {
    let host = Host::with(HTTPS).await;
    let exporter = Exporter::start(&host, &[]).await;
    let metrics = exporter.probe("https://none.lab.test/").await;
    assert_eq!(metrics.value("probe_success"), 0.0);
    assert_eq!(metrics.value("probe_failure{stage=\"dns\"}"), 1.0);
    for family in ["4", "6"] {
        assert_eq!(metrics.value(&format!("probe_family_addresses{{ip_protocol=\"{family}\"}}")), 0.0);
    }
    host.dns.set(HOST, RecordType::AAAA, Reply::serv_fail());
    let metrics = exporter.probe(&host.uri("https")).await;
    assert_eq!(metrics.value("probe_success"), 1.0);
    assert_eq!(metrics.value("probe_verdict{level=\"degraded\"}"), 1.0);
    assert_eq!(metrics.value("probe_dns_failed{type=\"AAAA\"}"), 1.0);
    assert_eq!(metrics.value("probe_dns_failed{type=\"A\"}"), 0.0);
}

#[tokio::test]
async fn a_status_is_success_below_500() {
    let host = Host::with(HTTP).await;
    let exporter = Exporter::start(&host, &[]).await;
    let answers: [(&'static [u8], f64, f64); 3] = [
        (b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", 302.0, 1.0),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", 404.0, 1.0),
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", 503.0, 0.0),
    ];
    for (answer, status, success) in answers {
        let metrics = exporter.probe(&format!("http://{}/", answering(answer).await)).await;
        let found = (metrics.value("probe_http_status_code"), metrics.value("probe_success"));
        assert_eq!(found, (status, success));
        assert_eq!(metrics.get("probe_failure{stage=\"status\"}").is_some(), success == 0.0);
    }
    let untold = answering(b"HTTP/1.1 200 OK\r\n\r\nhello").await;
    assert_eq!(exporter.probe(&format!("http://{untold}/")).await.value("probe_http_content_length"), -1.0);
}

#[tokio::test]
async fn a_bad_request_is_400_and_dials_nobody() {
    let host = Host::with(HTTP).await;
    let exporter = Exporter::start(&host, &[]).await;
    let authority = host.addr(V4[0]).to_string();
    let bad = [
        "/probe".to_owned(),
        "/probe?target=".to_owned(),
        "/probe?module=http".to_owned(),
        path(&authority),
        path(&format!("ftp://{authority}/")),
        path(&format!("http://user:secret@{authority}/")),
        path("http://h:99999/"),
        path(&format!("http://{authority}/")) + "&module=tcp_connect",
    ];
    for path in bad {
        let answer = exporter.get(&path).await;
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        assert!(!answer.body.is_empty() && !answer.body.contains("secret"), "{path}: {answer:?}");
    }
    let timeout =
        format!("GET {} HTTP/1.1\r\nX-Prometheus-Scrape-Timeout-Seconds: soon\r\n\r\n", path(&host.uri("http")));
    assert_eq!(exporter.ask(&timeout).await.status, 400);
    assert_untouched(host.server()).await;
    let answer = exporter.get(&(path(&host.uri("http")) + "&module=http&debug=true")).await;
    assert_eq!(answer.metrics().value("probe_success"), 1.0);
}

/// Another vantage point is another exporter.
#[tokio::test]
async fn a_request_names_no_proxy() {
    let host = Host::with(HTTP).await;
    let exporter = Exporter::start(&host, &[]).await;
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let via = format!("&via=socks5h://{}", proxy.local_addr().unwrap());
    let answer = exporter.get(&(path(&host.uri("http")) + &via)).await;
    assert_eq!(answer.metrics().value("probe_success"), 1.0);
    assert!(proxy.accept().now_or_never().is_none(), "what had connected would be there by now");
}

#[tokio::test]
async fn other_pages_are_404_and_other_methods_405() {
    let host = Host::with(HTTP).await;
    let exporter = Exporter::start(&host, &[]).await;
    for path in ["/metric", "/probe/", "/metrics/x", "//"] {
        assert_eq!(exporter.get(path).await.status, 404, "{path}");
    }
    for head in ["POST /metrics", "HEAD /", "PUT /probe?target=http://127.0.0.1/"] {
        let answer = exporter.ask(&format!("{head} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")).await;
        assert_eq!((answer.status, &*answer.headers["allow"]), (405, "GET"), "{head}");
    }
    let home = exporter.get("/").await;
    assert_eq!((home.status, &*home.headers["content-type"]), (200, "text/html; charset=utf-8"));
    assert!(home.body.contains("href=\"/metrics\"") && home.body.contains("href=\"/probe?target="), "{home:?}");
}
