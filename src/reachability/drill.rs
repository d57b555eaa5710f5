//! What a broken family would cost: races whose packets do not leave, side by side for clients of each generation.

use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::Uri;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::fetch::chain;
use crate::config::Config;
use crate::connector::HappyEyeballsConnector;
use crate::dial::{Dial, Dialer};
use crate::history::History;
use crate::race::Probed;
use crate::report::{Failure, FailureKind, Report};
use crate::stream::Transport;

/// When a client of a drill is cut off.
pub const DRILL_LIMIT: Duration = Duration::from_secs(5);

/// What becomes of the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scenario {
    /// Nothing is made up.
    AsItIs,
    /// No IPv6 address answers.
    Ipv6Silent,
    /// Every IPv6 address refuses, at once.
    Ipv6Refused,
    /// No IPv4 address answers.
    Ipv4Silent,
}

impl Scenario {
    const WITH_BOTH_FAMILIES: [Self; 4] = [Self::AsItIs, Self::Ipv6Silent, Self::Ipv6Refused, Self::Ipv4Silent];
    const WITH_ONE_FAMILY: [Self; 1] = [Self::AsItIs];

    /// A name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::AsItIs => "as_it_is",
            Self::Ipv6Silent => "ipv6_silent",
            Self::Ipv6Refused => "ipv6_refused",
            Self::Ipv4Silent => "ipv4_silent",
        }
    }

    /// Whether packets to `ip` go their way.
    fn spares(self, ip: IpAddr) -> bool {
        self.fate(ip) == Fate::Real
    }

    fn fate(self, ip: IpAddr) -> Fate {
        match self {
            Self::Ipv6Silent if ip.is_ipv6() => Fate::Silent,
            Self::Ipv6Refused if ip.is_ipv6() => Fate::Refused,
            Self::Ipv4Silent if ip.is_ipv4() => Fate::Silent,
            _ => Fate::Real,
        }
    }
}

/// In words.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AsItIs => "as it is",
            Self::Ipv6Silent => "IPv6 silent",
            Self::Ipv6Refused => "IPv6 refused",
            Self::Ipv4Silent => "IPv4 silent",
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Real,
    Silent,
    Refused,
}

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Client {
    /// The connector of the check.
    Own,
    /// [`Config::rfc6555`].
    Rfc6555,
    /// [`Config::sequential`].
    Sequential,
}

impl Client {
    /// All of them, the newest first.
    pub const ALL: [Self; 3] = [Self::Own, Self::Rfc6555, Self::Sequential];

    /// A name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Rfc6555 => "rfc6555",
            Self::Sequential => "sequential",
        }
    }
}

/// In words.
impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Own => "this connector",
            Self::Rfc6555 => "RFC 6555 client",
            Self::Sequential => "sequential client",
        })
    }
}

/// One client in one scenario.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DrillRun {
    /// What became of the packets.
    pub scenario: Scenario,
    /// Who connected.
    pub client: Client,
    /// How it ended.
    pub outcome: DrillOutcome,
    /// What of it was lost: the time until the winner started, and what that takes longer than the best address that the
    /// scenario spares. `None` unless connected.
    pub cost: Option<Duration>,
}

/// How a [`DrillRun`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DrillOutcome {
    /// Connected, TLS included.
    Connected {
        /// To this address.
        addr: SocketAddr,
        /// Within this time, DNS from the cache.
        after: Duration,
    },
    /// It gave up.
    Failed {
        /// Why.
        error: String,
        /// When.
        after: Duration,
    },
    /// It was still at it at [`DRILL_LIMIT`].
    CutOff,
}

