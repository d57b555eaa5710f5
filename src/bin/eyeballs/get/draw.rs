//! The drawing of a fetch: what was reached, the waterfall, TLS, and the status.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use hyper_happy_eyeballs::reachability::{Certificate, Fetch, Response};
use hyper_happy_eyeballs::report::{AttemptOutcome, AttemptReport, FailureKind, QueryReport, Stage};
use hyper_happy_eyeballs::resolve::{QueryKind, ResolveError, ResolveErrorKind};
use hyper_happy_eyeballs::{EchStatus, Origin, Report, TlsInfo};

use super::fetch::Failure;
use crate::terminal::Canvas;
use crate::waterfall::{self, BAD, BOLD, DIM, GOOD, Mark, Row, Span, Tone, clean, millis, wrapped};
use crate::words::{bare, http_version};

/// Addresses or records of an answer that a row names.
const SHOWN: usize = 4;

/// Lines, or nothing if nothing was tried.
pub(crate) fn drawing(url: &str, fetch: &Fetch, canvas: Canvas) -> String {
    let Some(report) = &fetch.report else { return String::new() };
    let mut drawing = headline(url, report) + &race("", fetch, canvas);
    if let Some(response) = &fetch.response {
        let unit = if response.body_bytes == 1 { "byte" } else { "bytes" };
        let _ = write!(drawing, "{}, {} {unit}", status(response), response.body_bytes);
        let _ = writeln!(drawing, " in {} ms", millis(fetch.total));
    }
    drawing
}

/// The waterfall below `title`, and what TLS agreed on; nothing if nothing was tried.
pub(crate) fn race(title: &str, fetch: &Fetch, canvas: Canvas) -> String {
    let mut drawing = String::new();
    let Some(report) = &fetch.report else { return drawing };
    // The body may take long, and tells nothing of the race.
    let end = fetch.response.as_ref().map_or(fetch.total, |response| response.first_byte);
    let rows = rows(fetch, report);
    if !rows.is_empty() {
        drawing += &waterfall::draw(title, &rows, end, canvas);
    }
    if let Some(tls) = fetch.connection.as_ref().and_then(|connection| connection.tls.as_ref()) {
        for line in wrapped(&tls_facts(tls), canvas.width) {
            let _ = writeln!(drawing, "{DIM}{line}{DIM:#}");
        }
    }
    drawing
}

/// Version, status, and where it leads.
pub(crate) fn status(response: &Response) -> String {
    let status = response.status;
    let style = match status.as_u16() {
        200..=299 => GOOD,
        300..=399 => AnsiColor::Cyan.on_default(),
        400..=499 => AnsiColor::Yellow.on_default(),
        500.. => BAD,
        _ => Style::new(),
    };
    let mut line = format!("{BOLD}{}{BOLD:#} {style}{}{style:#}", http_version(response.version), status.as_u16());
    if let Some(reason) = status.canonical_reason() {
        let _ = write!(line, " {style}{reason}{style:#}");
    }
    if let Some(location) = response.location.as_deref().filter(|_| status.is_redirection()) {
        let _ = write!(line, " to {}", clean(location));
    }
    line
}

/// Why there is no answer.
pub(crate) fn unresolved(error: &ResolveError) -> (String, Tone) {
    match error.kind() {
        ResolveErrorKind::NoData => ("no records".into(), Tone::Lost),
        ResolveErrorKind::NxDomain => ("no such name".into(), Tone::Lost),
        _ => (clean(&error.to_string()), Tone::Failed),
    }
}

/// The name that was asked for, as people want to see it.
pub(crate) fn asked<'a>(name: &'a str, origin: &Origin) -> &'a str {
    let name = bare(name);
    // Where HTTPS records of another port than 443 are (RFC 9460 section 9.1); it is that of the URL.
    name.strip_prefix(&format!("_{}._https.", origin.port())).unwrap_or(name)
}

fn headline(url: &str, report: &Report) -> String {
    let elapsed = millis(report.elapsed());
    match report.winner() {
        Some(winner) => {
            format!("{BOLD}{url}{BOLD:#}: connected to {GOOD}{}{GOOD:#} in {elapsed} ms\n", winner.addr())
        }
        None => format!("{BOLD}{url}{BOLD:#}: {BAD}not connected{BAD:#} in {elapsed} ms\n"),
    }
}

