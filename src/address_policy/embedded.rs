//! IPv4 addresses within IPv6 addresses: whoever is asked about the one has to be asked about the other.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::nat64::Nat64Prefix;

/// The lengths that a prefix within `64:ff9b:1::/48` can have.
const LOCAL_LENGTHS: [u8; 4] = [48, 56, 64, 96];

/// The IPv4 addresses that `ip` leads to, by some network's translator or by a tunnel; an IPv4-mapped address is none of
/// IPv6 and not looked at.
pub(super) fn embedded(ip: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let last = Ipv4Addr::from_bits(ip.to_bits() as u32);
    let by_prefix = match ip.segments() {
        // NAT64 (RFC 6052 section 2.1), stateless translation (RFC 2765 section 2.1), and "IPv4-compatible" addresses
        // (RFC 4291 section 2.5.5.1), of which 0.0.0.0/16 has others.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0, 0, 0, 0, 0, 0, 1..=u16::MAX, _] => {
            Some(last)
        }
        // 6to4 (RFC 3056 section 2).
        [0x2002, high, low, ..] => Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))),
        // Teredo: the client, each bit inverted (RFC 4380 section 4).
        [0x2001, 0, ..] => Some(Ipv4Addr::from_bits(!last.to_bits())),
        _ => None,
    };
    // ISATAP (RFC 5214 section 6.1) can have any prefix of 64 bits, a public one as well. One bit says whether the IPv4
    // address is unique in the world, if it is to be believed.
    let is_isatap = matches!(ip.segments(), [.., 0 | 0x0200, 0x5efe, _, _]);
    let by_identifier = is_isatap.then_some(last);
    by_prefix.into_iter().chain(by_identifier).chain(local_nat64(ip))
}

/// The readings of an address under the prefix that is set aside for local NAT64 (RFC 8215). How long the prefix of the
/// network is cannot be seen, so each reading counts that is laid out as RFC 6052 has it.
fn local_nat64(ip: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let is_local = matches!(ip.segments(), [0x64, 0xff9b, 1, ..]);
    let prefixes = LOCAL_LENGTHS.into_iter().filter(move |_| is_local).filter_map(move |len| Nat64Prefix::new(ip, len));
    prefixes.filter_map(move |prefix| {
        let within = prefix.within(ip)?;
        // Zeros at the front are those of a longer prefix.
        (within.octets()[0] != 0 && prefix.with(within) == ip).then_some(within)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(ip: &str) -> String {
        let ips: Vec<_> = embedded(ip.parse().unwrap()).map(|ip| ip.to_string()).collect();
        ips.join(" ")
    }

    #[test]
    fn each_way_to_embed_is_read() {
        for (ip, expected) in [
            ("64:ff9b::a00:1", "10.0.0.1"),
            ("64:ff9b::", "0.0.0.0"),
            ("64:ff9b::1:0:0", ""),
            ("::ffff:0:a00:1", "10.0.0.1"),
            ("::10.0.0.1", "10.0.0.1"),
            ("::1", ""),
            ("::", ""),
            ("::ffff", ""),
            ("2002:a00:1::", "10.0.0.1"),
            ("2002:a00:1:ffff:ffff:ffff:ffff:ffff", "10.0.0.1"),
            ("2003:a00:1::", ""),
            ("2001:0:808:808:0:1234:f5ff:fffe", "10.0.0.1"),
            ("2001:1:808:808:0:1234:f5ff:fffe", ""),
            ("2606:4700::5efe:a00:1", "10.0.0.1"),
            ("2606:4700::200:5efe:a00:1", "10.0.0.1"),
            ("2606:4700::100:5efe:a00:1", ""),
            ("2606:4700::5eff:a00:1", ""),
            ("2606:4700::5efe:0:a00:1", ""),
            ("2002:808:808::5efe:a00:1", "8.8.8.8 10.0.0.1"),
            ("2606:4700::a00:1", ""),
        ] {
            assert_eq!(within(ip), expected, "{ip}");
        }
    }

    #[test]
    fn a_local_nat64_can_have_any_of_its_lengths() {
        for (ip, expected) in [
            ("64:ff9b:1::a00:1", "10.0.0.1"),
            ("64:ff9b:1:abcd:0:1:a00:1", "10.0.0.1"),
            ("64:ff9b:1:a00:0:100::", "10.0.0.1"),
            ("64:ff9b:1:a:0:1::", "10.0.0.1"),
            ("64:ff9b:1:0:a:0:100:0", "10.0.0.1 1.0.0.0"),
            ("64:ff9b:1::", ""),
            ("64:ff9b:2::a00:1", ""),
        ] {
            assert_eq!(within(ip), expected, "{ip}");
        }
    }
}
