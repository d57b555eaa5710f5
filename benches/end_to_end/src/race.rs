//! What the race costs by itself: no sockets, no runtime, the clock stands still.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper_happy_eyeballs::__internal::{Environment, Input, Known, Outcome, Output, Probed, Race, Source, sorted};
use hyper_happy_eyeballs::resolve::{Answer, Kinds, Names, QueryKind, ServiceRecord};
use hyper_happy_eyeballs::{Config, Origin};

use crate::row::{Bound, Other, Row, Unit};

const ROUNDS: usize = 200;
const REPEATS: u32 = 100;

pub fn measure(show: &mut impl FnMut(Row)) {
    let config = Arc::new(Config::default());
    let origin = Origin::from_uri(&"https://www.lab.test/".parse().expect("a URI")).expect("an origin");
    let race = best(|| healthy(&origin, &config));
    let probed: Vec<_> = (0..64).map(|number| probed(addr(number))).collect();
    let environment = environment();
    let sort = best(|| assert_eq!(black_box(sorted(&probed, &environment)).len(), probed.len()));
    for (name, took, bound) in [
        ("the race of a healthy `https` connect with an HTTPS record, CPU", race, 5.0),
        ("sorting 64 addresses by RFC 6724, CPU", sort, 20.0),
    ] {
        let (unit, ours) = (Unit::Microseconds, Unit::Microseconds.of(took));
        show(Row { name: name.to_owned(), unit, ours, other: Other::None, bound: Bound::Most(bound) });
    }
}

/// The time of one call. Whatever else the machine does can only add to it, so the shortest is the truest.
fn best(mut call: impl FnMut()) -> Duration {
    let round = |_| {
        let start = Instant::now();
        (0..REPEATS).for_each(|_| call());
        start.elapsed() / REPEATS
    };
    (0..ROUNDS).map(round).min().expect("there are rounds")
}

/// A connect in which nothing goes wrong: three addresses a family, an HTTPS record with hints, TCP, TLS, report.
fn healthy(origin: &Origin, config: &Arc<Config>) {
    let now = Instant::now();
    let mut race = Race::new(origin.clone(), environment(), config.clone(), now);
    let outcome = loop {
        match race.poll_output(now) {
            Output::Query { id, kind, .. } => race.handle_input(Input::Answer { id, result: Ok(answer(kind)) }, now),
            Output::Probe { addrs } => {
                race.handle_input(Input::Probed(addrs.into_iter().map(probed).collect()), now);
            }
            Output::Attempt { id, .. } => {
                race.handle_input(Input::Progress { id, rtt: Some(Duration::from_millis(10)) }, now);
            }
            Output::Handshake { id, .. } => race.handle_input(Input::Succeeded { id }, now),
            Output::Learned { .. } => {}
            Output::Cancel { .. } | Output::Permit | Output::Wait(_) => unreachable!("nothing is missing"),
            Output::Done(outcome) => break outcome,
        }
    };
    assert!(matches!(outcome, Outcome::Won(_)));
    assert_eq!(black_box(race.take_report()).attempts().len(), 1);
}

fn environment() -> Environment {
    let names = Names::Ask(vec!["www.lab.test.".into()]);
    let dual_stack = Environment::dual_stack(names);
    Environment { kinds: Kinds::PerType, https: true, tls: true, recalls: true, ..dual_stack }
}

fn answer(kind: QueryKind) -> Answer {
    match kind {
        QueryKind::Https => {
            let record = ServiceRecord::new(1, ".").with_alpn(["h3", "h2"]).with_hints([addr(0).ip(), addr(1).ip()]);
            Answer::from_services([record])
        }
        QueryKind::Aaaa => Answer::from_ips((0..3).map(|number| addr(2 * number).ip())),
        _ => Answer::from_ips((0..3).map(|number| addr(2 * number + 1).ip())),
    }
}

/// Even numbers are IPv6.
fn addr(number: u8) -> SocketAddr {
    let ip: IpAddr = match number % 2 {
        0 => Ipv6Addr::new(0x2001, 0xdb8, number.into(), 0, 0, 0, 0, 1).into(),
        _ => Ipv4Addr::new(192, 0, 2, number).into(),
    };
    SocketAddr::new(ip, 443)
}

fn probed(addr: SocketAddr) -> Probed {
    let ip = if addr.is_ipv6() {
        Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 2).into()
    } else {
        Ipv4Addr::new(192, 0, 2, 200).into()
    };
    Probed { addr, source: Some(Source { ip, deprecated: false, prefix_len: Some(64) }), known: Known::default() }
}
