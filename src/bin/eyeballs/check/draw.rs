//! The drawing of a check: the verdict, then what it stands on.

use std::fmt::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use hyper_happy_eyeballs::reachability::{
    AddressCheck, Check, Client, DRILL_LIMIT, DrillOutcome, DrillRun, Level, Lookup, NOTICEABLE, Ping, Probe, ViaCheck,
};
use hyper_happy_eyeballs::resolve::QueryKind;

use super::Checked;
use crate::get::draw::{asked, list, race, status, unresolved};
use crate::table::{Align, Cell, Row, Table};
use crate::terminal::Canvas;
use crate::waterfall::{BAD, BOLD, DIM, GOOD, Tone, clean, millis, wrapped};
use crate::words::bare;

const WARNING: Style = AnsiColor::Yellow.on_default();
/// The longest level and two blanks.
const INDENT: usize = "degraded".len() + 2;

/// Of the table of addresses, before those of the proxies.
const OWN_COLUMNS: [(&str, Align); 6] = [
    ("Address", Align::Left),
    ("status", Align::Left),
    ("TCP", Align::Right),
    ("TLS", Align::Right),
    ("server", Align::Right),
    ("ping", Align::Right),
];

/// Which targets are shown with all that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    Full,
    OfFaulty,
}

impl Detail {
    /// What is shown of `checked` beside the verdict.
    pub(crate) fn of(self, checked: &Checked) -> Option<&Check> {
        let check = checked.result.as_ref().ok()?;
        (self == Self::Full || check.verdict.level != Level::Ok).then_some(check)
    }
}

/// Lines. The URL has room for `url_width` characters, as others of a list do.
pub(crate) fn drawing(checked: &Checked, details: Option<&Check>, url_width: usize, canvas: Canvas) -> String {
    let mut drawing = verdict(checked, url_width, canvas);
    if let Some(check) = details {
        let sections = [
            dns(check, canvas),
            addresses(check, canvas),
            race("A user's connect", &check.race, canvas) + &response(check),
            drill(check, canvas),
        ];
        for section in sections.iter().filter(|section| !section.is_empty()) {
            drawing.push('\n');
            drawing += section;
        }
        if !check.verdict.notes.is_empty() {
            drawing.push('\n');
        }
    }
    for note in checked.result.iter().flat_map(|check| &check.verdict.notes) {
        hanging(&mut drawing, &Cell::new("note", WARNING), &clean(note), canvas);
    }
    drawing
}

fn verdict(checked: &Checked, url_width: usize, canvas: Canvas) -> String {
    let level = checked.level();
    let style = match level {
        Level::Ok => GOOD,
        Level::Degraded => WARNING.bold(),
        Level::Down => BAD.bold(),
    };
    let (url, reason) = (clean(&checked.url), clean(&checked.reason()));
    let mut drawing = String::new();
    if INDENT + url.chars().count().max(url_width) + 2 + reason.chars().count() <= canvas.width {
        let _ = writeln!(drawing, "{style}{level:8}{style:#}  {BOLD}{url:url_width$}{BOLD:#}  {reason}");
    } else {
        let _ = writeln!(drawing, "{style}{level:8}{style:#}  {BOLD}{url}{BOLD:#}");
        hanging(&mut drawing, &Cell::default(), &reason, canvas);
    }
    drawing
}

/// A text below the URL, and what it is.
fn hanging(drawing: &mut String, what: &Cell, text: &str, canvas: Canvas) {
    let Cell { text: what, style } = what;
    for (index, line) in wrapped(text, canvas.width.saturating_sub(INDENT)).iter().enumerate() {
        let what = if index == 0 { what } else { "" };
        let _ = writeln!(drawing, "{style}{what:INDENT$}{style:#}{line}");
    }
}

