//! The library's checker, where each address of a site has another fate.

use std::fs;

use hyper_happy_eyeballs::reachability::{AddressCheck, Check, Checker, FaultClass, Level, Ping};
use hyper_happy_eyeballs::report::AttemptOutcome;
use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{Builder, HappyEyeballsConnector};

use crate::gateway::{GATEWAY_V4, GATEWAY_V6, GOOD_V4, Gateway, HOST_V4, HOST_V6};
use crate::namespace::{in_namespace, ip, nft};
use crate::network::*;

const GOOD_V6: &str = "2001:db8:80::1";

/// What is expected of an address.
struct Fate {
    addr: &'static str,
    class: Option<FaultClass>,
    /// How the detail begins.
    detail: &'static str,
    /// The sender of the ICMP error that it ends with.
    by: &'static str,
    ping: Echo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Echo {
    Answered,
    Silent,
    /// With the same ICMP error as TCP.
    AsTcp,
    Failed(FaultClass),
    NotPermitted,
}

impl Fate {
    fn good(addr: &'static str, ping: Echo) -> Self {
        Self { addr, class: None, detail: "", by: "", ping }
    }

    fn failed(addr: &'static str, class: FaultClass, detail: &'static str, ping: Echo) -> Self {
        Self { addr, class: Some(class), detail, by: "", ping }
    }

    /// Fails as the gateway says.
    fn rejected(addr: &'static str, class: FaultClass, detail: &'static str) -> Self {
        let by = if addr.contains(':') { GATEWAY_V6 } else { GATEWAY_V4 };
        Self { addr, class: Some(class), detail, by, ping: Echo::AsTcp }
    }

    /// Fails as this host says.
    fn by_this_host(addr: &'static str, class: FaultClass, detail: &'static str) -> Self {
        let by = if addr.contains(':') { "this host (2001:db8::1)" } else { "this host (192.0.2.1)" };
        Self { addr, class: Some(class), detail, by, ping: Echo::AsTcp }
    }

    /// Fails as `by` says, whom a ping does not meet.
    fn rejected_by(addr: &'static str, class: FaultClass, detail: &'static str, by: &'static str) -> Self {
        Self { addr, class: Some(class), detail, by, ping: Echo::Answered }
    }

