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
mod order;
mod resolution;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use attempts::Attempts;
pub use event::{AttemptId, Environment, Family, FamilySet, Input, Outcome, Output, Probed, QueryId, Source};
use order::Order;
use resolution::Resolution;

use crate::config::Config;
use crate::origin::Origin;
use crate::report::{AttemptOutcome, Report};

/// One connect's race over the endpoints of its origin.
pub struct Race {
    origin: Origin,
    environment: Environment,
    config: Arc<Config>,
    started: Instant,
    ended: Option<Instant>,
    resolution: Resolution,
    attempts: Attempts,
    order: Order,
    /// Set once the choice has fallen but TLS is still to be done: only where TLS is not part of the race.
    committed: bool,
    outbox: VecDeque<Output>,
    outcome: Option<Outcome>,
}

impl Race {
    /// A race that starts at `now`.
    pub fn new(origin: Origin, mut environment: Environment, config: impl Into<Arc<Config>>, now: Instant) -> Self {
        let config = config.into();
        let names = environment.take_names();
        let resolution = Resolution::new(names, &origin, &environment, &config, now);
        Self {
            origin,
            environment,
            config,
            started: now,
            ended: None,
            resolution,
            attempts: Attempts::default(),
            order: Order::default(),
            committed: false,
            outbox: VecDeque::new(),
            outcome: None,
        }
    }

    /// What the race connects to.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Takes in what happened. Ignored once the race is over, as is what concerns an attempt that is.
    pub fn handle_input(&mut self, input: Input, now: Instant) {
        if self.outcome.is_some() {
            return;
        }
        match input {
            Input::Answer { id, result } => {
                self.resolution.on_answer(id, result, &self.origin, &self.environment, &self.config, now);
            }
            Input::Probed(probed) => self.order.learn(&probed, &self.environment),
            Input::Progress { id, rtt } => {
                if self.attempts.on_tcp(id, rtt, now) {
                    self.on_tcp(id, now);
                }
            }
            Input::Succeeded { id } => {
                if self.attempts.end(id, AttemptOutcome::Won, now) {
                    self.finish(Outcome::Won(id), now);
                }
            }
            Input::Failed { id, failure } => {
                self.attempts.end(id, AttemptOutcome::Failed(failure), now);
            }
        }
    }

    /// What to do next. Total: it ends in [`Output::Wait`] or, for good, in [`Output::Done`].
    #[must_use]
    pub fn poll_output(&mut self, now: Instant) -> Output {
        if self.outcome.is_none() {
            self.expire(now);
        }
        if let Some(output) = self.outbox.pop_front() {
            return output;
        }
        if let Some(outcome) = self.outcome {
            return Output::Done(outcome);
        }
        let queries = self.resolution.next_queries(&self.environment, now);
        if !queries.is_empty() {
            self.outbox.extend(queries.into_iter().map(|(id, name, kind)| Output::Query { id, name, kind }));
            return self.poll_output(now);
        }
        let next = match self.next_start() {
            Next::Probe(addrs) => return Output::Probe { addrs },
            Next::Start(addr, due) if due <= now => {
                let id = self.attempts.start(addr, now);
                return Output::Attempt { id, addr };
            }
            Next::Start(_, due) => Some(due),
            Next::Nothing => None,
        };
        if self.is_over(next) {
            self.finish(Outcome::Failed, now);
            return self.poll_output(now);
        }
        Output::Wait([next, self.next_deadline()].into_iter().flatten().min())
    }

    /// What has happened so far; once the race is over, all of it.
    pub fn report(&self, now: Instant) -> Report {
        Report {
            origin: self.origin.clone(),
            queries: self.resolution.report_queries(self.started),
            attempts: self.attempts.report(self.started).chain(self.resolution.report_denied(self.started)).collect(),
            elapsed: self.ended.unwrap_or(now) - self.started,
        }
    }

    fn on_tcp(&mut self, id: AttemptId, now: Instant) {
        if !self.environment.tls {
            self.attempts.end(id, AttemptOutcome::Won, now);
            return self.finish(Outcome::Won(id), now);
        }
        if !self.config.race_tls {
            self.committed = true;
            self.cancel_all_but(Some(id), now);
        }
        self.outbox.push_back(Output::Handshake { id });
    }

    fn next_start(&self) -> Next {
        if self.committed {
            return Next::Nothing;
        }
        let Some(ready) = self.resolution.ready_at(&self.environment, &self.config) else { return Next::Nothing };
        if self.resolution.all_endpoints(|addr| self.attempts.contains(addr)) {
            return Next::Nothing;
        }
        let mut endpoints = self.resolution.endpoints(self.environment.preferred);
        // One endpoint has no order. Among several, those that have started count too: "re-sort the full list" (v3 draft
        // section 7), or a late answer would be sorted among a part.
        if endpoints.len() > 1 {
            let unknown: Vec<_> = endpoints.iter().copied().filter(|addr| !self.order.knows(*addr)).collect();
            if !unknown.is_empty() {
                return Next::Probe(unknown);
            }
            endpoints = self.order.apply(endpoints, self.config.preferred_family_count);
        }
        match self.attempts.next_start(&endpoints, ready, &self.config) {
            Some((addr, due)) => Next::Start(addr, due),
            None => Next::Nothing,
        }
    }

    /// Nothing is under way, nothing can start, and no answer is to come.
    fn is_over(&self, next_start: Option<Instant>) -> bool {
        next_start.is_none() && self.attempts.none_in_flight() && (self.committed || self.resolution.is_settled())
    }

    fn expire(&mut self, now: Instant) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            return self.finish(Outcome::TimedOut, now);
        }
        self.resolution.expire(&self.config, now);
        for (id, failure) in self.attempts.expired(&self.config, now) {
            self.attempts.end(id, AttemptOutcome::Failed(failure), now);
            self.outbox.push_back(Output::Cancel { id });
        }
    }

    /// When the connect timeout runs out.
    fn deadline(&self) -> Option<Instant> {
        self.started.checked_add(self.config.connect_timeout?)
    }

    fn next_deadline(&self) -> Option<Instant> {
        let resolution = self.resolution.next_deadline(&self.config);
        [self.deadline(), resolution, self.attempts.next_deadline(&self.config)].into_iter().flatten().min()
    }

    fn finish(&mut self, outcome: Outcome, now: Instant) {
        // What was to begin does not any more; what is to end still has to.
        self.outbox.retain(|output| matches!(output, Output::Cancel { .. }));
        self.cancel_all_but(None, now);
        self.ended = Some(now);
        self.outcome = Some(outcome);
    }

    fn cancel_all_but(&mut self, kept: Option<AttemptId>, now: Instant) {
        let others: Vec<_> = self.attempts.in_flight().filter(|id| Some(*id) != kept).collect();
        for id in others {
            self.attempts.end(id, AttemptOutcome::Cancelled, now);
            self.outbox.push_back(Output::Cancel { id });
        }
    }
}

/// What comes next of the attempts.
enum Next {
    /// The order is not known before this is.
    Probe(Vec<SocketAddr>),
    /// This endpoint, at that time.
    Start(SocketAddr, Instant),
    /// Nothing before an input.
    Nothing,
}
