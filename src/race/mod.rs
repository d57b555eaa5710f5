//! The race as a pure state machine: no clock, no sockets, no tokio.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod event;

pub use event::{AttemptId, Environment, Family, FamilySet, Input, Outcome, Output, Probed, QueryId};
