//! A network with IPv6 alone, and a NAT64: addresses of its prefix are of this host, where the servers stand in for it.

use std::net::SocketAddr;

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::{Config, Nat64};

use crate::capture::Capture;
use crate::lab::{Dns, Reply};
use crate::namespace::{add_address, in_namespace, ip, silent_device};
use crate::network::*;

const PREFIX: &str = "2001:db8:64::/96";
/// 192.0.2.80 and 192.0.2.81 through it.
const TRANSLATED: &str = "2001:db8:64::c000:250";
const OTHER: &str = "2001:db8:64::c000:251";

fn ipv6_only() {
    silent_device("up0");
    add_address("2001:db8::1/64", "up0");
    ip("-6 route add default dev up0");
    add_address(&format!("{TRANSLATED}/128"), "lo");
}

/// A name server of such a network.
async fn dns_of_the_network(addrs: &[&str]) -> Dns {
    let dns = dns(addrs).await;
    let known = ["2001:db8:64::c000:aa", "2001:db8:64::c000:ab"].map(|ip| ip.parse().expect("an address"));
    dns.set("ipv4only.arpa", RecordType::AAAA, Reply::aaaa(known));
    dns
}

/// Proves: N64-2, N64-7
#[test]
fn a_name_without_ipv6_is_reached_through_the_nat64() {
    in_namespace(|| async {
        ipv6_only();
        let _server = http_server(TRANSLATED).await;
        let dns = dns_of_the_network(&["192.0.2.81", LOCAL_V4]).await;
        let mut connector = connector(&dns, Config::default());
        for round in 0..2 {
            let mut capture = Capture::start();
            let stream = connect(&mut connector).await.unwrap();
            println!("{}", stream.report());
            assert_eq!(peer(&stream), parse(TRANSLATED));
            assert!(capture.packets().iter().all(|packet| packet.to.is_ipv6() || packet.to.ip().is_loopback()));
            let asked = capture.queries(dns.addr().port());
            let prefix = asked.iter().filter(|query| query.name == "ipv4only.arpa.");
            assert_eq!(prefix.count(), usize::from(round == 0), "its answer is kept");
            if round == 0 {
                assert_starts(&capture.starts(), &[(OTHER, 0), (TRANSLATED, 250)]);
            }
        }
    });
}

/// It tries IPv4 first, which fails before a packet leaves. A host with an IPv4 address of no use learns of that only when
/// IPv4 is tried.
#[cfg(feature = "reqwest")]
#[test]
fn reqwest_is_told_of_the_nat64() {
    in_namespace(|| async {
        ipv6_only();
        let server = http_server(TRANSLATED).await;
        let dns = dns_of_the_network(&["192.0.2.80"]).await;
        for round in 0..2 {
            if round == 1 {
                add_address("198.51.100.1/24", "up0");
            }
            let resolver = hyper_happy_eyeballs::reqwest::Dns::from(connector(&dns, Config::default()));
            let client = reqwest::Client::builder().dns_resolver(resolver).build().unwrap();
            let response = client.get(format!("http://{HOST}:{PORT}/")).send().await.unwrap();
            assert_eq!(response.remote_addr(), Some(server.addr()));
        }
    });
}

/// Proves: N64-12
#[test]
fn a_literal_is_reached_through_the_nat64() {
    in_namespace(|| async {
        ipv6_only();
        let _server = http_server(TRANSLATED).await;
        let dns = dns_of_the_network(&[]).await;
        let stream = get(&mut connector(&dns, Config::default()), &format!("http://{LOCAL_V4}:{PORT}/")).await.unwrap();
        println!("{}", stream.report());
        assert_eq!(peer(&stream), parse(TRANSLATED));

        let mut config = Config::default();
        config.nat64(Nat64::Prefixes([PREFIX.parse().unwrap()].into()));
        let mut capture = Capture::start();
        let stream = get(&mut connector(&dns, config), &format!("http://{LOCAL_V4}:{PORT}/")).await.unwrap();
        assert_eq!(peer(&stream), parse(TRANSLATED));
        assert!(capture.queries(dns.addr().port()).is_empty());
    });
}

/// What the name server has translated, it gives for A too: one attempt.
///
/// Proves: N64-6
#[test]
fn a_translated_answer_is_tried_once() {
    in_namespace(|| async {
        ipv6_only();
        let dns = dns_of_the_network(&[LOCAL_V4, TRANSLATED]).await;
        ip(&format!("-6 address del {TRANSLATED}/128 dev lo"));
        let mut capture = Capture::start();
        connect(&mut connector(&dns, giving_up_after(900))).await.unwrap_err();
        assert_starts(&capture.starts(), &[(TRANSLATED, 0)]);
    });
}

/// Proves: N64-10
#[test]
fn where_ipv4_has_a_route_it_is_used() {
    in_namespace(|| async {
        dual_stack();
        let _server = http_server(LOCAL_V4).await;
        let dns = dns_of_the_network(&[LOCAL_V4]).await;
        let mut capture = Capture::start();
        let stream = connect(&mut connector(&dns, Config::default())).await.unwrap();
        assert_eq!(stream.tcp_stream().peer_addr().unwrap(), SocketAddr::new(parse(LOCAL_V4), PORT));
        let asked = capture.queries(dns.addr().port());
        assert!(asked.iter().all(|query| query.name != "ipv4only.arpa."));
    });
}
