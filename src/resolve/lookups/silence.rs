//! Whether HTTPS queries are answered at all.
//!
//! Some resolvers, and boxes before them, drop queries of a type that they do not know. A race would wait for each one
//! until the Resolution Delay is over, and for nothing.

use std::time::Duration;

use tokio::time::Instant;

use super::{Outcome, ResolveErrorKind};

/// Unanswered queries in a row that are taken for silence.
const MAX_UNANSWERED: u32 = 3;
/// How long a silence lasts after the last unanswered query.
const SILENCE: Duration = Duration::from_secs(10 * 60);
/// A query that was given up before the Resolution Delay might have been answered.
const MIN_WAIT: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(super) struct Silence {
    /// In a row.
    unanswered: u32,
    until: Option<Instant>,
}

impl Silence {
    pub(super) fn lasts(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// A lookup has ended.
    pub(super) fn outcome(&mut self, outcome: &Outcome, now: Instant) {
        match outcome.as_ref().map_err(|error| error.kind()) {
            Err(ResolveErrorKind::Timeout) => self.unanswered(now),
            // Says nothing of the server.
            Err(ResolveErrorKind::Other) => {}
            Ok(_) | Err(_) => *self = Self::default(),
        }
    }

    /// A lookup was ended without an outcome.
    pub(super) fn given_up(&mut self, started: Instant, now: Instant) {
        if now.duration_since(started) >= MIN_WAIT {
            self.unanswered(now);
        }
    }

    fn unanswered(&mut self, now: Instant) {
        self.unanswered = self.unanswered.saturating_add(1);
        if self.unanswered >= MAX_UNANSWERED {
            self.until = now.checked_add(SILENCE);
        }
    }
}
