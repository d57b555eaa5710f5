//! The memory on a clock that only the test moves.

use std::cell::Cell;

use super::*;
use crate::config::Config;
use crate::race::{Known, Rtt, Source};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

struct Host {
    history: History,
    now: Cell<Instant>,
    partition: &'static str,
    source: &'static str,
}

impl Host {
    fn new() -> Self {
        Self { history: History::new(), now: Cell::new(Instant::now()), partition: "", source: "2001:db8:ffff::1" }
    }

    fn session(&self, host: &str) -> Session {
        self.history.session(self.partition.into(), host.into())
    }

    fn after(&self, time: Duration) -> &Self {
        self.now.set(self.now() + time);
        self
    }

    fn now(&self) -> Instant {
        self.now.get()
    }

    fn recall(&self, session: &mut Session, to: &str) -> Known {
        let source = Source { ip: self.source.parse().unwrap(), deprecated: false, prefix_len: None };
        let mut probed = [Probed { addr: addr(to), source: Some(source), known: Known::default() }];
        session.recall(&mut probed, self.now());
        probed[0].known
    }

    /// One race that has learned this.
    fn learn(&self, host: &str, to: &str, lesson: Lesson) -> &Self {
        let mut session = self.session(host);
        self.recall(&mut session, to);
        session.learn(addr(to), lesson, self.now());
        self
    }

    /// Whether a race avoids the address.
    fn avoids(&self, host: &str, to: &str) -> bool {
        self.recall(&mut self.session(host), to).unreachable
    }

    fn rtt(&self, to: &str) -> Option<Rtt> {
        self.recall(&mut self.session("a.test"), to).rtt
    }
}

/// At port 443, if it has none.
fn addr(to: &str) -> SocketAddr {
    to.parse().unwrap_or_else(|_| SocketAddr::new(to.parse().unwrap(), 443))
}

fn reached(ms: u64) -> Lesson {
    Lesson::Reached { rtt: Some(Duration::from_millis(ms)) }
}

const A6: &str = "2001:db8:a::1";
const B6: &str = "2001:db8:b::1";
const C6: &str = "2001:db8:c::1";

/// Proves: HIS-6
#[test]
fn what_leads_nowhere_is_avoided_for_a_minute_and_then_for_twice_as_long() {
    let host = Host::new();
    for lesson in [Lesson::Silent, Lesson::Unreachable] {
        host.history.clear();
        for minutes in [1, 2, 4, 8, 10, 10] {
            host.learn("a.test", A6, lesson);
            assert!(host.after(minutes * MINUTE - SECOND).avoids("a.test", A6), "{minutes}");
            assert!(!host.after(SECOND).avoids("a.test", A6), "{minutes}");
        }
    }
}

#[test]
fn what_is_no_news_does_not_make_a_term_longer() {
    let host = Host::new();
    host.learn("a.test", A6, Lesson::Silent).learn("a.test", A6, Lesson::Silent);
    host.after(59 * SECOND).learn("a.test", A6, Lesson::Silent);
    assert!(!host.after(SECOND).avoids("a.test", A6));
}

/// Proves: HIS-6
#[test]
fn an_answer_ends_it() {
    let host = Host::new();
    host.learn("a.test", A6, Lesson::Silent).learn("a.test", A6, Lesson::Reached { rtt: None });
    assert!(!host.avoids("a.test", A6));
    host.learn("a.test", A6, Lesson::Silent);
    assert!(!host.after(MINUTE).avoids("a.test", A6), "it begins with the first term again");
}

/// Proves: HIS-4, HIS-6
#[test]
fn at_the_end_of_a_term_one_race_explores_and_the_others_wait_for_it() {
    let host = Host::new();
    host.learn("a.test", A6, Lesson::Silent).after(MINUTE);
    let mut explorer = host.session("a.test");
    assert!(!host.recall(&mut explorer, A6).unreachable);
    assert!(!host.recall(&mut explorer, A6).unreachable, "it may look twice");
    assert!(host.avoids("a.test", A6) && host.avoids("a.test", A6));
    // It was over before it got there.
    drop(explorer);
    let mut explorer = host.session("a.test");
    assert!(!host.recall(&mut explorer, A6).unreachable);
    explorer.learn(addr(A6), Lesson::Silent, host.now());
    drop(explorer);
    assert!(host.after(2 * MINUTE - SECOND).avoids("a.test", A6));

    let mut explorer = host.after(SECOND).session("a.test");
    assert!(!host.recall(&mut explorer, A6).unreachable);
    explorer.learn(addr(A6), reached(5), host.now());
    assert!(!host.avoids("a.test", A6), "the others follow at once");
}

