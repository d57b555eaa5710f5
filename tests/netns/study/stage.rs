//! Puts clients into scenes, and keeps what was on the wire.

use std::cell::Cell;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_server::proto::rr::RecordType;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::clients::Client;
use super::network::{NAME_SERVER, Network};
use super::relay::Relay;
use super::scenes::{Host, Scene};
use super::servers::{DOMAIN, Servers};
use super::trace::Trace;
use crate::lab::{Ca, Dns};
use crate::network::parse;
use crate::packet_socket::now;
use crate::standstill;

/// As many scenes at once as do not disturb each other: a client is idle nearly all of the time.
const SCENES: usize = 8;
/// How often a scene is watched if the machine stands still each time.
const MOST_TIMES: usize = 5;

pub(crate) struct Stage {
    network: Network<Servers>,
    ca: Arc<Ca>,
    room: Semaphore,
    /// The last address that was given to a host.
    address: Cell<u16>,
    repeated: Cell<usize>,
}

impl Stage {
    pub(crate) fn start() -> Self {
        let ca = Arc::new(Ca::new());
        let network = Network::start({
            let ca = ca.clone();
            || Servers::start(ca)
        });
        Self { network, ca, room: Semaphore::new(SCENES), address: Cell::new(0), repeated: Cell::new(0) }
    }

    /// Watches one connect from start to end. Where the machine stood still meanwhile, it is watched again.
    pub(crate) async fn watch(&self, client: &Client, scene: impl Fn(&Self) -> Scene) -> Trace {
        let _room = self.room.acquire().await.expect("it is never closed");
        let mut times = 1;
        loop {
            let (trace, disturbed) = self.watch_once(client, &scene).await;
            if !disturbed || times == MOST_TIMES {
                return trace;
            }
            times += 1;
            self.repeated.set(self.repeated.get() + 1);
        }
    }

    async fn watch_once(&self, client: &Client, scene: impl Fn(&Self) -> Scene) -> (Trace, bool) {
        let Scene { host, url, patience } = scene(self);
        let (skipped, start) = (self.relay().count(), now());
        // A task of its own, as it would be in a client.
        let connecting = tokio::spawn(timeout(patience, client.connect(&url)));
        if let Ok(Err(error)) = connecting.await.expect("no client panics") {
            println!("{} {url}: {error}", client.name);
        }
        let trace = Trace::of(&host, self.relay(), skipped);
        (trace, standstill::happened(start, now()).await)
    }

    /// A new host with so many addresses of each family.
    pub(crate) fn host(&self, addrs: u16) -> Host {
        self.host_named(&format!("host{}.{DOMAIN}", self.address.get()), addrs)
    }

    pub(crate) fn host_named(&self, name: &str, addrs: u16) -> Host {
        let last = self.address.get();
        let addresses = last + 1..=last + addrs;
        self.address.set(last + addrs);
        let v6 = addresses.clone().map(|address| Ipv6Addr::new(0x2001, 0xdb8, 0x80, 0, 0, 0, 0, address)).collect();
        let v4 = addresses.map(u16::to_be_bytes).map(|[high, low]| Ipv4Addr::new(198, 18, high, low)).collect();
        let host = Host { name: name.to_owned(), v6, v4, hidden: Vec::new() };
        host.answer_after(self, RecordType::AAAA, Duration::ZERO);
        host.answer_after(self, RecordType::A, Duration::ZERO);
        host
    }

    pub(crate) fn ca(&self) -> &Ca {
        &self.ca
    }

    pub(crate) fn name_server(&self) -> SocketAddr {
        SocketAddr::new(parse(NAME_SERVER), 53)
    }

    pub(crate) fn dns(&self) -> &Dns {
        &self.network.servers.dns
    }

    pub(crate) fn relay(&self) -> &Relay {
        &self.network.relay
    }

    /// How many times a scene was watched again.
    pub(crate) fn repeated(&self) -> usize {
        self.repeated.get()
    }
}
