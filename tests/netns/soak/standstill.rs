//! Whether the machine stood still.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, gettid};

use crate::namespace::schedule_thread;
use crate::packet_socket::now;
use crate::study::relay::{BEAT, STOOD_STILL};

const THIS_THREAD: Pid = Pid::from_raw(0);

/// A thread on each CPU that wakes with each beat, before everything else that the test runs. The relay sees no more
/// than its own CPU.
pub(crate) struct Watch(Arc<Mutex<Vec<(Duration, Duration)>>>);

impl Watch {
    /// The threads end with the process.
    pub(crate) fn start() -> Self {
        let standstills = Arc::default();
        let usable = sched_getaffinity(THIS_THREAD).expect("the CPUs of this process");
        for cpu in (0..CpuSet::count()).filter(|cpu| usable.is_set(*cpu).is_ok_and(|is_set| is_set)) {
            let standstills = Arc::clone(&standstills);
            thread::spawn(move || watch(cpu, &standstills));
        }
        Self(standstills)
    }

    /// Whether a CPU stood still at some time between these two.
    pub(crate) fn stood_still(&self, from: Duration, until: Duration) -> bool {
        let standstills = self.0.lock().expect("nothing panics under this lock");
        standstills.iter().any(|(start, end)| *start < until && from < *end)
    }
}

fn watch(cpu: usize, standstills: &Mutex<Vec<(Duration, Duration)>>) {
    let mut only = CpuSet::new();
    only.set(cpu).expect("it is one of them");
    sched_setaffinity(THIS_THREAD, &only).expect("it is usable");
    schedule_thread(gettid(), "--rr", 3);
    loop {
        let wake = now() + BEAT;
        thread::sleep(BEAT);
        let woken = now();
        if woken.saturating_sub(wake) >= STOOD_STILL {
            standstills.lock().expect("nothing panics under this lock").push((wake, woken));
        }
    }
}
