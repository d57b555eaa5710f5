//! A SOCKS5 proxy (RFC 1928, RFC 1929) that does as it is told.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What a client wants to be connected to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    Address(SocketAddr),
    Name(String, u16),
}

/// What the proxy does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Connects, or says with the code of RFC 1928 why not.
    Connect,
    /// The same, but so much later.
    After(Duration),
    /// Says so.
    Code(u8),
    /// Says nothing.
    Stall,
    Close,
    /// Says that it is connected before it has tried, as OpenSSH does, then closes.
    Boast,
}

/// How the proxy greets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Greeting {
    /// Everybody is welcome.
    #[default]
    Open,
    /// With this user and password alone.
    Login(&'static str, &'static str),
    /// Says nothing.
    Stall,
}

/// A proxy on 127.0.0.1. It stops when it is dropped.
pub struct Socks {
    addr: SocketAddr,
    log: watch::Sender<Log>,
    accepting: JoinHandle<()>,
}

#[derive(Clone, Debug, Default)]
struct Log {
    accepted: usize,
    asked: Vec<Wanted>,
}

/// What a proxy is told to do.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    greeting: Greeting,
    /// The names that it can resolve.
    names: HashMap<String, IpAddr>,
    answers: HashMap<Option<IpAddr>, Answer>,
}

impl Rules {
    pub fn greeting(mut self, greeting: Greeting) -> Self {
        self.greeting = greeting;
        self
    }

    pub fn name(mut self, name: &str, ip: IpAddr) -> Self {
        self.names.insert(name.to_owned(), ip);
        self
    }

    /// For requests that lead to `ip`, by its name too.
    pub fn answer(mut self, ip: IpAddr, answer: Answer) -> Self {
        self.answers.insert(Some(ip), answer);
        self
    }

    /// For all requests that nothing else is said of, those for unknown names included.
    pub fn otherwise(mut self, answer: Answer) -> Self {
        self.answers.insert(None, answer);
        self
    }

    fn resolve(&self, wanted: &Wanted) -> Option<SocketAddr> {
        match wanted {
            Wanted::Address(addr) => Some(*addr),
            Wanted::Name(name, port) => Some(SocketAddr::new(*self.names.get(name)?, *port)),
        }
    }

    fn answer_for(&self, addr: Option<SocketAddr>) -> Answer {
        let of_address = addr.and_then(|addr| self.answers.get(&Some(addr.ip())));
        of_address.or_else(|| self.answers.get(&None)).copied().unwrap_or(Answer::Connect)
    }
}

impl Socks {
    pub async fn start(rules: Rules) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let log = watch::Sender::default();
        let accepting = tokio::spawn(accept(listener, Arc::new(rules), log.clone()));
        Ok(Self { addr, log, accepting })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// TCP connections accepted.
    pub fn accepted(&self) -> usize {
        self.log.borrow().accepted
    }

    /// Every request so far, in the order of arrival.
    pub fn asked(&self) -> Vec<Wanted> {
        self.log.borrow().asked.clone()
    }
}

impl Drop for Socks {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, rules: Arc<Rules>, log: watch::Sender<Log>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                log.send_modify(|log| log.accepted += 1);
                let (rules, log) = (rules.clone(), log.clone());
                // How a connection ends is the client's to judge.
                connections.spawn(async move { drop(serve(stream, &rules, &log).await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut stream: TcpStream, rules: &Rules, log: &watch::Sender<Log>) -> io::Result<()> {
    if !greet(&mut stream, &rules.greeting).await? {
        return Ok(());
    }
    let wanted = request(&mut stream).await?;
    log.send_modify(|log| log.asked.push(wanted.clone()));
    let addr = rules.resolve(&wanted);
    match rules.answer_for(addr) {
        Answer::Connect => {}
        Answer::After(delay) => tokio::time::sleep(delay).await,
        Answer::Code(code) => return reply(&mut stream, code).await,
        Answer::Stall => return drain(&mut stream).await,
        Answer::Close => return Ok(()),
        Answer::Boast => return reply(&mut stream, 0).await,
    }
    let Some(addr) = addr else { return reply(&mut stream, 4).await };
    match TcpStream::connect(addr).await {
        Ok(mut server) => {
            reply(&mut stream, 0).await?;
            copy_bidirectional(&mut stream, &mut server).await.map(drop)
        }
        Err(error) => {
            let code = match error.kind() {
                io::ErrorKind::NetworkUnreachable => 3,
                io::ErrorKind::HostUnreachable => 4,
                io::ErrorKind::ConnectionRefused => 5,
                _ => 1,
            };
            reply(&mut stream, code).await
        }
    }
}

/// Whether the client may ask.
async fn greet(stream: &mut TcpStream, greeting: &Greeting) -> io::Result<bool> {
    let version = stream.read_u8().await?;
    let methods = short(stream).await?;
    match greeting {
        Greeting::Stall => {
            drain(stream).await?;
            Ok(false)
        }
        _ if version != 5 => Ok(false),
        Greeting::Open => {
            stream.write_all(&[5, 0]).await?;
            Ok(true)
        }
        Greeting::Login(..) if !methods.contains(&2) => {
            stream.write_all(&[5, 0xff]).await?;
            Ok(false)
        }
        Greeting::Login(user, password) => {
            stream.write_all(&[5, 2]).await?;
            let _version = stream.read_u8().await?;
            let login = (short(stream).await?, short(stream).await?);
            let welcome = login == (user.as_bytes().to_vec(), password.as_bytes().to_vec());
            stream.write_all(&[1, u8::from(!welcome)]).await?;
            Ok(welcome)
        }
    }
}

async fn request(stream: &mut TcpStream) -> io::Result<Wanted> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let ip: IpAddr = match head {
        [5, 1, 0, 1] => Ipv4Addr::from_bits(stream.read_u32().await?).into(),
        [5, 1, 0, 4] => Ipv6Addr::from_bits(stream.read_u128().await?).into(),
        [5, 1, 0, 3] => {
            let name = String::from_utf8_lossy(&short(stream).await?).into_owned();
            return Ok(Wanted::Name(name, stream.read_u16().await?));
        }
        _ => return Err(io::Error::other("only CONNECT is known here")),
    };
    Ok(Wanted::Address(SocketAddr::new(ip, stream.read_u16().await?)))
}

async fn reply(stream: &mut TcpStream, code: u8) -> io::Result<()> {
    stream.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await
}

/// Octets with their number in front.
async fn short(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut octets = vec![0; stream.read_u8().await?.into()];
    stream.read_exact(&mut octets).await?;
    Ok(octets)
}

async fn drain(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 256]).await? > 0 {}
    Ok(())
}
