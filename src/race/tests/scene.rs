//! A scene: one race, a clock that only the test moves, and a log of what the race wanted.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::notation::{addr, failure, list, own_source, records};
use super::setup::{HOST, Setup};
use crate::origin::Origin;
use crate::race::{AttemptId, Input, Known, Lesson, Outcome, Output, Probed, QueryId, Source, Watched};
use crate::report::{EchRejection, Failure, FailureKind, Report};
use crate::resolve::{Answer, QueryKind, ResolveError, ResolveErrorKind};

pub(super) struct Scene {
    race: Watched,
    base: Instant,
    now: u64,
    wait: Option<u64>,
    port: u16,
    sources: Vec<(SocketAddr, Option<Source>)>,
    known: Vec<(SocketAddr, Known)>,
    /// What the race has learned: `"6a silent"`.
    pub(super) lessons: Vec<String>,
    log: Vec<(u64, String)>,
    seen: usize,
    /// What the race asked and started, in order: the ids count from 0.
    pub(super) queries: Vec<(Arc<str>, QueryKind)>,
    pub(super) attempts: Vec<SocketAddr>,
    /// What the race wanted to know of the machine: `"6a 4a"` for each question.
    pub(super) probes: Vec<String>,
    /// The attempts on which TLS was started.
    pub(super) handshakes: Vec<AttemptId>,
    /// How many permits it has asked for, and how long each takes in a world.
    pub(super) permits: usize,
    pub(super) permits_after: u64,
    pub(super) outcome: Option<Outcome>,
}

impl Scene {
    /// `http://host.test/`, at 0 ms, drained once.
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    /// `https://host.test/`: an attempt is TCP and then TLS.
    pub(super) fn https() -> Self {
        Self::with(|setup| {
            setup.https();
        })
    }

    /// `https://host.test/` and its HTTPS records; an attempt is TCP alone. The queries are out.
    pub(super) fn with_records() -> Self {
        let mut scene = Self::with(|setup| {
            setup.records();
        });
        scene.expect("query HTTPS, query AAAA, query A");
        scene
    }

    /// A race over these addresses, from the first millisecond.
    pub(super) fn over(names: &str) -> Self {
        Self::with(|setup| {
            setup.fixed(names);
        })
    }

