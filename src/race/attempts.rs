//! The endpoint attempts, and when the next one may start.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::{AttemptId, Family, Lesson};
use super::groups::Endpoint;
use super::order::Order;
use crate::config::{Config, Pacing};
use crate::report::{AttemptOutcome, AttemptReport, Failure, FailureKind, Tcp};

/// The shortest time that TLS is given after TCP before the next attempt starts.
const MIN_HANDSHAKE_ESTIMATE: Duration = Duration::from_millis(100);
/// What the peer may take to compute, beside the round trips.
const HANDSHAKE_COMPUTATION: Duration = Duration::from_millis(50);
/// The round-trip time of a handshake that could not be measured.
const UNKNOWN_RTT: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Attempts {
    list: Vec<AttemptReport>,
    /// Those that ended before TLS because records came that do not lead there.
    misled: Vec<AttemptId>,
}

impl Attempts {
    pub(super) fn start(&mut self, attempt: AttemptReport) -> AttemptId {
        // Mostly it is the only one.
        self.list.reserve_exact(usize::from(self.list.is_empty()));
        self.list.push(attempt);
        AttemptId(self.list.len() - 1)
    }

    /// Begins the endpoint of `id` once more, for other configurations than it came with.
    pub(super) fn start_again(&mut self, id: AttemptId, now: Instant) -> AttemptId {
        let AttemptReport { addr, ref target, began, .. } = self.list[id.0];
        self.start(AttemptReport::new(addr, target.clone(), began, now))
    }

    /// Notes that TCP is up; false if the attempt is over or has been there before.
    pub(super) fn on_tcp(&mut self, id: AttemptId, rtt: Option<Duration>, now: Instant) -> bool {
        match self.in_flight_mut(id) {
            Some(attempt) if attempt.tcp.is_none() => {
                attempt.tcp = Some(Tcp { up: now, rtt });
                true
            }
            _ => false,
        }
    }

    /// Notes that TLS begins.
    pub(super) fn on_handshake(&mut self, id: AttemptId, ech: Option<Arc<[u8]>>, now: Instant) {
        if let Some(attempt) = self.in_flight_mut(id) {
            attempt.handshake = Some(now);
            attempt.ech = ech;
        }
    }

    /// Ends an attempt; false if it is over already.
    pub(super) fn end(&mut self, id: AttemptId, outcome: AttemptOutcome, now: Instant) -> bool {
        let attempt = self.in_flight_mut(id);
        let found = attempt.is_some();
        if let Some(attempt) = attempt {
            attempt.ended = Some(now);
            attempt.outcome = outcome;
        }
        found
    }

    /// Ends an attempt because records do not lead to its address. Should it turn out that they do, that may start again.
    pub(super) fn end_misled(&mut self, id: AttemptId, failure: Failure, now: Instant) {
        if self.end(id, AttemptOutcome::Failed(failure), now) {
            self.misled.push(id);
        }
    }

    fn in_flight_mut(&mut self, id: AttemptId) -> Option<&mut AttemptReport> {
        debug_assert!(id.0 < self.list.len(), "no such attempt: {id:?}");
        self.list.get_mut(id.0).filter(|attempt| attempt.is_in_flight())
    }

