//! The JSON of `get`: one object a line for each fetch.
//!
//! The structures of this file are the schema: every key is always there, in this order, and `null` is what is not
//! known or did not come to be. Times are numbers, in milliseconds from the start of the connect. Keys may be added,
//! none is taken away or changes its meaning.

use std::net::SocketAddr;
use std::time::Duration;

use hyper_happy_eyeballs::reachability::{Certificate, Fetch, Response};
use hyper_happy_eyeballs::report::{AttemptOutcome, AttemptReport, QueryReport, Stage};
use hyper_happy_eyeballs::resolve::{QueryKind, ResolveError, ResolveErrorKind};
use hyper_happy_eyeballs::{Report, TlsInfo};
use serde::Serialize;

use super::fetch::{Failure, Fetched};
use crate::words::http_version;

/// One fetch.
#[derive(Serialize)]
struct Line<'a> {
    /// As it was given.
    url: &'a str,
    #[serde(flatten)]
    race: Race<'a>,
}

/// One connect and request.
#[derive(Serialize)]
pub(crate) struct Race<'a> {
    /// Whether a response came and its body was read to the end, whatever the status.
    ok: bool,
    error: Option<Error>,
    /// Address and port of the winner.
    remote_addr: Option<SocketAddr>,
    local_addr: Option<SocketAddr>,
    /// Of the winner: `ipv4` or `ipv6`.
    family: Option<&'static str>,
    phases: Phases,
    /// In the order in which they were asked; none where the URL has an address.
    queries: Vec<Query<'a>>,
    /// In the order in which they started, then the denied ones.
    attempts: Vec<Attempt>,
    tls: Option<Tls>,
    http: Option<Http>,
}

#[derive(Serialize)]
struct Error {
    /// `uri`, `dns`, `policy`, `tcp`, `tls`, `certificate`, `http` or `timeout`.
    stage: &'static str,
    message: String,
}

/// When each phase was over.
#[derive(Default, Serialize)]
struct Phases {
    /// The first answer with addresses came; 0 where the URL has an address.
    dns: Option<f64>,
    /// The winner's TCP was up.
    connect: Option<f64>,
    /// The winner's TLS was up.
    tls: Option<f64>,
    /// The head of the response came.
    ttfb: Option<f64>,
    /// The body was read, or it was given up.
    total: f64,
}

#[derive(Serialize)]
struct Query<'a> {
    name: &'a str,
    /// `A`, `AAAA`, `HTTPS`, or `addresses`: both families in one answer, from the hosts file or `--resolve`.
    r#type: String,
    start: f64,
    end: Option<f64>,
    /// `answer`, `nodata`, `nxdomain`, `servfail`, `refused`, `timeout` or `error`; null if the connect ended before.
    outcome: Option<&'static str>,
    /// Addresses, or the text of HTTPS records.
    answers: Vec<String>,
}

#[derive(Serialize)]
struct Attempt {
    /// Address and port.
    addr: SocketAddr,
    /// `ipv4` or `ipv6`.
    family: &'static str,
    start: f64,
    /// TCP was up.
    tcp: Option<f64>,
    end: Option<f64>,
    /// `won`, `failed`, `cancelled` or `denied`.
    outcome: &'static str,
    /// The last that it reached, `tcp` or `tls`; null if it was denied.
    stage: Option<&'static str>,
    /// Why it failed or was denied.
    error: Option<String>,
}

#[derive(Serialize)]
struct Tls {
    /// `TLSv1.3` or `TLSv1.2`.
    version: String,
    /// Such as `h2`; null if the server chose none.
    alpn: Option<String>,
    /// Under its IANA name.
    cipher: String,
    resumed: bool,
    /// Encrypted Client Hello: `not offered`, `grease` or `accepted`.
    ech: String,
    /// Until when the server's certificate is valid, by RFC 3339.
    not_after: Option<String>,
}

#[derive(Serialize)]
struct Http {
    status: u16,
    /// `HTTP/1.1`, `HTTP/2`.
    version: &'static str,
    /// The whole length of the body, as far as it came.
    body_bytes: u64,
    /// Its first 256 bytes; what is not UTF-8 is replaced.
    body: String,
}

/// The object of `fetched` with its line feed.
pub(crate) fn line(fetched: &Fetched) -> String {
    object(&Line { url: &fetched.url, race: Race::new(fetched.result.as_ref().ok(), fetched.failure()) })
}

/// `line` as JSON with its line feed.
pub(crate) fn object(line: &impl Serialize) -> String {
    // There are no maps with other keys than strings, and nothing else can fail.
    serde_json::to_string(line).unwrap_or_default() + "\n"
}

impl<'a> Race<'a> {
    pub(crate) fn of(fetch: &'a Fetch) -> Self {
        Self::new(Some(fetch), Failure::of(fetch))
    }