    pub(super) fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup::new();
        change(&mut setup);
        let origin = Origin::from_uri(&setup.uri.parse().unwrap()).unwrap();
        let base = Instant::now();
        let mut scene = Self {
            port: origin.port(),
            race: Watched::new(origin, setup.environment, setup.config, base),
            base,
            now: 0,
            wait: None,
            sources: Vec::new(),
            known: Vec::new(),
            lessons: Vec::new(),
            log: Vec::new(),
            seen: 0,
            queries: Vec::new(),
            attempts: Vec::new(),
            probes: Vec::new(),
            handshakes: Vec::new(),
            permits: 0,
            permits_after: setup.permits_after,
            outcome: None,
        };
        let routeless = setup.routeless.split_whitespace().map(|name| (scene.endpoint(name), None));
        let sources = setup.sources.iter().map(|(to, from)| (scene.endpoint(to), Some(*from)));
        scene.sources = routeless.chain(sources).collect();
        scene.known = setup.known.iter().map(|(addr, known)| (scene.at_port(*addr), *known)).collect();
        scene.drain();
        scene
    }

    // The clock.

    /// Moves on to `time`; what the race wants until then, and at that time, is logged.
    pub(super) fn at(&mut self, time: u64) -> &mut Self {
        self.before(time);
        self.drain();
        self
    }

    /// Moves on to `time` without a look at what is due then: an input comes first.
    pub(super) fn before(&mut self, time: u64) -> &mut Self {
        assert!(time >= self.now, "time goes forward");
        while let Some(wake) = self.wait.filter(|wake| *wake < time) {
            self.now = wake;
            self.drain();
        }
        self.now = time;
        self
    }

    /// Nothing happens before `time`; moves on to it.
    pub(super) fn expect_idle_until(&mut self, time: u64) -> &mut Self {
        self.expect("").at(time - 1).expect("").at(time)
    }

    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// When the race wants to be polled again at the latest.
    pub(super) fn wait(&self) -> Option<u64> {
        self.wait
    }

    fn instant(&self) -> Instant {
        self.base + Duration::from_millis(self.now)
    }

    // What happens to the race.

    pub(super) fn input(&mut self, input: Input) -> &mut Self {
        self.race.input(input, self.instant());
        self.drain();
        self
    }

    pub(super) fn answer(&mut self, kind: QueryKind, names: &str) -> &mut Self {
        self.reply(kind, Ok(Answer::from_socket_addrs(list(names))))
    }

    pub(super) fn nodata(&mut self, kind: QueryKind) -> &mut Self {
        self.dns_fails(kind, ResolveErrorKind::NoData)
    }

    pub(super) fn nxdomain(&mut self, kind: QueryKind) -> &mut Self {
        self.dns_fails(kind, ResolveErrorKind::NxDomain)
    }

    pub(super) fn servfail(&mut self, kind: QueryKind) -> &mut Self {
        self.dns_fails(kind, ResolveErrorKind::ServFail)
    }

    pub(super) fn dns_fails(&mut self, kind: QueryKind, error: ResolveErrorKind) -> &mut Self {
        self.reply(kind, Err(ResolveError::new(error, format!("{error:?}"))))
    }

    /// Answers the last query of that kind.
    pub(super) fn reply(&mut self, kind: QueryKind, result: Result<Answer, ResolveError>) -> &mut Self {
        let id = self.queries.iter().rposition(|(_, asked)| *asked == kind).expect("it was asked");
        self.input(Input::Answer { id: QueryId(self.race.unasked() + id), result })
    }

    /// Answers the query of that kind for `name`.
    pub(super) fn reply_of(&mut self, name: &str, kind: QueryKind, result: Result<Answer, ResolveError>) -> &mut Self {
        let is_it = |(asked, its): &(Arc<str>, QueryKind)| **asked == *name && *its == kind;
        let id = self.queries.iter().position(is_it).unwrap_or_else(|| panic!("{kind} of {name} was not asked"));
        self.input(Input::Answer { id: QueryId(self.race.unasked() + id), result })
    }

    /// Answers the query for the addresses of `name`.
    pub(super) fn answer_of(&mut self, name: &str, kind: QueryKind, names: &str) -> &mut Self {
        self.reply_of(name, kind, Ok(Answer::from_socket_addrs(list(names))))
    }

    /// Says that `name` has no such records.
    pub(super) fn nodata_of(&mut self, name: &str, kind: QueryKind) -> &mut Self {
        self.reply_of(name, kind, Err(ResolveError::new(ResolveErrorKind::NoData, "NoData")))
    }

    /// Answers the last HTTPS query with these [records](record), separated by semicolons.
    pub(super) fn services(&mut self, text: &str) -> &mut Self {
        self.reply(QueryKind::Https, Ok(Answer::from_services(records(text))))
    }

    pub(super) fn permit(&mut self) -> &mut Self {
        self.input(Input::Permitted)
    }

    pub(super) fn tcp(&mut self, name: &str) -> &mut Self {
        let id = self.id(name);
        self.input(Input::Progress { id, rtt: None })
    }

    /// TCP is up, and its handshake took `rtt` milliseconds.
    pub(super) fn tcp_rtt(&mut self, name: &str, rtt: u64) -> &mut Self {
        let id = self.id(name);
        self.input(Input::Progress { id, rtt: Some(Duration::from_millis(rtt)) })
    }

    pub(super) fn tls(&mut self, name: &str) -> &mut Self {
        let id = self.id(name);
        self.input(Input::Succeeded { id })
    }

    pub(super) fn fail(&mut self, name: &str, kind: FailureKind) -> &mut Self {
        let id = self.id(name);
        self.input(Input::Failed { id, failure: failure(kind) })
    }

    /// The server rejects ECH, and gives these configurations to try again.
    pub(super) fn reject(&mut self, name: &str, retry_configs: Option<&str>) -> &mut Self {
        let id = self.id(name);
        let rejection = EchRejection { retry_configs: retry_configs.map(|configs| configs.as_bytes().into()) };
        self.input(Input::Failed { id, failure: Failure::new(FailureKind::EchRejected, rejection) })
    }

    /// Nothing could be sent: there is no route.
    pub(super) fn no_route(&mut self, name: &str) -> &mut Self {
        self.fail(name, FailureKind::Local)
    }

    fn id(&self, name: &str) -> AttemptId {
        let addr = self.endpoint(name);
        AttemptId(self.attempts.iter().rposition(|it| *it == addr).unwrap_or_else(|| panic!("{name} has not started")))
    }

    // What the race does.

    /// What happened since the last look, all of it at the present time: `"query AAAA, query A"`.
    pub(super) fn expect(&mut self, events: &str) -> &mut Self {
        let fresh = &self.log[self.seen..];
        let stale = fresh.iter().find(|(at, _)| *at != self.now);
        assert!(stale.is_none(), "at {}: nobody looked at {:?}", self.now, stale);
        let told: Vec<_> = fresh.iter().map(|(_, event)| event.as_str()).collect();
        assert_eq!(told.join(", "), events, "at {} ms", self.now);
        self.seen = self.log.len();
        self
    }

    pub(super) fn expect_start(&mut self, name: &str) -> &mut Self {
        self.expect(&format!("start {name}"))
    }

    /// All that happened: `["0 query AAAA", "30 start 6a"]`.
    pub(super) fn expect_log<const N: usize>(&mut self, events: [&str; N]) -> &mut Self {
        assert_eq!(self.log(), events);
        self.seen = self.log.len();
        self
    }

    pub(super) fn log(&self) -> Vec<String> {
        self.log.iter().map(|(at, event)| format!("{at} {event}")).collect()
    }

    /// All starts: `"0 6a, 250 4a"`.
    pub(super) fn starts(&self) -> String {
        let mut text = String::new();
        for (at, event) in &self.log {
            if let Some(name) = event.strip_prefix("start ") {
                let comma = if text.is_empty() { "" } else { ", " };
                write!(text, "{comma}{at} {name}").unwrap();
            }
        }
        text
    }

    pub(super) fn report(&self) -> Report {
        self.race.report(self.instant())
    }

    fn drain(&mut self) {
        let now = self.instant();
        loop {
            let event = match self.race.poll(now) {
                Output::Query { name, kind, .. } => {
                    let event = if *name == *HOST { format!("query {kind}") } else { format!("query {kind} {name}") };
                    self.queries.push((name, kind));
                    event
                }
                Output::Probe { addrs } => {
                    let names: Vec<_> = addrs.iter().map(|addr| self.name(*addr)).collect();
                    self.probes.push(names.join(" "));
                    let probed = addrs.into_iter().map(|addr| {
                        let source = self.sources.iter().find(|(to, _)| *to == addr);
                        let known = self.known.iter().find(|(to, _)| *to == addr);
                        Probed {
                            addr,
                            source: source.map_or_else(|| Some(own_source(addr)), |(_, source)| *source),
                            known: known.map_or_else(Known::default, |(_, known)| *known),
                        }
                    });
                    let probed = probed.collect();
                    self.race.input(Input::Probed(probed), now);
                    continue;
                }
                Output::Permit => {
                    self.permits += 1;
                    "permit".to_owned()
                }
                Output::Attempt { addr, .. } => {
                    self.attempts.push(addr);
                    format!("start {}", self.name(addr))
                }
                Output::Handshake { id, ech } => {
                    self.handshakes.push(id);
                    let by = ech.map(|configs| format!(" by {}", String::from_utf8_lossy(&configs)));
                    format!("handshake {}{}", self.name(self.attempts[id.0]), by.unwrap_or_default())
                }
                Output::Cancel { id } => format!("cancel {}", self.name(self.attempts[id.0])),
                Output::Learned { addr, lesson } => {
                    let lesson = match lesson {
                        Lesson::Reached { rtt: None } => "reached".into(),
                        Lesson::Reached { rtt: Some(rtt) } => format!("reached in {}", rtt.as_millis()),
                        Lesson::Silent => "silent".into(),
                        Lesson::Unreachable => "unreachable".into(),
                    };
                    self.lessons.push(format!("{} {lesson}", self.name(addr)));
                    continue;
                }
                Output::Wait(until) => {
                    self.wait = until.map(|until| u64::try_from((until - self.base).as_millis()).unwrap_or(u64::MAX));
                    return;
                }
                Output::Done(outcome) => {
                    self.wait = None;
                    if self.outcome.replace(outcome).is_some() {
                        return;
                    }
                    match outcome {
                        Outcome::Won(id) => format!("won {}", self.name(self.attempts[id.0])),
                        Outcome::Failed => "failed".to_owned(),
                        Outcome::TimedOut => "timed out".to_owned(),
                        Outcome::Upgrade => "upgrade".to_owned(),
                        Outcome::Withheld => "withheld".to_owned(),
                        Outcome::WithoutEch => "without ech".to_owned(),
                    }
                }
            };
            self.log.push((self.now, event));
        }
    }

    // Names.

    /// `addr` at the port of the origin.
    pub(super) fn at_origin(&self, mut addr: SocketAddr) -> SocketAddr {
        addr.set_port(self.port);
        addr
    }

    /// The endpoint of `name`, at the origin's port if it names none.
    pub(super) fn endpoint(&self, name: &str) -> SocketAddr {
        self.at_port(addr(name))
    }

    fn at_port(&self, addr: SocketAddr) -> SocketAddr {
        if addr.port() == 0 { self.at_origin(addr) } else { addr }
    }

    pub(super) fn name(&self, addr: SocketAddr) -> String {
        let (family, number) = match addr {
            SocketAddr::V6(it) if it.ip().segments()[..7] == [0x2001, 0xdb8, 0, 0, 0, 0, 0] && it.scope_id() == 0 => {
                ("6", it.ip().segments()[7])
            }
            SocketAddr::V4(it) if it.ip().octets()[..2] == [198, 18] => {
                let [_, _, high, low] = it.ip().octets();
                ("4", u16::from_be_bytes([high, low]))
            }
            _ => return addr.to_string(),
        };
        let label = match number {
            1..=26 => char::from(b'a' - 1 + number as u8).to_string(),
            _ => format!("#{number}"),
        };
        if addr.port() == self.port { format!("{family}{label}") } else { format!("{family}{label}:{}", addr.port()) }
    }
}
