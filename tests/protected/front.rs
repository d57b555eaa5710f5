//! The lab's name server behind TLS: what comes over TLS or HTTPS is handed to it over TCP.

// Every test binary uses another part of it.
#![allow(dead_code)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::lab::{Ca, Certificate};

/// The name of the name server.
pub(crate) const NAME: &str = "dns.lab.test";
pub(crate) const PATH: &str = "/dns-query";
pub(crate) const DNS_MESSAGE: &str = "application/dns-message";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tls,
    Https,
}

pub(crate) const BOTH: [Transport; 2] = [Transport::Tls, Transport::Https];

/// A name server that stops when it is dropped.
pub(crate) struct Front {
    addr: SocketAddr,
    log: watch::Sender<Log>,
    /// UDP on the same port, which nobody is to use.
    udp: UdpSocket,
    /// Dropped, it ends what runs.
    _tasks: JoinSet<()>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) accepted: usize,
    pub(crate) handshakes: usize,
    /// Queries over TLS.
    queries: usize,
    open: usize,
    /// How often the connections of that time were closed.
    closed: usize,
}

/// What the server does beside its work.
#[derive(Clone)]
pub(crate) enum Manner {
    Good,
    /// Accepts connections and never says anything.
    Stall,
    /// Answers each request of HTTP with this and no message.
    Status(StatusCode),
    /// Takes everything and answers nothing.
    Mute,
    /// The same on the first connection only, as if something on the way had forgotten it.
    FirstMute,
    /// Closes every connection but the first, as servers do that allow so many.
    OnlyFirst,
    /// Lengthens each message in a response of HTTP to so many octets.
    Padded(usize),
    /// Adds this header to each response of HTTP.
    Header(&'static str, &'static str),
}

struct Service {
    dns: SocketAddr,
    tls: Arc<ServerConfig>,
    transport: Transport,
    manner: Manner,
    log: watch::Sender<Log>,
}

impl Front {
    /// As it should be, before `dns`.
    pub(crate) async fn open(ca: &Ca, dns: SocketAddr, transport: Transport) -> Self {
        Self::with(ca, dns, transport, Certificate::Good, Manner::Good).await
    }

    pub(crate) async fn with(
        ca: &Ca,
        dns: SocketAddr,
        transport: Transport,
        certificate: Certificate,
        manner: Manner,
    ) -> Self {
        let (listener, udp) = bind().await.expect("a port free in TCP and UDP");
        let addr = listener.local_addr().expect("it is bound");
        let tls = Arc::new(ca.server_config(NAME, certificate));
        let log = watch::Sender::default();
        let service = Service { dns, tls, transport, manner, log: log.clone() };
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::new(service)));
        Self { addr, log, udp, _tasks: tasks }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn log(&self) -> Log {
        self.log.borrow().clone()
    }

    /// Closes every connection, as servers do with idle ones.
    pub(crate) fn hang_up(&self) {
        self.log.send_modify(|log| log.closed += 1);
    }

    pub(crate) async fn until_accepted(&self) {
        self.log.subscribe().wait_for(|log| log.accepted > 0).await.expect("a sender is in self");
    }

    /// Returns when so many queries have come.
    pub(crate) async fn until_asked(&self, count: usize) {
        self.log.subscribe().wait_for(|log| log.queries >= count).await.expect("a sender is in self");
    }

    /// Returns when no connection is open.
    pub(crate) async fn until_closed(&self) {
        self.log.subscribe().wait_for(|log| log.open == 0).await.expect("a sender is in self");
    }

    /// Asserts that nothing came in clear: no datagram, and no connection without TLS.
    pub(crate) fn assert_nothing_in_clear(&self) {
        let received = self.udp.try_recv(&mut [0; 512]);
        assert_eq!(received.map_err(|error| error.kind()), Err(io::ErrorKind::WouldBlock));
        let Log { accepted, handshakes, .. } = self.log();
        assert_eq!(accepted, handshakes);
    }
}

