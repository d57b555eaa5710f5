//! The invariants of the design over random worlds. The referee of every scene checks most of them output by output;
//! what only shows at the end of a race is checked here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::notation::{failure, ms, own_source};
use super::scene::Scene;
use super::setup::Setup;
use super::world::{
    Behaviour, Content, NAMES, PER_FAMILY, Reply, SEARCHED, World, numbered, play, settings, step, time,
};
use crate::address_policy::{AddressPolicy, Verdict};
use crate::config::{Config, Pacing};
use crate::nat64::Nat64;
use crate::race::{AttemptId, EchUse, Family, FamilySet, Input, Known, Outcome, Probed, QueryId, Rtt};
use crate::report::FailureKind::{self, Certificate, Closed, EchRejected, Local, Refused, TimedOut, Tls, Unreachable};
use crate::resolve::{Answer, Kinds, Names, QueryKind, ResolveError, ResolveErrorKind, ServiceRecord};

const CAP_PER_FAMILY: usize = 16;

proptest! {
    #![proptest_config(settings(3000))]

    /// Proves: ATT-2, ATT-10, ATT-14
    #[test]
    fn every_race_keeps_the_invariants(world in world(), rules in rules()) {
        let mut scene = rules.scene();
        play(&mut scene, &world);

        let mut again = rules.scene();
        play(&mut again, &world);
        prop_assert_eq!(scene.log(), again.log(), "equal inputs give equal outputs");
        prop_assert_eq!(format!("{:?}", scene.report()), format!("{:?}", again.report()));

        match scene.outcome {
            None => prop_assert!(rules.connect_timeout.is_none() && world.has_silence(), "it ends if all else does"),
            Some(Outcome::Won(_) | Outcome::Upgrade | Outcome::Withheld | Outcome::WithoutEch) => {}
            Some(Outcome::Failed) => rules.all_has_been_tried(&scene, &world)?,
            Some(Outcome::TimedOut) => rules.time_has_been_used(&scene, &world)?,
        }
    }

    /// A driver that mixes everything up: what it says about ids that exist never panics.
    #[test]
    fn nonsense_never_panics(rules in rules(), inputs in vec((time(), nonsense()), 0..60)) {
        let mut scene = rules.scene();
        let mut now = 0;
        for (after, input) in inputs {
            now += after;
            scene.at(now);
            if let Some(input) = input.input(&scene) {
                scene.input(input);
            }
        }
        while let Some(wait) = scene.wait() {
            scene.at(wait);
        }
        drop(scene.report());
    }
}

/// The settings and the environment of a random race.
#[derive(Clone, Debug)]
struct Rules {
    names: usize,
    uri: &'static str,
    kinds: Kinds,
    https: bool,
    waits_for_https: bool,
    protected: bool,
    tls: bool,
    race_tls: bool,
    ask: FamilySet,
    dial: FamilySet,
    preferred: Family,
    pacing: Pacing,
    resolution_delay: Duration,
    preferred_family_count: usize,
    attempt_delays: [Duration; 3],
    max_concurrent_attempts: usize,
    connect_timeout: Option<u64>,
    timeouts: [Option<Duration>; 3],
    /// Which addresses have no route, and which are denied, by number.
    routeless: BTreeSet<usize>,
    denied: BTreeSet<usize>,
    /// What earlier races have learned, by number: a round-trip time in milliseconds, and whether it leads nowhere.
    known: BTreeMap<usize, (Option<u64>, bool)>,
    use_history: bool,
    nat64: Nat64,
    /// Whether ECH is required, where it can be had.
    ech: Option<bool>,
    /// How long a permit takes, where attempts need one.
    permits_after: Option<u64>,
}

impl Rules {
    fn scene(&self) -> Scene {
        Scene::with(|setup| self.set_up(setup))
    }

