//! The JSON: exactly its keys, and what they say.

use hickory_server::proto::rr::RecordType;
use serde_json::{Value, json};

use crate::host::{HOST, HTTP, HTTPS, Host, V4};
use crate::lab::{HttpsRecord, Reply, Site};
use crate::schema::assert_documented;
use crate::tool::{Get, answering, run};

#[track_caller]
fn assert_schema(line: &Value) {
    assert_documented(line, "eyeballs get");
}

/// A number of milliseconds.
#[track_caller]
fn ms(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

#[tokio::test]
async fn a_fetch_over_tls_has_every_part() {
    let host = Host::open([(V4[0], Site::Refused), (V4[1], HTTPS)]).await;
    host.dns.set(&host.https_name(), RecordType::HTTPS, Reply::records([HttpsRecord::new(1, HOST).into()]));
    let line = Get::new(&host).json(&[]).await;
    assert_schema(&line);
    assert_eq!(line["url"], host.uri("https"));
    assert_eq!((&line["ok"], &line["error"]), (&json!(true), &json!(null)));
    let winner = host.addr(V4[1]).to_string();
    assert_eq!((&line["remote_addr"], &line["family"]), (&json!(winner), &json!("ipv4")));
    assert!(line["local_addr"].as_str().unwrap().starts_with("127.0.0."));

    let phases = ["dns", "connect", "tls", "ttfb", "total"].map(|phase| ms(&line["phases"][phase]));
    assert!(phases.is_sorted() && phases[0] > 0.0, "{line}");

    let queries = line["queries"].as_array().unwrap();
    let told = queries.iter().map(|query| (&query["name"], &query["type"], &query["outcome"], &query["answers"]));
    let name = format!("{HOST}.");
    let expected = [
        (&json!(format!("{}.", host.https_name())), &json!("HTTPS"), &json!("answer"), &json!(["1 www.lab.test."])),
        (&json!(name), &json!("AAAA"), &json!("nodata"), &json!([])),
        (&json!(name), &json!("A"), &json!("answer"), &json!([V4[0], V4[1]])),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert!(queries.iter().all(|query| ms(&query["start"]) <= ms(&query["end"])));

    let [lost, won] = line["attempts"].as_array().unwrap().as_slice() else { panic!("{line}") };
    assert_eq!((&lost["outcome"], &lost["stage"]), (&json!("failed"), &json!("tcp")));
    assert!(lost["error"].as_str().unwrap().starts_with("refused: "), "{line}");
    assert_eq!((&lost["tcp"], &lost["family"]), (&json!(null), &json!("ipv4")));
    assert_eq!((&won["outcome"], &won["stage"], &won["error"]), (&json!("won"), &json!("tls"), &json!(null)));
    assert_eq!(won["addr"], winner);
    assert!(ms(&won["start"]) <= ms(&won["tcp"]) && ms(&won["tcp"]) <= ms(&won["end"]));

    let tls = &line["tls"];
    assert_eq!((&tls["version"], &tls["alpn"], &tls["resumed"]), (&json!("TLSv1.3"), &json!("h2"), &json!(false)));
    assert_eq!((&tls["ech"], &tls["not_after"]), (&json!("not offered"), &json!("4096-01-01T00:00:00Z")));
    assert!(tls["cipher"].as_str().unwrap().starts_with("TLS_"));
    let body = format!("{winner}\n");
    assert_eq!(line["http"], json!({ "status": 200, "version": "HTTP/2", "body_bytes": body.len(), "body": body }));
}

#[tokio::test]
async fn what_did_not_come_to_be_is_null() {
    let bad_url = run(["get", "--json", "nonsense"]).await.line();
    assert_schema(&bad_url);
    let host = Host::with(Site::Refused).await;
    let refused = Get::new(&host).json(&[]).await;
    assert_schema(&refused);
    for line in [&bad_url, &refused] {
        for key in ["remote_addr", "local_addr", "family", "tls", "http"] {
            assert_eq!(line[key], json!(null), "{key} of {line}");
        }
        for phase in ["connect", "tls", "ttfb"] {
            assert_eq!(line["phases"][phase], json!(null), "{phase} of {line}");
        }
    }
    assert_eq!(refused["attempts"][0]["outcome"], "failed");
}

#[tokio::test]
async fn a_denied_address_has_its_reason_and_no_stage() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    let line = Get::new(&host).json(&["--public-only"]).await;
    assert_schema(&line);
    let attempts = line["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{line}");
    for (attempt, ip) in attempts.iter().zip(V4) {
        assert_eq!((&attempt["addr"], &attempt["outcome"]), (&json!(host.addr(ip)), &json!("denied")));
        assert_eq!(attempt["error"], format!("{ip} is loopback (RFC 1122)"));
        assert_eq!((&attempt["tcp"], &attempt["stage"]), (&json!(null), &json!(null)));
    }
    let message = line["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("every address is denied") && message.contains("is loopback (RFC 1122)"), "{line}");
}

#[tokio::test]
async fn an_unanswered_query_has_neither_end_nor_outcome() {
    let host = Host::with(HTTPS).await;
    host.dns.set(HOST, RecordType::AAAA, Reply::never());
    let line = Get::new(&host).json(&[]).await;
    assert_schema(&line);
    let query = line["queries"].as_array().unwrap().iter().find(|query| query["type"] == "AAAA").unwrap();
    assert_eq!((&query["end"], &query["outcome"], &query["answers"]), (&json!(null), &json!(null), &json!([])));
}

#[tokio::test]
async fn an_address_in_the_url_needs_no_query() {
    let host = Host::with(HTTP).await;
    let line = run(["get", "--json", &format!("http://{}/", host.addr(V4[0]))]).await.line();
    assert_schema(&line);
    assert_eq!((&line["queries"], ms(&line["phases"]["dns"])), (&json!([]), 0.0));
    assert_eq!((&line["tls"], &line["phases"]["tls"]), (&json!(null), &json!(null)));
    assert_eq!(line["attempts"][0]["stage"], "tcp");
    assert_eq!(line["http"]["version"], "HTTP/1.1");
}

#[tokio::test]
async fn a_body_is_shown_in_part_and_as_text() {
    let addr = answering(b"HTTP/1.1 200 OK\r\n\r\n\x1b[31m\xff\"\n").await;
    let line = run(["get", "--json", &format!("http://{addr}/")]).await.line();
    assert_eq!((&line["http"]["body"], &line["http"]["body_bytes"]), (&json!("\u{1b}[31m\u{fffd}\"\n"), &json!(8)));
}
