//! What a check comes to, in words.

use std::net::Ipv4Addr;
use std::time::Duration;

use hyper_happy_eyeballs::reachability::{Check, Client, Level, Scenario};

use crate::host::{HTTPS, Host, V4, faulty};
use crate::lab::{Behaviour, Certificate, Loopback, Site};
use crate::{PATIENCE, builder, check, check_by, checker, checker_of};

async fn check_with_drill(host: &Host) -> Check {
    check_by(checker(host).drill(true), &host.uri("https")).await
}

#[tokio::test]
async fn a_site_whose_addresses_all_serve_is_ok() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    let check = check(&host).await;
    assert_eq!(check.verdict.level, Level::Ok);
    let after = check.race.report.as_ref().expect("it was connected").elapsed().as_secs_f64() * 1e3;
    let expected = format!("IPv4 only, 2 addresses; connected to 127.0.0.8 in {after:.1} ms");
    assert_eq!(check.verdict.reason, expected);
    assert_eq!(check.verdict.notes, ["no AAAA: IPv6-only users cannot reach it unless their network translates"]);
}

#[tokio::test]
async fn families_are_counted() {
    let Loopback::Both = Loopback::detect().await else { return };
    let host = Host::open([(Loopback::Both.first(), HTTPS), (V4[0], HTTPS)]).await;
    let both = check(&host).await;
    assert!(
        both.verdict.reason.starts_with("IPv6 and IPv4, 1 + 1 addresses; connected to ::1 in "),
        "{:?}",
        both.verdict
    );
    assert!(both.verdict.notes.is_empty(), "{:?}", both.verdict.notes);
    let only_ipv6 = check(&Host::open([(Loopback::Both.first(), HTTPS)]).await).await;
    assert!(only_ipv6.verdict.reason.starts_with("IPv6 only, 1 address; "), "{:?}", only_ipv6.verdict);
    assert_eq!(only_ipv6.verdict.notes, ["no A: IPv4-only users cannot reach it"]);
}

/// With IPv6 silent, as it is with many sites, each generation of clients loses what it loses.
#[tokio::test]
async fn it_is_said_who_loses_how_much() {
    let Loopback::Both = Loopback::detect().await else { return };
    let host = Host::open([(Loopback::Both.first(), Site::Silent), (V4[0], HTTPS)]).await;
    let mut checker = checker_of(&host, builder(&host).connect_timeout(Some(Duration::from_secs(6))));
    let check = check_by(checker.drill(true), &host.uri("https")).await;
    assert_eq!(check.verdict.level, Level::Degraded);
    let cost = |client: Client| {
        let run = check.drill.iter().find(|run| (run.scenario, run.client) == (Scenario::AsItIs, client));
        run.and_then(|run| run.cost).unwrap_or_else(|| panic!("{client} is not connected")).as_millis()
    };
    let (own, rfc6555) = (cost(Client::Own), cost(Client::Rfc6555));
    let expected = format!(
        "::1 silent (filtered): nothing came for 6 s; each new connection loses: this connector {own} ms, \
         RFC 6555 clients {rfc6555} ms, sequential clients > 5 s"
    );
    assert_eq!(check.verdict.reason, expected);
}

#[tokio::test]
async fn clients_that_do_not_get_there_lose_everything() {
    let expired = Site::Https(Certificate::Expired, Behaviour::Serve);
    let host = Host::open([(V4[0], expired), (V4[1], HTTPS)]).await;
    let check = check_with_drill(&host).await;
    assert_eq!(check.verdict.level, Level::Degraded);
    // For the old ones the first address that takes their connection is the last.
    let expected = "RFC 6555 clients everything, sequential clients everything";
    assert!(check.verdict.reason.ends_with(expected), "{}", check.verdict.reason);
}

#[tokio::test]
async fn a_fault_that_no_client_meets_costs_nothing() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], Site::Refused)]).await;
    let check = check_with_drill(&host).await;
    assert_eq!(check.verdict.level, Level::Degraded);
    let reason = &check.verdict.reason;
    assert!(reason.starts_with("127.0.0.9 refused; "), "{reason}");
    // A busy machine may have cost them time all the same; 20 ms are the noise of any.
    let now = check.drill.iter().filter(|run| run.scenario == Scenario::AsItIs);
    let costs = now.filter_map(|run| run.cost).filter(|cost| *cost >= Duration::from_millis(20));
    match costs.map(|cost| format!(" {} ms", cost.as_millis())).collect::<Vec<_>>() {
        costs if costs.is_empty() => assert!(reason.ends_with("; no client loses 20 ms or more by it"), "{reason}"),
        costs => assert!(costs.iter().all(|cost| reason.contains(cost)), "{costs:?}: {reason}"),
    }
}

#[tokio::test]
async fn every_fault_is_named() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], Site::Refused), (V4[2], faulty(Behaviour::Stall))]).await;
    let reason = check(&host).await.verdict.reason;
    assert!(reason.contains("127.0.0.9 refused; ") && reason.contains("; 127.0.0.10 TLS stalled: "), "{reason}");
}

#[tokio::test]
async fn addresses_of_one_fault_are_counted() {
    let refused = (10..16).map(|last| (Ipv4Addr::new(127, 0, 0, last).into(), Site::Refused));
    let host = Host::open([(V4[0], HTTPS)].into_iter().chain(refused)).await;
    let reason = check(&host).await.verdict.reason;
    assert_eq!(reason, "127.0.0.10, 127.0.0.11, 127.0.0.12 and 3 more refused");
}

#[tokio::test]
async fn a_site_that_no_user_reaches_is_down() {
    let host = Host::open([(V4[0], Site::Refused), (V4[1], Site::Refused)]).await;
    let check = check(&host).await;
    assert_eq!(check.verdict.level, Level::Down);
    let reason = &check.verdict.reason;
    assert_eq!(reason, "no address serves: 127.0.0.8, 127.0.0.9 refused");
}

/// A connect is not all that a user wants.
#[tokio::test]
async fn a_site_that_serves_nobody_is_down() {
    for (behaviour, expected) in [
        (Behaviour::Status(503), "HTTP error: 503 Service Unavailable".to_owned()),
        (Behaviour::Status(999), "HTTP error: 999".to_owned()),
        (Behaviour::Mute, format!("no HTTP response: no whole head within {} s", PATIENCE.as_secs_f64())),
    ] {
        let check = check(&Host::with(faulty(behaviour)).await).await;
        let reason = format!("no address serves: 127.0.0.8 {expected}");
        assert_eq!((check.verdict.level, check.verdict.reason), (Level::Down, reason));
    }
}

/// What the first check learns must not make the second think that nothing is lost.
#[tokio::test]
async fn a_second_check_sees_what_the_first_saw() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], HTTPS)]).await;
    let checker = checker(&host);
    let uri = host.uri("https").parse().unwrap();
    for _ in 0..2 {
        let check = checker.check(&uri).await.unwrap();
        let report = check.race.report.as_ref().unwrap();
        assert!(report.elapsed() >= Duration::from_millis(250), "{report}");
    }
}
