//! Whether a site is reachable, by each of its addresses, and what a broken family costs its users.
//!
//! A [`Checker`] asks DNS, tries every address that a connector would try on its own, connects as a user does, and then
//! runs a drill: the same connect with a family made silent or refusing within this process, by clients of each
//! generation, side by side. A [`Verdict`] says what it comes to.
//!
//! ```
//! use hyper_happy_eyeballs::HappyEyeballsConnector;
//! use hyper_happy_eyeballs::reachability::{Checker, Level};
//! use hyper_happy_eyeballs::resolve::HickoryResolver;
//! # async fn check() -> Result<(), Box<dyn std::error::Error>> {
//! # let config = rustls::ClientConfig::builder()
//! #     .with_root_certificates(rustls::RootCertStore::empty())
//! #     .with_no_client_auth();
//! let dns = HickoryResolver::from_system();
//! let builder = HappyEyeballsConnector::builder_with_resolver(dns.clone()).tls_config(config).enable_all_versions();
//! let check = Checker::new(builder, dns)?.check(&"https://example.org/".parse()?).await?;
//! if check.verdict.level != Level::Ok {
//!     println!("{}: {}", check.url, check.verdict.reason);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Every packet of the check passes the [`AddressPolicy`](crate::AddressPolicy) of the connector's
//! [`Config`](crate::Config): the probe of an address, its ping, its PTR query, and proxies too.

mod certificate;
mod dns;
mod drill;
mod fault;
mod fetch;
mod ping;
mod probe;
mod verdict;
mod via;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::{join, join_all, join3};
use http::Uri;
use tokio::time::Instant;
use tokio_socks::TargetAddr;

pub use certificate::{Certificate, Timestamp};
pub use dns::Lookup;
pub use drill::{Client, DRILL_LIMIT, DrillOutcome, DrillRun, Scenario};
pub use fault::{Fault, FaultClass};
pub use fetch::{Connection, Fetch, FetchError, HttpError, Limits, Response, chain, fetch};
pub use ping::Ping;
pub use probe::Probe;
pub use verdict::{Level, NOTICEABLE, Verdict};
pub use via::{InvalidProxy, Proxy, ViaCheck};

use crate::config::Families;
use crate::connector::{BuildError, Builder, HappyEyeballsConnector};
use crate::dial::{Dial, Dialer};
use crate::error::Error;
use crate::history::History;
use crate::listing;
use crate::origin::{Host, Origin};
use crate::report::{AttemptOutcome, AttemptReport, Report};
use crate::resolve::{HickoryResolver, ResolveError};
use probe::Request;
use via::Tunnel;

/// The time for a probe where the connector has no `connect_timeout`.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(30);

/// Checks sites. Clones share the resolver and its cache.
#[derive(Clone, Debug)]
pub struct Checker {
    connector: HappyEyeballsConnector,
    dns: HickoryResolver,
    drill: bool,
    ping: bool,
    dns_details: bool,
    time_limit: Option<Duration>,
    via: Vec<Proxy>,
}

/// All that a check has found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Check {
    /// What was checked.
    pub url: Uri,
    /// Its scheme, host and port.
    pub origin: Origin,
    /// What DNS says. Empty where the URL has an address.
    pub lookups: Vec<Lookup>,
    /// Every endpoint that the connector would try, in its order.
    pub addresses: Vec<AddressCheck>,
    /// What a user of the connector sees.
    pub race: Fetch,
    /// What a broken family would cost. Empty if it was turned off, or if no address serves.
    pub drill: Vec<DrillRun>,
    /// What is reachable from elsewhere, a proxy each.
    pub via: Vec<ViaCheck>,
    /// What it all comes to.
    pub verdict: Verdict,
}

/// One address on its own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AddressCheck {
    /// The address and port.
    pub addr: SocketAddr,
    /// The name whose address it is, where HTTPS records led to another one than the origin's.
    pub target: Option<String>,
    /// The source address that the system uses towards it; `None` if there is no route.
    pub source: Option<IpAddr>,
    /// The names that it has by PTR records; `None` if it was not asked for.
    pub pointers: Option<Result<Vec<String>, ResolveError>>,
    /// ICMP echo; `None` if it was turned off, or the address denied.
    pub ping: Option<Ping>,
    /// TCP, TLS and a request.
    pub probe: Probe,
}

