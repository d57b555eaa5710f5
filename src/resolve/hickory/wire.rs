//! HTTPS records on their way past hickory's reader.
//!
//! hickory refuses a whole message for one record that it cannot read: over UDP it then asks again, and over TCP it drops
//! the message and waits until the time is up. What it reads is not what RFC 9460 says, either (see `https/rdata.rs`).
//! So it never sees an HTTPS record: it asks for a type of the range for private use, whose data it hands on as bytes,
//! and between it and the wire that type and type 65 change places. A message that cannot be read even so becomes one
//! that says so, and hickory's work on questions, aliases and negative answers stays as it is.

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::RecordType;

/// What hickory takes HTTPS records for.
pub(super) const OPAQUE: RecordType = RecordType::Unknown(OPAQUE_TYPE);

const OPAQUE_TYPE: u16 = 65280;
const HTTPS_TYPE: u16 = 65;

/// SERVFAIL and REFUSED as no server says them. hickory asks three times before it takes the real ones for an answer,
/// and for records that one can do without that is too long.
pub(super) const SERV_FAIL: ResponseCode = ResponseCode::Unknown(SERV_FAIL_CODE as u16);
pub(super) const REFUSED: ResponseCode = ResponseCode::Unknown(REFUSED_CODE as u16);
/// There is an answer, but it cannot be read.
pub(super) const UNREADABLE: ResponseCode = ResponseCode::Unknown(UNREADABLE_CODE as u16);

// Response codes that are not assigned.
const SERV_FAIL_CODE: u8 = 13;
const REFUSED_CODE: u8 = 14;
const UNREADABLE_CODE: u8 = 15;

// RFC 1035 section 4.1.1.
const FLAGS: usize = 2;
const RESPONSE_CODE: usize = 3;
const RECORD_COUNTS: [usize; 3] = [6, 8, 10];
const HEADER: usize = 12;
const TRUNCATED: u8 = 0b10;
const RESPONSE_CODE_BITS: u8 = 0xf;

/// On the way out.
pub(super) fn request(message: &mut [u8]) {
    if let Some(end) = end_of_question(message, OPAQUE_TYPE) {
        put(message, end - 4, HTTPS_TYPE);
    }
}

/// On the way in. `is_cut` tells that more of the message may have arrived than there was room for. Returns how long the
/// message is now, which is at most what it was.
pub(super) fn response(message: &mut [u8], is_cut: bool) -> usize {
    let Some(end) = end_of_question(message, HTTPS_TYPE) else { return message.len() };
    put(message, end - 4, OPAQUE_TYPE);
    let code = match message[RESPONSE_CODE] & RESPONSE_CODE_BITS {
        // What there is of it is not to be used (RFC 2181 section 9).
        code if message[FLAGS] & TRUNCATED != 0 => code,
        2 => SERV_FAIL_CODE,
        5 => REFUSED_CODE,
        _ if is_readable(message, end) => return message.len(),
        code if is_cut => {
            message[FLAGS] |= TRUNCATED;
            code
        }
        _ => UNREADABLE_CODE,
    };
    message[RESPONSE_CODE] = message[RESPONSE_CODE] & !RESPONSE_CODE_BITS | code;
    for at in RECORD_COUNTS {
        put(message, at, 0);
    }
    end
}

/// Where the question ends, if it is the only one, and of this type.
fn end_of_question(message: &[u8], record_type: u16) -> Option<usize> {
    if get(message, 4)? != 1 {
        return None;
    }
    let at = end_of_name(message, HEADER)?;
    let class = get(message, at + 2);
    (class.is_some() && get(message, at)? == record_type).then_some(at + 4)
}

/// Gives the HTTPS records their other type, and tells whether hickory can read them all.
fn is_readable(message: &mut [u8], end_of_question: usize) -> bool {
    swap_records(message, end_of_question).is_some() && Message::from_vec(message).is_ok()
}

/// `None` if the message ends within a record.
fn swap_records(message: &mut [u8], mut at: usize) -> Option<()> {
    for count in RECORD_COUNTS {
        for _ in 0..get(message, count)? {
            at = end_of_name(message, at)?;
            if get(message, at)? == HTTPS_TYPE {
                put(message, at, OPAQUE_TYPE);
            }
            let length = get(message, at + 8)?;
            at += 10 + usize::from(length);
        }
    }
    Some(())
}

/// After a name that is at `at`, whether it is compressed or not (RFC 1035 section 4.1.4).
fn end_of_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length @ 1..0x40 => at += 1 + usize::from(length),
            0x40..0xc0 => return None,
            0xc0.. => return Some(at + 2),
        }
    }
}

fn get(message: &[u8], at: usize) -> Option<u16> {
    message.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// Where `get` has found something.
fn put(message: &mut [u8], at: usize, value: u16) {
    message[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests;
