//! What a check comes to.

use hyper_happy_eyeballs::reachability::{FaultClass, Level};

use crate::check;
use crate::host::{HTTPS, Host, V4};
use crate::lab::Site;

#[tokio::test]
async fn a_site_whose_addresses_all_serve_is_ok() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    let check = check(&host).await;
    assert_eq!(check.verdict.level, Level::Ok);
}

#[tokio::test]
async fn a_silent_address_degrades() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], HTTPS)]).await;
    let check = check(&host).await;
    assert_eq!(check.verdict.level, Level::Degraded);
    assert_eq!(check.addresses[0].probe.fault.as_ref().map(|fault| fault.class), Some(FaultClass::Silent));
}
