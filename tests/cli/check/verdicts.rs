//! Verdicts, by exit code, in words and in JSON.

use hickory_server::proto::rr::RecordType;
use serde_json::{Value, json};

use super::check;
use crate::host::{HOST, HTTPS, Host, V4, assert_untouched, faulty};
use crate::lab::{Behaviour, Certificate, HttpsRecord, Reply, Site};
use crate::schema::{assert_documented, column};
use crate::tool::{Run, answering, run};

/// Asserts code, verdict and the fault of the first address in JSON.
#[track_caller]
fn assert_told(run: &Run, code: i32, verdict: &str, class: &str) -> Value {
    let line = run.line();
    assert_documented(&line, "eyeballs check");
    assert_eq!((run.code, &line["verdict"]), (code, &json!(verdict)), "{run:?}");
    assert_eq!(line["addresses"][0]["probe"]["fault"]["class"], class, "{run:?}");
    assert!(column("fault").contains(class), "{class}");
    assert_eq!(run.err, "");
    line
}

/// A site at fault degrades beside a good one, and is down alone; a table says so in `words`.
async fn assert_fault(site: Site, class: &str, words: &str) {
    let (beside, alone) = (Host::open([(V4[0], site), (V4[1], HTTPS)]).await, Host::with(site).await);
    for (host, code, verdict) in [(beside, 1, "degraded"), (alone, 2, "down")] {
        let url = host.uri("https");
        assert_told(&check(&host, &["--no-drill", "--json", &url]).await, code, verdict, class);
        let drawn = check(&host, &["--no-drill", &url]).await;
        assert_eq!(drawn.code, code, "{drawn:?}");
        assert!(drawn.out.starts_with(verdict), "{}", drawn.out);
        let row = format!("{}  {words}", V4[0]);
        assert!(drawn.out.lines().any(|line| line.starts_with(&row)), "{}", drawn.out);
    }
}

#[tokio::test]
async fn a_refusing_address_is_told() {
    assert_fault(Site::Refused, "refused", "refused").await;
}

#[tokio::test]
async fn a_silent_address_is_told() {
    assert_fault(Site::Silent, "silent", "silent (filtered)").await;
}

#[tokio::test]
async fn a_stalled_handshake_is_told() {
    assert_fault(faulty(Behaviour::Stall), "tls_stalled", "TLS stalled").await;
}

#[tokio::test]
async fn a_bad_certificate_is_told() {
    let site = Site::Https(Certificate::OtherName, Behaviour::Serve);
    assert_fault(site, "certificate", "wrong certificate").await;
}

