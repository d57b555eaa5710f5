//! A network that is a script: every path answers at a time of its own, and every socket is counted.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::config::Config;
use crate::connector::driver;
use crate::connector::permits::Permits;
use crate::dial::Dial;
use crate::error::Error;
use crate::history::History;
use crate::origin::Origin;
use crate::race::{Environment, Known, Probed, Race, Source};
use crate::report::{Failure, FailureKind, Report};
use crate::resolve::{
    Answer, Kinds, Lookups, Names, QueryKind, Resolve, ResolveError, ResolveErrorKind, Resolving, ServiceRecord,
};

/// `6a` is 2001:db8::1, `4b` is 192.0.2.2.
pub(super) fn addr(name: &str) -> SocketAddr {
    let low = name.as_bytes()[1] - b'a' + 1;
    match name.as_bytes()[0] {
        b'6' => SocketAddr::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, low.into()].into(), 443),
        _ => SocketAddr::new([192, 0, 2, low].into(), 443),
    }
}

/// When something happens, in milliseconds; `NEVER` hangs.
pub(super) const NEVER: u64 = u64::MAX;

async fn after(ms: u64) {
    match ms {
        NEVER => pending().await,
        0 => {}
        ms => sleep(Duration::from_millis(ms)).await,
    }
}

#[derive(Clone)]
pub(super) enum Reply {
    Addresses(&'static str),
    Services(Vec<ServiceRecord>),
    Error(ResolveErrorKind),
    Panic,
}

#[derive(Clone, Copy)]
pub(super) enum Step {
    Ok,
    Fail(FailureKind),
}

#[derive(Clone, Copy)]
struct Path {
    tcp: (u64, Step),
    tls: (u64, Step),
}

#[derive(Clone)]
pub(super) struct World {
    replies: HashMap<QueryKind, (u64, Reply)>,
    paths: HashMap<SocketAddr, Path>,
    pub(super) tls: bool,
    pub(super) config: Config,
    pub(super) history: Option<History>,
    /// How many attempts may be in flight.
    pub(super) bound: Option<Arc<Semaphore>>,
    pub(super) log: Log,
}

/// What the dialer was told, and how many of its sockets are open.
#[derive(Clone, Default)]
pub(super) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    open: Arc<AtomicUsize>,
    start: Arc<Mutex<Option<Instant>>>,
}

impl Log {
    fn push(&self, text: String) {
        let start = *self.start.lock().unwrap().get_or_insert_with(Instant::now);
        self.lines.lock().unwrap().push(format!("{} {text}", start.elapsed().as_millis()));
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub(super) fn open_sockets(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            replies: HashMap::new(),
            paths: HashMap::new(),
            tls: true,
            config: Config::default(),
            history: None,
            bound: None,
            log: Log::default(),
        }
    }

    pub(super) fn aaaa(self, ms: u64, addresses: &'static str) -> Self {
        self.reply(QueryKind::Aaaa, ms, Reply::Addresses(addresses))
    }

    pub(super) fn a(self, ms: u64, addresses: &'static str) -> Self {
        self.reply(QueryKind::A, ms, Reply::Addresses(addresses))
    }

    pub(super) fn https(self, ms: u64, record: ServiceRecord) -> Self {
        self.reply(QueryKind::Https, ms, Reply::Services(vec![record]))
    }

    pub(super) fn reply(mut self, kind: QueryKind, ms: u64, reply: Reply) -> Self {
        self.replies.insert(kind, (ms, reply));
        self
    }

    /// TCP after `tcp` ms, TLS after `tls` more.
    pub(super) fn good(self, name: &str, tcp: u64, tls: u64) -> Self {
        self.path(name, (tcp, Step::Ok), (tls, Step::Ok))
    }

    pub(super) fn silent(self, name: &str) -> Self {
        self.path(name, (NEVER, Step::Ok), (NEVER, Step::Ok))
    }

    pub(super) fn path(mut self, name: &str, tcp: (u64, Step), tls: (u64, Step)) -> Self {
        self.paths.insert(addr(name), Path { tcp, tls });
        self
    }

    pub(super) fn plain(mut self) -> Self {
        self.tls = false;
        self
    }

    pub(super) fn with_history(mut self, history: &History) -> Self {
        self.history = Some(history.clone());
        self
    }

    pub(super) fn bounded(mut self, count: usize) -> Self {
        self.bound = Some(Arc::new(Semaphore::new(count)));
        self
    }

    pub(super) async fn connect(self) -> Result<(Socket, Arc<Report>), Error> {
        let lookups = Lookups::new(Arc::new(self.clone()));
        self.connect_through(&lookups).await
    }

