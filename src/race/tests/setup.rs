//! What a scene starts from.

use std::net::SocketAddr;

use super::notation::{addr, list, ms, source};
use crate::config::Config;
use crate::policy_table::PolicyTable;
use crate::race::{EchUse, Environment, Family, Known, Rtt, Source};
use crate::resolve::{Kinds, Names};

/// The host of every scene that names no other.
pub(super) const HOST: &str = "host.test";

/// What a scene starts from. The default is `http://host.test/`, both families, TCP only, default settings.
pub(super) struct Setup {
    pub(super) uri: String,
    pub(super) environment: Environment,
    pub(super) config: Config,
    /// Addresses that this machine has no route to.
    pub(super) routeless: String,
    /// Where packets to an address come from, if not from [`own_source`](super::notation::own_source).
    pub(super) sources: Vec<(&'static str, Source)>,
    /// What earlier races have learned.
    pub(super) known: Vec<(SocketAddr, Known)>,
    /// How long each permit takes, where the scene is played in a world.
    pub(super) permits_after: u64,
}

impl Setup {
    pub(super) fn new() -> Self {
        let environment = Environment::dual_stack(Names::Ask(vec![HOST.into()]));
        let uri = format!("http://{HOST}/");
        let (routeless, sources, known, permits_after) = Default::default();
        Self { uri, environment, config: Config::default(), routeless, sources, known, permits_after }
    }

    pub(super) fn https(&mut self) -> &mut Self {
        self.uri = format!("https://{HOST}/");
        self.environment.tls = true;
        self
    }

    /// `https://host.test/` and its HTTPS records, TCP only.
    pub(super) fn records(&mut self) -> &mut Self {
        self.uri = format!("https://{HOST}/");
        self.environment.https = true;
        self
    }

    /// As [`https`](Self::https) with HTTPS records, by a client that can use any ECH configuration but `unknown`.
    pub(super) fn ech(&mut self) -> &mut Self {
        self.https().environment.https = true;
        self.environment.ech = Some(EchUse { is_usable: |configs| configs != b"unknown", required: false });
        self
    }

    /// As [`ech`](Self::ech), and nothing is to be done without it.
    pub(super) fn ech_required(&mut self) -> &mut Self {
        self.ech();
        self.environment.ech.as_mut().expect("it can").required = true;
        self
    }

    /// These addresses without a query.
    pub(super) fn fixed(&mut self, names: &str) -> &mut Self {
        self.environment.names = Names::Fixed(list(names));
        self
    }

    /// Packets to the address come from this one of ours.
    pub(super) fn source(&mut self, to: &'static str, from: &str) -> &mut Self {
        self.sources.push((to, source(from)));
        self
    }

    /// As [`source`](Self::source), past its preferred lifetime.
    pub(super) fn deprecated_source(&mut self, to: &'static str, from: &str) -> &mut Self {
        self.sources.push((to, Source { deprecated: true, ..source(from) }));
        self
    }

    /// Earlier races have found that these addresses lead nowhere.
    pub(super) fn unreachable(&mut self, names: &str) -> &mut Self {
        self.environment.recalls = true;
        self.known.extend(list(names).into_iter().map(|addr| (addr, Known { rtt: None, unreachable: true })));
        self
    }

    /// Earlier races have measured this round-trip time, in milliseconds, and once only.
    pub(super) fn rtt(&mut self, name: &str, rtt: u64) -> &mut Self {
        self.environment.recalls = true;
        let rtt = Some(Rtt { smoothed: ms(rtt), variation: ms(rtt) / 2 });
        self.known.push((addr(name), Known { rtt, unreachable: false }));
        self
    }

    /// Each attempt needs a permit.
    pub(super) fn bounded(&mut self) -> &mut Self {
        self.environment.bounded = true;
        self
    }

    /// A policy that puts IPv4 first, and with it the preferred family.
    pub(super) fn prefers_ipv4(&mut self) -> &mut Self {
        self.environment.preferred = Family::V4;
        self.environment.policy_table = PolicyTable::from_gai_conf("precedence ::ffff:0:0/96 100");
        self
    }

    /// A resolver that answers both families at once.
    pub(super) fn both_at_once(&mut self) -> &mut Self {
        self.environment.kinds = Kinds::Addresses;
        self
    }
}
