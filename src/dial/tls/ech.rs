//! Encrypted Client Hello (RFC 9849) by rustls, with the HPKE of aws-lc-rs.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::{EchConfig, EchGreaseConfig, EchMode};
use rustls::crypto::aws_lc_rs::hpke::{ALL_SUPPORTED_SUITES, DH_KEM_X25519_HKDF_SHA256_AES_128};
use rustls::crypto::hpke::Hpke;
use rustls::internal::msgs::codec::Codec;
use rustls::pki_types::EchConfigListBytes;
use rustls::{ClientConfig, Error, PeerIncompatible};

use super::Recipe;
use crate::report::EchRejection;

/// Makes configurations with ECH. rustls takes one for each server, before anything else of it is set.
pub(super) struct EchConfigs {
    recipe: Recipe,
    /// What they are like but for ECH.
    base: Arc<ClientConfig>,
    grease: OnceLock<Option<Arc<ClientConfig>>>,
}

impl EchConfigs {
    pub(super) fn new(recipe: Recipe, base: Arc<ClientConfig>) -> Self {
        Self { recipe, base, grease: OnceLock::new() }
    }

    /// The same, but like `base`.
    #[cfg(feature = "reachability")]
    pub(super) fn like(&self, base: Arc<ClientConfig>) -> Self {
        Self::new(self.recipe.clone(), base)
    }

    /// By the first of these configurations that can be used.
    pub(super) fn config(&self, configs: &[u8]) -> Result<Arc<ClientConfig>, Error> {
        self.make(choose(configs)?.into())
    }

    /// With an offer without meaning (section 6.2). Nothing hangs on it, so where it cannot be made it is left out.
    pub(super) fn grease(&self) -> Option<&Arc<ClientConfig>> {
        let make = || {
            let suite = DH_KEM_X25519_HKDF_SHA256_AES_128;
            let (placeholder, _) = suite.generate_key_pair()?;
            self.make(EchGreaseConfig::new(suite, placeholder).into())
        };
        let log = |error: &Error| tracing::warn!("no GREASE for ECH: {error}");
        self.grease.get_or_init(|| make().inspect_err(log).ok()).as_ref()
    }

    fn make(&self, mode: EchMode) -> Result<Arc<ClientConfig>, Error> {
        let mut config = (self.recipe)(Some(mode))?;
        config.alpn_protocols.clone_from(&self.base.alpn_protocols);
        config.enable_early_data = self.base.enable_early_data;
        // A session is only resumed by who authenticates itself as its maker did.
        config.client_auth_cert_resolver = self.base.client_auth_cert_resolver.clone();
        config.resumption = self.base.resumption.clone();
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for EchConfigs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EchConfigs").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Whether one of these configurations can be used: an `ECHConfigList`.
pub(super) fn is_usable(configs: &[u8]) -> bool {
    choose(configs).is_ok()
}

fn choose(configs: &[u8]) -> Result<EchConfig, Error> {
    EchConfig::new(EchConfigListBytes::from(configs), ALL_SUPPORTED_SUITES)
}

/// What a server gave that rejected ECH. It is the server of the public name: rustls checks that first.
///
/// The one place that knows how rustls tells it. The configurations are of a type that it does not document.
pub(super) fn rejection(error: &Error) -> Option<EchRejection> {
    let Error::PeerIncompatible(PeerIncompatible::ServerRejectedEncryptedClientHello(configs)) = error else {
        return None;
    };
    let given = configs.as_ref().map(Codec::get_encoding);
    Some(EchRejection { retry_configs: given.filter(|configs| is_usable(configs)).map(Into::into) })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One configuration: X25519, HKDF-SHA256, AES-128-GCM, for public.test.
    pub(in super::super) fn config_list(version: [u8; 2]) -> Vec<u8> {
        list_of(version, &[9; 32])
    }

    pub(in super::super) fn config_list_by_key(key: &[u8]) -> Vec<u8> {
        list_of([0xfe, 0x0d], key)
    }

    fn list_of(version: [u8; 2], key: &[u8]) -> Vec<u8> {
        let mut contents = vec![7, 0x00, 0x20];
        contents.extend(u16::try_from(key.len()).unwrap().to_be_bytes());
        contents.extend(key);
        contents.extend([0, 4, 0, 1, 0, 1, 0, 11]);
        contents.extend(b"public.test");
        contents.extend([0, 0]);
        let mut config = version.to_vec();
        config.extend(u16::try_from(contents.len()).unwrap().to_be_bytes());
        config.extend(contents);
        let mut list = u16::try_from(config.len()).unwrap().to_be_bytes().to_vec();
        list.extend(config);
        list
    }

    #[test]
    fn a_list_is_usable_if_one_of_its_configurations_is() {
        let known = config_list([0xfe, 0x0d]);
        assert!(is_usable(&known));
        let unknown = config_list([0xfe, 0x0a]);
        assert!(!is_usable(&unknown));
        let mut both = u16::try_from(known.len() + unknown.len() - 4).unwrap().to_be_bytes().to_vec();
        both.extend(&unknown[2..]);
        both.extend(&known[2..]);
        assert!(is_usable(&both));
        for malformed in [&known[..known.len() - 1], &known[1..], &[], &[0, 0]] {
            assert!(!is_usable(malformed), "{malformed:?}");
        }
    }

    #[test]
    fn the_configurations_of_a_rejection_are_those_that_came() {
        let list = config_list([0xfe, 0x0d]);
        let configs = Vec::read_bytes(&list).unwrap();
        let rejected = |configs| PeerIncompatible::ServerRejectedEncryptedClientHello(configs).into();
        assert_eq!(rejection(&rejected(Some(configs))).unwrap().retry_configs.as_deref(), Some(&list[..]));
        assert!(rejection(&rejected(None)).unwrap().retry_configs.is_none());
        let of_no_use = Vec::read_bytes(&config_list([0xfe, 0x0a])).unwrap();
        assert!(rejection(&rejected(Some(of_no_use))).unwrap().retry_configs.is_none());
        assert!(rejection(&Error::DecryptError).is_none());
    }
}
