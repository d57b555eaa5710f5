//! TLS by other roots than the system's.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{EchMode, WebPkiServerVerifier};
use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::exit::Fault;

/// Trusts the certificates in a PEM file alone.
pub(crate) fn trusting_file(path: &Path) -> Result<impl MakeConfig, Fault> {
    let fault = |what: &dyn fmt::Display| Fault::usage(format!("--ca-file {}: {what}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| fault(&error))? {
        roots.add(certificate.map_err(|error| fault(&error))?).map_err(|error| fault(&error))?;
    }
    if roots.is_empty() {
        return Err(fault(&"no certificate in it"));
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider()).build();
    Ok(judging(verifier.map_err(|error| fault(&error))?))
}

/// Accepts every certificate.
pub(crate) fn trusting_everyone() -> impl MakeConfig {
    judging(Arc::new(AnyCertificate(provider())))
}

/// Seeds the random numbers, which takes some 30 ms once a process and would count as the first handshake's.
pub(crate) fn warm_up() {
    // Should there be none, the handshake says so.
    let _ = provider().secure_random.fill(&mut [0; 32]);
}

/// Makes configurations with ECH and without.
pub(crate) trait MakeConfig: Fn(Option<EchMode>) -> Result<ClientConfig, Error> + Send + Sync + 'static {}

impl<F: Fn(Option<EchMode>) -> Result<ClientConfig, Error> + Send + Sync + 'static> MakeConfig for F {}

fn judging(verifier: Arc<dyn ServerCertVerifier>) -> impl MakeConfig {
    move |ech| {
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = match ech {
            Some(mode) => builder.with_ech(mode)?,
            None => builder.with_safe_default_protocol_versions()?,
        };
        Ok(builder.dangerous().with_custom_certificate_verifier(verifier.clone()).with_no_client_auth())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(crypto::aws_lc_rs::default_provider())
}

/// Only that the server has the certificate's key is checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
