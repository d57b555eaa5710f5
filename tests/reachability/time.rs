//! How long a check takes, and what is left of one that is dropped.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::host::{HTTPS, Host, V4, faulty};
use crate::lab::socks::Rules;
use crate::lab::{Behaviour, Socks};
use crate::{at, check, checker};

/// DNS, then everything at once: as long as the slowest of it, and a fifth. A machine may be busy for once.
#[tokio::test]
async fn a_check_takes_as_long_as_its_slowest_probe() {
    let delay = Duration::from_millis(300);
    let ips = [8, 9, 10, 11].map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)));
    let host = Host::open(ips.map(|ip| (ip, faulty(Behaviour::Delay(delay))))).await;
    let mut tries = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        let check = check(&host).await;
        let took = start.elapsed();
        let slowest = ips.iter().map(|ip| at(&check, *ip).probe.total).max().expect("four of them");
        let dns = check.lookups.iter().filter_map(|lookup| lookup.end).max().expect("it has a name");
        assert!(slowest >= delay, "{slowest:?}");
        if took <= slowest * 6 / 5 + dns {
            return;
        }
        tries.push(format!("{took:?} for {slowest:?} after {dns:?} of DNS"));
    }
    panic!("{tries:?}");
}

#[tokio::test]
async fn a_dropped_check_leaves_no_connection() {
    let host = Host::open([(V4[0], faulty(Behaviour::Mute)), (V4[1], HTTPS)]).await;
    let proxy = Socks::start(Rules::default().name(crate::host::HOST, V4[0])).await.expect("a port on loopback");
    let mut checker = checker(&host);
    checker.via(format!("socks5h://{}", proxy.addr()).parse().expect("a proxy"));
    let uri = host.uri("https").parse().expect("a URI");
    let checking = tokio::spawn(async move { checker.check(&uri).await });
    let mute = host.sites.server(V4[0]);
    // A user, a probe, and the name and the address through the proxy.
    let asked = mute.until(|connections| connections.iter().filter(|connection| connection.requests > 0).count() == 4);
    timeout(Duration::from_secs(10), asked).await.expect("all four ask at once");
    assert!(mute.connections().iter().all(|connection| !connection.closed));
    checking.abort();
    assert!(checking.await.expect_err("nothing comes of it").is_cancelled());
    for server in host.sites.servers() {
        let closed = server.until(|connections| connections.iter().all(|connection| connection.closed));
        timeout(Duration::from_secs(10), closed).await.expect("every connection is closed");
    }
}
