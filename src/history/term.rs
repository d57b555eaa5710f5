//! For how long a path goes last.

use std::time::{Duration, Instant};

use super::memory::LeaseId;
use crate::config::Config;

/// A path that leads nowhere is left alone until its term ends. Then it is half open: one race explores it, and for all
/// others it stays as it was until that race has learned something, or is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    until: Instant,
    length: Duration,
    explorer: Option<LeaseId>,
}

impl Term {
    pub(super) fn new(now: Instant) -> Self {
        Self { until: now + Config::MIN_UNREACHABLE_TIME, length: Config::MIN_UNREACHABLE_TIME, explorer: None }
    }

    /// The path was found to lead nowhere again. While the term lasts that is no news.
    pub(super) fn renew(&mut self, now: Instant) {
        if self.until <= now {
            self.length = (self.length * 2).min(Config::MAX_UNREACHABLE_TIME);
            self.until = now + self.length;
            self.explorer = None;
        }
    }

    /// Whether the term is over, and no other race explores.
    pub(super) fn may_be_explored(&self, lease: LeaseId, now: Instant) -> bool {
        self.until <= now && self.explorer.is_none_or(|explorer| explorer == lease)
    }

    pub(super) fn explore(&mut self, lease: LeaseId) {
        self.explorer = Some(lease);
    }

    pub(super) fn release(&mut self, lease: LeaseId) {
        if self.explorer == Some(lease) {
            self.explorer = None;
        }
    }

    /// How much is left.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.until.saturating_duration_since(now)
    }

    /// Whether it ended so long ago that it says nothing any more, even if a race is still said to explore: its future may
    /// never be polled again.
    pub(super) fn is_forgotten(&self, now: Instant) -> bool {
        now >= self.until + Config::MAX_UNREACHABLE_TIME
    }
}
