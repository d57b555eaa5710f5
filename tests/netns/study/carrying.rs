//! The relay does what it is told, or nothing that is measured with it means anything.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::network::Network;
use super::relay::{Direction, Fate};
use crate::capture::Packet;
use crate::namespace::{add_address, in_namespace};
use crate::network::{assert_close, ms, parse};
use crate::packet_socket::now;

const PORT: u16 = 7;
const DELAY: Duration = Duration::from_millis(120);
const ADDRESSES: [&str; 4] = ["2001:db8:80::1", "2001:db8:80::2", "198.18.0.1", "198.18.0.2"];

/// Answers each datagram with the time at which it came, from the address that it came to.
async fn tell_time() {
    for addr in ADDRESSES {
        add_address(addr, "lo");
        let socket = UdpSocket::bind((parse(addr), PORT)).await.expect("a port");
        tokio::spawn(async move {
            loop {
                let (_, from) = socket.recv_from(&mut []).await.expect("a datagram");
                let time = now().as_nanos().to_be_bytes();
                socket.send_to(&time, from).await.expect("the client is near");
            }
        });
    }
}

/// How long a datagram takes to the server, and another back.
async fn one_way_times(server: IpAddr) -> io::Result<(Duration, Duration)> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await.unwrap();
    let sent = now();
    socket.connect((server, PORT)).await.unwrap();
    socket.send(&[]).await.unwrap();
    let mut time = [0; 16];
    socket.recv(&mut time).await?;
    let received = now();
    let at_server = Duration::from_nanos(u128::from_be_bytes(time).try_into().unwrap());
    Ok((at_server - sent, received - at_server))
}

#[test]
fn a_packet_takes_the_delay_of_its_address_and_direction() {
    in_namespace(|| async {
        let network = Network::start(tell_time);
        for server in ADDRESSES.map(parse) {
            network.relay.set(server, Direction::ToServer, Fate::Delayed(DELAY));
            let (there, back) = one_way_times(server).await.unwrap();
            println!("{server} there: {there:?} {back:?}");
            assert!(there >= DELAY);
            assert_close(there, DELAY);
            assert_close(back, Duration::ZERO);

            network.relay.set(server, Direction::ToServer, Fate::Delayed(Duration::ZERO));
            network.relay.set(server, Direction::ToClient, Fate::Delayed(DELAY));
            let (there, back) = one_way_times(server).await.unwrap();
            println!("{server} back: {there:?} {back:?}");
            assert!(back >= DELAY);
            assert_close(there, Duration::ZERO);
            assert_close(back, DELAY);
        }
    });
}

#[test]
fn only_packets_of_an_address_that_is_silent_are_dropped() {
    in_namespace(|| async {
        let network = Network::start(tell_time);
        for [silent, other] in [[0, 1], [2, 3]] {
            let [silent, other] = [silent, other].map(|index| parse(ADDRESSES[index]));
            network.relay.set(silent, Direction::ToServer, Fate::Dropped);
            assert!(timeout(ms(100), one_way_times(silent)).await.is_err());
            one_way_times(other).await.unwrap();
            let [dropped] = &network.relay.carried(0, |packet| packet.to.ip() == silent)[..] else {
                panic!("a packet to {silent}");
            };
            assert_eq!(dropped.arrived, None);
        }
    });
}

#[test]
fn only_the_first_packet_is_dropped_where_it_is_to_be() {
    in_namespace(|| async {
        let network = Network::start(tell_time);
        let server = parse(ADDRESSES[0]);
        network.relay.set(server, Direction::ToServer, Fate::FirstDropped(DELAY));
        assert!(timeout(ms(100), one_way_times(server)).await.is_err());
        let (there, _) = one_way_times(server).await.unwrap();
        assert_close(there, DELAY);
    });
}

/// Nobody is on the port, and the sender hears of it.
#[test]
fn an_icmp_error_is_carried() {
    in_namespace(|| async {
        let network = Network::start(|| async {});
        for server in ADDRESSES.map(parse) {
            network.relay.set(server, Direction::ToServer, Fate::Delayed(DELAY));
            let start = now();
            let error = one_way_times(server).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            assert_close(now() - start, DELAY);
        }
    });
}

/// TCP gets through, its handshake takes as long as the delay, and the log has the same times.
#[test]
fn the_log_says_when_each_segment_left_and_arrived() {
    in_namespace(|| async {
        let network =
            Network::start(|| async { TcpListener::bind((Ipv6Addr::UNSPECIFIED, PORT)).await.expect("a port") });
        for server in ADDRESSES.map(parse) {
            network.relay.set(server, Direction::ToClient, Fate::Delayed(DELAY));
            let start = now();
            let stream = TcpStream::connect((server, PORT)).await.unwrap();
            assert_close(now() - start, DELAY);
            let (local, peer) = (stream.local_addr().unwrap(), SocketAddr::new(server, PORT));
            // By both ends: the connection to the last server may have had the same local port.
            let between = |packet: &Packet| [(local, peer), (peer, local)].contains(&(packet.from, packet.to));
            let segments = network.relay.carried(0, between);
            let [syn, answer, ..] = &segments[..] else { panic!("a handshake") };
            assert_eq!(syn.packet.to, peer);
            assert!(syn.packet.is_syn() && syn.packet.at >= start);
            assert_close(syn.arrived.unwrap(), start);
            assert_eq!(answer.packet.to, local);
            assert_close(answer.arrived.unwrap(), start + DELAY);
        }
    });
}
