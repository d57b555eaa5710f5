//! Several name servers: who is asked first, and what dead ones cost.

use std::net::SocketAddr;
use std::time::Instant;

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{Config, HappyEyeballsConnector};
use tokio::time::sleep;

use crate::capture::{Capture, Query};
use crate::lab::{Dns, Reply};
use crate::namespace::in_namespace;
use crate::network::*;

fn connector_of(servers: &[SocketAddr]) -> HappyEyeballsConnector {
    let resolver = HickoryResolver::with_name_servers(servers.iter().copied());
    HappyEyeballsConnector::builder().resolver(resolver).plaintext().build().expect("plaintext is a choice")
}

/// Waits for `count` of them, for as long as that takes on a machine with much else to do.
async fn aaaa_queries(capture: &mut Capture, host: &str, count: usize) -> Vec<Query> {
    loop {
        let mut queries = capture.queries(53);
        queries.retain(|query| query.kind == RecordType::AAAA && query.name == format!("{host}."));
        if queries.len() >= count {
            return queries;
        }
        sleep(ms(5)).await;
    }
}

/// By when the packets leave, on either kind of runtime; no server is left out.
///
/// Proves: DNS-9
#[test]
fn name_servers_over_ipv6_are_asked_first() {
    in_namespace(|| async {
        dual_stack();
        let silent = [SILENT_V4[0], SILENT_V6[0], SILENT_V4[1], SILENT_V6[1]].map(|ip| SocketAddr::new(parse(ip), 53));
        let asking = |runtime: &mut tokio::runtime::Builder| {
            let runtime = runtime.enable_all().build().unwrap();
            for round in 0..10 {
                // Of another name, as lookups of the last round may be repeated in this one.
                let host = format!("h{round}.lab.test");
                let url = format!("http://{host}:{PORT}/");
                let mut capture = Capture::start();
                let mut connector = connector_of(&silent);
                let queries = runtime.block_on(async {
                    tokio::select! {
                        _ = get(&mut connector, &url) => panic!("all of them are silent"),
                        queries = aaaa_queries(&mut capture, &host, silent.len()) => queries,
                    }
                });
                let asked: Vec<_> = queries.iter().map(|query| query.to.is_ipv6()).collect();
                assert!(asked[0], "{queries:#?}");
                println!("{asked:?} after {:?}", queries[3].at - queries[0].at);
                let mut to: Vec<_> = queries.iter().map(|query| query.to).collect();
                to.sort();
                to.dedup();
                assert_eq!(to.len(), silent.len());
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| asking(&mut tokio::runtime::Builder::new_current_thread()));
        });
        std::thread::scope(|scope| {
            scope.spawn(|| asking(tokio::runtime::Builder::new_multi_thread().worker_threads(2)));
        });
    });
}

/// Beside one that fails stand one that says nothing and one where nobody listens. Twice the first is waited for.
///
/// Proves: DNS-9
#[test]
fn dead_name_servers_cost_two_lookups_their_time() {
    in_namespace(|| async {
        dual_stack();
        let dns = Dns::start().await.unwrap();
        let closed = SocketAddr::new(parse(LOCAL_V4), 53);
        let silent = SocketAddr::new(parse(SILENT_V4[0]), 53);
        let mut resolver = HickoryResolver::with_name_servers([closed, silent, dns.addr()]);
        resolver.set_timeout(ms(1500));
        let mut connector = HappyEyeballsConnector::builder().resolver(resolver).plaintext().build().unwrap();
        let mut capture = Capture::start();
        let mut took = Vec::new();
        for number in 0..5 {
            // Failures are kept for a while.
            let host = format!("{number}.lab.test");
            dns.set(&host, RecordType::A, Reply::serv_fail());
            dns.set(&host, RecordType::AAAA, Reply::serv_fail());
            let start = Instant::now();
            let error = get(&mut connector, &format!("http://{host}:{PORT}/")).await.unwrap_err();
            took.push(start.elapsed());
            assert!(error.to_string().contains("SERVFAIL"), "{error}");
            assert_eq!((dns.asked(&host, RecordType::A), dns.asked(&host, RecordType::AAAA)), (1, 1));
            let asked = |server| capture.queries(53).iter().any(|query| query.to == server);
            assert!([closed, silent].into_iter().all(asked), "they are asked all the same");
        }
        println!("{took:?}");
        assert!(took[..2].iter().all(|took| *took >= ms(1490)));
        assert!(took[2..].iter().all(|took| *took < ms(1000)));
    });
}

/// How long they live says how long they may be kept, not when a race has to stop.
///
/// Proves: DNS-11
#[test]
fn answers_that_expire_during_a_race_end_no_attempt() {
    in_namespace(|| async {
        dual_stack();
        let _server = http_server(LOCAL_V4).await;
        let dns = dns(&[]).await;
        dns.set(HOST, RecordType::AAAA, Reply::aaaa([SILENT_V6[0].parse().unwrap()]).ttl(0));
        dns.set(HOST, RecordType::A, Reply::a([LOCAL_V4.parse().unwrap()]).ttl(0));
        let mut capture = Capture::start();
        connect(&mut connector(&dns, Config::default())).await.unwrap();
        assert_starts(&capture.starts(), &[(SILENT_V6[0], 0), (LOCAL_V4, 250)]);
        assert_eq!((dns.asked(HOST, RecordType::A), dns.asked(HOST, RecordType::AAAA)), (1, 1));
    });
}
