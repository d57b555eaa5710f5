//! HTTPS records (RFC 9460) on real DNS, TCP and TLS: what is asked, where the race goes, what the server sees.

mod addresses;
mod gate;
mod hostile;
mod hybrid;
mod late;
mod protected;
mod proxy;
mod questions;
mod report;
mod services;
mod tls;
mod upgrade;
mod zone;

#[path = "../host/mod.rs"]
mod host;
#[path = "../lab/mod.rs"]
mod lab;
#[path = "../support/mod.rs"]
mod support;
