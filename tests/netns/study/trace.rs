//! What was on the wire between one client and one host.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_server::proto::rr::RecordType;

use super::relay::{Carried, Relay};
use super::scenes::Host;
use crate::capture::{Packet, first_of_each};

#[derive(Clone, Debug)]
pub(crate) struct Trace {
    host: Host,
    /// The first SYN of each attempt.
    starts: Vec<Packet>,
    /// In the order in which they left.
    queries: Vec<RecordType>,
    /// When they arrived at the client.
    answers: Vec<(RecordType, Duration)>,
}

impl Trace {
    /// Of the packets after the first `skipped`.
    pub(crate) fn of(host: &Host, relay: &Relay, skipped: usize) -> Self {
        const DNS: u16 = 53;
        let addrs: Vec<_> = host.addrs().collect();
        let syns = relay.carried(skipped, |packet| packet.is_syn() && addrs.contains(&packet.to.ip()));
        let messages = relay.carried(skipped, |packet| packet.to.port() == DNS || packet.from.port() == DNS);
        let (mut queries, mut answers) = (Vec::new(), Vec::new());
        for Carried { packet, arrived } in messages {
            let Some(query) = packet.query().filter(|query| host.has(&query.name)) else { continue };
            if packet.to.port() == DNS {
                queries.push(query.kind);
            } else {
                answers.extend(arrived.map(|arrived| (query.kind, arrived)));
            }
        }
        let starts = first_of_each(syns.into_iter().map(|syn| syn.packet).collect());
        Self { host: host.clone(), starts, queries, answers }
    }

    /// Each address once, in the order in which they were tried.
    pub(crate) fn tried(&self) -> Vec<SocketAddr> {
        let mut known = HashSet::new();
        self.starts.iter().map(|start| start.to).filter(|addr| known.insert(*addr)).collect()
    }

    pub(crate) fn starts_with_ipv6(&self) -> bool {
        self.starts.first().is_some_and(|start| start.to.is_ipv6())
    }

    /// The time between the first two attempts, if there were two.
    pub(crate) fn between_starts(&self) -> Option<Duration> {
        let [first, second, ..] = &self.starts[..] else { return None };
        Some(second.at - first.at)
    }

    /// How long after an answer the first attempt started; `None` if it started before that.
    pub(crate) fn start_after(&self, kind: RecordType) -> Option<Duration> {
        let start = self.starts.first()?.at;
        let (_, answer) = self.answers.iter().find(|(answered, _)| *answered == kind)?;
        start.checked_sub(*answer)
    }

    /// Whether a query of one type left before that of another.
    pub(crate) fn asked_before(&self, first: RecordType, second: RecordType) -> bool {
        let place = |kind| self.queries.iter().position(|asked| *asked == kind).unwrap_or(usize::MAX);
        place(first) < place(second)
    }

    pub(crate) fn asked(&self, kind: RecordType) -> bool {
        self.queries.contains(&kind)
    }

    /// Whether an attempt went where only an HTTPS record leads.
    pub(crate) fn followed(&self) -> bool {
        self.starts.iter().any(|start| self.host.hidden.contains(&start.to.ip()))
    }
}
