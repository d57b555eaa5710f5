//! The real Prometheus and its promtool. Where they are not installed these tests say so and pass, unless
//! `HAPPY_EYEBALLS_REQUIRE_PROMETHEUS=1` is set.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::exporter::{Exporter, ask, in_time};
use crate::host::{HTTPS, Host, V4};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/prometheus");

/// What `promtool check metrics` thinks of `text`.
#[track_caller]
pub(super) fn check_metrics(text: &str) {
    if !is_installed() {
        return;
    }
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn promtool_refuses_bad_metrics() {
    if is_installed() {
        let refused = std::panic::catch_unwind(|| check_metrics("# TYPE probe_success counter\nprobe_success 1\n"));
        assert!(refused.is_err());
    }
}

#[test]
fn the_examples_are_valid() {
    if !is_installed() {
        return;
    }
    promtool(&["check", "config", &format!("{EXAMPLE}/prometheus.yml")]);
    promtool(&["check", "rules", &format!("{EXAMPLE}/alerts.yml")]);
}

#[test]
fn the_alerts_fire_when_they_should() {
    if !is_installed() {
        return;
    }
    let dir = Dir::new("alerts");
    let rules = std::fs::read_to_string(format!("{EXAMPLE}/alerts.yml")).unwrap();
    dir.write("alerts.yml", &rules);
    promtool(&["test", "rules", &dir.write("alerts_test.yml", include_str!("alerts_test.yml"))]);
}

/// The example's configuration, but for who is probed and by whom, and how often.
#[tokio::test]
async fn a_real_prometheus_scrapes_it() {
    if !is_installed() {
        return;
    }
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    let exporter = Exporter::start(&host, &[]).await;
    let dir = Dir::new("prometheus");
    let mut config = std::fs::read_to_string(format!("{EXAMPLE}/prometheus.yml")).unwrap();
    let url = host.uri("https") + "?a=b&c=d+e";
    for (from, to) in [
        ("https://www.example.org/\n", format!("{url}\n")),
        ("https://www.example.com/login\n", "https://none.lab.test/\n".into()),
        ("127.0.0.1:9115", exporter.addr.to_string()),
        ("scrape_interval: 30s", "scrape_interval: 1s".into()),
        ("scrape_timeout: 10s", "scrape_timeout: 1s".into()),
        ("- alerts.yml", format!("- {EXAMPLE}/alerts.yml")),
    ] {
        assert!(config.contains(from), "{from}");
        config = config.replace(from, &to);
    }
    let config = dir.write("prometheus.yml", &config);
    // It cannot be told to take a free port and say which; on this address nobody else is likely to take it.
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 77), 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let mut prometheus = tokio::process::Command::new("prometheus");
    prometheus.arg(format!("--config.file={config}")).arg(format!("--web.listen-address={addr}"));
    prometheus.arg(format!("--storage.tsdb.path={}", dir.0.join("data").display())).arg("--log.level=error");
    let mut prometheus = prometheus.kill_on_drop(true).spawn().unwrap();

    // A scrape that is late says something else, and the next one is right.
    let mut until = async |query: &str, expected: &str| {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let head = format!("GET /api/v1/query?query={encoded} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let reached = async {
            loop {
                sleep(Duration::from_millis(200)).await;
                assert_eq!(prometheus.try_wait().unwrap(), None, "Prometheus has ended");
                if tokio::net::TcpStream::connect(addr).await.is_err() {
                    continue;
                }
                let answer = ask(addr, &head).await;
                let Ok(json) = serde_json::from_str::<Value>(&answer.body) else { continue };
                match json["data"]["result"][0]["value"][1].as_str() {
                    Some(value) if value == expected => return,
                    value => println!("{query}: {value:?} instead of {expected}"),
                }
            }
        };
        in_time(reached).await;
    };
    let of_site = |series: &str| format!("{series}{{vantage=\"home\",instance=\"{url}\"}}");
    until(&of_site("probe_success"), "1").await;
    until(&of_site("up"), "1").await;
    // It has told its scrape timeout.
    until(&of_site("probe_timeout_seconds"), "0.5").await;
    until(&format!("count({})", of_site("probe_address_success")), "2").await;
    until("probe_success{vantage=\"home\",instance=\"https://none.lab.test/\"}", "0").await;
    until("eyeballs_build_info", "1").await;
}

#[track_caller]
fn promtool(args: &[&str]) {
    let output = Command::new("promtool").args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{args:?}\n{}{}", text(&output.stdout), text(&output.stderr));
}

/// # Panics
///
/// If it has to be installed, and is not.
fn is_installed() -> bool {
    static SAID: Once = Once::new();
    let runs = |program| Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if runs("promtool").is_ok() && runs("prometheus").is_ok() {
        return true;
    }
    let is_required = std::env::var_os("HAPPY_EYEBALLS_REQUIRE_PROMETHEUS").is_some_and(|value| value == "1");
    assert!(!is_required, "prometheus and promtool are not installed");
    // Past what the harness captures.
    SAID.call_once(|| {
        let _ = writeln!(std::io::stderr(), "SKIPPED: what needs prometheus and promtool, which are not installed");
    });
    false
}

/// A directory, as long as it lives.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file, and returns its path.
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().expect("it is UTF-8").to_owned()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
