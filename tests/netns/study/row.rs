//! What a client does, read from what was on the wire: one row of the study's table.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use hickory_server::proto::rr::RecordType;

use super::clients::Client;
use super::scenes::{SILENT, Scene};
use super::servers::OTHER_PORT;
use super::stage::Stage;
use super::trace::Trace;
use crate::network::ms;

/// The delays that a client is measured with, in milliseconds.
pub(crate) struct Delays {
    /// Of packets to IPv6 addresses.
    pub(crate) ipv6: Vec<u64>,
    pub(crate) aaaa: Vec<u64>,
    pub(crate) a: Vec<u64>,
}

pub(crate) struct Row {
    pub(crate) client: &'static str,
    pub(crate) prefers_ipv6: bool,
    pub(crate) attempt_delay: Option<Measured>,
    /// `None` where it was so at times.
    pub(crate) asks_aaaa_first: Option<bool>,
    /// From the answer to A.
    pub(crate) resolution_delay: Option<Measured>,
    pub(crate) waits_for_a: bool,
    /// In this order, where no address answers.
    pub(crate) addrs_used: Vec<IpAddr>,
    /// From the first SYN to the next.
    pub(crate) stalled_tls: Option<Duration>,
    pub(crate) asks_https: bool,
    pub(crate) follows_port: bool,
    pub(crate) follows_target: bool,
    pub(crate) follows_hints: bool,
}

/// A delay of the client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) least: Duration,
    pub(crate) median: Duration,
    pub(crate) most: Duration,
    /// The least delay that was longer than the client waits.
    pub(crate) from: Duration,
}

impl Delays {
    /// The study's: IPv6 packets up to 400 ms late, answers up to 1 s.
    pub(crate) fn all() -> Self {
        let answers: Vec<_> = (0..=1000).step_by(50).collect();
        Self { ipv6: (0..=400).step_by(25).collect(), aaaa: answers.clone(), a: answers }
    }

    pub(crate) fn few() -> Self {
        Self { ipv6: vec![0, 200, 300, 350, 400], aaaa: vec![0, 200, 300, 400], a: vec![0, 200, 400] }
    }
}

impl Row {
    pub(crate) async fn measure(stage: &Stage, client: &Client, delays: &Delays) -> Self {
        let answer_delayed = |kind| move |stage: &Stage, delay| Scene::answer_delayed(stage, kind, delay);
        // The longest first.
        let (silent, stalled, port, target, hints, aaaa, a, ipv6) = tokio::join!(
            stage.watch(client, Scene::silent),
            stage.watch(client, Scene::tls_stalled),
            stage.watch(client, Scene::other_port),
            stage.watch(client, Scene::other_target),
            stage.watch(client, Scene::hints),
            watch_all(stage, client, &delays.aaaa, answer_delayed(RecordType::AAAA)),
            watch_all(stage, client, &delays.a, answer_delayed(RecordType::A)),
            watch_all(stage, client, &delays.ipv6, Scene::ipv6_delayed),
        );

        Self {
            client: client.name,
            prefers_ipv6: ipv6.iter().all(|(_, trace)| trace.starts_with_ipv6()),
            attempt_delay: Measured::of(ipv6.iter().map(|(delay, trace)| (*delay, trace.between_starts()))),
            asks_aaaa_first: asks_aaaa_first(aaaa.iter().chain(&a).map(|(_, trace)| trace)),
            resolution_delay: Measured::of(aaaa.iter().map(|(delay, trace)| {
                let wait = if trace.starts_with_ipv6() { None } else { trace.start_after(RecordType::A) };
                (*delay, wait)
            })),
            // Within some milliseconds both answers may have come before anything can start.
            waits_for_a: a
                .iter()
                .filter(|(delay, _)| *delay >= ms(100))
                .all(|(_, trace)| trace.start_after(RecordType::A).is_some()),
            addrs_used: silent.tried().iter().map(SocketAddr::ip).collect(),
            stalled_tls: stalled.between_starts(),
            asks_https: [&port, &target, &hints].into_iter().any(|trace| trace.asked(RecordType::HTTPS)),
            follows_port: port.tried().iter().any(|addr| addr.port() == OTHER_PORT),
            follows_target: target.followed(),
            follows_hints: hints.followed(),
        }
    }

    /// How many addresses of each family it used, IPv6 first.
    pub(crate) fn addrs_used(&self) -> [usize; 2] {
        let ipv6 = self.addrs_used.iter().filter(|addr| addr.is_ipv6()).count();
        [ipv6, self.addrs_used.len() - ipv6]
    }

    /// Whether it used all addresses, of one family and the other in turn.
    pub(crate) fn interlaces(&self) -> bool {
        self.addrs_used() == [usize::from(SILENT); 2]
            && self.addrs_used.windows(2).all(|pair| pair[0].is_ipv6() != pair[1].is_ipv6())
    }
}

/// One scene for each of the delays.
async fn watch_all(
    stage: &Stage,
    client: &Client,
    delays: &[u64],
    scene: impl Fn(&Stage, Duration) -> Scene,
) -> Vec<(Duration, Trace)> {
    let watch = async |delay| (delay, stage.watch(client, |stage| scene(stage, delay)).await);
    join_all(delays.iter().map(|delay| watch(ms(*delay)))).await
}

fn asks_aaaa_first<'a>(traces: impl Iterator<Item = &'a Trace>) -> Option<bool> {
    let mut first = traces.map(|trace| trace.asked_before(RecordType::AAAA, RecordType::A));
    let one = first.next()?;
    first.all(|other| other == one).then_some(one)
}

impl Measured {
    /// From how long the client waited at each delay, if it did not wait to the end.
    fn of(waits: impl Iterator<Item = (Duration, Option<Duration>)>) -> Option<Self> {
        let (delays, mut waits): (Vec<_>, Vec<_>) = waits.filter_map(|(delay, wait)| Some((delay, wait?))).unzip();
        waits.sort();
        let median = *waits.get(waits.len() / 2)?;
        Some(Self { least: waits[0], median, most: *waits.last()?, from: delays.into_iter().min()? })
    }
}
