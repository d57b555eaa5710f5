//! `eyeballs check`.

mod many;
mod output;
mod targets;
mod verdicts;
mod via;

use crate::host::Host;
use crate::tool::{Get, Run, output};

/// `check` with two seconds for each address, for a host of the lab.
async fn check(host: &Host, args: &[&str]) -> Run {
    let get = Get::new(host);
    let fixed = ["--connect-timeout", "2"];
    output(get.command_of("check", &[&fixed, args].concat())).await
}
