//! Rows as a Markdown table, and how to read it.

use std::fmt;
use std::time::Duration;

use super::row::{Measured, Row};
use super::scenes::{PATIENCE, PATIENCE_IN_SILENCE, SILENT};

const COLUMNS: [&str; 14] = [
    "client",
    "IPv6 preferred",
    "CAD",
    "AAAA before A",
    "RD",
    "waits for A",
    "IPv4 addresses used",
    "IPv6 addresses used",
    "interlaced",
    "TLS stalled",
    "HTTPS asked",
    "port followed",
    "target followed",
    "hints followed",
];

pub(crate) struct Table<'a>(pub(crate) &'a [Row]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", COLUMNS.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(COLUMNS.len()))?;
        self.0.iter().try_for_each(|row| writeln!(f, "| {} |", cells(row).join(" | ")))?;
        writeln!(f)?;
        writeln!(
            f,
            "Every client has its defaults. It was watched until it was connected, or for {PATIENCE:?}, and for"
        )?;
        writeln!(f, "{PATIENCE_IN_SILENCE:?} where {SILENT} addresses of each family were silent.")
    }
}

fn cells(row: &Row) -> [String; COLUMNS.len()] {
    let yes = |yes| String::from(if yes { "yes" } else { "no" });
    let delay = |delay: Option<Duration>| {
        delay.map_or_else(|| yes(false), |delay| format!("{:.0} ms", delay.as_secs_f64() * 1000.0))
    };
    let median = |measured: Option<Measured>| delay(measured.map(|measured| measured.median));
    let [ipv6_addrs, ipv4_addrs] = row.addrs_used();
    [
        row.client.to_owned(),
        yes(row.prefers_ipv6),
        median(row.attempt_delay),
        row.asks_aaaa_first.map_or_else(|| "at times".to_owned(), yes),
        median(row.resolution_delay),
        yes(row.waits_for_a),
        ipv4_addrs.to_string(),
        ipv6_addrs.to_string(),
        yes(row.interlaces()),
        delay(row.stalled_tls),
        yes(row.asks_https),
        yes(row.follows_port),
        yes(row.follows_target),
        yes(row.follows_hints),
    ]
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { least, median, most, from } = self;
        write!(f, "{median:.1?} ({least:.1?} to {most:.1?}) where the delay is {from:?} or more")
    }
}
