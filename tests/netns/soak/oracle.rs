//! What has to become of a connect in a world.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use proptest::prelude::*;
use proptest::test_runner::TestRng;

use super::world::{Change, Family, Lookup, LookupFate, Place, Site, What, World, runner};

// What the connector is set to, by default if not in this test.
const RESOLUTION_DELAY: u64 = 50;
const ATTEMPT_DELAY: u64 = 250;
const MIN_START_GAP: u64 = 10;
pub(crate) const DNS_TIMEOUT: u64 = 1500;
pub(crate) const CONNECT_TIMEOUT: u64 = 4000;
/// When hickory sends a query again.
const DNS_RESENT: u64 = 333;

/// When the kernel sends a SYN again: since Linux 6.5 four times each second, before that later and later.
const RESENT: [&[u64]; 2] = [&[1000, 2000, 3000, 4000], &[1000, 3000, 7000]];
/// The kernel's own timers are late by as much, the farther the more.
const RESENT_LATE: u64 = 70;

/// How long the kernel may take over a change of addresses and routes.
pub(crate) const CHANGE_LATE: u64 = 60;

/// How often the model is asked, and where several things may happen, how often to know the times of each.
const RUNS: usize = 100;
const RUNS_IF_UNCLEAR: usize = 1000;

/// All that may become of a connect.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// The address and when it may be connected.
    pub(crate) connected: BTreeMap<Place, Window>,
    /// When it may fail, and the addresses that the error has to name.
    pub(crate) failed: Option<(Window, BTreeSet<Place>)>,
}

/// The earliest and the latest time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Verdict {
    pub(crate) fn of(world: &World, seed: u64) -> Self {
        let mut runner = runner(seed);
        let mut verdict = Self::default();
        for run in 0..RUNS_IF_UNCLEAR {
            if run == RUNS && verdict.is_clear() {
                break;
            }
            verdict.add(Model::new(world, runner.rng(), run == 0).run());
        }
        verdict
    }

    /// Whether there is but one thing that may become of it.
    pub(crate) fn is_clear(&self) -> bool {
        self.connected.len() + usize::from(self.failed.is_some()) == 1
    }

    fn add(&mut self, end: End) {
        match end {
            End::Connected(place, at) => {
                self.connected.entry(place).or_insert(Window { from: at, to: at }).extend(at);
            }
            End::Failed(known, at) => {
                let (window, named) = self.failed.get_or_insert_with(|| (Window { from: at, to: at }, known.clone()));
                window.extend(at);
                named.retain(|place| known.contains(place));
            }
        }
    }
}

impl Window {
    fn extend(&mut self, at: u64) {
        *self = Self { from: self.from.min(at), to: self.to.max(at) };
    }
}

enum End {
    Connected(Place, u64),
    /// With the addresses that were known.
    Failed(BTreeSet<Place>, u64),
}

/// One run of the connector as the design has it, on a machine that is late now and then.
struct Model<'a> {
    world: &'a World,
    rng: &'a mut TestRng,
    /// Whether it is never late.
    is_prompt: bool,
    /// What is to come, and when.
    events: BinaryHeap<Reverse<(u64, Event)>>,
    /// When the change comes about.
    changed: u64,
    https: Answer,
    aaaa: Answer,
    a: Answer,
    first_address: Option<u64>,
    /// Whether there was a route to an address when it was looked at.
    routed: BTreeMap<Place, bool>,
    tries: Vec<Try>,
    /// What the timer is set to.
    timer: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Answer(Kind),
    /// The time for the lookup is over.
    Expiry(Kind),
    Up(usize),
    Down(usize),
    Timer,
    ConnectTimeout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Https,
    Aaaa,
    A,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Open,
    Positive,
    Negative,
    NxDomain,
}

struct Try {
    place: Place,
    start: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    InFlight,
    Failed,
    /// It failed before a packet could leave.
    Unsent,
}

