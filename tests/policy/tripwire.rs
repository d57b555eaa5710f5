//! A port that is watched on every address of this host.

use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// Takes connections to any loopback address, by either family.
pub(crate) struct Tripwire(TcpListener);

impl Tripwire {
    pub(crate) fn open() -> Self {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, None).expect("a socket of IPv6");
        socket.set_only_v6(false).expect("IPv4 by IPv6");
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into()).expect("a port");
        socket.listen(1024).expect("a backlog");
        socket.set_nonblocking(true).expect("no blocking");
        Self(socket.into())
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().expect("it is bound").port()
    }

    /// How many have connected since the last time.
    pub(crate) fn accepted(&self) -> usize {
        let mut accepted = 0;
        loop {
            match self.0.accept() {
                Ok(_) => accepted += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return accepted,
                Err(error) => panic!("{error}"),
            }
        }
    }
}
