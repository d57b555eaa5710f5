//! Servers that say something else than TLS, or TLS that makes no sense.

use futures_util::future::join_all;
use hyper_happy_eyeballs::report::FailureKind;

use crate::case::{Case, client, good, serve};
use crate::lab::{Behaviour, Ca};

/// Drawn by lot.
const RANDOM: &[u8] = &[
    0x8e, 0x1f, 0x02, 0xd7, 0x64, 0xa9, 0x3b, 0xf0, 0x57, 0xc6, 0x19, 0x7d, 0xe2, 0x40, 0xbb, 0x95, 0x0a, 0x73, 0x2c,
    0xf8, 0x61, 0xde, 0x34, 0x87, 0x9c, 0x05, 0xea, 0x4f, 0xb1, 0x28, 0xc3, 0x76,
];

/// Each with what it fails with; what begins as TLS does and never ends times out.
const SAID: [(&str, &[u8], FailureKind, &str); 15] = [
    ("HTTP", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", FailureKind::Tls, "InvalidContentType"),
    ("SSH", b"SSH-2.0-OpenSSH_9.9\r\n", FailureKind::Tls, "InvalidContentType"),
    ("random bytes", RANDOM, FailureKind::Tls, "InvalidContentType"),
    ("an alert", b"\x15\x03\x03\0\x02\x02\x28", FailureKind::Tls, "HandshakeFailure"),
    ("an alert of TLS 1.0", b"\x15\x03\x01\0\x02\x02\x46", FailureKind::Tls, "ProtocolVersion"),
    ("an alert for a name that is not served", b"\x15\x03\x03\0\x02\x02\x70", FailureKind::Tls, "UnrecognisedName"),
    ("an alert that nobody knows", b"\x15\x03\x03\0\x02\x02\xff", FailureKind::Tls, "AlertDescription(0xff)"),
    ("five warnings", &FIVE_WARNINGS, FailureKind::Tls, "TooManyWarningAlertsReceived"),
    ("a farewell", CLOSE_NOTIFY, FailureKind::TimedOut, "the TLS timeout ran out"),
    ("a record that is too long", b"\x16\x03\x03\xff\xff\x02", FailureKind::Tls, "MessageTooLarge"),
    ("a record without anything", b"\x16\x03\x03\0\0", FailureKind::Tls, "InvalidEmptyPayload"),
    ("a message that is too long", b"\x16\x03\x03\0\x04\x02\xff\xff\xff", FailureKind::Tls, "HandshakePayloadTooLarge"),
    ("a record that never ends", b"\x16\x03\x03\0\x30\x02", FailureKind::TimedOut, "the TLS timeout ran out"),
    ("a message that never ends", b"\x16\x03\x03\0\x04\x02\0\0\x30", FailureKind::TimedOut, "the TLS timeout ran out"),
    ("data", b"\x17\x03\x03\0\x02hi", FailureKind::Tls, "unexpected message"),
];

/// `close_notify` has no meaning before there are keys.
const CLOSE_NOTIFY: &[u8] = b"\x15\x03\x03\0\x02\x01\0";
const FIVE_WARNINGS: [u8; 35] = {
    let mut all = [0; 35];
    let mut at = 0;
    while at < all.len() {
        all[at] = CLOSE_NOTIFY[at % CLOSE_NOTIFY.len()];
        at += 1;
    }
    all
};

/// Proves: TLS-5
#[tokio::test]
async fn what_is_no_tls_is_told_and_passed_over() {
    let ca = Ca::new();
    let client = client(&ca);
    let (ca, client) = (&ca, &client);
    let good_server = &serve(good(ca), Behaviour::Serve).await;
    join_all(SAID.map(|(what, words, kind, cause)| async move {
        let bad = serve(good(ca), Behaviour::Say(words)).await;
        Case { what, client, bad: &bad, good: good_server, kind, cause }.check().await;
    }))
    .await;
}
