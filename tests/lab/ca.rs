//! Certificates of the lab, good and bad, and the clients that trust them.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, PKCS_ED25519, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::{CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

/// The serial number of every certificate that is revoked.
const REVOKED: u64 = 666;

/// A certificate authority that lives as long as the lab.
pub struct Ca {
    root: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// What a server presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    Good,
    /// Good, and with it each handshake is as long as the other: signatures by ECDSA differ by a byte or two.
    Ed25519,
    /// Good by way of an intermediate authority, which is presented too.
    Chained,
    /// The same, and the intermediate is not presented.
    WithoutIntermediate,
    Expired,
    NotYetValid,
    /// Good, but not for the name that clients ask for.
    OtherName,
    /// For the right name, from an authority that nobody trusts.
    UnknownRoot,
    /// For the right name, signed by its own key.
    SelfSigned,
    /// The same, and an authority's, as `openssl req -x509` makes it.
    OwnAuthority,
    /// Good, but only to show that one is a client.
    ForClients,
    /// Good, but in [`Ca::revoked`].
    Revoked,
    /// Good, but the server does not have its key.
    WithoutKey,
}

/// How a server speaks TLS, and with whom.
pub struct ServerTls {
    pub certificate: Certificate,
    pub versions: &'static [&'static SupportedProtocolVersion],
    pub groups: Vec<&'static dyn SupportedKxGroup>,
    /// Whether clients have to have a certificate, and which.
    pub clients: Arc<dyn ClientCertVerifier>,
}

impl Default for ServerTls {
    fn default() -> Self {
        Self {
            certificate: Certificate::Good,
            versions: rustls::ALL_VERSIONS,
            groups: provider().kx_groups.clone(),
            clients: WebPkiClientVerifier::no_client_auth(),
        }
    }
}

impl Ca {
    pub fn new() -> Self {
        Self::named("lab root", None)
    }

    /// Signed by itself if nobody else does.
    fn named(name: &str, by: Option<&Issuer<'static, KeyPair>>) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let root = match by {
            Some(issuer) => params.signed_by(&key, issuer),
            None => params.self_signed(&key),
        };
        Self { root: root.expect("an authority"), issuer: Issuer::new(params, key) }
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

    /// The list of what this authority has revoked, with the year from which on it is too old.
    pub fn revoked(&self, next_update: i32) -> CertificateRevocationListDer<'static> {
        let date = date_time_ymd(2000, 1, 1);
        let list = CertificateRevocationListParams {
            this_update: date,
            next_update: date_time_ymd(next_update, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(REVOKED),
                revocation_time: date,
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).expect("a list").into()
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
        self.server_config_with(name, ServerTls { certificate, ..ServerTls::default() })
    }

    pub fn server_config_with(&self, name: &str, tls: ServerTls) -> ServerConfig {
        let identity = self.identity(name, tls.certificate);
        let provider = CryptoProvider { kx_groups: tls.groups, ..aws_lc_rs::default_provider() };
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(tls.versions)
            .expect("the provider has both versions")
            .with_client_cert_verifier(tls.clients)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    /// What to present as `name`, with its key.
    pub fn identity(&self, name: &str, certificate: Certificate) -> CertifiedKey {
        let name = if certificate == Certificate::OtherName { "other.lab.test" } else { name };
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name for a certificate");
        match certificate {
            Certificate::Expired => {
                params.not_before = date_time_ymd(2000, 1, 1);
                params.not_after = date_time_ymd(2001, 1, 1);
            }
            Certificate::NotYetValid => params.not_before = date_time_ymd(4000, 1, 1),
            Certificate::OwnAuthority => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            Certificate::ForClients => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            Certificate::Revoked => params.serial_number = Some(SerialNumber::from(REVOKED)),
            _ => {}
        }
        let key = match certificate {
            Certificate::Ed25519 => KeyPair::generate_for(&PKCS_ED25519),
            _ => KeyPair::generate(),
        };
        let key = key.expect("a key");
        let chain = match certificate {
            Certificate::SelfSigned | Certificate::OwnAuthority => vec![params.self_signed(&key)],
            Certificate::Chained | Certificate::WithoutIntermediate => {
                let Self { root: intermediate, issuer } = Self::named("lab intermediate", Some(&self.issuer));
                let mut chain = vec![params.signed_by(&key, &issuer), Ok(intermediate)];
                chain.truncate(if certificate == Certificate::Chained { 2 } else { 1 });
                chain
            }
            // With the name of the trusted root it would count as a forgery of that one, not as unknown.
            Certificate::UnknownRoot => vec![params.signed_by(&key, &Self::named("another root", None).issuer)],
            _ => vec![params.signed_by(&key, &self.issuer)],
        };
        let chain = chain.into_iter().map(|certificate| certificate.expect("a certificate").der().clone());
        let key = if certificate == Certificate::WithoutKey { KeyPair::generate().expect("a key") } else { key };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = provider().key_provider.load_private_key(key).expect("rcgen's keys are well formed");
        CertifiedKey::new(chain.collect(), key)
    }
}

pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
