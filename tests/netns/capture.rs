//! Sees every packet that the namespace sends.

use std::collections::HashSet;
use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hickory_server::proto::op::Message;
use hickory_server::proto::rr::RecordType;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

/// A packet socket on all devices. The kernel keeps the packets, with the time at which each left, until they are
/// asked for; so a test that is late misses none and measures right.
pub(crate) struct Capture {
    socket: Socket,
    packets: Vec<Packet>,
}

/// A TCP segment or UDP datagram on its way out. On loopback too each is seen once.
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
    Tcp { flags: u8, sequence: u32 },
    Udp(Vec<u8>),
}

/// A DNS query on its way out.
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
        // ETH_P_ALL in network byte order.
        let all = Protocol::from(i32::from((libc::ETH_P_ALL as u16).to_be()));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(all)).expect("root may capture");
        socket.set_recv_buffer_size(1 << 20).expect("a buffer");
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("times of packets");
        let mut capture = Self { socket, packets: Vec::new() };
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
            let sent = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
            sleep(Duration::from_millis(2));
            if self.packets().iter().any(|packet| packet.from == from && packet.at <= sent) {
                return self.packets.clear();
            }
        }
    }

    /// Everything so far, in order.
    pub(crate) fn packets(&mut self) -> &[Packet] {
        let mut buffer = [0; 2048];
        let mut control = nix::cmsg_space!(TimeSpec);
        loop {
            let mut slices = [IoSliceMut::new(&mut buffer)];
            let received =
                recvmsg::<LinkAddr>(self.socket.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::MSG_DONTWAIT);
            let (bytes, link, at) = match received {
                Ok(message) => {
                    let at = message.cmsgs().expect("room for the time").find_map(|message| match message {
                        ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
                        _ => None,
                    });
                    (message.bytes, message.address.expect("a link address"), at.expect("a time"))
                }
                Err(Errno::EAGAIN) => return &self.packets,
                Err(error) => panic!("capture: {error}"),
            };
            if link.pkttype() == libc::PACKET_OUTGOING {
                self.packets.extend(parse(&buffer[..bytes], at, link.ifindex()));
            }
        }
    }

    /// Every SYN so far, those sent again included.
    pub(crate) fn syns(&mut self) -> Vec<Packet> {
        self.packets().iter().filter(|packet| packet.is_syn()).cloned().collect()
    }

    /// The first SYN of each attempt: one sent again has the port and the sequence number of the first.
    pub(crate) fn starts(&mut self) -> Vec<Packet> {
        let mut known = HashSet::new();
        let mut syns = self.syns();
        syns.retain(|syn| known.insert((syn.from, syn.to, syn.payload.sequence())));
        syns
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
    fn is_syn(&self) -> bool {
        const FIN: u8 = 1;
        const SYN: u8 = 2;
        const RST: u8 = 4;
        const ACK: u8 = 16;
        matches!(self.payload, Payload::Tcp { flags, .. } if flags & (FIN | SYN | RST | ACK) == SYN)
    }

    fn query(&self) -> Option<Query> {
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
            Self::Udp(_) => None,
        }
    }
}

/// Reads an IP packet; `None` for what is neither TCP nor UDP. The kernel sends IPv6 without extension headers here.
fn parse(bytes: &[u8], at: Duration, device: usize) -> Option<Packet> {
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
    let payload = match i32::from(protocol) {
        libc::IPPROTO_TCP => {
            let sequence = segment.get(4..8)?.try_into().ok()?;
            Payload::Tcp { flags: *segment.get(13)?, sequence: u32::from_be_bytes(sequence) }
        }
        libc::IPPROTO_UDP => Payload::Udp(segment.get(8..)?.to_vec()),
        _ => return None,
    };
    let from = SocketAddr::new(from, word(segment, 0)?);
    let to = SocketAddr::new(to, word(segment, 2)?);
    Some(Packet { at, device, from, to, payload })
}
