//! The drawing of a report: one line a query and attempt, on one time axis.

use std::fmt;
use std::time::Duration;

use super::{AttemptOutcome, AttemptReport, QueryReport, Report, Stage};
use crate::error::Millis;
use crate::resolve::{QueryKind, ServiceRecord};

/// Columns of the time axis.
const WIDTH: usize = 32;
/// Addresses or records of an answer that a line names.
const SHOWN: usize = 3;
/// Characters of one record; what comes late in it, hints, can be long.
const LONGEST_RECORD: usize = 72;

/// Draws the timeline for a terminal: `-` is DNS, `=` TCP, `#` TLS.
///
/// ```text
/// https://host.test:443: connected to 192.0.2.1:443 in 310.0 ms
///      0.0 ms     10.0 ms  AAAA host.test.    |-                               |  2001:db8::1
///      0.0 ms     12.0 ms  A host.test.       |-                               |  192.0.2.1
///     10.0 ms    310.0 ms  [2001:db8::1]:443  | ===============================|  cancelled, TCP unanswered
///    260.0 ms    310.0 ms  192.0.2.1:443      |                           ==###|  won
/// ```
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}: ", self.origin.scheme(), self.origin)?;
        match self.winner() {
            Some(attempt) => write!(f, "connected to {} in {}", attempt.addr, Millis(self.elapsed))?,
            None => write!(f, "not connected in {}", Millis(self.elapsed))?,
        }
        let lines: Vec<Line> =
            self.queries.iter().map(Line::query).chain(self.attempts.iter().map(Line::attempt)).collect();
        let label = lines.iter().map(|line| line.label.len()).max().unwrap_or_default();
        for line in lines {
            let bar = line.bar(self.elapsed);
            let end = line.end.map(|end| Millis(end).to_string()).unwrap_or_default();
            let start = Millis(line.start).to_string();
            write!(f, "\n {start:>11} {end:>11}  {:label$}  |{bar}|  {}", line.label, line.what)?;
        }
        Ok(())
    }
}

struct Line {
    label: String,
    start: Duration,
    /// When TCP was up and TLS began.
    tcp: Option<Duration>,
    end: Option<Duration>,
    first_mark: char,
    what: String,
}

impl Line {
    fn query(query: &QueryReport) -> Self {
        let what = match query.result() {
            None => "unanswered".into(),
            Some(Err(error)) => error.to_string(),
            Some(Ok(_)) if query.kind == QueryKind::Https => list(&query.services, "; ", record),
            Some(Ok(addresses)) => list(addresses, " ", |addr| addr.ip().to_string()),
        };
        let label = format!("{} {}", query.kind, query.name);
        Self { label, start: query.start, tcp: None, end: query.end, first_mark: '-', what }
    }

    fn attempt(attempt: &AttemptReport) -> Self {
        let stage = match attempt.stage() {
            Stage::Tcp => "TCP",
            Stage::Tls => "TLS",
        };
        let what = match &attempt.outcome {
            AttemptOutcome::Won => "won".into(),
            AttemptOutcome::Failed(failure) => format!("{stage} {}: {failure}", failure.kind()),
            AttemptOutcome::Cancelled => format!("cancelled, {stage} unanswered"),
            AttemptOutcome::Pending => format!("{stage} under way"),
            AttemptOutcome::Denied(reason) => format!("denied: {reason}"),
        };
        let label = match &attempt.target {
            Some(target) => format!("{} of {target}", attempt.addr),
            None => attempt.addr.to_string(),
        };
        Self { label, start: attempt.start(), tcp: attempt.tcp(), end: attempt.end(), first_mark: '=', what }
    }

    fn bar(&self, whole: Duration) -> String {
        let column = |time: Duration| match whole.is_zero() {
            true => 0,
            false => (time.as_secs_f64() / whole.as_secs_f64() * WIDTH as f64).round() as usize,
        };
        let start = column(self.start).min(WIDTH - 1);
        // Whatever happened has a mark, however short it was.
        let end = column(self.end.unwrap_or(whole)).clamp(start + 1, WIDTH);
        let tls = self.tcp.map_or(WIDTH, |tcp| column(tcp).min(end - 1));
        (0..WIDTH)
            .map(|at| match at {
                _ if at < start || at >= end => ' ',
                _ if at >= tls => '#',
                _ => self.first_mark,
            })
            .collect()
    }
}

