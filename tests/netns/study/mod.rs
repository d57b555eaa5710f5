//! Measures clients as the published study of Happy Eyeballs did: from the packets alone, with packets and answers
//! delayed step by step.
//!
//! ```text
//! cargo test --test netns study -- --ignored --nocapture
//! ```
//!
//! prints its table for this crate's connector and others. Its columns are the study's and some more: what becomes of a
//! TLS handshake that gets no answer, and of HTTPS records.

mod carrying;
mod checksum;
mod clients;
mod learning;
pub(crate) mod network;
pub(crate) mod relay;
mod row;
mod scenes;
pub(crate) mod servers;
mod stage;
mod table;
mod trace;

use std::time::{Duration, Instant};

use hyper_happy_eyeballs::Config;

use crate::namespace::{in_namespace, in_namespace_within};
use crate::network::{assert_close, ms};
use clients::Client;
use row::{Delays, Row};
use stage::Stage;
use table::Table;

/// Proves: ATT-1, DNS-4, DNS-5, DNS-6, ILV-1, SVC-13, SVC-18, TLS-2, TRG-5
#[test]
fn the_connector_has_its_row() {
    in_namespace(|| async {
        let stage = Stage::start();
        let client = ours(&stage);
        let row = Row::measure(&stage, &client, &Delays::few()).await;
        report(&stage, &[row]);
    });
}

#[test]
#[ignore = "takes ten seconds: the whole table"]
fn every_client_has_its_row() {
    in_namespace_within(Duration::from_secs(300), || async {
        let start = Instant::now();
        let stage = Stage::start();
        let name_server = stage.name_server();
        let clients = [
            ours(&stage),
            Client::connector("RFC 6555 preset", Config::rfc6555(), stage.ca(), name_server),
            Client::http_connector("`HttpConnector`", stage.ca(), name_server),
        ];
        let mut rows = Vec::new();
        for client in &clients {
            rows.push(Row::measure(&stage, client, &Delays::all()).await);
        }
        report(&stage, &rows);
        println!("took {:.1?}", start.elapsed());
    });
}

fn ours(stage: &Stage) -> Client {
    Client::connector("this crate", Config::default(), stage.ca(), stage.name_server())
}

/// Prints the rows and how good the measurement was, and asserts the first row.
fn report(stage: &Stage, rows: &[Row]) {
    println!("\n{}", Table(rows));
    for row in rows {
        for (name, measured) in [("CAD", row.attempt_delay), ("RD", row.resolution_delay)] {
            if let Some(measured) = measured {
                println!("{}, {name}: {measured}", row.client);
            }
        }
        println!("{}, where none answers: {:?}", row.client, row.addrs_used);
    }
    let lateness = stage.relay().lateness();
    let percentile = |percent| lateness[(lateness.len() - 1) * percent / 100];
    println!(
        "the relay carried {} packets, late by {:?} (median), {:?} (p99), {:?} (most); scenes watched again: {}",
        lateness.len(),
        percentile(50),
        percentile(99),
        percentile(100),
        stage.repeated(),
    );
    assert_ours(&rows[0]);
}

/// The row of this crate's connector.
fn assert_ours(row: &Row) {
    assert!(row.prefers_ipv6);
    let attempt_delay = row.attempt_delay.expect("it falls back");
    assert_close(attempt_delay.median, ms(250));
    assert!((ms(250)..=ms(300)).contains(&attempt_delay.from), "{attempt_delay}");
    assert_eq!(row.asks_aaaa_first, Some(true));
    let resolution_delay = row.resolution_delay.expect("it falls back");
    assert_close(resolution_delay.median, ms(50));
    assert!((ms(50)..=ms(200)).contains(&resolution_delay.from), "{resolution_delay}");
    assert!(!row.waits_for_a);
    assert_eq!(row.addrs_used(), [4, 4]);
    assert!(row.interlaces());
    assert_close(row.stalled_tls.expect("it goes on"), ms(250));
    assert_eq!([row.asks_https, row.follows_port, row.follows_target, row.follows_hints], [true; 4]);
}
