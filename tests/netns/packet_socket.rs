//! A packet socket: every packet of its namespace, with the time at which the kernel had it.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, sendto, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

pub(crate) struct PacketSocket(Socket);

pub(crate) struct Received {
    pub(crate) bytes: usize,
    pub(crate) link: LinkAddr,
    /// Since the epoch.
    pub(crate) at: Duration,
}

impl PacketSocket {
    /// On all devices of the namespace of this thread. `Type::RAW` is with the link's header, `Type::DGRAM` without.
    pub(crate) fn open(kind: Type) -> Self {
        // ETH_P_ALL in network byte order.
        let all = Protocol::from(i32::from((libc::ETH_P_ALL as u16).to_be()));
        let socket = Socket::new(Domain::PACKET, kind, Some(all)).expect("root may capture");
        socket.set_recv_buffer_size(1 << 20).expect("a buffer");
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("times of packets");
        Self(socket)
    }

    /// The next packet, if there is one already.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Option<Received> {
        let mut control = nix::cmsg_space!(TimeSpec);
        let mut slices = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        match recvmsg::<LinkAddr>(self.0.as_raw_fd(), &mut slices, Some(&mut control), flags) {
            Ok(message) => {
                let at = message.cmsgs().expect("room for the time").find_map(|message| match message {
                    ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
                    _ => None,
                });
                let link = message.address.expect("a link address");
                Some(Received { bytes: message.bytes, link, at: at.expect("a time") })
            }
            Err(Errno::EAGAIN) => None,
            Err(error) => panic!("packet socket: {error}"),
        }
    }

    /// Sends a packet with its link header out of a device.
    pub(crate) fn send(&self, frame: &[u8], device: &LinkAddr) -> nix::Result<()> {
        sendto(self.0.as_raw_fd(), frame, device, MsgFlags::MSG_DONTWAIT).map(drop)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Received {
    /// Whether it is on its way out, rather than in.
    pub(crate) fn is_outgoing(&self) -> bool {
        self.link.pkttype() == libc::PACKET_OUTGOING
    }
}

/// The clock that the times of packets are read from: since the epoch.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970")
}
