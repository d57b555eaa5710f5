//! What a race is told before it starts: the names to ask for, the families, and what records are used for.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use super::{HappyEyeballsConnector, Settings};
#[cfg(feature = "rustls")]
use crate::config::Ech;
use crate::config::Families;
#[cfg(feature = "rustls")]
use crate::dial::tls::TlsClient;
use crate::origin::{Host, Origin};
use crate::policy_table::PolicyTable;
use crate::race::{EchUse, Environment, Family, FamilySet};
use crate::resolve::{Names, ResolveError};

impl HappyEyeballsConnector {
    /// What to ask for, unless the address is at hand: from the literal, which needs no list, or an override.
    pub(super) fn names(&self, origin: &Origin) -> Result<Names, ResolveError> {
        let Host::Name(host) = origin.host() else {
            return Ok(Names::Fixed(Vec::new()));
        };
        if !self.settings.overrides.is_empty()
            && let Some(addrs) = self.settings.overrides.get(&*override_key(host))
        {
            return Ok(Names::Fixed(addrs.clone()));
        }
        self.lookups.names(host)
    }

    pub(super) fn environment(&self, names: Names, origin: &Origin) -> Environment {
        let dial = self.settings.dialled_families();
        let addresses_at_hand = Environment {
            kinds: self.lookups.kinds(),
            https: false,
            waits_for_https: false,
            protected: false,
            alpn: Arc::default(),
            seed: 0,
            ask: dial,
            dial,
            preferred: if dial.v6 { Family::V6 } else { Family::V4 },
            policy_table: PolicyTable::rfc6724(),
            tls: origin.is_secure() && self.has_tls(),
            ech: self.ech(),
            recalls: self.settings.config.use_history && !self.settings.history.is_empty(),
            bounded: self.settings.attempts.is_some(),
            names,
        };
        match addresses_at_hand.names {
            Names::Ask(_) => self.asking(addresses_at_hand, origin),
            Names::Fixed(_) => addresses_at_hand,
        }
    }

    /// What else there is to know where names are asked for.
    fn asking(&self, environment: Environment, origin: &Origin) -> Environment {
        let config = &self.settings.config;
        let Environment { kinds, dial, .. } = environment;
        let network = self.settings.networks.current();
        self.lookups.on_network(network.fingerprint);
        if let Some(fingerprint) = network.fingerprint.filter(|_| config.use_history) {
            self.settings.history.on_network(fingerprint);
        }
        let ask = match config.families {
            Families::Auto => {
                let host = network.families;
                let both = FamilySet { v4: host.v4 && dial.v4, v6: host.v6 && dial.v6 };
                if both.is_empty() { dial } else { both }
            }
            Families::Both | Families::Ipv4 | Families::Ipv6 => dial,
        };
        // Addresses that come in order are not ordered by policy; without it its file need not be read.
        let in_order = kinds.has_ordered_addresses();
        let policy_table = if in_order { environment.policy_table } else { config.policy_table_or_system() };
        let ipv4_leads = !in_order && policy_table.prefers_ipv4();
        let protected = self.lookups.is_protected();
        let https = kinds.has_https() && self.settings.asks_https(origin, protected);
        Environment {
            https,
            waits_for_https: https && self.lookups.waits_for_https(),
            protected,
            alpn: if https { self.alpn() } else { environment.alpn },
            seed: if https { RandomState::new().build_hasher().finish() } else { 0 },
            ask,
            preferred: if ask.v6 && !(ask.v4 && ipv4_leads) { Family::V6 } else { Family::V4 },
            policy_table,
            ..environment
        }
    }

    fn has_tls(&self) -> bool {
        #[cfg(feature = "rustls")]
        return self.settings.tls.is_some();
        #[cfg(not(feature = "rustls"))]
        return false;
    }

    /// How TLS may hide the server name, if it can and shall.
    pub(super) fn ech(&self) -> Option<EchUse> {
        #[cfg(feature = "rustls")]
        if let Some(is_usable) = self.settings.tls.as_ref().and_then(TlsClient::ech) {
            return match self.settings.config.ech {
                Ech::On | Ech::Grease => Some(EchUse { is_usable, required: false }),
                Ech::Required => Some(EchUse { is_usable, required: true }),
                Ech::Off => None,
            };
        }
        None
    }

    /// The protocols that a connection may be used for. Where TLS is layered on top they are that layer's matter.
    fn alpn(&self) -> Arc<[Vec<u8>]> {
        #[cfg(feature = "rustls")]
        if let Some(tls) = &self.settings.tls {
            return tls.protocols();
        }
        [b"h2".to_vec(), b"http/1.1".to_vec()].into()
    }
}

impl Settings {
    /// Whether HTTPS records of `origin` are asked for. Other schemes than those of the web have none.
    fn asks_https(&self, origin: &Origin, protected: bool) -> bool {
        self.config.use_service_records
            && match origin.scheme() {
                "https" | "wss" => true,
                "http" | "ws" => self.config.https_upgrade || protected,
                _ => false,
            }
    }

    /// The families of the settings, less the one that a local address of the other rules out.
    fn dialled_families(&self) -> FamilySet {
        let families = match self.config.families {
            Families::Auto | Families::Both => FamilySet::BOTH,
            Families::Ipv4 => FamilySet { v4: true, v6: false },
            Families::Ipv6 => FamilySet { v4: false, v6: true },
        };
        match (self.tcp.local_address_ipv4, self.tcp.local_address_ipv6) {
            (Some(_), None) => FamilySet { v6: false, ..families },
            (None, Some(_)) => FamilySet { v4: false, ..families },
            _ => families,
        }
    }
}

/// By which addresses of a host are overridden.
pub(super) fn override_key(host: &str) -> Box<str> {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase().into()
}