impl<'a> Model<'a> {
    fn new(world: &'a World, rng: &'a mut TestRng, is_prompt: bool) -> Self {
        let mut model = Self {
            world,
            rng,
            is_prompt,
            events: BinaryHeap::new(),
            changed: 0,
            https: Answer::Open,
            aaaa: Answer::Open,
            a: Answer::Open,
            first_address: None,
            routed: BTreeMap::new(),
            tries: Vec::new(),
            timer: None,
        };
        if let Some(change) = world.change {
            model.changed = change.at + if is_prompt { 0 } else { model.rng.random_range(0..=CHANGE_LATE) };
        }
        match world.https {
            Some(lookup) => model.ask(Kind::Https, lookup),
            None => model.https = Answer::Negative,
        }
        model.ask(Kind::Aaaa, world.aaaa);
        model.ask(Kind::A, world.a);
        model.expect(CONNECT_TIMEOUT, Event::ConnectTimeout);
        model
    }

    fn run(mut self) -> End {
        loop {
            let Reverse((now, event)) = self.events.pop().expect("at last the connect times out");
            match event {
                Event::Answer(kind) => *self.answer(kind) = self.content(kind),
                Event::Expiry(kind) => {
                    if *self.answer(kind) == Answer::Open {
                        *self.answer(kind) = Answer::Negative;
                    }
                }
                Event::Up(index) => return End::Connected(self.tries[index].place, now),
                Event::Down(index) => self.tries[index].state = State::Failed,
                Event::ConnectTimeout => return End::Failed(self.known(), now),
                Event::Timer => {}
            }
            if !self.goes_on(now) {
                return End::Failed(self.known(), now);
            }
        }
    }

    /// A time as it is on this machine.
    fn late(&mut self, time: u64) -> u64 {
        let by = match self.is_prompt {
            true => 0,
            false if self.rng.random_range(0..8) == 0 => self.rng.random_range(0..=30),
            false => self.rng.random_range(0..=3),
        };
        time + by
    }

    fn expect(&mut self, time: u64, event: Event) {
        let time = self.late(time);
        self.events.push(Reverse((time, event)));
    }

    // DNS.

    fn ask(&mut self, kind: Kind, Lookup { after, fate }: Lookup) {
        let after = match fate {
            LookupFate::Silent => None,
            LookupFate::AnsweredAgain => Some(DNS_RESENT + after),
            LookupFate::Truncated => Some(2 * after),
            _ => Some(after),
        };
        if let Some(after) = after {
            self.expect(after, Event::Answer(kind));
        }
        self.expect(DNS_TIMEOUT, Event::Expiry(kind));
    }

    fn answer(&mut self, kind: Kind) -> &mut Answer {
        match kind {
            Kind::Https => &mut self.https,
            Kind::Aaaa => &mut self.aaaa,
            Kind::A => &mut self.a,
        }
    }

    fn content(&self, kind: Kind) -> Answer {
        let (lookup, is_empty) = match kind {
            Kind::Https => (self.world.https, false),
            Kind::Aaaa => (Some(self.world.aaaa), self.world.v6.is_empty()),
            Kind::A => (Some(self.world.a), self.world.v4.is_empty()),
        };
        match lookup.map(|lookup| lookup.fate) {
            Some(LookupFate::Answered | LookupFate::AnsweredAgain | LookupFate::Truncated) if !is_empty => {
                Answer::Positive
            }
            Some(LookupFate::NxDomain) => Answer::NxDomain,
            _ => Answer::Negative,
        }
    }

    /// Whether HTTPS records may still come, as they can unless the name is said not to exist.
    fn https_is_open(&self) -> bool {
        let addresses = [self.aaaa, self.a];
        let is_nonexistent = addresses.contains(&Answer::NxDomain) && !addresses.contains(&Answer::Positive);
        self.https == Answer::Open && !is_nonexistent
    }

    fn known(&self) -> BTreeSet<Place> {
        let answers = [(Family::V6, self.aaaa), (Family::V4, self.a)];
        let positive = answers.into_iter().filter(|(_, answer)| *answer == Answer::Positive);
        positive.flat_map(|(family, _)| self.world.places_of(family)).collect()
    }

    // The race.

    /// Does what is due; false if there is nothing left to wait for.
    fn goes_on(&mut self, now: u64) -> bool {
        let known = self.known();
        if !known.is_empty() {
            self.first_address.get_or_insert(now);
        }
        while let Some(place) = self.next(&known, now) {
            let due = self.turn();
            if due > now {
                if self.timer.replace(due) != Some(due) {
                    self.expect(due, Event::Timer);
                }
                return true;
            }
            self.start(place, now);
        }
        let is_open = self.https_is_open() || self.aaaa == Answer::Open || self.a == Answer::Open;
        is_open || self.tries.iter().any(|it| it.state == State::InFlight)
    }

