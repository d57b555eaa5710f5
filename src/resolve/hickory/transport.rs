//! hickory's sockets, with what they carry changed on the way (see `wire.rs`).

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
#[cfg(feature = "dns-over-tls")]
use hickory_resolver::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_resolver::net::runtime::{
    DnsTcpStream, DnsUdpSocket, QuicSocketBinder, RuntimeProvider, TokioHandle, TokioRuntimeProvider, TokioTime,
};

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
    #[cfg(feature = "dns-over-tls")]
    tls: Option<Tls>,
}

impl Sockets {
    /// Without `carry_dns` the sockets carry something else, such as TLS, and leave it alone.
    pub(super) fn new(carry_dns: bool) -> Self {
        Self {
            tokio: TokioRuntimeProvider::default(),
            carry_dns,
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
        #[cfg(feature = "dns-over-tls")]
        if let Some(tls) = self.tls.clone() {
            return Box::pin(async move {
                let stream = tls.handshake(connecting.await?.0, timeout).await?;
                Ok(Tcp { stream: Box::pin(AsyncIoTokioAsStd(stream)), frames })
            });
        }
        Box::pin(async move { Ok(Tcp { stream: Box::pin(connecting.await?), frames }) })
    }

    fn bind_udp(&self, local: SocketAddr, server: SocketAddr) -> Pin<Box<dyn Send + Future<Output = io::Result<Udp>>>> {
        let binding = self.tokio.bind_udp(local, server);
        let carries_dns = self.carry_dns;
        Box::pin(async move { Ok(Udp { socket: binding.await?, carries_dns }) })
    }

    fn quic_binder(&self) -> Option<&dyn QuicSocketBinder> {
        self.tokio.quic_binder()
    }
}

pub(super) struct Udp {
    socket: TokioUdp,
    carries_dns: bool,
}

impl DnsUdpSocket for Udp {
    type Time = TokioTime;

    fn poll_recv_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let (mut length, from) = ready!(DnsUdpSocket::poll_recv_from(&self.socket, cx, buf))?;
        if self.carries_dns {
            let is_cut = length == buf.len();
            length = wire::response(&mut buf[..length], is_cut);
        }
        Poll::Ready(Ok((length, from)))
    }

    fn poll_send_to(&self, cx: &mut Context<'_>, buf: &[u8], target: SocketAddr) -> Poll<io::Result<usize>> {
        if !self.carries_dns {
            return DnsUdpSocket::poll_send_to(&self.socket, cx, buf, target);
        }
        let mut message = buf.to_vec();
        wire::request(&mut message);
        DnsUdpSocket::poll_send_to(&self.socket, cx, &message, target)
    }
}

pub(super) struct Tcp {
    stream: Bytes,
    frames: Option<Frames>,
}

impl DnsTcpStream for Tcp {
    type Time = TokioTime;
}

impl AsyncRead for Tcp {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let Self { stream, frames } = self.get_mut();
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
        let Self { stream, frames } = self.get_mut();
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
        let Self { stream, frames } = self.get_mut();
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
