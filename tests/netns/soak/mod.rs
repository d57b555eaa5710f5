//! Hundreds of random worlds, and one question: if there was a way, was it found, and in time?
//!
//! A [`World`](world::World) comes from a seed. It says what becomes of each query (late answers, truncated ones, lost
//! packets, SERVFAIL, REFUSED, NXDOMAIN, silence), of each address (delay, loss, silence, RST, ICMP errors, paths that
//! come up or go down), and whether an address or a route of this host comes or goes in the middle of the race.
//!
//! # The oracle
//!
//! A model of the connector, written from the design alone, plays each world [before](oracle::Verdict) the connector
//! does. It knows the rules (Resolution Delay, families in turn, attempt delay, the next at once after a failure, the
//! times after which a SYN or a query is sent again) but not how late a machine is. Where a packet and a timer fall close
//! together, that decides what happens: so the model plays each world a hundred times, with every event late by a random
//! time, mostly hardly any and sometimes up to 30 ms. What it comes to is all that may happen:
//!
//! - which addresses may be connected, each with the earliest and the latest time,
//! - whether the connect may fail, when, and which addresses it has to name: those that each such run knew of.
//!
//! The connector has to do one of these things, no earlier than the earliest and no later than the latest time, but for
//! a [tolerance](TOLERANCE). A world with an address that answers whenever it is asked has to be connected, whatever the
//! model says ([`World::is_certain`](world::World::is_certain)).
//!
//! # Running it
//!
//! ```text
//! cargo test --test netns soak -- --ignored --nocapture
//! ```
//!
//! `HAPPY_EYEBALLS_SOAK_SEED` and `HAPPY_EYEBALLS_SOAK_WORLDS` choose other worlds. World after world has the next seed, and
//! a failure prints its own. A world in which the [machine stood still](crate::standstill) is played again if it fails.

mod oracle;
mod stage;
mod world;

use std::env;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;

use crate::namespace::{give_way, go_first, in_namespace_within};
use crate::network::TOLERANCE;
use oracle::{Verdict, Window};
use stage::{Played, Stage};
use world::World;

/// As many at once as do not disturb each other: most wait most of the time.
const AT_ONCE: usize = 24;
/// How often a world is played if the machine stands still each time.
const MOST_TIMES: usize = 5;

/// Proves: ATT-1, ATT-7, CHG-6, DNS-6, ILV-1, TRG-2, TRG-5, TRG-10
#[test]
#[ignore = "takes a quarter of a minute: three hundred worlds"]
fn whatever_the_world_is_like_a_way_that_is_there_is_found_in_time() {
    let count = from_environment("HAPPY_EYEBALLS_SOAK_WORLDS").unwrap_or(320);
    let first = from_environment("HAPPY_EYEBALLS_SOAK_SEED").unwrap_or(8305);
    let limit = Duration::from_secs(30 + count);
    in_namespace_within(limit, || async move {
        let start = Instant::now();
        // It takes a second of one CPU; the kernel would stop a real-time process for that.
        give_way();
        let cases: Vec<_> = (first..first + count).map(Case::new).collect();
        go_first();
        println!("the oracle spoke after {:.1?}", start.elapsed());
        let stage = Stage::start();
        let results = stream::iter(&cases).map(|case| case.play(&stage)).buffer_unordered(AT_ONCE);
        let results: Vec<_> = results.collect().await;

        let again: usize = results.iter().map(|result| result.times - 1).sum();
        println!("{count} worlds from seed {first} in {:.1?}, {again} times played again", start.elapsed());
        summarize(&cases, &results);
        let failures: Vec<_> = results.iter().filter_map(|result| result.failure.as_deref()).collect();
        assert!(failures.is_empty(), "{} failures:\n\n{}", failures.len(), failures.join("\n\n"));
    });
}

fn from_environment(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

fn summarize(cases: &[Case], results: &[Judged]) {
    let clear = cases.iter().filter(|case| case.verdict.is_clear()).count();
    let connected = results.iter().filter(|result| result.is_connected).count();
    println!("{connected} connected, {} failed; of {clear} only one end was possible", results.len() - connected);
    let mut room: Vec<_> = results.iter().filter_map(|result| result.room).collect();
    room.sort();
    if let (Some(least), Some(median)) = (room.first(), room.get(room.len() / 2)) {
        println!("time left before the latest time: {least:.1?} (least), {median:.1?} (median)");
    }
}

/// A world and what has to become of it.
struct Case {
    seed: u64,
    world: World,
    verdict: Verdict,
}

struct Judged {
    times: usize,
    is_connected: bool,
    /// The time that was left before the latest one.
    room: Option<Duration>,
    failure: Option<String>,
}

impl Case {
    fn new(seed: u64) -> Self {
        let world = World::from_seed(seed);
        let verdict = Verdict::of(&world, seed);
        assert!(!world.is_certain() || verdict.failed.is_none(), "the model fails where an address answers: {world:?}");
        Self { seed, world, verdict }
    }

    async fn play(&self, stage: &Stage) -> Judged {
        let mut times = 1;
        loop {
            let played = stage.play(&self.world).await;
            let judgement = self.judge(&played);
            if let Err(error) = &judgement
                && played.is_disturbed
                && times < MOST_TIMES
            {
                times += 1;
                println!(
                    "the machine stood still, and seed {} is played again: {error} {:.1?}",
                    self.seed, played.took
                );
                continue;
            }
            let (room, failure) = match judgement {
                Ok(room) => (Some(room), None),
                Err(error) => (None, Some(self.describe(&played, &error))),
            };
            return Judged { times, is_connected: played.result.is_ok(), room, failure };
        }
    }

    /// The time that is left before the latest one, or what is wrong.
    fn judge(&self, played: &Played) -> Result<Duration, String> {
        let window = match &played.result {
            Ok(_) => {
                let winner = played.winner().ok_or("connected to none of its addresses")?;
                *self.verdict.connected.get(&winner).ok_or_else(|| format!("connected to {winner:?}"))?
            }
            Err(error) => {
                let (window, named) = self.verdict.failed.as_ref().ok_or("failed")?;
                let text = error.to_string();
                let missing: Vec<_> = named.iter().filter(|place| !played.is_named(**place, &text)).collect();
                if !missing.is_empty() {
                    return Err(format!("the error does not name {missing:?}"));
                }
                *window
            }
        };
        window.room(played.took)
    }

    fn describe(&self, played: &Played, wrong: &str) -> String {
        let Self { seed, world, verdict } = self;
        let told = match &played.result {
            Ok(stream) => stream.report().to_string(),
            Err(error) => error.to_string(),
        };
        format!(
            "HAPPY_EYEBALLS_SOAK_SEED={seed} HAPPY_EYEBALLS_SOAK_WORLDS=1: {wrong} after {:.1?}\n\
             {world:?}\nallowed: {verdict:?}\n{:?}\n{told}",
            played.took, played.addresses
        )
    }
}

impl Window {
    fn room(self, took: Duration) -> Result<Duration, String> {
        let latest = Duration::from_millis(self.to) + TOLERANCE;
        if took + TOLERANCE < Duration::from_millis(self.from) {
            return Err(format!("too early for {self:?}:"));
        }
        latest.checked_sub(took).ok_or_else(|| format!("too late for {self:?}:"))
    }
}
