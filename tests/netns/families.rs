//! Hosts that lack a family, or both.

use std::time::Instant;

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::report::{AttemptOutcome, FailureKind};
use hyper_happy_eyeballs::{Config, Families};

use crate::capture::Capture;
use crate::namespace::{add_address, in_namespace, ip};
use crate::network::*;

/// AAAA records are of no use, and cost no time either.
#[test]
fn without_a_route_for_ipv6_the_ipv4_syn_leaves_at_once() {
    in_namespace(|| async {
        ipv4_only();
        let _server = http_server(LOCAL_V4).await;
        let addrs: Vec<_> = (1..=10).map(|last| format!("2001:db8:dead::{last}")).collect();
        let addrs: Vec<_> = addrs.iter().map(String::as_str).chain([LOCAL_V4]).collect();
        let dns = dns(&addrs).await;
        let mut config = Config::default();
        config.families(Families::Both);
        let mut capture = Capture::start();
        let stream = connect(&mut connector(&dns, config)).await.unwrap();
        assert_eq!(peer(&stream), parse(LOCAL_V4));

        let syns = capture.syns();
        assert_starts(&syns, &[(LOCAL_V4, 0)]);
        let answered = *capture.answers(dns.addr().port()).last().unwrap();
        println!("the SYN left {:?} after the answers", syns[0].at - answered);
        assert!(syns[0].at - answered < 10 * ms(10), "a turn takes 10 ms at least");
        assert!(capture.packets().iter().all(|packet| packet.to.is_ipv4()));
    });
}

/// Proves: DNS-1, DNS-2
#[test]
fn a_host_with_ipv4_alone_asks_for_no_ipv6() {
    in_namespace(|| async {
        ipv4_only();
        let _server = http_server(LOCAL_V4).await;
        let dns = dns(&[SILENT_V6[0], LOCAL_V4]).await;
        let mut capture = Capture::start();
        connect(&mut connector(&dns, Config::default())).await.unwrap();
        let kinds: Vec<_> = capture.queries(dns.addr().port()).iter().map(|query| query.kind).collect();
        assert_eq!(kinds, [RecordType::A]);
        assert_starts(&capture.syns(), &[(LOCAL_V4, 0)]);
    });
}

/// The first connect after it asks for the family that has come, and trusts nothing that was said in the old network.
///
/// Proves: NET-2, NET-3
#[test]
fn an_address_of_another_family_is_noticed_by_the_next_connect() {
    in_namespace(|| async {
        ipv4_only();
        let _server_v4 = http_server(LOCAL_V4).await;
        let dns = dns(&[LOCAL_V4]).await;
        let mut connector = connector(&dns, Config::default());
        for _ in 0..2 {
            connect(&mut connector).await.unwrap();
        }
        assert_eq!((dns.asked(HOST, RecordType::A), dns.asked(HOST, RecordType::AAAA)), (1, 0));
        add_address("2001:db8::1/64", "up0");
        add_address(&format!("{LOCAL_V6}/128"), "lo");
        let _server_v6 = http_server(LOCAL_V6).await;
        set_host(&dns, HOST, &[LOCAL_V4, LOCAL_V6]);
        for _ in 0..2 {
            assert_eq!(peer(&connect(&mut connector).await.unwrap()), parse(LOCAL_V6));
        }
        assert_eq!((dns.asked(HOST, RecordType::A), dns.asked(HOST, RecordType::AAAA)), (2, 1));
        ip("link set up0 down");
        connect(&mut connector).await.unwrap();
        assert_eq!((dns.asked(HOST, RecordType::A), dns.asked(HOST, RecordType::AAAA)), (3, 2));
    });
}

/// With loopback alone both families are asked for, every address fails before a packet leaves, and the error names
/// each.
///
/// Proves: ATT-13, ATT-16
#[test]
fn without_any_route_the_error_comes_at_once_and_names_every_address() {
    in_namespace(|| async {
        let addrs: Vec<_> =
            (1..=5).flat_map(|last| [format!("2001:db8:dead::{last}"), format!("198.51.100.{last}")]).collect();
        let dns = dns(&addrs.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let mut capture = Capture::start();
        let start = Instant::now();
        let error = connect(&mut connector(&dns, Config::default())).await.unwrap_err();
        let elapsed = start.elapsed();
        println!("{elapsed:?}: {error}");
        assert!(error.is_connect());
        assert!(elapsed < ms(250), "{elapsed:?}");
        assert!(capture.syns().is_empty());
        let attempts = error.report().unwrap().attempts();
        assert_eq!(attempts.len(), addrs.len());
        assert!(attempts[9].start() - attempts[0].start() < 9 * ms(10), "as turns they would be 10 ms apart");
        for addr in &addrs {
            assert!(error.to_string().contains(addr), "{addr} in {error}");
            let attempt = attempts.iter().find(|attempt| attempt.addr().ip() == parse(addr)).unwrap();
            let local =
                matches!(attempt.outcome(), AttemptOutcome::Failed(failure) if failure.kind() == FailureKind::Local);
            assert!(local, "{attempt:?}");
        }
    });
}
