//! Client configurations from a source of roots.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;

use super::Recipe;

/// Trusts what the operating system trusts, judged by its own verifier where it has one.
#[cfg(feature = "platform-verifier")]
pub(crate) fn with_platform_verifier(provider: Option<Arc<CryptoProvider>>) -> Result<Recipe, TlsSetupError> {
    let provider = choose(provider)?;
    let verifier = rustls_platform_verifier::Verifier::new(provider.clone())
        .map_err(|error| TlsSetupError::new("the platform's certificate verifier cannot be used", error))?;
    Ok(recipe(provider, Arc::new(verifier)))
}

/// Trusts Mozilla's roots, compiled in.
#[cfg(feature = "webpki-roots")]
pub(crate) fn with_webpki_roots(provider: Option<Arc<CryptoProvider>>) -> Result<Recipe, TlsSetupError> {
    with_roots(provider, rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
}

/// Trusts the roots found in the operating system's files now.
#[cfg(feature = "native-roots")]
pub(crate) fn with_native_roots(provider: Option<Arc<CryptoProvider>>) -> Result<Recipe, TlsSetupError> {
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
    with_roots(provider, roots)
}

/// Trusts these roots.
#[cfg(any(
    all(test, any(feature = "aws-lc-rs", feature = "ring")),
    feature = "webpki-roots",
    feature = "native-roots"
))]
pub(super) fn with_roots(
    provider: Option<Arc<CryptoProvider>>,
    roots: rustls::RootCertStore,
) -> Result<Recipe, TlsSetupError> {
    let provider = choose(provider)?;
    let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .map_err(|error| TlsSetupError::new("the root certificates cannot be used", error))?;
    Ok(recipe(provider, verifier))
}

/// All that it makes share the verifier, without which one would not resume a session of the other.
fn recipe(provider: Arc<CryptoProvider>, verifier: Arc<dyn ServerCertVerifier>) -> Recipe {
    Arc::new(move |ech| {
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = match ech {
            Some(mode) => builder.with_ech(mode)?,
            None => builder.with_safe_default_protocol_versions()?,
        };
        Ok(builder.dangerous().with_custom_certificate_verifier(verifier.clone()).with_no_client_auth())
    })
}

/// The one that is given, else the process's default, else one that is compiled in.
fn choose(provider: Option<Arc<CryptoProvider>>) -> Result<Arc<CryptoProvider>, TlsSetupError> {
    provider
        .or_else(|| CryptoProvider::get_default().cloned())
        .or_else(compiled_provider)
        .ok_or(TlsSetupError { message: NO_PROVIDER, source: None })
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

#[cfg(all(test, any(feature = "platform-verifier", feature = "webpki-roots", feature = "native-roots")))]
mod tests {
    use super::*;

    #[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
    #[test]
    fn without_a_provider_the_error_says_how_to_get_one() {
        let error = choose(None).unwrap_err();
        assert!(error.to_string().contains("`aws-lc-rs` or `ring`"), "{error}");
        assert!(error.source().is_none());
    }

    #[cfg(all(feature = "webpki-roots", any(feature = "aws-lc-rs", feature = "ring")))]
    #[test]
    fn a_provider_that_is_given_comes_first() {
        let with = |suites| {
            let mut provider = CryptoProvider::clone(&compiled_provider().unwrap());
            provider.cipher_suites.truncate(suites);
            with_webpki_roots(Some(Arc::new(provider))).unwrap()(None)
        };
        assert_eq!(with(1).unwrap().crypto_provider().cipher_suites.len(), 1);
        with(0).unwrap_err();
    }

    #[cfg(all(feature = "platform-verifier", any(feature = "aws-lc-rs", feature = "ring")))]
    #[test]
    fn the_platform_verifier_makes_a_config() {
        with_platform_verifier(None).unwrap()(None).unwrap();
    }

    #[cfg(all(feature = "native-roots", any(feature = "aws-lc-rs", feature = "ring")))]
    #[test]
    fn native_roots_make_a_config_or_an_error() {
        if let Err(error) = with_native_roots(None) {
            assert!(error.to_string().contains("no root certificate"), "{error}");
        }
    }
}
