//! Connects in the worlds of the lab, where something is broken, on real sockets and real DNS, beside the best that a
//! client could do; and what a silent IPv6 costs those who connect again and again.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use hickory_resolver::proto::rr::RecordType;
use http::Uri;
use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{Config, Families, HappyEyeballsConnector};
use hyper_util::client::legacy::connect::HttpConnector;
use tower_service::Service;

use crate::BoxError;
use crate::lab::world::PATIENCE;
use crate::lab::{Behaviour, Ca, Dns, Kind, LookupIp, Loopback, Reply, Site, Sites, World};
use crate::row::{Bound, Other, Row, Unit};

/// Of which the shortest counts: whatever else the machine does can only add to it. So there are more where it has.
const RUNS: usize = 3;
const MOST_RUNS: usize = 12;
/// Connects over a silent IPv6.
const FRESH: u32 = 100;
/// How often ours lose, of which the least counts, while they lose too much: a machine that stands still is not theirs.
const MOST_LOSSES: usize = 5;
/// How much more of them `HttpConnector` has to lose.
const TIMES: f64 = 50.0;

pub fn measure(quick: bool, show: &mut impl FnMut(Row)) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (ca, loopback) = (Ca::new(), Loopback::detect().await);
        // The first handshake of a process pays for setting the cryptography up.
        let _ = time(&World::start(Kind::Healthy, &ca, loopback).await?, &ca).await?;
        for kind in Kind::ALL {
            if kind.is_possible(loopback) {
                show(world(&World::start(kind, &ca, loopback).await?, &ca).await?);
            } else {
                eprintln!("{}: left out, it needs IPv6", kind.name());
            }
        }
        match loopback {
            Loopback::Both => show(again_and_again(quick).await?),
            Loopback::Ipv4Only => eprintln!("connects over a silent IPv6: left out, this host has none"),
        }
        Ok(())
    })
}

async fn world(world: &World, ca: &Ca) -> Result<Row, BoxError> {
    let (unit, ideal) = (Unit::Milliseconds, world.ideal);
    let mut row = Row {
        name: format!("connect, {}", world.kind.name()),
        unit,
        ours: f64::INFINITY,
        other: Other::Ideal(unit.of(ideal)),
        bound: Bound::Beyond(unit.of(ideal / 20 + Duration::from_millis(10))),
    };
    let mut stray = None;
    for run in 0..MOST_RUNS {
        if run >= RUNS && row.holds() {
            break;
        }
        // Where the machine stood still in the middle of one, another way may have been the shorter.
        match time(world, ca).await? {
            Ok(took) => row.ours = row.ours.min(unit.of(took)),
            Err(other_way) => stray = Some(other_way),
        }
    }
    match stray {
        Some(other_way) if row.ours.is_infinite() => Err(other_way.into()),
        _ => Ok(row),
    }
}

/// The first connect of a new connector; what it did instead, where it went another way.
async fn time(world: &World, ca: &Ca) -> Result<Result<Duration, String>, BoxError> {
    world.forget();
    let mut config = config();
    if world.expected.is_none() {
        config.connect_timeout(Some(PATIENCE));
    }
    let mut connector = HappyEyeballsConnector::builder()
        .resolver(HickoryResolver::with_name_servers([world.dns.addr()]))
        .config(config)
        .tls_config(ca.client_config(&["http/1.1"]))
        .build()?;
    let uri = world.url().parse()?;
    let start = Instant::now();
    let result = connector.call(uri).await;
    let elapsed = start.elapsed();
    let (peer, report) = match &result {
        Ok(stream) => (Some(stream.tcp_stream().peer_addr()?), Some(stream.report())),
        Err(error) => (None, error.report()),
    };
    let attempted: Vec<_> = report.iter().flat_map(|report| report.attempts()).map(|attempt| attempt.addr()).collect();
    let name = world.kind.name();
    if peer.is_some() != world.expected.is_some() {
        return Err(format!("{name}: {result:?}").into());
    }
    // A client that knew what is broken would be fast without merit.
    if peer != world.expected || !world.broken_was_tried(&attempted) {
        return Ok(Err(format!("{name}: it went another way\n{result:?}")));
    }
    Ok(Ok(elapsed))
}

/// The defaults. A host with addresses of one family only would not be asked to try the other.
fn config() -> Config {
    let mut config = Config::default();
    config.families(Families::Both);
    config
}

/// What connects to one host whose IPv6 is silent lose in all beside those to a host without IPv6.
async fn again_and_again(quick: bool) -> Result<Row, BoxError> {
    let good = Ipv4Addr::LOCALHOST;
    let sites = [(Ipv6Addr::LOCALHOST.into(), Site::Silent), (good.into(), Site::Http(Behaviour::Serve))];
    let sites = Sites::open(&Ca::new(), "*.lab.test", sites).await?;
    let dns = Dns::start().await?;
    for host in ["broken.lab.test", "healthy.lab.test"] {
        dns.set(host, RecordType::A, Reply::a([good]));
    }
    dns.set("broken.lab.test", RecordType::AAAA, Reply::aaaa([Ipv6Addr::LOCALHOST]));
    let [broken, healthy] =
        ["broken", "healthy"].map(|host| format!("http://{host}.lab.test:{}/", sites.port()).parse::<Uri>());
    let (broken, healthy) = (broken?, healthy?);

    let http_connector = HttpConnector::new_with_resolver(LookupIp::new(dns.addr())?);
    let scale = if quick { 10 } else { 1 };
    let theirs = scale * lost(&http_connector, FRESH / scale, &broken, &healthy).await?;
    let (unit, scaled) = (Unit::Milliseconds, if quick { ", the other's 10 times ten" } else { "" });
    let mut row = Row {
        name: format!("lost by {FRESH} fresh connects over a silent IPv6{scaled}"),
        unit,
        ours: f64::INFINITY,
        other: Other::Client("`HttpConnector` with hickory", unit.of(theirs)),
        bound: Bound::Times(TIMES),
    };
    for _ in 0..MOST_LOSSES {
        let ours = HappyEyeballsConnector::builder()
            .resolver(HickoryResolver::with_name_servers([dns.addr()]))
            .config(config())
            .plaintext()
            .build()?;
        row.ours = row.ours.min(unit.of(lost(&ours, FRESH, &broken, &healthy).await?));
        if row.holds() {
            break;
        }
    }
    Ok(row)
}

async fn lost<C>(connector: &C, count: u32, broken: &Uri, healthy: &Uri) -> Result<Duration, BoxError>
where
    C: Service<Uri, Error: Into<BoxError>> + Clone,
{
    let time = async |uri: &Uri| -> Result<Duration, BoxError> {
        let mut connector = connector.clone();
        let start = Instant::now();
        for _ in 0..count {
            connector.call(uri.clone()).await.map_err(Into::into)?;
        }
        Ok(start.elapsed())
    };
    Ok(time(broken).await?.saturating_sub(time(healthy).await?))
}
