//! What is known of the host, what is still asked, and when that is enough to start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::Given;
use super::event::QueryId;
use super::groups::{Denied, Endpoint, Roster, Standing};
use super::query::{Query, Services, State};
use super::route::{Ending, Name, Route};
use super::services::Binding;
use super::translation::Translation;
use crate::config::Config;
use crate::nat64::WELL_KNOWN_NAME;
use crate::origin::Host;
use crate::report::{AttemptReport, QueryReport};
use crate::resolve::{Answer, Names, QueryKind, ResolveError, ResolveErrorKind, is_same_name};

/// The answers so far, and what they come to.
///
/// After each, what else to ask, the endpoints and whether to start are derived anew from all of them. So an answer may
/// come late, be replaced, or take back what another had said. Beside the answers only what was once so is remembered:
/// which name has its turn, when the first address came, and what was denied.
pub(super) struct Resolution {
    queries: Vec<Query>,
    /// How many of the queries have been handed out.
    sent: usize,
    /// The name that is asked for; those of the search list that come after it are asked for if it does not exist.
    name: Option<Name>,
    /// Which of the names that is.
    turn: usize,
    /// When the first address came that may be dialled: the Resolution Delay runs from there.
    first_address: Option<Instant>,
    denied: Vec<Denied>,
    translation: Translation,
    derived: Derived,
}

/// What the answers come to.
#[derive(Default)]
struct Derived {
    endpoints: Vec<Endpoint>,
    belied: Vec<Endpoint>,
    /// Where the groups are; the origin's group has none here.
    targets: Vec<Target>,
    relies_on_ech: bool,
    stage: Stage,
}

/// Where the endpoints of a group are.
struct Target {
    /// The name whose addresses they have.
    name: Arc<str>,
    ech: Option<Arc<[u8]>>,
}

/// How far the answers have come.
#[derive(Clone, Copy, Default)]
struct Stage {
    /// What is known is enough to start.
    enough: bool,
    /// An answer that may bring endpoints is to come.
    open: bool,
    /// Nothing may be sent on a connection yet, as HTTPS is not answered.
    held: bool,
    ending: Option<Ending>,
}

impl Resolution {
    pub(super) fn new(given: &Given, now: Instant) -> Self {
        let mut this = Self {
            queries: Vec::new(),
            sent: 0,
            name: None,
            turn: 0,
            first_address: None,
            denied: Vec::new(),
            translation: Translation::default(),
            derived: Derived::default(),
        };
        match (&given.environment.names, given.origin.host()) {
            (Names::Fixed(addresses), Host::Name(name)) => {
                // Nobody asks, but the report shows them as an answer.
                this.queries = vec![Query::new(name.clone(), QueryKind::Addresses, now)];
                this.sent = 1;
                this.name = Some(Name::without_records(name.clone()));
                this.on_answer(QueryId(0), Ok(Answer::from_socket_addrs(addresses.iter().copied())), given, now);
            }
            (Names::Fixed(_), Host::Address { .. }) => {
                this.name = Some(Name::without_records(Arc::default()));
                this.update(given, now);
            }
            (Names::Ask(_), _) => {
                this.name = name_of_turn(0, given);
                this.update(given, now);
            }
        }
        this
    }

    /// The next query to send. There may be several, to be sent at once: HTTPS first, AAAA before A (v3 draft
    /// section 4.1).
    pub(super) fn next_query(&mut self) -> Option<(QueryId, Arc<str>, QueryKind)> {
        let query = self.queries.get(self.sent)?;
        self.sent += 1;
        Some((QueryId(self.sent - 1), query.name.clone(), query.kind))
    }

    pub(super) fn on_answer(&mut self, id: QueryId, result: Result<Answer, ResolveError>, given: &Given, now: Instant) {
        let Some(query) = self.queries.get(id.0) else {
            debug_assert!(false, "answer to a query that was never asked: {id:?}");
            return;
        };
        let state = match result {
            Err(error) => State::Failed(error),
            Ok(answer) if query.is_for_addresses() && !answer.addresses.is_empty() => {
                State::Addresses(answer.addresses)
            }
            Ok(answer) if !query.is_for_addresses() && !answer.services.is_empty() => {
                let has_addresses = self.name.as_ref().is_none_or(|name| !name.has_only_records(&query.name));
                let binding = Binding::new(&answer.services, &query.name, has_addresses, given);
                let Answer { services: came, additional, .. } = answer;
                State::Services(Box::new(Services { came, additional, binding }))
            }
            Ok(_) => State::Failed(ResolveError::new(ResolveErrorKind::NoData, format!("no {} records", query.kind))),
        };
        self.queries[id.0].end(state, now);
        self.update(given, now);
    }

