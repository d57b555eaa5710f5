//! Addresses that do not answer.

use hyper_happy_eyeballs::Config;
use tokio::time::sleep;

use crate::capture::Capture;
use crate::lab::{Behaviour, Ca};
use crate::namespace::in_namespace;
use crate::network::*;

/// Every address is tried, one each 250 ms, the families in turn, and the kernel's own repetitions change nothing.
///
/// Proves: ATT-1, ILV-1
#[test]
fn silent_addresses_are_tried_in_turn_each_250_ms() {
    in_namespace(|| async {
        dual_stack();
        let [a6, b6, c6] = SILENT_V6;
        let [a4, b4] = SILENT_V4;
        let dns = dns(&[a6, b6, c6, a4, b4]).await;
        let mut capture = Capture::start();
        let error = connect(&mut connector(&dns, giving_up_after(1400))).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");

        let starts = capture.starts();
        assert_starts(&starts, &[(a6, 0), (a4, 250), (b6, 500), (b4, 750), (c6, 1000)]);
        assert!(starts.windows(2).all(|pair| pair[1].at - pair[0].at >= ms(10)));
        assert!(capture.syns().len() > starts.len(), "the kernel repeats a SYN after one second");
    });
}

/// The loser's socket is closed with the win: the kernel does not go on knocking.
///
/// Proves: ATT-1, ATT-10
#[test]
fn silent_ipv6_costs_250_ms_and_leaves_nothing_behind() {
    in_namespace(|| async {
        dual_stack();
        let _server = http_server(LOCAL_V4).await;
        let dns = dns(&[SILENT_V6[0], LOCAL_V4]).await;
        let mut capture = Capture::start();
        let stream = connect(&mut connector(&dns, Config::default())).await.unwrap();
        assert_eq!(peer(&stream), parse(LOCAL_V4));
        println!("{}", stream.report());
        assert_starts(&capture.starts(), &[(SILENT_V6[0], 0), (LOCAL_V4, 250)]);

        sleep(ms(1500)).await;
        let knocks = capture.packets().iter().filter(|packet| packet.to.ip() == parse(SILENT_V6[0])).count();
        assert_eq!(knocks, 1, "only the first SYN");
    });
}

/// A server that takes the TCP connection and says nothing does not hold up the other family.
///
/// Proves: TLS-2
#[test]
fn stalled_tls_does_not_hold_up_the_next_address() {
    in_namespace(|| async {
        dual_stack();
        let ca = Ca::new();
        let _stalling = https_server(&ca, LOCAL_V6, Behaviour::Stall).await;
        let _good = https_server(&ca, LOCAL_V4, Behaviour::Serve).await;
        let dns = dns(&[LOCAL_V6, LOCAL_V4]).await;
        let mut connector = builder(&dns).tls_config(ca.client_config(&[])).enable_all_versions().build().unwrap();
        let mut capture = Capture::start();
        let stream = get(&mut connector, &format!("https://{HOST}:{PORT}/")).await.unwrap();
        assert_eq!(peer(&stream), parse(LOCAL_V4));
        println!("{}", stream.report());
        assert_starts(&capture.starts(), &[(LOCAL_V6, 0), (LOCAL_V4, 250)]);
    });
}
