//! Paths that say no, in every way in which they do, and those that say nothing.

use hyper_happy_eyeballs::Config;
use hyper_happy_eyeballs::report::{AttemptOutcome, AttemptReport, FailureKind};

use crate::capture::Capture;
use crate::lab::Dns;
use crate::namespace::{in_namespace, ip, ip_batch, nft, nft_counter};
use crate::network::*;
use crate::router;

fn failure(attempt: &AttemptReport) -> FailureKind {
    match attempt.outcome() {
        AttemptOutcome::Failed(failure) => failure.kind(),
        outcome => panic!("{} {outcome:?}", attempt.addr()),
    }
}

/// A SYN that is rejected lets the next address start as soon as the 10 ms between two starts are over.
///
/// Proves: ATT-2, ATT-7
#[test]
fn a_reset_starts_the_next_at_once() {
    in_namespace(|| async {
        dual_stack();
        let _server = http_server(LOCAL_V4).await;
        nft(&format!(
            "add table inet test
             add chain inet test input {{ type filter hook input priority 0; }}
             add rule inet test input ip6 daddr {LOCAL_V6} tcp dport {PORT} reject with tcp reset"
        ));
        let dns = dns(&[LOCAL_V6, LOCAL_V4]).await;
        assert_eq!(rejection(&dns, LOCAL_V6).await, FailureKind::Refused);
    });
}

/// The same when a router says that there is no way, in each of its words.
///
/// Proves: ATT-2, ATT-7
#[test]
fn an_icmp_error_starts_the_next_at_once() {
    in_namespace(|| async {
        dual_stack();
        let _server = http_server(LOCAL_V4).await;
        let dns = dns(&[SILENT_V6[0], LOCAL_V4]).await;
        // The codes of RFC 4443 section 3.1.
        let codes = [
            ("no route", 0, FailureKind::Unreachable),
            ("prohibited", 1, FailureKind::Unreachable),
            ("address unreachable", 3, FailureKind::Unreachable),
            ("port unreachable", 4, FailureKind::Refused),
            ("source address failed policy", 5, FailureKind::Unreachable),
            ("reject route", 6, FailureKind::Unreachable),
        ];
        let mut failures = Vec::new();
        for (name, code, _) in codes {
            println!("{name}:");
            let router = router::reject(SILENT_V6[0].parse().unwrap(), code);
            failures.push((name, code, rejection(&dns, SILENT_V6[0]).await));
            router.abort();
        }
        assert_eq!(failures, codes);
    });
}

/// Connects to `HOST`, whose first address is `rejected` and whose second is good, and says how the first failed.
async fn rejection(dns: &Dns, rejected: &str) -> FailureKind {
    let mut capture = Capture::start();
    let stream = connect(&mut connector(dns, Config::default())).await.unwrap();
    println!("{}", stream.report());
    assert_eq!(peer(&stream), parse(LOCAL_V4));
    assert_starts(&capture.starts(), &[(rejected, 0), (LOCAL_V4, 10)]);
    let attempts = stream.report().attempts();
    // On the wire a packet may be a little late, and the next one not.
    assert!(attempts[1].start() - attempts[0].start() >= ms(10));
    failure(&attempts[0])
}