    fn set_up(&self, setup: &mut Setup) {
        setup.uri = self.uri.into();
        let environment = &mut setup.environment;
        environment.names = Names::Ask(NAMES[..self.names].iter().map(|name| (*name).into()).collect());
        environment.kinds = self.kinds;
        environment.https = self.https;
        environment.waits_for_https = self.waits_for_https;
        environment.protected = self.protected;
        environment.ask = self.ask;
        environment.dial = self.dial;
        environment.preferred = self.preferred;
        environment.tls = self.tls;
        setup.known.extend(self.known.iter().map(|(number, (rtt, unreachable))| {
            let rtt = rtt.map(|rtt| Rtt { smoothed: ms(rtt), variation: ms(rtt) / 2 });
            (numbered(*number), Known { rtt, unreachable: *unreachable })
        }));
        let ech = |required| EchUse { is_usable: |configs| configs != b"unknown", required };
        setup.environment.ech = self.ech.map(ech);
        setup.environment.bounded = self.permits_after.is_some();
        setup.permits_after = self.permits_after.unwrap_or_default();
        setup.environment.recalls = self.use_history && !self.known.is_empty();
        setup.config.use_history(self.use_history).nat64(self.nat64.clone());
        let denied: BTreeSet<_> = self.denied.iter().map(|number| numbered(*number).ip()).collect();
        let [attempt_delay, min, max] = self.attempt_delays;
        let [dns, tls, attempt] = self.timeouts;
        setup
            .config
            .pacing(self.pacing)
            .resolution_delay(self.resolution_delay)
            .preferred_family_count(self.preferred_family_count)
            .attempt_delay(attempt_delay)
            .min_attempt_delay(min)
            .max_attempt_delay(max)
            .max_concurrent_attempts(self.max_concurrent_attempts)
            .race_tls(self.race_tls)
            .connect_timeout(self.connect_timeout.map(ms))
            .dns_timeout(dns)
            .tls_timeout(tls)
            .attempt_timeout(attempt)
            .address_policy(AddressPolicy::new(move |_, addr| match denied.contains(&addr.ip()) {
                true => Verdict::deny("denied"),
                false => Verdict::Allow,
            }));
        setup.routeless = self.routeless.iter().map(|number| format!("{} ", numbered(*number).ip())).collect();
    }

    /// Whether TCP alone ends the race.
    fn has_committed(&self, scene: &Scene) -> bool {
        self.tls && !self.race_tls && !scene.handshakes.is_empty()
    }

    /// A race fails only when every endpoint that it was told of had its turn.
    fn all_has_been_tried(&self, scene: &Scene, world: &World) -> Result<(), TestCaseError> {
        // What was to come in the last instant may have come too late.
        let Some(before) = scene.now().checked_sub(1) else { return Ok(()) };
        let left = self.unstarted(scene, world, before);
        let full = counted(scene) >= 32;
        // It may forbid to fall back to the origin.
        let full = full || self.tls && self.ech.is_some();
        prop_assert!(left.is_empty() || full || self.has_committed(scene), "{left:?} had no turn: {:?}", scene.log());
        Ok(())
    }

    /// When the time runs out, what had no turn yet is waiting for a timer that runs: nobody was forgotten.
    fn time_has_been_used(&self, scene: &Scene, world: &World) -> Result<(), TestCaseError> {
        let unbounded = self.permits_after.is_none() && self.max_concurrent_attempts >= 32;
        let paced_by_time = self.pacing == Pacing::Staggered && unbounded;
        let falls_back = !self.tls || self.ech.is_none();
        if !paced_by_time || !falls_back || self.has_committed(scene) || counted(scene) >= 32 {
            return Ok(());
        }
        let mut config = Config::default();
        config.min_attempt_delay(self.attempt_delays[1]).max_attempt_delay(self.attempt_delays[2]);
        let longest = config.clamped_max_attempt_delay().max(self.resolution_delay);
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        let Some(before) = scene.now().checked_sub(longest.saturating_add(1)) else { return Ok(()) };
        let report = scene.report();
        let mut started = report.attempts().iter().filter(|it| scene.attempts.contains(&it.addr()));
        if started.all(|it| it.start() <= ms(before)) {
            let left = self.unstarted(scene, world, before);
            prop_assert!(left.is_empty(), "{left:?} had no turn since {before}: {:?}", scene.log());
        }
        Ok(())
    }

