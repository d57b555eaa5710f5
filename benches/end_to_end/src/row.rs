//! What is checked: one number beside another, and how far apart they may be. A row of a table in Markdown, or an object.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// One measure: ours beside another.
pub struct Row {
    pub name: String,
    pub unit: Unit,
    pub ours: f64,
    pub other: Other,
    pub bound: Bound,
}

#[derive(Clone, Copy)]
pub enum Unit {
    Bytes,
    Instructions,
    Microseconds,
    Milliseconds,
    Queries,
    SystemCalls,
}

#[derive(Clone, Copy)]
pub enum Other {
    None,
    /// What a client took, by its name.
    Client(&'static str, f64),
    /// What a client could do at best.
    Ideal(f64),
}

#[derive(Clone, Copy)]
pub enum Bound {
    /// It hangs too much on the machine.
    None,
    Exactly(f64),
    /// Ours, at most.
    Most(f64),
    /// Ours in units of the other, at most.
    Ratio(f64),
    /// The other in units of ours, at least.
    Times(f64),
    /// Ours beyond the other, at most.
    Beyond(f64),
}

impl Unit {
    pub fn of(self, duration: Duration) -> f64 {
        match self {
            Self::Microseconds => duration.as_secs_f64() * 1e6,
            Self::Milliseconds => duration.as_secs_f64() * 1e3,
            _ => unreachable!("{} are no time", self.symbol()),
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::Bytes => "B",
            Self::Instructions => "instructions",
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
            Self::Queries => "queries",
            Self::SystemCalls => "system calls",
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Microseconds | Self::Milliseconds => format!("{value:.1} {}", self.symbol()),
            _ => format!("{} {}", thousands(value), self.symbol()),
        }
    }
}

/// A whole number as people read it.
pub fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

impl Row {
    pub const HEADER: &str = "| | this crate | beside | | bound | |\n|---|--:|---|--:|---|---|";

    fn other(&self) -> Option<f64> {
        match self.other {
            Other::None => None,
            Other::Client(_, took) | Other::Ideal(took) => Some(took),
        }
    }

    pub fn holds(&self) -> bool {
        let other = self.other().unwrap_or(f64::NAN);
        match self.bound {
            Bound::None => true,
            Bound::Exactly(value) => self.ours == value,
            Bound::Most(most) => self.ours <= most,
            Bound::Ratio(most) => self.ours / other <= most,
            Bound::Times(least) => other / self.ours >= least,
            Bound::Beyond(most) => self.ours - other <= most,
        }
    }

    fn verdict(&self) -> &'static str {
        match self.bound {
            Bound::None => "",
            _ if self.holds() => "ok",
            _ => "**BROKEN**",
        }
    }

    fn bound(&self) -> String {
        match self.bound {
            Bound::None => "none: it hangs on the machine".to_owned(),
            Bound::Exactly(value) => self.unit.show(value),
            Bound::Most(most) => format!("at most {}", self.unit.show(most)),
            Bound::Ratio(most) => format!("at most {most:.2} of it"),
            Bound::Times(least) => format!("at least {least:.0} times as much"),
            Bound::Beyond(most) => format!("at most {} more", self.unit.show(most)),
        }
    }

    pub fn json(&self) -> Value {
        json!({
            "measure": self.name,
            "unit": self.unit.symbol(),
            "ours": self.ours,
            "beside": match self.other {
                Other::None => None,
                Other::Client(name, _) => Some(name),
                Other::Ideal(_) => Some("ideal"),
            },
            "other": self.other(),
            "ratio": self.other().map(|other| self.ours / other),
            "bound": self.bound(),
            "ok": self.holds(),
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beside = match self.other {
            Other::None => String::new(),
            Other::Client(name, took) => format!("{name} {}", self.unit.show(took)),
            Other::Ideal(took) => format!("ideal {}", self.unit.show(took)),
        };
        let apart = match (self.bound, self.other()) {
            (_, None) => String::new(),
            (Bound::Beyond(_), Some(other)) => format!("{:+.1}", self.ours - other),
            (Bound::Times(_), Some(other)) => format!("1 / {:.0}", other / self.ours),
            (_, Some(other)) => format!("{:.3}", self.ours / other),
        };
        let (name, ours, bound, verdict) = (&self.name, self.unit.show(self.ours), self.bound(), self.verdict());
        write!(f, "| {name} | {ours} | {beside} | {apart} | {bound} | {verdict} |")
    }
}
