//! What a broken IPv6 costs those who connect again and again, on real packets.

use std::time::{Duration, Instant};

use hyper_happy_eyeballs::{Config, HappyEyeballsConnector};
use hyper_util::client::legacy::connect::HttpConnector;
use tower_service::Service;

use crate::capture::Capture;
use crate::lab::{Dns, LookupIp, Server};
use crate::namespace::{add_address, in_namespace, ip};
use crate::network::*;

const CONNECTS: u32 = 100;
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The time that `count` connects take to a host with these addresses, of which IPv4 answers.
async fn took(count: u32, addrs: &[&str], config: Config) -> Duration {
    let dns = dns(addrs).await;
    let mut connector = connector(&dns, config);
    let start = Instant::now();
    for _ in 0..count {
        assert_eq!(peer(&connect(&mut connector).await.unwrap()), parse(LOCAL_V4));
    }
    start.elapsed()
}

/// One run, side by side: with history, without, and hyper-util's connector. The last two are asked a tenth as often.
///
/// Proves: HIS-6
#[test]
fn a_silent_ipv6_is_paid_for_once() {
    in_namespace(|| async {
        dual_stack();
        let _server = http_server(LOCAL_V4).await;
        let broken = [SILENT_V6[0], LOCAL_V4];
        let healthy = took(CONNECTS, &[LOCAL_V4], Config::default()).await;
        let mut capture = Capture::start();
        let with = took(CONNECTS, &broken, Config::default()).await;
        let to_ipv6 = capture.starts().iter().filter(|start| start.to.is_ipv6()).count();
        let mut config = Config::default();
        config.use_history(false);
        let without = took(CONNECTS / 10, &broken, config).await * 10;

        let dns = dns(&broken).await;
        let mut connector = HttpConnector::new_with_resolver(LookupIp::new(dns.addr()).expect("a resolver"));
        let start = Instant::now();
        for _ in 0..CONNECTS / 10 {
            connector.call(format!("http://{HOST}:{PORT}/").parse().unwrap()).await.unwrap();
        }
        let theirs = start.elapsed() * 10;
        println!(
            "{CONNECTS} connects over a silent IPv6: {with:?}, without history {without:?}, HttpConnector {theirs:?}; \
             over a healthy network {healthy:?}"
        );
        assert_eq!(to_ipv6, 1);
        assert!(with.saturating_sub(healthy) <= ATTEMPT_DELAY.mul_f64(1.2), "{with:?}");
        assert!(without >= ATTEMPT_DELAY * CONNECTS && theirs >= ATTEMPT_DELAY * CONNECTS);
    });
}

/// A network, and a connector that has paid once for the silent IPv6 of its host.
async fn experienced() -> (Server, Dns, HappyEyeballsConnector) {
    dual_stack();
    let server = http_server(LOCAL_V4).await;
    let dns = dns(&[SILENT_V6[0], LOCAL_V4]).await;
    let mut connector = connector(&dns, Config::default());
    connect(&mut connector).await.unwrap();
    (server, dns, connector)
}

/// The next connect goes the good way at once, and leaves the broken one alone.
///
/// Proves: HIS-6
#[test]
fn the_next_connect_starts_with_ipv4() {
    in_namespace(|| async {
        let (_server, _dns, mut connector) = experienced().await;
        let mut capture = Capture::start();
        connect(&mut connector).await.unwrap();
        assert_starts(&capture.starts(), &[(LOCAL_V4, 0)]);
    });
}

/// Two hosts at two sites are enough for the family, and spare a third one.
///
/// Proves: HIS-6
#[test]
fn a_family_that_is_broken_for_two_hosts_is_spared_the_third() {
    in_namespace(|| async {
        let (_server, dns, mut connector) = experienced().await;
        set_host(&dns, "second.lab.test", &["2001:db8:beef::a", LOCAL_V4]);
        set_host(&dns, "third.lab.test", &["2001:db8:cafe::a", LOCAL_V4]);
        get(&mut connector, &format!("http://second.lab.test:{PORT}/")).await.unwrap();
        let mut capture = Capture::start();
        get(&mut connector, &format!("http://third.lab.test:{PORT}/")).await.unwrap();
        assert_starts(&capture.starts(), &[(LOCAL_V4, 0)]);
    });
}

/// Proves: HIS-3, NET-1
#[test]
fn another_address_of_this_host_is_a_clean_start() {
    in_namespace(|| async {
        let (_server, _dns, mut connector) = experienced().await;
        ip("address del 192.0.2.1/24 dev up0");
        add_address("192.0.2.2/24", "up0");
        ip("route add default dev up0");
        let mut capture = Capture::start();
        connect(&mut connector).await.unwrap();
        assert_starts(&capture.starts(), &[(SILENT_V6[0], 0), (LOCAL_V4, 250)]);
    });
}
