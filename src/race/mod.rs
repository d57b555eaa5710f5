//! The race as a pure state machine: no clock, no sockets, no tokio.
//!
//! ```text
//! Race::handle_input(Input, now)          what happened
//! Race::poll_output(now) -> Output        what is to be done
//! ```
//!
//! After inputs the caller polls until [`Output::Wait`] or [`Output::Done`]; at the time that `Wait` names it
//! polls again. All times are absolute and come from the caller, so equal inputs give equal outputs.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(unreachable_pub)] // the words of the race read as what they are to its caller

mod attempts;
mod event;
mod groups;
mod next;
mod order;
mod query;
#[cfg(any(test, feature = "__internal"))]
mod referee;
mod resolution;
mod retries;
mod route;
mod services;
#[cfg(test)]
pub(crate) mod tests;
mod translation;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use attempts::Attempts;
pub use event::{
    AttemptId, EchUse, Environment, Family, FamilySet, Input, Known, Lesson, Outcome, Output, Probed, QueryId, Rtt,
    Source,
};
use next::{Next, Permit};
use order::Order;
#[cfg(any(test, feature = "__internal"))]
pub use order::sorted;
#[cfg(any(test, feature = "__internal"))]
pub use referee::Watched;
use resolution::Resolution;
use retries::Retries;
use route::Ending;

use crate::config::Config;
use crate::origin::Origin;
use crate::report::{AttemptOutcome, AttemptReport, Failure, FailureKind, Report};

/// Why an attempt ends that began before the records came.
const MISLED: &str = "HTTPS records came that do not lead here, and ECH hides the name from whoever else there is";

/// One connect's race over the endpoints of its origin.
pub struct Race {
    given: Given,
    started: Instant,
    /// When the connect timeout runs out.
    deadline: Option<Instant>,
    ended: Option<Instant>,
    resolution: Resolution,
    attempts: Attempts,
    retries: Retries,
    order: Order,
    /// Set once the choice has fallen but TLS is still to be done: only where TLS is not part of the race.
    committed: bool,
    permit: Permit,
    /// Connections on which nothing may be sent yet.
    held: Vec<AttemptId>,
    /// What turned out to have no route, until it is known whether it can be translated.
    routeless: Vec<SocketAddr>,
    outbox: VecDeque<Output>,
    outcome: Option<Outcome>,
}

/// What a race starts from.
struct Given {
    origin: Origin,
    environment: Environment,
    config: Arc<Config>,
}

impl Given {
    /// Whether the client can use one of these ECH configurations.
    fn can_use_ech(&self, configs: &[u8]) -> bool {
        self.environment.ech.is_some_and(|ech| (ech.is_usable)(configs))
    }

    /// Whether nothing is to be sent without ECH.
    fn requires_ech(&self) -> bool {
        self.environment.tls && self.environment.ech.is_some_and(|ech| ech.required)
    }
}

impl Race {
    /// A race that starts at `now`.
    pub fn new(origin: Origin, environment: Environment, config: impl Into<Arc<Config>>, now: Instant) -> Self {
        let given = Given { origin, environment, config: config.into() };
        let deadline = given.config.connect_timeout.and_then(|timeout| now.checked_add(timeout));
        let resolution = Resolution::new(&given, now);
        let permit = if given.environment.bounded { Permit::Missing } else { Permit::Needless };
        Self {
            given,
            started: now,
            deadline,
            ended: None,
            resolution,
            attempts: Attempts::default(),
            retries: Retries::default(),
            order: Order::default(),
            committed: false,
            permit,
            held: Vec::new(),
            routeless: Vec::new(),
            outbox: VecDeque::new(),
            outcome: None,
        }
    }

    /// What the race connects to.
    pub fn origin(&self) -> &Origin {
        &self.given.origin
    }

    /// The settings of the race.
    pub fn config(&self) -> &Config {
        &self.given.config
    }

