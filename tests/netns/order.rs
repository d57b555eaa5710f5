//! The order of RFC 6724 with the kernel's own source addresses.

use std::fs;

use hyper_happy_eyeballs::{Config, PolicyTable};

use crate::capture::Capture;
use crate::lab::Dns;
use crate::namespace::{add_address, in_namespace, ip, replace_etc, silent_device};
use crate::network::*;

/// An uplink with default routes and, of IPv6, this address alone.
fn uplink(ipv6: &str) {
    silent_device("up0");
    add_address("192.0.2.1/24", "up0");
    add_address(ipv6, "up0");
    ip("route add default dev up0");
    ip("-6 route add default dev up0");
}

async fn names() -> Dns {
    dns(&[SILENT_V6[0], SILENT_V6[1], SILENT_V4[0], SILENT_V4[1]]).await
}

/// Waits for both answers, as the order is what is looked at.
fn config() -> Config {
    let mut config = giving_up_after(900);
    config.resolution_delay(std::time::Duration::MAX).policy_table(PolicyTable::rfc6724());
    config
}

async fn assert_order(config: Config, dns: &Dns, order: [&str; 4]) {
    let mut capture = Capture::start();
    let error = connect(&mut connector(dns, config)).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_starts(&capture.starts(), &[(order[0], 0), (order[1], 250), (order[2], 500), (order[3], 750)]);

    // Nothing else: what looks routes up sends nothing.
    let port = dns.addr().port();
    for packet in capture.packets() {
        let (from, to) = (packet.from.port(), packet.to.port());
        assert!(from == port || to == port || to == PORT, "{packet:?}");
    }
}

/// Proves: DAS-2
#[test]
fn with_global_addresses_of_both_families_ipv6_leads() {
    in_namespace(|| async {
        uplink("2001:db8::1/64");
        assert_order(config(), &names().await, [SILENT_V6[0], SILENT_V4[0], SILENT_V6[1], SILENT_V4[1]]).await;
    });
}

/// Rule 3.
///
/// Proves: DAS-1, DAS-2
#[test]
fn a_deprecated_ipv6_source_lets_ipv4_lead() {
    in_namespace(|| async {
        uplink("2001:db8::1/64");
        ip("-6 address change 2001:db8::1/64 dev up0 preferred_lft 0");
        assert_order(config(), &names().await, [SILENT_V4[0], SILENT_V6[0], SILENT_V4[1], SILENT_V6[1]]).await;
    });
}

/// Rule 5.
///
/// Proves: DAS-1, DAS-2
#[test]
fn a_unique_local_source_lets_ipv4_lead() {
    in_namespace(|| async {
        uplink("fd11::1/64");
        assert_order(config(), &names().await, [SILENT_V4[0], SILENT_V6[0], SILENT_V4[1], SILENT_V6[1]]).await;
    });
}

/// Rule 9: both addresses are of the source's /32, and one is of its /48; the prefix length of the source says which of
/// the two counts.
///
/// Proves: DAS-1, DAS-2
#[test]
fn the_prefix_length_of_the_source_bounds_what_is_nearer() {
    in_namespace(|| async {
        uplink("2001:db8:5::1/48");
        let (far, near) = ("2001:db8:4::1", "2001:db8:5:9::1");
        let dns = dns(&[far, near, SILENT_V4[0], SILENT_V4[1]]).await;
        assert_order(config(), &dns, [near, SILENT_V4[0], far, SILENT_V4[1]]).await;
        ip("-6 address del 2001:db8:5::1/48 dev up0");
        add_address("2001:db8:5::1/32", "up0");
        assert_order(config(), &dns, [far, SILENT_V4[0], near, SILENT_V4[1]]).await;
    });
}

/// The system's own file, if no table is set.
///
/// Proves: DAS-2
#[test]
fn gai_conf_is_honoured() {
    in_namespace(|| async {
        uplink("2001:db8::1/64");
        replace_etc();
        fs::write("/etc/gai.conf", "# IPv4 first\nprecedence ::ffff:0:0/96  100\n").unwrap();
        let order = [SILENT_V4[0], SILENT_V6[0], SILENT_V4[1], SILENT_V6[1]];
        assert_order(giving_up_after(900), &names().await, order).await;
    });
}
