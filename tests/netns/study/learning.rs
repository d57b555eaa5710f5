//! One connector that connects again and again over paths of different length.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{HappyEyeballsConnector, Report};
use tower_service::Service;

use super::relay::{Direction, Fate};
use super::scenes::Scene;
use super::stage::Stage;
use crate::namespace::in_namespace;
use crate::network::{TOLERANCE, assert_close, ms};

/// A connector for the hosts of `stage` that knows nothing of paths as long as these.
async fn connector(stage: &Stage) -> HappyEyeballsConnector {
    let mut connector = HappyEyeballsConnector::builder()
        .resolver(HickoryResolver::with_name_servers([stage.name_server()]))
        .plaintext()
        .build()
        .expect("nothing is missing");
    // What only the first connect of all does is not to be measured: it asks the kernel for the interfaces.
    let (_, _, url) = host(stage, Duration::ZERO, Duration::ZERO);
    connect(&mut connector, &url).await;
    connector
}

/// Connects, and says how long it took and to whom.
async fn connect(connector: &mut HappyEyeballsConnector, url: &str) -> (Duration, IpAddr) {
    let start = Instant::now();
    let stream = connector.call(url.parse().expect("a URL")).await.expect("an address answers");
    let report: &Report = stream.report();
    println!("{report}");
    (start.elapsed(), report.winner().expect("it is connected").addr().ip())
}

/// A host with an IPv6 and an IPv4 address whose packets take so long there, and its URL.
fn host(stage: &Stage, v6: Duration, v4: Duration) -> (IpAddr, IpAddr, String) {
    let Scene { host, url, .. } = Scene::ipv6_delayed(stage, v6);
    stage.relay().set(host.v4[0].into(), Direction::ToServer, Fate::Delayed(v4));
    (host.v6[0].into(), host.v4[0].into(), url)
}

#[test]
fn the_second_connect_over_a_slow_ipv6_pays_no_delay() {
    in_namespace(|| async {
        let stage = Stage::start();
        let (_, v4, url) = host(&stage, ms(400), ms(10));
        let mut connector = connector(&stage).await;
        let (first, winner) = connect(&mut connector, &url).await;
        assert_eq!(winner, v4);
        assert_close(first, ms(250 + 10));
        let (second, winner) = connect(&mut connector, &url).await;
        assert_eq!(winner, v4);
        assert_close(second, ms(10));
    });
}

/// A start every 250 ms at first, and more patience once it is known how far it is: never a timeout.
///
/// Proves: ATT-4
#[test]
fn a_host_that_is_far_by_both_families_is_reached() {
    in_namespace(|| async {
        let stage = Stage::start();
        let (v6, _, url) = host(&stage, ms(600), ms(600));
        let mut connector = connector(&stage).await;
        for round in 0..3 {
            let skipped = stage.relay().count();
            let (took, winner) = connect(&mut connector, &url).await;
            assert_eq!(winner, v6);
            assert!(took >= ms(600) && took <= ms(600) + TOLERANCE, "{took:?}");
            let syns = stage.relay().carried(skipped, |packet| packet.is_syn() && packet.to.port() == 80);
            // Known to be far, the first address is left alone for as long as its SYN would not be sent again.
            assert_eq!(syns.len(), if round == 0 { 2 } else { 1 }, "{syns:?}");
        }
    });
}
