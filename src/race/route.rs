//! Where the HTTPS records of a name lead, and what has to be asked to know (RFC 9460 section 3).

use std::sync::Arc;

use super::Given;
use super::event::Family;
use super::groups::{address_queries, came_along};
use super::query::Query;
use super::services::{Binding, Service, ask_for_https};
use crate::config::Config;
use crate::origin::Host;
use crate::resolve::{Names, QueryKind, ResolveErrorKind, is_same_name};

/// A name that the host may stand for, and where its records are.
pub(super) struct Name {
    pub(super) host: Arc<str>,
    /// The name of its HTTPS records, if they are asked for.
    records: Option<Arc<str>>,
    /// Whether they are asked for before an address says that the host exists.
    at_once: bool,
}

impl Name {
    /// A name of a search list, which may be the only one.
    ///
    /// The records of the host as it stands are asked for at once. What a search list makes of a host hardly ever
    /// exists, so there they are asked for when it turns out to.
    pub(super) fn new(host: Arc<str>, is_only: bool, given: &Given) -> Self {
        let origin = &given.origin;
        // An `http` origin has the records of the `https` origin that it would become (RFC 9460 sections 9.1 and 9.5).
        let records = given.environment.https.then(|| match (origin.port(), origin.is_secure()) {
            (443, _) | (80, false) => host.clone(),
            (port, _) => format!("_{port}._https.{host}").into(),
        });
        let as_it_stands = matches!(origin.host(), Host::Name(name) if is_same_name(name, &host));
        Self { host, records, at_once: is_only || as_it_stands }
    }

    /// A host whose addresses are at hand.
    pub(super) fn without_records(host: Arc<str>) -> Self {
        Self { host, records: None, at_once: false }
    }

    /// Whether nothing but records is asked for under `name`: under `_8443._https.host`, say.
    pub(super) fn has_only_records(&self, name: &str) -> bool {
        let is = |other: &Arc<str>| is_same_name(other, name);
        self.records.as_ref().is_some_and(is) && !is(&self.host)
    }
}

/// The way from a name to its services, as far as it is known.
pub(super) struct Route<'a> {
    pub(super) name: &'a Name,
    queries: &'a [Query],
    given: &'a Given,
    /// The names that aliases led to, one after the other.
    pub(super) aliases: Vec<&'a Arc<str>>,
    /// Where they lead in the end.
    pub(super) services: &'a [Service],
    /// Whether an answer is to come that may lead on.
    pub(super) open: bool,
    /// What the records bring about by themselves.
    pub(super) ending: Option<Ending>,
}

/// An end of the race that records bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// An `http` origin has some.
    Upgrade,
    /// They are kept from us.
    Withheld,
}

impl<'a> Route<'a> {
    pub(super) fn new(name: &'a Name, queries: &'a [Query], given: &'a Given) -> Self {
        let mut route = Self { name, queries, given, aliases: Vec::new(), services: &[], open: false, ending: None };
        if let Some(records) = &name.records {
            route.follow(records);
        }
        route
    }

    fn follow(&mut self, mut at: &'a Arc<str>) {
        while let Some(query) = self.queries.iter().find(|it| is_for(it, at, QueryKind::Https)) {
            let Some(services) = query.services() else {
                let host = if self.aliases.is_empty() { &self.name.host } else { at };
                return self.stop(query, host);
            };
            if !self.given.origin.is_secure() {
                // Where they lead is the business of the connect that follows.
                self.ending = ask_for_https(&services.came, self.given).then_some(Ending::Upgrade);
                return;
            }
            match &services.binding {
                Binding::Services(services) => return self.services = services,
                Binding::Alias(target) => {
                    if self.aliases.len() == Config::MAX_ALIASES {
                        // A loop ends here too. As if no record existed (RFC 9460 section 2.4.2).
                        return self.aliases.clear();
                    }
                    self.aliases.push(target);
                    at = target;
                }
            }
        }
    }

    /// Ends at a query for the records of `host` that has not brought any.
    fn stop(&mut self, query: &Query, host: &str) {
        self.open = query.is_pending() && !self.is_nonexistent(host);
        // A malformed set is as good as none (RFC 9460 section 2.2).
        let is_missing = |kind: ResolveErrorKind| kind.is_negative_answer() || kind == ResolveErrorKind::Malformed;
        let has_failed = query.failure().is_some_and(|kind| !is_missing(kind));
        self.ending = (has_failed && self.given.environment.protected).then_some(Ending::Withheld);
    }

    /// Whether there is nothing under `host` (RFC 8020). Some servers say so of one family while they have an address of
    /// the other.
    fn is_nonexistent(&self, host: &str) -> bool {
        let mut queries = address_queries(self.queries, host);
        queries.clone().any(|query| query.failure() == Some(ResolveErrorKind::NxDomain))
            && queries.all(|query| query.addresses().is_empty())
    }

