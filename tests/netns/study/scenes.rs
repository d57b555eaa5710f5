//! The scenes that a client is put into: a host of its own each, what is wrong with it, and a URL.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use hickory_server::proto::rr::RecordType;

use super::relay::{Direction, Fate};
use super::servers::{OTHER_PORT, STALLED_PORT};
use super::stage::Stage;
use crate::lab::{HttpsRecord, Reply};
use crate::network::ms;

/// How long a client is watched, should it not be connected before.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1500);
/// The same where no address answers: all of them can be tried meanwhile.
pub(crate) const PATIENCE_IN_SILENCE: Duration = Duration::from_millis(2200);
/// How many addresses of each family there are where none answers.
pub(crate) const SILENT: u16 = 4;

pub(crate) struct Scene {
    pub(crate) host: Host,
    pub(crate) url: String,
    pub(crate) patience: Duration,
}

/// No two hosts have an address in common, so that a packet tells which scene it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) v6: Vec<Ipv6Addr>,
    pub(crate) v4: Vec<Ipv4Addr>,
    /// Addresses that only an HTTPS record leads to.
    pub(crate) hidden: Vec<IpAddr>,
}

impl Scene {
    /// Packets to the IPv6 address of a healthy host take this long.
    pub(crate) fn ipv6_delayed(stage: &Stage, delay: Duration) -> Self {
        let host = stage.host(1);
        stage.relay().set(host.v6[0].into(), Direction::ToServer, Fate::Delayed(delay));
        Self::http(host)
    }

    /// One answer of a healthy host takes this long.
    pub(crate) fn answer_delayed(stage: &Stage, kind: RecordType, delay: Duration) -> Self {
        let host = stage.host(1);
        host.answer_after(stage, kind, delay);
        Self::http(host)
    }

    /// No address answers.
    pub(crate) fn silent(stage: &Stage) -> Self {
        let host = stage.host(SILENT);
        for addr in host.addrs() {
            stage.relay().set(addr, Direction::ToServer, Fate::Dropped);
        }
        Self { patience: PATIENCE_IN_SILENCE, ..Self::http(host) }
    }

    /// The IPv6 address takes the TCP connection and then says nothing.
    pub(crate) fn tls_stalled(stage: &Stage) -> Self {
        let host = stage.host(1);
        Self { url: format!("https://{}:{STALLED_PORT}/", host.name), host, patience: PATIENCE }
    }

    /// An HTTPS record of the host has another port.
    pub(crate) fn other_port(stage: &Stage) -> Self {
        let host = stage.host(1);
        host.publish(stage, HttpsRecord::new(1, ".").port(OTHER_PORT));
        Self::https(host)
    }

    /// An HTTPS record of the host leads to another name, at other addresses.
    pub(crate) fn other_target(stage: &Stage) -> Self {
        let mut host = stage.host(1);
        let target = stage.host_named(&format!("svc.{}", host.name), 1);
        host.hidden = target.addrs().collect();
        host.publish(stage, HttpsRecord::new(1, &target.name));
        Self::https(host)
    }

    /// An HTTPS record of the host has hints, and the addresses proper take long to come.
    pub(crate) fn hints(stage: &Stage) -> Self {
        let mut host = stage.host(1);
        let hinted = stage.host(1);
        host.hidden = hinted.addrs().collect();
        let record = HttpsRecord::new(1, ".").hint(hinted.v4[0].into()).hint(hinted.v6[0].into());
        host.publish(stage, record);
        host.answer_after(stage, RecordType::AAAA, ms(500));
        host.answer_after(stage, RecordType::A, ms(500));
        Self::https(host)
    }

    fn http(host: Host) -> Self {
        Self { url: format!("http://{}/", host.name), host, patience: PATIENCE }
    }

    fn https(host: Host) -> Self {
        Self { url: format!("https://{}/", host.name), host, patience: PATIENCE }
    }
}

impl Host {
    pub(crate) fn addrs(&self) -> impl Iterator<Item = IpAddr> {
        let v6 = self.v6.iter().map(|addr| IpAddr::V6(*addr));
        v6.chain(self.v4.iter().map(|addr| IpAddr::V4(*addr))).chain(self.hidden.iter().copied())
    }

    /// Whether a name in DNS is the host's or below it.
    pub(crate) fn has(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let above = name.trim_end_matches('.').strip_suffix(&self.name);
        above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    }

    pub(crate) fn answer_after(&self, stage: &Stage, kind: RecordType, delay: Duration) {
        let reply = match kind {
            RecordType::AAAA => Reply::aaaa(self.v6.iter().copied()),
            _ => Reply::a(self.v4.iter().copied()),
        };
        stage.dns().set(&self.name, kind, reply.after(delay));
    }

    fn publish(&self, stage: &Stage, record: HttpsRecord) {
        stage.dns().set(&self.name, RecordType::HTTPS, Reply::records([record.into()]));
    }
}
