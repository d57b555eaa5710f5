//! What the race costs by itself: no sockets, no runtime, the clock stands still.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper_happy_eyeballs::__internal::{Environment, Input, Known, Outcome, Output, Probed, Race, Source, sorted};
use hyper_happy_eyeballs::resolve::{Answer, Kinds, Names, QueryKind, ServiceRecord};
use hyper_happy_eyeballs::{Config, Origin};

/// A connect in which nothing goes wrong: three addresses a family, an HTTPS record with hints, TCP, TLS, report.
pub fn healthy() -> impl Fn() {
    let config = Arc::new(Config::default());
    let origin = Origin::from_uri(&"https://www.lab.test/".parse().expect("a URI")).expect("an origin");
    move || {
        let now = Instant::now();
        let mut race = Race::new(origin.clone(), environment(), config.clone(), now);
        let outcome = loop {
            match race.poll_output(now) {
                Output::Query { id, kind, .. } => {
                    race.handle_input(Input::Answer { id, result: Ok(answer(kind)) }, now);
                }
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
}

/// The order of so many addresses by RFC 6724, both families in turns.
pub fn sorting(count: u8) -> impl Fn() {
    let probed: Vec<_> = (0..count).map(|number| probed(addr(number))).collect();
    let environment = environment();
    move || assert_eq!(black_box(sorted(&probed, &environment)).len(), probed.len())
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
