//! Encrypted Client Hello (RFC 9849) against a server that speaks it. Where there is no Go to build that with, these
//! tests say so and pass, unless `HAPPY_EYEBALLS_REQUIRE_GO=1` is set.

mod plain;
mod server;

#[path = "../host/mod.rs"]
mod host;
#[path = "../lab/mod.rs"]
mod lab;
#[path = "../support/mod.rs"]
mod support;
