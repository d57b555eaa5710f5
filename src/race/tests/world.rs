//! Worlds: what the resolver says and when, and how every address behaves. A scene is played in one.

use std::env;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, RngSeed};

use super::notation::{failure, ms};
use super::scene::Scene;
use crate::race::{AttemptId, Input, QueryId};
use crate::report::FailureKind;
use crate::resolve::{Answer, QueryKind, ResolveError, ResolveErrorKind, ServiceRecord};

/// The names that a world answers for: a search list, and names that records lead to.
pub(super) const NAMES: [&str; 6] = ["a.test", "b.test", "c.test", "_8443._https.a.test", "s.test", "t.test"];
/// How many of them are a search list.
pub(super) const SEARCHED: usize = 3;
/// Addresses of each family that a world has.
pub(super) const PER_FAMILY: usize = 24;

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) replies: Vec<Reply>,
    /// The behaviours of the addresses; there are more addresses than these, so they repeat.
    pub(super) addresses: Vec<Behaviour>,
}

/// What comes of the query of `kind` for the name with that number.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) name: usize,
    pub(super) kind: QueryKind,
    pub(super) after: u64,
    pub(super) result: Result<Content, ResolveErrorKind>,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// By number.
    Addresses(Vec<usize>),
    Services(Vec<ServiceRecord>),
}

impl Content {
    pub(super) fn addresses(&self) -> &[usize] {
        match self {
            Self::Addresses(numbers) => numbers,
            Self::Services(_) => &[],
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Behaviour {
    pub(super) tcp: Step,
    pub(super) rtt: Option<u64>,
    pub(super) tls: Step,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Up(u64),
    Fails(u64, FailureKind),
    Silent,
}

/// The address with that number, IPv6 first, then IPv4.
pub(super) fn numbered(number: usize) -> SocketAddr {
    let low = (number % PER_FAMILY) as u8 + 1;
    match number < PER_FAMILY {
        true => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(low)], 0)),
        false => SocketAddr::from(([198, 18, 0, low], 0)),
    }
}

fn number(addr: SocketAddr) -> usize {
    match addr.ip() {
        IpAddr::V6(ip) => usize::from(ip.segments()[7]) - 1,
        IpAddr::V4(ip) => PER_FAMILY + usize::from(ip.octets()[3]) - 1,
    }
}

/// Plays `scene` until its race is over, or until nothing will happen any more. At equal times inputs come before
/// timers, answers before attempts before permits, and each kind in the order of its ids.
pub(super) fn play(scene: &mut Scene, world: &World) {
    let mut due: Vec<((u64, u8, usize), Input)> = Vec::new();
    let (mut asked, mut started, mut shaken, mut permitted) = (0, 0, 0, 0);
    while scene.outcome.is_none() {
        let now = scene.now();
        for (id, (of, kind)) in scene.queries.iter().enumerate().skip(asked) {
            let replies = world.replies.iter().filter(|it| it.kind == *kind && NAMES[it.name] == &**of);
            due.extend(replies.map(|reply| ((now + reply.after, 0, id), reply.input(QueryId(id)))));
        }
        for (id, at) in scene.attempts.iter().enumerate().skip(started) {
            let behaviour = world.behaviour(*at);
            let up = Input::Progress { id: AttemptId(id), rtt: behaviour.rtt.map(ms) };
            due.extend(behaviour.tcp.input(up, id).map(|(after, input)| ((now + after, 1, id), input)));
        }
        for id in &scene.handshakes[shaken..] {
            let tls = world.behaviour(scene.attempts[id.0]).tls;
            let up = Input::Succeeded { id: *id };
            due.extend(tls.input(up, id.0).map(|(after, input)| ((now + after, 1, id.0), input)));
        }
        due.extend((permitted..scene.permits).map(|id| ((now + scene.permits_after, 2, id), Input::Permitted)));
        (asked, started, shaken) = (scene.queries.len(), scene.attempts.len(), scene.handshakes.len());
        permitted = scene.permits;
        let next = due.iter().enumerate().min_by_key(|(_, (at, _))| *at).map(|(index, ((time, ..), _))| (*time, index));
        match (next, scene.wait()) {
            (Some((time, index)), wait) if wait.is_none_or(|wait| time <= wait) => {
                let (_, input) = due.remove(index);
                scene.before(time).input(input);
            }
            (_, Some(wait)) => _ = scene.at(wait),
            (_, None) => return,
        }
    }
}

impl World {
    fn behaviour(&self, at: SocketAddr) -> Behaviour {
        self.addresses[number(at) % self.addresses.len()]
    }
}

impl Reply {
    fn input(&self, id: QueryId) -> Input {
        let result = match &self.result {
            Ok(Content::Addresses(numbers)) => {
                Ok(Answer::from_socket_addrs(numbers.iter().map(|number| numbered(*number))))
            }
            Ok(Content::Services(records)) => Ok(Answer::from_services(records.iter().cloned())),
            Err(kind) => Err(ResolveError::new(*kind, "by the world")),
        };
        Input::Answer { id, result }
    }
}

impl Step {
    fn input(self, up: Input, id: usize) -> Option<(u64, Input)> {
        match self {
            Self::Up(after) => Some((after, up)),
            Self::Fails(after, kind) => Some((after, Input::Failed { id: AttemptId(id), failure: failure(kind) })),
            Self::Silent => None,
        }
    }

    pub(super) fn is_silent(self) -> bool {
        matches!(self, Self::Silent)
    }
}

/// The same worlds in every run, and the same bytes elsewhere, so that no build fails by chance. `PROPTEST_CASES` asks for
/// so many of each kind instead, and `PROPTEST_RNG_SEED` for others.
pub(crate) fn settings(cases: u32) -> ProptestConfig {
    fn wanted<T: FromStr>(variable: &str) -> Option<T> {
        let value = env::var(variable).ok()?;
        Some(value.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {value}")))
    }
    let cases = wanted("PROPTEST_CASES").unwrap_or(cases);
    let seed = wanted("PROPTEST_RNG_SEED").unwrap_or(8305);
    // Shown when the test fails.
    println!("PROPTEST_CASES={cases} PROPTEST_RNG_SEED={seed}");
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        // The default generator costs more than the race in a debug build.
        rng_algorithm: RngAlgorithm::XorShift,
        failure_persistence: None,
        max_shrink_time: 5000,
        ..ProptestConfig::default()
    }
}

/// Short times, often equal ones, and long ones.
pub(super) fn time() -> impl Strategy<Value = u64> {
    prop_oneof![0..12u64, 0..60u64, (0..12u64).prop_map(|tens| tens * 50), 0..3000u64]
}

pub(super) fn step(failures: &'static [FailureKind]) -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => time().prop_map(Step::Up),
        3 => (time(), proptest::sample::select(failures)).prop_map(|(after, kind)| Step::Fails(after, kind)),
        2 => Just(Step::Silent),
    ]
}
