//! A line on stderr while something takes long.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::timeout;

use crate::waterfall::clean;

/// What ends sooner needs no line.
const PATIENCE: Duration = Duration::from_millis(500);

pub(crate) struct Progress {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    /// Of one thing, which is `what`.
    pub(crate) fn of_one(what: &str, quiet: bool) -> Self {
        Self::new(ProgressBar::no_length().with_message(clean(what)), "{spinner} {elapsed} {wide_msg}", quiet)
    }

    /// Of `count` things.
    pub(crate) fn of_many(count: usize, quiet: bool) -> Self {
        Self::new(ProgressBar::new(count as u64), "[{bar:30}] {pos} of {len} done{msg}", quiet)
    }

    fn new(bar: ProgressBar, template: &'static str, quiet: bool) -> Self {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        // A template that cannot be read would be seen in its place.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bar: bar.with_style(style.tick_chars(r"|/-\ ").progress_chars("=> ")), quiet }
    }

    /// Shown on a terminal, once `work` takes long and until it is done.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if self.quiet {
            return work.await;
        }
        if let Ok(done) = timeout(PATIENCE, work.as_mut()).await {
            return done;
        }
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
        self.bar.enable_steady_tick(Duration::from_millis(100));
        let done = work.await;
        self.bar.finish_and_clear();
        done
    }

    /// One more of many is done, and what there is to say of those that are.
    pub(crate) fn advance(&self, said: String) {
        if self.bar.length().is_some() {
            self.bar.set_message(said);
            self.bar.inc(1);
        }
    }

    /// Runs `print` while no line is in the way.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}
