//! HTTP and HTTPS servers, well behaved and not.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::server::{Acceptor, ClientHello};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::LazyConfigAcceptor;

use super::Cut;

/// What a server does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Serve,
    /// Waits, then serves.
    Delay(Duration),
    /// Reads what comes and never says anything.
    Stall,
    /// Ends the connection with a RST. On loopback a client may see it as a failure to connect.
    Reset,
    /// The same, once the first bytes came: TCP is up for every client.
    ResetHello,
    /// Ends the connection with a FIN.
    Close,
    /// Says something that is neither TLS nor HTTP.
    Garbage,
    /// Says this, and then nothing more.
    Say(&'static [u8]),
    /// Serves by TLS as far as it gets through.
    Cut(Cut),
    /// Answers every request with this status.
    Status(u16),
    /// Sends every request there.
    Redirect(&'static str),
    /// Is up, TLS included, and answers no request.
    Mute,
}

/// A server on one address: 200 and the address as the body, for every request. It stops when it is dropped.
pub struct Server {
    addr: SocketAddr,
    log: watch::Sender<Log>,
    accepting: JoinHandle<()>,
    /// Dropped, it ends `accepting`.
    running: oneshot::Sender<()>,
}

/// What one accepted connection came to so far.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    pub hello: Option<Hello>,
    /// The TLS handshake is done.
    pub handshake: bool,
    pub requests: usize,
    /// Whom the last request was for: `:authority` or `Host`.
    pub authority: Option<String>,
    /// What came before the connection was of use, that is before the handshake was done, or without TLS before the
    /// first request.
    pub early_bytes: usize,
    pub closed: bool,
}

impl Connection {
    /// Whether it got as far as it was meant to.
    pub fn finished(&self) -> bool {
        self.handshake || self.requests > 0
    }
}

/// What a ClientHello says in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    pub server_name: Option<String>,
    pub alpn: Vec<String>,
}

impl Hello {
    fn new(hello: &ClientHello<'_>) -> Self {
        let alpn = hello.alpn().into_iter().flatten();
        let alpn = alpn.map(|protocol| String::from_utf8_lossy(protocol).into_owned());
        Self { server_name: hello.server_name().map(str::to_owned), alpn: alpn.collect() }
    }
}

#[derive(Default)]
struct Log {
    /// How many connections came before the first one in the list.
    forgotten: usize,
    connections: Vec<Connection>,
}

impl Server {
    /// Serves on `listener`, with TLS if there is a configuration for it.
    pub fn start(listener: TcpListener, tls: Option<Arc<ServerConfig>>, behaviour: Behaviour) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let log = watch::Sender::default();
        let (running, stopped) = oneshot::channel();
        let service = Service { addr, tls, behaviour };
        let accepting = tokio::spawn(accept(listener, service, log.clone(), stopped));
        Ok(Self { addr, log, accepting, running })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn connections(&self) -> Vec<Connection> {
        self.log.borrow().connections.clone()
    }

    /// TCP connections accepted.
    pub fn accepted(&self) -> usize {
        self.log.borrow().connections.len()
    }

    /// The first hello that came, once it has.
    pub async fn hello(&self) -> Hello {
        let mut log = self.log.subscribe();
        let hello = |log: &Log| log.connections.iter().find_map(|connection| connection.hello.clone());
        let log = log.wait_for(|log| hello(log).is_some()).await.expect("a sender is in self");
        hello(&log).expect("it was waited for")
    }

    /// TLS handshakes done.
    pub fn handshakes(&self) -> usize {
        self.sum(|connection| connection.handshake.into())
    }

    pub fn requests(&self) -> usize {
        self.sum(|connection| connection.requests)
    }

    /// Bytes that came on connections that did not finish.
    pub fn stray_bytes(&self) -> usize {
        self.sum(|connection| if connection.finished() { 0 } else { connection.early_bytes })
    }

    fn sum(&self, of: impl Fn(&Connection) -> usize) -> usize {
        self.log.borrow().connections.iter().map(of).sum()
    }

    /// Returns when the connections are as `condition` wants them.
    pub async fn until(&self, mut condition: impl FnMut(&[Connection]) -> bool) {
        let mut log = self.log.subscribe();
        log.wait_for(|log| condition(&log.connections)).await.expect("a sender is in self");
    }

    /// Counts from nothing again. What the connections so far still do is not seen.
    pub fn forget(&self) {
        self.log.send_modify(|log| log.forgotten += std::mem::take(&mut log.connections).len());
    }

    /// Stops, and returns when the port is free and every connection is closed.
    pub async fn stop(self) {
        drop(self.running);
        self.accepting.await.expect("the accept loop does not panic");
    }
}

struct Service {
    addr: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    behaviour: Behaviour,
}