    /// The endpoints of the origin that the race knew of at `time` and has not started until its end: wherever records
    /// lead, these come last.
    fn unstarted(&self, scene: &Scene, world: &World, time: u64) -> Vec<SocketAddr> {
        let report = scene.report();
        let mut left = Vec::new();
        // Answers for the names before it had not led anywhere.
        let name =
            report.queries().iter().rev().map(|query| query.name()).find(|name| NAMES[..SEARCHED].contains(name));
        for query in report.queries().iter().filter(|query| Some(query.name()) == name) {
            let asked = u64::try_from(query.start().as_millis()).unwrap();
            let replies = world.replies.iter().filter(|it| it.kind == query.kind() && NAMES[it.name] == query.name());
            // A later answer replaces an earlier one, so what counts has to stand in every one since then.
            let addresses =
                |reply: &Reply| self.usable(reply.result.as_ref().map_or(&[][..], |content| content.addresses()));
            let known = replies.clone().filter(|it| asked + it.after <= time).max_by_key(|it| it.after);
            let later = replies.filter(|it| (time + 1..=scene.now()).contains(&(asked + it.after)));
            let later: Vec<_> = later.map(addresses).collect();
            let known = known.map(addresses).unwrap_or_default();
            left.extend(known.into_iter().filter(|number| later.iter().all(|answer| answer.contains(number))));
        }
        let mut left: Vec<_> = left.into_iter().map(|number| scene.at_origin(numbered(number))).collect();
        left.retain(|addr| !scene.attempts.contains(addr));
        left
    }

    fn usable(&self, numbers: &[usize]) -> Vec<usize> {
        let mut usable = Vec::new();
        for number in numbers {
            let family = |number: usize| if number < PER_FAMILY { Family::V6 } else { Family::V4 };
            let of_family = usable.iter().filter(|it| family(**it) == family(*number)).count();
            let allowed = !self.denied.contains(number) && self.dial.contains(family(*number));
            if allowed && of_family < CAP_PER_FAMILY && !usable.contains(number) {
                usable.push(*number);
            }
        }
        usable
    }
}

fn counted(scene: &Scene) -> usize {
    let local = |outcome: &_| matches!(outcome, crate::report::AttemptOutcome::Failed(it) if it.kind() == Local);
    scene.report().attempts().iter().filter(|it| it.tcp().is_some() || !local(it.outcome())).count()
}

impl World {
    /// Whether some query or attempt may never end by itself.
    fn has_silence(&self) -> bool {
        let kinds = [QueryKind::A, QueryKind::Aaaa, QueryKind::Https, QueryKind::Addresses];
        let answered = |name: usize, kind| self.replies.iter().any(|it| it.name == name && it.kind == kind);
        let silent_query = (0..NAMES.len()).any(|name| kinds.iter().any(|kind| !answered(name, *kind)));
        silent_query || self.addresses.iter().any(|it| it.tcp.is_silent() || it.tls.is_silent())
    }
}

fn world() -> impl Strategy<Value = World> {
    let behaviour = (
        step(&[Local, Refused, Refused, Unreachable, TimedOut]),
        option::of(0..2000u64),
        step(&[Closed, Certificate, Tls, Local, EchRejected]),
    )
        .prop_map(|(tcp, rtt, tls)| Behaviour { tcp, rtt, tls });
    (vec(reply(), 0..14), vec(behaviour, 7)).prop_map(|(replies, addresses)| World { replies, addresses })
}

fn reply() -> impl Strategy<Value = Reply> {
    let kinds = vec![QueryKind::Aaaa, QueryKind::A, QueryKind::Addresses, QueryKind::Https];
    let name = prop_oneof![3 => Just(0), 1 => 0..NAMES.len()];
    let content = (numbers(), vec(record(), 0..5));
    (name, proptest::sample::select(kinds), time(), content, option::weighted(0.4, negative())).prop_map(
        |(name, kind, after, (numbers, records), negative)| {
            let result = match (negative, kind) {
                (Some(kind), _) => Err(kind),
                (None, QueryKind::Https) => Ok(Content::Services(records)),
                (None, _) => Ok(Content::Addresses(numbers)),
            };
            Reply { name, kind, after, result }
        },
    )
}

