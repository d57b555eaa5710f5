//! A message of DNS to HTTPS records to services, and a race for them.
//!
//! The bytes are a header and what follows the question, which is always the same: a client takes no answer to another.
#![no_main]

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper_happy_eyeballs::__internal::{Input, failure, https_answer};
use hyper_happy_eyeballs::report::FailureKind;
use hyper_happy_eyeballs::resolve::{Answer, Names, QueryKind, ResolveError};
use hyper_happy_eyeballs::{Config, Origin};
use hyper_happy_eyeballs_fuzz::{Player, environment};
use libfuzzer_sys::fuzz_target;

const HEADER: usize = 12;
/// `a.test.`, of type 65 and class IN.
const QUESTION: &[u8] = b"\x01a\x04test\0\0\x41\0\x01";
/// More than a chain of aliases and eight services lead to.
const MAX_QUERIES: usize = 100;

fuzz_target!(|data: &[u8]| {
    for is_cut in [false, true] {
        // Whatever it asks.
        https_answer(&mut data.to_vec(), is_cut);
    }
    let Some((header, records)) = data.split_at_checked(HEADER) else { return };
    let mut message = [header, QUESTION, records].concat();
    message[4..6].copy_from_slice(&[0, 1]);
    let is_cut = https_answer(&mut message.clone(), true);
    assert!(is_cut.is_some(), "dropped, so that the lookup would wait for its timeout");
    race(&https_answer(&mut message, false).expect("dropped, so that the lookup would wait for its timeout"));
});

/// A race to which every name has these records and the same addresses, where nobody is at home.
fn race(records: &Result<Answer, ResolveError>) {
    let origin = Origin::from_uri(&"https://a.test/".parse().expect("a URI")).expect("an origin");
    let mut player = Player::new(origin, environment(Names::Ask(vec!["a.test".into()])), Config::default());
    let (mut answered, mut failed) = (0, 0);
    while answered < player.queries.len() || failed < player.attempts.len() {
        while let Some((id, _, kind)) = player.queries.get(answered).cloned() {
            answered += 1;
            let ip: IpAddr = if kind == QueryKind::A { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
            let result = if kind == QueryKind::Https { records.clone() } else { Ok(Answer::from_ips([ip])) };
            player.input(Input::Answer { id, result });
        }
        while let Some(id) = player.attempts.get(failed).copied() {
            failed += 1;
            player.input(Input::Failed { id, failure: failure(FailureKind::Refused, ErrorKind::Other.into()) });
        }
        player.rest();
    }
    assert!(player.is_over, "it waits for nothing");
    assert!(answered <= MAX_QUERIES, "{answered} queries for one origin");
}
