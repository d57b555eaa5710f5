//! The library's checker, against the lab.

#[path = "../host/mod.rs"]
mod host;
#[path = "../lab/mod.rs"]
mod lab;
#[path = "../support/mod.rs"]
mod support;

mod certificates;
mod drill;
mod endpoints;
mod faults;
mod hurry;
mod lookups;
mod policy;
mod time;
mod verdicts;
mod via;

use std::net::IpAddr;
use std::time::Duration;

use hyper_happy_eyeballs::reachability::{AddressCheck, Check, Checker, FaultClass};
use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{Builder, HappyEyeballsConnector};

use host::Host;

/// How long each address has: long enough for a good one on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// A builder for `host` that has [`PATIENCE`].
pub(crate) fn builder(host: &Host) -> Builder {
    HappyEyeballsConnector::builder()
        .config(host::config())
        .connect_timeout(Some(PATIENCE))
        .tls_config(host.ca.client_config(&[]))
        .enable_all_versions()
}

/// A checker without the drill and pings, that asks the name server of `host`.
pub(crate) fn checker_of(host: &Host, builder: Builder) -> Checker {
    let dns = HickoryResolver::with_name_servers([host.dns.addr()]);
    let mut checker = Checker::new(builder.resolver(dns.clone()), dns).expect("TLS is chosen");
    checker.drill(false).ping(false);
    checker
}

pub(crate) fn checker(host: &Host) -> Checker {
    checker_of(host, builder(host))
}

/// The same with `timeout` for each address.
pub(crate) fn patient_checker(host: &Host, timeout: Duration) -> Checker {
    checker_of(host, builder(host).connect_timeout(Some(timeout)))
}

pub(crate) async fn check_by(checker: &Checker, uri: &str) -> Check {
    checker.check(&uri.parse().expect("a URI")).await.expect("a URL that can be connected to")
}

/// Checks `https` on `host`, without the drill and pings.
pub(crate) async fn check(host: &Host) -> Check {
    check_by(&checker(host), &host.uri("https")).await
}

/// What was found at `ip`.
pub(crate) fn at(check: &Check, ip: IpAddr) -> &AddressCheck {
    let found = check.addresses.iter().find(|address| address.addr.ip() == ip);
    found.unwrap_or_else(|| panic!("{ip} is not among {:?}", check.addresses))
}

pub(crate) fn class_at(check: &Check, ip: IpAddr) -> Option<FaultClass> {
    at(check, ip).probe.fault.as_ref().map(|fault| fault.class)
}
