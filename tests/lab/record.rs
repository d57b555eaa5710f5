//! HTTPS records as they stand in a zone.

use std::net::IpAddr;

use hickory_server::proto::rr::rdata::svcb::{
    Alpn, EchConfigList, IpHint, Mandatory, SVCB, SvcParamKey, SvcParamValue,
};
use hickory_server::proto::rr::rdata::{A, AAAA, HTTPS};
use hickory_server::proto::rr::{Name, RData};

/// A record as it stands in a zone.
pub struct HttpsRecord {
    priority: u16,
    target: Name,
    params: Vec<(SvcParamKey, SvcParamValue)>,
}

impl HttpsRecord {
    /// ServiceMode without parameters.
    pub fn new(priority: u16, target: &str) -> Self {
        let mut target = Name::from_ascii(target).expect("the lab has well-formed names");
        target.set_fqdn(true);
        Self { priority, target, params: Vec::new() }
    }

    pub fn alias(target: &str) -> Self {
        Self::new(0, target)
    }

    pub fn alpn(self, protocols: &[&str]) -> Self {
        let protocols = protocols.iter().map(|&protocol| protocol.to_owned()).collect();
        self.with(SvcParamKey::Alpn, SvcParamValue::Alpn(Alpn(protocols)))
    }

    pub fn no_default_alpn(self) -> Self {
        self.with(SvcParamKey::NoDefaultAlpn, SvcParamValue::NoDefaultAlpn)
    }

    pub fn port(self, port: u16) -> Self {
        self.with(SvcParamKey::Port, SvcParamValue::Port(port))
    }

    pub fn hint(self, ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => self.with(SvcParamKey::Ipv4Hint, SvcParamValue::Ipv4Hint(IpHint(vec![A(ip)]))),
            IpAddr::V6(ip) => self.with(SvcParamKey::Ipv6Hint, SvcParamValue::Ipv6Hint(IpHint(vec![AAAA(ip)]))),
        }
    }

    /// `configs` is an ECHConfigList (RFC 9849 section 4), or whatever a zone has in its place.
    pub fn ech(self, configs: &[u8]) -> Self {
        self.with(SvcParamKey::EchConfigList, SvcParamValue::EchConfigList(EchConfigList(configs.to_vec())))
    }

    /// For clients alone that understand ECH.
    pub fn mandatory_ech(self) -> Self {
        let mandatory = Mandatory(vec![SvcParamKey::EchConfigList]);
        self.with(SvcParamKey::Mandatory, SvcParamValue::Mandatory(mandatory))
    }

    fn with(mut self, key: SvcParamKey, value: SvcParamValue) -> Self {
        self.params.push((key, value));
        self.params.sort_by_key(|(key, _)| *key);
        self
    }
}

impl From<HttpsRecord> for RData {
    fn from(HttpsRecord { priority, target, params }: HttpsRecord) -> Self {
        Self::HTTPS(HTTPS(SVCB::new(priority, target, params)))
    }
}
