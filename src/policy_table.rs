//! The policy table of RFC 6724 section 2.1: precedence and label of an address by its longest matching prefix.

mod gai_conf;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// Where the system's overrides stand, gai.conf(5).
const GAI_CONF: &str = "/etc/gai.conf";

/// The value of `::/0`, for an address that no line of an incomplete table matches.
const PRECEDENCE_OF_THE_REST: u32 = 40;
const LABEL_OF_THE_REST: u32 = 1;

/// Says which destinations go before others where RFC 6724 section 6 leaves it to policy: its rules 5 (a source of
/// the same label) and 6 (higher precedence).
///
/// IPv4 addresses are looked up as `::ffff:a.b.c.d`. Not built: the row (45, 14) that
/// draft-ietf-6man-rfc6724-update inserts for each unique local /48 known to be of this site.
///
/// ```
/// use hyper_happy_eyeballs::{Config, PolicyTable};
///
/// // IPv4 first, as gai.conf has it.
/// let mut config = Config::default();
/// config.policy_table(PolicyTable::from_gai_conf("precedence ::ffff:0:0/96 100"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTable {
    precedences: Rows,
    labels: Rows,
}

impl PolicyTable {
    /// The default table of RFC 6724 section 2.1.
    pub fn rfc6724() -> Self {
        Self { precedences: Rows::Fixed(&PRECEDENCES), labels: Rows::Fixed(&LABELS) }
    }

    /// The default table of draft-ietf-6man-rfc6724-update: unique local addresses (`fc00::/7`) go before IPv4, and
    /// 6to4 (`2002::/16`) after it.
    pub fn rfc6724_update() -> Self {
        Self { precedences: Rows::Fixed(&UPDATED_PRECEDENCES), labels: Rows::Fixed(&LABELS) }
    }

    /// RFC 6724's table with the `precedence` and `label` lines of a gai.conf(5).
    ///
    /// As there, one good `precedence` line replaces all precedences, and one good `label` line all labels; what no
    /// line matches has the value of `::/0`, precedence 40 and label 1. Of two lines for one prefix the last counts.
    /// Lines that cannot be read, and `scopev4` and `reload`, are ignored.
    pub fn from_gai_conf(text: &str) -> Self {
        let lines = gai_conf::parse(text);
        let or = |lines, fixed| if Vec::is_empty(&lines) { fixed } else { Rows::from_lines(lines) };
        let default = Self::rfc6724();
        Self { precedences: or(lines.precedences, default.precedences), labels: or(lines.labels, default.labels) }
    }

    /// The table of this system: [`from_gai_conf`](Self::from_gai_conf) of `/etc/gai.conf`, RFC 6724's where there is
    /// no such file. It is read once, when first needed.
    pub fn system() -> Self {
        static SYSTEM: OnceLock<PolicyTable> = OnceLock::new();
        SYSTEM.get_or_init(Self::read_system).clone()
    }

    fn read_system() -> Self {
        match std::fs::read(GAI_CONF) {
            Ok(text) => Self::from_gai_conf(&String::from_utf8_lossy(&text)),
            Err(_) => Self::rfc6724(),
        }
    }

    /// Where the address stands among destinations: the higher the earlier.
    pub(crate) fn precedence(&self, ip: IpAddr) -> u32 {
        self.precedences.find(bits(ip)).unwrap_or(PRECEDENCE_OF_THE_REST)
    }

    /// A source and a destination of one label belong together.
    pub(crate) fn label(&self, ip: IpAddr) -> u32 {
        self.labels.find(bits(ip)).unwrap_or(LABEL_OF_THE_REST)
    }

    /// Whether IPv4 goes before the global IPv6 addresses, which no table does by default.
    pub(crate) fn prefers_ipv4(&self) -> bool {
        self.precedence(Self::GLOBAL_V4) > self.precedence(Self::GLOBAL_V6)
    }

    /// Addresses that stand for the global ones of their family.
    pub(crate) const GLOBAL_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    pub(crate) const GLOBAL_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0));
}

/// An address as the 128 bits that prefixes are compared with.
pub(crate) fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    prefix: u128,
    len: u8,
    value: u32,
}

impl Row {
    const fn new(prefix: u128, len: u8, value: u32) -> Self {
        Self { prefix: prefix & mask(len), len, value }
    }

    fn matches(&self, bits: u128) -> bool {
        bits & mask(self.len) == self.prefix
    }
}

/// The first `len` bits.
pub(crate) const fn mask(len: u8) -> u128 {
    match len {
        0 => 0,
        _ => u128::MAX << (128 - len),
    }
}

/// Rows from the longest prefix to the shortest, so that the first match is the longest.
#[derive(Clone, Debug)]
enum Rows {
    Fixed(&'static [Row]),
    Read(Arc<[Row]>),
}

impl Rows {
    /// Of two rows for one prefix the last counts.
    fn from_lines(mut rows: Vec<Row>) -> Self {
        rows.reverse();
        rows.sort_by_key(|row| 128 - row.len);
        Self::Read(rows.into())
    }

    fn find(&self, bits: u128) -> Option<u32> {
        self.iter().find(|row| row.matches(bits)).map(|row| row.value)
    }
}

impl Deref for Rows {
    type Target = [Row];

    fn deref(&self) -> &[Row] {
        match self {
            Self::Fixed(rows) => rows,
            Self::Read(rows) => rows,
        }
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Rows {}

const LOOPBACK: (u128, u8) = (1, 128);
const MAPPED: (u128, u8) = (0xffff << 32, 96);
const COMPATIBLE: (u128, u8) = (0, 96);
const TEREDO: (u128, u8) = (0x2001 << 112, 32);
const SIX_TO_FOUR: (u128, u8) = (0x2002 << 112, 16);
const SIX_BONE: (u128, u8) = (0x3ffe << 112, 16);
const SITE_LOCAL: (u128, u8) = (0xfec0 << 112, 10);
const UNIQUE_LOCAL: (u128, u8) = (0xfc00 << 112, 7);
const REST: (u128, u8) = (0, 0);

/// The rows of both documents, which differ in no prefix.
const fn rows(values: [u32; 9]) -> [Row; 9] {
    const PREFIXES: [(u128, u8); 9] =
        [LOOPBACK, MAPPED, COMPATIBLE, TEREDO, SIX_TO_FOUR, SIX_BONE, SITE_LOCAL, UNIQUE_LOCAL, REST];
    let mut rows = [Row::new(0, 0, 0); 9];
    let mut index = 0;
    while index < rows.len() {
        let (prefix, len) = PREFIXES[index];
        rows[index] = Row::new(prefix, len, values[index]);
        index += 1;
    }
    rows
}

static PRECEDENCES: [Row; 9] = rows([50, 35, 1, 5, 30, 1, 1, 3, PRECEDENCE_OF_THE_REST]);
static UPDATED_PRECEDENCES: [Row; 9] = rows([50, 20, 1, 5, 5, 1, 1, 30, PRECEDENCE_OF_THE_REST]);
/// Of both documents.
static LABELS: [Row; 9] = rows([0, 4, 3, 5, 2, 12, 11, 13, LABEL_OF_THE_REST]);