    /// An endpoint turned out to have no route, and may be translated.
    pub(super) fn on_no_route(&mut self, addr: SocketAddr, given: &Given, now: Instant) {
        self.translation.on_no_route(addr);
        self.update(given, now);
    }

    /// Fails the queries that were not answered in time. An answer that comes later still replaces the failure.
    pub(super) fn expire(&mut self, given: &Given, now: Instant) {
        let mut any = false;
        for query in &mut self.queries {
            if query.deadline(&given.config).is_some_and(|deadline| deadline <= now) {
                query.end(State::Failed(ResolveError::new(ResolveErrorKind::Timeout, "no answer in time")), now);
                any = true;
            }
        }
        if any {
            self.update(given, now);
        }
    }

    pub(super) fn next_deadline(&self, config: &Config) -> Option<Instant> {
        self.queries.iter().filter_map(|query| query.deadline(config)).min()
    }

    /// The endpoints that may be dialled, group after group, each once.
    pub(super) fn endpoints(&self) -> &[Endpoint] {
        &self.derived.endpoints
    }

    /// Endpoints of hints that a negative answer belies: they are tried when all else has failed, as the answer may be
    /// what is wrong.
    pub(super) fn last_resort(&self) -> &[Endpoint] {
        &self.derived.belied
    }

    /// The name whose addresses a group has, where it is not the origin.
    pub(super) fn target(&self, group: usize) -> Option<&Arc<str>> {
        self.derived.targets.get(group).map(|target| &target.name).filter(|name| !self.is_host(name))
    }

    fn is_host(&self, other: &str) -> bool {
        self.name.as_ref().is_some_and(|name| is_same_name(&name.host, other))
    }

    /// When what is known is enough to start: `None` while it is not and no timer would make it so.
    ///
    /// v3 draft section 4.2: "some positive address" and "the preferred family answered" and "service information
    /// answered", or some positive address and the Resolution Delay has run out.
    pub(super) fn ready_at(&self, config: &Config) -> Option<Instant> {
        let first_address = self.first_address?;
        let Stage { enough, open, .. } = self.derived.stage;
        match first_address.checked_add(config.resolution_delay) {
            // Without an end the delay means: all answers, as `getaddrinfo` has it.
            None => (!open).then_some(first_address),
            Some(_) if enough && !(open && config.awaits_all) => Some(first_address),
            Some(end) => Some(end),
        }
    }

    /// Until when it is worth to wait for better endpoints than those that are known: the end of the Resolution Delay, if
    /// any can still come.
    pub(super) fn better_by(&self, config: &Config) -> Option<Instant> {
        self.first_address?.checked_add(config.resolution_delay).filter(|_| self.derived.stage.open)
    }

    /// Whether no endpoint can come any more.
    pub(super) fn is_settled(&self) -> bool {
        !self.derived.stage.open
    }

    /// The ECH configurations with which to shake hands with `addr`.
    pub(super) fn ech(&self, addr: SocketAddr) -> Option<&Arc<[u8]>> {
        let Derived { endpoints, belied, targets, .. } = &self.derived;
        let mut endpoints = endpoints.iter().chain(belied);
        // Mostly there are no records.
        targets.first()?;
        let endpoint = endpoints.find(|endpoint| endpoint.addr == addr)?;
        targets.get(endpoint.group)?.ech.as_ref()
    }

    /// Whether no handshake may begin without ECH.
    pub(super) fn relies_on_ech(&self) -> bool {
        self.derived.relies_on_ech
    }

    /// Whether the host has addresses, of which none is denied.
    pub(super) fn has_addresses(&self, given: &Given) -> bool {
        let is_of_host = |query: &&Query| !is_same_name(&query.name, WELL_KNOWN_NAME);
        let is_address = matches!(given.origin.host(), Host::Address { .. });
        let mut of_host = self.queries.iter().filter(is_of_host);
        self.denied.is_empty() && (is_address || of_host.any(|query| !query.addresses().is_empty()))
    }

    /// Whether nothing may be sent on a connection yet.
    pub(super) fn holds_back(&self) -> bool {
        self.derived.stage.held
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        self.derived.stage.ending
    }

    pub(super) fn report_queries(&self, start: Instant) -> Vec<QueryReport> {
        self.queries.iter().map(|query| query.report(start)).collect()
    }

    pub(super) fn report_denied(&self, start: Instant) -> impl Iterator<Item = AttemptReport> {
        self.denied.iter().map(move |denied| {
            let target = Some(&denied.name).filter(|name| !self.is_host(name));
            denied.report(target.cloned(), start)
        })
    }