    /// What is to start next. One address alone has no order, and is not looked at.
    fn next(&mut self, known: &BTreeSet<Place>, now: u64) -> Option<Place> {
        if known.iter().all(|place| self.is_tried(*place)) {
            return None;
        }
        if known.len() > 1 {
            for place in known {
                let has_route = self.has_route(place.family, now);
                self.routed.entry(*place).or_insert(has_route);
            }
        }
        let is_routed = |place: &&Place| self.routed.get(place).copied().unwrap_or(true);
        // The families take turns, IPv6 first; what has no route goes last.
        let by_turn = |place: &&Place| (!is_routed(place), place.index, place.family);
        let mut places: Vec<_> = known.iter().collect();
        places.sort_by_key(by_turn);
        places.into_iter().find(|place| !self.is_tried(**place)).copied()
    }

    fn is_tried(&self, place: Place) -> bool {
        self.tries.iter().any(|it| it.place == place)
    }

    /// When the next one has its turn.
    fn turn(&self) -> u64 {
        let Some(last) = self.tries.iter().rfind(|it| it.state != State::Unsent) else {
            let first = self.first_address.expect("there is an address to start with");
            let is_enough = self.aaaa != Answer::Open && !self.https_is_open();
            return if is_enough { first } else { first + RESOLUTION_DELAY };
        };
        let none_in_flight = self.tries.iter().all(|it| it.state != State::InFlight);
        let delay = if none_in_flight || last.state == State::Failed { MIN_START_GAP } else { ATTEMPT_DELAY };
        last.start + delay
    }

    fn start(&mut self, place: Place, now: u64) {
        let index = self.tries.len();
        let state = match self.has_route(place.family, now) {
            true => State::InFlight,
            false => State::Unsent,
        };
        self.tries.push(Try { place, start: now, state });
        if state == State::InFlight
            && let Some((at, is_up)) = self.answer_to_syn(place, now)
        {
            self.expect(at, if is_up { Event::Up(index) } else { Event::Down(index) });
        }
    }

    // The network.

    fn has_route(&self, family: Family, now: u64) -> bool {
        match self.world.change_of(family).map(|change| change.what) {
            Some(What::RouteComes | What::AddressComes) => now >= self.changed,
            Some(What::RouteGoes) => now < self.changed,
            Some(What::AddressGoes) | None => true,
        }
    }

    /// When an answer comes to a first SYN that leaves at `start`, if one does, and whether TCP is up then.
    fn answer_to_syn(&mut self, place: Place, start: u64) -> Option<(u64, bool)> {
        let (at, is_up) = match self.world.site(place) {
            Site::Up { rtt } => (start + rtt, true),
            Site::LosesSyn { rtt } => (self.next_syn(start, start + 1) + rtt, true),
            Site::Silent => return None,
            Site::Refused { rtt } | Site::Unreachable { rtt } => (start + rtt, false),
            Site::DeadUntil { time, rtt } => {
                let time = self.late(time);
                (self.next_syn(start, time) + rtt, true)
            }
            Site::DeadFrom { time, rtt } => {
                if start >= self.late(time) {
                    return None;
                }
                (start + rtt, true)
            }
        };
        let goes = |change: &Change| matches!(change.what, What::RouteGoes | What::AddressGoes);
        let change = self.world.change_of(place.family).filter(goes);
        match change.filter(|_| start < self.changed && self.changed <= at).map(|change| change.what) {
            Some(What::AddressGoes) => None,
            // The kernel may have no use for the answer, or find that it cannot say a word to it.
            Some(_) => [None, Some((at, false)), Some((at, is_up))][self.rng.random_range(0..3)],
            None => Some((at, is_up)),
        }
    }

    /// The first SYN, of those of an attempt that starts at `start`, that leaves at `time` or later.
    fn next_syn(&mut self, start: u64, time: u64) -> u64 {
        if start >= time {
            return start;
        }
        let resent = RESENT[self.rng.random_range(0..RESENT.len())].iter().map(|after| start + after);
        let late = if self.is_prompt { 0 } else { self.rng.random_range(0..=RESENT_LATE) };
        resent.map(|at| at + late).find(|at| *at >= time).unwrap_or(u64::MAX / 2)
    }
}