fn dns(check: &Check, canvas: Canvas) -> String {
    if check.lookups.is_empty() {
        return String::new();
    }
    let columns = [("DNS", Align::Left), ("name", Align::Left), ("time", Align::Right), ("TTL", Align::Right)];
    let mut table = Table::new(columns.map(|(head, align)| (head.into(), align)));
    for lookup in &check.lookups {
        let time = lookup.end.map(|end| millis(end.saturating_sub(lookup.start)));
        let ttl = lookup.ttl.map(|ttl| format!("{} s", ttl.as_secs()));
        let name = clean(asked(&lookup.name, &check.origin));
        let cells = vec![
            Cell::new(lookup.kind.to_string(), Style::new()),
            Cell::new(name, Style::new()),
            Cell::maybe(time),
            Cell::maybe(ttl),
        ];
        table.row(Row { cells, texts: answers(lookup) });
    }
    table.draw(canvas)
}

fn answers(lookup: &Lookup) -> Vec<Cell> {
    let mut texts = Vec::new();
    if !lookup.aliases.is_empty() {
        let names: Vec<_> = lookup.aliases.iter().map(|name| bare(name)).collect();
        texts.push(Cell::new(clean(&format!("CNAME {}", names.join(" -> "))), DIM));
    }
    texts.push(match &lookup.result {
        Err(error) => {
            let (text, tone) = unresolved(error);
            Cell::new(text, if tone == Tone::Failed { BAD } else { DIM })
        }
        Ok(_) if lookup.kind == QueryKind::Https => Cell::new(clean(&list(&lookup.services, "; ")), Style::new()),
        Ok(addrs) => Cell::new(addrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), Style::new()),
    });
    texts
}

fn addresses(check: &Check, canvas: Canvas) -> String {
    if check.addresses.is_empty() {
        return String::new();
    }
    let own = OWN_COLUMNS.map(|(head, align)| (head.to_owned(), align));
    let vias = check.via.iter().map(|via| {
        let proxy = via.proxy.to_string();
        (format!("via {}", proxy.strip_prefix("socks5h://").unwrap_or(&proxy)), Align::Left)
    });
    let mut table = Table::new(own.into_iter().chain(vias));
    for address in &check.addresses {
        table.row(row(check, address));
    }
    if check.via.iter().any(|via| via.by_name.is_some()) {
        let mut cells = vec![Cell::new("by name", Style::new())];
        cells.resize(OWN_COLUMNS.len(), Cell::maybe(None));
        cells.extend(check.via.iter().map(|via| seen(via.by_name.as_ref())));
        table.row(Row { cells, texts: Vec::new() });
    }
    let mut drawing = table.draw(canvas);
    let forbidden = check.addresses.iter().find_map(|address| match &address.ping {
        Some(ping @ Ping::NotPermitted(_)) => Some(ping.to_string()),
        _ => None,
    });
    for line in forbidden.iter().flat_map(|why| wrapped(&format!("ping {}", clean(why)), canvas.width)) {
        let _ = writeln!(drawing, "{DIM}{line}{DIM:#}");
    }
    drawing
}

fn row(check: &Check, address: &AddressCheck) -> Row {
    let AddressCheck { addr, ping, probe, .. } = address;
    let time = |time: Option<Duration>| Cell::maybe(time.map(millis));
    let handshake = probe.tls.map(|tls| tls.saturating_sub(probe.tcp.unwrap_or_default()));
    let ping = match ping {
        Some(Ping::Answered(after)) => time(Some(*after)),
        Some(Ping::Silent) => Cell::new("silent", DIM),
        Some(Ping::Failed(_)) => Cell::new("failed", DIM),
        _ => Cell::maybe(None),
    };
    let mut cells = vec![
        Cell::new(check.label(*addr), Style::new()),
        state(probe),
        time(probe.tcp),
        time(handshake),
        time(probe.server_time()),
        ping,
    ];
    let via = |via: &ViaCheck| seen(via.addresses.iter().find(|(other, _)| other == addr).map(|(_, probe)| probe));
    cells.extend(check.via.iter().map(via));
    Row { cells, texts: facts(address) }
}

