//! The tool `eyeballs`, run as a user runs it, against the lab.

#[path = "../host/mod.rs"]
mod host;
#[path = "../lab/mod.rs"]
mod lab;
#[path = "../support/mod.rs"]
mod support;

mod browser;
mod check;
mod exit_codes;
mod html;
mod json;
mod options;
mod output;
mod schema;
mod serve;
mod strategies;
mod tool;