async fn bind() -> io::Result<(TcpListener, UdpSocket)> {
    let mut tries = 0;
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match UdpSocket::bind(listener.local_addr()?).await {
            Ok(udp) => return Ok((listener, udp)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < 100 => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

async fn accept(listener: TcpListener, service: Arc<Service>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        service.log.send_modify(|log| {
            log.accepted += 1;
            log.open += 1;
        });
        let mut log = service.log.subscribe();
        let closed = log.borrow_and_update().closed;
        let service = service.clone();
        connections.spawn(async move {
            tokio::select! {
                // How a connection ends is the client's to judge.
                _ = serve(service.clone(), stream) => {}
                _ = log.wait_for(|log| log.closed > closed) => {}
            }
            service.log.send_modify(|log| log.open -= 1);
        });
    }
}

async fn serve(service: Arc<Service>, mut stream: TcpStream) -> io::Result<()> {
    if matches!(service.manner, Manner::Stall) {
        while stream.read(&mut [0; 512]).await? > 0 {}
        return Ok(());
    }
    if matches!(service.manner, Manner::OnlyFirst) && service.log.borrow().accepted > 1 {
        return Ok(());
    }
    let mut stream = TlsAcceptor::from(service.tls.clone()).accept(stream).await?;
    service.log.send_modify(|log| log.handshakes += 1);
    if matches!(service.manner, Manner::FirstMute) && service.log.borrow().handshakes == 1 {
        while stream.read(&mut [0; 512]).await? > 0 {}
        return Ok(());
    }
    match service.transport {
        Transport::Tls => answer_frames(&service, stream).await,
        Transport::Https => answer_requests(service, stream).await,
    }
}

/// Each answer leaves when it is there, whatever the order of the queries.
async fn answer_frames(service: &Service, stream: TlsStream<TcpStream>) -> io::Result<()> {
    let dns = service.dns;
    let (mut reader, writer) = tokio::io::split(stream);
    let writer = Arc::new(Mutex::new(writer));
    let mut queries = JoinSet::new();
    loop {
        let query = read_frame(&mut reader).await?;
        service.log.send_modify(|log| log.queries += 1);
        if matches!(service.manner, Manner::Mute) {
            continue;
        }
        let writer = writer.clone();
        queries.spawn(async move {
            let answer = ask(dns, &query).await?;
            write_frame(&mut *writer.lock().await, &answer).await
        });
    }
}

async fn answer_requests(service: Arc<Service>, stream: TlsStream<TcpStream>) -> io::Result<()> {
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let respond = service_fn(|request: Request<Incoming>| {
        let service = service.clone();
        async move { respond(&service, request).await }
    });
    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder.serve_connection(TokioIo::new(stream), respond).await.map_err(io::Error::other)
}

async fn respond(service: &Service, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let mut response = Response::builder().header(CONTENT_TYPE, DNS_MESSAGE);
    match service.manner {
        Manner::Status(status) => {
            return Ok(Response::builder().status(status).body(Full::default()).expect("a response"));
        }
        Manner::Header(name, value) => response = response.header(name, value),
        Manner::Good | Manner::Stall | Manner::Mute | Manner::FirstMute | Manner::OnlyFirst | Manner::Padded(_) => {}
    }
    let headers = [request.headers().get(CONTENT_TYPE), request.headers().get(ACCEPT)];
    let is_right = request.method() == Method::POST
        && request.uri().path() == PATH
        && request.uri().authority().is_some_and(|authority| authority == NAME)
        && headers.iter().all(|header| header.is_some_and(|value| value == DNS_MESSAGE));
    let query = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    // "use a DNS ID of 0 in every DNS request" (RFC 8484 section 4.1).
    if !is_right || query[..2] != [0, 0] {
        return Ok(Response::builder().status(StatusCode::BAD_REQUEST).body(Full::default()).expect("a response"));
    }
    let mut answer = ask(service.dns, &query).await?;
    if let Manner::Padded(length) = service.manner {
        answer.resize(length, 0);
    }
    Ok(response.body(Full::new(answer.into())).expect("a response"))
}

/// Asks the lab's name server.
async fn ask(dns: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut dns = TcpStream::connect(dns).await?;
    write_frame(&mut dns, query).await?;
    read_frame(&mut dns).await
}

/// A message with its length before it (RFC 1035 section 4.2.2).
async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut message = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn write_frame(stream: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).expect("it was a message");
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await?;
    stream.flush().await
}
