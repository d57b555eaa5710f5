//! The library's checker, against the lab.

#[path = "../host/mod.rs"]
mod host;
#[path = "../lab/mod.rs"]
mod lab;
#[path = "../support/mod.rs"]
mod support;

mod certificates;
mod hurry;
mod verdicts;

use std::time::Duration;

use hyper_happy_eyeballs::HappyEyeballsConnector;
use hyper_happy_eyeballs::reachability::{Check, Checker};
use hyper_happy_eyeballs::resolve::HickoryResolver;

use host::Host;

/// A checker of `host` that has half a second for each address.
pub(crate) fn checker(host: &Host) -> Checker {
    patient_checker(host, Duration::from_millis(500))
}

/// A checker of `host` that has `timeout` for each address.
pub(crate) fn patient_checker(host: &Host, timeout: Duration) -> Checker {
    let dns = HickoryResolver::with_name_servers([host.dns.addr()]);
    let builder = HappyEyeballsConnector::builder_with_resolver(dns.clone())
        .config(host::config())
        .connect_timeout(Some(timeout))
        .tls_config(host.ca.client_config(&[]))
        .enable_all_versions();
    Checker::new(builder, dns).expect("TLS is chosen")
}

pub(crate) async fn check(host: &Host) -> Check {
    let check = checker(host).check(&host.uri("https").parse().expect("a URI")).await;
    check.expect("a URL that can be connected to")
}