    pub(super) fn in_flight(&self) -> impl Iterator<Item = AttemptId> {
        self.list.iter().enumerate().filter(|(_, attempt)| attempt.is_in_flight()).map(|(id, _)| AttemptId(id))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn none_in_flight(&self) -> bool {
        self.in_flight().next().is_none()
    }

    pub(super) fn is_in_flight(&self, id: AttemptId) -> bool {
        self.list.get(id.0).is_some_and(AttemptReport::is_in_flight)
    }

    /// Whether its hello has left with ECH.
    pub(super) fn has_offered_ech(&self, id: AttemptId) -> bool {
        self.list.get(id.0).is_some_and(|attempt| attempt.handshake.is_some() && attempt.ech.is_some())
    }

    pub(super) fn get(&self, id: AttemptId) -> &AttemptReport {
        &self.list[id.0]
    }

    pub(super) fn addr(&self, id: AttemptId) -> SocketAddr {
        self.list[id.0].addr
    }

    /// How many more may start, unless some of the earlier turn out not to have sent anything.
    pub(super) fn room(&self) -> usize {
        Config::MAX_ENDPOINTS.saturating_sub(self.counted().count())
    }

    /// Whether `addr` has had its attempt.
    pub(super) fn is_over(&self, addr: SocketAddr) -> bool {
        self.of(addr).any(|attempt| !attempt.is_in_flight())
    }

    pub(super) fn contains(&self, addr: SocketAddr) -> bool {
        self.of(addr).next().is_some()
    }

    /// Those that count as an attempt of `addr`.
    fn of(&self, addr: SocketAddr) -> impl Iterator<Item = &AttemptReport> {
        let all = self.list.iter().enumerate();
        all.filter(move |(id, attempt)| attempt.addr == addr && !self.misled.contains(&AttemptId(*id)))
            .map(|(_, attempt)| attempt)
    }

    /// The attempts whose time is up at `now`, with the failure that stands for it.
    pub(super) fn expired(&self, config: &Config, now: Instant) -> Vec<(AttemptId, Failure)> {
        self.in_flight()
            .filter(|id| self.list[id.0].deadline(config).is_some_and(|deadline| deadline <= now))
            .map(|id| {
                let text = match self.list[id.0].attempt_deadline(config) {
                    Some(deadline) if deadline <= now => "the attempt timeout ran out",
                    _ => "the TLS timeout ran out",
                };
                (id, timed_out(text))
            })
            .collect()
    }

    pub(super) fn next_deadline(&self, config: &Config) -> Option<Instant> {
        self.list.iter().filter(|attempt| attempt.is_in_flight()).filter_map(|attempt| attempt.deadline(config)).min()
    }

    /// The attempt that has had the most time, and when it gives way to the next one, which is `due`, should that get no
    /// other permit: a start is put off by the maximum delay at most.
    pub(super) fn next_to_give_way(&self, due: Instant, config: &Config) -> Option<(AttemptId, Instant)> {
        let oldest = self.in_flight().next()?;
        Some((oldest, due.max(self.counted().last()?.started + config.clamped_max_attempt_delay())))
    }

    pub(super) fn give_way(&mut self, id: AttemptId, now: Instant) {
        self.end(id, AttemptOutcome::Failed(timed_out("it gave way, as no more attempts may be in flight")), now);
    }

    /// Which of the `ordered` endpoints starts next, and when; `None` while something has to happen first.
    ///
    /// `ready` is when DNS lets the race begin. Between two starts there are at least 10 ms, whatever the cause.
    pub(super) fn next_start(
        &self,
        ordered: &[Endpoint],
        ready: Instant,
        order: &Order,
        config: &Config,
    ) -> Option<(Endpoint, Instant)> {
        let in_flight = self.in_flight().count();
        if in_flight >= config.max_concurrent_attempts || self.room() == 0 {
            return None;
        }
        let mut unstarted = ordered.iter().copied().filter(|endpoint| !self.contains(endpoint.addr));
        let Some(last) = self.counted().last() else { return unstarted.next().map(|endpoint| (endpoint, ready)) };
        let floor = last.started + Config::FLOOR_ATTEMPT_DELAY;
        match config.pacing {
            Pacing::Staggered => {
                let due = if in_flight == 0 || last.has_failed() { floor } else { self.staggered(last, order, config) };
                Some((unstarted.next()?, due))
            }
            Pacing::Sequential => Some((unstarted.next().filter(|_| in_flight == 0)?, floor)),
            Pacing::Rfc6555 { delay } => {
                let first = self.counted().next()?;
                let lead = Family::of(first.addr);
                let busy = |family| self.list.iter().any(|it| it.is_in_flight() && Family::of(it.addr) == family);
                let is_of_lead = |endpoint: &Endpoint| Family::of(endpoint.addr) == lead;
                let lead_is_through = !busy(lead) && !unstarted.clone().any(|endpoint| is_of_lead(&endpoint));
                unstarted
                    .filter(|endpoint| !busy(Family::of(endpoint.addr)))
                    .map(|endpoint| match is_of_lead(&endpoint) || lead_is_through {
                        true => (endpoint, floor),
                        false => (endpoint, floor.max(first.started + delay.min(Config::LONGEST_DELAY))),
                    })
                    .min_by_key(|(_, due)| *due)
            }
        }
    }

    /// When the attempt of an endpoint that is begun once more may start; `None` while too many are in flight, or
    /// where too many have been.
    pub(super) fn next_restart(&self, config: &Config) -> Option<Instant> {
        let last = self.counted().last()?;
        let has_room = self.in_flight().count() < config.max_concurrent_attempts && self.room() > 0;
        has_room.then(|| last.started + Config::FLOOR_ATTEMPT_DELAY)
    }

    /// One Connection Attempt Delay after the last start; later while a handshake that has come as far as TLS can be
    /// expected to finish, "extending the timer" (v3 draft section 6.1), up to the maximum delay.
    fn staggered(&self, last: &AttemptReport, order: &Order, config: &Config) -> Instant {
        let in_flight = self.list.iter().filter(|attempt| attempt.is_in_flight());
        let extended = in_flight.filter_map(|attempt| attempt.tcp.zip(attempt.handshake)).map(|(tcp, begun)| {
            let estimate = 2 * tcp.rtt.unwrap_or(UNKNOWN_RTT).min(Config::LONGEST_DELAY) + HANDSHAKE_COMPUTATION;
            begun + estimate.max(MIN_HANDSHAKE_ESTIMATE)
        });
        let latest = last.started + config.clamped_max_attempt_delay();
        let regular = last.started + config.attempt_delay_for(order.rtt(last.addr));
        extended.map(|at| at.min(latest)).fold(regular, Instant::max)
    }

    /// The attempts of which a packet may have left. One that failed on this host before gives its turn back.
    fn counted(&self) -> impl DoubleEndedIterator<Item = &AttemptReport> {
        self.list.iter().filter(|attempt| !attempt.never_left())
    }

    /// What later races should know of each address of which that can be learned, once all attempts have ended.
    ///
    /// Silence counts only beside a winner, which shows that this host has a network, and how far the rest of it is: who
    /// had no more time than the winner needed is not silent. What answered comes last: it has more to say of its family,
    /// and of a host that has several ports.
    pub(super) fn lessons(
        &self,
        won: Option<AttemptId>,
        order: &Order,
        config: &Config,
    ) -> impl Iterator<Item = (SocketAddr, Lesson)> {
        let winner = won.and_then(|id| self.list.get(id.0));
        let won = winner.and_then(|winner| Some(winner.tcp?.up - winner.started));
        let lessons = move |reached| {
            let known = self.list.iter().filter(|attempt| order.knows(attempt.addr));
            let all = known.filter_map(move |attempt| {
                let rtt = order.rtt(attempt.addr);
                // A far host is given the time that it is known to take.
                let delay = config.attempt_delay_for(rtt);
                let patience = rtt.map_or(delay, |rtt| delay.max(3 * rtt.smoothed.min(Config::LONGEST_DELAY)));
                Some((attempt.addr, attempt.lesson(won, patience)?))
            });
            all.filter(move |(_, lesson)| matches!(lesson, Lesson::Reached { .. }) == reached)
        };
        lessons(false).chain(lessons(true))
    }

    /// Hands all of them out, for the report.
    pub(super) fn take(&mut self) -> Vec<AttemptReport> {
        std::mem::take(&mut self.list)
    }

    #[cfg(any(test, feature = "__internal"))]
    pub(super) fn so_far(&self) -> Vec<AttemptReport> {
        self.list.clone()
    }
}

impl AttemptReport {
    fn is_in_flight(&self) -> bool {
        matches!(self.outcome, AttemptOutcome::Pending)
    }

