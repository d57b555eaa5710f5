//! What the connector hands out.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
#[cfg(feature = "rustls")]
use tokio_rustls::client::TlsStream;

use crate::config::Config;
use crate::report::Report;

/// A connection: TCP, with TLS on it where the connect had TLS.
///
/// It is read and written through hyper's [`Read`] and [`Write`]; [`TokioIo`] makes tokio's `AsyncRead` and
/// `AsyncWrite` of them. As hyper-util's [`Connection`] it puts into the extensions of every response
/// [`HttpInfo`](hyper_util::client::legacy::connect::HttpInfo), the connect's [`Report`] as `Arc<Report>` unless
/// [`Config::report_in_responses`](crate::Config::report_in_responses) is off, and with TLS its [`TlsInfo`].
pub struct MaybeHttpsStream {
    transport: Transport,
    report: Arc<Report>,
    report_in_responses: bool,
}

impl MaybeHttpsStream {
    pub(crate) fn new(transport: Transport, report: Arc<Report>, config: &Config) -> Self {
        Self { transport, report, report_in_responses: config.report_in_responses }
    }

    /// The TCP connection, below TLS if there is any.
    pub fn tcp_stream(&self) -> &TcpStream {
        match &self.transport {
            Transport::Tcp(tcp) => tcp.inner(),
            #[cfg(feature = "rustls")]
            Transport::Tls(tls) => tls.io.inner().get_ref().0,
        }
    }

    /// The TCP connection by value.
    ///
    /// # Errors
    ///
    /// The stream itself if it has TLS.
    pub fn into_tcp(self) -> Result<TcpStream, Self> {
        match self.transport {
            Transport::Tcp(tcp) => Ok(tcp.into_inner()),
            #[cfg(feature = "rustls")]
            Transport::Tls(_) => Err(self),
        }
    }

    /// What the connect did.
    pub fn report(&self) -> &Arc<Report> {
        &self.report
    }

    /// What TLS agreed on. `None` on plain TCP.
    pub fn tls_info(&self) -> Option<&TlsInfo> {
        match &self.transport {
            Transport::Tcp(_) => None,
            #[cfg(feature = "rustls")]
            Transport::Tls(tls) => Some(&tls.info),
        }
    }
}

impl Read for MaybeHttpsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            #[cfg(feature = "rustls")]
            Transport::Tls(tls) => Pin::new(&mut tls.io).poll_read(cx, buf),
        }
    }
}

impl Write for MaybeHttpsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            #[cfg(feature = "rustls")]
            Transport::Tls(tls) => Pin::new(&mut tls.io).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            #[cfg(feature = "rustls")]
            Transport::Tls(tls) => Pin::new(&mut tls.io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            #[cfg(feature = "rustls")]
            Transport::Tls(tls) => Pin::new(&mut tls.io).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Tcp(tcp) => tcp.is_write_vectored(),
            #[cfg(feature = "rustls")]
            Transport::Tls(tls) => tls.io.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            #[cfg(feature = "rustls")]
            Transport::Tls(tls) => Pin::new(&mut tls.io).poll_write_vectored(cx, bufs),
        }
    }
}

impl Connection for MaybeHttpsStream {
    fn connected(&self) -> Connected {
        // `HttpInfo` can only be made by a `TcpStream`.
        let connected = self.tcp_stream().connected();
        let connected = match self.report_in_responses {
            true => connected.extra(self.report.clone()),
            false => connected,
        };
        let Some(info) = self.tls_info() else { return connected };
        let connected = connected.extra(info.clone());
        // hyper-util panics on a connection that is h2 when it cannot speak it.
        match info.alpn() {
            Some(b"h2") if cfg!(feature = "http2") => connected.negotiated_h2(),
            _ => connected,
        }
    }
}

impl fmt::Debug for MaybeHttpsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaybeHttpsStream")
            .field("tcp", self.tcp_stream())
            .field("tls", &self.tls_info())
            .finish_non_exhaustive()
    }
}

/// A connection that has no report yet.
#[derive(Debug)]
pub(crate) enum Transport {
    Tcp(TokioIo<TcpStream>),
    // Boxed, since the state of a TLS connection takes more than a kilobyte.
    #[cfg(feature = "rustls")]
    Tls(Box<TlsTransport>),
}

#[cfg(feature = "rustls")]
#[derive(Debug)]
pub(crate) struct TlsTransport {
    io: TokioIo<TlsStream<TcpStream>>,
    info: TlsInfo,
}

#[cfg(feature = "rustls")]
impl Transport {
    /// A connection whose handshake is done.
    pub(crate) fn tls(stream: TlsStream<TcpStream>) -> Self {
        let info = TlsInfo::of(stream.get_ref().1);
        Self::Tls(Box::new(TlsTransport { io: TokioIo::new(stream), info }))
    }
}

/// What TLS agreed on. It stands in the extensions of every response on the connection; cloning it is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo(Arc<TlsFacts>);

#[derive(Debug, PartialEq, Eq)]
struct TlsFacts {
    version: &'static str,
    alpn: Option<Box<[u8]>>,
    cipher_suite: Box<str>,
    resumed: bool,
    ech: EchStatus,
    peer_certificates: Box<[Box<[u8]>]>,
}

impl TlsInfo {
    #[cfg(feature = "rustls")]
    pub(crate) fn of(connection: &rustls::ClientConnection) -> Self {
        use rustls::client::EchStatus as Ech;
        use rustls::{HandshakeKind, ProtocolVersion};

        let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default();
        Self(Arc::new(TlsFacts {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "unknown",
            },
            alpn: connection.alpn_protocol().map(Into::into),
            // rustls marks the suites of TLS 1.3; IANA's names do not.
            cipher_suite: match suite.strip_prefix("TLS13_") {
                Some(rest) => format!("TLS_{rest}").into(),
                None => suite.into(),
            },
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            ech: match connection.ech_status() {
                Ech::Accepted => EchStatus::Accepted,
                Ech::Grease => EchStatus::Grease,
                // A rejection ends the handshake, so neither it nor an open offer is seen here.
                _ => EchStatus::NotOffered,
            },
            peer_certificates: connection
                .peer_certificates()
                .unwrap_or_default()
                .iter()
                .map(|certificate| Box::from(certificate.as_ref()))
                .collect(),
        }))
    }

    /// The protocol version, `TLSv1.3` or `TLSv1.2`.
    pub fn version(&self) -> &str {
        self.0.version
    }

    /// The protocol that ALPN chose (RFC 7301), such as `h2`; `None` if the server chose none.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.0.alpn.as_deref()
    }

    /// The cipher suite under its IANA name, such as `TLS_AES_128_GCM_SHA256`.
    pub fn cipher_suite(&self) -> &str {
        &self.0.cipher_suite
    }

    /// Whether the session was resumed (RFC 8446 section 2.2).
    pub fn resumed(&self) -> bool {
        self.0.resumed
    }

    /// What became of Encrypted Client Hello.
    pub fn ech(&self) -> EchStatus {
        self.0.ech
    }

    /// The certificates that the server sent, its own first, in DER. A resumed session has those of the first one.
    pub fn peer_certificates(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.peer_certificates.iter().map(|certificate| &**certificate)
    }
}

/// What became of Encrypted Client Hello on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EchStatus {
    /// It was not offered.
    NotOffered,
    /// An offer without meaning was sent, so that real ones do not stand out.
    Grease,
    /// The server took the encrypted hello.
    Accepted,
}

impl fmt::Display for EchStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotOffered => "not offered",
            Self::Grease => "grease",
            Self::Accepted => "accepted",
        })
    }
}

#[cfg(test)]
mod tests;
