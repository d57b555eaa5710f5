//! Worlds: a host, its addresses, what is wrong with them, and how fast a client could be all the same.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_server::proto::rr::RecordType;
use tokio::net::TcpListener;

use super::{Behaviour, Ca, Certificate, Dns, HttpsRecord, Reply, Site, Sites};

/// The name of the host in every world.
pub const HOST: &str = "www.lab.test";
/// The name that the service has moved to, where it has.
const SERVICE: &str = "svc.lab.test";
/// How long every answer takes that comes as it should.
pub const DNS_DELAY: Duration = Duration::from_millis(10);
/// How late the slow answer is.
pub const SLOW_DNS: Duration = Duration::from_millis(400);
/// How long a client should try when nothing can succeed.
pub const PATIENCE: Duration = Duration::from_secs(2);

// Of the v3 draft: what an ideal client waits for.
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
const MIN_START_GAP: Duration = Duration::from_millis(10);

/// Addresses of one common prefix length with 127.0.0.1, the source of all of them, so that rule 9 of RFC 6724 leaves
/// their order alone.
const V4: [Ipv4Addr; 3] = [Ipv4Addr::new(127, 0, 0, 8), Ipv4Addr::new(127, 0, 0, 9), Ipv4Addr::new(127, 0, 0, 10)];

/// The loopback addresses that a host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loopback {
    Both,
    /// Without ::1, an IPv4 address stands in for it, and both answers are A records.
    Ipv4Only,
}

impl Loopback {
    pub async fn detect() -> Self {
        match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await {
            Ok(_) => Self::Both,
            Err(_) => Self::Ipv4Only,
        }
    }

    /// The address that clients should try first.
    pub fn first(self) -> IpAddr {
        match self {
            Self::Both => Ipv6Addr::LOCALHOST.into(),
            Self::Ipv4Only => V4[0].into(),
        }
    }

    /// The address that they should fall back to.
    pub fn second(self) -> IpAddr {
        V4[1].into()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Healthy,
    Ipv6Silent,
    Ipv6Refused,
    AaaaSlow,
    AaaaNever,
    ANever,
    TlsStall,
    TlsReset,
    WrongCertificate,
    TwoSilent,
    Moved,
    Dead,
}

impl Kind {
    pub const ALL: [Self; 12] = [
        Self::Healthy,
        Self::Ipv6Silent,
        Self::Ipv6Refused,
        Self::AaaaSlow,
        Self::AaaaNever,
        Self::ANever,
        Self::TlsStall,
        Self::TlsReset,
        Self::WrongCertificate,
        Self::TwoSilent,
        Self::Moved,
        Self::Dead,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Ipv6Silent => "IPv6 silent",
            Self::Ipv6Refused => "IPv6 refused",
            Self::AaaaSlow => "AAAA slow",
            Self::AaaaNever => "AAAA never answered",
            Self::ANever => "A never answered",
            Self::TlsStall => "TLS stalls on IPv6",
            Self::TlsReset => "TLS reset on IPv6",
            Self::WrongCertificate => "wrong certificate on IPv6",
            Self::TwoSilent => "two silent, then good",
            Self::Moved => "moved by an HTTPS record",
            Self::Dead => "everything dead",
        }
    }

    /// Without an IPv6 address there is nothing to connect to while A is not answered.
    pub fn is_possible(self, loopback: Loopback) -> bool {
        loopback == Loopback::Both || self != Self::ANever
    }
}

/// What is wrong in a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    Nothing,
    /// Queries of this type.
    Query(RecordType),
    /// The host; this name has the record that says where its service is.
    Host(String),
    /// These addresses.
    Addresses(Vec<SocketAddr>),
}

/// A world that is running.
pub struct World {
    pub kind: Kind,
    pub dns: Dns,
    pub sites: Sites,
    /// Where the service has moved to.
    pub elsewhere: Option<Sites>,
    pub broken: Broken,
    /// Where an ideal client ends up; `None` if there is nowhere.
    pub expected: Option<SocketAddr>,
    /// What an ideal client waits for before the connection that wins; its handshakes come on top. Where nothing can
    /// win it is the time to the error.
    pub ideal: Duration,
}

