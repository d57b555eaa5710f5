//! What no setting changes.

use std::time::Duration;

use super::Config;

/// # Bounds
///
/// Whatever answers, records, servers and callers bring, nothing grows beyond these. Where there is more, the first are
/// taken, in the order of the answer or by priority, unless it says otherwise; nothing fails because of it.
///
/// | of a race | value | why |
/// |---|---|---|
/// | [`MAX_ENDPOINTS`](Self::MAX_ENDPOINTS) | 32 | one connect is no scan of a network; the longest group of endpoints gives way first |
/// | [`MAX_ADDRESSES_PER_FAMILY`](Self::MAX_ADDRESSES_PER_FAMILY) | 16 | no name takes all endpoints for one family |
/// | [`MAX_SERVICES`](Self::MAX_SERVICES) | 8 | each asks for the addresses of its target; RFC 9460 sets no bound |
/// | [`MAX_ALIASES`](Self::MAX_ALIASES) | 8 | RFC 9460 section 2.4.2 asks for a bound; beyond it there are no records |
/// | [`MAX_SHOWN`](Self::MAX_SHOWN) | 32 | reports are kept for as long as responses |
/// | [`FLOOR_ATTEMPT_DELAY`](Self::FLOOR_ATTEMPT_DELAY) | 10 ms | "MUST NOT be less than 10 milliseconds" (RFC 8305 section 5) |
/// | [`LONGEST_DELAY`](Self::LONGEST_DELAY) | 24 h | added to a time it cannot overflow |
///
/// | of what is kept of DNS | value | why |
/// |---|---|---|
/// | [`MAX_CACHED_ANSWERS`](Self::MAX_CACHED_ANSWERS) | 4096 | an eighth gives way at once, the oldest first |
/// | [`MAX_ANSWER_ADDRESSES`](Self::MAX_ANSWER_ADDRESSES) | 256 | a policy may deny many before it allows some |
/// | [`MAX_ANSWER_SERVICES`](Self::MAX_ANSWER_SERVICES) | 32 | some may not be usable |
/// | [`MAX_HINTS`](Self::MAX_HINTS) | 16 | as many are tried of a family |
/// | [`MAX_PARAMETERS`](Self::MAX_PARAMETERS) | 16 | kept, two octets of a message take forty |
/// | [`MAX_ADDITIONAL`](Self::MAX_ADDITIONAL) | 256 | many targets can be aliases of one name with many addresses |
///
/// | of [`HickoryResolver`](crate::resolve::HickoryResolver) | value | why |
/// |---|---|---|
/// | [`MAX_NAME`](Self::MAX_NAME) | 253 | RFC 1035 section 2.3.4; a longer one is an error |
/// | [`MAX_CNAMES`](Self::MAX_CNAMES) | 16 | there are loops (RFC 1034 section 3.6.2) |
/// | [`MAX_MESSAGE`](Self::MAX_MESSAGE) | 65535 | what the length before a message over TCP can tell (RFC 1035 section 4.2.2); a longer one is an error |
/// | [`DNS_TRIES`](Self::DNS_TRIES) | 3 | a lost packet costs a third of the time for the lookup |
/// | [`MAX_DNS_QUERIES`](Self::MAX_DNS_QUERIES) | 1024 | beyond it a connection over TLS is given up for another |
/// | [`MAX_DNS_RUNTIMES`](Self::MAX_DNS_RUNTIMES) | 16 | the one that was idle longest gives way |
/// | [`MAX_NEGATIVE_TTL`](Self::MAX_NEGATIVE_TTL) | 3 h | "one to three hours have been found to work well" (RFC 2308 section 5) |
/// | [`HTTPS_FAILURE_TTL`](Self::HTTPS_FAILURE_TTL) | 30 s | between one second and five minutes (RFC 9520 section 3.2); a race goes on without records |
/// | [`ADDRESS_FAILURE_TTL`](Self::ADDRESS_FAILURE_TTL) | 5 s | without addresses it fails, and a name server that is back has to be noticed |
///
/// | of a [`History`](crate::History) | value | why |
/// |---|---|---|
/// | [`MAX_PATHS`](Self::MAX_PATHS) | 4096 | an eighth of the fullest partition gives way at once, the idlest first |
/// | [`MAX_SUSPICIONS`](Self::MAX_SUSPICIONS) | 16 | two of different hosts and sites condemn a family |
/// | [`MIN_UNREACHABLE_TIME`](Self::MIN_UNREACHABLE_TIME) | 1 min | it doubles each time that an address is found so again |
/// | [`MAX_UNREACHABLE_TIME`](Self::MAX_UNREACHABLE_TIME) | 10 min | what was repaired has to be found (v3 draft section 5.3) |
/// | [`RTT_LIFETIME`](Self::RTT_LIFETIME) | 10 min | every address has its default place again now and then (v3 draft section 5.3) |
///
/// And of the settings: [`min_attempt_delay`](Self::min_attempt_delay) is at least `FLOOR_ATTEMPT_DELAY` and at most
/// `LONGEST_DELAY`, [`attempt_delay`](Self::attempt_delay) lies between `min_attempt_delay` and
/// [`max_attempt_delay`](Self::max_attempt_delay), which is at most `LONGEST_DELAY`, as is
/// [`dns_linger`](Self::dns_linger); [`max_concurrent_attempts`](Self::max_concurrent_attempts) and
/// [`preferred_family_count`](Self::preferred_family_count) are at least 1. Timeouts and the
/// [Resolution Delay](Self::resolution_delay) are taken as they are, [`Duration::MAX`] included.
impl Config {
    /// Endpoints that one race starts. What fails before a packet has left this host does not count.
    pub const MAX_ENDPOINTS: usize = 32;
    /// Addresses of one name in one family that a race takes up.
    pub const MAX_ADDRESSES_PER_FAMILY: usize = 16;
    /// Services of one set of HTTPS records that a race tries.
    pub const MAX_SERVICES: usize = 8;
    /// Aliases that a race follows one after the other (RFC 9460 section 2.4.2).
    pub const MAX_ALIASES: usize = 8;
    /// What a report shows of denied addresses, and of the addresses of one answer.
    pub const MAX_SHOWN: usize = 32;
    /// Between two starts there is never less, unless nothing has left this host.
    pub const FLOOR_ATTEMPT_DELAY: Duration = Duration::from_millis(10);
    /// What a delay is cut to.
    pub const LONGEST_DELAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// Answers that a connector and its clones keep, of all names and kinds together.
    pub const MAX_CACHED_ANSWERS: usize = 4096;
    /// Different addresses of one answer.
    pub const MAX_ANSWER_ADDRESSES: usize = 256;
    /// Records of one answer, by priority.
    pub const MAX_ANSWER_SERVICES: usize = 32;
    /// Different hints of one record in one family.
    pub const MAX_HINTS: usize = 16;
    /// Protocols of one record, its mandatory keys, and those that nothing is known of: of each so many.
    pub const MAX_PARAMETERS: usize = 16;
    /// Addresses of other names that come with one answer.
    pub const MAX_ADDITIONAL: usize = 256;

