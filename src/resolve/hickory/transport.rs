//! hickory's sockets, with what they carry changed on the way (see `wire.rs`).

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
#[cfg(feature = "dns-over-tls")]
use hickory_resolver::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_resolver::net::runtime::{
    DnsTcpStream, DnsUdpSocket, QuicSocketBinder, RuntimeProvider, TokioHandle, TokioRuntimeProvider, TokioTime,
};
use tokio::io::Interest;

#[cfg(feature = "dns-over-tls")]
use super::over_tls::Tls;
use super::wire;

type TokioUdp = <TokioRuntimeProvider as RuntimeProvider>::Udp;
type Bytes = Pin<Box<dyn ByteStream>>;

trait ByteStream: AsyncRead + AsyncWrite + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Send + Sync> ByteStream for T {}

/// Sockets of tokio.
#[derive(Clone)]
pub(super) struct Sockets {
    tokio: TokioRuntimeProvider,
    carry_dns: bool,
    sent: Sent,
    #[cfg(feature = "dns-over-tls")]
    tls: Option<Tls>,
}

/// How often something has left.
type Sent = Arc<AtomicU64>;

impl Sockets {
    /// Without `carry_dns` the sockets carry something else, such as TLS, and leave it alone.
    pub(super) fn new(carry_dns: bool) -> Self {
        Self {
            tokio: TokioRuntimeProvider::default(),
            carry_dns,
            sent: Sent::default(),
            #[cfg(feature = "dns-over-tls")]
            tls: None,
        }
    }

    /// With TLS between TCP and what it carries.
    #[cfg(feature = "dns-over-tls")]
    pub(super) fn over(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// TCP to `server`, for what is no DNS.
    #[cfg(feature = "dns-over-https")]
    pub(super) async fn connect(&self, server: SocketAddr, within: Duration) -> io::Result<tokio::net::TcpStream> {
        self.tokio.connect_tcp(server, None, Some(within)).await.map(|stream| stream.0)
    }

    /// Grows when a packet leaves for a server; clones count together.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl RuntimeProvider for Sockets {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = Udp;
    type Tcp = Tcp;

    fn create_handle(&self) -> TokioHandle {
        self.tokio.create_handle()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        bind: Option<SocketAddr>,
        timeout: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Tcp>>>> {
        let connecting = self.tokio.connect_tcp(server, bind, timeout);
        let frames = self.carry_dns.then(Frames::default);
        let sent = self.sent.clone();
        sent.fetch_add(1, Ordering::Relaxed);
        #[cfg(feature = "dns-over-tls")]
        if let Some(tls) = self.tls.clone() {
            return Box::pin(async move {
                let stream = tls.handshake(connecting.await?.0, timeout).await?;
                Ok(Tcp { stream: Box::pin(AsyncIoTokioAsStd(stream)), frames, sent })
            });
        }
        Box::pin(async move { Ok(Tcp { stream: Box::pin(connecting.await?), frames, sent }) })
    }

    fn bind_udp(&self, local: SocketAddr, server: SocketAddr) -> Pin<Box<dyn Send + Future<Output = io::Result<Udp>>>> {
        let binding = self.tokio.bind_udp(local, server);
        let (carries_dns, sent) = (self.carry_dns, self.sent.clone());
        Box::pin(async move {
            let socket = Arc::new(binding.await?);
            // So that the socket learns that nobody listens there, and takes nothing from anybody else.
            socket.connect(server).await?;
            let failing = Mutex::new(failing(socket.clone()).fuse().boxed());
            Ok(Udp { socket, failing, carries_dns, sent, request: OnceLock::new() })
        })
    }

    fn quic_binder(&self) -> Option<&dyn QuicSocketBinder> {
        self.tokio.quic_binder()
    }
}

/// hickory has a socket for each request.
pub(super) struct Udp {
    socket: Arc<TokioUdp>,
    failing: Mutex<BoxFuture<'static, io::Error>>,
    carries_dns: bool,
    sent: Sent,
    request: OnceLock<Vec<u8>>,
}

impl DnsUdpSocket for Udp {
    type Time = TokioTime;

    fn poll_recv_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let Poll::Ready(received) = DnsUdpSocket::poll_recv_from(&*self.socket, cx, buf) else {
            let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
            return failing.as_mut().poll(cx).map(Err);
        };
        let (mut length, from) = received?;
        if self.carries_dns {
            let is_cut = length == buf.len();
            if let Some(request) = self.request.get() {
                length = wire::complete(buf, length, request);
            }
            length = wire::response(&mut buf[..length], is_cut);
        }
        Poll::Ready(Ok((length, from)))
    }

    fn poll_send_to(&self, cx: &mut Context<'_>, buf: &[u8], _server: SocketAddr) -> Poll<io::Result<usize>> {
        let message = match self.carries_dns {
            true => self.request.get_or_init(|| {
                let mut message = buf.to_vec();
                wire::request(&mut message);
                message
            }),
            false => buf,
        };
        let length = ready!(self.socket.poll_send(cx, message))?;
        self.sent.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(length))
    }
}

