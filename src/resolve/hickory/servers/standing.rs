//! Whether a name server answers at all.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_resolver::net::NetError;
use tokio::time::Instant;

/// Unanswered lookups, one after the other, that are taken for silence.
const MAX_UNANSWERED: u32 = 2;
/// How long a silence is believed in. It doubles with each lookup after it that is unanswered again.
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// A lookup that was given up sooner might have been answered, as a name server has others to ask.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Standing {
    patience: Duration,
    record: Mutex<Record>,
}

#[derive(Default)]
struct Record {
    /// In a row.
    unanswered: u32,
    /// When the last one of these ended.
    last: Option<Instant>,
    silent_until: Option<Instant>,
}

impl Standing {
    /// `timeout` is the longest that a lookup takes.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { patience: PATIENCE.min(timeout / 2), record: Mutex::default() }
    }

    pub(super) fn is_silent(&self) -> bool {
        self.record().silent_until.is_some_and(|until| Instant::now() < until)
    }

    /// A lookup begins. Dropping what is returned gives it up.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked { standing: self, at: Instant::now(), ended: false }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Asked<'a> {
    standing: &'a Standing,
    at: Instant,
    ended: bool,
}

impl Asked<'_> {
    pub(super) fn end<T>(mut self, result: &Result<T, NetError>) {
        self.ended = true;
        match result {
            Ok(_) | Err(NetError::Dns(_)) => *self.standing.record() = Record::default(),
            Err(NetError::Timeout) => self.unanswered(),
            // Costs no time, or says nothing of the server.
            Err(_) => {}
        }
    }

    fn unanswered(&self) {
        let now = Instant::now();
        let mut record = self.standing.record();
        // Of lookups at one time, such as for both families, all are lost together.
        if record.last.is_some_and(|last| self.at < last) {
            return;
        }
        record.last = Some(now);
        record.unanswered = record.unanswered.saturating_add(1);
        if let Some(again) = record.unanswered.checked_sub(MAX_UNANSWERED) {
            let silence = SHORTEST.saturating_mul(2u32.saturating_pow(again)).min(LONGEST);
            record.silent_until = now.checked_add(silence);
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.ended && self.at.elapsed() >= self.standing.patience {
            self.unanswered();
        }
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::net::DnsError;
    use hickory_resolver::proto::op::ResponseCode;
    use tokio::time::advance;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);
    const MS: Duration = Duration::from_millis(1);

    async fn unanswered(standing: &Standing) {
        let asked = standing.asked();
        advance(TIMEOUT).await;
        asked.end::<()>(&Err(NetError::Timeout));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_follows_two_unanswered_lookups_and_doubles() {
        let standing = Standing::new(TIMEOUT);
        unanswered(&standing).await;
        assert!(!standing.is_silent());
        for seconds in [10, 20, 40, 80, 160, 300, 300] {
            unanswered(&standing).await;
            advance(Duration::from_secs(seconds) - MS).await;
            assert!(standing.is_silent(), "{seconds}");
            advance(MS).await;
            assert!(!standing.is_silent(), "{seconds}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_a_server_says_ends_its_silence() {
        for result in [Ok(()), Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)))] {
            let standing = Standing::new(TIMEOUT);
            unanswered(&standing).await;
            unanswered(&standing).await;
            assert!(standing.is_silent());
            standing.asked().end(&result);
            assert!(!standing.is_silent());
            unanswered(&standing).await;
            assert!(!standing.is_silent(), "it starts anew");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lookups_at_one_time_count_once() {
        let standing = Standing::new(TIMEOUT);
        let asked = [standing.asked(), standing.asked(), standing.asked()];
        advance(TIMEOUT).await;
        drop(asked);
        assert!(!standing.is_silent());
        unanswered(&standing).await;
        assert!(standing.is_silent());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_is_given_up_early_counts_for_nothing() {
        for (timeout, patience) in [(TIMEOUT, PATIENCE), (100 * MS, 50 * MS)] {
            let standing = Standing::new(timeout);
            let give_up_after = async |wait| {
                let asked = standing.asked();
                advance(wait).await;
                drop(asked);
            };
            for _ in 0..5 {
                give_up_after(patience - MS).await;
            }
            assert!(!standing.is_silent());
            give_up_after(patience).await;
            give_up_after(patience).await;
            assert!(standing.is_silent());
        }
    }
}
