//! TLS by rustls.

// A finished `ClientConfig` needs none of it.
#[cfg(any(test, feature = "platform-verifier", feature = "webpki-roots", feature = "native-roots"))]
pub(crate) mod setup;

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tcp::failure_kind;
use crate::origin::{Host, Origin};
use crate::report::{Failure, FailureKind};

/// Whom to shake hands with, and how.
#[derive(Clone, Debug)]
pub(crate) struct TlsTarget {
    /// Finished by [`finish_config`].
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) server_name: ServerName<'static>,
}

impl TlsTarget {
    /// Shakes hands on `tcp`. Resolves once the server's certificate is verified and both sides are done.
    pub(crate) async fn handshake(self, tcp: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        TlsConnector::from(self.config).connect(self.server_name, tcp).await.map_err(handshake_failure)
    }
}

/// The server name of `origin`: its host without a final dot, or the address of a literal, which is not sent
/// (RFC 6066 section 3) but has to stand in the certificate.
pub(crate) fn server_name(origin: &Origin) -> Result<ServerName<'static>, Failure> {
    if let Host::Address { ip, .. } = *origin.host() {
        return Ok(ServerName::IpAddress(ip.into()));
    }
    let name = origin.host().server_name().unwrap_or_default();
    ServerName::try_from(name.to_owned()).map_err(|_| {
        let text = format!("{name:?} is not a name that a certificate can have");
        Failure::new(FailureKind::Tls, io::Error::new(io::ErrorKind::InvalidInput, text))
    })
}

fn handshake_failure(error: io::Error) -> Failure {
    use rustls::Error as Tls;

    let kind = match error.get_ref().and_then(|error| error.downcast_ref::<Tls>()) {
        Some(
            Tls::InvalidCertificate(_)
            | Tls::InvalidCertRevocationList(_)
            | Tls::NoCertificatesPresented
            | Tls::UnsupportedNameType,
        ) => FailureKind::Certificate,
        Some(_) => FailureKind::Tls,
        None => match failure_kind(&error) {
            FailureKind::Other => FailureKind::Tls,
            kind => kind,
        },
    };
    Failure::new(kind, error)
}

/// A configuration made ready for the race.
///
/// ALPN that the caller set stays; otherwise it is what the flags say, and HTTP/1.1 if they say nothing. `h2` is only
/// offered with the crate's feature `http2`, without which hyper-util could not speak it.
pub(crate) fn finish_config(mut config: ClientConfig, http1: bool, http2: bool) -> ClientConfig {
    // With early data a handshake seems done before the server has said anything, which would win every race.
    config.enable_early_data = false;
    let speaks_http2 = cfg!(feature = "http2");
    if config.alpn_protocols.is_empty() {
        let http2 = http2 && speaks_http2;
        let offers = [(http2, "h2"), (http1 || !http2, "http/1.1")];
        config.alpn_protocols = offers.iter().filter(|offer| offer.0).map(|offer| offer.1.into()).collect();
    } else if !speaks_http2 {
        config.alpn_protocols.retain(|protocol| protocol != b"h2");
    }
    config
}

#[cfg(all(test, any(feature = "aws-lc-rs", feature = "ring")))]
mod tests;
