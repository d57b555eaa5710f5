//! Carries packets between the client and the servers, each as late as its address says, and writes down all of them.
//!
//! It is a thread in a namespace of its own, with one device to each side. That takes nothing of the kernel but veth and
//! packet sockets, and packets have the time at which the kernel sent them, however late the thread is.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::thread;
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::LinkAddr;
use nix::sys::time::TimeSpec;
use nix::unistd::{Pid, gettid};
use socket2::Type;

use super::checksum;
use super::network::veth;
use crate::capture::Packet;
use crate::namespace::{enter_namespace, ip, schedule_thread};
use crate::packet_socket::{PacketSocket, now};

const ETHERNET_HEADER: usize = 14;
/// With the MTU as high as it goes, no TCP segment is too long for one packet.
const LONGEST_FRAME: usize = ETHERNET_HEADER + 65_535;

pub(crate) struct Relay {
    shared: Arc<Shared>,
    /// Dropped, it ends the thread.
    running: Option<UnixStream>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

/// What becomes of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Delayed(Duration),
    Dropped,
    /// The next one is dropped, and those after it are delayed.
    FirstDropped(Duration),
}

#[derive(Clone, Debug)]
pub(crate) struct Carried {
    /// As it was sent, and when.
    pub(crate) packet: Packet,
    /// `None` while it is under way, and of one that was dropped.
    pub(crate) arrived: Option<Duration>,
}

impl Relay {
    /// Links the namespaces of these two threads: in each there is a device `up0` then.
    pub(crate) fn start(client: Pid, server: Pid) -> Self {
        let shared = Arc::new(Shared::default());
        let (running, stopped) = UnixStream::pair().expect("a pair of sockets");
        let (ready, is_ready) = mpsc::channel();
        let thread = thread::spawn({
            let shared = shared.clone();
            move || {
                let mut carrier = Carrier::open(client, server, shared);
                ready.send(()).expect("the other thread waits for it");
                carrier.run(&stopped);
            }
        });
        is_ready.recv().expect("the relay says why it cannot run");
        Self { shared, running: Some(running), thread: Some(thread) }
    }

    /// What becomes of packets to or from an address of the servers from now on.
    pub(crate) fn set(&self, server: IpAddr, direction: Direction, fate: Fate) {
        self.shared.state().fates.insert((server, direction), fate);
    }

    /// How many packets came so far.
    pub(crate) fn count(&self) -> usize {
        self.shared.state().log.len()
    }

    /// Of the packets after the first `skipped` those that are `wanted`, in the order in which they came.
    pub(crate) fn carried(&self, skipped: usize, wanted: impl Fn(&Packet) -> bool) -> Vec<Carried> {
        self.shared.state().log[skipped..].iter().filter(|carried| wanted(&carried.packet)).cloned().collect()
    }

    /// How much later than it should each packet was handed on, sorted.
    pub(crate) fn lateness(&self) -> Vec<Duration> {
        let mut lateness = self.shared.state().lateness.clone();
        lateness.sort();
        lateness
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.running.take();
        // A panic in there was printed.
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    fates: HashMap<(IpAddr, Direction), Fate>,
    log: Vec<Carried>,
    lateness: Vec<Duration>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

/// The thread.
struct Carrier {
    socket: PacketSocket,
    client: LinkAddr,
    server: LinkAddr,
    shared: Arc<Shared>,
    /// By the time at which each has to go on, and then by its place in the log.
    queue: BTreeMap<(Duration, usize), (LinkAddr, Vec<u8>)>,
}

impl Carrier {
    fn open(client: Pid, server: Pid, shared: Arc<Shared>) -> Self {
        enter_namespace();
        // Before the client and the servers, whom it has to be in time for.
        schedule_thread(gettid(), "--rr", 2);
        for (name, side) in [("client", client), ("server", server)] {
            ip(&veth(name, side));
            ip(&format!("link set {name} up"));
        }
        let socket = PacketSocket::open(Type::RAW);
        Self { socket, client: device("client"), server: device("server"), shared, queue: BTreeMap::new() }
    }

    fn run(&mut self, stopped: &UnixStream) {
        let mut buffer = vec![0; LONGEST_FRAME];
        loop {
            self.receive(&mut buffer);
            let next = self.hand_on();
            let mut descriptors =
                [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN), PollFd::new(stopped.as_fd(), PollFlags::POLLIN)];
            let timeout = next.map(|next| TimeSpec::from(next.saturating_sub(now())));
            ppoll(&mut descriptors, timeout, None).expect("the descriptors are open");
            if descriptors[1].any() == Some(true) {
                return;
            }
        }
    }

    /// Queues what has come.
    fn receive(&mut self, buffer: &mut [u8]) {
        while let Some(received) = self.socket.receive(buffer) {
            // Among what comes are the frames that it sends itself.
            if received.is_outgoing() {
                continue;
            }
            let device = received.link.ifindex();
            let frame = &buffer[..received.bytes];
            let packet = frame.get(ETHERNET_HEADER..).and_then(|ip| Packet::parse(ip, received.at, device));
            // The rest is the kernel's talk to its neighbours.
            let Some(packet) = packet else { continue };
            let (direction, out, server) = if device == self.client.ifindex() {
                (Direction::ToServer, self.server, packet.to.ip())
            } else {
                (Direction::ToClient, self.client, packet.from.ip())
            };
            let mut state = self.shared.state();
            let fate = state.fates.entry((server, direction)).or_insert(Fate::Delayed(Duration::ZERO));
            match *fate {
                Fate::Delayed(delay) => {
                    let mut frame = frame.to_vec();
                    checksum::complete(&mut frame[ETHERNET_HEADER..]);
                    self.queue.insert((received.at + delay, state.log.len()), (out, frame));
                }
                Fate::FirstDropped(delay) => *fate = Fate::Delayed(delay),
                Fate::Dropped => {}
            }
            state.log.push(Carried { packet, arrived: None });
        }
    }

    /// Hands on what is due, and returns when the next packet is.
    fn hand_on(&mut self) -> Option<Duration> {
        while let Some(entry) = self.queue.first_entry() {
            let (due, index) = *entry.key();
            let arrived = now();
            if due > arrived {
                return Some(due);
            }
            let (out, frame) = entry.remove();
            // Before whoever gets it can ask.
            let mut state = self.shared.state();
            state.log[index].arrived = Some(arrived);
            state.lateness.push(arrived - due);
            drop(state);
            self.socket.send(&frame, &out).expect("both sides are up");
        }
        None
    }
}

fn device(name: &str) -> LinkAddr {
    let mut addresses = getifaddrs().expect("the devices");
    let of_link = addresses.find_map(|interface| {
        let address = interface.address.filter(|_| interface.interface_name == name)?;
        address.as_link_addr().copied()
    });
    of_link.unwrap_or_else(|| panic!("{name} has a link address"))
}
