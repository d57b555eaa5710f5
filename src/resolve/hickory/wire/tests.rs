//! Whole messages, byte by byte.

use proptest::prelude::*;

use super::*;
use crate::race::tests::settings;
use crate::resolve::hickory::tests::vectors::{hex, response as message};

/// A record of `a.test.` in hexadecimal.
fn record(record_type: u16, rdata: &str) -> String {
    format!("c00c {record_type:04x} 0001 0000003c {:04x} {rdata}", hex(rdata).len())
}

/// What hickory is given.
fn received(mut bytes: Vec<u8>, is_cut: bool) -> Vec<u8> {
    let length = response(&mut bytes, is_cut);
    bytes.truncate(length);
    bytes
}

/// The question alone, with these flags.
fn only_question(flags: &str) -> Vec<u8> {
    message(flags, OPAQUE_TYPE, &[])
}

const QUESTION: usize = HEADER + 12;

#[test]
fn a_question_for_opaque_records_leaves_as_one_for_https_records() {
    let mut bytes = message("0100", OPAQUE_TYPE, &[]);
    request(&mut bytes);
    assert_eq!(bytes, message("0100", HTTPS_TYPE, &[]));
    for mut other in [message("0100", 1, &[]), message("0100", 28, &[]), hex("1234"), Vec::new()] {
        let before = other.clone();
        request(&mut other);
        assert_eq!(other, before);
    }
}

#[test]
fn https_records_arrive_opaque_in_every_section() {
    let sections = |https: u16| {
        let records =
            [record(https, "0001 00"), record(1, "c0000201"), record(https, "0002 c00c"), record(https, "00")];
        let mut bytes = message("8180", https, &records.each_ref().map(String::as_str));
        bytes[RECORD_COUNTS[0]..][..6].copy_from_slice(&hex("0002 0001 0001"));
        bytes
    };
    assert_eq!(received(sections(HTTPS_TYPE), false), sections(OPAQUE_TYPE));
}

#[test]
fn what_does_not_ask_one_question_is_left_alone() {
    for bytes in [
        // No question, two questions, and a question that is cut.
        hex("1234 8181 0000 0000 0000 0000"),
        [&hex("1234 8182 0002 0000 0000 0000")[..], &message("", HTTPS_TYPE, &[])[12..]].concat(),
        message("8182", HTTPS_TYPE, &[])[..QUESTION - 1].to_vec(),
    ] {
        assert_eq!(received(bytes.clone(), false), bytes);
    }
}

#[test]
fn answers_of_addresses_pass_unchanged() {
    for bytes in [message("8180", 1, &[&record(1, "c0000201")]), message("8183", 28, &[]), message("8180", 12, &[])] {
        assert_eq!(received(bytes.clone(), false), bytes);
    }
    let unreadable = message("8180", 1, &[&record(1, "c00002")]);
    assert_eq!(received(unreadable, false), message("818f", 1, &[]));
}

#[test]
fn a_failure_without_its_question_is_given_it() {
    let question = message("0100", HTTPS_TYPE, &[]);
    let completed = |header: &str, room: usize| {
        let mut buffer = hex(header);
        let length = buffer.len();
        buffer.resize(length.max(room), 0xff);
        let length = complete(&mut buffer, length, &question);
        buffer.truncate(length);
        buffer
    };
    assert_eq!(completed("1234 8181 0000 0000 0000 0000", 512), message("8181", HTTPS_TYPE, &[]));
    // No failure, one question that is cut off, more than a header, and no room.
    for (header, room) in [
        ("1234 8180 0000 0000 0000 0000", 512),
        ("1234 8181 0001 0000 0000 0000", 512),
        ("1234 8181 0000 0000 0000 0000 00", 512),
        ("1234 8181 0000 0000 0000 0000", QUESTION - 1),
    ] {
        assert_eq!(completed(header, room), hex(header), "{header}");
    }
}

#[test]
fn what_cannot_be_read_says_so() {
    let good = record(HTTPS_TYPE, "0001 00 0003 0002 20fb");
    let whole = message("8180", HTTPS_TYPE, &[&good, &good]);
    assert_eq!(received(whole.clone(), false).len(), whole.len());
    for length in QUESTION..whole.len() {
        assert_eq!(received(whole[..length].to_vec(), false), only_question("818f"), "{length}");
    }
    for (why, record) in [
        ("no data", "c00c 0041 0001 0000003c 0000"),
        ("data beyond the end", "c00c 0041 0001 0000003c 0004 0001 00"),
        ("a name that goes on for ever", "c018 0041 0001 0000003c 0003 0001 00"),
        ("a label of an unknown kind", "80 0041 0001 0000003c 0003 0001 00"),
        ("an alias that is none", "c00c 0005 0001 0000003c 0001 05"),
    ] {
        let bytes = message("8180", HTTPS_TYPE, &[record]);
        assert_eq!(received(bytes, false), only_question("818f"), "{why}");
    }
    // A length too short for its data: what follows is no record.
    let short = message("8180", HTTPS_TYPE, &["c00c 0041 0001 0000003c 0002 0001 00", &good]);
    assert_eq!(received(short, false), only_question("818f"));
}

#[test]
fn of_a_truncated_message_nothing_is_read() {
    for answers in [&[][..], &["c00c 00"], &[&record(HTTPS_TYPE, "0001 00")]] {
        assert_eq!(received(message("8380", HTTPS_TYPE, answers), false), only_question("8380"));
    }
    // Cut by the one who receives it.
    assert_eq!(received(message("8180", HTTPS_TYPE, &["c00c 00"]), true), only_question("8380"));
    let whole = [&*record(HTTPS_TYPE, "0001 00")];
    assert_eq!(received(message("8180", HTTPS_TYPE, &whole), true).len(), QUESTION + 15);
}

#[test]
fn codes_that_would_be_tried_again_are_replaced() {
    for record_type in [1, 12, 28, HTTPS_TYPE] {
        let question = |flags: &str| received(message(flags, record_type, &["c00c"]), false);
        let asked = if record_type == HTTPS_TYPE { OPAQUE_TYPE } else { record_type };
        for (code, substitute) in [("8181", "818b"), ("8182", "818c"), ("8184", "818d"), ("8185", "818e")] {
            assert_eq!(question(code), message(substitute, asked, &[]));
            let told = Message::from_vec(&hex(&format!("1234 {code} 0000 0000 0000 0000"))).unwrap();
            let given = Message::from_vec(&question(code)).unwrap();
            assert_eq!(failure(given.metadata.response_code), Some(told.metadata.response_code));
        }
    }
    for flags in ["8180", "8183"] {
        assert_eq!(received(message(flags, HTTPS_TYPE, &[]), false), only_question(flags));
    }
    assert_eq!(failure(ResponseCode::NXDomain), None);
    assert_eq!(failure(UNREADABLE), None);
}

proptest! {
    #![proptest_config(settings(256))]

    #[test]
    fn whatever_answers_the_question_can_be_read(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        flags in any::<u16>(),
        is_cut in any::<bool>(),
    ) {
        received(bytes.clone(), is_cut);
        request(&mut bytes.clone());
        let mut message = message(&format!("{flags:04x}"), HTTPS_TYPE, &[]);
        message[RECORD_COUNTS[0] + 1] = 1;
        message.extend(bytes);
        prop_assert!(Message::from_vec(&received(message, is_cut)).is_ok());
    }
}
