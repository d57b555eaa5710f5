//! First connects past silent addresses, on real sockets and real DNS, beside the best that a client could do.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_resolver::proto::rr::{RData, RecordType};
use http::Uri;
use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{Config, Families, HappyEyeballsConnector};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::BoxError;
use crate::clients::connect;
use crate::gets::median;
use crate::lab::lookup_ip::resolver;
use crate::lab::{Behaviour, Ca, Dns, LookupIp, Loopback, Reply, Site, Sites};
use crate::row::{Bound, Other, Row, Unit};

/// The host whose first addresses are silent.
const HOST: &str = "www.lab.test";
/// The same host without them.
const HEALTHY: &str = "healthy.lab.test";
const BOTH_NAMES: &str = "*.lab.test";
const ALPN: [&str; 2] = ["h2", "http/1.1"];
/// How long the name server takes.
const DNS_DELAY: Duration = Duration::from_millis(10);
/// The Connection Attempt Delay, once for each silent address.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
const APART_MS: f64 = 15.0;

/// In order; the last one is the good one. They share as many bits with 127.0.0.1, so that no rule reorders them.
const V4: [Ipv4Addr; 3] = [Ipv4Addr::new(127, 0, 0, 8), Ipv4Addr::new(127, 0, 0, 9), Ipv4Addr::new(127, 0, 0, 10)];

pub fn measure(quick: bool, show: &mut impl FnMut(Row)) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (repeats, patience) = if quick { (3, 5) } else { (10, 20) };
        let patience = Duration::from_secs(patience);
        let [.., good] = V4.map(IpAddr::from);

        let loopback = Loopback::detect().await;
        if loopback == Loopback::Ipv4Only {
            eprintln!("This host has no IPv6: {} stands in for its silent address.", loopback.first());
        }
        let scene = Scene::start("https, IPv6 silent", true, &[loopback.first()], good).await?;
        // The first handshake of a process pays for setting the cryptography up.
        scene.direct().await?;
        show(scene.measure(repeats, repeats, patience).await?);

        let [one, two, _] = V4.map(IpAddr::from);
        let scene = Scene::start("http, two silent IPv4 addresses", false, &[one, two], good).await?;
        show(scene.measure(repeats, 1, patience).await?);
        Ok(())
    })
}

struct Scene {
    name: &'static str,
    tls: bool,
    silent: usize,
    good: SocketAddr,
    ca: Ca,
    dns: Dns,
    /// They are up as long as the scene.
    _sites: Sites,
}

impl Scene {
    async fn start(name: &'static str, tls: bool, silent: &[IpAddr], good: IpAddr) -> Result<Self, BoxError> {
        let ca = Ca::new();
        let site = if tls { Site::GOOD } else { Site::Http(Behaviour::Serve) };
        let layout = silent.iter().map(|&ip| (ip, Site::Silent)).chain([(good, site)]);
        let sites = Sites::open(&ca, BOTH_NAMES, layout).await?;
        let dns = Dns::start().await?;
        for (host, addrs) in [(HOST, [silent, &[good]].concat()), (HEALTHY, vec![good])] {
            let v4 = addrs.iter().filter_map(|ip| if let IpAddr::V4(ip) = ip { Some(*ip) } else { None });
            let v6 = addrs.iter().filter_map(|ip| if let IpAddr::V6(ip) = ip { Some(*ip) } else { None });
            dns.set(host, RecordType::A, Reply::a(v4).after(DNS_DELAY));
            dns.set(host, RecordType::AAAA, Reply::aaaa(v6).after(DNS_DELAY));
        }
        let good = SocketAddr::new(good, sites.port());
        Ok(Self { name, tls, silent: silent.len(), good, ca, dns, _sites: sites })
    }

    /// Every connect is the first of a new client: nothing is cached, no TLS session resumed.
    async fn measure(&self, repeats: usize, repeats_of_other: usize, patience: Duration) -> Result<Row, BoxError> {
        let (mut direct, mut ours, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let mut cut = false;
        // In turns, so that what else the machine does hits all.
        for index in 0..repeats {
            direct.push(self.direct().await?);
            ours.push(self.ours().await?);
            if index < repeats_of_other && !cut {
                match timeout(patience, self.http_connector()).await {
                    Ok(elapsed) => others.push(elapsed?),
                    Err(_) => cut = true,
                }
            }
        }
        let unit = Unit::Milliseconds;
        let waits = ATTEMPT_DELAY * u32::try_from(self.silent)?;
        Ok(Row {
            name: self.name,
            unit,
            ours: unit.of(median(ours)),
            http_connector: if cut { Other::Cut(unit.of(patience)) } else { Other::Took(unit.of(median(others))) },
            ideal: Some(unit.of(median(direct) + waits)),
            bound: Bound::Apart(APART_MS),
        })
    }

    fn url(&self) -> Result<Uri, http::uri::InvalidUri> {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{HOST}:{}/", self.good.port()).parse()
    }

    /// DNS, TCP and TLS towards the healthy host, by hand: neither connector has a part in it.
    async fn direct(&self) -> Result<Duration, BoxError> {
        let resolver = resolver(self.dns.addr())?;
        let tls = TlsConnector::from(std::sync::Arc::new(self.ca.client_config(&ALPN)));
        let start = Instant::now();
        let lookup = resolver.lookup(format!("{HEALTHY}."), RecordType::A).await?;
        let ip =
            lookup.answers().iter().find_map(|record| if let RData::A(ip) = record.data { Some(ip.0) } else { None });
        let tcp = TcpStream::connect((ip.ok_or("the lab's DNS has no address")?, self.good.port())).await?;
        if self.tls {
            tls.connect(ServerName::try_from(HEALTHY)?, tcp).await?;
        }
        Ok(start.elapsed())
    }

    async fn ours(&self) -> Result<Duration, BoxError> {
        let mut config = Config::default();
        // A host with addresses of one family only would not be asked to try the other.
        config.families(Families::Both);
        let builder = HappyEyeballsConnector::builder()
            .resolver(HickoryResolver::with_name_servers([self.dns.addr()]))
            .config(config);
        let builder = if self.tls { builder.tls_config(self.ca.client_config(&ALPN)) } else { builder.plaintext() };
        let mut connector = builder.build()?;
        let start = Instant::now();
        let stream = connect(&mut connector, self.url()?).await?;
        let elapsed = start.elapsed();
        let report = stream.report();
        // A client that knew of no silent address would be fast without merit.
        if stream.tcp_stream().peer_addr()? != self.good || report.attempts().len() != self.silent + 1 {
            return Err(format!("{}: not every silent address was tried\n{report}", self.name).into());
        }
        Ok(elapsed)
    }

    async fn http_connector(&self) -> Result<Duration, BoxError> {
        let mut http = HttpConnector::new_with_resolver(LookupIp::new(self.dns.addr())?);
        http.enforce_http(false);
        let mut connector = HttpsConnector::from((http, self.ca.client_config(&ALPN)));
        let start = Instant::now();
        connect(&mut connector, self.url()?).await?;
        Ok(start.elapsed())
    }
}