/// Who comes late must not take the exploration from the one that has it now.
#[test]
fn a_race_gives_back_only_what_it_has() {
    let host = Host::new();
    host.learn("a.test", A6, Lesson::Silent).after(MINUTE);
    let mut late = host.session("a.test");
    assert!(!host.recall(&mut late, A6).unreachable);
    late.learn(addr(A6), Lesson::Silent, host.now());
    host.after(2 * MINUTE);
    let mut explorer = host.session("a.test");
    assert!(!host.recall(&mut explorer, A6).unreachable);
    drop(late);
    assert!(host.avoids("a.test", A6));
}

/// A family that is avoided keeps its addresses from being explored, too: nobody must hold one back for that.
#[test]
fn what_is_avoided_with_its_family_is_explored_after_it() {
    let host = Host::new();
    host.learn("a.test", A6, Lesson::Silent).after(30 * SECOND).learn("b.test", B6, Lesson::Silent);
    assert!(host.after(30 * SECOND).avoids("a.test", A6), "its own term is over, that of the family is not");
    host.learn("c.test", C6, reached(5));
    assert!(!host.avoids("a.test", A6));
}

/// A connect may be kept and never polled again.
#[test]
fn an_explorer_without_an_end_holds_nobody_back_for_long() {
    let host = Host::new();
    host.learn("a.test", A6, Lesson::Silent).learn("b.test", B6, Lesson::Silent).after(MINUTE);
    let mut explorer = host.session("a.test");
    assert!(!host.recall(&mut explorer, A6).unreachable);
    assert!(host.after(10 * MINUTE - SECOND).avoids("a.test", A6) && host.avoids("c.test", C6));
    host.after(SECOND);
    for _ in 0..2 {
        let mut other = host.session("a.test");
        assert!(!host.recall(&mut other, A6).unreachable && !host.recall(&mut other, C6).unreachable);
        std::mem::forget(other);
    }
}

#[test]
fn a_term_that_ended_long_ago_says_nothing() {
    let host = Host::new();
    for minutes in [1, 2, 4] {
        host.learn("a.test", A6, Lesson::Silent).after(minutes * MINUTE);
    }
    host.after(10 * MINUTE).learn("a.test", A6, Lesson::Silent);
    assert!(!host.after(MINUTE).avoids("a.test", A6));

    let host = Host::new();
    host.learn("a.test", A6, Lesson::Silent).learn("b.test", B6, Lesson::Silent);
    host.after(11 * MINUTE).learn("a.test", A6, Lesson::Silent).learn("b.test", B6, Lesson::Silent);
    assert!(host.avoids("c.test", C6));
    assert!(!host.after(MINUTE).avoids("c.test", C6), "nor that of a family");
}

/// Proves: HIS-6
#[test]
fn a_family_takes_two_sites_of_two_hosts() {
    let host = Host::new();
    host.learn("a.test", A6, Lesson::Silent).learn("b.test", B6, Lesson::Silent);
    assert!(host.avoids("c.test", C6));
    assert!(!host.after(MINUTE).avoids("c.test", C6), "as long as an address");
    for (one, other) in [
        (("a.test", A6), ("b.test", "2001:db8:a:1::2")),
        (("a.test", A6), ("a.test", B6)),
        (("a.test", A6), ("A.Test.", B6)),
    ] {
        let host = Host::new();
        host.learn(one.0, one.1, Lesson::Silent).learn(other.0, other.1, Lesson::Silent);
        assert!(!host.avoids("c.test", C6), "{one:?} and {other:?}");
    }
    for (other, avoids) in [("198.51.100.254", false), ("198.51.101.1", true)] {
        let host = Host { source: "192.0.2.1", ..Host::new() };
        host.learn("a.test", "198.51.100.1", Lesson::Silent).learn("b.test", other, Lesson::Silent);
        assert_eq!(host.avoids("c.test", "203.0.113.1"), avoids, "{other}");
    }
}

/// One of them is not that of the other host.
#[test]
fn two_sites_of_a_host_are_kept() {
    let host = Host::new();
    host.learn("a.test", A6, Lesson::Silent).learn("a.test", B6, Lesson::Silent);
    host.learn("b.test", "2001:db8:b:1::2", Lesson::Silent);
    assert!(host.avoids("c.test", C6));
}