    /// Takes in what happened. Ignored once the race is over, as is what concerns an attempt that is.
    pub fn handle_input(&mut self, input: Input, now: Instant) {
        if self.outcome.is_some() {
            return;
        }
        match input {
            Input::Answer { id, result } => {
                self.resolution.on_answer(id, result, &self.given, now);
                self.on_resolution(now);
            }
            Input::Probed(probed) => self.order.learn(&probed, &self.given.environment),
            Input::Permitted => self.permit.give(),
            Input::Progress { id, rtt } => {
                if self.attempts.on_tcp(id, rtt, now) {
                    match self.resolution.holds_back() {
                        true => self.held.push(id),
                        false => self.go_on(id, now),
                    }
                }
            }
            Input::Succeeded { id } => {
                if self.attempts.end(id, AttemptOutcome::Won, now) {
                    self.finish(Outcome::Won(id), now);
                }
            }
            Input::Failed { id, failure } => {
                let no_route = failure.is_no_route();
                let rejection = failure.ech_rejection().filter(|_| self.attempts.has_offered_ech(id)).cloned();
                if !self.attempts.end(id, AttemptOutcome::Failed(failure), now) {
                    return;
                }
                if no_route {
                    self.routeless.push(self.attempts.addr(id));
                }
                if let Some(rejection) = rejection {
                    self.retries.on_rejection(id, rejection, &self.given);
                }
            }
        }
    }

    /// What to do next. Total: it ends in [`Output::Wait`] or, for good, in [`Output::Done`].
    #[must_use]
    pub fn poll_output(&mut self, now: Instant) -> Output {
        let mut deadline = if self.outcome.is_none() { self.next_deadline() } else { None };
        if deadline.is_some_and(|deadline| deadline <= now) {
            self.expire(now);
            deadline = self.next_deadline();
        }
        if let Some(output) = self.outbox.pop_front() {
            return output;
        }
        if let Some(outcome) = self.outcome {
            return Output::Done(outcome);
        }
        if let Some(witness) = self.translate(now) {
            return Output::Probe { addrs: vec![witness] };
        }
        if let Some((id, name, kind)) = self.resolution.next_query() {
            return Output::Query { id, name, kind };
        }
        let next = match self.next_start() {
            Next::Probe(addrs) => return Output::Probe { addrs },
            Next::Start(_, due) if due <= now && self.permit == Permit::Missing => {
                self.permit = Permit::Asked;
                return Output::Permit;
            }
            Next::Start(_, due) if self.permit == Permit::Asked => {
                let oldest = self.attempts.next_to_give_way(due, &self.given.config);
                if let Some((id, _)) = oldest.filter(|(_, at)| *at <= now) {
                    self.attempts.give_way(id, now);
                    self.permit.give();
                    return Output::Cancel { id };
                }
                return Output::Wait(earlier(oldest.map(|(_, at)| at), deadline));
            }
            Next::Start(start, due) if due <= now => {
                self.permit.spend();
                return self.begin(start, now);
            }
            Next::Start(_, due) => Some(due),
            Next::Nothing => None,
        };
        if self.is_over(next) {
            let without_ech =
                self.given.requires_ech() && self.attempts.is_empty() && self.resolution.has_addresses(&self.given);
            self.finish(if without_ech { Outcome::WithoutEch } else { Outcome::Failed }, now);
            return self.poll_output(now);
        }
        // Others may be waiting for it.
        self.permit.spend();
        Output::Wait(earlier(next, deadline))
    }

    /// All that has happened, once the race is over. It is told once.
    pub fn take_report(&mut self) -> Report {
        let attempts = self.attempts.take();
        self.tell(attempts, self.ended.unwrap_or(self.started))
    }

    /// What has happened so far.
    #[cfg(any(test, feature = "__internal"))]
    pub fn report(&self, now: Instant) -> Report {
        self.tell(self.attempts.so_far(), self.ended.unwrap_or(now))
    }

    fn tell(&self, mut attempts: Vec<AttemptReport>, end: Instant) -> Report {
        if self.given.environment.ech.is_some() {
            for (number, attempt) in attempts.iter_mut().enumerate() {
                attempt.ech = self.ech(AttemptId(number), attempt).cloned();
            }
        }
        attempts.extend(self.resolution.report_denied(self.started));
        Report {
            origin: self.given.origin.clone(),
            queries: self.resolution.report_queries(self.started),
            attempts,
            elapsed: end - self.started,
            relies_on_ech: self.resolution.relies_on_ech(),
        }
    }

    /// Does what hangs on the answers alone.
    fn on_resolution(&mut self, now: Instant) {
        match self.resolution.ending() {
            Some(Ending::Upgrade) => return self.finish(Outcome::Upgrade, now),
            Some(Ending::Withheld) => return self.finish(Outcome::Withheld, now),
            None => {}
        }
        if !self.resolution.holds_back() {
            for id in std::mem::take(&mut self.held) {
                self.go_on(id, now);
            }
        }
    }

