//! Messages on their way past hickory's reader.
//!
//! hickory refuses a whole message for one record that it cannot read: over UDP it then asks again, and over TCP it drops
//! the message and waits until the time is up. What it reads of HTTPS records is not what RFC 9460 says, either (see
//! `https/rdata.rs`). So it never sees one: it asks for a type of the range for private use, whose data it hands on as
//! bytes, and between it and the wire that type and type 65 change places. A message that cannot be read even so becomes
//! one that says so.
//!
//! It also asks three times before it takes a failure for an answer, so it is given failures as codes that it does not
//! know. Its work on questions, aliases and negative answers stays as it is.

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::RecordType;

/// What hickory takes HTTPS records for.
pub(super) const OPAQUE: RecordType = RecordType::Unknown(OPAQUE_TYPE);

const OPAQUE_TYPE: u16 = 65280;
const HTTPS_TYPE: u16 = 65;

/// There is an answer, but it cannot be read.
pub(super) const UNREADABLE: ResponseCode = ResponseCode::Unknown(UNREADABLE_CODE as u16);

/// FORMERR, SERVFAIL, NOTIMP and REFUSED, and what stands for them: codes that no answer to a query has.
const FAILURES: [(u8, u8); 4] = [(1, 11), (2, 12), (4, 13), (5, 14)];
const UNREADABLE_CODE: u8 = 15;

// RFC 1035 section 4.1.1.
const FLAGS: usize = 2;
const RESPONSE_CODE: usize = 3;
const QUESTION_COUNT: usize = 4;
const RECORD_COUNTS: [usize; 3] = [6, 8, 10];
const HEADER: usize = 12;
const TRUNCATED: u8 = 0b10;
const RESPONSE_CODE_BITS: u8 = 0xf;

/// The failure that hickory was given `code` for.
pub(super) fn failure(code: ResponseCode) -> Option<ResponseCode> {
    let (failure, _) = FAILURES.into_iter().find(|(_, substitute)| u16::from(code) == u16::from(*substitute))?;
    Some(u16::from(failure).into())
}

/// On the way out.
pub(super) fn request(message: &mut [u8]) {
    if let Some(end) = end_of_question(message) {
        replace_type(message, end - 4, OPAQUE_TYPE, HTTPS_TYPE);
    }
}

/// On the way in. `is_cut` tells that more of the message may have arrived than there was room for. Returns how long the
/// message is now, which is at most what it was.
pub(super) fn response(message: &mut [u8], is_cut: bool) -> usize {
    let Some(end) = end_of_question(message) else { return message.len() };
    replace_type(message, end - 4, HTTPS_TYPE, OPAQUE_TYPE);
    let code = message[RESPONSE_CODE] & RESPONSE_CODE_BITS;
    let code = match substitute(code) {
        Some(substitute) => substitute,
        // What there is of it is not to be used (RFC 2181 section 9).
        None if message[FLAGS] & TRUNCATED != 0 => code,
        None if is_readable(message, end) => return message.len(),
        None if is_cut => {
            message[FLAGS] |= TRUNCATED;
            code
        }
        None => UNREADABLE_CODE,
    };
    message[RESPONSE_CODE] = message[RESPONSE_CODE] & !RESPONSE_CODE_BITS | code;
    for at in RECORD_COUNTS {
        put(message, at, 0);
    }
    end
}

/// Puts the question of `request` into a failure in `buffer` that is a header alone, which is what some servers say to
/// what they cannot read. Returns how long the message is now.
pub(super) fn complete(buffer: &mut [u8], length: usize, request: &[u8]) -> usize {
    let Some(end) = end_of_question(request).filter(|end| *end <= buffer.len()) else { return length };
    let is_header = length == HEADER && get(buffer, QUESTION_COUNT) == Some(0);
    if !is_header || substitute(buffer[RESPONSE_CODE] & RESPONSE_CODE_BITS).is_none() {
        return length;
    }
    buffer[HEADER..end].copy_from_slice(&request[HEADER..end]);
    put(buffer, QUESTION_COUNT, 1);
    end
}

fn substitute(failure: u8) -> Option<u8> {
    FAILURES.into_iter().find(|(code, _)| *code == failure).map(|(_, substitute)| substitute)
}

/// Where the question ends, if it is the only one.
fn end_of_question(message: &[u8]) -> Option<usize> {
    if get(message, QUESTION_COUNT)? != 1 {
        return None;
    }
    let end = end_of_name(message, HEADER)? + 4;
    (end <= message.len()).then_some(end)
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
            replace_type(message, at, HTTPS_TYPE, OPAQUE_TYPE);
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

fn replace_type(message: &mut [u8], at: usize, from: u16, to: u16) {
    if get(message, at) == Some(from) {
        put(message, at, to);
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