    fn has_failed(&self) -> bool {
        matches!(self.outcome, AttemptOutcome::Failed(_))
    }

    fn never_left(&self) -> bool {
        self.tcp.is_none()
            && matches!(&self.outcome, AttemptOutcome::Failed(failure) if failure.kind() == FailureKind::Local)
    }

    /// `won` is how long the handshake of the winner took, if there is one, `patience` how long silence is no news.
    fn lesson(&self, won: Option<Duration>, patience: Duration) -> Option<Lesson> {
        if let Some(tcp) = self.tcp {
            return Some(Lesson::Reached { rtt: tcp.rtt });
        }
        let silent = || (self.ended? >= self.started + patience.max(won?)).then_some(Lesson::Silent);
        match &self.outcome {
            AttemptOutcome::Failed(failure) => match failure.kind() {
                FailureKind::Unreachable => Some(Lesson::Unreachable),
                FailureKind::TimedOut => silent(),
                // The host is there.
                FailureKind::Refused => Some(Lesson::Reached { rtt: None }),
                _ => None,
            },
            AttemptOutcome::Cancelled => silent(),
            _ => None,
        }
    }

    fn deadline(&self, config: &Config) -> Option<Instant> {
        let tls = self.handshake.zip(config.tls_timeout).and_then(|(begun, timeout)| begun.checked_add(timeout));
        self.attempt_deadline(config).into_iter().chain(tls).min()
    }

    fn attempt_deadline(&self, config: &Config) -> Option<Instant> {
        self.started.checked_add(config.attempt_timeout?)
    }
}

/// The failure of an attempt whose time is up.
fn timed_out(text: &'static str) -> Failure {
    Failure::new(FailureKind::TimedOut, io::Error::new(io::ErrorKind::TimedOut, text))
}