    fn assert(&self, check: &AddressCheck) {
        let fault = check.probe.fault.as_ref();
        assert_eq!(fault.map(|fault| fault.class), self.class, "{check:?}");
        let detail = fault.map_or("", |fault| &fault.detail);
        assert!(detail.starts_with(self.detail), "{} {detail:?}", self.addr);
        assert!(self.by.is_empty() || detail.ends_with(&format!(") by {}", self.by)), "{} {detail:?}", self.addr);
        let echo = match &check.ping {
            Some(Ping::Answered(_)) => Echo::Answered,
            Some(Ping::Silent) => Echo::Silent,
            Some(Ping::NotPermitted(_)) => Echo::NotPermitted,
            Some(Ping::Failed(ping)) if Some(ping) == fault => Echo::AsTcp,
            Some(Ping::Failed(ping)) => Echo::Failed(ping.class),
            other => panic!("{} {other:?}", self.addr),
        };
        assert_eq!(echo, self.ping, "{check:?}");
    }
}

/// Checks `HOST` with these addresses.
async fn check(addrs: &[&str]) -> Check {
    check_by(|builder| builder, addrs).await
}

/// The same with other options.
async fn check_by(options: impl FnOnce(Builder) -> Builder, addrs: &[&str]) -> Check {
    let dns = dns(addrs).await;
    let resolver = HickoryResolver::with_name_servers([dns.addr()]);
    let builder = HappyEyeballsConnector::builder_with_resolver(resolver.clone());
    let builder = options(builder.config(giving_up_after(3000)).plaintext());
    let mut checker = Checker::new(builder, resolver).unwrap();
    checker.drill(false);
    checker.check(&format!("http://{HOST}:{PORT}/").parse().unwrap()).await.unwrap()
}

/// Checks one site with all these addresses.
async fn assert_fates(fates: &[Fate]) -> Check {
    let addrs: Vec<_> = fates.iter().map(|fate| fate.addr).collect();
    let check = check(&addrs).await;
    assert_eq!(check.addresses.len(), fates.len());
    for fate in fates {
        let address = check.addresses.iter().find(|address| address.addr.ip() == parse(fate.addr)).unwrap();
        println!("{}: {:?}, ping {:?}", fate.addr, address.probe.fault, address.ping);
        fate.assert(address);
    }
    check
}

/// Lets every user send echo requests, which a new namespace does not.
fn permit_pings() {
    fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647").unwrap();
}

#[test]
fn an_address_fails_in_the_words_of_whoever_stops_it() {
    use FaultClass::{Refused, Silent, Unreachable};

    in_namespace(|| async {
        permit_pings();
        let rules = format!(
            "add table inet test
             add chain inet test input {{ type filter hook input priority 0; }}
             add chain inet test forward {{ type filter hook forward priority 0; }}
             add rule inet test input ip daddr 203.0.113.3 tcp dport {PORT} reject with tcp reset
             add rule inet test input ip6 daddr 2001:db8:80::3 tcp dport {PORT} reject with tcp reset
             add rule inet test input ip daddr 203.0.113.4 tcp dport {PORT} reject
             add rule inet test input ip6 daddr 2001:db8:80::4 tcp dport {PORT} reject
             add rule inet test input ip daddr 203.0.113.5 drop
             add rule inet test input ip6 daddr 2001:db8:80::5 drop
             add rule inet test input ip daddr 203.0.113.6 icmp type echo-request drop
             add rule inet test input ip6 daddr 2001:db8:80::6 icmpv6 type echo-request drop
             add rule inet test forward ip daddr 198.51.100.1 reject with icmp type net-unreachable
             add rule inet test forward ip daddr 198.51.100.2 reject with icmp type host-unreachable
             add rule inet test forward ip daddr 198.51.100.3 reject with icmp type port-unreachable
             add rule inet test forward ip daddr 198.51.100.4 reject with icmp type admin-prohibited
             add rule inet test forward ip6 daddr 2001:db8:dead::1 reject with icmpv6 type no-route
             add rule inet test forward ip6 daddr 2001:db8:dead::2 reject with icmpv6 type addr-unreachable
             add rule inet test forward ip6 daddr 2001:db8:dead::3 reject with icmpv6 type port-unreachable
             add rule inet test forward ip6 daddr 2001:db8:dead::4 reject with icmpv6 type admin-prohibited"
        );
        let _gateway = Gateway::start(&[&format!("{HOST_V4}/24"), &format!("{HOST_V6}/64")], rules, || async {
            let serving = [GOOD_V4, GOOD_V6, "203.0.113.5", "2001:db8:80::5", "203.0.113.6", "2001:db8:80::6"];
            let mut servers = Vec::new();
            for addr in serving {
                servers.push(http_server(addr).await);
            }
            servers
        });
        // This host finds out within a fifth of a second who is on its link.
        for family in ["ipv4", "ipv6"] {
            for (setting, value) in [("mcast_solicit", "1"), ("retrans_time_ms", "200")] {
                fs::write(format!("/proc/sys/net/{family}/neigh/up0/{setting}"), value).unwrap();
            }
        }
        let check = assert_fates(&[
            Fate::good(GOOD_V4, Echo::Answered),
            Fate::good(GOOD_V6, Echo::Answered),
            // Nobody listens.
            Fate::failed("203.0.113.2", Refused, "", Echo::Answered),
            Fate::failed("2001:db8:80::2", Refused, "", Echo::Answered),
            Fate::failed("203.0.113.3", Refused, "", Echo::Answered),
            Fate::failed("2001:db8:80::3", Refused, "", Echo::Answered),
            Fate::rejected_by("203.0.113.4", Refused, "port unreachable (ICMPv4 type 3 code 3)", "203.0.113.4"),
            Fate::rejected_by("2001:db8:80::4", Refused, "port unreachable (ICMPv6 type 1 code 4)", "2001:db8:80::4"),
            Fate::failed("203.0.113.5", Silent, "nothing came for 3 s", Echo::Silent),
            Fate::failed("2001:db8:80::5", Silent, "nothing came for 3 s", Echo::Silent),
            Fate::good("203.0.113.6", Echo::Silent),
            Fate::good("2001:db8:80::6", Echo::Silent),
            Fate::rejected("198.51.100.1", Unreachable, "network unreachable (ICMPv4 type 3 code 0)"),
            Fate::rejected("198.51.100.2", Unreachable, "host unreachable (ICMPv4 type 3 code 1)"),
            Fate::rejected("198.51.100.3", Refused, "port unreachable (ICMPv4 type 3 code 3)"),
            Fate::rejected("198.51.100.4", Unreachable, "administratively prohibited (ICMPv4 type 3 code 13)"),
            Fate::rejected("2001:db8:dead::1", Unreachable, "no route to destination (ICMPv6 type 1 code 0)"),
            Fate::rejected("2001:db8:dead::2", Unreachable, "address unreachable (ICMPv6 type 1 code 3)"),
            Fate::rejected("2001:db8:dead::3", Refused, "port unreachable (ICMPv6 type 1 code 4)"),
            Fate::rejected("2001:db8:dead::4", Unreachable, "administratively prohibited (ICMPv6 type 1 code 1)"),
            // Nobody on the link has it.
            Fate::by_this_host("192.0.2.9", Unreachable, "host unreachable (ICMPv4 type 3 code 1)"),
            Fate::by_this_host("2001:db8::9", Unreachable, "address unreachable (ICMPv6 type 1 code 3)"),
        ])
        .await;
        assert_eq!(check.verdict.level, Level::Degraded);
        for address in &check.addresses {
            let source = if address.addr.is_ipv4() { HOST_V4 } else { HOST_V6 };
            assert_eq!(address.source, Some(parse(source)), "{address:?}");
        }
    });
}

/// What this host forbids itself is told from what others do.
#[test]
fn this_host_is_told_from_others() {
    use FaultClass::{LocalRule, NoRoute};

    in_namespace(|| async {
        permit_pings();
        dual_stack();
        let _servers = (http_server(LOCAL_V4).await, http_server(LOCAL_V6).await);
        let [a6, b6, c6] = ["2001:db8:2::1", "2001:db8:2::2", "2001:db8:2::3"];
        let [a4, b4, c4] = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];
        for (addr, kind) in [a4, b4, c4].iter().zip(["unreachable", "prohibit", "blackhole"]) {
            ip(&format!("route add {kind} {addr}/32"));
        }
        for (addr, kind) in [a6, b6, c6].iter().zip(["unreachable", "prohibit", "blackhole"]) {
            ip(&format!("-6 route add {kind} {addr}/128"));
        }
        let ([x4, y4], [x6, y6, _], z4) = (SILENT_V4, SILENT_V6, "198.51.100.3");
        nft(&format!(
            "add table inet test
             add chain inet test output {{ type filter hook output priority 0; }}
             add rule inet test output ip daddr {x4} reject
             add rule inet test output ip6 daddr {x6} reject
             add rule inet test output ip daddr {y4} reject with icmp type admin-prohibited
             add rule inet test output ip6 daddr {y6} reject with icmpv6 type admin-prohibited
             add rule inet test output ip daddr {z4} icmp type echo-request drop"
        ));
        let check = assert_fates(&[
            Fate::good(LOCAL_V4, Echo::Answered),
            Fate::good(LOCAL_V6, Echo::Answered),
            Fate::failed(a4, NoRoute, "No route to host", Echo::AsTcp),
            Fate::failed(a6, NoRoute, "No route to host", Echo::AsTcp),
            Fate::failed(b4, LocalRule, "Permission denied", Echo::AsTcp),
            Fate::failed(b6, LocalRule, "Permission denied", Echo::AsTcp),
            Fate::failed(c4, NoRoute, "Invalid argument", Echo::AsTcp),
            Fate::failed(c6, NoRoute, "Invalid argument", Echo::AsTcp),
            Fate::by_this_host(x4, LocalRule, "port unreachable (ICMPv4 type 3 code 3)"),
            Fate::by_this_host(x6, LocalRule, "port unreachable (ICMPv6 type 1 code 4)"),
            Fate::by_this_host(y4, LocalRule, "administratively prohibited (ICMPv4 type 3 code 13)"),
            Fate::by_this_host(y6, LocalRule, "administratively prohibited (ICMPv6 type 1 code 1)"),
            Fate::failed(z4, FaultClass::Silent, "nothing came for 3 s", Echo::Failed(LocalRule)),
        ])
        .await;
        for address in check.addresses.iter().filter(|address| address.probe.is_good()) {
            assert_eq!(address.source, Some(address.addr.ip()));
        }
        let unroutable =
            check.addresses.iter().filter(|address| [a4, a6, c4, c6].contains(&&*address.addr.ip().to_string()));
        assert!(unroutable.clone().all(|address| address.source.is_none()), "{unroutable:?}");
        let early =
            check.addresses.iter().filter(|address| [x4, y4, x6, y6].contains(&&*address.addr.ip().to_string()));
        // The ICMP error comes while the socket is still in `connect`; only the SYN that is sent again would fail by itself.
        assert!(early.clone().all(|address| address.probe.total < ms(900)), "{:?}", early.collect::<Vec<_>>());
    });
}