#[test]
fn the_verdicts_on_a_family_have_to_stand_at_one_time() {
    let host = Host::new();
    host.learn("a.test", A6, Lesson::Silent).after(MINUTE).learn("b.test", B6, Lesson::Silent);
    assert!(!host.avoids("c.test", C6));
}

/// Proves: HIS-6
#[test]
fn one_answer_clears_a_family() {
    let host = Host::new();
    host.learn("a.test", A6, Lesson::Silent).learn("b.test", B6, Lesson::Silent);
    host.learn("c.test", C6, Lesson::Reached { rtt: None });
    assert!(!host.avoids("d.test", "2001:db8:d::1"));
    assert!(host.avoids("a.test", A6), "an address still goes by what is known of it");
    host.learn("a.test", "2001:db8:a::2", Lesson::Silent);
    assert!(!host.avoids("d.test", "2001:db8:d::1"), "what was before does not count any more");
}

/// The other family, and this one from another network, are other paths.
#[test]
fn a_verdict_is_of_one_family_and_source() {
    let mut host = Host::new();
    host.learn("a.test", A6, Lesson::Silent).learn("b.test", B6, Lesson::Silent);
    host.source = "2001:db8:eeee::1";
    assert!(!host.avoids("a.test", A6) && !host.avoids("c.test", C6));
    host.source = "2001:db8:ffff::2";
    assert!(host.avoids("a.test", A6), "addresses of one prefix are one");
    host.source = "192.0.2.1";
    assert!(!host.avoids("a.test", "198.51.100.1"));

    host.learn("a.test", "198.51.100.1", Lesson::Silent);
    host.source = "192.0.2.254";
    assert!(host.avoids("a.test", "198.51.100.1"));
    host.source = "192.0.3.1";
    assert!(!host.avoids("a.test", "198.51.100.1"));
}

/// Proves: HIS-6
#[test]
fn one_hostile_host_changes_nothing_for_others() {
    let host = Host::new();
    for site in 0..5000u16 {
        host.learn("evil.test", &format!("2001:db8:{site:x}::1"), Lesson::Silent);
        host.learn("evil.test", &format!("10.{}.{}.1", site >> 8, site & 0xff), Lesson::Unreachable);
    }
    assert!(!host.avoids("a.test", "2001:db8:fffe::1") && !host.avoids("a.test", "198.51.100.1"));
    // Nor does it keep a family from being found out.
    host.learn("a.test", "2001:db8:fffe::1", Lesson::Silent);
    assert!(host.avoids("b.test", "2001:db8:fffd::1"));
}

/// Whoever gives a name the address of another host may choose a port that is silent there.
///
/// Proves: HIS-6
#[test]
fn a_port_says_nothing_of_another() {
    let host = Host::new();
    host.learn("evil.test", "[2001:db8:a::1]:81", Lesson::Silent);
    assert!(host.avoids("evil.test", "[2001:db8:a::1]:81") && !host.avoids("a.test", A6));
}

/// Proves: HIS-2
#[test]
fn partitions_share_nothing() {
    let mut host = Host::new();
    host.learn("a.test", A6, Lesson::Silent).learn("b.test", B6, Lesson::Silent).learn("c.test", C6, reached(5));
    host.partition = "other";
    assert!(!host.avoids("a.test", A6) && !host.avoids("d.test", "2001:db8:d::1"));
    assert_eq!(host.rtt(C6), None);
    // Nor can one wipe out another's memory.
    for number in 0..2 * Config::MAX_PATHS {
        host.learn("evil.test", &format!("2001:db8:1:{number:x}::1"), reached(5));
    }
    host.partition = "";
    assert!(host.avoids("a.test", A6) && host.rtt(C6).is_some());
}

