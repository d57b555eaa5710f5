//! Happy Eyeballs for hyper: a connector that races every address of a name, TLS included.
//!
//! [`HappyEyeballsConnector`] is a tower `Service<Uri>` that takes the place of hyper-util's `HttpConnector` (and, as
//! it has TLS, of hyper-rustls around it). It follows RFC 8305 and its successor,
//! draft-ietf-happy-happyeyeballs-v3: HTTPS, AAAA and A are asked for separately and used when they arrive, one endpoint
//! after the other is tried 250 ms apart without giving up the earlier ones, and the first that has finished TCP *and*
//! TLS wins.
//!
//! ```
//! # #[cfg(all(feature = "hickory", feature = "platform-verifier", feature = "aws-lc-rs"))]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use http_body_util::Empty;
//! use hyper::body::Bytes;
//! use hyper_happy_eyeballs::HappyEyeballsConnector;
//! use hyper_util::client::legacy::Client;
//! use hyper_util::rt::TokioExecutor;
//!
//! let connector = HappyEyeballsConnector::builder()
//!     .platform_verifier() // or .webpki_roots(), .tls_config(cfg), .plaintext()
//!     .enable_all_versions()
//!     .build()?;
//! let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "hickory", feature = "platform-verifier", feature = "aws-lc-rs")))]
//! # fn main() {}
//! ```
//!
//! # What a connect does
//!
//! 1. The [`Origin`] is read from the `Uri`: scheme, host, port.
//! 2. The resolver says what to ask for: nothing for a literal, a name in the hosts file, or an override; otherwise the
//!    names of the search list, one after the other. See [`resolve`].
//! 3. HTTPS, AAAA and A are asked for at once, HTTPS for `https` origins only. The first address starts the race, except
//!    that it gives the IPv6 answer and the HTTPS records 50 ms, the Resolution Delay.
//! 4. HTTPS records say where the service is: at other names, whose addresses are then asked for, at other ports, in
//!    order of priority. Each service is a group of endpoints; the origin's own addresses are the last.
//! 5. Endpoints that the [`AddressPolicy`] lets through are put, within their group, in the order of RFC 6724 section 6,
//!    by the source address that the system would use for each and its [`PolicyTable`]; then the families take turns. A
//!    resolver that answers both families at once has its own order, and keeps it.
//! 6. One attempt starts after the other: one Connection Attempt Delay (250 ms) apart, or at once, but never within
//!    10 ms, when the last one failed. No attempt is given up for being slow.
//! 7. The first endpoint that has finished TCP, and TLS where the scheme asks for it, wins. The others are closed.
//! 8. The stream and the [`Report`] of all this are handed out; the report stands in each response's extensions as
//!    `Arc<Report>`, beside hyper-util's `HttpInfo` and, with TLS, [`TlsInfo`].
//!
//! What a connect learns of the paths, later ones use: see [`History`]. IPv4 addresses are reached through the NAT64 of a
//! network that has no IPv4: see [`Nat64`].
//!
//! If nothing wins, the [`Error`] has the same report and names every address with its stage, cause and time.
//!
//! # Never in clear by accident
//!
//! [`HappyEyeballsConnector::new`] refuses `https`, as `HttpConnector` does. TCP for `https` takes
//! [`enforce_http(false)`](HappyEyeballsConnector::enforce_http) or [`Builder::plaintext`], for those who layer TLS on
//! top. A builder without a TLS choice makes nothing.
//!
//! # From other connectors
//!
//! [`migration`] says what is written instead of them, what changes, and why each default is what it is.
//!
//! # Features
//!
//! Features only add; none changes what an existing constructor does.
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `hickory` | yes | DNS by hickory-resolver, and with it `new()` and `builder()` |
//! | `dns-over-tls` | | `HickoryResolver::over_tls` |
//! | `dns-over-https` | | `HickoryResolver::over_https` |
//! | `rustls` | yes | TLS inside the race |
//! | `aws-lc-rs` | yes | rustls's aws-lc-rs provider, for TLS that the builder sets up |
//! | `ring` | | rustls's ring provider |
//! | `platform-verifier` | yes | [`Builder::platform_verifier`] |
//! | `webpki-roots` | | `Builder::webpki_roots` |
//! | `native-roots` | | `Builder::native_roots` |
//! | `http1`, `http2` | yes | these versions in hyper-util; `h2` is only ever offered with `http2` |
//! | `reqwest` | | the module `reqwest`: DNS for reqwest |
//! | `reachability` | | the module `reachability`: whether a site is reachable by each of its addresses, and what a broken family costs |
//! | `cli` | | nothing for the library: it is for building the command-line tool `eyeballs` |
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// The links above go to what the default features have.
#![cfg_attr(not(all(feature = "hickory", feature = "platform-verifier")), allow(rustdoc::broken_intra_doc_links))]

mod address_policy;
mod config;
mod connector;
mod dial;
mod error;
pub mod history;
#[cfg(any(feature = "reachability", feature = "reqwest"))]
mod listing;
mod nat64;
mod origin;
mod policy_table;
mod race;
#[cfg(feature = "reachability")]
pub mod reachability;
pub mod report;
#[cfg(feature = "reqwest")]
pub mod reqwest;
pub mod resolve;
mod stream;

// Its code is compiled where there is everything that it shows.
#[cfg(any(
    doc,
    all(
        doctest,
        feature = "aws-lc-rs",
        feature = "hickory",
        feature = "http1",
        feature = "http2",
        feature = "reqwest"
    )
))]
#[cfg_attr(docsrs, doc(auto_cfg = false))]
#[doc = include_str!("../docs/migration.md")]
pub mod migration {}

#[cfg(doc)]
#[doc = include_str!("../docs/performance.md")]
pub mod performance {}

/// What the packages beside this crate measure and fuzz. Outside semver.
#[cfg(feature = "__internal")]
#[doc(hidden)]
pub mod __internal {
    pub use crate::race::*;
    #[cfg(feature = "hickory")]
    pub use crate::resolve::hickory::https_answer;

    /// What a driver tells of a failed attempt.
    pub fn failure(kind: crate::report::FailureKind, error: std::io::Error) -> crate::report::Failure {
        crate::report::Failure::new(kind, error)
    }

    /// What a driver tells of a server that rejected ECH.
    pub fn ech_rejection(retry_configs: Option<&str>) -> crate::report::Failure {
        let retry_configs = retry_configs.map(|configs| configs.as_bytes().into());
        let rejection = crate::report::EchRejection { retry_configs };
        crate::report::Failure::new(crate::report::FailureKind::EchRejected, rejection)
    }
}

pub use address_policy::{AddressPolicy, Network, ParseNetworkError, Verdict};
pub use config::{Config, Ech, Families, Pacing};
pub use connector::{BuildError, Builder, Connecting, HappyEyeballsConnector};
pub use error::Error;
pub use history::History;
pub use nat64::{Nat64, Nat64Prefix, ParsePrefixError};
pub use origin::{Host, Origin};
pub use policy_table::PolicyTable;
pub use report::Report;
pub use resolve::Resolve;
pub use stream::{EchStatus, MaybeHttpsStream, TlsInfo};
