//! The data of one HTTPS record (RFC 9460 section 2.2).
//!
//! hickory's reader is too lenient and too strict for it: it takes a port of three bytes for its first two and a
//! compressed target for a name, and it refuses protocols whose names are not UTF-8.

use std::net::IpAddr;

use hickory_resolver::proto::rr::Name;
use hickory_resolver::proto::serialize::binary::BinDecodable;

use super::ServiceRecord;

/// Why a record is malformed.
pub(super) type Malformed = &'static str;

/// Reads a record and its target.
///
/// What is well formed but contradicts itself, such as mandatory keys that are not there, makes one record unusable and
/// not its set (RFC 9460 section 2.4.3), so it is handed on.
pub(super) fn service(rdata: &[u8]) -> Result<(Name, ServiceRecord), Malformed> {
    let mut reader = Reader(rdata);
    let priority = reader.u16().ok_or("it ends within its priority")?;
    let target = reader.name().ok_or("its target is not an uncompressed name")?;
    let mut service = ServiceRecord::new(priority, target.to_ascii());
    let mut last = None;
    while !reader.0.is_empty() {
        let (key, value) = reader.param().ok_or("it ends within a parameter")?;
        if last.replace(key) >= Some(key) {
            return Err("its keys do not rise");
        }
        service = with_param(service, key, value).ok_or("a value is not one of its key")?;
    }
    Ok((target, service))
}

/// `None` if the value has not the form that its key asks for.
fn with_param(service: ServiceRecord, key: u16, value: &[u8]) -> Option<ServiceRecord> {
    Some(match key {
        0 => service.with_mandatory(array(value)?.iter().map(|key| u16::from_be_bytes(*key))),
        1 => service.with_alpn(protocols(value)?),
        2 if value.is_empty() => service.without_default_alpn(),
        2 => return None,
        3 => service.with_port(u16::from_be_bytes(value.try_into().ok()?)),
        4 => service.with_hints(array::<4>(value)?.iter().map(|ip| IpAddr::from(*ip))),
        5 if is_ech_config_list(value) => service.with_ech(value),
        5 => return None,
        6 => service.with_hints(array::<16>(value)?.iter().map(|ip| IpAddr::from(*ip))),
        _ => service.with_other_key(key),
    })
}

/// Items of one size, of which there is at least one.
fn array<const SIZE: usize>(value: &[u8]) -> Option<&[[u8; SIZE]]> {
    let (items, rest) = value.as_chunks();
    (rest.is_empty() && !items.is_empty()).then_some(items)
}

/// RFC 9460 section 7.1.1.
fn protocols(value: &[u8]) -> Option<Vec<&[u8]>> {
    let mut reader = Reader(value);
    let mut protocols = Vec::new();
    while !reader.0.is_empty() {
        let length = reader.u8()?;
        protocols.push(reader.take(length.into()).filter(|protocol| !protocol.is_empty())?);
    }
    (!protocols.is_empty()).then_some(protocols)
}

/// Its frame only: which of the configurations can be used is a matter of TLS (RFC 9849 section 4).
fn is_ech_config_list(value: &[u8]) -> bool {
    let mut reader = Reader(value);
    reader.u16().is_some_and(|length| length >= 4 && usize::from(length) == reader.0.len())
}

/// The bytes that are left.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn param(&mut self) -> Option<(u16, &'a [u8])> {
        let (key, length) = (self.u16()?, self.u16()?);
        Some((key, self.take(length.into())?))
    }

    fn name(&mut self) -> Option<Name> {
        const LONGEST_LABEL: u8 = 63;
        let all = self.0;
        loop {
            match self.u8()? {
                0 => break,
                length @ 1..=LONGEST_LABEL => _ = self.take(length.into())?,
                _ => return None,
            }
        }
        Name::from_bytes(&all[..all.len() - self.0.len()]).ok()
    }
}

#[cfg(test)]
mod tests;
