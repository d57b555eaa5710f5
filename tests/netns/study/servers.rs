//! What answers the clients: a name server, and servers on every address of the servers' side.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

use super::network::NAME_SERVER;
use crate::lab::{Behaviour, Ca, Certificate, Dns, Server};
use crate::network::parse;

/// The domain of every host.
pub(crate) const DOMAIN: &str = "lab.test";
/// HTTPS on a port that a client knows from an HTTPS record only.
pub(crate) const OTHER_PORT: u16 = 8443;
/// HTTPS of which over IPv6 there is no more than TCP.
pub(crate) const STALLED_PORT: u16 = 8444;

pub(crate) struct Servers {
    pub(crate) dns: Dns,
    _servers: Vec<Server>,
}

impl Servers {
    pub(crate) async fn start(ca: Arc<Ca>) -> Self {
        let dns = Dns::start_at(SocketAddr::new(parse(NAME_SERVER), 53)).await.expect("the port is free");
        let tls = Arc::new(ca.server_config(&format!("*.{DOMAIN}"), Certificate::Good));
        let servers = [
            ((Ipv6Addr::UNSPECIFIED, 80).into(), None, Behaviour::Serve),
            ((Ipv4Addr::UNSPECIFIED, 80).into(), None, Behaviour::Serve),
            ((Ipv6Addr::UNSPECIFIED, 443).into(), Some(&tls), Behaviour::Serve),
            ((Ipv4Addr::UNSPECIFIED, 443).into(), Some(&tls), Behaviour::Serve),
            ((Ipv6Addr::UNSPECIFIED, OTHER_PORT).into(), Some(&tls), Behaviour::Serve),
            ((Ipv4Addr::UNSPECIFIED, OTHER_PORT).into(), Some(&tls), Behaviour::Serve),
            ((Ipv6Addr::UNSPECIFIED, STALLED_PORT).into(), Some(&tls), Behaviour::Stall),
            ((Ipv4Addr::UNSPECIFIED, STALLED_PORT).into(), Some(&tls), Behaviour::Serve),
        ];
        let start = |(addr, tls, behaviour): (SocketAddr, Option<&Arc<_>>, _)| {
            Server::start(listen(addr), tls.cloned(), behaviour).expect("a server")
        };
        Self { dns, _servers: servers.into_iter().map(start).collect() }
    }
}

/// One family only: the other has a socket of its own.
fn listen(addr: SocketAddr) -> TcpListener {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).expect("a socket");
    if addr.is_ipv6() {
        socket.set_only_v6(true).expect("an option of every IPv6 socket");
    }
    socket.set_nonblocking(true).expect("an option of every socket");
    socket.bind(&addr.into()).expect("the port is free");
    socket.listen(1024).expect("it is bound");
    TcpListener::from_std(socket.into()).expect("it does not block")
}
