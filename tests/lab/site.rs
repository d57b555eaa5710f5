//! Addresses on loopback that share one port, each with a fate of its own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{Behaviour, Ca, Certificate, Server};

/// What is at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    Http(Behaviour),
    Https(Certificate, Behaviour),
    /// SYNs get no answer.
    Silent,
    /// SYNs get a RST.
    Refused,
}

impl Site {
    /// As it should be.
    pub const GOOD: Self = Self::Https(Certificate::Good, Behaviour::Serve);
}

/// The sites of one host.
pub struct Sites {
    port: u16,
    servers: Vec<Server>,
    _silent: Vec<Silent>,
    /// A port that is bound and not listened on refuses, and nobody else can take it.
    _refusing: Vec<TcpSocket>,
}

impl Sites {
    /// Opens every site on one port, with certificates for `host`.
    pub async fn open(ca: &Ca, host: &str, sites: impl IntoIterator<Item = (IpAddr, Site)>) -> io::Result<Self> {
        let (addrs, sites): (Vec<_>, Vec<_>) = sites.into_iter().unzip();
        let (port, sockets) = bind_all(&addrs)?;
        let mut opened = Self { port, servers: Vec::new(), _silent: Vec::new(), _refusing: Vec::new() };
        for (socket, site) in sockets.into_iter().zip(sites) {
            match site {
                Site::Http(behaviour) => opened.servers.push(Server::start(socket.listen(1024)?, None, behaviour)?),
                Site::Https(certificate, behaviour) => {
                    let tls = Arc::new(ca.server_config(host, certificate));
                    opened.servers.push(Server::start(socket.listen(1024)?, Some(tls), behaviour)?);
                }
                Site::Silent => opened._silent.push(Silent::fill(socket).await?),
                Site::Refused => opened._refusing.push(socket),
            }
        }
        Ok(opened)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The server at an address.
    ///
    /// # Panics
    ///
    /// If no server is there.
    pub fn server(&self, ip: IpAddr) -> &Server {
        self.find_server(ip).unwrap_or_else(|| panic!("no server at {ip}"))
    }

    pub fn find_server(&self, ip: IpAddr) -> Option<&Server> {
        self.servers.iter().find(|server| server.addr().ip() == ip)
    }
}

/// Binds one free port on every address. Without SO_REUSEADDR: with it the kernel may hand out a port that another
/// such socket holds already.
fn bind_all(addrs: &[IpAddr]) -> io::Result<(u16, Vec<TcpSocket>)> {
    let mut tries = 0;
    loop {
        let mut port = 0;
        let sockets: io::Result<Vec<_>> = addrs
            .iter()
            .map(|&ip| {
                let socket = if ip.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
                socket.bind(SocketAddr::new(ip, port))?;
                port = socket.local_addr()?.port();
                Ok(socket)
            })
            .collect();
        match sockets {
            Ok(sockets) => return Ok((port, sockets)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < 100 => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// A listener whose accept queue is full, so that the kernel drops further SYNs.
struct Silent {
    _listener: TcpListener,
    _fillers: Vec<TcpStream>,
}

impl Silent {
    async fn fill(socket: TcpSocket) -> io::Result<Self> {
        let listener = socket.listen(0)?;
        let addr = listener.local_addr()?;
        // For one there is room, however long it takes.
        let mut fillers = vec![TcpStream::connect(addr).await?];
        // Nothing tells that a SYN was dropped; a connect on loopback that is not through by now never will be.
        while let Ok(filler) = timeout(Duration::from_millis(100), TcpStream::connect(addr)).await {
            fillers.push(filler?);
            if fillers.len() > 16 {
                return Err(io::Error::other(format!("{addr} takes connections without end")));
            }
        }
        Ok(Self { _listener: listener, _fillers: fillers })
    }
}
