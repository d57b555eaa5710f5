//! What clients of other kinds do, where it can be told from ours.

use futures_util::future::join;
use hickory_server::proto::rr::RecordType;
use serde_json::Value;

use crate::host::{HOST, HTTPS, Host, V4, faulty};
use crate::lab::{Behaviour, Loopback, Reply, Site};
use crate::tool::Get;

/// Milliseconds.
const ROUNDING: f64 = 0.01;

fn starts(line: &Value) -> Vec<f64> {
    line["attempts"].as_array().unwrap().iter().map(|attempt| attempt["start"].as_f64().unwrap()).collect()
}

/// From the first start to the second, with room for times being rounded.
fn gap(line: &Value) -> f64 {
    let starts = starts(line);
    assert_eq!(starts.len(), 2, "{line}");
    starts[1] - starts[0] + ROUNDING
}

#[tokio::test]
async fn a_silent_address_costs_each_strategy_its_own() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], HTTPS)]).await;
    let get = Get::new(&host);
    for strategy in ["hev3", "rfc8305"] {
        let line = get.json(&["--strategy", strategy]).await;
        assert_eq!(line["remote_addr"], host.addr(V4[1]).to_string(), "{strategy}: {line}");
        assert!(gap(&line) >= 250.0, "{strategy}: {line}");
    }
    // Both addresses are in one lane.
    let fails = async |strategy| {
        let line = get.json(&["--strategy", strategy, "--connect-timeout", "3"]).await;
        assert_eq!(line["error"]["stage"], "timeout", "{strategy}: {line}");
        assert_eq!(starts(&line).len(), 1, "{strategy}: {line}");
    };
    join(fails("sequential"), fails("rfc6555")).await;
}

#[tokio::test]
async fn the_second_lane_of_rfc_6555_is_the_other_family() {
    if Loopback::detect().await == Loopback::Ipv4Only {
        return;
    }
    let host = Host::open([(Loopback::Both.first(), Site::Silent), (V4[0], HTTPS)]).await;
    let get = Get::new(&host);
    assert!(gap(&get.json(&["--strategy", "rfc6555"]).await) >= 300.0);
    assert!(gap(&get.json(&["--strategy", "rfc6555", "--attempt-delay", "500"]).await) >= 500.0);
}

#[tokio::test]
async fn only_hev3_races_tls_and_asks_for_https() {
    let host = Host::open([(V4[0], faulty(Behaviour::Stall)), (V4[1], HTTPS)]).await;
    let get = Get::new(&host);
    let line = get.json(&["--strategy", "rfc8305", "--connect-timeout", "3"]).await;
    assert_eq!(line["error"]["stage"], "timeout", "{line}");
    assert_eq!(host.dns.asked(&host.https_name(), RecordType::HTTPS), 0);
    let line = get.json(&["--strategy", "hev3"]).await;
    assert_eq!(line["remote_addr"], host.addr(V4[1]).to_string(), "{line}");
    assert_ne!(host.dns.asked(&host.https_name(), RecordType::HTTPS), 0);
}

#[tokio::test]
async fn the_attempt_delay_is_the_users_even_beyond_the_bounds() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], HTTPS)]).await;
    let get = Get::new(&host);
    assert!(gap(&get.json(&["--attempt-delay", "700"]).await) >= 700.0);
    // A busy machine may be late once.
    for last in [false, false, false, true] {
        let gap = gap(&get.json(&["--attempt-delay", "20"]).await);
        assert!(gap >= 20.0);
        if gap < 100.0 {
            break;
        }
        assert!(!last, "{gap} ms");
    }
}

#[tokio::test]
async fn the_resolution_delay_is_the_users() {
    let host = Host::with(HTTPS).await;
    host.dns.set(HOST, RecordType::AAAA, Reply::never());
    let line = Get::new(&host).json(&["--resolution-delay", "300"]).await;
    assert!(starts(&line)[0] - line["phases"]["dns"].as_f64().unwrap() + ROUNDING >= 300.0, "{line}");
}