    /// Octets of a name without its final dot.
    pub const MAX_NAME: usize = 253;
    /// CNAME records of one answer that are followed one after the other.
    pub const MAX_CNAMES: usize = 16;
    /// Octets of an answer over HTTPS; over other transports it cannot be longer.
    pub const MAX_MESSAGE: usize = 65535;
    /// Tries of one lookup at one name server.
    pub const DNS_TRIES: u32 = 3;
    /// Queries in flight on one connection to a name server over TLS.
    pub const MAX_DNS_QUERIES: usize = 1024;
    /// Tokio runtimes that have clients of their own.
    pub const MAX_DNS_RUNTIMES: usize = 16;
    /// How long it is believed that there are no such records.
    pub const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(3 * 60 * 60);
    /// How long a server is not asked again for HTTPS records that it failed to answer for.
    pub const HTTPS_FAILURE_TTL: Duration = Duration::from_secs(30);
    /// The same of addresses.
    pub const ADDRESS_FAILURE_TTL: Duration = Duration::from_secs(5);

    /// Paths of all partitions together.
    pub const MAX_PATHS: usize = 4096;
    /// Addresses by which one family, as seen from one prefix of this host, is suspected to lead nowhere.
    pub const MAX_SUSPICIONS: usize = 16;
    /// How long an address goes last that leads nowhere, the first time.
    pub const MIN_UNREACHABLE_TIME: Duration = Duration::from_secs(60);
    /// And at most.
    pub const MAX_UNREACHABLE_TIME: Duration = Duration::from_secs(10 * 60);
    /// From its first sample, however often it was measured since.
    pub const RTT_LIFETIME: Duration = Duration::from_secs(10 * 60);
}

/// Each constant has a row with its value.
#[test]
fn the_table_has_every_bound() {
    let source = include_str!("bounds.rs");
    let number = |text: &str| text.split(" * ").map(|factor| factor.parse::<u64>().unwrap()).product::<u64>();
    let mut count = 0;
    for line in source.lines() {
        let Some((name, value)) = line.trim().strip_prefix("pub const ").and_then(|rest| rest.split_once(" = ")) else {
            continue;
        };
        let name = name.split(':').next().unwrap();
        let argument = |function| value.strip_prefix(function).and_then(|rest: &str| rest.strip_suffix(");"));
        let value = match (argument("Duration::from_millis("), argument("Duration::from_secs(").map(number)) {
            (Some(millis), _) => format!("{millis} ms"),
            (_, Some(seconds)) if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
            (_, Some(seconds)) if seconds % 60 == 0 => format!("{} min", seconds / 60),
            (_, Some(seconds)) => format!("{seconds} s"),
            (None, None) => value.trim_end_matches(';').to_owned(),
        };
        let row = format!("/// | [`{name}`](Self::{name}) | {value} | ");
        assert_eq!(source.lines().filter(|line| line.starts_with(&row)).count(), 1, "{row}");
        count += 1;
    }
    assert_eq!(count, source.lines().filter(|line| line.starts_with("/// | [")).count(), "a row of what there is not");
}
