//! Endpoints whose server rejected the ECH configuration, and which are tried once more (RFC 9849 section 6.1.6).

use std::sync::Arc;

use super::Given;
use super::event::AttemptId;
use crate::report::EchRejection;

#[derive(Default)]
pub(super) struct Retries {
    list: Vec<Retry>,
}

pub(super) struct Retry {
    rejected: AttemptId,
    /// None before it has started.
    id: Option<AttemptId>,
    /// The configurations that the server gave; none if it has turned ECH off.
    pub(super) ech: Option<Arc<[u8]>>,
}

impl Retries {
    /// Takes in that the server rejected the configuration of an attempt. A second rejection is a plain failure.
    pub(super) fn on_rejection(&mut self, id: AttemptId, rejection: EchRejection, given: &Given) {
        let ech = rejection.retry_configs;
        if self.of(id).is_none() && (ech.is_some() || !given.requires_ech()) {
            self.list.push(Retry { rejected: id, id: None, ech });
        }
    }

    /// The attempt whose endpoint has to be tried once more.
    pub(super) fn next(&self) -> Option<AttemptId> {
        self.list.iter().find(|retry| retry.id.is_none()).map(|retry| retry.rejected)
    }

    /// Notes that the next one has started, as `id`.
    pub(super) fn on_start(&mut self, id: AttemptId) {
        if let Some(retry) = self.list.iter_mut().find(|retry| retry.id.is_none()) {
            retry.id = Some(id);
        }
    }

    /// The retry that the attempt is, if it is one.
    pub(super) fn of(&self, id: AttemptId) -> Option<&Retry> {
        self.list.iter().find(|retry| retry.id == Some(id))
    }
}
