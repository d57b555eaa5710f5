//! HTTPS records of the host, and what they lead to.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_server::proto::rr::rdata::{A, AAAA};
use hickory_server::proto::rr::{RData, RecordType};
use hyper_happy_eyeballs::report::{AttemptOutcome, AttemptReport};
use hyper_happy_eyeballs::{Config, MaybeHttpsStream};

use crate::host::{HOST, Host, V4, config};
use crate::lab::{HttpsRecord, Reply, Server, Site, Sites};

/// The name of most services.
pub(crate) const TARGET: &str = "svc.lab.test";
/// So long that no timer can be why something started, and longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(2);

/// Settings with which only answers and failures start anything.
pub(crate) fn patient() -> Config {
    let mut config = config();
    config.attempt_delay(LONG).resolution_delay(LONG);
    config
}

/// The name that the records of the host are under, as its port is never 443.
pub(crate) fn records_name(host: &Host) -> String {
    format!("_{}._https.{HOST}", host.sites.port())
}

pub(crate) fn records(records: impl IntoIterator<Item = HttpsRecord>) -> Reply {
    Reply::records(records.into_iter().map(RData::from))
}

/// Answers the host's HTTPS query.
pub(crate) fn publish(host: &Host, reply: Reply) {
    host.dns.set(&records_name(host), RecordType::HTTPS, reply);
}

/// Has the addresses of a name in DNS.
pub(crate) fn set_addresses(host: &Host, name: &str, ips: impl IntoIterator<Item = IpAddr>) {
    let v4 = |ip| if let IpAddr::V4(ip) = ip { ip } else { panic!("{ip} is not of IPv4") };
    host.dns.set(name, RecordType::A, Reply::a(ips.into_iter().map(v4)));
}

/// A service of a host, at a name and a port of its own.
pub(crate) struct Service {
    name: &'static str,
    ip: IpAddr,
    sites: Sites,
}

impl Service {
    /// `site` at `ip` with a certificate for the host, and this address under `name` in DNS.
    pub(crate) async fn open(host: &Host, name: &'static str, ip: IpAddr, site: Site) -> Self {
        set_addresses(host, name, [ip]);
        let sites = Sites::open(&host.ca, HOST, [(ip, site)]).await.expect("loopback has this address");
        Self { name, ip, sites }
    }

    /// `svc.lab.test` at the second address, where the host has the first.
    pub(crate) async fn target(host: &Host, site: Site) -> Self {
        Self::open(host, TARGET, V4[1], site).await
    }

    /// The record that leads to it.
    pub(crate) fn record(&self, priority: u16) -> HttpsRecord {
        HttpsRecord::new(priority, self.name).port(self.addr().port())
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.sites.port())
    }

    /// Its server.
    pub(crate) fn server(&self) -> &Server {
        self.sites.server(self.ip)
    }
}

pub(crate) fn peer(stream: &MaybeHttpsStream) -> SocketAddr {
    stream.tcp_stream().peer_addr().expect("it is connected")
}

/// The addresses that were tried, in order.
pub(crate) fn tried(attempts: &[AttemptReport]) -> Vec<SocketAddr> {
    let tried = attempts.iter().filter(|attempt| !matches!(attempt.outcome(), AttemptOutcome::Denied(_)));
    tried.map(AttemptReport::addr).collect()
}

/// What `ip` is in the data of a record.
pub(crate) fn a(ip: IpAddr) -> RData {
    match ip {
        IpAddr::V4(ip) => RData::A(A(ip)),
        IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
    }
}
