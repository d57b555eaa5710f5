//! A race that is played on a clock of its own, before the referee of the crate's tests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper_happy_eyeballs::__internal::{
    AttemptId, Environment, Input, Known, Output, Probed, QueryId, Source, Watched,
};
use hyper_happy_eyeballs::resolve::{Kinds, Names, QueryKind};
use hyper_happy_eyeballs::{Config, Origin};

/// Far more wakes than a race has timers: a start and three timeouts each for 32 attempts, one timeout a query.
const MAX_WAKES: usize = 1000;

/// A race, and what it has asked for.
pub struct Player {
    race: Watched,
    now: Instant,
    wait: Option<Instant>,
    /// In order.
    pub queries: Vec<(QueryId, Arc<str>, QueryKind)>,
    /// In order.
    pub attempts: Vec<AttemptId>,
    /// Whether it waits for a permit.
    pub wants_permit: bool,
    /// Whether the race is over.
    pub is_over: bool,
}

impl Player {
    /// Starts a race.
    pub fn new(origin: Origin, environment: Environment, config: Config) -> Self {
        let now = Instant::now();
        let race = Watched::new(origin, environment, config, now);
        let (queries, attempts) = (Vec::new(), Vec::new());
        let mut player = Self { race, now, wait: None, queries, attempts, wants_permit: false, is_over: false };
        player.drain();
        player
    }

    /// Something happens.
    pub fn input(&mut self, input: Input) {
        self.race.input(input, self.now);
        self.drain();
    }

    /// Gives the permit that it waits for.
    pub fn permit(&mut self) {
        self.wants_permit = false;
        self.input(Input::Permitted);
    }

    /// Moves on by `time`.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.wait.filter(|wait| *wait < end) {
            self.wake(due);
        }
        self.wake(end);
    }

    /// Moves on until only an input could change anything, and draws what has happened.
    pub fn rest(&mut self) {
        for _ in 0..MAX_WAKES {
            if self.wants_permit && !self.is_over {
                self.permit();
            }
            let Some(due) = self.wait else {
                self.race.report(self.now).to_string();
                return;
            };
            self.wake(due);
        }
        panic!("it never comes to rest");
    }

    fn wake(&mut self, now: Instant) {
        self.now = now;
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.race.poll(self.now) {
                Output::Query { id, name, kind } => self.queries.push((id, name, kind)),
                Output::Probe { addrs } => {
                    self.race.input(Input::Probed(addrs.into_iter().map(probed).collect()), self.now);
                }
                Output::Permit => self.wants_permit = true,
                Output::Attempt { id, .. } => self.attempts.push(id),
                Output::Handshake { .. } | Output::Cancel { .. } | Output::Learned { .. } => {}
                Output::Wait(until) => {
                    self.wait = until;
                    return;
                }
                Output::Done(_) => {
                    (self.wait, self.is_over) = (None, true);
                    return;
                }
            }
        }
    }
}

/// A host with both families, whose resolver answers each type on its own.
pub fn environment(names: Names) -> Environment {
    Environment { kinds: Kinds::PerType, https: true, tls: true, ..Environment::dual_stack(names) }
}

/// What this host knows of an address: of some that there is no route.
fn probed(addr: SocketAddr) -> Probed {
    let (ip, is_routed) = match addr.ip() {
        IpAddr::V4(ip) => (Ipv4Addr::new(198, 18, 255, 255).into(), ip.octets()[3] % 4 != 3),
        IpAddr::V6(ip) => (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xffff).into(), ip.octets()[15] % 4 != 3),
    };
    let source = is_routed.then_some(Source { ip, deprecated: false, prefix_len: Some(64) });
    Probed { addr, source, known: Known::default() }
}
