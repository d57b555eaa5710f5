//! TLS by rustls.

// A finished `ClientConfig` needs none of it.
#[cfg(any(test, feature = "platform-verifier", feature = "webpki-roots", feature = "native-roots"))]
pub(crate) mod setup;

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tcp::failure_kind;
use crate::origin::{Host, Origin};
use crate::report::{Failure, FailureKind};

/// Whom to shake hands with, and how.
#[derive(Clone, Debug)]
pub(crate) struct TlsTarget {
    /// Finished by [`TlsClient::new`].
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) server_name: ServerName<'static>,
}

impl TlsTarget {
    /// Shakes hands on `tcp`. Resolves once the server's certificate is verified and both sides are done.
    pub(crate) async fn handshake<T>(self, tcp: T) -> Result<TlsStream<T>, Failure>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        TlsConnector::from(self.config).connect(self.server_name, tcp).await.map_err(handshake_failure)
    }
}

/// TLS as a connector does it: one configuration for every origin.
#[derive(Clone)]
pub(crate) struct TlsClient {
    config: Arc<ClientConfig>,
    protocols: Arc<[Vec<u8>]>,
    server_names: Option<ServerNames>,
}

/// The name that SNI and the certificate check use for a URI.
pub(crate) type ServerNames = Arc<dyn Fn(&Uri) -> Result<ServerName<'static>, BoxError> + Send + Sync>;

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

impl TlsClient {
    pub(crate) fn new(config: Arc<ClientConfig>, alpn: Alpn, server_names: Option<ServerNames>) -> Self {
        let config = Arc::new(finish_config(Arc::unwrap_or_clone(config), alpn));
        let protocols = match &*config.alpn_protocols {
            // What is spoken where nothing is agreed on.
            [] => [b"http/1.1".to_vec()].into(),
            offered => offered.into(),
        };
        Self { config, protocols, server_names }
    }

    /// The same without the memory of earlier sessions: every handshake is a whole one.
    #[cfg(feature = "reachability")]
    pub(crate) fn without_resumption(&self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = rustls::client::Resumption::disabled();
        Self { config: Arc::new(config), ..self.clone() }
    }

    /// The protocols that a connection can come to, by their ALPN identifiers.
    pub(crate) fn protocols(&self) -> Arc<[Vec<u8>]> {
        self.protocols.clone()
    }

    /// Whom to shake hands with for `uri`, whose origin is `origin`.
    pub(crate) fn target(&self, uri: &Uri, origin: &Origin) -> Result<TlsTarget, BoxError> {
        let server_name = match &self.server_names {
            Some(resolve) => resolve(uri)?,
            None => server_name(origin)?,
        };
        Ok(TlsTarget { config: self.config.clone(), server_name })
    }
}

/// The server name of `origin`: its host without a final dot, or the address of a literal, which is not sent
/// (RFC 6066 section 3) but has to stand in the certificate.
fn server_name(origin: &Origin) -> Result<ServerName<'static>, BoxError> {
    if let Host::Address { ip, .. } = *origin.host() {
        return Ok(ServerName::IpAddress(ip.into()));
    }
    let name = origin.host().server_name().unwrap_or_default();
    ServerName::try_from(name.to_owned())
        .map_err(|_| format!("{name:?} is not a name that a certificate can have").into())
}

/// The HTTP versions to offer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Alpn {
    pub(crate) http1: bool,
    pub(crate) http2: bool,
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
fn finish_config(mut config: ClientConfig, alpn: Alpn) -> ClientConfig {
    // With early data a handshake seems done before the server has said anything, which would win every race.
    config.enable_early_data = false;
    let speaks_http2 = cfg!(feature = "http2");
    if config.alpn_protocols.is_empty() {
        let default = !alpn.http1 && !alpn.http2;
        let http1 = (alpn.http1 || default) && cfg!(feature = "http1");
        let http2 = (alpn.http2 || default && !http1) && speaks_http2;
        let offers = [(http2, "h2"), (http1, "http/1.1")];
        config.alpn_protocols = offers.iter().filter(|offer| offer.0).map(|offer| offer.1.into()).collect();
    } else if !speaks_http2 {
        config.alpn_protocols.retain(|protocol| protocol != b"h2");
    }
    config
}

#[cfg(all(test, any(feature = "aws-lc-rs", feature = "ring")))]
mod tests;
