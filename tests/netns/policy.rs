//! What may be dialled, where every address there is leads to this host: the kernel counts the connects.

use std::fs;
use std::time::Duration;

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::{AddressPolicy, Config, HappyEyeballsConnector, Nat64};
use tokio::net::TcpListener;

use crate::corpus;
use crate::lab::Reply;
use crate::namespace::{add_address, give_way, in_namespace, in_namespace_within, ip, replace_etc, silent_device};
use crate::network::*;

/// All of it, with a hosts file, and without a name server. Neighbours of no other network can answer.
fn every_address_is_of_this_host() {
    ip("route add local default dev lo");
    ip("-6 route add local default dev lo");
    replace_etc();
    fs::write("/etc/hosts", "127.0.0.1 localhost inside.test\n::1 ip6-localhost\n").expect("it is in memory");
    fs::write("/etc/resolv.conf", "nameserver 127.0.0.1\n").expect("it is in memory");
}

/// How often somebody in this namespace has begun a TCP connection.
fn connects() -> u64 {
    let snmp = fs::read_to_string("/proc/net/snmp").expect("/proc");
    let mut rows = snmp.lines().filter(|line| line.starts_with("Tcp:")).map(str::split_whitespace);
    let (names, values) = (rows.next().expect("names"), rows.next().expect("values"));
    let (_, value) = names.zip(values).find(|(name, _)| *name == "ActiveOpens").expect("a counter");
    value.parse().expect("a number")
}

/// Proves: NAM-9
#[test]
fn public_only_lets_no_connect_out() {
    in_namespace_within(Duration::from_secs(120), || async {
        // It is busy, and measures nothing.
        give_way();
        every_address_is_of_this_host();
        let listener = TcpListener::bind((parse("::"), PORT)).await.expect("a port");
        let served = tokio::spawn(async move {
            loop {
                listener.accept().await.expect("a connection");
            }
        });
        let mut config = Config::default();
        config.connect_timeout(Some(Duration::from_secs(10)));
        let all = |config: &Config| {
            let mut attacks = corpus::spellings(config, PORT);
            attacks.extend(corpus::spellings_of_the_system(config, PORT));
            attacks.extend(corpus::answers(config, PORT));
            attacks
        };
        // Without it, to see that they would get out.
        let attacks = all(&config);
        for attack in &attacks {
            attack.run().await;
        }
        let without = connects();
        println!("{} attacks, {without} connects without a policy", attacks.len());
        assert!(without > 800, "{without}");

        config.address_policy(AddressPolicy::public_only());
        corpus::run(&all(&config)).await;
        assert_eq!(connects(), without, "somebody connected");
        served.abort();
    });
}

/// Proves: NAM-9
#[test]
fn a_name_of_the_hosts_file_is_denied() {
    in_namespace(|| async {
        every_address_is_of_this_host();
        let mut config = Config::default();
        config.address_policy(AddressPolicy::public_only());
        let mut connector = HappyEyeballsConnector::new();
        connector.set_config(config);
        let error = get(&mut connector, "http://inside.test/").await.unwrap_err();
        assert!(error.is_denied(), "{error}");
        assert!(error.to_string().contains("; 127.0.0.1:80 denied: 127.0.0.1 is loopback (RFC 1122)"), "{error}");
        assert_eq!(connects(), 0);
    });
}

/// The metadata service and a private address behind the NAT64 of the network, by an answer and as translated.
///
/// Proves: NAM-11
#[test]
fn a_nat64_is_no_way_inside() {
    in_namespace(|| async {
        silent_device("up0");
        add_address("2001:db8::1/64", "up0");
        ip("-6 route add local 2606:4700:64::/96 dev lo");
        let within = ["2606:4700:64::a9fe:a9fe", "2606:4700:64::a00:1", "10.0.0.1"];
        let dns = dns(&within).await;
        let known = ["2606:4700:64::c000:aa", "2606:4700:64::c000:ab"].map(|ip| ip.parse().expect("an address"));
        dns.set("ipv4only.arpa", RecordType::AAAA, Reply::aaaa(known));
        // That of the host comes after the prefix, whichever is asked for first.
        let aaaa = ["2606:4700:64::a9fe:a9fe", "2606:4700:64::a00:1"].map(|ip| ip.parse().expect("an address"));
        dns.set(HOST, RecordType::AAAA, Reply::aaaa(aaaa).after(ms(200)));
        let prefixes = Nat64::Prefixes(["2606:4700:64::/96".parse().unwrap()].into());
        for nat64 in [prefixes, Nat64::Discover] {
            let mut config = Config::default();
            config.nat64(nat64.clone()).address_policy(AddressPolicy::public_only());
            let error = connect(&mut connector(&dns, config)).await.unwrap_err();
            assert!(error.is_denied(), "{nat64:?}: {error}");
            let reason = "leads to 169.254.169.254: 169.254.169.254 is link-local (RFC 3927)";
            assert!(error.to_string().contains(reason), "{nat64:?}: {error}");
            assert!(error.to_string().contains("; 10.0.0.1:8080 denied: "), "{nat64:?}: {error}");
            assert_eq!(connects(), 0, "{nat64:?}");
        }
    });
}
