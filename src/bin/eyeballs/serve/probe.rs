//! Probes: as many at once as there may be, and each in its time.

use std::time::Duration;

use hyper_happy_eyeballs::reachability::Level;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::metrics;
use super::own::{Own, ProbeEnd};
use super::request::ProbeRequest;
use crate::connect::Checkers;

/// What is left for the metrics of a check to be made, of a time that is not shorter still.
const MARGIN: Duration = Duration::from_millis(100);

pub(super) struct Prober {
    checkers: Checkers,
    timeout: Duration,
    slots: Semaphore,
    own: Own,
}

impl Prober {
    pub(super) fn new(checkers: Checkers, timeout: Duration, most: u16, own: Own) -> Self {
        Self { checkers, timeout, slots: Semaphore::new(most.into()), own }
    }

    /// The most that a probe may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn own(&self) -> &Own {
        &self.own
    }

    /// The metrics of a site, or `None` if too many probes are under way.
    pub(super) async fn probe(&self, request: &ProbeRequest) -> Option<prometheus::Result<String>> {
        let Ok(_slot) = self.slots.try_acquire() else {
            self.own.reject();
            return None;
        };
        let mut running = self.own.start();
        let mut checker = self.checkers.of(&request.origin).clone();
        checker.time_limit(request.limit - MARGIN.min(request.limit / 10));
        // The check keeps its limit, as far as this host has the time to look at its clock.
        let check = timeout(request.limit, checker.check(&request.uri)).await;
        let check = check.ok().and_then(Result::ok);
        running.end = match check.as_ref().map(|check| check.verdict.level) {
            Some(Level::Ok) => ProbeEnd::Ok,
            Some(Level::Degraded) => ProbeEnd::Degraded,
            Some(Level::Down) => ProbeEnd::Down,
            None => ProbeEnd::Timeout,
        };
        Some(metrics::text(&request.origin, check.as_ref(), running.start.elapsed(), request.limit))
    }
}
