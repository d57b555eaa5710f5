//! What it all comes to.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::drill::{Client, DrillOutcome, DrillRun, Scenario};
use super::{AddressCheck, Check, ViaCheck};
use crate::resolve::QueryKind;

/// Below it a cost is the noise of the moment.
const NOTICEABLE: Duration = Duration::from_millis(20);
/// A certificate that ends sooner is worth a word.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Whether a site is reachable, and why it is said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// In a word.
    pub level: Level,
    /// In a sentence or two.
    pub reason: String,
    /// What is worth knowing although it changes nothing, a sentence each.
    pub notes: Vec<String>,
}

/// Whether a site is reachable, the better the less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums)] // there is no fourth
pub enum Level {
    /// Every address that can be checked from here serves.
    Ok,
    /// It works, but not by every address, or not at once.
    Degraded,
    /// It does not work for a user of this connector.
    Down,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Down => "down",
        })
    }
}

impl Verdict {
    /// Of a check that is complete but for its verdict.
    pub(super) fn of(check: &Check) -> Self {
        let (level, reason) = judge(check);
        Self { level, reason, notes: notes(check) }
    }
}

fn judge(check: &Check) -> (Level, String) {
    if let Some(why) = check.race.failure() {
        return (Level::Down, nobody_serves(check).unwrap_or(why));
    }
    let mut wrong: Vec<String> = Vec::new();
    wrong.extend(check.lookups.iter().filter_map(|lookup| {
        let error = lookup.failure()?;
        Some(format!("{} lookup: {error}", lookup.kind))
    }));
    let faulty = check.addresses.iter().filter_map(|address| Some((address, address.probe.fault.as_ref()?)));
    let faulty: Vec<_> = faulty.filter(|(_, fault)| !fault.class.is_unchecked()).collect();
    wrong.extend(faulty.iter().map(|(address, fault)| format!("{} {fault}", check.label(address.addr))));
    for via in &check.via {
        wrong.extend(via.faults().map(|(what, fault)| format!("via {}: {what} {fault}", via.proxy)));
    }
    if wrong.is_empty() {
        return (Level::Ok, serving(check));
    }
    let mut reason = wrong.join("; ");
    if !faulty.is_empty() && !check.drill.is_empty() {
        reason += &format!("; {}", losses(&check.drill));
    }
    (Level::Degraded, reason)
}

/// What is wrong with each address that could be tried, where none serves.
fn nobody_serves(check: &Check) -> Option<String> {
    let tried = check.addresses.iter().filter_map(|address| match &address.probe.fault {
        Some(fault) if fault.class.is_unchecked() => None,
        fault => Some((address, fault.as_ref())),
    });
    let faults = tried.map(|(address, fault)| Some(format!("{} {}", check.label(address.addr), fault?)));
    let faults = faults.collect::<Option<Vec<_>>>()?;
    (!faults.is_empty()).then(|| format!("no address serves: {}", faults.join("; ")))
}

fn serving(check: &Check) -> String {
    let good = check.addresses.iter().filter(|address| address.probe.is_good());
    let (v4, v6): (Vec<&AddressCheck>, Vec<_>) = good.partition(|address| address.addr.is_ipv4());
    let families = match (v6.len(), v4.len()) {
        (0, v4) => format!("IPv4 only, {}", counted(v4)),
        (v6, 0) => format!("IPv6 only, {}", counted(v6)),
        (v6, v4) => format!("IPv6 and IPv4, {v6} + {v4} addresses"),
    };
    match check.race.report.as_deref().and_then(|report| Some((report.winner()?.addr(), report.elapsed()))) {
        Some((addr, elapsed)) => {
            format!("{families}; connected to {} in {:.1} ms", check.label(addr), elapsed.as_secs_f64() * 1e3)
        }
        None => families,
    }
}

fn counted(addresses: usize) -> String {
    format!("{addresses} {}", if addresses == 1 { "address" } else { "addresses" })
}

/// Who loses how much, now.
fn losses(drill: &[DrillRun]) -> String {
    let now = drill.iter().filter(|run| run.scenario == Scenario::AsItIs);
    let losses = now.filter_map(|run| {
        let client = match run.client {
            Client::Own => "this connector",
            Client::Rfc6555 => "RFC 6555 clients",
            Client::Sequential => "sequential clients",
        };
        match (&run.outcome, run.cost) {
            (DrillOutcome::CutOff, _) => Some(format!("{client} > {} s", super::DRILL_LIMIT.as_secs())),
            (DrillOutcome::Failed { .. }, _) => Some(format!("{client} everything")),
            (_, Some(cost)) if cost >= NOTICEABLE => Some(format!("{client} {} ms", cost.as_millis())),
            _ => None,
        }
    });
    let losses: Vec<_> = losses.collect();
    match losses.is_empty() {
        true => "no client loses time by it".into(),
        false => format!("each new connection loses: {}", losses.join(", ")),
    }
}

fn notes(check: &Check) -> Vec<String> {
    let mut notes = Vec::new();
    let found = |kind: QueryKind| check.lookups.iter().any(|lookup| lookup.kind == kind && lookup.result.is_ok());
    let absent = |kind: QueryKind| {
        let mut of_kind = check.lookups.iter().filter(|lookup| lookup.kind == kind).peekable();
        of_kind.peek().is_some() && of_kind.all(|lookup| lookup.result.is_err() && lookup.failure().is_none())
    };
    if found(QueryKind::A) && absent(QueryKind::Aaaa) {
        notes.push("no AAAA: IPv6-only users cannot reach it unless their network translates".into());
    }
    if found(QueryKind::Aaaa) && absent(QueryKind::A) {
        notes.push("no A: IPv4-only users cannot reach it".into());
    }
    for (family, of) in [("IPv6", SocketAddr::is_ipv6 as fn(&SocketAddr) -> bool), ("IPv4", SocketAddr::is_ipv4)] {
        let mut faults =
            check.addresses.iter().filter(|address| of(&address.addr)).map(|it| &it.probe.fault).peekable();
        let class = faults.peek().and_then(|fault| Some(fault.as_ref()?.class));
        if let Some(class) = class.filter(|class| class.is_unchecked())
            && faults.all(|fault| fault.as_ref().is_some_and(|fault| fault.class.is_unchecked()))
        {
            notes.push(format!("{family} not checked: {class}"));
        }
    }
    notes.extend(check.via.iter().filter_map(ViaCheck::note));
    let ends = check.addresses.iter().filter_map(|address| Some(address.probe.certificate.as_ref()?.not_after));
    if let Some(end) = ends.min() {
        let left = end.after(std::time::SystemTime::now()).unwrap_or_default();
        if left < SOON {
            notes.push(format!("a certificate ends in {} days, on {end:#}", left.as_secs() / (24 * 60 * 60)));
        }
    }
    notes
}
