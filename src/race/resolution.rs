//! What is known of the host's addresses, what is still asked, and when that is enough to start.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::event::{Environment, Family, QueryId};
use crate::address_policy::Verdict;
use crate::config::{Config, MAX_ADDRESSES_PER_FAMILY};
use crate::origin::{Host, Origin};
use crate::report::{AttemptOutcome, AttemptReport, QueryReport};
use crate::resolve::{Answer, Kinds, Names, QueryKind, ResolveError, ResolveErrorKind};

/// Addresses of one answer that the report shows.
const MAX_REPORTED: usize = 2 * MAX_ADDRESSES_PER_FAMILY;

pub(super) struct Resolution {
    queries: Vec<Query>,
    /// Names of the search list that are asked if the earlier ones do not exist.
    later: std::vec::IntoIter<Arc<str>>,
    denied: Vec<Denied>,
    /// When the first address came that may be dialled: the Resolution Delay runs from there.
    first_address: Option<Instant>,
}

struct Query {
    name: Arc<str>,
    kind: QueryKind,
    asked: Instant,
    ended: Option<Instant>,
    state: State,
}

enum State {
    Pending,
    /// What came, and what of it may be dialled.
    Answered {
        came: Vec<SocketAddr>,
        usable: Vec<SocketAddr>,
    },
    Failed(ResolveError),
}

struct Denied {
    addr: SocketAddr,
    at: Instant,
    reason: Cow<'static, str>,
}

impl Resolution {
    pub(super) fn new(names: Names, origin: &Origin, environment: &Environment, config: &Config, now: Instant) -> Self {
        let mut this =
            Self { queries: Vec::new(), later: Vec::new().into_iter(), denied: Vec::new(), first_address: None };
        match names {
            Names::Fixed(addresses) => {
                let name = match origin.host() {
                    Host::Name(name) => name.clone(),
                    Host::Address { .. } => Arc::default(),
                };
                let query = Query { name, kind: QueryKind::Addresses, asked: now, ended: None, state: State::Pending };
                this.queries.push(query);
                let answer = Answer::from_socket_addrs(addresses);
                this.on_answer(QueryId(0), Ok(answer), origin, environment, config, now);
            }
            Names::Ask(names) => this.later = names.into_iter(),
        }
        this
    }

    /// The next queries to send, all at once: at the start, and when a name of the search list turned out not to exist.
    ///
    /// "the queries SHOULD be made as soon after one another as possible" and HTTPS goes first, AAAA before A
    /// (v3 draft section 4.1).
    pub(super) fn next_queries(
        &mut self,
        environment: &Environment,
        now: Instant,
    ) -> Vec<(QueryId, Arc<str>, QueryKind)> {
        if !self.address_queries().all(Query::says_there_is_no_such_name) {
            return Vec::new();
        }
        let Some(name) = self.later.next() else { return Vec::new() };
        let (aaaa, a, addresses) = match environment.kinds {
            Kinds::PerFamily | Kinds::PerType => (environment.ask.v6, environment.ask.v4, false),
            Kinds::Addresses => (false, false, true),
        };
        let kinds = [
            (QueryKind::Https, environment.https),
            (QueryKind::Aaaa, aaaa),
            (QueryKind::A, a),
            (QueryKind::Addresses, addresses),
        ];
        let first = self.queries.len();
        for (kind, _) in kinds.into_iter().filter(|(_, wanted)| *wanted) {
            let query = Query { name: name.clone(), kind, asked: now, ended: None, state: State::Pending };
            self.queries.push(query);
        }
        let asked = self.queries.iter().enumerate().skip(first);
        asked.map(|(id, query)| (QueryId(id), name.clone(), query.kind)).collect()
    }

    pub(super) fn on_answer(
        &mut self,
        id: QueryId,
        result: Result<Answer, ResolveError>,
        origin: &Origin,
        environment: &Environment,
        config: &Config,
        now: Instant,
    ) {
        let Some(kind) = self.queries.get(id.0).map(|query| query.kind) else {
            debug_assert!(false, "answer to a query that was never asked: {id:?}");
            return;
        };
        let state = match result {
            Err(error) => State::Failed(error),
            Ok(answer) if answer.addresses.is_empty() => {
                State::Failed(ResolveError::new(ResolveErrorKind::NoData, format!("no {kind} records")))
            }
            Ok(answer) => {
                let usable = self.admit(&answer.addresses, origin, environment, config, now);
                let mut came = answer.addresses;
                came.truncate(MAX_REPORTED);
                State::Answered { came, usable }
            }
        };
        let query = &mut self.queries[id.0];
        query.ended = Some(now);
        query.state = state;
        if self.first_address.is_none() && self.queries.iter().any(|query| !query.usable().is_empty()) {
            self.first_address = Some(now);
        }
    }

    /// The addresses of an answer as endpoints that may be dialled, each once, at most 16 of a family.
    fn admit(
        &mut self,
        addresses: &[SocketAddr],
        origin: &Origin,
        environment: &Environment,
        config: &Config,
        now: Instant,
    ) -> Vec<SocketAddr> {
        let mut usable: Vec<SocketAddr> = Vec::with_capacity(addresses.len().min(MAX_REPORTED));
        for addr in addresses.iter().map(|&addr| endpoint(addr, origin)) {
            let family = Family::of(addr);
            let full = |list: &[SocketAddr]| {
                list.iter().filter(|addr| Family::of(**addr) == family).count() >= MAX_ADDRESSES_PER_FAMILY
            };
            if !environment.dial.contains(family) || usable.contains(&addr) || full(&usable) {
                continue;
            }
            match config.address_policy.judge(origin, addr) {
                Verdict::Allow => usable.push(addr),
                Verdict::Deny(reason) => {
                    if self.denied.len() < MAX_REPORTED && self.denied.iter().all(|denied| denied.addr != addr) {
                        self.denied.push(Denied { addr, at: now, reason });
                    }
                }
            }
        }
        usable
    }

