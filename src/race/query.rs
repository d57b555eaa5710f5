//! A query of a race and what has come of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::event::Family;
use super::services::Binding;
use crate::config::Config;
use crate::report::QueryReport;
use crate::resolve::{QueryKind, ResolveError, ResolveErrorKind, ServiceRecord};

pub(super) struct Query {
    pub(super) name: Arc<str>,
    pub(super) kind: QueryKind,
    asked: Instant,
    ended: Option<Instant>,
    state: State,
}

pub(super) enum State {
    Pending,
    Addresses(Vec<SocketAddr>),
    Services(Box<Services>),
    Failed(ResolveError),
}

/// An answer to HTTPS.
pub(super) struct Services {
    pub(super) came: Vec<ServiceRecord>,
    /// Addresses of other names that came along.
    pub(super) additional: Vec<(Arc<str>, IpAddr)>,
    /// What the records come to.
    pub(super) binding: Binding,
}

impl Query {
    pub(super) fn new(name: Arc<str>, kind: QueryKind, now: Instant) -> Self {
        Self { name, kind, asked: now, ended: None, state: State::Pending }
    }

    pub(super) fn end(&mut self, state: State, now: Instant) {
        self.ended = Some(now);
        self.state = state;
    }

    pub(super) fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending)
    }

    /// The addresses of its answer; none if it has no answer, or is not about addresses.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        match &self.state {
            State::Addresses(came) => came,
            State::Pending | State::Services(_) | State::Failed(_) => &[],
        }
    }

    pub(super) fn services(&self) -> Option<&Services> {
        match &self.state {
            State::Services(services) => Some(services),
            State::Pending | State::Addresses(_) | State::Failed(_) => None,
        }
    }

    /// Why it has no answer: a negative one included.
    pub(super) fn failure(&self) -> Option<ResolveErrorKind> {
        match &self.state {
            State::Failed(error) => Some(error.kind()),
            State::Pending | State::Addresses(_) | State::Services(_) => None,
        }
    }

    /// Whether there are certainly no such records.
    pub(super) fn is_negative(&self) -> bool {
        self.failure().is_some_and(ResolveErrorKind::is_negative_answer)
    }

    /// Whether it is about addresses.
    pub(super) fn is_for_addresses(&self) -> bool {
        self.kind != QueryKind::Https
    }

    /// Whether its answer tells of `family`.
    pub(super) fn tells_of(&self, family: Family) -> bool {
        match self.kind {
            QueryKind::A => family == Family::V4,
            QueryKind::Aaaa => family == Family::V6,
            QueryKind::Addresses => true,
            QueryKind::Https => false,
        }
    }

    /// When it counts as failed.
    pub(super) fn deadline(&self, config: &Config) -> Option<Instant> {
        if self.is_pending() { self.asked.checked_add(config.dns_timeout?) } else { None }
    }

    pub(super) fn report(&self, start: Instant) -> QueryReport {
        QueryReport {
            name: self.name.clone(),
            kind: self.kind,
            start: self.asked - start,
            end: self.ended.map(|ended| ended - start),
            result: match &self.state {
                State::Pending => None,
                State::Addresses(came) => Some(Ok(came[..came.len().min(Config::MAX_SHOWN)].to_vec())),
                State::Services(_) => Some(Ok(Vec::new())),
                State::Failed(error) => Some(Err(error.clone())),
            },
            services: self.services().map(|services| services.came.clone()).unwrap_or_default(),
        }
    }
}
