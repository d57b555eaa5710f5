//! Whether the machine stood still. Then times that a test has measured say nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, gettid};
use tokio::time::sleep;

use crate::namespace::schedule_thread;
use crate::packet_socket::now;

const BEAT: Duration = Duration::from_millis(5);
/// A thread that wakes so late did not run for a while, and neither did the test.
const STOOD_STILL: Duration = Duration::from_millis(15);
const THIS_THREAD: Pid = Pid::from_raw(0);

static WATCH: OnceLock<Watch> = OnceLock::new();

/// A thread on each CPU that wakes with each beat, before everything else that the test runs.
struct Watch {
    cpus: Vec<Cpu>,
    standstills: Mutex<Vec<(Duration, Duration)>>,
}

struct Cpu {
    index: usize,
    beats: AtomicU64,
}

/// Watches from now on, until the process ends.
pub(crate) async fn watch() {
    let usable = sched_getaffinity(THIS_THREAD).expect("the CPUs of this process");
    let watch = WATCH.get_or_init(|| {
        let cpus = (0..CpuSet::count()).filter(|cpu| usable.is_set(*cpu).is_ok_and(|is_set| is_set));
        let cpus = cpus.map(|index| Cpu { index, beats: AtomicU64::new(0) });
        Watch { cpus: cpus.collect(), standstills: Mutex::default() }
    });
    for cpu in &watch.cpus {
        thread::spawn(|| watch.beat(cpu));
    }
    watch.until_each_has_beaten().await;
}

/// Whether a CPU stood still at some time between these two, of which the later one is now.
pub(crate) async fn happened(from: Duration, until: Duration) -> bool {
    let watch = WATCH.get().expect("it watches");
    // A standstill is known when it is over.
    watch.until_each_has_beaten().await;
    let standstills = watch.standstills.lock().expect("nothing panics under this lock");
    standstills.iter().any(|(start, end)| *start < until && from < *end)
}

impl Watch {
    fn beat(&self, cpu: &Cpu) {
        let mut only = CpuSet::new();
        only.set(cpu.index).expect("it is one of them");
        sched_setaffinity(THIS_THREAD, &only).expect("it is usable");
        schedule_thread(gettid(), "--rr", 3);
        loop {
            let (start, monotonic) = (now(), Instant::now());
            thread::sleep(BEAT);
            // The clock of the packets may be set meanwhile.
            let end = now();
            let elapsed = monotonic.elapsed().max(end.abs_diff(start));
            if elapsed >= BEAT + STOOD_STILL {
                let standstill = (start.min(end), start.max(end));
                self.standstills.lock().expect("nothing panics under this lock").push(standstill);
            }
            cpu.beats.fetch_add(1, Ordering::Release);
        }
    }

    async fn until_each_has_beaten(&self) {
        for cpu in &self.cpus {
            let beats = cpu.beats.load(Ordering::Acquire);
            while cpu.beats.load(Ordering::Acquire) == beats {
                sleep(Duration::from_millis(1)).await;
            }
        }
    }
}
