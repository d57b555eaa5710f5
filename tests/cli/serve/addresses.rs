//! Each address and family, and whom the exporter does not dial.

use std::net::Ipv4Addr;

use hickory_server::proto::rr::RecordType;

use super::exporter::{Exporter, path};
use super::text::Metrics;
use crate::host::{HOST, HTTP, HTTPS, Host, V4, assert_untouched};
use crate::lab::{Certificate, HttpsRecord, Loopback, Reply, Site};

#[tokio::test]
async fn a_broken_family_of_a_site_that_is_up_stands_out() {
    if Loopback::detect().await == Loopback::Ipv4Only {
        return;
    }
    let v6 = Loopback::Both.first();
    let host = Host::open([(v6, Site::Silent), (V4[1], HTTPS)]).await;
    let exporter = Exporter::start(&host, &["--connect-timeout", "2"]).await;
    let metrics = exporter.probe(&host.uri("https")).await;
    for (series, value) in [
        ("probe_success", 1.0),
        ("probe_verdict{level=\"degraded\"}", 1.0),
        ("probe_ip_protocol", 4.0),
        ("probe_race_winner_ip_protocol", 4.0),
        ("probe_race_attempts", 2.0),
        ("probe_family_success{ip_protocol=\"6\"}", 0.0),
        ("probe_family_success{ip_protocol=\"4\"}", 1.0),
        ("probe_family_addresses{ip_protocol=\"6\"}", 1.0),
        ("probe_family_addresses{ip_protocol=\"4\"}", 1.0),
        ("probe_family_faults{class=\"silent\",ip_protocol=\"6\"}", 1.0),
        ("probe_address_success{ip=\"::1\",ip_protocol=\"6\"}", 0.0),
        ("probe_address_success{ip=\"127.0.0.9\",ip_protocol=\"4\"}", 1.0),
        ("probe_address_fault{class=\"silent\",ip=\"::1\",ip_protocol=\"6\"}", 1.0),
        ("probe_address_http_status_code{ip=\"127.0.0.9\",ip_protocol=\"4\"}", 200.0),
        ("probe_address_cert_expiry_timestamp_seconds{ip=\"127.0.0.9\",ip_protocol=\"4\"}", 67_090_118_400.0),
    ] {
        assert_eq!(metrics.value(series), value, "{series}");
    }
    // The Connection Attempt Delay is 250 ms.
    assert!(metrics.value("probe_race_fallback_seconds") >= 0.2);
    for phase in ["connect", "tls", "processing"] {
        let series = format!("probe_address_duration_seconds{{ip=\"127.0.0.9\",ip_protocol=\"4\",phase=\"{phase}\"}}");
        assert!(metrics.value(&series) > 0.0, "{series}");
    }
    assert_eq!(metrics.of("probe_address_duration_seconds").len(), 3, "{metrics:#?}");
    assert_eq!(metrics.of("probe_family_faults").len(), 1, "{metrics:#?}");
}

/// A family works while one of its addresses does.
#[tokio::test]
async fn the_faults_of_a_family_are_counted_by_class() {
    let expired = Site::Https(Certificate::Expired, crate::lab::Behaviour::Serve);
    let host = Host::open([(V4[0], expired), (V4[1], HTTPS), (V4[2], expired)]).await;
    let exporter = Exporter::start(&host, &[]).await;
    let metrics = exporter.probe(&host.uri("https")).await;
    assert_eq!(metrics.value("probe_family_faults{class=\"certificate\",ip_protocol=\"4\"}"), 2.0);
    assert_eq!(metrics.value("probe_family_success{ip_protocol=\"4\"}"), 1.0);
    assert_eq!(metrics.get("probe_family_success{ip_protocol=\"6\"}"), None);
    assert_eq!(metrics.of("probe_address_success").len(), 3);
}

#[tokio::test]
async fn where_records_lead_elsewhere_port_and_target_are_labels() {
    let host = Host::with(Site::Refused).await;
    let elsewhere = Host::open([(V4[1], HTTP)]).await;
    let moved = HttpsRecord::new(1, "svc.lab.test").port(elsewhere.sites.port());
    host.dns.set(&host.https_name(), RecordType::HTTPS, Reply::records([moved.into()]));
    host.dns.set("svc.lab.test", RecordType::A, Reply::a([Ipv4Addr::new(127, 0, 0, 9)]));
    let exporter = Exporter::start(&host, &["--connect-timeout", "2"]).await;
    let metrics = exporter.probe(&host.uri("https")).await;
    let port = elsewhere.sites.port();
    let there =
        format!("probe_address_success{{ip=\"127.0.0.9\",ip_protocol=\"4\",port=\"{port}\",target=\"svc.lab.test.\"}}");
    let here = "probe_address_success{ip=\"127.0.0.8\",ip_protocol=\"4\",port=\"\",target=\"\"}";
    assert_eq!((metrics.value(&there), metrics.value(here)), (0.0, 0.0));
}

#[tokio::test]
async fn private_addresses_are_neither_dialled_nor_told() {
    let host = Host::open([(V4[0], HTTP), (V4[1], HTTP)]).await;
    let exporter = Exporter::start_guarded(&host, &[]).await;
    let port = host.sites.port();
    let literal = format!("http://127.0.0.8:{port}/");
    let mapped = format!("http://[::ffff:127.0.0.8]:{port}/");
    let unspecified = format!("http://0.0.0.0:{port}/");
    for (target, addresses) in [(host.uri("http"), 2.0), (literal, 1.0), (mapped, 1.0), (unspecified, 1.0)] {
        let answer = exporter.get(&path(&target)).await;
        for secret in ["127.0", "::", "loopback", "0.0.0.0\""] {
            assert!(!answer.body.contains(secret), "{target}: {secret} in {}", answer.body);
        }
        let metrics = answer.metrics();
        assert_eq!((metrics.value("probe_success"), metrics.value("probe_race_attempts")), (0.0, 0.0), "{target}");
        let faults = "probe_family_faults{class=\"denied\",ip_protocol=\"4\"}";
        assert_eq!(metrics.value(faults), addresses, "{target}");
        assert_eq!(metrics.value("probe_failure{stage=\"policy\"}"), 1.0, "{target}");
        assert_eq!(metrics.of("probe_family_success"), [""; 0], "{target}");
        assert!(of_addresses(&metrics).is_empty(), "{target}: {metrics:#?}");
    }
    assert!(host.dns.asked(HOST, RecordType::A) > 0);
    for server in host.sites.servers() {
        assert_untouched(server).await;
    }
}

fn of_addresses(metrics: &Metrics) -> Vec<&str> {
    let families = ["success", "fault", "duration_seconds", "http_status_code", "cert_expiry_timestamp_seconds"];
    families.iter().flat_map(|family| metrics.of(&format!("probe_address_{family}"))).collect()
}
