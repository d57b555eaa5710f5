//! Sees every packet that the namespace sends.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread::sleep;
use std::time::Duration;

use hickory_server::proto::op::Message;
use hickory_server::proto::rr::RecordType;
use socket2::Type;

use crate::packet_socket::{PacketSocket, now};

/// RFC 792 and RFC 4443 section 3.1.
const ICMP_UNREACHABLE: u8 = 3;
const ICMPV6_UNREACHABLE: u8 = 1;

/// A packet socket on all devices. The kernel keeps the packets, with the time at which each left, until they are
/// asked for; so a test that is late misses none and measures right.
pub(crate) struct Capture {
    socket: PacketSocket,
    packets: Vec<Packet>,
}

/// A TCP segment, a UDP datagram, or an ICMP error. A capture has it on its way out, and so only once on loopback too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// Since the epoch.
    pub(crate) at: Duration,
    /// The index of the device.
    pub(crate) device: usize,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) payload: Payload,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    Tcp {
        flags: u8,
        sequence: u32,
    },
    Udp(Vec<u8>),
    /// That a destination is unreachable. It has no ports.
    Unreachable,
}

/// The question of a DNS message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) at: Duration,
    pub(crate) to: SocketAddr,
    /// With the final dot.
    pub(crate) name: String,
    pub(crate) kind: RecordType,
}

impl Capture {
    pub(crate) fn start() -> Self {
        let mut capture = Self { socket: PacketSocket::open(Type::DGRAM), packets: Vec::new() };
        capture.wait_for_times();
        capture
    }

    /// The kernel turns times on a little later than it is asked to. Until then a packet has the time at which it is
    /// read.
    fn wait_for_times(&mut self) {
        const DISCARD: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
        let probe = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback is up");
        let from = probe.local_addr().expect("it is bound");
        loop {
            self.packets.clear();
            // An earlier probe may have left an ICMP error on the socket.
            let _ = probe.send_to(&[], DISCARD);
            let sent = now();
            sleep(Duration::from_millis(2));
            if self.packets().iter().any(|packet| packet.from == from && packet.at <= sent) {
                return self.packets.clear();
            }
        }
    }

    /// Everything so far, in order.
    pub(crate) fn packets(&mut self) -> &[Packet] {
        let mut buffer = [0; 2048];
        while let Some(received) = self.socket.receive(&mut buffer) {
            if received.is_outgoing() {
                let bytes = &buffer[..received.bytes];
                self.packets.extend(Packet::parse(bytes, received.at, received.link.ifindex()));
            }
        }
        &self.packets
    }

    /// Every SYN so far, those sent again included.
    pub(crate) fn syns(&mut self) -> Vec<Packet> {
        self.packets().iter().filter(|packet| packet.is_syn()).cloned().collect()
    }

    /// The first SYN of each attempt.
    pub(crate) fn starts(&mut self) -> Vec<Packet> {
        first_of_each(self.syns())
    }

    /// When the name server at `port` sent its answers.
    pub(crate) fn answers(&mut self, port: u16) -> Vec<Duration> {
        self.packets().iter().filter(|packet| packet.from.port() == port).map(|packet| packet.at).collect()
    }

    /// Every DNS query so far, over UDP to port `port`.
    pub(crate) fn queries(&mut self, port: u16) -> Vec<Query> {
        self.packets().iter().filter(|packet| packet.to.port() == port).filter_map(Packet::query).collect()
    }
}

impl Packet {
    /// Reads an IP packet; `None` for what is of no interest. The kernel sends IPv6 without extension headers here.
    pub(crate) fn parse(bytes: &[u8], at: Duration, device: usize) -> Option<Self> {
        let word = |bytes: &[u8], at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let (from, to, protocol, header): (IpAddr, IpAddr, u8, usize) = match bytes.first()? >> 4 {
            4 => {
                let ip = |at| Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?).into());
                (ip(12)?, ip(16)?, *bytes.get(9)?, usize::from(bytes[0] & 15) * 4)
            }
            6 => {
                let ip = |at| Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok()?).into());
                (ip(8)?, ip(24)?, *bytes.get(6)?, 40)
            }
            _ => return None,
        };
        let segment = bytes.get(header..)?;
        let mut ports = [word(segment, 0)?, word(segment, 2)?];
        let payload = match (i32::from(protocol), *segment.first()?) {
            (libc::IPPROTO_TCP, _) => {
                let sequence = segment.get(4..8)?.try_into().ok()?;
                Payload::Tcp { flags: *segment.get(13)?, sequence: u32::from_be_bytes(sequence) }
            }
            (libc::IPPROTO_UDP, _) => Payload::Udp(segment.get(8..)?.to_vec()),
            (libc::IPPROTO_ICMP, ICMP_UNREACHABLE) | (libc::IPPROTO_ICMPV6, ICMPV6_UNREACHABLE) => {
                ports = [0, 0];
                Payload::Unreachable
            }
            _ => return None,
        };
        let [from, to] = [SocketAddr::new(from, ports[0]), SocketAddr::new(to, ports[1])];
        Some(Self { at, device, from, to, payload })
    }

    pub(crate) fn is_syn(&self) -> bool {
        const FIN: u8 = 1;
        const SYN: u8 = 2;
        const RST: u8 = 4;
        const ACK: u8 = 16;
        matches!(self.payload, Payload::Tcp { flags, .. } if flags & (FIN | SYN | RST | ACK) == SYN)
    }

    pub(crate) fn query(&self) -> Option<Query> {
        let Payload::Udp(payload) = &self.payload else { return None };
        let message = Message::from_vec(payload).ok()?;
        let question = message.queries.first()?;
        let name = question.name().to_string();
        Some(Query { at: self.at, to: self.to, name, kind: question.query_type() })
    }
}

impl Payload {
    fn sequence(&self) -> Option<u32> {
        match self {
            Self::Tcp { sequence, .. } => Some(*sequence),
            Self::Udp(_) | Self::Unreachable => None,
        }
    }
}

/// Leaves out the SYNs that were sent again: such a one has the port and the sequence number of the first.
pub(crate) fn first_of_each(mut syns: Vec<Packet>) -> Vec<Packet> {
    let mut known = HashSet::new();
    syns.retain(|syn| known.insert((syn.from, syn.to, syn.payload.sequence())));
    syns
}
