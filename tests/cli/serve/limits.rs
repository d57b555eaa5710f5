//! Bounds: of time, of probes, of clients.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::exporter::{Exporter, Gate, get, path};
use crate::host::{HTTPS, Host, V4};
use crate::lab::Site;

/// In time and complete. Of twenty scrapes one has to be both: a machine that stands still proves nothing.
#[tokio::test]
async fn a_probe_ends_before_its_scrape_does() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], Site::Silent)]).await;
    let exporter = Exporter::start(&host, &[]).await;
    let complete =
        [("probe_family_faults{class=\"silent\",ip_protocol=\"4\"}", 2.0), ("probe_failure{stage=\"timeout\"}", 1.0)];
    for _ in 0..20 {
        let start = Instant::now();
        let metrics = exporter.probe_within(&host.uri("https"), "1.000000").await;
        let elapsed = start.elapsed();
        assert_eq!(metrics.value("probe_success"), 0.0);
        assert_eq!(metrics.value("probe_timeout_seconds"), 0.5);
        let is_complete = complete.iter().all(|&(series, value)| metrics.get(series) == Some(value));
        if is_complete && elapsed < Duration::from_secs(1) {
            return;
        }
        println!("after {elapsed:?}: {metrics:#?}");
    }
    panic!("not one of twenty was in time and complete");
}

#[tokio::test]
async fn without_a_scrape_timeout_the_own_counts() {
    let host = Host::with(Site::Silent).await;
    let exporter = Exporter::start(&host, &["--timeout", "0.5", "--connect-timeout", "60"]).await;
    let start = Instant::now();
    let metrics = exporter.probe(&host.uri("https")).await;
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(metrics.value("probe_timeout_seconds"), 0.5);
    let metrics = exporter.probe_within(&host.uri("https"), "60").await;
    assert_eq!(metrics.value("probe_timeout_seconds"), 0.5);
}

#[tokio::test]
async fn fifty_probes_run_at_once_and_the_next_is_refused() {
    let host = Host::with(HTTPS).await;
    let gate = Gate::start().await;
    let exporter = Exporter::start(&host, &["--timeout", "60", "--connect-timeout", "60"]).await;
    let (addr, path) = (exporter.addr, path(&gate.url()));
    let mut probes = JoinSet::new();
    for _ in 0..50 {
        probes.spawn(get(addr, path.clone()));
    }
    exporter.until("eyeballs_probes_running", 50.0).await;
    let refused = exporter.get(&path).await;
    assert_eq!((refused.status, &*refused.headers["retry-after"]), (503, "1"), "{refused:?}");
    assert_eq!(exporter.metrics().await.value("eyeballs_probes_rejected_total"), 1.0);
    gate.open();
    while let Some(answer) = probes.join_next().await {
        assert_eq!(answer.unwrap().metrics().value("probe_success"), 1.0);
    }
    let metrics = exporter.metrics().await;
    assert_eq!(metrics.value("eyeballs_probes_total{result=\"ok\"}"), 50.0);
    assert_eq!(metrics.value("eyeballs_probes_running"), 0.0);
    assert_eq!(metrics.value("eyeballs_probe_duration_seconds_count"), 50.0);
    assert_eq!(exporter.get(&path).await.status, 200);
    #[cfg(target_os = "linux")]
    assert_peak_below(&exporter, 48);
}

/// Fifty at once, again and again, over TLS.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_is_bounded() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    let exporter = Exporter::start(&host, &["--timeout", "60", "--connect-timeout", "60"]).await;
    let path = path(&host.uri("https"));
    for _ in 0..4 {
        let mut probes = JoinSet::new();
        for _ in 0..50 {
            probes.spawn(get(exporter.addr, path.clone()));
        }
        while let Some(answer) = probes.join_next().await {
            assert_eq!(answer.unwrap().status, 200);
        }
    }
    assert_peak_below(&exporter, 96);
}

#[cfg(target_os = "linux")]
#[track_caller]
fn assert_peak_below(exporter: &Exporter, mebibytes: u64) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", exporter.child.id().unwrap())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let peak: u64 = peak.unwrap().trim().parse().unwrap();
    println!("peak of the resident memory: {peak} KiB");
    assert!(peak < mebibytes * 1024, "{peak} KiB");
}

#[tokio::test]
async fn a_client_that_dawdles_is_cut() {
    let host = Host::with(HTTPS).await;
    let exporter = Exporter::start(&host, &["--timeout", "60"]).await;
    // More than there may be connections, so that others have to wait for their end.
    let mut idle = Vec::new();
    for _ in 0..150 {
        let mut stream = TcpStream::connect(exporter.addr).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nx-").await.unwrap();
        idle.push(stream);
    }
    let start = Instant::now();
    assert_eq!(exporter.get("/metrics").await.status, 200);
    // They are accepted in the order in which they come: without a bound all would be here.
    #[cfg(target_os = "linux")]
    {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", exporter.child.id().unwrap())).unwrap().count();
        assert!(descriptors < idle.len(), "{descriptors}");
    }
    for mut stream in idle {
        // With a RST or a FIN.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    // Two rounds of 5 s; a whole connection might take 70 s.
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
}

/// A probe may have a socket for each of 32 addresses, and as many once more for the connect of a user.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_may_open_as_many_descriptors_as_there_are() {
    let host = Host::with(HTTPS).await;
    let exporter = Exporter::start(&host, &[]).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", exporter.child.id().unwrap())).unwrap();
    let limits: Vec<_> = limits.lines().filter_map(|line| line.strip_prefix("Max open files")).collect();
    let [soft, hard, "files"] = limits[0].split_whitespace().collect::<Vec<_>>()[..] else { panic!("{limits:?}") };
    assert_eq!(soft, hard);
}

#[tokio::test]
async fn a_long_head_is_refused() {
    let host = Host::with(HTTPS).await;
    let exporter = Exporter::start(&host, &[]).await;
    let mut stream = TcpStream::connect(exporter.addr).await.unwrap();
    let line = format!("x-filler: {}\r\n", "x".repeat(1000));
    stream.write_all(b"GET /metrics HTTP/1.1\r\n").await.unwrap();
    // It stops reading at some point.
    for _ in 0..10_000 {
        if stream.write_all(line.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "), "{}", answer.escape_ascii());
    #[cfg(target_os = "linux")]
    assert_peak_below(&exporter, 48);
}