/// Queries, attempts and the request, in this order.
pub(crate) fn rows(fetch: &Fetch, report: &Report) -> Vec<Row> {
    let queries = report.queries().iter().map(|each| query(each, report));
    let attempts = report.attempts().iter().map(|each| attempt(each, report));
    queries.chain(attempts).chain(request(fetch, report)).collect()
}

fn query(query: &QueryReport, report: &Report) -> Row {
    let (text, tone) = match query.result() {
        None => ("unanswered".into(), Tone::Lost),
        Some(Err(error)) => unresolved(error),
        Some(Ok(_)) if query.kind() == QueryKind::Https => (list(query.services(), "; "), Tone::Plain),
        Some(Ok(addrs)) => {
            let ips: Vec<_> = addrs.iter().map(|addr| addr.ip()).collect();
            (list(&ips, " "), Tone::Plain)
        }
    };
    Row {
        label: clean(&format!("{} {}", query.kind(), asked(query.name(), report.origin()))),
        start: query.start(),
        end: query.end(),
        spans: vec![Span { start: query.start(), mark: Mark::Dns }],
        text: clean(&text),
        tone,
    }
}

fn attempt(attempt: &AttemptReport, report: &Report) -> Row {
    let has_tls = report.origin().is_secure();
    let stage = match attempt.stage() {
        Stage::Tls if has_tls => "TLS",
        _ => "TCP",
    };
    let (mut text, tone) = match attempt.outcome() {
        AttemptOutcome::Won => ("won".into(), Tone::Won),
        AttemptOutcome::Failed(failure) if failure.kind() == FailureKind::Refused => {
            (format!("{stage} refused"), Tone::Failed)
        }
        AttemptOutcome::Failed(failure) => (format!("{stage} {}: {failure}", failure.kind()), Tone::Failed),
        AttemptOutcome::Denied(reason) => (format!("denied: {reason}"), Tone::Failed),
        _ => (format!("{stage} unanswered"), Tone::Lost),
    };
    if let Some(target) = attempt.target() {
        let _ = write!(text, ", of {}", bare(target));
    }
    // The port of the URL would be in every row.
    let addr = attempt.addr();
    let label = if addr.port() == report.origin().port() { addr.ip().to_string() } else { addr.to_string() };
    let mut spans = Vec::new();
    // A bar would say that something was sent.
    if !matches!(attempt.outcome(), AttemptOutcome::Denied(_)) {
        spans.push(Span { start: attempt.start(), mark: Mark::Tcp });
    }
    if let Some(start) = attempt.tcp().filter(|_| has_tls) {
        spans.push(Span { start, mark: Mark::Tls });
    }
    Row { label, start: attempt.start(), end: attempt.end(), spans, text: clean(&text), tone }
}

/// From the connection to the first byte of the response.
fn request(fetch: &Fetch, report: &Report) -> Option<Row> {
    let start = report.winner()?.end()?;
    let (end, text, tone) = match (&fetch.response, Failure::of(fetch)) {
        (Some(response), _) => (response.first_byte, "first byte".into(), Tone::Plain),
        (None, Some(failure)) => (fetch.total, failure.brief(), Tone::Failed),
        (None, None) => return None,
    };
    let spans = vec![Span { start, mark: Mark::Http }];
    Some(Row { label: "request".into(), start, end: Some(end), spans, text, tone })
}

/// What TLS agreed on, and how long the certificate is good.
pub(crate) fn tls_facts(tls: &TlsInfo) -> String {
    let mut facts = vec![tls.version().to_owned(), tls.cipher_suite().to_owned()];
    facts.extend(tls.alpn().map(|alpn| format!("ALPN {}", alpn.escape_ascii())));
    if tls.resumed() {
        facts.push("resumed".into());
    }
    if tls.ech() != EchStatus::NotOffered {
        facts.push(format!("ECH {}", tls.ech()));
    }
    facts.extend(Certificate::of(tls).map(|it| format!("certificate valid until {:#}", it.not_after)));
    facts.join(", ")
}

pub(crate) fn list<T: ToString>(items: &[T], separator: &str) -> String {
    let mut texts: Vec<_> = items.iter().take(SHOWN).map(ToString::to_string).collect();
    if items.len() > SHOWN {
        texts.push(format!("and {} more", items.len() - SHOWN));
    }
    texts.join(separator)
}