/// Of few priorities, names and ports, so that they meet; some cannot be used.
fn record() -> impl Strategy<Value = ServiceRecord> {
    let target = proptest::sample::select(vec![".", NAMES[0], "s.test", "t.test"]);
    let hints = vec(0..2 * PER_FAMILY, 0..4);
    let alpn = option::of(proptest::sample::select(vec!["h2", "h3"]));
    let port = proptest::sample::select(vec![None, None, Some(443), Some(8443), Some(25)]);
    let ech = proptest::sample::select(vec![None, Some("one"), Some("two"), Some("unknown")]);
    let parameters = (hints, alpn, port, ech, any::<bool>());
    (0..4u16, target, parameters).prop_map(|(priority, target, (hints, alpn, port, ech, bare))| {
        let mut record = ServiceRecord::new(priority, target);
        record = record.with_hints(hints.into_iter().map(|number| numbered(number).ip()));
        record = alpn.into_iter().fold(record, |record, alpn| record.with_alpn([alpn]));
        record = port.into_iter().fold(record, ServiceRecord::with_port);
        record = ech.into_iter().fold(record, |record, ech| record.with_ech(ech.as_bytes()));
        if bare { record.without_default_alpn() } else { record }
    })
}

/// A few addresses, or more than the caps let through; of both families whatever the query is.
fn numbers() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        3 => vec(0..3usize, 0..4),
        3 => vec(PER_FAMILY..PER_FAMILY + 3, 0..4),
        2 => vec(0..2 * PER_FAMILY, 0..6),
        1 => vec(0..2 * PER_FAMILY, 20..80),
    ]
}

fn negative() -> impl Strategy<Value = ResolveErrorKind> {
    use ResolveErrorKind::{NoData, NxDomain, Other, Refused, ServFail, Timeout};
    proptest::sample::select(vec![NxDomain, NxDomain, NoData, NoData, ServFail, Refused, Timeout, Other])
}

fn family_set() -> impl Strategy<Value = FamilySet> {
    prop_oneof![
        4 => Just(FamilySet::BOTH),
        1 => Just(FamilySet { v4: true, v6: false }),
        1 => Just(FamilySet { v4: false, v6: true }),
    ]
}

fn delay() -> impl Strategy<Value = Duration> {
    prop_oneof![8 => time().prop_map(ms), 1 => Just(Duration::MAX)]
}

fn rules() -> impl Strategy<Value = Rules> {
    let pacing = prop_oneof![
        4 => Just(Pacing::Staggered),
        1 => Just(Pacing::Sequential),
        2 => delay().prop_map(|delay| Pacing::Rfc6555 { delay }),
    ];
    let environment = (
        prop_oneof![2 => Just(1), 1 => 1..=SEARCHED],
        prop_oneof![4 => Just(Kinds::PerType), 1 => Just(Kinds::Addresses), 1 => Just(Kinds::AddressesAndHttps)],
        any::<[bool; 6]>(),
        proptest::sample::select(vec!["https://a.test/", "https://a.test/", "https://a.test:8443/", "http://a.test/"]),
        family_set(),
        family_set(),
    );
    let pace = (
        pacing,
        prop_oneof![Just(ms(50)), delay()],
        proptest::sample::select(vec![1, 1, 2, 3, usize::MAX]),
        (prop_oneof![Just(ms(250)), delay()], delay(), delay()),
        prop_oneof![Just(100), 1..5usize],
    );
    let bounds = (
        option::weighted(0.8, (0..10_000u64).prop_map(|timeout| timeout / 10 * 10)),
        (option::of(delay()), option::of(delay()), option::weighted(0.2, delay())),
        proptest::collection::btree_set(0..2 * PER_FAMILY, 0..6),
        proptest::collection::btree_set(0..2 * PER_FAMILY, 0..6),
        proptest::collection::btree_map(0..2 * PER_FAMILY, (option::of(0..3000u64), any::<bool>()), 0..8),
        any::<bool>(),
        proptest::sample::select(vec![
            Nat64::Off,
            Nat64::Discover,
            Nat64::Prefixes(["2001:db8:64::/96", "64:ff9b::/96"].map(|prefix| prefix.parse().unwrap()).into()),
        ]),
        (option::of(any::<bool>()), option::weighted(0.3, time())),
    );
    (environment, pace, bounds).prop_map(|(environment, pace, bounds)| {
        let (names, kinds, flags, uri, ask, dial) = environment;
        let [https, waits_for_https, protected, tls, race_tls, prefers_v4] = flags;
        let (pacing, resolution_delay, preferred_family_count, attempt_delays, max_concurrent_attempts) = pace;
        let (connect_timeout, timeouts, routeless, denied, known, use_history, nat64, (ech, permits_after)) = bounds;
        let preferred = if prefers_v4 { Family::V4 } else { Family::V6 };
        Rules {
            names,
            uri,
            kinds,
            https,
            waits_for_https: waits_for_https || protected,
            protected,
            tls,
            race_tls,
            ask,
            dial,
            preferred,
            pacing,
            resolution_delay,
            preferred_family_count,
            attempt_delays: attempt_delays.into(),
            max_concurrent_attempts,
            connect_timeout,
            timeouts: timeouts.into(),
            routeless,
            denied,
            known,
            use_history,
            nat64,
            ech,
            permits_after,
        }
    })
}

