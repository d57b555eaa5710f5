//! One host of the lab: its name server, its sites, and connectors that reach it.

// Every test binary uses another part of it.
#![allow(dead_code, unreachable_pub)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_server::proto::op::Message;
use hickory_server::proto::rr::RecordType;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{Builder, Config, Families, HappyEyeballsConnector};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::lab::{Behaviour, Ca, Certificate, Dns, Loopback, Reply, Server, Site, Sites};
use crate::support::connect;

/// The name of the host.
pub const HOST: &str = "www.lab.test";

/// Addresses of one common prefix length with their source, so that rule 9 of RFC 6724 leaves their order alone.
pub const V4: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 8)),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 10)),
];

pub const HTTP: Site = Site::Http(Behaviour::Serve);
pub const HTTPS: Site = Site::GOOD;

/// A site with a good certificate that does something else than to serve.
pub fn faulty(behaviour: Behaviour) -> Site {
    Site::Https(Certificate::Good, behaviour)
}

pub struct Host {
    pub ca: Ca,
    pub dns: Dns,
    pub sites: Sites,
}

impl Host {
    /// Opens `sites` and has their addresses in DNS, in this order within a family.
    pub async fn open(sites: impl IntoIterator<Item = (IpAddr, Site)>) -> Self {
        let layout: Vec<_> = sites.into_iter().collect();
        let ca = Ca::new();
        let sites = Sites::open(&ca, HOST, layout.iter().copied()).await.expect("loopback has these addresses");
        let dns = Dns::start().await.expect("a name server on loopback");
        let ips = || layout.iter().map(|(ip, _)| *ip);
        let a: Vec<_> = ips().filter_map(|ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None }).collect();
        let aaaa: Vec<_> = ips().filter_map(|ip| if let IpAddr::V6(ip) = ip { Some(ip) } else { None }).collect();
        dns.set(HOST, RecordType::A, Reply::a(a));
        dns.set(HOST, RecordType::AAAA, Reply::aaaa(aaaa));
        Self { ca, dns, sites }
    }

    /// One site on the first address.
    pub async fn with(site: Site) -> Self {
        Self::open([(V4[0], site)]).await
    }

    pub fn addr(&self, ip: IpAddr) -> SocketAddr {
        SocketAddr::new(ip, self.sites.port())
    }

    /// The server of the first site that has one.
    pub fn server(&self) -> &Server {
        &self.sites.servers()[0]
    }

    pub fn uri(&self, scheme: &str) -> String {
        format!("{scheme}://{HOST}:{}/", self.sites.port())
    }

    /// The name that has the HTTPS records of the host's port (RFC 9460 section 9.1).
    pub fn https_name(&self) -> String {
        format!("_{}._https.{HOST}", self.sites.port())
    }

    /// A builder that asks the host's name server, without a choice about TLS.
    pub fn bare_builder(&self) -> Builder {
        HappyEyeballsConnector::builder()
            .resolver(HickoryResolver::with_name_servers([self.dns.addr()]))
            .config(config())
    }

    /// The same with TLS that trusts the host's authority.
    pub fn builder(&self) -> Builder {
        self.bare_builder().tls_config(self.ca.client_config(&[]))
    }

    pub fn connector(&self) -> HappyEyeballsConnector {
        self.configured(config())
    }

    pub fn configured(&self, config: Config) -> HappyEyeballsConnector {
        self.builder().config(config).build().expect("TLS is chosen")
    }
}

/// The defaults, but both families: which ones the machine of the tests has must not matter.
pub fn config() -> Config {
    let mut config = Config::default();
    config.families(Families::Both);
    config
}

/// ::1 refuses and `ip` is what `site` says. Without ::1 there is nothing that has to refuse.
pub async fn only_ipv4(ip: IpAddr, site: Site) -> Vec<(IpAddr, Site)> {
    let mut sites = vec![(ip, site)];
    if Loopback::detect().await == Loopback::Both {
        sites.push((std::net::Ipv6Addr::LOCALHOST.into(), Site::Refused));
    }
    sites
}

pub type HttpClient = Client<HappyEyeballsConnector, Empty<Bytes>>;

pub fn client(connector: HappyEyeballsConnector) -> HttpClient {
    Client::builder(TokioExecutor::new()).build(connector)
}

/// Asserts that nobody has connected to `server`. Connections are accepted in the order of arrival: when a new one is
/// served, an earlier one would have been counted.
pub async fn assert_untouched(server: &Server) {
    let mut stream = TcpStream::connect(server.addr()).await.expect("it listens");
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.expect("it reads");
    // A server of TLS ends the connection in its own way.
    let _ = stream.read_to_end(&mut Vec::new()).await;
    assert_eq!(server.accepted(), 1, "{} was dialled", server.addr());
}

/// Name and type of the first `count` queries that a connect to `uri` sends to a name server that says nothing, in the
/// order of arrival.
pub async fn unanswered_queries(uri: &'static str, count: usize) -> Vec<(String, u16)> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let mut config = config();
    config.dns_linger(Duration::ZERO);
    let connector = HappyEyeballsConnector::builder()
        .resolver(HickoryResolver::with_name_servers([socket.local_addr().expect("it is bound")]))
        .config(config)
        .plaintext()
        .build()
        .expect("plaintext is a choice");
    let asking = tokio::spawn(async move { connect(&connector, uri).await });
    let mut packet = [0; 512];
    let mut queries = Vec::new();
    while queries.len() < count {
        let length = socket.recv(&mut packet).await.expect("a query");
        let query = Message::from_vec(&packet[..length]).expect("a query of DNS").queries.remove(0);
        queries.push((query.name().to_string(), query.query_type().into()));
    }
    asking.abort();
    assert!(asking.await.expect_err("it has no answers").is_cancelled());
    queries
}
