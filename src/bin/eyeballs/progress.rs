//! A line on stderr while something takes long.

use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::terminal::stderr_width;

/// What ends sooner needs no line.
const PATIENCE: Duration = Duration::from_millis(500);

pub(crate) struct Progress {
    shown: bool,
}

impl Progress {
    /// Shown on a terminal.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { shown: !quiet && io::stderr().is_terminal() }
    }

    /// Says `what` goes on, and for how long already, until `work` is done.
    pub(crate) async fn during<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if !self.shown {
            return work.await;
        }
        let start = Instant::now();
        if let Ok(done) = timeout(PATIENCE, work.as_mut()).await {
            return done;
        }
        loop {
            show(&format!("{what} {} s", start.elapsed().as_secs()));
            if let Ok(done) = timeout(Duration::from_secs(1), work.as_mut()).await {
                show("");
                return done;
            }
        }
    }
}

/// Shows a line in the place of the last one. Nothing hangs on its being seen.
fn show(line: &str) {
    // A line that wraps could not be taken back.
    let line: String = line.chars().take(stderr_width().unwrap_or(80).saturating_sub(1)).collect();
    let mut stderr = io::stderr();
    let _ = write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush());
}