async fn accept(listener: TcpListener, service: Service, log: watch::Sender<Log>, mut stopped: oneshot::Receiver<()>) {
    let service = Arc::new(service);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Nagle's algorithm would hold the second write of a response back for a delayed acknowledgement.
                    let _ = stream.set_nodelay(true);
                    let entry = Entry::open(&log);
                    connections.spawn(serve(service.clone(), stream, entry));
                }
                // A client that is gone already, or no descriptor left in this process, which a test may want.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            },
            Some(_) = connections.join_next() => {}
            _ = &mut stopped => break,
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// How a connection ends is the client's to judge, so that errors here are dropped.
async fn serve(service: Arc<Service>, mut stream: TcpStream, entry: Entry) {
    match service.behaviour {
        Behaviour::Serve | Behaviour::Status(_) | Behaviour::Redirect(_) | Behaviour::Mute => {}
        Behaviour::Delay(delay) => tokio::time::sleep(delay).await,
        Behaviour::Close => return,
        Behaviour::Reset => return reset(&stream),
        Behaviour::ResetHello => {
            let mut stream = Counted { stream, entry };
            let _ = stream.read(&mut [0; 4096]).await;
            return reset(&stream.stream);
        }
        Behaviour::Stall => return say(b"", Counted { stream, entry }).await,
        Behaviour::Garbage => return say(b"220 lab.test ESMTP\r\n", Counted { stream, entry }).await,
        Behaviour::Say(words) => return say(words, Counted { stream, entry }).await,
        Behaviour::Cut(cut) => {
            let (inside, outside) = duplex(1 << 16);
            let inside = Counted { stream: inside, entry: entry.clone() };
            let (_, ()) = tokio::join!(cut.relay(&mut stream, outside), shake_hands(&service, inside, entry));
            return;
        }
    }
    shake_hands(&service, Counted { stream, entry: entry.clone() }, entry).await;
}

async fn shake_hands(service: &Service, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, entry: Entry) {
    match &service.tls {
        None => answer(service, stream, entry).await,
        Some(tls) => {
            let Ok(start) = LazyConfigAcceptor::new(Acceptor::default(), stream).await else { return };
            let hello = Hello::new(&start.client_hello());
            entry.update(|connection| connection.hello = Some(hello));
            if let Ok(stream) = start.into_stream(tls.clone()).await {
                entry.update(|connection| connection.handshake = true);
                answer(service, stream, entry).await;
            }
        }
    }
}

/// Makes the close that follows a RST.
pub(super) fn reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Closed with unread bytes it would send a RST, which may overtake the words.
async fn say(words: &[u8], mut stream: Counted<TcpStream>) {
    let _ = stream.write_all(words).await;
    let mut buffer = [0; 4096];
    while let Ok(1..) = stream.read(&mut buffer).await {}
}

async fn answer(service: &Service, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, entry: Entry) {
    let Service { addr, behaviour, .. } = *service;
    let (status, location) = match behaviour {
        Behaviour::Status(status) => (status, None),
        Behaviour::Redirect(to) => (307, Some(to)),
        _ => (200, None),
    };
    let service = service_fn(|request: Request<Incoming>| {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let authority = request.uri().authority().map(|authority| authority.as_str()).or(host).map(str::to_owned);
        entry.update(|connection| {
            connection.requests += 1;
            connection.authority = authority;
        });
        async move {
            if behaviour == Behaviour::Mute {
                std::future::pending::<()>().await;
            }
            let mut response = Response::builder().status(status);
            if let Some(to) = location {
                response = response.header(header::LOCATION, to);
            }
            response.body(Full::new(Bytes::from(format!("{addr}\n"))))
        }
    });
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// One connection in the log; its last clone closes it there.
#[derive(Clone)]
struct Entry(Arc<OpenConnection>);

struct OpenConnection {
    index: usize,
    log: watch::Sender<Log>,
}

impl Entry {
    fn open(log: &watch::Sender<Log>) -> Self {
        let mut index = 0;
        log.send_modify(|log| {
            index = log.forgotten + log.connections.len();
            log.connections.push(Connection::default());
        });
        Self(Arc::new(OpenConnection { index, log: log.clone() }))
    }

    fn update(&self, change: impl FnOnce(&mut Connection)) {
        self.0.update(change);
    }
}

impl OpenConnection {
    fn update(&self, change: impl FnOnce(&mut Connection)) {
        self.log.send_if_modified(|log| {
            let connection = self.index.checked_sub(log.forgotten).and_then(|index| log.connections.get_mut(index));
            connection.map(change).is_some()
        });
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.update(|connection| connection.closed = true);
    }
}

/// Counts what is read until the connection is of use.
struct Counted<S> {
    stream: S,
    entry: Entry,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        self.entry.update(|connection| {
            if !connection.finished() {
                connection.early_bytes += read;
            }
        });
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