    /// Asks for what the answers make necessary, and derives all that hangs on them.
    fn update(&mut self, given: &Given, now: Instant) {
        while let Some(name) = &self.name {
            let prefix = self.translation.update(&self.queries, given);
            // Addresses at hand lead nowhere else, and most connects to one are over before much can be derived.
            if matches!(given.environment.names, Names::Fixed(_)) && prefix.is_none() {
                let roster = Roster::new(&self.queries, given, &self.translation, &mut self.denied, now);
                self.derived = Derived::of_fixed(&name.host, roster, given);
                self.derived.stage.open = self.translation.is_open();
                break;
            }
            let route = Route::new(name, &self.queries, given);
            let mut wanted = route.wanted(self.translation.is_possible());
            wanted.extend(prefix);
            if !wanted.is_empty() {
                self.queries.reserve_exact(wanted.len());
                self.queries.extend(wanted.into_iter().map(|(name, kind)| Query::new(name, kind, now)));
                continue;
            }
            if route.is_dead_end()
                && !self.translation.is_open()
                && let Some(next) = name_of_turn(self.turn + 1, given)
            {
                self.turn += 1;
                self.name = Some(next);
                continue;
            }
            let roster = Roster::new(&self.queries, given, &self.translation, &mut self.denied, now);
            self.derived = Derived::new(&route, roster);
            self.derived.stage.open |= self.translation.is_open();
            break;
        }
        if self.first_address.is_none() && !(self.derived.endpoints.is_empty() && self.derived.belied.is_empty()) {
            self.first_address = Some(now);
        }
    }
}

/// Of the names that are asked for, the one at `turn`, if there are so many.
fn name_of_turn(turn: usize, given: &Given) -> Option<Name> {
    let Names::Ask(names) = &given.environment.names else { return None };
    let name = names.get(turn)?;
    Some(Name::new(name.clone(), names.len() == 1, given))
}

impl Derived {
    fn of_fixed(name: &Arc<str>, mut roster: Roster<'_>, given: &Given) -> Self {
        let relies_on_ech = given.requires_ech();
        if !relies_on_ech {
            roster.add_fixed(name);
        }
        let (endpoints, belied) = roster.finish();
        let stage = Stage { enough: true, ..Stage::default() };
        Self { endpoints, belied, targets: Vec::new(), relies_on_ech, stage }
    }

    fn new(route: &Route<'_>, mut roster: Roster<'_>) -> Self {
        let mut targets = Vec::new();
        let mut lead = Lead::default();
        let relies_on_ech = route.relies_on_ech();
        for service in route.services.iter().filter(|service| !relies_on_ech || service.ech.is_some()) {
            lead.consider(service.priority.into(), roster.add(&service.target, Some(service)));
            targets.push(Target { name: service.target.clone(), ech: service.ech.clone() });
        }
        if !relies_on_ech {
            // What an alias leads to is an endpoint without parameters, behind the services (RFC 9460 section 3).
            if let Some(alias) = route.aliases.last() {
                lead.consider(ALIAS_LEVEL, roster.add(alias, None));
                targets.push(Target { name: Arc::clone(alias), ech: None });
            }
            lead.consider(ORIGIN_LEVEL, roster.add(&route.name.host, None));
        }
        let (endpoints, belied) = roster.finish();
        let stage = Stage {
            enough: lead.is_known() && !route.is_waited_for(),
            open: route.is_waited_for() || route.has_open_addresses(),
            held: route.is_held(),
            ending: route.ending,
        };
        Self { endpoints, belied, targets, relies_on_ech, stage }
    }
}

const ALIAS_LEVEL: u32 = u32::MAX - 1;
const ORIGIN_LEVEL: u32 = u32::MAX;

/// Whether the group with which the race would start is known: of the first level that is not certain to be empty. Of
/// the services of one priority any will do.
#[derive(Default)]
struct Lead {
    level: u32,
    is_open: bool,
    is_known: Option<bool>,
}

impl Lead {
    /// The groups come level by level.
    fn consider(&mut self, level: u32, standing: Standing) {
        if level != self.level && self.is_open {
            self.is_known.get_or_insert(false);
        }
        self.level = level;
        match standing {
            Standing::Known => _ = self.is_known.get_or_insert(true),
            Standing::Open => self.is_open = true,
            Standing::Empty => {}
        }
    }

    fn is_known(&self) -> bool {
        self.is_known.unwrap_or(!self.is_open)
    }
}