    /// Goes on with an attempt whose TCP is up.
    fn go_on(&mut self, id: AttemptId, now: Instant) {
        if self.outcome.is_some() || !self.attempts.is_in_flight(id) {
            return;
        }
        if !self.given.environment.tls {
            self.attempts.end(id, AttemptOutcome::Won, now);
            return self.finish(Outcome::Won(id), now);
        }
        let ech = self.ech(id, self.attempts.get(id)).cloned();
        if ech.is_none() && self.retries.of(id).is_none() && self.resolution.relies_on_ech() {
            self.attempts.end_misled(id, Failure::new(FailureKind::Tls, MISLED), now);
            return self.drop_ended(id);
        }
        if !self.given.config.race_tls {
            self.committed = true;
            self.cancel_all_but(Some(id), now);
        }
        self.attempts.on_handshake(id, ech.clone(), now);
        self.outbox.push_back(Output::Handshake { id, ech });
    }

    /// The ECH configurations of an attempt: those that its hello left with, or would leave with now. An address that the
    /// records do not lead to any more keeps those that it came with, as its hello would show the name; so does one that
    /// ended between TCP and TLS.
    fn ech<'a>(&'a self, id: AttemptId, attempt: &'a AttemptReport) -> Option<&'a Arc<[u8]>> {
        match self.retries.of(id) {
            Some(retry) => retry.ech.as_ref(),
            None if attempt.handshake.is_some() || attempt.tcp.is_some() && attempt.ended.is_some() => {
                attempt.ech.as_ref()
            }
            None => self.resolution.ech(attempt.addr).or(attempt.ech.as_ref()),
        }
    }

    /// Has what is routeless translated. Where the prefix is not known, only if this host has a route to a NAT64: where
    /// there is no network at all, nobody is to be waited for. Returns the address that tells, if that is not known yet.
    fn translate(&mut self, now: Instant) -> Option<SocketAddr> {
        while let Some(addr) = self.routeless.pop() {
            if !translation::is_for(addr, &self.given) {
                continue;
            }
            let witness = translation::witness(&self.given);
            if let Some(unknown) = witness.filter(|witness| !self.order.knows(*witness)) {
                self.routeless.push(addr);
                return Some(unknown);
            }
            if witness.is_none_or(|witness| self.order.has_route(witness)) {
                self.resolution.on_no_route(addr, &self.given, now);
            }
        }
        None
    }

    /// Nothing is under way, nothing can start, and no answer is to come.
    fn is_over(&self, next_start: Option<Instant>) -> bool {
        next_start.is_none() && self.attempts.none_in_flight() && (self.committed || self.resolution.is_settled())
    }

    fn expire(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return self.finish(Outcome::TimedOut, now);
        }
        self.resolution.expire(&self.given, now);
        self.on_resolution(now);
        if self.outcome.is_some() {
            return;
        }
        for (id, failure) in self.attempts.expired(&self.given.config, now) {
            self.cancel(id, AttemptOutcome::Failed(failure), now);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let resolution = self.resolution.next_deadline(&self.given.config);
        earlier(earlier(self.deadline, resolution), self.attempts.next_deadline(&self.given.config))
    }

    fn finish(&mut self, outcome: Outcome, now: Instant) {
        // What was to begin does not any more; what is to end still has to.
        self.outbox.retain(|output| matches!(output, Output::Cancel { .. }));
        self.cancel_all_but(None, now);
        if self.given.config.use_history && !self.order.is_empty() {
            // Of what was never compared nothing is known to begin with.
            let winner = if let Outcome::Won(id) = outcome { Some(id) } else { None };
            let lessons = self.attempts.lessons(winner, &self.order, &self.given.config);
            self.outbox.extend(lessons.map(|(addr, lesson)| Output::Learned { addr, lesson }));
        }
        self.ended = Some(now);
        self.outcome = Some(outcome);
    }

    fn cancel_all_but(&mut self, kept: Option<AttemptId>, now: Instant) {
        let others: Vec<_> = self.attempts.in_flight().filter(|id| Some(*id) != kept).collect();
        for id in others {
            self.cancel(id, AttemptOutcome::Cancelled, now);
        }
    }

    /// Ends an attempt of itself.
    fn cancel(&mut self, id: AttemptId, outcome: AttemptOutcome, now: Instant) {
        self.attempts.end(id, outcome, now);
        self.drop_ended(id);
    }

    /// Has what is left of it dropped. If a permit is waited for, it is this one's now.
    fn drop_ended(&mut self, id: AttemptId) {
        self.outbox.push_back(Output::Cancel { id });
        self.permit.give();
    }
}

/// The earlier of two times, of which each may never come.
fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
