//! Options of sockets, as they show on the wire.

use std::net::SocketAddr;

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::Config;

use crate::capture::Capture;
use crate::namespace::{add_address, in_namespace, ip, nft, nft_counter, silent_device};
use crate::network::*;

/// Proves: ATT-17
#[test]
fn a_local_address_rules_the_other_family_out() {
    in_namespace(|| async {
        dual_stack();
        add_address("192.0.2.7/24", "up0");
        add_address("2001:db8::7/64", "up0");
        let dns = dns(&[SILENT_V6[0], SILENT_V6[1], SILENT_V4[0], SILENT_V4[1]]).await;
        let cases = [
            ("192.0.2.7", SILENT_V4[0], SILENT_V4[1], RecordType::A),
            ("2001:db8::7", SILENT_V6[0], SILENT_V6[1], RecordType::AAAA),
        ];
        for (local, first, second, kind) in cases {
            let mut connector = connector(&dns, giving_up_after(400));
            connector.set_local_address(Some(parse(local)));
            let mut capture = Capture::start();
            connect(&mut connector).await.unwrap_err();
            let starts = capture.starts();
            assert_starts(&starts, &[(first, 0), (second, 250)]);
            assert!(starts.iter().all(|syn| syn.from.ip() == parse(local)));
            assert!(capture.queries(dns.addr().port()).iter().all(|query| query.kind == kind));
        }
    });
}

#[test]
fn an_interface_is_the_only_way_out() {
    in_namespace(|| async {
        dual_stack();
        silent_device("up1");
        add_address("203.0.113.1/24", "up1");
        add_address("2001:db8:f::1/64", "up1");
        ip("route add default dev up1 metric 2000");
        ip("-6 route add default dev up1 metric 2000");
        let dns = dns(&[SILENT_V6[0], SILENT_V4[0]]).await;
        for (interface, sources) in [("up0", ["2001:db8::1", "192.0.2.1"]), ("up1", ["2001:db8:f::1", "203.0.113.1"])] {
            let mut connector = connector(&dns, giving_up_after(400));
            connector.set_interface(interface);
            let mut capture = Capture::start();
            connect(&mut connector).await.unwrap_err();
            let starts = capture.starts();
            assert_starts(&starts, &[(SILENT_V6[0], 0), (SILENT_V4[0], 250)]);
            let index = nix::net::if_::if_nametoindex(interface).unwrap();
            for (syn, source) in starts.iter().zip(sources) {
                assert_eq!(syn.device, index as usize, "{syn:?}");
                assert_eq!(syn.from.ip(), parse(source));
            }
        }
    });
}

/// A device that is not there is an error of every address, before anything leaves.
#[test]
fn an_interface_that_is_not_there_is_an_error() {
    in_namespace(|| async {
        dual_stack();
        let dns = dns(&[SILENT_V6[0], SILENT_V4[0]]).await;
        let mut connector = connector(&dns, Config::default());
        connector.set_interface("nowhere0");
        let mut capture = Capture::start();
        let error = connect(&mut connector).await.unwrap_err();
        println!("{error}");
        assert!(error.is_connect());
        assert!(error.to_string().contains("interface"), "{error}");
        assert_eq!(capture.syns(), []);
    });
}

/// A mark decides the route: what is asked for before the SYN has to carry it as well.
#[test]
fn a_mark_is_on_every_syn_and_chooses_the_route() {
    in_namespace(|| async {
        silent_device("up0");
        add_address("192.0.2.1/24", "up0");
        add_address("2001:db8::1/64", "up0");
        for family in ["-4", "-6"] {
            ip(&format!("{family} rule add fwmark 42 lookup 100"));
            ip(&format!("{family} route add default dev up0 table 100"));
        }
        nft("add table inet test
             add counter inet test marked
             add counter inet test syns
             add chain inet test output { type filter hook output priority 0; }
             add rule inet test output tcp flags syn counter name syns
             add rule inet test output tcp flags syn meta mark 42 counter name marked");
        let dns = dns(&[SILENT_V6[0], SILENT_V4[0]]).await;
        let mut connector = connector(&dns, giving_up_after(400));
        let error = connect(&mut connector).await.unwrap_err();
        assert!(error.is_connect(), "no route without the mark: {error}");

        connector.set_mark(Some(42));
        let mut capture = Capture::start();
        connect(&mut connector).await.unwrap_err();
        assert_starts(&capture.starts(), &[(SILENT_V6[0], 0), (SILENT_V4[0], 250)]);
        assert_eq!((nft_counter("marked"), nft_counter("syns")), (2, 2));
    });
}

/// An address that no device has is an error that says so.
#[test]
fn a_local_address_of_nobody_is_an_error() {
    in_namespace(|| async {
        dual_stack();
        let dns = dns(&[SILENT_V6[0], SILENT_V4[0]]).await;
        let mut connector = connector(&dns, Config::default());
        connector.set_local_address(Some(parse("203.0.113.99")));
        let mut capture = Capture::start();
        let error = connect(&mut connector).await.unwrap_err();
        println!("{error}");
        assert!(error.is_connect());
        assert!(error.to_string().contains(&SocketAddr::new(parse(SILENT_V4[0]), PORT).to_string()), "{error}");
        assert_eq!(capture.syns(), []);
    });
}
