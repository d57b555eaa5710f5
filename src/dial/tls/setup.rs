//! Client configurations from a source of roots.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ConfigBuilder, WantsVerifier};

/// A configuration that trusts what the operating system trusts, judged by its own verifier where it has one.
#[cfg(feature = "platform-verifier")]
pub(crate) fn with_platform_verifier(provider: Option<Arc<CryptoProvider>>) -> Result<ClientConfig, TlsSetupError> {
    use rustls_platform_verifier::BuilderVerifierExt;

    let builder = builder(provider)?
        .with_platform_verifier()
        .map_err(|error| TlsSetupError::new("the platform's certificate verifier cannot be used", error))?;
    Ok(builder.with_no_client_auth())
}

/// A configuration that trusts Mozilla's roots, compiled in.
#[cfg(feature = "webpki-roots")]
pub(crate) fn with_webpki_roots(provider: Option<Arc<CryptoProvider>>) -> Result<ClientConfig, TlsSetupError> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    Ok(builder(provider)?.with_root_certificates(roots).with_no_client_auth())
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
    Ok(builder(provider)?.with_root_certificates(roots).with_no_client_auth())
}

/// With `provider`, else the process's default, else one that is compiled in.
pub(super) fn builder(
    provider: Option<Arc<CryptoProvider>>,
) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsSetupError> {
    let provider = provider
        .or_else(|| CryptoProvider::get_default().cloned())
        .or_else(compiled_provider)
        .ok_or(TlsSetupError { message: NO_PROVIDER, source: None })?;
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsSetupError::new("the crypto provider has no cipher suite of TLS 1.2 or 1.3", error))
}

const NO_PROVIDER: &str = "no crypto provider: turn on the feature `aws-lc-rs` or `ring`, install a default with \
                           `CryptoProvider::install_default`, or give a finished `ClientConfig`";

/// rustls refuses to choose when several of its own are compiled in; we take the faster one.
pub(super) fn compiled_provider() -> Option<Arc<CryptoProvider>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
    #[test]
    fn without_a_provider_the_error_says_how_to_get_one() {
        let error = builder(None).unwrap_err();
        assert!(error.to_string().contains("`aws-lc-rs` or `ring`"), "{error}");
        assert!(error.source().is_none());
    }

    #[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
    #[test]
    fn a_provider_that_is_given_comes_first() {
        let mut provider = CryptoProvider::clone(&compiled_provider().unwrap());
        provider.cipher_suites.truncate(1);
        let config = builder(Some(Arc::new(provider))).unwrap().with_root_certificates(rustls::RootCertStore::empty());
        assert_eq!(config.with_no_client_auth().crypto_provider().cipher_suites.len(), 1);
        let error = builder(Some(Arc::new(CryptoProvider {
            cipher_suites: Vec::new(),
            ..CryptoProvider::clone(&compiled_provider().unwrap())
        })));
        assert!(error.unwrap_err().source().is_some());
    }

    #[cfg(all(feature = "platform-verifier", any(feature = "aws-lc-rs", feature = "ring")))]
    #[test]
    fn the_platform_verifier_makes_a_config() {
        with_platform_verifier(None).unwrap();
    }

    #[cfg(all(feature = "webpki-roots", any(feature = "aws-lc-rs", feature = "ring")))]
    #[test]
    fn mozillas_roots_make_a_config() {
        with_webpki_roots(None).unwrap();
    }

    #[cfg(all(feature = "native-roots", any(feature = "aws-lc-rs", feature = "ring")))]
    #[test]
    fn native_roots_make_a_config_or_an_error() {
        if let Err(error) = with_native_roots(None) {
            assert!(error.to_string().contains("no root certificate"), "{error}");
        }
    }
}