/// Whether an address serves, in a word or two.
fn state(probe: &Probe) -> Cell {
    match (&probe.fault, &probe.response) {
        (Some(fault), response) => {
            let style = if fault.class.is_unchecked() { WARNING } else { BAD };
            let status = response.as_ref().map(|response| response.status.as_u16().to_string());
            Cell::new(status.unwrap_or_else(|| fault.class.to_string()), style)
        }
        (None, Some(response)) => Cell::new(response.status.as_u16().to_string(), GOOD),
        (None, None) => Cell::maybe(None),
    }
}

/// What a proxy sees.
fn seen(probe: Option<&Probe>) -> Cell {
    let Some(probe) = probe else { return Cell::maybe(None) };
    let mut cell = state(probe);
    if let Some(connected) = probe.connected() {
        let _ = write!(cell.text, " in {}", millis(connected));
    }
    cell
}

/// What is wrong with an address, and who it is.
fn facts(address: &AddressCheck) -> Vec<Cell> {
    let AddressCheck { target, source, pointers, ping, probe, .. } = address;
    let mut texts = Vec::new();
    if let Some(fault) = &probe.fault {
        let style = if fault.class.is_unchecked() { WARNING } else { BAD };
        texts.push(Cell::new(clean(&fault.detail), style));
    }
    if let Some(Ping::Failed(fault)) = ping {
        texts.push(Cell::new(clean(&format!("ping {fault}")), DIM));
    }
    let mut facts = Vec::new();
    facts.extend(target.as_ref().map(|target| format!("of {}", bare(target))));
    facts.extend(probe.certificate.as_ref().map(|certificate| {
        let name = certificate.names.first().unwrap_or(&certificate.subject);
        format!("certificate {name} until {:#}", certificate.not_after)
    }));
    let names = pointers.iter().flatten().flatten().map(|name| bare(name));
    let names: Vec<_> = names.collect();
    if !names.is_empty() {
        facts.push(format!("PTR {}", list(&names, " ")));
    }
    facts.extend(source.map(|source| format!("from {source}")));
    if !facts.is_empty() {
        texts.push(Cell::new(clean(&facts.join(", ")), DIM));
    }
    texts.retain(|text| !text.text.is_empty());
    texts
}

fn response(check: &Check) -> String {
    check.race.response.as_ref().map(|response| status(response) + "\n").unwrap_or_default()
}

/// What a client in a scenario loses.
fn drill(check: &Check, canvas: Canvas) -> String {
    if check.drill.is_empty() {
        return String::new();
    }
    let columns = Client::ALL.map(|client| (client.to_string(), Align::Right));
    let mut table = Table::new([("Cost if".to_owned(), Align::Left)].into_iter().chain(columns));
    for runs in check.drill.chunk_by(|one, next| one.scenario == next.scenario) {
        let scenario = runs.iter().take(1).map(|run| Cell::new(run.scenario.to_string(), Style::new()));
        let costs = Client::ALL.map(|client| cost(runs.iter().find(|run| run.client == client)));
        table.row(Row { cells: scenario.chain(costs).collect(), texts: Vec::new() });
    }
    table.draw(canvas)
}

fn cost(run: Option<&DrillRun>) -> Cell {
    let Some(run) = run else { return Cell::maybe(None) };
    match (&run.outcome, run.cost) {
        (DrillOutcome::Connected { .. }, Some(cost)) => {
            let style = if cost < NOTICEABLE { GOOD } else { WARNING };
            Cell::new(format!("+{} ms", cost.as_millis()), style)
        }
        (DrillOutcome::Connected { after, .. }, None) => Cell::new(format!("{} ms", after.as_millis()), Style::new()),
        (DrillOutcome::CutOff, _) => Cell::new(format!("> {} s", DRILL_LIMIT.as_secs()), BAD),
        (DrillOutcome::Failed { after, .. }, _) => Cell::new(format!("failed ({:.1} s)", after.as_secs_f64()), BAD),
        _ => Cell::maybe(None),
    }
}
