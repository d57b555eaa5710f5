//! Certificates of the lab, good and bad, and the clients that trust them.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A certificate authority that lives as long as the lab.
pub struct Ca {
    root: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// What a server presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    Good,
    Expired,
    /// Good, but not for the name that clients ask for.
    OtherName,
    /// For the right name, from an authority that nobody trusts.
    UnknownRoot,
}

impl Ca {
    pub fn new() -> Self {
        Self::named("lab root")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("a root");
        Self { root, issuer: Issuer::new(params, key) }
    }

    /// The root in PEM, for programs that take a file of roots.
    pub fn pem(&self) -> String {
        self.root.pem()
    }

    /// A good certificate for `name` with its key, in PEM, for servers of other programs.
    pub fn leaf_pem(&self, name: &str) -> String {
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name for a certificate");
        let key = KeyPair::generate().expect("a key");
        params.signed_by(&key, &self.issuer).expect("a leaf").pem() + &key.serialize_pem()
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der().clone()).expect("rcgen's root is well formed");
        roots
    }

    /// A client that trusts this authority and offers `alpn`. Each has a session cache of its own.
    pub fn client_config(&self, alpn: &[&str]) -> ClientConfig {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has both versions")
            .with_root_certificates(self.roots())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        config
    }

    /// A server for `name`, a host name or an IP address, that speaks h2 and http/1.1.
    pub fn server_config(&self, name: &str, certificate: Certificate) -> ServerConfig {
        let (chain, key) = match certificate {
            Certificate::Good => self.leaf(name, false),
            Certificate::Expired => self.leaf(name, true),
            Certificate::OtherName => self.leaf("other.lab.test", false),
            // With the name of the trusted root it would count as a forgery of that one, not as unknown.
            Certificate::UnknownRoot => Self::named("another root").leaf(name, false),
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has both versions")
            .with_no_client_auth()
            .with_single_cert(chain, key.into())
            .expect("key and certificate belong together");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    fn leaf(&self, name: &str, expired: bool) -> (Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name for a certificate");
        if expired {
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let leaf = params.signed_by(&key, &self.issuer).expect("a leaf");
        (vec![leaf.der().clone()], key.serialize_der().into())
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