impl Checker {
    /// A checker that connects as the connectors of `builder` do, except that it remembers no TLS sessions. `dns` is asked
    /// for what a connector has no use for, such as PTR records; it is best the resolver of the builder.
    ///
    /// The builder's [`connect_timeout`](Builder::connect_timeout) is also the time that each address has to connect, and
    /// then to respond.
    ///
    /// # Errors
    ///
    /// Those of [`Builder::build`].
    pub fn new(builder: Builder, dns: HickoryResolver) -> Result<Self, BuildError> {
        let connector = builder.build()?.without_resumption();
        let via = Vec::new();
        Ok(Self { connector, dns, drill: true, ping: true, dns_details: true, time_limit: None, via })
    }

    /// Whether to find out what a broken family would cost, which connects to the site up to twelve times. The older ones of
    /// the clients know nothing of ECH, and show the name of the site to the network.
    ///
    /// Default is true.
    pub fn drill(&mut self, drill: bool) -> &mut Self {
        self.drill = drill;
        self
    }

    /// Whether to send ICMP echo requests.
    ///
    /// Default is true.
    pub fn ping(&mut self, ping: bool) -> &mut Self {
        self.ping = ping;
        self
    }

    /// Whether to ask DNS for what a connect has no use for: PTR records, aliases and TTLs, and the HTTPS records of an
    /// `http` origin.
    ///
    /// Default is true.
    pub fn dns_details(&mut self, details: bool) -> &mut Self {
        self.dns_details = details;
        self
    }

    /// The time for a check without drill, DNS details and proxies: what is not done by then counts as unanswered, so
    /// that the check is complete all the same. Of it at most half is for finding the addresses.
    ///
    /// Default is none beside the connect timeout.
    pub fn time_limit(&mut self, limit: Duration) -> &mut Self {
        self.time_limit = Some(limit);
        self
    }

    /// Checks through `proxy` too.
    ///
    /// Default is no proxy.
    pub fn via(&mut self, proxy: Proxy) -> &mut Self {
        self.via.push(proxy);
        self
    }

    /// Checks the site of `uri`. Whatever can run at once does: DNS beside a user's connect, then all addresses, their
    /// pings and names, and proxies. The drill comes last, so that it does not disturb what is measured.
    ///
    /// # Errors
    ///
    /// The URI cannot be connected to. That the site cannot is no error, but a result.
    pub async fn check(&self, uri: &Uri) -> Result<Check, Error> {
        let origin = Origin::from_uri(uri)?;
        let connector = self.connector_within(self.time_limit);
        let dialer = connector.dialer(uri, &origin)?.explaining();
        let patience = connector.config().connect_timeout.unwrap_or(DEFAULT_PATIENCE);
        let end = self.time_limit.map(|limit| Instant::now() + limit);
        let site = Site { checker: self, uri, origin: &origin, dialer: &dialer, patience, end };

        let race = fetch::fetch_until(&connector, uri, Limits::head(patience), end);
        let (race, (lookups, mut addresses, via)) = join(race, site.survey()).await;
        probe::compare(&mut addresses);
        let mut check = Check {
            url: uri.clone(),
            origin: origin.clone(),
            lookups,
            addresses,
            race,
            drill: Vec::new(),
            via,
            verdict: Verdict { level: Level::Ok, reason: String::new(), notes: Vec::new() },
        };
        if self.drill && check.addresses.iter().any(|address| address.probe.is_good()) {
            check.drill = site.drill(&check.addresses).await;
        }
        check.verdict = Verdict::of(&check);
        Ok(check)
    }

    /// The connector for a look around: at both families, whatever this host has, unless one was chosen.
    fn lister(&self) -> HappyEyeballsConnector {
        let mut connector = self.connector_within(self.time_limit.map(|limit| limit / 2));
        let mut config = connector.config().clone();
        if config.families == Families::Auto {
            config.families(Families::Both);
        }
        connector.set_config(config);
        connector
    }

    /// The connector, with at most this time to connect.
    fn connector_within(&self, limit: Option<Duration>) -> HappyEyeballsConnector {
        let mut connector = self.connector.clone();
        // What an earlier check has learned would hide what is broken.
        connector.set_history(History::new());
        if let Some(limit) = limit {
            let own = connector.config().connect_timeout.unwrap_or(limit);
            connector.set_connect_timeout(Some(own.min(limit)));
        }
        connector
    }
}

/// One site under check.
struct Site<'a> {
    checker: &'a Checker,
    uri: &'a Uri,
    origin: &'a Origin,
    dialer: &'a Dialer,
    patience: Duration,
    /// When it has to be over.
    end: Option<Instant>,
}

