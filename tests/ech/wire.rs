//! What somebody on the way sees: every octet of every packet, in a network namespace.

use std::net::SocketAddr;

use hickory_server::net::xfer::Protocol;
use hyper_happy_eyeballs::Ech;
use hyper_happy_eyeballs::resolve::HickoryResolver;
use socket2::Type;

use crate::front::{Front, NAME, Transport};
use crate::host::{HOST, client};
use crate::namespace::{LIMIT, give_way, in_namespace_within};
use crate::packet_socket::PacketSocket;
use crate::scene::{Scene, builder, settings};
use crate::server::{Manner, program};

/// Neither TLS nor DNS shows the name of the host, also where ECH is rejected and tried again, or rejected for good. It
/// shows where there is no ECH, and where a server has turned it off: that can be seen here.
///
/// Proves: ECH-4, ECH-5
#[test]
fn the_name_of_the_host_is_nowhere_on_the_wire() {
    // Before the clock of the namespace runs.
    if program().is_none() {
        return;
    }
    in_namespace_within(LIMIT, || async {
        // Of what is busy here most is another process.
        give_way();
        for (manner, ech, is_shown) in [
            (Manner::Current, Ech::On, false),
            (Manner::Current, Ech::Grease, false),
            (Manner::Current, Ech::Required, false),
            (Manner::Current, Ech::Off, true),
            (Manner::Stale, Ech::On, false),
            (Manner::Moving, Ech::On, false),
            (Manner::Disabled, Ech::Required, false),
            (Manner::Disabled, Ech::On, true),
            (Manner::Tls12, Ech::On, false),
        ] {
            let scene = Scene::open(manner).await.expect("it could be built");
            let front = Front::open(&scene.host.ca, scene.host.dns.addr(), Transport::Tls).await;
            let name = NAME.try_into().expect("a name");
            let resolver = HickoryResolver::over_tls([(front.addr(), name)], scene.host.ca.client_config(&[]));
            let connector = builder(&scene.host).resolver(resolver).config(settings(ech)).build().expect("a choice");
            let wire = Wire::tap();
            // What becomes of it is the matter of other tests.
            let _ = client(connector).get(scene.uri().parse().expect("a URI")).await;
            assert_eq!(wire.shows_the_host(scene.host.dns.addr()), is_shown, "{manner:?}, {ech:?}");
            front.assert_nothing_in_clear();
            assert!(scene.host.dns.log().iter().all(|query| query.transport == Protocol::Tcp));
        }
    });
}

/// All that is sent from now on.
struct Wire(PacketSocket);

impl Wire {
    fn tap() -> Self {
        Self(PacketSocket::open(Type::DGRAM))
    }

    /// Whether any packet so far has the name of the host in it, as TLS or as DNS writes it. What is between the server
    /// of DNS over TLS and `dns`, whom it asks, does not count.
    ///
    /// # Panics
    ///
    /// If there was no other packet, of which nothing could be said.
    fn shows_the_host(&self, dns: SocketAddr) -> bool {
        let labels: Vec<u8> =
            HOST.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
        let has = |packet: &[u8], name: &[u8]| packet.windows(name.len()).any(|octets| octets == name);
        let mut buffer = vec![0; 1 << 16];
        let (mut packets, mut shown) = (0, false);
        while let Some(received) = self.0.receive(&mut buffer) {
            let packet = &buffer[..received.bytes];
            if !has_port(packet, dns.port()) {
                packets += 1;
                shown |= has(packet, HOST.as_bytes()) || has(packet, &labels);
            }
        }
        assert!(packets > 0, "nothing was seen");
        shown
    }
}

/// Whether an IPv4 packet, which has no options here, has this port at either end.
fn has_port(packet: &[u8], port: u16) -> bool {
    packet.get(20..24).is_some_and(|ports| ports.chunks(2).any(|octets| octets == port.to_be_bytes()))
}