/// Proves: HIS-5
#[test]
fn paths_are_bounded_and_the_idlest_goes_first() {
    let host = Host::new();
    for number in 0..Config::MAX_PATHS {
        host.after(Duration::from_millis(1)).learn("a.test", &format!("2001:db8:1:{number:x}::1"), reached(5));
    }
    assert!(host.rtt("2001:db8:1:0::1").is_some(), "now it is not the idlest");
    host.learn("a.test", A6, reached(5));
    let eighth = Config::MAX_PATHS / 8;
    assert_eq!(host.history.snapshot_at(host.now()).paths.len(), Config::MAX_PATHS - eighth);
    for gone in [1, eighth + 1] {
        assert_eq!(host.rtt(&format!("2001:db8:1:{gone:x}::1")), None);
    }
    for stays in [0, eighth + 2] {
        assert!(host.rtt(&format!("2001:db8:1:{stays:x}::1")).is_some());
    }
    assert!(host.rtt(A6).is_some());
    for number in 0..eighth {
        host.learn("a.test", &format!("2001:db8:2:{number:x}::1"), reached(5));
    }
    assert_eq!(host.history.snapshot_at(host.now()).paths.len(), Config::MAX_PATHS, "as many fit in again");
}

/// Where each has one path, whole tenants are forgotten.
#[test]
fn tenants_are_bounded_too() {
    let host = Host::new();
    for number in 0..Config::MAX_PATHS + 100 {
        let mut session = host.history.session(number.to_string().into(), "a.test".into());
        host.recall(&mut session, A6);
        session.learn(addr(A6), reached(5), host.now());
    }
    let paths = host.history.snapshot_at(host.now()).paths;
    assert_eq!(paths.len(), Config::MAX_PATHS);
    host.history.clear();
    host.learn("a.test", A6, reached(5));
    assert!(host.rtt(A6).is_some(), "what was cleared does not count");
}

/// RFC 6298 section 2.
///
/// Proves: HIS-5
#[test]
fn round_trip_times_are_smoothed() {
    let host = Host::new();
    let ms = |smoothed, variation| {
        let ms = |it: f64| Duration::from_nanos((it * 1e6) as u64);
        Some(Rtt { smoothed: ms(smoothed), variation: ms(variation) })
    };
    assert_eq!(host.rtt(A6), None);
    host.learn("a.test", A6, reached(80));
    assert_eq!(host.rtt(A6), ms(80.0, 40.0));
    host.learn("a.test", A6, reached(160));
    assert_eq!(host.rtt(A6), ms(90.0, 50.0));
    host.learn("a.test", A6, reached(90)).learn("a.test", A6, Lesson::Reached { rtt: None });
    assert_eq!(host.rtt(A6), ms(90.0, 37.5));
}

/// However often it is measured: otherwise who was lucky once would never look elsewhere again.
///
/// Proves: HIS-4
#[test]
fn a_round_trip_time_is_forgotten_ten_minutes_after_its_first_sample() {
    let host = Host::new();
    for _ in 0..10 {
        host.learn("a.test", A6, reached(5));
        assert!(host.rtt(A6).is_some());
        host.after(MINUTE);
    }
    assert_eq!(host.rtt(A6), None);
}

/// Proves: HIS-3
#[test]
fn another_network_is_a_clean_start() {
    let host = Host::new();
    host.history.on_network(1);
    host.learn("a.test", A6, Lesson::Silent);
    host.history.on_network(1);
    assert!(host.avoids("a.test", A6));
    host.history.on_network(2);
    assert!(!host.avoids("a.test", A6) && host.history.is_empty());
}

#[test]
fn what_is_known_can_be_read() {
    let mut host = Host::new();
    assert_eq!(host.history.snapshot_at(host.now()), Snapshot::default());
    host.partition = "tenant";
    host.learn("a.test", A6, reached(80)).learn("a.test", A6, Lesson::Silent).learn("b.test", B6, Lesson::Silent);
    let mut snapshot = host.after(20 * SECOND).history.snapshot_at(host.now());
    snapshot.paths.sort_by_key(|path| path.destination);
    let source: IpAddr = "2001:db8:ffff::".parse().unwrap();
    let path = |destination: &str, rtt: Option<u64>| KnownPath {
        partition: "tenant".into(),
        source,
        destination: addr(destination),
        rtt: rtt.map(Duration::from_millis),
        unreachable_for: Some(40 * SECOND),
    };
    assert_eq!(snapshot.paths, [path(A6, Some(80)), path(B6, None)]);
    let family = KnownFamily { partition: "tenant".into(), source, unreachable_for: 40 * SECOND };
    assert_eq!(snapshot.families, [family]);
    assert_eq!(format!("{:?}", host.history), "History { .. }", "but not in passing");
    host.history.clear();
    assert_eq!(host.history.snapshot_at(host.now()), Snapshot::default());
}