impl Site<'_> {
    async fn survey(&self) -> (Vec<Lookup>, Vec<AddressCheck>, Vec<ViaCheck>) {
        let Ok(list) = listing::list(&self.checker.lister(), self.uri).await else { return Default::default() };
        let endpoints = list.report.attempts();
        join3(
            dns::lookups(&list, self.checker.dns_details.then_some(&self.checker.dns)),
            join_all(endpoints.iter().map(|endpoint| self.address(endpoint))),
            join_all(self.checker.via.iter().map(|proxy| self.via(proxy, &list.report))),
        )
        .await
    }

    async fn address(&self, endpoint: &AttemptReport) -> AddressCheck {
        let addr = endpoint.addr();
        let target = endpoint.target().map(str::to_owned);
        if let AttemptOutcome::Denied(reason) = endpoint.outcome() {
            let fault = Fault::new(FaultClass::Denied, reason.clone());
            return AddressCheck {
                addr,
                target,
                source: None,
                pointers: None,
                ping: None,
                probe: Probe::failed(fault),
            };
        }
        let source = self.dialer.probe(vec![addr]).into_iter().find_map(|probed| Some(probed.source?.ip));
        let pointers = async {
            match self.checker.dns_details {
                true => Some(self.checker.dns.look_up_pointers(addr.ip()).await),
                false => None,
            }
        };
        let ping = async {
            match self.checker.ping {
                true => Some(ping::ping(self.dialer, addr, patience(self.patience, self.end)).await),
                false => None,
            }
        };
        let (pointers, ping, probe) = join3(pointers, ping, self.probe(endpoint)).await;
        AddressCheck { addr, target, source, pointers, ping, probe }
    }

    async fn probe(&self, endpoint: &AttemptReport) -> Probe {
        let connect = || async {
            match self.dialer.tcp(endpoint.addr()).await {
                Ok((tcp, _)) => Ok(tcp),
                Err(failure) => Err(Fault::of(&failure)),
            }
        };
        self.request(endpoint.ech.as_deref()).send(connect, || FaultClass::Silent).await
    }

    async fn via(&self, proxy: &Proxy, list: &Report) -> ViaCheck {
        let endpoints = list.attempts();
        let connector = &self.checker.connector.clone().for_proxies();
        let probe = |target: TargetAddr<'static>, ech| async move {
            let tunnel = &Tunnel::new(proxy, connector);
            self.request(ech).send(|| tunnel.open(target.clone()), || tunnel.late()).await
        };
        let by_name = async {
            let ech = endpoints.iter().find_map(|endpoint| endpoint.ech.as_deref());
            let shows_name = list.relies_on_ech && ech.is_none();
            match self.origin.host() {
                // No policy can see where the proxy would go.
                Host::Name(name) if connector.config().address_policy.is_default() && !shows_name => {
                    Some(probe(TargetAddr::Domain(name.to_string().into(), self.origin.port()), ech).await)
                }
                _ => None,
            }
        };
        let allowed = endpoints.iter().filter(|endpoint| !matches!(endpoint.outcome(), AttemptOutcome::Denied(_)));
        let addresses = join_all(allowed.map(|endpoint| async move {
            let addr = endpoint.addr();
            (addr, probe(TargetAddr::Ip(addr), endpoint.ech.as_deref()).await)
        }));
        let (by_name, addresses) = join(by_name, addresses).await;
        ViaCheck { proxy: proxy.clone(), by_name, addresses }
    }

    fn request<'a>(&'a self, ech: Option<&'a [u8]>) -> Request<'a> {
        Request {
            uri: self.uri,
            origin: self.origin,
            tls: self.dialer.tls_target(),
            ech,
            patience: self.patience,
            end: self.end,
        }
    }

    async fn drill(&self, addresses: &[AddressCheck]) -> Vec<DrillRun> {
        let alone = addresses.iter().map(|address| (address.addr, address.probe.connected()));
        drill::drill(&self.checker.connector, self.uri, &alone.collect::<Vec<_>>()).await
    }
}

/// How long to wait now, if everything has to be over at `end`.
fn patience(usual: Duration, end: Option<Instant>) -> Duration {
    end.map_or(usual, |end| usual.min(end.saturating_duration_since(Instant::now())))
}

impl Check {
    /// An endpoint as people want to see it: without the port if it is that of the URL.
    pub fn label(&self, addr: SocketAddr) -> String {
        if addr.port() == self.origin.port() { addr.ip().to_string() } else { addr.to_string() }
    }
}
