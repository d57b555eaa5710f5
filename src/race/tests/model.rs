//! A model of the race, written from the design alone: it looks at every millisecond and asks what is true then. It
//! shares no code with the race and predicts each start and the end exactly.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::notation::ms;
use super::scene::Scene;
use super::world::{Behaviour, Content, NAMES, PER_FAMILY, Reply, Step, World, play, settings};
use crate::nat64::Nat64;
use crate::report::FailureKind::{Local, Refused};
use crate::resolve::{Names, QueryKind, ResolveErrorKind};

/// A world for the model: per-family answers, staggered starts. All times but round trips are at least 1 ms.
#[derive(Clone, Debug)]
struct Plain {
    /// When AAAA and A are answered, and how many addresses they bring; never, if `None`.
    answers: [Option<(u64, usize)>; 2],
    tls: bool,
    /// The addresses of each family behave like these, in order.
    addresses: Vec<Behaviour>,
    resolution_delay: u64,
    attempt_delay: u64,
    longest_delay: u64,
    dns_timeout: u64,
    connect_timeout: u64,
}

struct Model<'a> {
    world: &'a Plain,
    /// What AAAA and A have brought so far: `None` while unanswered.
    known: [Option<usize>; 2],
    first_address: Option<u64>,
    tries: Vec<Try>,
    end: Option<String>,
}

struct Try {
    family: usize,
    index: usize,
    start: u64,
    up: Option<u64>,
    ended: Option<End>,
}

#[derive(PartialEq)]
enum End {
    Failed,
    NothingSent,
}

impl Model<'_> {
    fn run(mut self) -> (String, String) {
        for now in 0.. {
            for family in 0..2 {
                if let Some((_, count)) = self.world.answers[family].filter(|(at, _)| *at == now) {
                    self.known[family] = Some(count);
                    self.first_address = self.first_address.or_else(|| (count > 0).then_some(now));
                    self.settle(now);
                }
            }
            for id in 0..self.tries.len() {
                if self.happens(id, now) {
                    self.settle(now);
                }
            }
            self.settle(now);
            if self.end.is_some() {
                break;
            }
        }
        let starts: Vec<_> = self.tries.iter().map(|it| format!("{} {}", it.start, it.name())).collect();
        (starts.join(", "), self.end.unwrap())
    }

    /// What comes of an attempt at `now`, if anything does.
    fn happens(&mut self, id: usize, now: u64) -> bool {
        let attempt = &mut self.tries[id];
        if attempt.ended.is_some() || self.end.is_some() {
            return false;
        }
        let behaviour = self.world.behaviour(attempt.family, attempt.index);
        let (from, step) = match attempt.up {
            None => (attempt.start, behaviour.tcp),
            Some(up) => (up, behaviour.tls),
        };
        match step {
            Step::Up(after) if from + after == now => match attempt.up {
                None if self.world.tls => attempt.up = Some(now),
                _ => self.end = Some(format!("{now} won {}", attempt.name())),
            },
            Step::Fails(after, kind) if from + after == now => {
                let unsent = kind == Local && attempt.up.is_none();
                attempt.ended = Some(if unsent { End::NothingSent } else { End::Failed });
            }
            _ => return false,
        }
        true
    }

    /// Does what is due.
    fn settle(&mut self, now: u64) {
        if self.end.is_some() {
            return;
        }
        if now >= self.world.connect_timeout {
            return self.end = Some(format!("{now} timed out"));
        }
        if now >= self.world.dns_timeout {
            self.known = self.known.map(|known| known.or(Some(0)));
        }
        let next = self.order().into_iter().find(|it| !self.tries.iter().any(|past| (past.family, past.index) == *it));
        match next {
            Some((family, index)) if self.turn() <= now => {
                self.tries.push(Try { family, index, start: now, up: None, ended: None });
            }
            None if self.known.iter().all(Option::is_some) && self.tries.iter().all(|it| it.ended.is_some()) => {
                self.end = Some(format!("{now} failed"));
            }
            _ => {}
        }
    }

    /// The families take turns, IPv6 first.
    fn order(&self) -> Vec<(usize, usize)> {
        let [v6, v4] = self.known.map(Option::unwrap_or_default);
        let turns = (0..v6.max(v4)).flat_map(|index| [(0, index), (1, index)]);
        turns.filter(|(family, index)| *index < [v6, v4][*family]).collect()
    }

    /// When the next endpoint has its turn.
    fn turn(&self) -> u64 {
        let mut sent = self.tries.iter().filter(|it| it.ended != Some(End::NothingSent));
        let Some(last) = sent.next_back() else {
            let first = self.first_address.unwrap();
            return if self.known[0].is_some() { first } else { first + self.world.resolution_delay };
        };
        let live: Vec<_> = self.tries.iter().filter(|it| it.ended.is_none()).collect();
        if last.ended.is_some() || live.is_empty() {
            return last.start + 10;
        }
        let mut turn = last.start + self.world.attempt_delay;
        for attempt in live {
            if let Some(up) = attempt.up {
                let rtt = self.world.behaviour(attempt.family, attempt.index).rtt.unwrap_or(100);
                let expected = up + (2 * rtt + 50).max(100);
                turn = turn.max(expected.min(last.start + self.world.longest_delay));
            }
        }
        turn
    }
}

