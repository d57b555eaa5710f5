//! Watches a race from outside and holds it to the invariants of the design after every single output.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::origin::{Host, Origin};
use crate::race::{AttemptId, Environment, Family, Input, Lesson, Outcome, Output, QueryId, Race, Rtt};
use crate::report::{AttemptOutcome, FailureKind, Report};
use crate::resolve::{Names, QueryKind, ResolveErrorKind};

/// A race that cannot break an invariant unseen.
pub struct Watched {
    race: Race,
    environment: Environment,
    config: Config,
    start: Instant,
    queries: Vec<Asked>,
    attempts: Vec<Seen>,
    /// The only attempt that may go on, where TLS is not part of the race.
    committed: Option<AttemptId>,
    permit: Permit,
    /// Whether an attempt was dropped in this drain although none of its own timeouts had run out.
    dropped_early: bool,
    done: Option<Outcome>,
    /// What the race waits for, until something happens.
    idle: Option<Wait>,
    /// Outputs since the last wait.
    outputs: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Permit {
    None,
    Asked,
    Given,
}
/// Until that time, or only for an input.
type Wait = Option<Instant>;

struct Asked {
    name: Arc<str>,
    kind: QueryKind,
    at: Instant,
    answered: bool,
    /// The name does not exist.
    nonexistent: bool,
    /// Whether it has brought HTTPS records.
    has_records: bool,
}

struct Seen {
    addr: SocketAddr,
    started: Instant,
    tcp: Option<Instant>,
    handshake: Option<Instant>,
    /// Whether that was with ECH.
    ech: bool,
    fate: Option<Fate>,
    taught: bool,
}

/// Nothing is nearer.
const NEAREST: Rtt = Rtt { smoothed: Duration::ZERO, variation: Duration::ZERO };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Won,
    Failed,
    /// The server rejected ECH.
    Rejected,
    /// It failed before a packet could leave: its slot is free again.
    NeverLeft,
    Cancelled,
    /// Dropped between TCP and TLS, where records may forbid the handshake.
    Misled,
    /// Dropped when its own timeout and something else may both have been the cause.
    Dropped,
}

impl Watched {
    /// As [`Race::new`].
    pub fn new(origin: Origin, environment: Environment, config: Config, now: Instant) -> Self {
        Self {
            race: Race::new(origin, environment.clone(), config.clone(), now),
            environment,
            config,
            start: now,
            queries: Vec::new(),
            attempts: Vec::new(),
            committed: None,
            permit: Permit::None,
            dropped_early: false,
            done: None,
            idle: None,
            outputs: 0,
        }
    }

    /// What has happened so far.
    pub fn report(&self, now: Instant) -> Report {
        self.race.report(now)
    }

    /// As [`Race::handle_input`].
    pub fn input(&mut self, input: Input, now: Instant) {
        self.idle = None;
        if self.done.is_none() {
            self.note(&input, now);
        }
        self.race.handle_input(input, now);
    }

    fn note(&mut self, input: &Input, now: Instant) {
        match *input {
            // The first query of a name with fixed addresses is never asked.
            Input::Answer { id, ref result } => {
                let nonexistent = matches!(result, Err(error) if error.kind() == ResolveErrorKind::NxDomain);
                let index = id.0.checked_sub(self.unasked());
                if let Some(asked) = index.and_then(|index| self.queries.get_mut(index)) {
                    (asked.answered, asked.nonexistent) = (true, nonexistent);
                    asked.has_records = matches!(result, Ok(answer) if !answer.services.is_empty());
                }
            }
            Input::Progress { id, .. } => {
                // Protected answers may hold it back.
                let wins = !self.environment.tls && !self.environment.protected;
                if let Some(seen) = self.in_flight(id).filter(|seen| seen.tcp.is_none()) {
                    seen.tcp = Some(now);
                    seen.fate = wins.then_some(Fate::Won);
                }
            }
            Input::Succeeded { id } => {
                if let Some(seen) = self.in_flight(id) {
                    seen.fate = Some(Fate::Won);
                }
            }
            Input::Failed { id, ref failure } => {
                if let Some(seen) = self.in_flight(id) {
                    seen.fate = Some(match failure.kind() {
                        FailureKind::Local if seen.tcp.is_none() => Fate::NeverLeft,
                        FailureKind::EchRejected if seen.ech => Fate::Rejected,
                        _ => Fate::Failed,
                    });
                }
            }
            Input::Permitted if self.permit == Permit::Asked => self.permit = Permit::Given,
            Input::Permitted | Input::Probed(_) => {}
        }
    }