/// The error that the network reports, which does not wake who waits for a packet.
async fn failing(socket: Arc<TokioUdp>) -> io::Error {
    let take_error = || match socket.take_error()? {
        Some(error) => Ok(error),
        None => Err(io::ErrorKind::WouldBlock.into()),
    };
    socket.async_io(Interest::ERROR, take_error).await.unwrap_or_else(|error| error)
}

pub(super) struct Tcp {
    stream: Bytes,
    frames: Option<Frames>,
    sent: Sent,
}

impl DnsTcpStream for Tcp {
    type Time = TokioTime;
}

impl AsyncRead for Tcp {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let Self { stream, frames, .. } = self.get_mut();
        match frames {
            Some(Frames { incoming, .. }) => {
                ready!(incoming.poll_fill(stream, cx))?;
                Poll::Ready(Ok(incoming.take(buf)))
            }
            None => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, frames, sent } = self.get_mut();
        sent.fetch_add(1, Ordering::Relaxed);
        match frames {
            Some(Frames { outgoing, .. }) => {
                // The one before.
                ready!(outgoing.poll_send(stream, cx))?;
                Poll::Ready(Ok(outgoing.put(buf)))
            }
            None => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, frames, .. } = self.get_mut();
        if let Some(Frames { outgoing, .. }) = frames {
            ready!(outgoing.poll_send(stream, cx))?;
        }
        Pin::new(stream).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_close(cx)
    }
}

#[derive(Default)]
struct Frames {
    incoming: Frame,
    outgoing: Frame,
}

/// A message with its length before it (RFC 1035 section 4.2.2). It is changed when it is whole.
#[derive(Default)]
struct Frame {
    bytes: Vec<u8>,
    /// Of the whole frame so many bytes have been passed on.
    passed: usize,
}

const LENGTH: usize = 2;

impl Frame {
    /// Ready when the frame is whole, or its stream at the end.
    fn poll_fill(&mut self, stream: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut chunk = [0; 2048];
        loop {
            let wanted = self.missing().min(chunk.len());
            if wanted == 0 {
                return Poll::Ready(Ok(()));
            }
            let read = ready!(Pin::new(&mut *stream).poll_read(cx, &mut chunk[..wanted]))?;
            if read == 0 {
                return Poll::Ready(Ok(()));
            }
            self.bytes.extend(&chunk[..read]);
            if self.missing() == 0 {
                let length = wire::response(&mut self.bytes[LENGTH..], false);
                self.bytes.truncate(LENGTH + length);
                // It was at most 65535 bytes long, and has not become longer.
                self.bytes[..LENGTH].copy_from_slice(&(length as u16).to_be_bytes());
            }
        }
    }

    /// Passes on what there is of a whole frame.
    fn take(&mut self, buf: &mut [u8]) -> usize {
        if self.missing() > 0 {
            return 0;
        }
        let length = buf.len().min(self.bytes.len() - self.passed);
        buf[..length].copy_from_slice(&self.bytes[self.passed..][..length]);
        self.pass(length);
        length
    }

    fn put(&mut self, buf: &[u8]) -> usize {
        let length = self.missing().min(buf.len());
        self.bytes.extend(&buf[..length]);
        if self.missing() == 0 {
            wire::request(&mut self.bytes[LENGTH..]);
        }
        length
    }

    /// Ready when no whole frame is left.
    fn poll_send(&mut self, stream: &mut Bytes, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.missing() == 0 {
            let sent = ready!(Pin::new(&mut *stream).poll_write(cx, &self.bytes[self.passed..]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pass(sent);
        }
        Poll::Ready(Ok(()))
    }

    fn pass(&mut self, length: usize) {
        self.passed += length;
        if self.passed == self.bytes.len() {
            *self = Self::default();
        }
    }

    /// The bytes that the frame needs to be whole, or to tell how long it is.
    fn missing(&self) -> usize {
        match self.bytes.first_chunk::<LENGTH>() {
            None => LENGTH - self.bytes.len(),
            Some(length) => LENGTH + usize::from(u16::from_be_bytes(*length)) - self.bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests;
