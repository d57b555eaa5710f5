//! Happy Eyeballs for hyper.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address_policy;
mod config;
#[allow(dead_code)]
mod dial;
mod error;
mod origin;
#[allow(dead_code, unreachable_pub)]
mod race;
pub mod report;
pub mod resolve;
mod stream;

pub use address_policy::{AddressPolicy, Verdict};
pub use config::{Config, Families, Pacing};
pub use error::Error;
pub use origin::{Host, Origin};
pub use report::Report;
pub use resolve::Resolve;
pub use stream::{EchStatus, MaybeHttpsStream, TlsInfo};