    /// The queries whose answer was at hand: the first one of a name with fixed addresses.
    pub(super) fn unasked(&self) -> usize {
        let is_name = matches!(self.race.origin().host(), Host::Name(_));
        usize::from(is_name && matches!(self.environment.names, Names::Fixed(_)))
    }

    fn in_flight(&mut self, id: AttemptId) -> Option<&mut Seen> {
        self.attempts.get_mut(id.0).filter(|seen| seen.fate.is_none())
    }

    /// As [`Race::poll_output`].
    ///
    /// # Panics
    ///
    /// If an invariant is broken.
    pub fn poll(&mut self, now: Instant) -> Output {
        let output = self.race.poll_output(now);
        self.judge_drain(&output, now);
        self.judge(&output, now);
        output
    }

    /// A race acts when it is due, and is done with it some time.
    fn judge_drain(&mut self, output: &Output, now: Instant) {
        if let Some(wait) = self.idle.take().filter(|wait| wait.is_none_or(|until| now < until)) {
            let still = matches!(output, Output::Wait(until) if *until == wait);
            assert!(still, "{output:?} without having asked to be woken, but for {wait:?}");
        }
        self.outputs += 1;
        assert!(self.outputs <= 1000, "a drain without an end");
        match output {
            Output::Wait(until) => (self.idle, self.outputs) = (Some(*until), 0),
            Output::Done(_) => self.outputs = 0,
            _ => {}
        }
    }

    fn judge(&mut self, output: &Output, now: Instant) {
        if let Some(done) = self.done {
            assert!(matches!(output, Output::Done(outcome) if *outcome == done), "after {done:?}: {output:?}");
            return;
        }
        let won = self.attempts.iter().any(|seen| seen.fate == Some(Fate::Won));
        let of_the_end = matches!(output, Output::Cancel { .. } | Output::Learned { .. } | Output::Done(_));
        assert!(!won || of_the_end, "after the win: {output:?}");
        match *output {
            Output::Query { id, ref name, kind } => {
                assert_eq!(id, QueryId(self.unasked() + self.queries.len()), "query numbers rise");
                let twice = self.queries.iter().any(|it| it.kind == kind && it.name.eq_ignore_ascii_case(name));
                assert!(!twice, "{kind} of {name} is asked twice");
                let name = name.clone();
                self.queries.push(Asked {
                    name,
                    kind,
                    at: now,
                    answered: false,
                    nonexistent: false,
                    has_records: false,
                });
            }
            Output::Probe { ref addrs } => assert!(!addrs.is_empty(), "a probe of nothing"),
            Output::Permit => {
                assert!(self.environment.bounded && self.permit == Permit::None, "a permit for nothing");
                self.permit = Permit::Asked;
            }
            Output::Attempt { id, addr } => self.judge_start(id, addr, now),
            Output::Handshake { id, ref ech } => {
                assert!(self.environment.tls, "TLS on a race without");
                let seen = self.in_flight(id).expect("a handshake on an attempt that is over");
                assert!(
                    seen.tcp.is_some() && seen.handshake.is_none(),
                    "{}: a handshake without TCP, or twice",
                    seen.addr
                );
                (seen.handshake, seen.ech) = (Some(now), ech.is_some());
                if !self.config.race_tls {
                    let before = self.committed.replace(id);
                    let is_retry = before.is_none_or(|before| self.attempts[before.0].fate == Some(Fate::Rejected));
                    assert!(is_retry, "a second handshake where TLS is not part of the race");
                }
            }
            Output::Cancel { id } => {
                let with_ech = self.environment.ech.is_some();
                let is_due = self.is_due(id, now);
                if self.permit == Permit::Asked {
                    self.permit = Permit::Given;
                }
                let seen = self.in_flight(id).expect("only what is in flight is cancelled");
                let fate = match with_ech && seen.tcp.is_some() && seen.handshake.is_none() {
                    true => Fate::Misled,
                    false if is_due => Fate::Dropped,
                    false => Fate::Cancelled,
                };
                seen.fate = Some(fate);
                self.dropped_early |= fate == Fate::Cancelled;
            }
            Output::Learned { addr, lesson } => self.judge_lesson(addr, lesson, now),
            Output::Wait(until) => {
                assert!(
                    !self.dropped_early || self.committed.is_some(),
                    "an attempt was dropped while the race goes on"
                );
                self.dropped_early = false;
                if self.permit == Permit::Given {
                    self.permit = Permit::None;
                }
                assert!(until.is_none_or(|until| until > now), "a wait that is over already");
                assert!(
                    until.is_some() || self.permit == Permit::Asked || self.is_something_pending(now, |_| true),
                    "nothing will ever wake this race"
                );
            }
            Output::Done(outcome) => self.judge_end(outcome, now),
        }
    }