    fn new(fetch: Option<&'a Fetch>, failure: Option<Failure>) -> Self {
        let report = fetch.and_then(|fetch| fetch.report.as_deref());
        let connection = fetch.and_then(|fetch| fetch.connection.as_ref());
        let remote_addr = connection.and_then(|connection| connection.remote);
        Self {
            ok: failure.is_none(),
            error: failure.map(Error::of),
            remote_addr,
            local_addr: connection.and_then(|connection| connection.local),
            family: remote_addr.map(family),
            phases: fetch.map(Phases::of).unwrap_or_default(),
            queries: report.map_or_else(Vec::new, |report| report.queries().iter().map(Query::of).collect()),
            attempts: report.map_or_else(Vec::new, |report| {
                report.attempts().iter().map(|attempt| Attempt::of(attempt, report)).collect()
            }),
            tls: connection.and_then(|connection| connection.tls.as_ref()).map(Tls::of),
            http: fetch.and_then(|fetch| fetch.response.as_ref()).map(Http::of),
        }
    }
}

impl Error {
    fn of(failure: Failure) -> Self {
        Self { stage: failure.stage.name(), message: failure.message }
    }
}

impl Phases {
    fn of(fetch: &Fetch) -> Self {
        let report = fetch.report.as_deref();
        let winner = report.and_then(Report::winner);
        let is_secure = report.is_some_and(|report| report.origin().is_secure());
        Self {
            dns: report.and_then(Report::resolved).map(millis),
            connect: winner.and_then(AttemptReport::tcp).map(millis),
            tls: winner.filter(|_| is_secure).and_then(AttemptReport::end).map(millis),
            ttfb: fetch.response.as_ref().map(|response| millis(response.first_byte)),
            total: millis(fetch.total),
        }
    }
}

impl<'a> Query<'a> {
    fn of(query: &'a QueryReport) -> Self {
        let answers: Vec<_> = match query.result() {
            Some(Ok(_)) if query.kind() == QueryKind::Https => {
                query.services().iter().map(ToString::to_string).collect()
            }
            Some(Ok(addrs)) => addrs.iter().map(|addr| addr.ip().to_string()).collect(),
            Some(Err(_)) | None => Vec::new(),
        };
        let outcome = query.result().map(|result| outcome(result.err(), &answers));
        Self {
            name: query.name(),
            r#type: query.kind().to_string(),
            start: millis(query.start()),
            end: query.end().map(millis),
            outcome,
            answers,
        }
    }
}

impl Attempt {
    fn of(attempt: &AttemptReport, report: &Report) -> Self {
        let stage = match attempt.stage() {
            Stage::Tls if report.origin().is_secure() => "tls",
            _ => "tcp",
        };
        let (outcome, stage, error) = match attempt.outcome() {
            AttemptOutcome::Won => ("won", Some(stage), None),
            AttemptOutcome::Failed(failure) => ("failed", Some(stage), Some(format!("{}: {failure}", failure.kind()))),
            AttemptOutcome::Denied(reason) => ("denied", None, Some(reason.to_string())),
            _ => ("cancelled", Some(stage), None),
        };
        Self {
            addr: attempt.addr(),
            family: family(attempt.addr()),
            start: millis(attempt.start()),
            tcp: attempt.tcp().map(millis),
            end: attempt.end().map(millis),
            outcome,
            stage,
            error,
        }
    }
}

impl Tls {
    fn of(tls: &TlsInfo) -> Self {
        Self {
            version: tls.version().into(),
            alpn: tls.alpn().map(|alpn| alpn.escape_ascii().to_string()),
            cipher: tls.cipher_suite().into(),
            resumed: tls.resumed(),
            ech: tls.ech().to_string(),
            not_after: Certificate::of(tls).map(|certificate| certificate.not_after.to_string()),
        }
    }
}

impl Http {
    fn of(response: &Response) -> Self {
        Self {
            status: response.status.as_u16(),
            version: http_version(response.version),
            body_bytes: response.body_bytes,
            body: text(&response.body, response.body_bytes),
        }
    }
}

/// How a query ended that gave these answers.
pub(crate) fn outcome(error: Option<&ResolveError>, answers: &[String]) -> &'static str {
    match error.map(ResolveError::kind) {
        None if answers.is_empty() => "nodata",
        None => "answer",
        Some(ResolveErrorKind::NoData) => "nodata",
        Some(ResolveErrorKind::NxDomain) => "nxdomain",
        Some(ResolveErrorKind::ServFail) => "servfail",
        Some(ResolveErrorKind::Refused) => "refused",
        Some(ResolveErrorKind::Timeout) => "timeout",
        Some(_) => "error",
    }
}

pub(crate) fn family(addr: SocketAddr) -> &'static str {
    if addr.is_ipv4() { "ipv4" } else { "ipv6" }
}

/// With a resolution of a microsecond.
pub(crate) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// `start` as text. A character that was cut where `start` ends, of a whole of `length` bytes, is left out.
fn text(start: &[u8], length: u64) -> String {
    let is_cut = length > start.len() as u64;
    let mut text = String::new();
    let mut chunks = start.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        let invalid = chunk.invalid();
        if invalid.is_empty() {
            continue;
        }
        let is_begun = str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
        if !(is_cut && is_begun && chunks.peek().is_none()) {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_character_that_was_cut_is_left_out() {
        assert_eq!(text("aé".as_bytes(), 3), "aé");
        assert_eq!(text(b"a\xc3", 300), "a");
        assert_eq!(text(b"a\xc3", 2), "a\u{fffd}");
        assert_eq!(text(b"a\xffb\xe2\x82", 300), "a\u{fffd}b");
    }
}
