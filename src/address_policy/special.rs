//! Which addresses are globally reachable, by the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890,
//! RFC 8190) as they stood in October 2025.
//!
//! The newest of their rows are RFC 9637's (2024), RFC 9602's (2024), RFC 9780's and RFC 9665's (2025).

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::policy_table::{bits, mask};

/// A block of addresses; the longest that has an address says what it is. IPv4 stands in `::ffff:0:0/96`, so that an
/// IPv4-mapped address is judged as what it maps.
#[derive(Clone, Copy, Debug)]
struct Block {
    prefix: u128,
    len: u8,
    is_public: bool,
    /// What comes after "is".
    is: &'static str,
    /// The RFC that says so.
    rfc: u16,
}

const BLOCKS: [Block; 53] = [
    // IPv4 is public where nothing else is said.
    v4([0, 0, 0, 0], 0, "unicast", 791).public(),
    v4([0, 0, 0, 0], 8, "of \"this network\"", 791),
    v4([10, 0, 0, 0], 8, "for private use", 1918),
    v4([100, 64, 0, 0], 10, "shared behind a carrier's NAT", 6598),
    v4([127, 0, 0, 0], 8, "loopback", 1122),
    v4([169, 254, 0, 0], 16, "link-local", 3927),
    v4([172, 16, 0, 0], 12, "for private use", 1918),
    v4([192, 0, 0, 0], 24, "for protocols of the IETF", 6890),
    v4([192, 0, 0, 0], 29, "for IPv4 service continuity", 7335),
    v4([192, 0, 0, 8], 32, "a dummy", 7600),
    v4([192, 0, 0, 9], 32, "anycast of PCP", 7723).public(),
    v4([192, 0, 0, 10], 32, "anycast of TURN", 8155).public(),
    v4([192, 0, 0, 170], 31, "for the discovery of NAT64", 8880),
    v4([192, 0, 2, 0], 24, "for documentation", 5737),
    v4([192, 31, 196, 0], 24, "of AS112", 7535).public(),
    v4([192, 52, 193, 0], 24, "of AMT", 7450).public(),
    v4([192, 88, 99, 0], 24, "anycast of 6to4 relays, which is deprecated", 7526),
    v4([192, 168, 0, 0], 16, "for private use", 1918),
    v4([192, 175, 48, 0], 24, "of AS112", 7534).public(),
    v4([198, 18, 0, 0], 15, "for benchmarks", 2544),
    v4([198, 51, 100, 0], 24, "for documentation", 5737),
    v4([203, 0, 113, 0], 24, "for documentation", 5737),
    // Multicast has a registry of its own.
    v4([224, 0, 0, 0], 4, "multicast", 5771),
    v4([240, 0, 0, 0], 4, "reserved", 1112),
    v4([255, 255, 255, 255], 32, "limited broadcast", 919),
    // IPv6 is public only where global unicast is assigned from.
    v6(&[], 0, "outside global unicast", 4291),
    v6(&[0x2000], 3, "global unicast", 4291).public(),
    v6(&[], 128, "unspecified", 4291),
    v6(&[0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback", 4291),
    v6(&[0x64, 0xff9b], 96, "NAT64", 6052).public(),
    v6(&[0x64, 0xff9b, 1], 48, "for local NAT64", 8215),
    v6(&[0x100], 64, "to be discarded", 6666),
    v6(&[0x100, 0, 0, 1], 64, "a dummy", 9780),
    v6(&[0x2001], 23, "for protocols of the IETF", 2928),
    // Of its addresses the registry does not say whether they can be reached, and public relays are no more.
    v6(&[0x2001], 32, "Teredo", 4380),
    v6(&[0x2001, 1, 0, 0, 0, 0, 0, 1], 128, "anycast of PCP", 7723).public(),
    v6(&[0x2001, 1, 0, 0, 0, 0, 0, 2], 128, "anycast of TURN", 8155).public(),
    v6(&[0x2001, 1, 0, 0, 0, 0, 0, 3], 128, "anycast of DNS-SD registration", 9665).public(),
    v6(&[0x2001, 2], 48, "for benchmarks", 5180),
    v6(&[0x2001, 3], 32, "of AMT", 7450).public(),
    v6(&[0x2001, 4, 0x112], 48, "of AS112", 7535).public(),
    v6(&[0x2001, 0x10], 28, "an ORCHID, which is deprecated", 4843),
    v6(&[0x2001, 0x20], 28, "an ORCHIDv2", 7343).public(),
    v6(&[0x2001, 0x30], 28, "a drone's remote ID", 9374).public(),
    v6(&[0x2001, 0xdb8], 32, "for documentation", 3849),
    v6(&[0x2002], 16, "6to4", 3056).public(),
    v6(&[0x2620, 0x4f, 0x8000], 48, "of AS112", 7534).public(),
    v6(&[0x3fff], 20, "for documentation", 9637),
    v6(&[0x5f00], 16, "a segment of SRv6", 9602),
    v6(&[0xfc00], 7, "unique local", 4193),
    v6(&[0xfe80], 10, "link-local", 4291),
    // No row of the registry, but still in use.
    v6(&[0xfec0], 10, "site-local, which is deprecated", 3879),
    v6(&[0xff00], 8, "multicast", 4291),
];

const fn v4(prefix: [u8; 4], len: u8, is: &'static str, rfc: u16) -> Block {
    let [a, b, c, d] = prefix;
    let prefix = Ipv4Addr::new(a, b, c, d).to_ipv6_mapped().to_bits();
    Block { prefix, len: 96 + len, is_public: false, is, rfc }
}

/// The groups that are missing are 0.
const fn v6(groups: &[u16], len: u8, is: &'static str, rfc: u16) -> Block {
    let (mut prefix, mut index) = (0, 0);
    while index < groups.len() {
        prefix |= (groups[index] as u128) << (112 - 16 * index);
        index += 1;
    }
    Block { prefix, len, is_public: false, is, rfc }
}

impl Block {
    const fn public(self) -> Self {
        Self { is_public: true, ..self }
    }

    fn of(ip: IpAddr) -> &'static Self {
        let bits = bits(ip);
        let blocks = BLOCKS.iter().filter(|block| bits & mask(block.len) == block.prefix);
        blocks.max_by_key(|block| block.len).unwrap_or(&BLOCKS[0])
    }
}

/// Why an address is not globally reachable.
#[derive(Debug)]
pub(super) struct NotPublic {
    ip: IpAddr,
    block: &'static Block,
}

/// `None` if everybody can reach `ip`. An IPv4 address within it is judged by itself.
pub(super) fn not_public(ip: IpAddr) -> Option<NotPublic> {
    let ip = ip.to_canonical();
    let block = Block::of(ip);
    (!block.is_public).then_some(NotPublic { ip, block })
}

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ip, block: Block { is, rfc, .. } } = self;
        write!(f, "{ip} is {is} (RFC {rfc})")
    }
}