/// What the routing table refuses takes no slot: nothing has left. It stays last in the order, as any address without
/// a route.
///
/// Proves: ATT-13
#[test]
fn refusing_routes_take_no_slot() {
    in_namespace(|| async {
        dual_stack();
        let refused: Vec<_> = (1..=9).map(|last| format!("2001:db8:2::{last}")).collect();
        for (addr, kind) in refused.iter().zip(["unreachable", "prohibit", "blackhole"].into_iter().cycle()) {
            ip(&format!("-6 route add {kind} {addr}/128"));
        }
        let [a4, b4] = SILENT_V4;
        let addrs: Vec<_> = refused.iter().map(String::as_str).chain(SILENT_V4).collect();
        let dns = dns(&addrs).await;
        let mut capture = Capture::start();
        let error = connect(&mut connector(&dns, giving_up_after(700))).await.unwrap_err();
        println!("{error}");
        assert_starts(&capture.starts(), &[(a4, 0), (b4, 250)]);

        let attempts = error.report().unwrap().attempts();
        assert_eq!(attempts.len(), addrs.len(), "{error}");
        let tried = attempts.iter().filter(|attempt| refused.iter().any(|addr| attempt.addr().ip() == parse(addr)));
        for attempt in tried.clone() {
            assert_eq!(failure(attempt), FailureKind::Local, "{error}");
        }
        let starts: Vec<_> = tried.map(AttemptReport::start).collect();
        assert!(starts[8] - starts[0] < 8 * ms(10), "as turns they would be 10 ms apart: {error}");
    });
}

/// Routes that are there while the order is made, and gone when their turn comes: the next address follows at once.
///
/// Proves: ATT-13
#[test]
fn routes_that_go_away_take_no_slot() {
    in_namespace(|| async {
        dual_stack();
        let _server = http_server(LOCAL_V4).await;
        let going: Vec<_> = (1..=6).map(|last| format!("2001:db8:dead::{last}")).collect();
        let routes =
            |arguments: fn(&str) -> String| ip_batch(&going.iter().map(|addr| arguments(addr)).collect::<String>());
        routes(|addr| format!("route add {addr}/128 dev up0\n"));
        let a6 = SILENT_V6[0];
        let addrs: Vec<_> =
            [a6].into_iter().chain(going.iter().map(String::as_str)).chain([SILENT_V4[0], LOCAL_V4]).collect();
        let dns = dns(&addrs).await;
        let mut config = Config::default();
        config.preferred_family_count(7);
        let mut capture = Capture::start();
        let mut connector = connector(&dns, config);
        let connecting = tokio::spawn(async move { connect(&mut connector).await });
        tokio::time::sleep(ms(125)).await;
        routes(|addr| format!("route add unreachable {addr}/128 metric 1\nroute del {addr}/128 dev up0\n"));
        let stream = connecting.await.unwrap().unwrap();
        println!("{}", stream.report());
        assert_starts(&capture.starts(), &[(a6, 0), (SILENT_V4[0], 250), (LOCAL_V4, 500)]);
        let [_, gone @ .., next, _] = stream.report().attempts() else { panic!("{}", stream.report()) };
        assert_eq!(gone.iter().map(failure).collect::<Vec<_>>(), [FailureKind::Local; 6]);
        assert!(
            next.start() - gone[0].start() < 6 * ms(10),
            "after a turn each it would be 60 ms: {}",
            stream.report()
        );
    });
}

/// A firewall of this host that drops what goes out is a silent path like any other.
///
/// Proves: ATT-1
#[test]
fn dropped_output_is_a_silent_address() {
    in_namespace(|| async {
        dual_stack();
        let _servers = (http_server(LOCAL_V6).await, http_server(LOCAL_V4).await);
        nft(&format!(
            "add table inet test
             add counter inet test dropped
             add chain inet test output {{ type filter hook output priority 0; }}
             add rule inet test output ip6 daddr {LOCAL_V6} tcp dport {PORT} counter name dropped drop"
        ));
        let dns = dns(&[LOCAL_V6, LOCAL_V4]).await;
        let mut capture = Capture::start();
        let stream = connect(&mut connector(&dns, Config::default())).await.unwrap();
        println!("{}", stream.report());
        assert_eq!(peer(&stream), parse(LOCAL_V4));
        assert_eq!(nft_counter("dropped"), 1);
        assert_starts(&capture.starts(), &[(LOCAL_V4, 0)]);
        let attempts = stream.report().attempts();
        assert_eq!(attempts[0].addr().ip(), parse(LOCAL_V6));
        assert_close(attempts[1].start() - attempts[0].start(), ms(250));
    });
}