    /// Fails the queries that were not answered in time. An answer that comes later still replaces the failure.
    pub(super) fn expire(&mut self, config: &Config, now: Instant) {
        for query in &mut self.queries {
            if query.deadline(config).is_some_and(|deadline| deadline <= now) {
                let error = ResolveError::new(ResolveErrorKind::Timeout, "no answer in time");
                query.ended = Some(now);
                query.state = State::Failed(error);
            }
        }
    }

    pub(super) fn next_deadline(&self, config: &Config) -> Option<Instant> {
        self.queries.iter().filter_map(|query| query.deadline(config)).min()
    }

    /// The endpoints that may be dialled, each once, the preferred family's answer first.
    pub(super) fn endpoints(&self, preferred: Family) -> Vec<SocketAddr> {
        let leads = |query: &&Query| query.satisfies(preferred);
        let first = self.queries.iter().filter(leads);
        let second = self.queries.iter().filter(|query| !leads(query));
        let mut endpoints: Vec<SocketAddr> = Vec::new();
        for &addr in first.chain(second).flat_map(Query::usable) {
            if !endpoints.contains(&addr) {
                endpoints.push(addr);
            }
        }
        endpoints
    }

    /// Whether each of those endpoints is as `condition` says.
    pub(super) fn all_endpoints(&self, condition: impl Fn(SocketAddr) -> bool) -> bool {
        self.queries.iter().flat_map(Query::usable).all(|addr| condition(*addr))
    }

    /// When what is known is enough to start: `None` while it is not and no timer would make it so.
    ///
    /// v3 draft section 4.2: "some positive address" and "the preferred family answered" and "service information
    /// answered", or some positive address and the Resolution Delay has run out.
    pub(super) fn ready_at(&self, environment: &Environment, config: &Config) -> Option<Instant> {
        let first_address = self.first_address?;
        let (mut all, mut preferred, mut service) = (true, true, true);
        for query in self.queries.iter().filter(|query| matches!(query.state, State::Pending)) {
            all = false;
            preferred &= !query.satisfies(environment.preferred);
            service &= query.kind != QueryKind::Https;
        }
        let Some(end) = first_address.checked_add(config.resolution_delay) else {
            // Without an end the delay means: all answers, as `getaddrinfo` has it.
            return all.then_some(first_address);
        };
        Some(if preferred && service { first_address } else { end })
    }

    /// Whether no endpoint can come any more.
    pub(super) fn is_settled(&self) -> bool {
        self.queries.iter().all(|query| !matches!(query.state, State::Pending))
    }

    fn address_queries(&self) -> impl Iterator<Item = &Query> {
        self.queries.iter().filter(|query| query.kind != QueryKind::Https)
    }

    pub(super) fn report_queries(&self, start: Instant) -> Vec<QueryReport> {
        self.queries
            .iter()
            .filter(|query| !query.name.is_empty())
            .map(|query| QueryReport {
                name: query.name.clone(),
                kind: query.kind,
                start: query.asked - start,
                end: query.ended.map(|ended| ended - start),
                result: match &query.state {
                    State::Pending => None,
                    State::Answered { came, .. } => Some(Ok(came.clone())),
                    State::Failed(error) => Some(Err(error.clone())),
                },
            })
            .collect()
    }

    pub(super) fn report_denied(&self, start: Instant) -> impl Iterator<Item = AttemptReport> {
        self.denied.iter().map(move |denied| AttemptReport {
            addr: denied.addr,
            start: denied.at - start,
            tcp: None,
            end: Some(denied.at - start),
            outcome: AttemptOutcome::Denied(denied.reason.clone()),
        })
    }
}

impl Query {
    fn usable(&self) -> &[SocketAddr] {
        match &self.state {
            State::Answered { usable, .. } => usable,
            State::Pending | State::Failed(_) => &[],
        }
    }

    /// Whether its answer tells of `family`.
    fn satisfies(&self, family: Family) -> bool {
        match self.kind {
            QueryKind::A => family == Family::V4,
            QueryKind::Aaaa => family == Family::V6,
            QueryKind::Addresses => true,
            QueryKind::Https => false,
        }
    }

    fn says_there_is_no_such_name(&self) -> bool {
        matches!(&self.state, State::Failed(error) if error.kind().is_negative_answer())
    }

    fn deadline(&self, config: &Config) -> Option<Instant> {
        match self.state {
            State::Pending => self.asked.checked_add(config.dns_timeout?),
            State::Answered { .. } | State::Failed(_) => None,
        }
    }
}

/// The endpoint that an address of an answer stands for. The port of the URI wins, then the answer's, then the
/// scheme's; an IPv4-mapped address is IPv4.
fn endpoint(addr: SocketAddr, origin: &Origin) -> SocketAddr {
    let mut addr = match addr.ip().to_canonical() {
        ip if ip == addr.ip() => addr,
        ip => SocketAddr::new(ip, addr.port()),
    };
    if addr.port() == 0 || origin.explicit_port().is_some() {
        addr.set_port(origin.port());
    }
    if let SocketAddr::V6(addr) = &mut addr {
        // Flow information is no part of an endpoint's identity.
        addr.set_flowinfo(0);
    }
    addr
}