fn list<T>(items: &[T], separator: &str, text: impl Fn(&T) -> String) -> String {
    let mut texts: Vec<_> = items.iter().take(SHOWN).map(text).collect();
    if items.len() > SHOWN {
        texts.push(format!("and {} more", items.len() - SHOWN));
    }
    texts.join(separator)
}

fn record(record: &ServiceRecord) -> String {
    let text = record.to_string();
    match text.char_indices().nth(LONGEST_RECORD) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Instant;

    use super::*;
    use crate::origin::Origin;
    use crate::report::{Failure, FailureKind, Tcp};
    use crate::resolve::{ResolveError, ResolveErrorKind};

    fn report(uri: &str) -> Report {
        Report::new(Origin::from_uri(&uri.parse().unwrap()).unwrap())
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn attempt(
        addr: &str,
        target: Option<&str>,
        (start, tcp, end): (u64, Option<u64>, u64),
        outcome: AttemptOutcome,
    ) -> AttemptReport {
        let began = Instant::now();
        let tcp = tcp.map(|up| Tcp { up: began + ms(up), rtt: None });
        let attempt = AttemptReport::new(addr.parse().unwrap(), target.map(Into::into), began, began + ms(start));
        AttemptReport { tcp, ended: Some(began + ms(end)), outcome, ..attempt }
    }

    #[test]
    fn a_race_is_drawn_on_one_axis() {
        let mut report = report("https://host.test");
        let query = |kind, end: u64, result| QueryReport {
            name: "host.test.".into(),
            kind,
            start: ms(0),
            end: Some(ms(end)),
            result: Some(result),
            services: Vec::new(),
        };
        let none = Err(ResolveError::new(ResolveErrorKind::ServFail, "SERVFAIL"));
        let two = Ok(vec!["192.0.2.1:0".parse().unwrap(), "192.0.2.2:0".parse().unwrap()]);
        report.queries = vec![query(QueryKind::Aaaa, 40, none), query(QueryKind::A, 80, two)];
        let refused = Failure::new(FailureKind::Refused, io::Error::other("nobody listens"));
        report.attempts = vec![
            attempt("192.0.2.1:443", None, (80, None, 160), AttemptOutcome::Failed(refused)),
            attempt("192.0.2.2:443", None, (160, Some(240), 320), AttemptOutcome::Won),
        ];
        report.elapsed = ms(320);
        let expected = [
            "https://host.test:443: connected to 192.0.2.2:443 in 320.0 ms",
            "      0.0 ms     40.0 ms  AAAA host.test.  |----                            |  SERVFAIL",
            "      0.0 ms     80.0 ms  A host.test.     |--------                        |  192.0.2.1 192.0.2.2",
            "     80.0 ms    160.0 ms  192.0.2.1:443    |        ========                |  TCP refused: nobody listens",
            "    160.0 ms    320.0 ms  192.0.2.2:443    |                ========########|  won",
        ];
        assert_eq!(report.to_string().lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn records_and_targets_have_their_place() {
        let mut report = report("https://host.test:8443");
        let query = |kind, services| QueryReport {
            name: "_8443._https.host.test.".into(),
            kind,
            start: ms(0),
            end: Some(ms(40)),
            result: Some(Ok(Vec::new())),
            services,
        };
        let short = |priority| ServiceRecord::new(priority, "t.test.").with_alpn(["h3"]);
        let hints = (1..9).map(|i| [192, 0, 2, i].into());
        let long = ServiceRecord::new(1, "svc.test.").with_port(9443).with_hints(hints);
        report.queries = vec![
            query(QueryKind::Https, vec![ServiceRecord::alias("cdn.test.")]),
            query(QueryKind::Https, vec![long, short(2), short(3), short(4), short(5)]),
        ];
        report.attempts = vec![attempt("192.0.2.1:9443", Some("svc.test."), (40, Some(60), 80), AttemptOutcome::Won)];
        report.elapsed = ms(80);
        let text = report.to_string();
        let lines: Vec<_> = text.lines().skip(1).map(|line| &line[26..]).collect();
        let long = "1 svc.test. port=9443 ipv4hint=192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4,1...";
        let several = format!("{long}; 2 t.test. alpn=h3; 3 t.test. alpn=h3; and 2 more");
        let expected = [
            "HTTPS _8443._https.host.test.  |----------------                |  0 cdn.test.",
            &format!("HTTPS _8443._https.host.test.  |----------------                |  {several}"),
            "192.0.2.1:9443 of svc.test.    |                ========########|  won",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn an_empty_report_is_one_line() {
        assert_eq!(report("http://[::1]:81").to_string(), "http://[::1]:81: not connected in 0.0 ms");
    }
}
