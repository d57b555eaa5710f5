//! The lines of a gai.conf(5) that make a policy table.

use std::net::Ipv6Addr;

use super::Row;

#[derive(Default)]
pub(super) struct Lines {
    pub(super) precedences: Vec<Row>,
    pub(super) labels: Vec<Row>,
}

/// The good lines, in order. A file that an administrator mistyped must not keep anybody from connecting, so all
/// others are skipped.
pub(super) fn parse(text: &str) -> Lines {
    let mut lines = Lines::default();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let (Some(keyword), Some(prefix), Some(value)) = (words.next(), words.next(), words.next()) else { continue };
        let list = match keyword {
            "precedence" => &mut lines.precedences,
            "label" => &mut lines.labels,
            _ => continue,
        };
        list.extend(row(prefix, value));
    }
    lines
}

/// A prefix is an IPv6 address with or without a length; values are those of a C `int` that is not negative.
fn row(prefix: &str, value: &str) -> Option<Row> {
    let (ip, len) = prefix.split_once('/').unwrap_or((prefix, "128"));
    let ip: Ipv6Addr = ip.parse().ok()?;
    let len = number(len).filter(|len| *len <= 128)? as u8;
    Some(Row::new(ip.to_bits(), len, number(value)?))
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= i32::MAX as u32)
}