    /// Whether the race waits for the answer that may lead on.
    pub(super) fn is_waited_for(&self) -> bool {
        self.open && (self.given.environment.waits_for_https || self.given.requires_ech())
    }

    /// Whether nothing may be sent on a connection before that answer.
    pub(super) fn is_held(&self) -> bool {
        self.open && self.given.environment.protected
    }

    /// Whether the services are all that there is, as falling back from them would tell the name that ECH hides
    /// (RFC 9848 section 5.1).
    pub(super) fn relies_on_ech(&self) -> bool {
        let all_have_it = || !self.services.is_empty() && self.services.iter().all(|service| service.ech.is_some());
        self.given.requires_ech() || self.given.environment.tls && all_have_it()
    }

    /// Whether addresses are to come that have a place on it.
    pub(super) fn has_open_addresses(&self) -> bool {
        let falls_back = self.services.is_empty() || !self.relies_on_ech();
        let passes = |name: &str| {
            let is = |other: &Arc<str>| is_same_name(other, name);
            let is_target = |service: &Service| is(&service.target);
            let is_fallback = is(&self.name.host) || self.aliases.last().is_some_and(|alias| is(alias));
            falls_back && is_fallback || self.services.iter().any(is_target)
        };
        self.queries.iter().any(|query| query.is_pending() && query.is_for_addresses() && passes(&query.name))
    }

    /// Whether the name has neither addresses nor records, so that the next one has its turn.
    pub(super) fn is_dead_end(&self) -> bool {
        let has_records = !self.aliases.is_empty() || !self.services.is_empty() || self.ending.is_some();
        let leads_nowhere = !has_records && !self.is_waited_for();
        leads_nowhere && address_queries(self.queries, &self.name.host).all(Query::is_negative)
    }

    /// What is to be asked that has not been, in the order in which it is to be sent: HTTPS first, AAAA before A
    /// (v3 draft section 4.1). A also where IPv4 can only be reached by translation.
    pub(super) fn wanted(&self, translates: bool) -> Vec<(Arc<str>, QueryKind)> {
        let environment = &self.given.environment;
        let mut wanted = Wanted { queries: self.queries, list: Vec::new() };
        if matches!(environment.names, Names::Fixed(_)) {
            return wanted.list;
        }
        let (aaaa, a, addresses) = match environment.kinds.has_ordered_addresses() {
            false => (environment.ask.v6, environment.ask.v4 || environment.dial.v4 && translates, false),
            true => (false, false, true),
        };
        let kinds = [(QueryKind::Aaaa, aaaa), (QueryKind::A, a), (QueryKind::Addresses, addresses)];
        let kinds = || kinds.iter().filter(|(_, wanted)| *wanted).map(|(kind, _)| *kind);

        let Name { host, records, at_once } = self.name;
        if let Some(records) = records.as_ref().filter(|_| *at_once) {
            wanted.add(records, QueryKind::Https);
        }
        kinds().for_each(|kind| wanted.add(host, kind));
        let exists = || address_queries(self.queries, host).any(|query| !query.addresses().is_empty());
        if let Some(records) = records.as_ref().filter(|_| !at_once && exists()) {
            wanted.add(records, QueryKind::Https);
        }
        for alias in &self.aliases {
            wanted.add(alias, QueryKind::Https);
            kinds().for_each(|kind| wanted.add(alias, kind));
        }
        for service in self.services {
            kinds().for_each(|kind| wanted.add(&service.target, kind));
        }
        wanted.list
    }
}

/// Queries to be asked, each once.
struct Wanted<'a> {
    queries: &'a [Query],
    list: Vec<(Arc<str>, QueryKind)>,
}

impl Wanted<'_> {
    fn add(&mut self, name: &Arc<str>, kind: QueryKind) {
        let is_asked = self.queries.iter().any(|query| is_for(query, name, kind));
        let is_wanted = self.list.iter().any(|(other, its)| *its == kind && is_same_name(other, name));
        // With the records came all that there is (RFC 9460 section 5).
        let has_come = match kind {
            QueryKind::A => came_along(self.queries, name, Family::V4).next().is_some(),
            QueryKind::Aaaa => came_along(self.queries, name, Family::V6).next().is_some(),
            QueryKind::Https | QueryKind::Addresses => false,
        };
        if !is_asked && !is_wanted && !has_come {
            self.list.push((name.clone(), kind));
        }
    }
}

fn is_for(query: &Query, name: &str, kind: QueryKind) -> bool {
    query.kind == kind && is_same_name(&query.name, name)
}
