//! Certificates that are not good for the site, in words.

use hyper_happy_eyeballs::reachability::FaultClass;

use crate::check;
use crate::host::{Host, V4};
use crate::lab::{Behaviour, Certificate, Site};

async fn detail(certificate: Certificate) -> String {
    let host = Host::open([(V4[0], Site::Https(certificate, Behaviour::Serve))]).await;
    let check = check(&host).await;
    let fault = check.addresses[0].probe.fault.clone().expect("no client takes it");
    assert_eq!(fault.class, FaultClass::Certificate, "{fault}");
    fault.detail
}

#[tokio::test]
async fn an_old_one_has_a_date() {
    assert_eq!(detail(Certificate::Expired).await, "expired since 2001-01-01T00:00:00Z");
}

#[tokio::test]
async fn another_sites_has_its_names() {
    assert_eq!(detail(Certificate::OtherName).await, "for other.lab.test, not for www.lab.test");
}

#[tokio::test]
async fn a_strangers_has_an_unknown_issuer() {
    assert_eq!(detail(Certificate::UnknownRoot).await, "unknown issuer: no trusted authority has signed it");
}
