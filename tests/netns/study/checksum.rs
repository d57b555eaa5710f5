//! What a network device does for the kernel: the checksums of TCP and UDP.
//!
//! A veth device leaves them out, as nothing can happen to a packet between its two ends, and the kernel that gets such
//! a packet from a packet socket does not know that.

use nix::libc::{IPPROTO_TCP, IPPROTO_UDP};

/// Fills in the checksum of an IP packet without extension headers or fragments.
///
/// # Panics
///
/// If the packet is cut short.
pub(crate) fn complete(packet: &mut [u8]) {
    let (header, addresses, protocol) = match packet[0] >> 4 {
        4 => (usize::from(packet[0] & 15) * 4, 12..20, packet[9]),
        _ => (40, 8..40, packet[6]),
    };
    let field = match i32::from(protocol) {
        IPPROTO_TCP => 16,
        IPPROTO_UDP => 6,
        _ => return,
    };
    let length = packet.len() - header;
    let pseudo_header = sum(&packet[addresses]) + u64::from(protocol) + length as u64;
    let segment = &mut packet[header..];
    segment[field..field + 2].fill(0);
    let checksum = match !fold(pseudo_header + sum(segment)) {
        // In UDP 0 says that there is none.
        0 => u16::MAX,
        checksum => checksum,
    };
    segment[field..field + 2].copy_from_slice(&checksum.to_be_bytes());
}

fn sum(bytes: &[u8]) -> u64 {
    let word = |pair: &[u8]| u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    bytes.chunks(2).map(word).sum()
}

/// The sum in one's complement.
fn fold(mut sum: u64) -> u16 {
    while sum > u64::from(u16::MAX) {
        sum = (sum >> 16) + (sum & u64::from(u16::MAX));
    }
    sum as u16
}
