//! What is printed of a measure.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// One measure: ours beside the others'.
pub struct Row {
    pub name: &'static str,
    pub unit: Unit,
    pub ours: f64,
    pub http_connector: Other,
    /// What a client could do at best.
    pub ideal: Option<f64>,
    pub bound: Bound,
}

#[derive(Clone, Copy)]
pub enum Unit {
    Instructions,
    Microseconds,
    Milliseconds,
}

/// What `HttpConnector` took.
#[derive(Clone, Copy)]
pub enum Other {
    /// It has nothing of the kind.
    None,
    Took(f64),
    /// It was not done after so long.
    Cut(f64),
}

#[derive(Clone, Copy)]
pub enum Bound {
    None,
    /// Ours, at most.
    Most(f64),
    /// Ours in units of `HttpConnector`'s, at most.
    Ratio(f64),
    /// Ours and the ideal, apart at most.
    Apart(f64),
}

impl Unit {
    pub fn of(self, duration: Duration) -> f64 {
        match self {
            Self::Instructions => unreachable!("instructions are no time"),
            Self::Microseconds => duration.as_secs_f64() * 1e6,
            Self::Milliseconds => duration.as_secs_f64() * 1e3,
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Instructions => format!("{value:.0}"),
            Self::Microseconds | Self::Milliseconds => format!("{value:.1} {}", self.symbol()),
        }
    }
}

impl Row {
    pub const HEADER: &str =
        "                                         ours  HttpConnector      ideal  ours to that, and the bound";

    fn ratio(&self) -> Option<f64> {
        match self.http_connector {
            Other::Took(took) => Some(self.ours / took),
            Other::None | Other::Cut(_) => None,
        }
    }

    pub fn holds(&self) -> bool {
        match self.bound {
            Bound::None => true,
            Bound::Most(most) => self.ours <= most,
            Bound::Ratio(most) => self.ratio().is_some_and(|ratio| ratio <= most),
            Bound::Apart(most) => self.ideal.is_some_and(|ideal| (self.ours - ideal).abs() <= most),
        }
    }

    pub fn json(&self) -> Value {
        let bound = match self.bound {
            Bound::None => None,
            Bound::Most(most) | Bound::Ratio(most) | Bound::Apart(most) => Some(most),
        };
        let http_connector = match self.http_connector {
            Other::Took(took) => Some(took),
            Other::None | Other::Cut(_) => None,
        };
        json!({
            "measure": self.name,
            "unit": self.unit.symbol(),
            "ours": self.ours,
            "http_connector": http_connector,
            "ideal": self.ideal,
            "ratio": self.ratio(),
            "bound": bound,
            "ok": self.holds(),
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let http_connector = match self.http_connector {
            Other::None => "-".to_owned(),
            Other::Took(took) => self.unit.show(took),
            Other::Cut(after) => format!("> {}", self.unit.show(after)),
        };
        let ideal = self.ideal.map_or_else(|| "-".to_owned(), |ideal| self.unit.show(ideal));
        write!(f, "{:<33}{:>12}  {:>13}  {:>9}  ", self.name, self.unit.show(self.ours), http_connector, ideal)?;
        if let (Bound::None | Bound::Ratio(_), Some(ratio)) = (self.bound, self.ratio()) {
            write!(f, "{ratio:.3} of HttpConnector's")?;
        }
        match self.bound {
            Bound::None => return Ok(()),
            Bound::Most(most) => write!(f, "at most {}: ", self.unit.show(most))?,
            Bound::Ratio(most) => write!(f, ", at most {most:.2}: ")?,
            Bound::Apart(most) => {
                let apart = self.ours - self.ideal.unwrap_or(f64::NAN);
                write!(f, "{apart:+.1} of the ideal, within {}: ", self.unit.show(most))?;
            }
        }
        f.write_str(if self.holds() { "ok" } else { "BROKEN" })
    }
}
