//! HTTPS records (RFC 9460) as a resolver hands them to a race.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// One HTTPS record: where a service is, and what it speaks (RFC 9460 section 9).
///
/// It is what the record says, before any rule: which records of a set can be used, and in which order, is the race's
/// matter. A record whose bytes do not read as RFC 9460 section 2.2 has them makes its whole set unusable; a resolver
/// reports that as [`ResolveErrorKind::Malformed`](super::ResolveErrorKind::Malformed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRecord {
    pub(crate) owner: Option<Arc<str>>,
    pub(crate) priority: u16,
    pub(crate) target: Arc<str>,
    pub(crate) mandatory: Vec<u16>,
    pub(crate) alpn: Option<Vec<Box<[u8]>>>,
    pub(crate) no_default_alpn: bool,
    pub(crate) port: Option<u16>,
    pub(crate) ipv4_hints: Vec<Ipv4Addr>,
    pub(crate) ipv6_hints: Vec<Ipv6Addr>,
    pub(crate) ech: Option<Arc<[u8]>>,
    pub(crate) other_keys: Vec<u16>,
}

impl ServiceRecord {
    /// A record in ServiceMode without parameters. A `priority` of 0 makes it AliasMode, as on the wire.
    ///
    /// `target` is an absolute name, with or without its final dot; "." is the owner of the record.
    pub fn new(priority: u16, target: impl Into<Arc<str>>) -> Self {
        Self {
            owner: None,
            priority,
            target: target.into(),
            mandatory: Vec::new(),
            alpn: None,
            no_default_alpn: false,
            port: None,
            ipv4_hints: Vec::new(),
            ipv6_hints: Vec::new(),
            ech: None,
            other_keys: Vec::new(),
        }
    }

    /// A record in AliasMode: the service is that of `target` (RFC 9460 section 2.4.2).
    pub fn alias(target: impl Into<Arc<str>>) -> Self {
        Self::new(0, target)
    }

    /// The name that the record belongs to, where it is not the name that was asked for: after a CNAME.
    pub fn with_owner(mut self, owner: impl Into<Arc<str>>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// The keys that a client has to understand to use the record (RFC 9460 section 8).
    pub fn with_mandatory(mut self, keys: impl IntoIterator<Item = u16>) -> Self {
        self.mandatory = keys.into_iter().collect();
        self
    }

    /// The protocols, beside the default one (RFC 9460 section 7.1).
    pub fn with_alpn<P: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = Some(protocols.into_iter().map(|protocol| protocol.as_ref().into()).collect());
        self
    }

    /// The default protocol, HTTP/1.1, is not spoken (RFC 9460 section 7.1).
    pub fn without_default_alpn(mut self) -> Self {
        self.no_default_alpn = true;
        self
    }

    /// The port (RFC 9460 section 7.2).
    ///
    /// Default is that of the URI.
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Addresses that the target may have, until its own records are known (RFC 9460 section 7.3).
    pub fn with_hints(mut self, ips: impl IntoIterator<Item = IpAddr>) -> Self {
        for ip in ips {
            match ip {
                IpAddr::V4(ip) => self.ipv4_hints.push(ip),
                IpAddr::V6(ip) => self.ipv6_hints.push(ip),
            }
        }
        self
    }

    /// An ECHConfigList (RFC 9848).
    pub fn with_ech(mut self, configs: impl Into<Arc<[u8]>>) -> Self {
        self.ech = Some(configs.into());
        self
    }

    /// A parameter that this type has no field for. What it says is not kept, only that it is there.
    pub fn with_other_key(mut self, key: u16) -> Self {
        self.other_keys.push(key);
        self
    }

    /// Whether it is in AliasMode.
    pub fn is_alias(&self) -> bool {
        self.priority == 0
    }

    /// The priority: the smaller the earlier. 0 is AliasMode.
    pub fn priority(&self) -> u16 {
        self.priority
    }

    /// The TargetName as the record has it.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The protocols that the record names, such as `h2` and `h3`.
    pub fn alpn(&self) -> impl Iterator<Item = &[u8]> {
        self.alpn.iter().flatten().map(|protocol| &**protocol)
    }

    /// The port that the record names.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The addresses that the record names, IPv6 first.
    pub fn hints(&self) -> impl Iterator<Item = IpAddr> {
        let v6 = self.ipv6_hints.iter().map(|ip| IpAddr::V6(*ip));
        v6.chain(self.ipv4_hints.iter().map(|ip| IpAddr::V4(*ip)))
    }

    /// Whether it has keys for Encrypted Client Hello.
    pub fn has_ech(&self) -> bool {
        self.ech.is_some()
    }
}

/// As in a zone file, without the keys that have no name here: `1 svc.example. alpn=h2,h3 port=8443`.
impl fmt::Display for ServiceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.priority, self.target)?;
        if let Some(alpn) = &self.alpn {
            let protocols: Vec<_> = alpn.iter().map(|protocol| protocol.escape_ascii().to_string()).collect();
            write!(f, " alpn={}", protocols.join(","))?;
        }
        if self.no_default_alpn {
            f.write_str(" no-default-alpn")?;
        }
        if let Some(port) = self.port {
            write!(f, " port={port}")?;
        }
        list(f, "ipv4hint", &self.ipv4_hints)?;
        list(f, "ipv6hint", &self.ipv6_hints)?;
        if self.ech.is_some() {
            f.write_str(" ech")?;
        }
        Ok(())
    }
}

fn list(f: &mut fmt::Formatter<'_>, key: &str, ips: &[impl fmt::Display]) -> fmt::Result {
    let Some((first, others)) = ips.split_first() else { return Ok(()) };
    write!(f, " {key}={first}")?;
    others.iter().try_for_each(|ip| write!(f, ",{ip}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_as_in_a_zone_file() {
        let hints = ["192.0.2.1", "2001:db8::1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        let record = ServiceRecord::new(1, "svc.test.")
            .with_alpn(["h2", "h\x01"])
            .without_default_alpn()
            .with_port(8443)
            .with_hints(hints)
            .with_ech(*b"x");
        let text = r"1 svc.test. alpn=h2,h\x01 no-default-alpn port=8443 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1 ech";
        assert_eq!(record.to_string(), text);
        assert_eq!(ServiceRecord::alias("cdn.test.").to_string(), "0 cdn.test.");
    }
}