    pub(super) async fn connect_through(self, lookups: &Lookups) -> Result<(Socket, Arc<Report>), Error> {
        self.log.start.lock().unwrap().get_or_insert_with(Instant::now);
        let origin = Origin::from_uri(&"https://host.test".parse().unwrap()).unwrap();
        let names = Names::Ask(vec!["host.test.".into()]);
        let https = self.replies.contains_key(&QueryKind::Https);
        let bounded = self.bound.is_some();
        let recalls = self.history.as_ref().is_some_and(|history| !history.is_empty());
        let environment = Environment { https, tls: self.tls, recalls, bounded, ..Environment::dual_stack(names) };
        let race = Box::new(Race::new(origin, environment, self.config.clone(), driver::now()));
        let history = self.history.as_ref().map(|history| |_: &Origin| history.session("".into(), "host.test".into()));
        let permits = self.bound.as_ref().map(Permits::new);
        driver::drive(race, lookups, history, permits, &self).await
    }
}

impl Resolve for World {
    fn kinds(&self) -> Kinds {
        Kinds::PerFamily
    }

    fn resolve(&self, _: &str, kind: QueryKind) -> Resolving {
        let (ms, reply) = self.replies.get(&kind).cloned().unwrap_or((NEVER, Reply::Addresses("")));
        Box::pin(async move {
            after(ms).await;
            match reply {
                Reply::Addresses(names) => Ok(Answer::from_ips(names.split_whitespace().map(|name| addr(name).ip()))),
                Reply::Services(records) => Ok(Answer::from_services(records)),
                Reply::Error(kind) => Err(ResolveError::new(kind, "scripted")),
                Reply::Panic => panic!("scripted panic of a resolver"),
            }
        })
    }
}

/// A socket of the script. It tells the log when it goes.
pub(super) struct Socket {
    pub(super) addr: SocketAddr,
    log: Log,
    /// Whether the peer has been sent anything after TCP.
    hello: bool,
}

impl Socket {
    fn open(addr: SocketAddr, log: &Log) -> Self {
        log.open.fetch_add(1, Ordering::SeqCst);
        log.push(format!("syn {}", short(addr)));
        Self { addr, log: log.clone(), hello: false }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.log.open.fetch_sub(1, Ordering::SeqCst);
        let state = if self.hello { "after hello" } else { "unused" };
        self.log.push(format!("close {} {state}", short(self.addr)));
    }
}

fn short(addr: SocketAddr) -> String {
    match addr.ip() {
        IpAddr::V6(ip) => format!("6{}", char::from(b'a' + ip.octets()[15] - 1)),
        IpAddr::V4(ip) => format!("4{}", char::from(b'a' + ip.octets()[3] - 1)),
    }
}

/// A source that leaves the order of answers alone: global, of the destination's label and /64.
fn own_address(to: SocketAddr) -> IpAddr {
    addr(if to.is_ipv6() { "6z" } else { "4z" }).ip()
}

fn fail(kind: FailureKind) -> Failure {
    Failure::new(kind, io::Error::other("scripted"))
}

impl Dial for World {
    type Tcp = Socket;
    type Stream = Socket;

    fn probe(&self, addrs: Vec<SocketAddr>) -> Vec<Probed> {
        let own = |addr| Some(Source { ip: own_address(addr), deprecated: false, prefix_len: Some(64) });
        addrs.into_iter().map(|addr| Probed { addr, source: own(addr), known: Known::default() }).collect()
    }

    fn tcp(
        &self,
        addr: SocketAddr,
    ) -> impl Future<Output = Result<(Socket, Option<Duration>), Failure>> + Send + 'static {
        let (ms, step) = self.paths[&addr].tcp;
        let log = self.log.clone();
        async move {
            let socket = Socket::open(addr, &log);
            after(ms).await;
            match step {
                Step::Ok => Ok((socket, Some(Duration::from_millis(ms)))),
                Step::Fail(kind) => Err(fail(kind)),
            }
        }
    }

    fn tls(
        &self,
        mut tcp: Socket,
        _: Option<Arc<[u8]>>,
    ) -> impl Future<Output = Result<Socket, Failure>> + Send + 'static {
        let (ms, step) = self.paths[&tcp.addr].tls;
        async move {
            tcp.hello = true;
            after(ms).await;
            match step {
                Step::Ok => Ok(tcp),
                Step::Fail(kind) => Err(fail(kind)),
            }
        }
    }

    fn plain(&self, tcp: Socket) -> Socket {
        tcp
    }
}
