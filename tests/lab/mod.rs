//! The lab: a name server, HTTP and HTTPS servers, and silent or refusing addresses, all on loopback, all on free
//! ports, without root. Whatever is dropped is stopped.
//!
//! It knows nothing of the crate, so that tests, examples and benches include it by path:
//!
//! ```ignore
//! #[path = "../tests/lab/mod.rs"]
//! mod lab;
//! ```

// Every including crate uses another part of it, and none exports it.
#![allow(dead_code, unused_imports, unreachable_pub)]
// The lists in clippy.toml are meant for the race; the lab is all clocks and sockets.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod ca;
pub mod cut;
pub mod dns;
pub mod lookup_ip;
pub mod record;
pub mod server;
pub mod site;
pub mod socks;
pub mod world;

pub use ca::{Ca, Certificate, ServerTls};
pub use cut::{Cut, Then, Within};
pub use dns::{Dns, Reply};
pub use lookup_ip::LookupIp;
pub use record::HttpsRecord;
pub use server::{Behaviour, Connection, Hello, Server};
pub use site::{Site, Sites};
pub use socks::Socks;
pub use world::{Broken, Kind, Loopback, World};
