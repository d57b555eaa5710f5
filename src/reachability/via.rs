//! The same check from elsewhere: through SOCKS5 proxies.

use std::fmt;
use std::net::SocketAddr;

use super::fault::{Fault, FaultClass};
use super::probe::Probe;

/// A SOCKS5 proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "socks5h://{}:{}", self.host, self.port)
    }
}

/// What is reachable from a proxy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ViaCheck {
    /// The proxy.
    pub proxy: Proxy,
    /// By the name, which the proxy resolves. `None` where the site has no name.
    pub by_name: Option<Probe>,
    /// Each address that was found here.
    pub addresses: Vec<(SocketAddr, Probe)>,
}

impl ViaCheck {
    /// What is wrong, as seen from the proxy: with the name, and with each address.
    pub(super) fn faults(&self) -> impl Iterator<Item = (String, &Fault)> {
        let by_name = self.by_name.iter().filter_map(|probe| Some(("the name".to_owned(), probe.fault.as_ref()?)));
        let addresses =
            self.addresses.iter().filter_map(|(addr, probe)| Some((addr.to_string(), probe.fault.as_ref()?)));
        by_name.chain(addresses).filter(|(_, fault)| fault.class != FaultClass::Proxy)
    }
}
