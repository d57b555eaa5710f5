//! Records that come late, or never: nobody waits for them longer than the Resolution Delay.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hickory_server::proto::rr::RecordType;

use crate::gate::Gate;
use crate::host::{HTTP, HTTPS, Host, V4, assert_untouched, config, faulty};
use crate::lab::{Behaviour, Reply};
use crate::support::connect;
use crate::zone::{LONG, Service, patient, peer, publish, records, tried};

/// Of the default settings.
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// The addresses of the origin are there at once.
///
/// Proves: TRG-1
#[tokio::test]
async fn records_that_come_within_the_resolution_delay_are_waited_for() {
    let host = Host::with(HTTPS).await;
    let service = Service::target(&host, HTTPS).await;
    publish(&host, records([service.record(1)]).after(Duration::from_millis(200)));
    let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
    assert_eq!(tried(stream.report().attempts()), [service.addr()], "{}", stream.report());
    assert_untouched(host.server()).await;
}

/// The lookup fails after five seconds, and the answer of the second case comes after three.
///
/// Proves: TRG-2
#[tokio::test]
async fn records_that_never_come_cost_the_resolution_delay() {
    let host = Host::with(HTTP).await;
    let service = Service::target(&host, HTTP).await;
    for reply in [Reply::never(), records([service.record(1)]).after(Duration::from_secs(3))] {
        publish(&host, reply);
        let connector = host.bare_builder().config(config()).plaintext().build().unwrap();
        let start = Instant::now();
        let stream = connect(&connector, &host.uri("https")).await.unwrap();
        assert!((RESOLUTION_DELAY..LONG).contains(&start.elapsed()), "{}", stream.report());
        let [won] = stream.report().attempts() else { panic!("{}", stream.report()) };
        assert!(won.start() >= RESOLUTION_DELAY, "{}", stream.report());
        assert_eq!(peer(&stream), host.addr(V4[0]));
        let [records, ..] = stream.report().queries() else { panic!("{}", stream.report()) };
        assert!(records.end().is_none() && records.services().is_empty());
    }
}

/// Name servers that drop such queries cost three waits, whatever is asked for, and then none.
#[tokio::test]
async fn servers_that_never_answer_are_soon_not_waited_for() {
    const WAIT: Duration = Duration::from_millis(300);
    let host = Host::with(HTTP).await;
    let mut config = config();
    config.resolution_delay(WAIT).dns_linger(Duration::ZERO);
    let connector = host.bare_builder().config(config).plaintext().build().unwrap();
    let port = host.sites.port();
    let mut starts = Vec::new();
    for number in 0..8 {
        let name = format!("n{number}.lab.test");
        host.dns.set(&name, RecordType::A, Reply::a([Ipv4Addr::new(127, 0, 0, 8)]));
        host.dns.set(&format!("_{port}._https.{name}"), RecordType::HTTPS, Reply::never());
        let stream = connect(&connector, &format!("https://{name}:{port}/")).await.unwrap();
        let [won] = stream.report().attempts() else { panic!("{}", stream.report()) };
        starts.push(won.start());
    }
    let (first, rest) = starts.split_at(3);
    assert!(first.iter().all(|start| *start >= WAIT), "{starts:?}");
    // On a machine that stands still now and then a connect takes as long for other reasons.
    assert!(rest.iter().any(|start| *start < WAIT), "{starts:?}");
}

/// The origin is being connected to, and stalls: what the records say is next, before the rest of the origin.
///
/// Proves: TRG-2, CHG-3
#[tokio::test]
async fn records_that_come_after_the_start_take_part() {
    let host = Host::open([(V4[0], faulty(Behaviour::Stall)), (V4[2], HTTPS)]).await;
    let service = Service::target(&host, HTTPS).await;
    publish(&host, records([service.record(1)]));
    let mut config = patient();
    config.resolution_delay(RESOLUTION_DELAY);
    let (connector, gate) = Gate::closed(&host, config);
    let stream = gate.open_after_tcp(&host, connect(&connector, &host.uri("https"))).await.unwrap();
    assert_eq!(tried(stream.report().attempts()), [host.addr(V4[0]), service.addr()], "{}", stream.report());
}
