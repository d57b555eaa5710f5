//! The race on virtual time: scenes, one behaviour a file, and random worlds.
//!
//! The notation is that of the standards: `6a` is an IPv6 address, `4b` an IPv4 address, and times are milliseconds
//! from the start of the connect.
#![allow(clippy::disallowed_methods)] // a scene reads the clock once, for a base to count from

mod notation;
mod scene;
mod setup;

mod aliases;
mod answers;
mod changes;
mod ech;
mod errors;
mod failures;
mod groups;
mod hints;
mod history;
mod hybrid;
mod misuse;
mod order;
mod pacing;
mod permits;
mod presets;
mod protected;
mod queries;
mod records;
mod targets;
mod timeouts;
mod tls;
mod triggers;
mod upgrade;
mod winning;

mod model;
mod nat64;
mod property;
mod world;

pub(crate) use world::settings;