    fn judge_start(&mut self, id: AttemptId, addr: SocketAddr, now: Instant) {
        assert_eq!(id, AttemptId(self.attempts.len()), "attempt numbers rise");
        assert!(!self.environment.bounded || self.permit == Permit::Given, "{addr} starts without a permit");
        self.permit = Permit::None;
        if let Some(id) = self.committed {
            let chosen = &self.attempts[id.0];
            let is_again = (chosen.fate, chosen.addr) == (Some(Fate::Rejected), addr);
            assert!(is_again, "{addr} starts after the choice has fallen");
        }
        let earlier = self.attempts.iter().filter(|seen| seen.addr == addr && seen.fate != Some(Fate::Misled));
        let may_retry = earlier.clone().count() == 1 && earlier.clone().all(|seen| seen.fate == Some(Fate::Rejected));
        assert!(may_retry || earlier.clone().count() == 0, "{addr} starts twice");
        assert!(self.environment.dial.contains(Family::of(addr)), "{addr} is of a family that is not dialled");
        let in_flight = self.attempts.iter().filter(|seen| seen.fate.is_none()).count();
        assert!(in_flight < self.config.max_concurrent_attempts, "{addr} starts beside {in_flight} others");
        let counted: Vec<_> = self.attempts.iter().filter(|seen| seen.fate != Some(Fate::NeverLeft)).collect();
        assert!(counted.len() < 32, "{addr} is the 33rd");
        if let Some(last) = counted.last() {
            let gap = now - last.started;
            assert!(gap >= Duration::from_millis(10), "{addr} starts {gap:?} after {}", last.addr);
        }
        self.attempts.push(Seen {
            addr,
            started: now,
            tcp: None,
            handshake: None,
            ech: false,
            fate: None,
            taught: false,
        });
    }

    /// A lesson is of an attempt of this race, and of what was seen of it.
    fn judge_lesson(&mut self, addr: SocketAddr, lesson: Lesson, now: Instant) {
        assert!(self.config.use_history, "{addr}: a lesson that nobody wants");
        // Where answers are protected a winner is known as such by the end alone.
        let won = self.attempts.iter().any(|seen| seen.fate.is_none_or(|fate| fate == Fate::Won));
        // Where it was tried once more there are two; what has answered comes last.
        let has_answered = matches!(lesson, Lesson::Reached { .. });
        let of_addr = self.attempts.iter_mut().filter(|seen| seen.addr == addr && !seen.taught);
        let seen = of_addr.min_by_key(|seen| seen.tcp.is_some() != has_answered);
        let seen = seen.expect("a lesson of what was tried, and not two of one attempt");
        seen.taught = true;
        match lesson {
            Lesson::Reached { rtt } => assert!(seen.tcp.is_some() || rtt.is_none() && seen.fate == Some(Fate::Failed)),
            Lesson::Unreachable => assert!(seen.tcp.is_none() && seen.fate == Some(Fate::Failed)),
            Lesson::Silent => {
                assert!(seen.tcp.is_none() && won, "{addr}: silence says nothing without a winner");
                let failed = matches!(seen.fate, Some(Fate::Failed | Fate::Dropped));
                let delay = self.config.attempt_delay_for(None).min(self.config.attempt_delay_for(Some(NEAREST)));
                assert!(failed || now - seen.started >= delay, "{addr}: it had no time to answer");
            }
        }
    }

    fn judge_end(&mut self, outcome: Outcome, now: Instant) {
        if let Outcome::Won(id) = outcome
            && !self.environment.tls
            && let Some(seen) = self.in_flight(id).filter(|seen| seen.tcp.is_some())
        {
            seen.fate = Some(Fate::Won);
        }
        let open = self.attempts.iter().filter(|seen| seen.fate.is_none()).count();
        assert_eq!(open, 0, "attempts are left in flight at the end");
        match outcome {
            Outcome::Won(id) => assert_eq!(self.attempts[id.0].fate, Some(Fate::Won), "{id:?} has not won"),
            Outcome::Failed => {
                assert!(!self.dropped_early || self.committed.is_some(), "a live attempt was dropped for nothing");
                let matters = |query: &Asked| self.matters(query);
                assert!(self.committed.is_some() || !self.is_something_pending(now, matters), "it gives up too early");
            }
            Outcome::WithoutEch => {
                assert!(self.attempts.is_empty() && self.environment.ech.is_some_and(|ech| ech.required))
            }
            Outcome::Upgrade | Outcome::Withheld => assert!(self.environment.https, "{outcome:?} without HTTPS"),
            Outcome::TimedOut => {
                let timeout = self.config.connect_timeout.expect("a timeout that is off");
                assert!(now >= self.start + timeout, "too early for the connect timeout");
            }
        }
        self.done = Some(outcome);
        self.judge_report(&self.race.report(now));
    }