/// An input about something that exists, however little sense it makes.
#[derive(Clone, Debug)]
enum Nonsense {
    Answer(usize, Result<Vec<usize>, ResolveErrorKind>),
    Probed(Vec<(usize, bool)>),
    Progress(usize, Option<Duration>),
    Succeeded(usize),
    Failed(usize, FailureKind),
    Permitted,
}

fn nonsense() -> impl Strategy<Value = Nonsense> {
    let failures = vec![Local, Refused, Certificate, TimedOut, EchRejected];
    prop_oneof![
        4 => (any::<usize>(), numbers()).prop_map(|(id, numbers)| Nonsense::Answer(id, Ok(numbers))),
        2 => (any::<usize>(), negative()).prop_map(|(id, kind)| Nonsense::Answer(id, Err(kind))),
        1 => vec((0..2 * PER_FAMILY, any::<bool>()), 0..5).prop_map(Nonsense::Probed),
        2 => (any::<usize>(), option::of(delay())).prop_map(|(id, rtt)| Nonsense::Progress(id, rtt)),
        1 => any::<usize>().prop_map(Nonsense::Succeeded),
        4 => (any::<usize>(), proptest::sample::select(failures)).prop_map(|(id, kind)| Nonsense::Failed(id, kind)),
        1 => Just(Nonsense::Permitted),
    ]
}

impl Nonsense {
    fn input(self, scene: &Scene) -> Option<Input> {
        let query = |id: usize| id.checked_rem(scene.queries.len()).map(QueryId);
        let attempt = |id: usize| id.checked_rem(scene.attempts.len()).map(AttemptId);
        Some(match self {
            Self::Answer(id, Ok(numbers)) => {
                let answer = Answer::from_socket_addrs(numbers.into_iter().map(numbered));
                Input::Answer { id: query(id)?, result: Ok(answer) }
            }
            Self::Answer(id, Err(kind)) => Input::Answer { id: query(id)?, result: Err(ResolveError::new(kind, "")) },
            Self::Probed(probed) => {
                let probed = probed.into_iter().map(|(number, routed)| {
                    let addr = scene.at_origin(numbered(number));
                    Probed { addr, source: routed.then(|| own_source(addr)), known: Known::default() }
                });
                Input::Probed(probed.collect())
            }
            Self::Progress(id, rtt) => Input::Progress { id: attempt(id)?, rtt },
            Self::Succeeded(id) => Input::Succeeded { id: attempt(id)? },
            Self::Permitted => Input::Permitted,
            Self::Failed(id, kind) => Input::Failed { id: attempt(id)?, failure: failure(kind) },
        })
    }
}
