//! Processes of clients, as they are, and under tools that count what they do.

use std::io::ErrorKind;
use std::process::Command;
use std::sync::Once;

use crate::BoxError;
use crate::row::Unit;
use crate::servers::Places;
use crate::work::{Costs, Work};

/// Without its fast bins glibc's allocator does the same however the heap lies, which hangs on the length of paths and
/// arguments, and is two per cent of a GET.
const ALLOCATOR: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.mxfast=0:glibc.malloc.tcache_count=200");
/// What the shorter of two runs does, which is taken off the longer one with all that it costs to start.
const FEW: usize = 20;

#[derive(Clone, Copy)]
pub enum Tool {
    /// Instructions, in user space.
    Callgrind,
    /// System calls.
    Strace,
}

/// What one of `count` costs.
pub fn costs(places: &Places, work: &Work, count: usize) -> Result<Costs, BoxError> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args(arguments(places, work, count)?).output()?;
    if !output.status.success() {
        return Err(format!("a client failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

impl Tool {
    /// What one more of `work` takes. Its runs follow one another: how often a task is polled hangs on how fast the
    /// server is.
    pub fn count(self, places: &Places, work: &Work, more: usize) -> Result<Option<f64>, BoxError> {
        self.count_each(more, |count| arguments(places, work, count))
    }

    /// What one more of anything takes, from the arguments for so many of it.
    pub fn count_each<const N: usize>(
        self,
        more: usize,
        arguments: impl Fn(usize) -> Result<[String; N], BoxError>,
    ) -> Result<Option<f64>, BoxError> {
        let [few, many] = [FEW, FEW + more].map(|count| self.count_process(&arguments(count)?));
        Ok(few?.zip(many?).map(|(few, many)| (many - few) / more as f64))
    }

    /// What a whole process takes; `None`, and said so, where the tool is missing or not permitted.
    pub fn count_process(self, arguments: &[String]) -> Result<Option<f64>, BoxError> {
        let mut command = match self {
            Self::Callgrind => Command::new("valgrind"),
            Self::Strace => Command::new("strace"),
        };
        match self {
            Self::Callgrind => command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]),
            Self::Strace => command.args(["--follow-forks", "--summary-only"]),
        };
        command.env(ALLOCATOR.0, ALLOCATOR.1).arg(std::env::current_exe()?);
        let output = match command.args(arguments).output() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(self.is_of_no_use("it is not installed")),
            output => output?,
        };
        let text = String::from_utf8_lossy(&output.stderr);
        if matches!(self, Self::Strace) && text.contains("Operation not permitted") {
            return Ok(self.is_of_no_use(&text));
        }
        match self.read(&text) {
            Some(count) if output.status.success() => Ok(Some(count)),
            _ => Err(format!("there should be a count here:\n{text}").into()),
        }
    }

    pub fn unit(self) -> Unit {
        match self {
            Self::Callgrind => Unit::Instructions,
            Self::Strace => Unit::SystemCalls,
        }
    }

    fn read(self, text: &str) -> Option<f64> {
        let mut lines = text.lines();
        let count = match self {
            Self::Callgrind => lines.find_map(|line| line.split_once("Collected :")?.1.split_whitespace().next()),
            // Per cent, seconds, microseconds a call, calls, perhaps errors.
            Self::Strace => lines.find(|line| line.ends_with(" total"))?.split_whitespace().nth(3),
        };
        count?.parse().ok()
    }

    /// Loud, and once.
    fn is_of_no_use(self, reason: &str) -> Option<f64> {
        static SAID: [Once; 2] = [Once::new(), Once::new()];
        let (said, text) = match self {
            Self::Callgrind => (&SAID[0], "INSTRUCTIONS ARE NOT COUNTED, and their bounds not checked: valgrind"),
            Self::Strace => (&SAID[1], "SYSTEM CALLS ARE NOT COUNTED, and their bounds not checked: strace"),
        };
        said.call_once(|| eprintln!("\n  {text}: {}\n", reason.trim_end()));
        None
    }
}

/// Of a client's process.
pub fn arguments(places: &Places, work: &Work, count: usize) -> Result<[String; 4], BoxError> {
    Ok(["client".to_owned(), serde_json::to_string(places)?, serde_json::to_string(work)?, count.to_string()])
}
