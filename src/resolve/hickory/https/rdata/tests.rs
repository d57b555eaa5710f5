//! Every vector of RFC 9460 appendix D, and what it leaves out.

use proptest::prelude::*;

use super::*;
use crate::race::tests::settings;
use crate::resolve::hickory::tests::vectors::{hex, inconsistent, malformed, rdata};

fn record(priority: u16, target: &str, params: &str) -> ServiceRecord {
    service(&rdata(priority, target, params)).unwrap().1
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn alias_mode_has_a_target_only() {
    let bytes = hex("0000 03 666f6f 07 6578616d706c65 03 636f6d 00");
    let (target, record) = service(&bytes).unwrap();
    assert_eq!(record, ServiceRecord::alias("foo.example.com."));
    assert_eq!(target.to_ascii(), "foo.example.com.");
}

#[test]
fn service_mode_has_parameters() {
    let service = |priority| ServiceRecord::new(priority, "foo.example.com.");
    assert_eq!(record(1, ".", ""), ServiceRecord::new(1, "."));
    assert_eq!(record(16, "foo.example.com.", "0003 0002 0035"), service(16).with_port(53));
    assert_eq!(record(1, "foo.example.com.", "029b 0005 68656c6c6f"), service(1).with_other_key(667));
    assert_eq!(record(1, "foo.example.com.", "029b 0009 68656c6c6fd2716f6f"), service(1).with_other_key(667));

    let two = "0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001";
    let hints = ["2001:db8::1", "2001:db8::53:1"].map(ip);
    assert_eq!(record(1, "foo.example.com.", two), service(1).with_hints(hints));
    let embedded = "0006 0010 20010db8ffffffffffffffffc6336464";
    let hint = ip("2001:db8:ffff:ffff:ffff:ffff:198.51.100.100");
    assert_eq!(record(1, "example.com.", embedded), ServiceRecord::new(1, "example.com.").with_hints([hint]));

    let mandatory = "0000 0004 0001 0004 0001 0009 02 6832 05 68332d3139 0004 0004 c0000201";
    let expected = ServiceRecord::new(16, "foo.example.org.")
        .with_mandatory([1, 4])
        .with_alpn(["h2", "h3-19"])
        .with_hints([ip("192.0.2.1")]);
    assert_eq!(record(16, "foo.example.org.", mandatory), expected);
    let escaped = "0001 000c 08 665c6f6f2c626172 02 6832";
    let expected = ServiceRecord::new(16, "foo.example.org.").with_alpn([r"f\oo,bar", "h2"]);
    assert_eq!(record(16, "foo.example.org.", escaped), expected);
}

#[test]
fn every_key_has_its_place() {
    let params = "0000 0002 0003 0001 0004 03 68ff00 0002 0000 0003 0002 20fb 0004 0008 c0000201 c0000202 \
                  0005 0006 0004 deadbeef 0006 0010 20010db8000000000000000000000001 0007 0000 ffff 0001 00";
    let expected = ServiceRecord::new(2, "a.test.")
        .with_mandatory([3])
        .with_alpn([b"h\xff\x00"])
        .without_default_alpn()
        .with_port(8443)
        .with_hints(["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(ip))
        .with_ech(hex("0004 deadbeef"))
        .with_other_key(7)
        .with_other_key(65535);
    assert_eq!(record(2, "a.test.", params), expected);
}

/// Proves: SVC-1
#[test]
fn what_rfc_9460_calls_malformed_is() {
    for (text, rdata) in malformed() {
        service(&rdata).expect_err(text);
    }
    for (why, params) in [
        ("a key without a length", "0003"),
        ("a byte too many", "0003 0002 0035 00"),
        ("a value that is cut", "0003 0002 00"),
        ("a length beyond the end", "029b 0006 68656c6c6f"),
        ("keys that fall", "0003 0002 0035 0001 0003 02 6832"),
        ("half a mandatory key", "0000 0003 0001 00"),
        ("a protocol without a name", "0001 0004 00 02 6832"),
        ("a protocol beyond the value", "0001 0003 03 6832"),
        ("a port of one byte", "0003 0001 35"),
        ("a port of three bytes", "0003 0003 003500"),
        ("an IPv4 hint of five bytes", "0004 0005 c000020100"),
        ("an IPv6 hint of IPv4", "0006 0004 c0000201"),
        ("an empty ECHConfigList", "0005 0000"),
        ("an ECHConfigList of no configurations", "0005 0002 0000"),
        ("an ECHConfigList that is cut", "0005 0006 0005 deadbeef"),
    ] {
        service(&rdata(1, "foo.example.com.", params)).expect_err(why);
        service(&rdata(0, "foo.example.com.", params)).expect_err(why);
    }
    for (why, bytes) in [
        ("nothing", ""),
        ("half a priority", "00"),
        ("no target", "0001"),
        ("a target without an end", "0001 03 666f6f"),
        ("a label beyond the end", "0001 04 666f6f"),
        ("a compressed target", "0001 c00c"),
        ("a target compressed in part", "0001 03 666f6f c00c"),
        ("a label of an unknown kind", "0001 41 00"),
    ] {
        service(&hex(bytes)).expect_err(why);
    }
    let long = [&[0, 1][..], &[&[63][..], &[b'a'; 63]].concat().repeat(4), &[0]].concat();
    service(&long).expect_err("a target of 257 bytes");
}

#[test]
fn mandatory_keys_that_contradict_their_record_are_handed_on() {
    for (text, rdata, keys) in inconsistent() {
        let (_, record) = service(&rdata).expect(text);
        assert_eq!(record.mandatory, keys, "{text}");
    }
}

proptest! {
    #![proptest_config(settings(256))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = service(&bytes);
    }

    /// Cut anywhere, a record with a parameter is malformed, but where the parameter begins.
    #[test]
    fn a_record_that_is_cut_is_malformed(cut in 0usize..22) {
        let rdata = rdata(1, "foo.example.", "0004 0004 c0000201");
        prop_assert_eq!(service(&rdata[..cut]).is_ok(), cut == 15);
    }
}