/// Runs every client in every scenario that the families of the addresses give a sense to, all at once. `alone` are all
/// addresses, and when each is connected on its own.
pub(super) async fn drill(
    connector: &HappyEyeballsConnector,
    uri: &Uri,
    alone: &[(SocketAddr, Option<Duration>)],
) -> Vec<DrillRun> {
    let addrs = || alone.iter().map(|(addr, _)| addr);
    let both = addrs().any(SocketAddr::is_ipv4) && addrs().any(SocketAddr::is_ipv6);
    let scenarios = if both { &Scenario::WITH_BOTH_FAMILIES[..] } else { &Scenario::WITH_ONE_FAMILY };
    let runs = scenarios.iter().flat_map(|&scenario| Client::ALL.map(|client| (scenario, client)));
    join_all(runs.map(|(scenario, client)| run(connector, uri, scenario, client, alone))).await
}

async fn run(
    connector: &HappyEyeballsConnector,
    uri: &Uri,
    scenario: Scenario,
    client: Client,
    alone: &[(SocketAddr, Option<Duration>)],
) -> DrillRun {
    let mut connector = connector.clone();
    let own = connector.config();
    let mut config = match client {
        Client::Own => own.clone(),
        Client::Rfc6555 => own.with_strategy_of(Config::rfc6555()),
        Client::Sequential => own.with_strategy_of(Config::sequential()),
    };
    // All have the time of the drill.
    config.connect_timeout(None);
    connector.set_config(config);
    connector.set_history(History::new());
    let start = Instant::now();
    let raced = timeout(DRILL_LIMIT, connector.race(uri, |dialer| Drilled { dialer, scenario })).await;
    let after = start.elapsed();
    let (outcome, cost) = match raced {
        Ok(Ok((_, report))) => connected(&report, scenario, alone),
        Ok(Err(error)) => (DrillOutcome::Failed { error: chain(&error), after }, None),
        Err(_) => (DrillOutcome::CutOff, None),
    };
    DrillRun { scenario, client, outcome, cost }
}

/// What a race took that was won, and what of it was lost: the time until the winner started, and what it takes longer than
/// the best address that the scenario spares. For that both were measured alone, as much goes on at once here.
fn connected(
    report: &Report,
    scenario: Scenario,
    alone: &[(SocketAddr, Option<Duration>)],
) -> (DrillOutcome, Option<Duration>) {
    let after = report.elapsed();
    let Some(winner) = report.winner() else {
        return (DrillOutcome::Failed { error: "no winner".into(), after }, None);
    };
    let best = alone.iter().filter(|(addr, _)| scenario.spares(addr.ip())).filter_map(|(_, time)| *time).min();
    let own = alone.iter().find(|(addr, _)| *addr == winner.addr()).and_then(|(_, time)| *time);
    let longer = own.zip(best).map_or(Duration::ZERO, |(own, best)| own.saturating_sub(best));
    (DrillOutcome::Connected { addr: winner.addr(), after }, Some(winner.start() + longer))
}

/// Dials, but not where the scenario says that nothing gets through.
struct Drilled {
    dialer: Dialer,
    scenario: Scenario,
}

impl Dial for Drilled {
    type Tcp = TcpStream;
    type Stream = Transport;

    fn probe(&self, addrs: Vec<SocketAddr>) -> Vec<Probed> {
        self.dialer.probe(addrs)
    }

    fn tcp(
        &self,
        addr: SocketAddr,
    ) -> impl Future<Output = Result<(TcpStream, Option<Duration>), Failure>> + Send + 'static {
        let tcp = self.dialer.tcp(addr);
        let fate = self.scenario.fate(addr.ip().to_canonical());
        async move {
            match fate {
                Fate::Real => tcp.await,
                Fate::Silent => pending().await,
                Fate::Refused => {
                    Err(Failure::new(FailureKind::Refused, io::Error::from(io::ErrorKind::ConnectionRefused)))
                }
            }
        }
    }

    fn tls(
        &self,
        tcp: TcpStream,
        ech: Option<Arc<[u8]>>,
    ) -> impl Future<Output = Result<Transport, Failure>> + Send + 'static {
        self.dialer.tls(tcp, ech)
    }

    fn plain(&self, tcp: TcpStream) -> Transport {
        self.dialer.plain(tcp)
    }
}
