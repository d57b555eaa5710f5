//! A router behind the uplink that says no.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::capture::{Capture, Packet, Payload};
use crate::network::ms;

/// Answers the first SYN to `addr` with an ICMPv6 "destination unreachable" of this code, about a millisecond later.
///
/// nft could do the same on loopback, but there the answer comes while the socket is still in `connect`, and the
/// kernel takes it for a passing trouble.
pub(crate) fn reject(addr: Ipv6Addr, code: u8) -> JoinHandle<()> {
    let mut capture = Capture::start();
    tokio::spawn(async move {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).expect("root may send ICMP");
        let mut answered = HashSet::new();
        loop {
            sleep(ms(1)).await;
            for syn in capture.starts() {
                if syn.to.ip() == addr && answered.insert(syn.from) {
                    let (message, back) = unreachable(&syn, code);
                    socket.send_to(&message, &SocketAddr::from(back).into()).expect("the host is near");
                }
            }
        }
    })
}

/// RFC 4443 section 3.1. The kernel fills in the checksum. Of the packet that did not get through, it is the addresses,
/// the ports and the sequence number that say whose it was.
fn unreachable(syn: &Packet, code: u8) -> (Vec<u8>, SocketAddrV6) {
    let (IpAddr::V6(from), IpAddr::V6(to), Payload::Tcp { sequence, .. }) = (syn.from.ip(), syn.to.ip(), &syn.payload)
    else {
        panic!("not a SYN over IPv6: {syn:?}");
    };
    let mut message = vec![1, code, 0, 0, 0, 0, 0, 0];
    message.extend([0x60, 0, 0, 0, 0, 20, libc::IPPROTO_TCP as u8, 64]);
    message.extend(from.octets());
    message.extend(to.octets());
    message.extend(syn.from.port().to_be_bytes());
    message.extend(syn.to.port().to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.extend([0; 12]);
    (message, SocketAddrV6::new(from, 0, 0, 0))
}
