//! What a broken family would cost.

use std::time::Duration;

use hyper_happy_eyeballs::reachability::{Check, Client, DrillOutcome, DrillRun, Scenario};

use crate::host::{HTTPS, Host, V4};
use crate::lab::{Loopback, Site};
use crate::{builder, check_by, checker_of};

/// What a connect may cost on a busy machine although it need not cost anything.
const NOISE: Duration = Duration::from_millis(200);

async fn check(host: &Host) -> Check {
    // Longer than the drill lasts.
    let mut checker = checker_of(host, builder(host).connect_timeout(Some(Duration::from_secs(30))));
    check_by(checker.drill(true), &host.uri("https")).await
}

async fn both_families() -> Option<Host> {
    let Loopback::Both = Loopback::detect().await else { return None };
    Some(Host::open([(Loopback::Both.first(), HTTPS), (V4[0], HTTPS)]).await)
}

fn run(check: &Check, scenario: Scenario, client: Client) -> &DrillRun {
    let run = check.drill.iter().find(|run| run.scenario == scenario && run.client == client);
    run.unwrap_or_else(|| panic!("{client} was not run with {scenario}"))
}

/// What is not as it should be, of which a busy machine may be the cause.
fn deviations(check: &Check, host: &Host) -> Vec<String> {
    let (v6, v4) = (host.addr(Loopback::Both.first()), host.addr(V4[0]));
    let ms = Duration::from_millis;
    let expected = [
        (Scenario::AsItIs, Client::Own, v6, ms(0)),
        (Scenario::AsItIs, Client::Rfc6555, v6, ms(0)),
        (Scenario::AsItIs, Client::Sequential, v6, ms(0)),
        (Scenario::Ipv6Silent, Client::Own, v4, ms(250)),
        (Scenario::Ipv6Silent, Client::Rfc6555, v4, ms(300)),
        (Scenario::Ipv6Refused, Client::Own, v4, ms(0)),
        (Scenario::Ipv6Refused, Client::Rfc6555, v4, ms(0)),
        (Scenario::Ipv6Refused, Client::Sequential, v4, ms(0)),
        (Scenario::Ipv4Silent, Client::Own, v6, ms(0)),
        (Scenario::Ipv4Silent, Client::Rfc6555, v6, ms(0)),
        (Scenario::Ipv4Silent, Client::Sequential, v6, ms(0)),
    ];
    let runs = expected.map(|(scenario, client, addr, delay)| (run(check, scenario, client), addr, delay));
    let deviating = runs.into_iter().filter(|(run, expected, delay)| match (&run.outcome, run.cost) {
        // The best address takes its time too, which is not a cost.
        (DrillOutcome::Connected { addr, after }, Some(cost)) => {
            addr != expected || after < delay || cost + NOISE < *delay || cost > *delay + NOISE
        }
        _ => true,
    });
    deviating.map(|(run, ..)| format!("{run:?}")).collect()
}

#[tokio::test]
async fn a_broken_family_costs_each_client_what_its_rfc_says() {
    let Some(host) = both_families().await else { return };
    let mut deviations_of_all = Vec::new();
    for _ in 0..3 {
        let check = check(&host).await;
        assert_eq!(check.drill.len(), 12);
        let sequential = run(&check, Scenario::Ipv6Silent, Client::Sequential);
        assert_eq!((&sequential.outcome, sequential.cost), (&DrillOutcome::CutOff, None));
        match deviations(&check, &host) {
            none if none.is_empty() => return,
            some => deviations_of_all.push(some),
        }
    }
    panic!("{deviations_of_all:#?}");
}

/// A probe, a user's connect, and the clients whose packets to that family go their way. A client that is kept waiting
/// may try the other family in vain, which only the preferred one is safe from.
#[tokio::test]
async fn what_is_silent_or_refused_is_not_dialled() {
    let Some(host) = both_families().await else { return };
    check_by(crate::checker(&host).drill(true), &host.uri("https")).await;
    let server = host.sites.server(Loopback::Both.first());
    assert_eq!(server.accepted(), 2 + 2 * Client::ALL.len());
}

#[tokio::test]
async fn a_site_of_one_family_has_nothing_to_fall_back_to() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    let check = check(&host).await;
    let runs: Vec<_> = check.drill.iter().map(|run| (run.scenario, run.client)).collect();
    assert_eq!(runs, Client::ALL.map(|client| (Scenario::AsItIs, client)));
}

#[tokio::test]
async fn a_site_that_is_down_is_spared_the_drill() {
    let host = Host::with(Site::Refused).await;
    assert!(check(&host).await.drill.is_empty());
}
