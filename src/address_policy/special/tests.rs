use std::net::{Ipv6Addr, SocketAddr};

use super::*;
use crate::address_policy::{AddressPolicy, Verdict};
use crate::origin::Origin;

fn parse(ip: &str) -> IpAddr {
    ip.parse().unwrap_or_else(|_| panic!("{ip} is no address"))
}

fn reason(ip: &str) -> Option<String> {
    not_public(parse(ip)).map(|not_public| not_public.to_string())
}

/// Around every block the last address before it, the first and last of it, and the first after it.
const PUBLIC: &[&str] = &[
    "1.0.0.0",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.0.9",
    "192.0.0.10",
    "192.0.1.0",
    "192.0.1.255",
    "192.0.3.0",
    "192.31.195.255",
    "192.31.196.0",
    "192.31.196.255",
    "192.31.197.0",
    "192.52.193.0",
    "192.52.193.255",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "192.175.48.0",
    "192.175.48.255",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "2000::",
    "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:1::1",
    "2001:1::2",
    "2001:1::3",
    "2001:3::",
    "2001:3:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:4:112::",
    "2001:4:112:ffff:ffff:ffff:ffff:ffff",
    "2001:20::",
    "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:30::",
    "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:200::",
    "2001:4860:4860::8888",
    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db9::",
    "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2003::",
    "2606:4700::1111",
    "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff",
    "2620:4f:8000::",
    "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
    "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "3fff:1000::",
    "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];

const NOT_PUBLIC: &[(&str, &str)] = &[
    ("0.0.0.0", "of \"this network\" (RFC 791)"),
    ("0.255.255.255", "of \"this network\" (RFC 791)"),
    ("10.0.0.0", "for private use (RFC 1918)"),
    ("10.255.255.255", "for private use (RFC 1918)"),
    ("100.64.0.0", "shared behind a carrier's NAT (RFC 6598)"),
    ("100.127.255.255", "shared behind a carrier's NAT (RFC 6598)"),
    ("127.0.0.0", "loopback (RFC 1122)"),
    ("127.0.0.1", "loopback (RFC 1122)"),
    ("127.255.255.255", "loopback (RFC 1122)"),
    ("169.254.0.0", "link-local (RFC 3927)"),
    ("169.254.169.254", "link-local (RFC 3927)"),
    ("169.254.255.255", "link-local (RFC 3927)"),
    ("172.16.0.0", "for private use (RFC 1918)"),
    ("172.31.255.255", "for private use (RFC 1918)"),
    ("192.0.0.0", "for IPv4 service continuity (RFC 7335)"),
    ("192.0.0.7", "for IPv4 service continuity (RFC 7335)"),
    ("192.0.0.8", "a dummy (RFC 7600)"),
    ("192.0.0.11", "for protocols of the IETF (RFC 6890)"),
    ("192.0.0.169", "for protocols of the IETF (RFC 6890)"),
    ("192.0.0.170", "for the discovery of NAT64 (RFC 8880)"),
    ("192.0.0.171", "for the discovery of NAT64 (RFC 8880)"),
    ("192.0.0.172", "for protocols of the IETF (RFC 6890)"),
    ("192.0.0.255", "for protocols of the IETF (RFC 6890)"),
    ("192.0.2.0", "for documentation (RFC 5737)"),
    ("192.0.2.255", "for documentation (RFC 5737)"),
    ("192.88.99.0", "anycast of 6to4 relays, which is deprecated (RFC 7526)"),
    ("192.88.99.255", "anycast of 6to4 relays, which is deprecated (RFC 7526)"),
    ("192.168.0.0", "for private use (RFC 1918)"),
    ("192.168.255.255", "for private use (RFC 1918)"),
    ("198.18.0.0", "for benchmarks (RFC 2544)"),
    ("198.19.255.255", "for benchmarks (RFC 2544)"),
    ("198.51.100.0", "for documentation (RFC 5737)"),
    ("198.51.100.255", "for documentation (RFC 5737)"),
    ("203.0.113.0", "for documentation (RFC 5737)"),
    ("203.0.113.255", "for documentation (RFC 5737)"),
    ("224.0.0.0", "multicast (RFC 5771)"),
    ("239.255.255.255", "multicast (RFC 5771)"),
    ("240.0.0.0", "reserved (RFC 1112)"),
    ("255.255.255.254", "reserved (RFC 1112)"),
    ("255.255.255.255", "limited broadcast (RFC 919)"),
    ("::", "unspecified (RFC 4291)"),
    ("::1", "loopback (RFC 4291)"),
    ("::2", "outside global unicast (RFC 4291)"),
    // IPv4-compatible and IPv4-translated addresses are of no use any more.
    ("::8.8.8.8", "outside global unicast (RFC 4291)"),
    ("::ffff:0:8.8.8.8", "outside global unicast (RFC 4291)"),
    ("::fffe:ffff:ffff", "outside global unicast (RFC 4291)"),
    ("::1:0:0:0", "outside global unicast (RFC 4291)"),
    ("64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "outside global unicast (RFC 4291)"),
    ("64:ff9b::1:0:0", "outside global unicast (RFC 4291)"),
    ("64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "outside global unicast (RFC 4291)"),
    ("64:ff9b:1::", "for local NAT64 (RFC 8215)"),
    ("64:ff9b:1::8.8.8.8", "for local NAT64 (RFC 8215)"),
    ("64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "for local NAT64 (RFC 8215)"),
    ("64:ff9b:2::", "outside global unicast (RFC 4291)"),
    ("ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "outside global unicast (RFC 4291)"),
    ("100::", "to be discarded (RFC 6666)"),
    ("100::ffff:ffff:ffff:ffff", "to be discarded (RFC 6666)"),
    ("100:0:0:1::", "a dummy (RFC 9780)"),
    ("100:0:0:1:ffff:ffff:ffff:ffff", "a dummy (RFC 9780)"),
    ("100:0:0:2::", "outside global unicast (RFC 4291)"),
    ("1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "outside global unicast (RFC 4291)"),
    ("2001:1::", "for protocols of the IETF (RFC 2928)"),
    ("2001:1::4", "for protocols of the IETF (RFC 2928)"),
    ("2001:1:ffff:ffff:ffff:ffff:ffff:ffff", "for protocols of the IETF (RFC 2928)"),
    ("2001:2::", "for benchmarks (RFC 5180)"),
    ("2001:2:0:ffff:ffff:ffff:ffff:ffff", "for benchmarks (RFC 5180)"),
    ("2001:2:1::", "for protocols of the IETF (RFC 2928)"),
    ("2001:2:ffff:ffff:ffff:ffff:ffff:ffff", "for protocols of the IETF (RFC 2928)"),
    ("2001:4::", "for protocols of the IETF (RFC 2928)"),
    ("2001:4:111:ffff:ffff:ffff:ffff:ffff", "for protocols of the IETF (RFC 2928)"),
    ("2001:4:113::", "for protocols of the IETF (RFC 2928)"),
    ("2001:f:ffff:ffff:ffff:ffff:ffff:ffff", "for protocols of the IETF (RFC 2928)"),
    ("2001:10::", "an ORCHID, which is deprecated (RFC 4843)"),
    ("2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", "an ORCHID, which is deprecated (RFC 4843)"),
    ("2001:40::", "for protocols of the IETF (RFC 2928)"),
    ("2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "for protocols of the IETF (RFC 2928)"),
    ("2001:db8::", "for documentation (RFC 3849)"),
    ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "for documentation (RFC 3849)"),
    ("3fff::", "for documentation (RFC 9637)"),
    ("3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "for documentation (RFC 9637)"),
    ("4000::", "outside global unicast (RFC 4291)"),
    ("5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "outside global unicast (RFC 4291)"),
    ("5f00::", "a segment of SRv6 (RFC 9602)"),
    ("5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "a segment of SRv6 (RFC 9602)"),
    ("5f01::", "outside global unicast (RFC 4291)"),
    ("fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "outside global unicast (RFC 4291)"),
    ("fc00::", "unique local (RFC 4193)"),
    ("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique local (RFC 4193)"),
    ("fe00::", "outside global unicast (RFC 4291)"),
    ("fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "outside global unicast (RFC 4291)"),
    ("fe80::", "link-local (RFC 4291)"),
    ("febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local (RFC 4291)"),
    ("fec0::", "site-local, which is deprecated (RFC 3879)"),
    ("feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local, which is deprecated (RFC 3879)"),
    ("ff00::", "multicast (RFC 4291)"),
    ("ff0e::1", "multicast (RFC 4291)"),
    ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast (RFC 4291)"),
];

#[test]
fn what_everybody_can_reach_is_public() {
    for ip in PUBLIC {
        assert_eq!(reason(ip), None, "{ip}");
    }
}

#[test]
fn everything_else_is_not_and_the_reason_says_what_it_is() {
    for (ip, is) in NOT_PUBLIC {
        assert_eq!(reason(ip).as_deref(), Some(&*format!("{} is {is}", parse(ip))));
    }
}

/// The ways to embed an IPv4 address in an address that could be public. Teredo's client stands inverted in the last
/// bits.
fn embedding(ip: Ipv4Addr) -> [(&'static str, Ipv6Addr); 6] {
    let [high, low] = [ip.to_bits() >> 16, ip.to_bits() & 0xffff].map(|half| half as u16);
    [
        ("NAT64", Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low)),
        ("6to4", Ipv6Addr::new(0x2002, high, low, 1, 0, 0, 0, 1)),
        ("ISATAP", Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0x5efe, high, low)),
        ("ISATAP of a unique address", Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0x200, 0x5efe, high, low)),
        ("ISATAP in 6to4", Ipv6Addr::new(0x2002, 0x808, 0x808, 1, 0, 0x5efe, high, low)),
        ("Teredo", Ipv6Addr::new(0x2001, 0, 0x808, 0x808, 0, 0x1234, !high, !low)),
    ]
}

#[test]
fn an_embedded_address_is_judged_as_if_it_stood_alone() {
    for ip in PUBLIC.iter().filter_map(|ip| ip.parse::<Ipv4Addr>().ok()) {
        for (form, outer) in embedding(ip) {
            // Of Teredo nothing is allowed.
            let expected = (form == "Teredo").then(|| format!("{outer} is Teredo (RFC 4380)"));
            assert_eq!(denied(outer), expected, "{form} of {ip}");
        }
    }
    for ip in NOT_PUBLIC.iter().filter_map(|(ip, _)| ip.parse::<Ipv4Addr>().ok()) {
        // Which is where it leads.
        let (reached, ip) = if ip.is_unspecified() { (Ipv4Addr::LOCALHOST, ip) } else { (ip, ip) };
        for (form, outer) in embedding(ip) {
            let expected = format!("leads to {ip}: {}", reason(&reached.to_string()).unwrap());
            assert_eq!(denied(outer), Some(expected), "{form} of {ip}");
        }
    }
}

fn denied(ip: Ipv6Addr) -> Option<String> {
    let origin = Origin::from_uri(&"http://h.test/".parse().unwrap()).unwrap();
    match AddressPolicy::public_only().judge(&origin, SocketAddr::new(ip.into(), 80), &[]) {
        Verdict::Allow => None,
        Verdict::Deny(reason) => Some(reason.into_owned()),
    }
}

/// It is an IPv4 address, and called that.
#[test]
fn a_mapped_address_is_the_one_that_it_maps() {
    assert_eq!(reason("::ffff:8.8.8.8"), None);
    assert_eq!(reason("::ffff:192.0.0.9"), None);
    assert_eq!(reason("::ffff:0.0.0.1").unwrap(), "0.0.0.1 is of \"this network\" (RFC 791)");
    assert_eq!(reason("::ffff:127.0.0.1").unwrap(), "127.0.0.1 is loopback (RFC 1122)");
    assert_eq!(reason("::ffff:255.255.255.255").unwrap(), "255.255.255.255 is limited broadcast (RFC 919)");
}

#[test]
fn each_block_is_there_once_and_begins_at_its_first_address() {
    for (index, block) in BLOCKS.iter().enumerate() {
        assert_eq!(block.prefix & !mask(block.len), 0, "{block:?}");
        let is_same = |other: &Block| (other.prefix, other.len) == (block.prefix, block.len);
        assert!(!BLOCKS[..index].iter().any(is_same), "{block:?}");
    }
}