#[tokio::test]
async fn an_error_of_the_server_is_told_by_its_status() {
    let addr = answering(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await;
    let url = format!("http://{addr}/");
    let line = assert_told(&run(["check", "--json", &url]).await, 2, "down", "status");
    assert_eq!(line["addresses"][0]["probe"]["http"]["status"], 503);
    let drawn = run(["check", &url]).await;
    let row = drawn.out.lines().find(|line| line.starts_with("127.0.0.1  ")).unwrap();
    assert_eq!(row.split_whitespace().nth(1), Some("503"), "{}", drawn.out);
}

#[tokio::test]
async fn a_denied_address_is_told_and_left_alone() {
    let host = Host::with(HTTPS).await;
    let url = host.uri("https");
    let run = check(&host, &["--public-only", "--json", &url]).await;
    let line = assert_told(&run, 2, "down", "denied");
    assert_eq!(line["addresses"][0]["ping"], json!(null));
    let drawn = check(&host, &["--public-only", &url]).await;
    assert!(drawn.out.contains("\n127.0.0.8  denied"), "{}", drawn.out);
    assert!(drawn.out.contains("is loopback (RFC 1122)"), "{}", drawn.out);
    assert_untouched(host.server()).await;
}

#[tokio::test]
async fn a_site_that_is_ok_has_every_part() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    host.dns.set(&host.https_name(), RecordType::HTTPS, Reply::records([HttpsRecord::new(1, HOST).into()]));
    let url = host.uri("https");
    let run = check(&host, &["--json", &url]).await;
    let line = run.line();
    assert_documented(&line, "eyeballs check");
    assert_eq!((run.code, &line["verdict"], &line["url"]), (0, &json!("ok"), &json!(url)), "{run:?}");
    assert_eq!(line["notes"], json!(["no AAAA: IPv6-only users cannot reach it unless their network translates"]));

    let told = |lookup: &Value| ["type", "outcome", "answers"].map(|key| lookup[key].clone());
    let dns = line["dns"].as_array().unwrap();
    assert_eq!(told(&dns[0]), [json!("HTTPS"), json!("answer"), json!(["1 www.lab.test."])]);
    assert_eq!(told(&dns[1]), [json!("AAAA"), json!("nodata"), json!([])]);
    assert_eq!(told(&dns[2]), [json!("A"), json!("answer"), json!([V4[0], V4[1]])]);
    assert!(dns[2]["ttl"].as_u64().is_some_and(|ttl| (50..=60).contains(&ttl)), "{line}");

    let probe = &line["addresses"][1]["probe"];
    let times = ["tcp", "tls", "ttfb", "total"].map(|key| probe[key].as_f64().unwrap());
    assert!(times.is_sorted() && times[0] > 0.0, "{line}");
    assert_eq!(probe["certificate"]["names"], json!([HOST]));
    assert_eq!(probe["http"], json!({ "status": 200, "version": "HTTP/2", "location": null }));
    assert_eq!(line["race"]["remote_addr"], json!(host.addr(V4[0])));
    let drill: Vec<_> = line["drill"].as_array().unwrap().iter().map(|run| (&run["client"], &run["outcome"])).collect();
    let clients = [json!("own"), json!("rfc6555"), json!("sequential")];
    let connected = json!("connected");
    assert_eq!(drill, clients.each_ref().map(|client| (client, &connected)));
}

#[tokio::test]
async fn parts_can_be_left_out() {
    let host = Host::with(HTTPS).await;
    let line = check(&host, &["--no-drill", "--no-ping", "--json", &host.uri("https")]).await.line();
    assert_documented(&line, "eyeballs check");
    assert_eq!((&line["drill"], &line["addresses"][0]["ping"]), (&json!([]), &json!(null)));
}

#[tokio::test]
async fn what_cannot_be_tried_is_down() {
    let host = Host::with(HTTPS).await;
    let run = check(&host, &["--json", "https://none.lab.test/", "www.lab.test/x", "ftp://www.lab.test/"]).await;
    assert_eq!((run.code, &*run.err), (2, ""), "{run:?}");
    let lines = run.lines();
    for line in &lines {
        assert_documented(line, "eyeballs check");
        assert_eq!((&line["verdict"], &line["addresses"], &line["drill"]), (&json!("down"), &json!([]), &json!([])));
    }
    assert_eq!(lines[0]["race"]["error"]["stage"], "dns", "{run:?}");
    assert_eq!(lines[0]["dns"][0]["outcome"], "nxdomain", "{run:?}");
    assert!(lines[1]["reason"].as_str().unwrap().ends_with("write https://www.lab.test/x"), "{run:?}");
    assert_eq!((&lines[2]["race"], &lines[2]["dns"]), (&json!(null), &json!([])));
}

#[tokio::test]
async fn the_worst_gives_the_code() {
    let good = Host::with(HTTPS).await;
    let down = format!("http://127.0.0.8:{}/", good.sites.port());
    let url = good.uri("https");
    let run = check(&good, &["-q", "--no-drill", &url]).await;
    assert_eq!((run.code, &*run.out, &*run.err), (0, "", ""));
    let run = check(&good, &["-q", "--no-drill", &url, &down, &url]).await;
    assert_eq!((run.code, &*run.out, &*run.err), (2, "", ""));
}
