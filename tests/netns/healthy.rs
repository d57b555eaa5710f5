//! Where nothing is broken, nothing is wasted.

use std::net::SocketAddr;

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::{Config, MaybeHttpsStream};

use crate::capture::{Capture, Payload};
use crate::lab::{Behaviour, Ca, Dns, HttpsRecord, Reply};
use crate::namespace::in_namespace;
use crate::network::*;

/// Asserts one SYN, to IPv6, and one query for each of `types`, in this order, none waiting for another's answer.
fn assert_nothing_wasted(capture: &mut Capture, dns: &Dns, stream: &MaybeHttpsStream, types: &[RecordType]) {
    println!("{}", stream.report());
    assert_eq!(peer(stream), parse(LOCAL_V6));
    let to: Vec<_> = capture.syns().iter().map(|syn| syn.to).collect();
    assert_eq!(to, [SocketAddr::new(parse(LOCAL_V6), PORT)]);

    let queries = capture.queries(dns.addr().port());
    let kinds: Vec<_> = queries.iter().map(|query| query.kind).collect();
    assert_eq!(kinds, types);
    let last = queries.last().expect("one for each type").at;
    println!("queries {:?} apart", last - queries[0].at);
    assert!(capture.answers(dns.addr().port()).iter().all(|answer| *answer > last));
}

/// Asserts that no datagram left but to the name server and from it.
fn assert_no_udp_but_dns(capture: &mut Capture, dns: &Dns) {
    let datagrams = capture.packets().iter().filter(|packet| matches!(packet.payload, Payload::Udp(_)));
    let others: Vec<_> = datagrams.filter(|packet| ![packet.to, packet.from].contains(&dns.addr())).collect();
    assert!(others.is_empty(), "{others:?}");
}

/// Proves: DNS-5, TLS-1
#[test]
fn http_sends_one_syn_and_one_query_a_type() {
    in_namespace(|| async {
        dual_stack();
        let _servers = (http_server(LOCAL_V6).await, http_server(LOCAL_V4).await);
        let dns = dns(&[LOCAL_V6, LOCAL_V4]).await;
        let mut capture = Capture::start();
        let stream = connect(&mut connector(&dns, Config::default())).await.unwrap();
        assert_nothing_wasted(&mut capture, &dns, &stream, &[RecordType::AAAA, RecordType::A]);
    });
}

/// Nor where records offer HTTP/3 at hinted addresses: these are known before they are asked for, and only TCP is used.
///
/// Proves: DNS-4, DNS-5, QUI-4
#[test]
fn https_sends_one_syn_and_one_query_a_type() {
    in_namespace(|| async {
        dual_stack();
        let ca = Ca::new();
        let servers =
            [https_server(&ca, LOCAL_V6, Behaviour::Serve).await, https_server(&ca, LOCAL_V4, Behaviour::Serve).await];
        for (round, protocols) in [&[][..], &["h3", "h2"], &["h3"]].into_iter().enumerate() {
            let dns = dns(&[LOCAL_V6, LOCAL_V4]).await;
            if !protocols.is_empty() {
                offer(&dns, protocols);
            }
            let mut connector = builder(&dns).tls_config(ca.client_config(&[])).enable_all_versions().build().unwrap();
            let mut capture = Capture::start();
            let stream = get(&mut connector, &format!("https://{HOST}:{PORT}/")).await.unwrap();
            let types = [RecordType::HTTPS, RecordType::AAAA, RecordType::A];
            assert_nothing_wasted(&mut capture, &dns, &stream, &types);
            assert_no_udp_but_dns(&mut capture, &dns);
            assert_eq!(stream.tls_info().and_then(|tls| tls.alpn().map(<[u8]>::to_vec)), Some(b"h2".to_vec()));
            assert_eq!(servers.each_ref().map(|server| server.accepted()), [round + 1, 0]);
        }
    });
}

/// Gives `HOST` an HTTPS record with these protocols, which leads to itself and hints at its addresses.
fn offer(dns: &Dns, protocols: &[&str]) {
    let record = HttpsRecord::new(1, HOST).alpn(protocols).hint(parse(LOCAL_V4)).hint(parse(LOCAL_V6));
    dns.set(&format!("_{PORT}._https.{HOST}"), RecordType::HTTPS, Reply::records([record.into()]));
}