/// A user whose host has no IPv6 is told so, and the site is none the worse for it.
#[test]
fn a_host_without_ipv6_checks_what_it_can() {
    in_namespace(|| async {
        ipv4_only();
        let _server = http_server(LOCAL_V4).await;
        let check = assert_fates(&[
            // A new namespace permits pings to nobody.
            Fate::good(LOCAL_V4, Echo::NotPermitted),
            Fate::failed(SILENT_V6[0], FaultClass::NoRoute, "Network is unreachable", Echo::NotPermitted),
        ])
        .await;
        assert_eq!(check.verdict.level, Level::Ok, "{:?}", check.verdict);
        assert!(
            check.verdict.notes.iter().any(|note| note == "IPv6 not checked: no route from here"),
            "{:?}",
            check.verdict
        );
        assert!(check.addresses.iter().any(|address| address.addr.is_ipv6() && address.source.is_none()));
    });
}

/// Only probes ask for more than other connectors are told: a race has to fail as they do.
#[test]
fn a_race_asks_for_no_explanations() {
    in_namespace(|| async {
        dual_stack();
        let _server = http_server(LOCAL_V4).await;
        let rejected = SILENT_V6[0];
        nft(&format!(
            "add table inet test
             add chain inet test output {{ type filter hook output priority 0; }}
             add rule inet test output ip6 daddr {rejected} reject"
        ));
        let check = check(&[rejected, LOCAL_V4]).await;
        let fault = check.addresses[0].probe.fault.as_ref().unwrap();
        assert_eq!(fault.class, FaultClass::LocalRule);
        let [attempt, _] = check.race.report.as_ref().unwrap().attempts() else { panic!("{:?}", check.race) };
        let AttemptOutcome::Failed(failure) = attempt.outcome() else { panic!("{attempt:?}") };
        assert_eq!(failure.to_string(), "Connection refused (os error 111)");
    });
}

/// What decides the way of the connector's packets decides that of a ping.
#[test]
fn a_ping_goes_the_way_of_the_connector() {
    in_namespace(|| async {
        permit_pings();
        dual_stack();
        let check = check_by(|builder| builder.interface("nosuchif0"), &[LOCAL_V4, LOCAL_V6]).await;
        for address in &check.addresses {
            Fate::failed("any", FaultClass::Local, "tcp bind interface error", Echo::AsTcp).assert(address);
        }
        assert_eq!(check.addresses.len(), 2);
    });
}
