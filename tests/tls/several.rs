//! Several bad servers: which of them gives the error, and how far the race goes.

use std::error::Error as _;
use std::time::Duration;

use futures_util::future::join_all;
use hyper_happy_eyeballs::report::FailureKind;

use crate::case::{HOST, client, connect_to, good, paced, serve};
use crate::lab::{Behaviour, Ca, Certificate, Server};
use crate::support::failure_kinds;

const EXPIRED: (Certificate, Behaviour) = (Certificate::Expired, Behaviour::Serve);
const OTHER_NAME: (Certificate, Behaviour) = (Certificate::OtherName, Behaviour::Serve);
const STALLS: (Certificate, Behaviour) = (Certificate::Good, Behaviour::Stall);
const RESETS: (Certificate, Behaviour) = (Certificate::Good, Behaviour::ResetHello);
const GARBAGE: (Certificate, Behaviour) = (Certificate::Good, Behaviour::Garbage);

/// A certificate is judged last, so that who has a bad one got furthest; of several who did, the first.
#[tokio::test]
async fn the_first_that_got_furthest_gives_the_error_and_a_good_one_wins() {
    let ca = &Ca::new();
    let client = &client(ca);
    let good = &serve(good(ca), Behaviour::Serve).await;
    // More than any handshake takes that does not stall.
    let mut config = paced();
    config.tls_timeout(Some(Duration::from_secs(3)));
    let cases = [
        ([STALLS, EXPIRED, RESETS], FailureKind::Certificate, "certificate expired"),
        ([OTHER_NAME, EXPIRED, STALLS], FailureKind::Certificate, "certificate not valid for name"),
        ([STALLS, RESETS, GARBAGE], FailureKind::TimedOut, "the TLS timeout ran out"),
        ([GARBAGE, STALLS, RESETS], FailureKind::Tls, "InvalidContentType"),
        ([STALLS, STALLS, STALLS], FailureKind::TimedOut, "the TLS timeout ran out"),
    ];
    let config = &config;
    join_all(cases.map(|(bad, kind, cause)| async move {
        let servers = join_all(bad.map(|(certificate, it)| serve(ca.server_config(HOST, certificate), it))).await;
        let error = connect_to(client, config.clone(), &servers).await.unwrap_err();
        assert!(error.is_tls(), "{bad:?}: {error}");
        assert_eq!(error.is_certificate(), kind == FailureKind::Certificate, "{bad:?}: {error}");
        assert_eq!(error.is_timeout(), bad == [STALLS; 3], "{bad:?}: {error}");
        let source = error.source().unwrap();
        assert!(source.to_string().contains(cause), "{bad:?}: {source}");
        let tried: Vec<_> = failure_kinds(&error).into_iter().map(|(addr, _)| addr).collect();
        assert_eq!(tried, servers.iter().map(Server::addr).collect::<Vec<_>>(), "{error}");

        let stream = connect_to(client, config.clone(), servers.iter().chain([good])).await.unwrap();
        assert_eq!(stream.report().attempts().len(), 4, "{}", stream.report());
        assert_eq!(stream.report().winner().unwrap().addr(), good.addr(), "{}", stream.report());
    }))
    .await;
}
