//! Encrypted Client Hello (RFC 9849) against a server that speaks it. Where there is no Go to build that with, these
//! tests say so and pass, unless `HAPPY_EYEBALLS_REQUIRE_GO=1` is set.

mod late;
mod plain;
mod records;
mod scene;
mod server;
mod settings;
#[cfg(target_os = "linux")]
mod wire;

#[cfg(target_os = "linux")]
#[path = "../protected/front.rs"]
mod front;
#[allow(dead_code)]
#[path = "../https/gate.rs"]
mod gate;
#[path = "../host/mod.rs"]
mod host;
#[path = "../lab/mod.rs"]
mod lab;
#[cfg(target_os = "linux")]
#[allow(dead_code)]
#[path = "../netns/namespace.rs"]
mod namespace;
#[cfg(target_os = "linux")]
#[allow(dead_code)]
#[path = "../netns/packet_socket.rs"]
mod packet_socket;
#[cfg(target_os = "linux")]
#[path = "../netns/standstill.rs"]
mod standstill;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code)]
#[path = "../https/zone.rs"]
mod zone;
