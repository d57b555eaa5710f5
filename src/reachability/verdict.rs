//! What it all comes to.

use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::drill::{Client, DrillOutcome, DrillRun, Scenario};
use super::fault::{Fault, FaultClass};
use super::fetch::FetchError;
use super::{AddressCheck, Check, ViaCheck};
use crate::resolve::QueryKind;

/// What a fault costs counts from here, in the verdict's reason too: below it is the noise of the moment.
pub const NOTICEABLE: Duration = Duration::from_millis(20);
/// So many addresses are named that have one fault.
const NAMED: usize = 3;
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
        let unresolved = || unresolved(check.race.error.as_ref()?);
        return (Level::Down, nobody_serves(check).or_else(unresolved).unwrap_or(why));
    }
    let mut wrong: Vec<String> = Vec::new();
    wrong.extend(check.lookups.iter().filter_map(|lookup| {
        let error = lookup.failure()?;
        Some(format!("{} lookup: {error}", lookup.kind))
    }));
    let faulty = check.addresses.iter().filter_map(|address| Some((address.addr, address.probe.fault.as_ref()?)));
    let faulty: Vec<_> = faulty.filter(|(_, fault)| !fault.class.is_unchecked()).collect();
    let label = |(addr, fault): &(SocketAddr, _)| (check.label(*addr), *fault);
    wrong.extend(by_fault(faulty.iter().map(label)));
    for via in &check.via {
        let faults =
            via.faults().map(|(addr, fault)| (addr.map_or_else(|| "the name".into(), |addr| check.label(addr)), fault));
        wrong.extend(by_fault(faults).into_iter().map(|fault| format!("via {}: {fault}", via.proxy)));
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

/// What is wrong with each address that could be tried, or with all if none could, where none serves.
fn nobody_serves(check: &Check) -> Option<String> {
    let faults = check.addresses.iter().map(|address| Some((check.label(address.addr), address.probe.fault.as_ref()?)));
    let faults = faults.collect::<Option<Vec<_>>>()?;
    let tried: Vec<_> = faults.iter().filter(|(_, fault)| !fault.class.is_unchecked()).cloned().collect();
    match (&*tried, &*faults) {
        ([], []) => None,
        // The reasons of policies name the address.
        ([], all) if all.iter().all(|(_, fault)| fault.class == FaultClass::Denied) => {
            let reasons: Vec<_> = all.iter().map(|(_, fault)| &*fault.detail).collect();
            Some(format!("every address is denied: {}", reasons.join("; ")))
        }
        ([], _) => Some(format!("no address can be checked: {}", by_fault(faults).join("; "))),
        _ => Some(format!("no address serves: {}", by_fault(tried).join("; "))),
    }
}

/// Those that have the same fault together, in the order of the first.
fn by_fault<'a>(faulty: impl IntoIterator<Item = (String, &'a Fault)>) -> Vec<String> {
    let mut groups: Vec<(&Fault, Vec<String>)> = Vec::new();
    for (label, fault) in faulty {
        match groups.iter_mut().find(|(known, _)| *known == fault) {
            Some((_, labels)) => labels.push(label),
            None => groups.push((fault, vec![label])),
        }
    }
    let words = groups.into_iter().map(|(fault, labels)| match labels.len().saturating_sub(NAMED) {
        0 => format!("{} {fault}", labels.join(", ")),
        more => format!("{} and {more} more {fault}", labels[..NAMED].join(", ")),
    });
    words.collect()
}

/// Why a connect came to no address, without what the error tells of each lookup besides.
fn unresolved(error: &FetchError) -> Option<String> {
    let FetchError::Connect(error) = error else { return None };
    let report = error.report().filter(|report| report.attempts().is_empty())?;
    let queries = report.queries().iter().filter(|query| query.kind() != QueryKind::Https);
    let failures = queries.filter_map(|query| {
        let why = match query.result() {
            Some(Ok(_)) => return None,
            Some(Err(error)) => error.to_string(),
            None => "no answer in time".into(),
        };
        Some((format!("{} {}", query.kind(), query.name().trim_end_matches('.')), why))
    });
    let failures: Vec<_> = failures.collect();
    let why = match &*failures {
        [] => error.source().filter(|_| error.is_dns())?.to_string(),
        [(_, why), rest @ ..] if rest.iter().all(|(_, other)| other == why) => why.clone(),
        several => several.iter().map(|(what, why)| format!("{what}: {why}")).collect::<Vec<_>>().join("; "),
    };
    Some(format!("name not resolved: {why}"))
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
        true => format!("no client loses {} ms or more by it", NOTICEABLE.as_millis()),
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
        let of_family: Vec<_> = check.addresses.iter().filter(|address| of(&address.addr)).collect();
        let faults = of_family.iter().filter_map(|address| address.probe.fault.as_ref());
        let unchecked: Vec<_> = faults.filter(|fault| fault.class.is_unchecked()).collect();
        match (&*unchecked, of_family.len()) {
            ([], _) => {}
            ([first, ..], all) if unchecked.len() == all => {
                // Of a failure of this host's own its class says nothing.
                let why = if first.class == FaultClass::Local { first.to_string() } else { first.class.to_string() };
                notes.push(format!("{family} not checked: {why}"));
            }
            ([first, ..], all) => {
                notes.push(format!("{} of {all} {family} addresses not checked: {first}", unchecked.len()));
            }
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
