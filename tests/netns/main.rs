//! Tests on real packets, each in a network namespace of its own: what leaves the host, when, and what becomes of it.
//!
//! They need root on Linux with `ip`, `nft` and `unshare`; where something is missing they say so and are skipped,
//! unless HAPPY_EYEBALLS_REQUIRE_NETNS=1 is set. They measure times; one that fails while the machine stands still is run
//! again.
#![cfg(target_os = "linux")]

#[path = "../policy/corpus.rs"]
mod corpus;
#[cfg(feature = "dns-over-https")]
#[path = "../protected/front.rs"]
mod front;
#[path = "../lab/mod.rs"]
mod lab;
#[path = "../support/mod.rs"]
mod support;

mod capture;
#[cfg(feature = "reachability")]
mod gateway;
mod namespace;
mod network;
mod packet_socket;
mod router;
mod standstill;

mod cancel;
mod families;
mod getaddrinfo;
mod healthy;
mod history;
mod name_servers;
mod nat64;
mod options;
mod order;
mod policy;
#[cfg(feature = "dns-over-https")]
mod protected;
#[cfg(feature = "reachability")]
mod reachability;
mod rejects;
mod silent;
mod soak;
mod study;
mod system;
#[cfg(feature = "cli")]
mod tool;