impl World {
    /// # Panics
    ///
    /// If the world is not possible with these loopback addresses.
    pub async fn start(kind: Kind, ca: &Ca, loopback: Loopback) -> io::Result<Self> {
        assert!(kind.is_possible(loopback), "{kind:?} needs IPv6");
        let (first, second) = (loopback.first(), loopback.second());
        let at_first = |site| vec![(first, site), (second, Site::GOOD)];
        let layout = match kind {
            Kind::Healthy | Kind::AaaaSlow | Kind::AaaaNever | Kind::ANever => at_first(Site::GOOD),
            Kind::Ipv6Silent => at_first(Site::Silent),
            Kind::Ipv6Refused => at_first(Site::Refused),
            Kind::TlsStall => at_first(Site::Https(Certificate::Good, Behaviour::Stall)),
            Kind::TlsReset => at_first(Site::Https(Certificate::Good, Behaviour::ResetHello)),
            Kind::WrongCertificate => at_first(Site::Https(Certificate::OtherName, Behaviour::Serve)),
            Kind::TwoSilent => {
                let [one, two, three] = V4.map(IpAddr::from);
                vec![(one, Site::Silent), (two, Site::Silent), (three, Site::GOOD)]
            }
            Kind::Moved => vec![(first, Site::Refused), (second, Site::Refused)],
            Kind::Dead => vec![(first, Site::Silent), (second, Site::Silent)],
        };
        let sites = Sites::open(ca, HOST, layout.iter().copied()).await?;

        let dns = Dns::start().await?;
        let [a, aaaa] = replies(layout.iter().map(|(ip, _)| *ip));
        let (a, aaaa) = match kind {
            Kind::AaaaSlow => (a.after(DNS_DELAY), aaaa.after(SLOW_DNS)),
            Kind::AaaaNever => (a.after(DNS_DELAY), Reply::never()),
            Kind::ANever => (Reply::never(), aaaa.after(DNS_DELAY)),
            _ => (a.after(DNS_DELAY), aaaa.after(DNS_DELAY)),
        };
        dns.set(HOST, RecordType::A, a);
        dns.set(HOST, RecordType::AAAA, aaaa);

        let elsewhere = match kind {
            Kind::Moved => Some(Sites::open(ca, HOST, [(first, Site::GOOD)]).await?),
            _ => None,
        };
        let record = format!("_{}._https.{HOST}", sites.port());
        if let Some(elsewhere) = &elsewhere {
            let service = HttpsRecord::new(1, SERVICE).port(elsewhere.port());
            dns.set(&record, RecordType::HTTPS, Reply::records([service.into()]).after(DNS_DELAY));
            let [a, aaaa] = replies([first]);
            dns.set(SERVICE, RecordType::A, a.after(DNS_DELAY));
            dns.set(SERVICE, RecordType::AAAA, aaaa.after(DNS_DELAY));
        }

        let addr = |ip| SocketAddr::new(ip, sites.port());
        let bad: Vec<_> = layout.iter().filter(|(_, site)| *site != Site::GOOD).map(|(ip, _)| addr(*ip)).collect();
        let broken = match kind {
            Kind::AaaaSlow | Kind::AaaaNever => Broken::Query(RecordType::AAAA),
            Kind::ANever => Broken::Query(RecordType::A),
            Kind::Moved => Broken::Host(record),
            _ if bad.is_empty() => Broken::Nothing,
            _ => Broken::Addresses(bad),
        };
        // While AAAA is out an ideal client takes what A has: the second address, or without IPv6 the first.
        let good: Vec<_> = layout.iter().filter(|(_, site)| *site == Site::GOOD).map(|(ip, _)| addr(*ip)).collect();
        let expected = match kind {
            Kind::AaaaSlow | Kind::AaaaNever => good.iter().find(|addr| addr.is_ipv4()).copied(),
            _ => {
                let elsewhere = || elsewhere.as_ref().map(|sites| SocketAddr::new(first, sites.port()));
                good.first().copied().or_else(elsewhere)
            }
        };
        let ideal = match kind {
            Kind::Healthy | Kind::ANever => DNS_DELAY,
            Kind::AaaaSlow | Kind::AaaaNever => DNS_DELAY + RESOLUTION_DELAY,
            Kind::Ipv6Silent | Kind::TlsStall => DNS_DELAY + ATTEMPT_DELAY,
            Kind::Ipv6Refused | Kind::TlsReset | Kind::WrongCertificate => DNS_DELAY + MIN_START_GAP,
            Kind::TwoSilent => DNS_DELAY + 2 * ATTEMPT_DELAY,
            // The record, then the addresses of the name in it.
            Kind::Moved => 2 * DNS_DELAY,
            Kind::Dead => PATIENCE,
        };
        Ok(Self { kind, dns, sites, elsewhere, broken, expected, ideal })
    }

    pub fn url(&self) -> String {
        format!("https://{HOST}:{}/", self.sites.port())
    }

    /// Forgets what clients did so far.
    pub fn forget(&self) {
        self.dns.clear_log();
        let sites = [Some(&self.sites), self.elsewhere.as_ref()];
        sites.into_iter().flatten().flat_map(Sites::servers).for_each(super::Server::forget);
    }

    /// Whether a client ran into what is broken. A SYN to a silent or refusing address leaves no trace that the lab
    /// could see, so there the client's own word is taken: `attempted`. Servers and DNS count for themselves.
    pub fn broken_was_tried(&self, attempted: &[SocketAddr]) -> bool {
        match &self.broken {
            Broken::Nothing => true,
            Broken::Query(kind) => self.dns.asked(HOST, *kind) > 0,
            Broken::Host(record) => self.dns.asked(record, RecordType::HTTPS) > 0,
            Broken::Addresses(addrs) => addrs.iter().all(|addr| match self.sites.find_server(addr.ip()) {
                Some(server) => server.accepted() > 0,
                None => attempted.contains(addr),
            }),
        }
    }
}

/// What A and AAAA are answered with.
fn replies(ips: impl IntoIterator<Item = IpAddr>) -> [Reply; 2] {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for ip in ips {
        match ip {
            IpAddr::V4(ip) => v4.push(ip),
            IpAddr::V6(ip) => v6.push(ip),
        }
    }
    [Reply::a(v4), Reply::aaaa(v6)]
}
