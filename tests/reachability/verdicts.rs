//! What a check comes to.

use std::time::Duration;

use hyper_happy_eyeballs::reachability::{FaultClass, Level};

use crate::host::{HTTPS, Host, V4};
use crate::lab::Site;
use crate::{check, checker};

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

/// What the first check learns must not make the second think that nothing is lost.
#[tokio::test]
async fn a_second_check_sees_what_the_first_saw() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], HTTPS)]).await;
    let checker = checker(&host);
    let uri = host.uri("https").parse().unwrap();
    for _ in 0..2 {
        let check = checker.check(&uri).await.unwrap();
        let report = check.race.report.as_ref().unwrap();
        assert!(report.elapsed() >= Duration::from_millis(250), "{report}");
    }
}