impl Try {
    fn name(&self) -> String {
        format!("{}{}", ['6', '4'][self.family], char::from(b'a' + self.index as u8))
    }
}

impl Plain {
    fn behaviour(&self, family: usize, index: usize) -> Behaviour {
        self.addresses[(family * PER_FAMILY + index) % self.addresses.len()]
    }

    fn predict(&self) -> (String, String) {
        Model { world: self, known: [None, None], first_address: None, tries: Vec::new(), end: None }.run()
    }

    fn race(&self) -> (String, String) {
        let mut scene = Scene::with(|setup| {
            setup.environment.tls = self.tls;
            setup.environment.names = Names::Ask(vec![NAMES[0].into()]);
            setup
                .config
                .nat64(Nat64::Off)
                .resolution_delay(ms(self.resolution_delay))
                .attempt_delay(ms(self.attempt_delay))
                .max_attempt_delay(ms(self.longest_delay))
                .dns_timeout(Some(ms(self.dns_timeout)))
                .connect_timeout(Some(ms(self.connect_timeout)));
        });
        let replies = [QueryKind::Aaaa, QueryKind::A].into_iter().zip(self.answers).enumerate();
        let replies = replies.filter_map(|(family, (kind, answer))| {
            let (after, count) = answer?;
            let first = family * PER_FAMILY;
            let numbers: Vec<_> = (first..first + count).collect();
            let result = if count == 0 { Err(ResolveErrorKind::NxDomain) } else { Ok(Content::Addresses(numbers)) };
            Some(Reply { name: 0, kind, after, result })
        });
        play(&mut scene, &World { replies: replies.collect(), addresses: self.addresses.clone() });
        (scene.starts(), scene.log().last().unwrap().clone())
    }
}

fn plain() -> impl Strategy<Value = Plain> {
    let answer = || option::weighted(0.85, (1..200u64, 0..5usize));
    let after = || prop_oneof![1..12u64, 1..300u64];
    let tcp = prop_oneof![
        3 => after().prop_map(Step::Up),
        3 => after().prop_map(|after| Step::Fails(after, Refused)),
        1 => after().prop_map(|after| Step::Fails(after, Local)),
        3 => Just(Step::Silent),
    ];
    let tls = prop_oneof![
        1 => after().prop_map(Step::Up),
        3 => after().prop_map(|after| Step::Fails(after, Refused)),
        2 => Just(Step::Silent),
    ];
    let behaviour = (tcp, option::of(0..400u64), tls).prop_map(|(tcp, rtt, tls)| Behaviour { tcp, rtt, tls });
    let delays = (0..120u64, 100..350u64, 350..900u64, 20..400u64, 100..2500u64);
    ([answer(), answer()], any::<bool>(), vec(behaviour, 11), delays).prop_map(|(answers, tls, addresses, delays)| {
        let (resolution_delay, attempt_delay, longest_delay, dns_timeout, connect_timeout) = delays;
        Plain { answers, tls, addresses, resolution_delay, attempt_delay, longest_delay, dns_timeout, connect_timeout }
    })
}

proptest! {
    #![proptest_config(settings(1500))]

    /// Proves: ATT-1, ATT-7, ATT-8, ATT-13, TRG-2, TRG-5, TRG-10, TLS-3, CHG-3, ILV-1
    #[test]
    fn the_race_does_what_the_model_predicts(plain in plain()) {
        prop_assert_eq!(plain.race(), plain.predict());
    }
}
