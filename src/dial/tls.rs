//! TLS by rustls.

#[cfg(feature = "aws-lc-rs")]
mod ech;
// A finished `ClientConfig` needs none of it.
#[cfg(any(
    all(test, any(feature = "aws-lc-rs", feature = "ring")),
    feature = "platform-verifier",
    feature = "webpki-roots",
    feature = "native-roots"
))]
pub(crate) mod setup;

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use http::Uri;
use rustls::ClientConfig;
use rustls::client::{EchMode, EchStatus};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

#[cfg(feature = "aws-lc-rs")]
use self::ech::EchConfigs;
use super::tcp::failure_kind;
use crate::config::Ech;
use crate::origin::{Host, Origin};
use crate::report::{Failure, FailureKind};

/// Whom to shake hands with, and how.
#[derive(Clone, Debug)]
pub(crate) struct TlsTarget {
    /// Finished by [`TlsClient::new`].
    config: Arc<ClientConfig>,
    #[cfg(feature = "aws-lc-rs")]
    ech: Option<Arc<EchConfigs>>,
    requires_ech: bool,
    server_name: ServerName<'static>,
}

impl TlsTarget {
    /// Shakes hands on `tcp`, by one of these ECH configurations if there are any. Resolves once the server's certificate
    /// is verified and both sides are done.
    pub(crate) async fn handshake<T>(self, tcp: T, ech: Option<&[u8]>) -> Result<TlsStream<T>, Failure>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let config = match ech {
            Some(configs) => self.with_ech(configs)?,
            None if self.requires_ech => return Err(no_ech()),
            None => self.config,
        };
        // It stays so where no hello can be made, which the handshake tells.
        let mut status = EchStatus::Offered;
        let note = |connection: &mut rustls::ClientConnection| status = connection.ech_status();
        let handshake = TlsConnector::from(config).connect_with(self.server_name, tcp, note);
        // Nothing has been sent yet.
        if ech.is_some() && status != EchStatus::Offered {
            return Err(Failure::new(FailureKind::Tls, "the TLS configuration that was made for ECH does without it"));
        }
        handshake.await.map_err(handshake_failure)
    }

    /// Whether it shakes hands with these ECH configurations, or without any.
    #[cfg(feature = "reachability")]
    pub(crate) fn can_do(&self, ech: Option<&[u8]>) -> bool {
        ech.is_some() || !self.requires_ech
    }

    #[cfg(feature = "aws-lc-rs")]
    fn with_ech(&self, configs: &[u8]) -> Result<Arc<ClientConfig>, Failure> {
        let ech = self.ech.as_ref().ok_or_else(no_ech)?;
        ech.config(configs).map_err(|error| Failure::new(FailureKind::Tls, error))
    }

    #[cfg(not(feature = "aws-lc-rs"))]
    fn with_ech(&self, _: &[u8]) -> Result<Arc<ClientConfig>, Failure> {
        Err(no_ech())
    }
}

fn no_ech() -> Failure {
    Failure::new(FailureKind::Tls, "this connect has no ECH")
}

/// Makes a configuration, for ECH if it is given.
pub(crate) type Recipe = Arc<dyn Fn(Option<EchMode>) -> Result<ClientConfig, rustls::Error> + Send + Sync>;

/// TLS as a connector does it: one configuration for every origin, and those with ECH that are like it.
#[derive(Clone)]
pub(crate) struct TlsClient {
    config: Arc<ClientConfig>,
    #[cfg(feature = "aws-lc-rs")]
    ech: Option<Arc<EchConfigs>>,
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
        Self {
            config,
            #[cfg(feature = "aws-lc-rs")]
            ech: None,
            protocols,
            server_names,
        }
    }

    /// TLS that can do ECH, unless it is without TLS 1.3.
    pub(crate) fn by_recipe(
        recipe: Recipe,
        alpn: Alpn,
        server_names: Option<ServerNames>,
    ) -> Result<Self, rustls::Error> {
        let client = Self::new(Arc::new(recipe(None)?), alpn, server_names);
        #[cfg(feature = "aws-lc-rs")]
        let client = {
            let mut suites = client.config.crypto_provider().cipher_suites.iter();
            let has_tls13 = suites.any(|suite| suite.tls13().is_some());
            let ech = has_tls13.then(|| Arc::new(EchConfigs::new(recipe, client.config.clone())));
            Self { ech, ..client }
        };
        Ok(client)
    }

    /// The same without the memory of earlier sessions: every handshake is a whole one.
    #[cfg(feature = "reachability")]
    pub(crate) fn without_resumption(&self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = rustls::client::Resumption::disabled();
        let config = Arc::new(config);
        Self {
            #[cfg(feature = "aws-lc-rs")]
            ech: self.ech.as_ref().map(|ech| Arc::new(ech.like(config.clone()))),
            config,
            ..self.clone()
        }
    }

    /// What tells whether it can use one of a list of ECH configurations; none if it can use no ECH at all.
    pub(crate) fn ech(&self) -> Option<fn(&[u8]) -> bool> {
        #[cfg(feature = "aws-lc-rs")]
        return self.ech.is_some().then_some(ech::is_usable);
        #[cfg(not(feature = "aws-lc-rs"))]
        return None;
    }

    /// The protocols that a connection can come to, by their ALPN identifiers.
    pub(crate) fn protocols(&self) -> Arc<[Vec<u8>]> {
        self.protocols.clone()
    }

    /// Whom to shake hands with for `uri`, whose origin is `origin`.
    pub(crate) fn target(&self, uri: &Uri, origin: &Origin, ech: Ech) -> Result<TlsTarget, BoxError> {
        let server_name = match &self.server_names {
            Some(resolve) => resolve(uri)?,
            None => server_name(origin)?,
        };
        let config = &self.config;
        #[cfg(feature = "aws-lc-rs")]
        let greased = self.ech.as_ref().filter(|_| ech == Ech::Grease).and_then(|ech| ech.grease());
        #[cfg(feature = "aws-lc-rs")]
        let config = greased.unwrap_or(config);
        Ok(TlsTarget {
            config: config.clone(),
            #[cfg(feature = "aws-lc-rs")]
            ech: self.ech.clone(),
            requires_ech: ech == Ech::Required,
            server_name,
        })
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

    let tls = error.get_ref().and_then(|error| error.downcast_ref::<Tls>());
    #[cfg(feature = "aws-lc-rs")]
    if let Some(rejection) = tls.and_then(ech::rejection) {
        return Failure::new(FailureKind::EchRejected, rejection);
    }
    let kind = match tls {
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
