//! What the process of a test has: descriptors, tasks, memory.

// Every test binary uses another part of it.
#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::Handle;
use tokio::time::sleep;

/// What this process has, and the runtime that asks.
pub struct Left {
    pub descriptors: usize,
    pub tasks: usize,
}

impl Left {
    pub fn now() -> Self {
        Self {
            // The one that lists them is among them each time.
            descriptors: fs::read_dir("/proc/self/fd").expect("procfs").count(),
            tasks: Handle::current().metrics().num_alive_tasks(),
        }
    }

    /// Returns when there is no more than this, which has to be so soon: later only where the machine does not let this
    /// process run. Descriptors have more time than tasks, as the lab's are among them, which another thread closes.
    pub async fn is_back(&self, what: &str, tasks_within: Duration) {
        const TURN: Duration = Duration::from_millis(5);
        const DESCRIPTORS_WITHIN: Duration = Duration::from_secs(5);
        for turn in 0.. {
            let Self { descriptors, tasks } = Self::now();
            if descriptors <= self.descriptors && tasks <= self.tasks {
                return;
            }
            let within = if tasks > self.tasks { tasks_within } else { DESCRIPTORS_WITHIN };
            let counts = [descriptors, self.descriptors, tasks, self.tasks];
            assert!(turn * TURN < within, "{what}: descriptors and tasks, after and before: {counts:?}");
            sleep(TURN).await;
        }
    }
}

/// The memory of this process that no file stands behind, in bytes. The kernel's, for sockets, is not in it.
pub fn memory() -> usize {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").expect("procfs");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).expect("its format");
    let kilobytes: usize = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kilobytes * 1024
}

/// Lets this process have as many descriptors as it may, and returns how many that is.
pub fn raise_descriptor_limit() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    // Root may go beyond, unless it is a root of little power.
    for limit in [hard.max(1 << 16), hard] {
        if setrlimit(Resource::RLIMIT_NOFILE, limit, limit).is_ok() {
            return limit;
        }
    }
    getrlimit(Resource::RLIMIT_NOFILE).expect("a limit").0
}
