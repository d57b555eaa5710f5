//! TLS by rustls: the handshake, and the configurations that it takes.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ConfigBuilder, WantsVerifier};
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

/// A configuration that trusts what the operating system trusts, judged by its own verifier where it has one.
#[cfg(feature = "platform-verifier")]
pub(crate) fn with_platform_verifier(provider: Option<Arc<CryptoProvider>>) -> Result<ClientConfig, TlsSetupError> {
    use rustls_platform_verifier::BuilderVerifierExt;

    let builder = builder(provider)?
        .with_platform_verifier()
        .map_err(|error| TlsSetupError::new("the platform's certificate verifier cannot be used", error))?;
    Ok(without_client_certificate(builder))
}

/// A configuration that trusts Mozilla's roots, compiled in.
#[cfg(feature = "webpki-roots")]
pub(crate) fn with_webpki_roots(provider: Option<Arc<CryptoProvider>>) -> Result<ClientConfig, TlsSetupError> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    Ok(without_client_certificate(builder(provider)?.with_root_certificates(roots)))
}

/// A configuration that trusts the roots found in the operating system's files now.
#[cfg(feature = "native-roots")]
pub(crate) fn with_native_roots(provider: Option<Arc<CryptoProvider>>) -> Result<ClientConfig, TlsSetupError> {
    const NO_ROOTS: &str = "no root certificate found on this system";

    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!("root certificates: {error}");
    }
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(match found.errors.into_iter().next() {
            Some(error) => TlsSetupError::new(NO_ROOTS, error),
            None => TlsSetupError { message: NO_ROOTS, source: None },
        });
    }
    Ok(without_client_certificate(builder(provider)?.with_root_certificates(roots)))
}

fn builder(provider: Option<Arc<CryptoProvider>>) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsSetupError> {
    let provider = provider
        .or_else(|| CryptoProvider::get_default().cloned())
        .or_else(compiled_provider)
        .ok_or(TlsSetupError { message: NO_PROVIDER, source: None })?;
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsSetupError::new("the crypto provider has no cipher suite of TLS 1.2 or 1.3", error))
}

fn without_client_certificate(builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> ClientConfig {
    builder.with_no_client_auth()
}

const NO_PROVIDER: &str = "no crypto provider: turn on the feature `aws-lc-rs` or `ring`, install a default with \
                           `CryptoProvider::install_default`, or give a finished `ClientConfig`";

/// rustls refuses to choose when several of its own are compiled in; we take the faster one.
fn compiled_provider() -> Option<Arc<CryptoProvider>> {
    #[cfg(feature = "aws-lc-rs")]
    return Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    return Some(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
    return None;
}

/// Why no TLS configuration could be made.
#[derive(Debug)]
pub(crate) struct TlsSetupError {
    message: &'static str,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl TlsSetupError {
    fn new(message: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { message, source: Some(source.into()) }
    }
}

impl fmt::Display for TlsSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl StdError for TlsSetupError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&**self.source.as_ref()?)
    }
}

#[cfg(all(test, any(feature = "aws-lc-rs", feature = "ring")))]
mod tests;