    /// Every started attempt ended in exactly one of won, failed and cancelled, and the report says which.
    fn judge_report(&self, report: &Report) {
        let started = report.attempts().iter().filter(|it| !matches!(it.outcome(), AttemptOutcome::Denied(_)));
        assert_eq!(started.clone().count(), self.attempts.len(), "the report shows every attempt once");
        for (told, seen) in started.zip(&self.attempts) {
            assert_eq!((told.addr(), told.start()), (seen.addr, seen.started - self.start));
            assert_eq!(told.tcp(), seen.tcp.map(|tcp| tcp - self.start));
            assert!(told.end().is_some_and(|end| end >= told.start() && end <= report.elapsed()), "{}", told.addr());
            let agrees = match (told.outcome(), seen.fate.expect("it has ended")) {
                (AttemptOutcome::Won, fate) => fate == Fate::Won,
                (AttemptOutcome::Failed(_), fate) => {
                    matches!(fate, Fate::Failed | Fate::Rejected | Fate::NeverLeft | Fate::Misled | Fate::Dropped)
                }
                (AttemptOutcome::Cancelled, fate) => matches!(fate, Fate::Cancelled | Fate::Misled | Fate::Dropped),
                _ => false,
            };
            assert!(agrees, "{}: {:?}, but seen {:?}", told.addr(), told.outcome(), seen.fate);
        }
    }

    /// Whether a timeout of the attempt itself has run out, or it is its turn to give way. The attempt delay is none.
    fn is_due(&self, id: AttemptId, now: Instant) -> bool {
        let seen = &self.attempts[id.0];
        let is_oldest = self.attempts[..id.0].iter().all(|seen| seen.fate.is_some());
        let latest = |seen: &Seen| seen.started + self.config.clamped_max_attempt_delay();
        let counted = self.attempts.iter().filter(|seen| seen.fate != Some(Fate::NeverLeft));
        if self.permit == Permit::Asked && is_oldest && counted.map(latest).max() <= Some(now) {
            return true;
        }
        let ran_out = |from: Instant, timeout: Option<Duration>| {
            timeout.and_then(|timeout| from.checked_add(timeout)).is_some_and(|end| end <= now)
        };
        ran_out(seen.started, self.config.attempt_timeout)
            || seen.handshake.is_some_and(|begun| ran_out(begun, self.config.tls_timeout))
    }

    /// Whether the race has to wait for the answer to `query` before it gives up. Not for what is asked of other names
    /// than the last of the search list, to which records may have ceased to lead; nor for its records, where they are
    /// not waited for or the name does not exist.
    fn matters(&self, query: &Asked) -> bool {
        let Names::Ask(names) = &self.environment.names else { return false };
        let is_searched = |it: &&Asked| it.kind != QueryKind::Https && names.contains(&it.name);
        let Some(name) = self.queries.iter().rfind(is_searched).map(|it| &it.name) else { return false };
        if query.kind != QueryKind::Https {
            // Records that all have ECH leave nothing to fall back to.
            let may_rely_on_ech = self.environment.tls && self.environment.ech.is_some();
            return query.name == *name && !(may_rely_on_ech && self.queries.iter().any(|it| it.has_records));
        }
        let is_record = |it: &&Asked| it.kind == QueryKind::Https && it.name.ends_with(&**name);
        let is_first = self.queries.iter().find(is_record).is_some_and(|first| first.name == query.name);
        let exists = !self.queries.iter().any(|other| other.name == *name && other.nonexistent);
        is_first && exists && self.environment.waits_for_https
    }

    fn is_something_pending(&self, now: Instant, matters: impl Fn(&Asked) -> bool) -> bool {
        let unanswered = self.queries.iter().any(|query| {
            let end = self.config.dns_timeout.and_then(|timeout| query.at.checked_add(timeout));
            !query.answered && matters(query) && end.is_none_or(|end| end > now)
        });
        unanswered || self.attempts.iter().any(|seen| seen.fate.is_none())
    }
}
