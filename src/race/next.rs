//! Which attempt comes next, and what it needs.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Instant;

use super::Race;
use super::event::{AttemptId, Output};
use super::groups::{Endpoint, cut};
use crate::report::AttemptReport;

/// What comes next of the attempts.
pub(super) enum Next {
    /// The order is not known before this is.
    Probe(Vec<SocketAddr>),
    /// This, at that time.
    Start(Start, Instant),
    /// Nothing before an input.
    Nothing,
}

/// What is begun.
pub(super) enum Start {
    /// The first attempt of an endpoint.
    Endpoint(Endpoint),
    /// That of an attempt once more.
    Again(AttemptId),
}

/// What the next attempt needs, where there is a bound on those of all races together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Permit {
    /// There is no bound.
    Needless,
    Missing,
    Asked,
    Given,
}

impl Permit {
    /// The permit that was asked for is there.
    pub(super) fn give(&mut self) {
        if *self == Self::Asked {
            *self = Self::Given;
        }
    }

    /// An attempt starts with it, or nothing does.
    pub(super) fn spend(&mut self) {
        if *self == Self::Given {
            *self = Self::Missing;
        }
    }
}

impl Race {
    pub(super) fn next_start(&self) -> Next {
        if let Some(rejected) = self.retries.next() {
            let due = self.attempts.next_restart(&self.given.config);
            return due.map_or(Next::Nothing, |due| Next::Start(Start::Again(rejected), due));
        }
        if self.committed {
            return Next::Nothing;
        }
        let config = &self.given.config;
        let Some(ready) = self.resolution.ready_at(config) else { return Next::Nothing };
        let mut endpoints = Cow::Borrowed(self.resolution.endpoints());
        if endpoints.iter().all(|endpoint| self.attempts.is_over(endpoint.addr)) {
            endpoints.to_mut().extend(self.resolution.last_resort());
        }
        if endpoints.iter().all(|endpoint| self.attempts.contains(endpoint.addr)) {
            return Next::Nothing;
        }
        // One endpoint has no order, but may be known to lead nowhere, or go behind what is still to come. Among several,
        // those that have started count too: "re-sort the full list" (v3 draft section 7), or a late answer would be sorted
        // among a part.
        let environment = &self.given.environment;
        let better_by = self.resolution.better_by(config);
        let is_first_of_both = better_by.is_some() && self.attempts.is_empty() && environment.compares_families();
        let each = environment.recalls || is_first_of_both;
        if endpoints.len() > 1 || each {
            let unknown = self.order.unknown(&endpoints, each);
            if !unknown.is_empty() {
                return Next::Probe(unknown);
            }
            let mut ordered = self.order.apply(&endpoints, config.preferred_family_count);
            if ordered.len() > self.attempts.room() {
                cut(&mut ordered, self.attempts.room(), |addr| self.attempts.contains(addr));
            }
            endpoints = Cow::Owned(ordered);
        }
        match self.attempts.next_start(&endpoints, ready, &self.order, config) {
            // Otherwise each connect would pay for a family that leads nowhere and answers first, and the order of two
            // families would hang on which answers first.
            Some((endpoint, due)) if self.order.gives_way(endpoint.addr) => {
                let due = better_by.map_or(due, |better| better.max(due));
                Next::Start(Start::Endpoint(endpoint), due)
            }
            Some((endpoint, due)) => Next::Start(Start::Endpoint(endpoint), due),
            None => Next::Nothing,
        }
    }

    pub(super) fn begin(&mut self, start: Start, now: Instant) -> Output {
        match start {
            Start::Endpoint(Endpoint { addr, group }) => {
                let target = self.resolution.target(group).cloned();
                let ech = self.resolution.ech(addr).cloned();
                let attempt = AttemptReport { ech, ..AttemptReport::new(addr, target, self.started, now) };
                let id = self.attempts.start(attempt);
                Output::Attempt { id, addr }
            }
            Start::Again(rejected) => {
                let id = self.attempts.start_again(rejected, now);
                self.retries.on_start(id);
                Output::Attempt { id, addr: self.attempts.addr(id) }
            }
        }
    }
}
