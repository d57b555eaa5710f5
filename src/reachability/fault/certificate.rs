//! How a certificate is wrong, in words.

use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error as TlsError};

use crate::reachability::certificate::Timestamp;

/// As many names as a line has room for.
const NAMES: usize = 8;

pub(super) fn describe(error: &TlsError) -> String {
    match error {
        TlsError::InvalidCertificate(error) => describe_certificate(error),
        TlsError::NoCertificatesPresented => "the peer has none".into(),
        error => error.to_string(),
    }
}

fn describe_certificate(error: &CertificateError) -> String {
    use CertificateError::*;

    let words = match error {
        ExpiredContext { not_after, .. } => return dated("expired since", *not_after),
        NotValidYetContext { not_before, .. } => return dated("not yet valid, only from", *not_before),
        ExpiredRevocationListContext { next_update, .. } => {
            return dated("its revocation list has expired since", *next_update);
        }
        NotValidForNameContext { expected, presented } => {
            return format!("for {}, not for {}", names(presented), expected.to_str());
        }
        InvalidPurposeContext { required, presented } => {
            let presented: Vec<_> = presented.iter().map(ToString::to_string).collect();
            return format!("for another purpose: {}, not {required}", presented.join(", "));
        }
        BadEncoding => "it cannot be read",
        BadSignature => "its signature is wrong",
        Expired => "expired",
        ExpiredRevocationList => "its revocation list has expired",
        InvalidOcspResponse => "the proof that it is not revoked cannot be read",
        InvalidPurpose => "for another purpose",
        NotValidForName => "for other names",
        NotValidYet => "not yet valid",
        Revoked => "revoked",
        UnhandledCriticalExtension => "it demands an extension that is not known",
        UnknownIssuer => "unknown issuer: no trusted authority has signed it",
        UnknownRevocationStatus => "whether it is revoked cannot be found out",
        UnsupportedSignatureAlgorithmContext { .. } | UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "signed by an algorithm that is not supported"
        }
        // What webpki has no case of rustls for, in its words.
        Other(error) if error.to_string() == "CaUsedAsEndEntity" => "that of an authority, not of a server",
        Other(error) => return error.to_string(),
        error => return error.to_string(),
    };
    words.to_owned()
}

fn dated(words: &str, time: UnixTime) -> String {
    match Timestamp::from_unix(time.as_secs()) {
        Some(time) => format!("{words} {time}"),
        None => format!("{words} {} s after 1970", time.as_secs()),
    }
}

/// rustls has them as `DnsName("example.org")` and `IpAddress(192.0.2.1)`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, name)| name.strip_suffix(')'));
        inner.unwrap_or(name).trim_matches('"').to_owned()
    };
    let names: Vec<_> = presented.iter().take(NAMES).map(bare).collect();
    match presented.len() {
        0 => "no name at all".into(),
        count if count > NAMES => format!("{} and {} more", names.join(", "), count - NAMES),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::ServerName;

    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn described(error: CertificateError) -> String {
        describe(&TlsError::InvalidCertificate(error))
    }

    #[test]
    fn times_are_dates() {
        let (time, past, future) = (at(1_700_000_000), at(978_307_200), at(1_900_000_000));
        let expired = CertificateError::ExpiredContext { time, not_after: past };
        assert_eq!(described(expired), "expired since 2001-01-01T00:00:00Z");
        let early = CertificateError::NotValidYetContext { time, not_before: future };
        assert_eq!(described(early), "not yet valid, only from 2030-03-17T17:46:40Z");
        let list = CertificateError::ExpiredRevocationListContext { time, next_update: past };
        assert_eq!(described(list), "its revocation list has expired since 2001-01-01T00:00:00Z");
        let never = CertificateError::NotValidYetContext { time, not_before: at(u64::MAX) };
        assert_eq!(described(never), "not yet valid, only from 18446744073709551615 s after 1970");
    }

    fn other_names(presented: impl IntoIterator<Item = String>) -> String {
        described(CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("www.example.org").unwrap(),
            presented: presented.into_iter().collect(),
        })
    }

    #[test]
    fn names_are_bare_and_few() {
        let two = ["DnsName(\"*.example.net\")".to_owned(), "IpAddress(192.0.2.1)".to_owned()];
        assert_eq!(other_names(two), "for *.example.net, 192.0.2.1, not for www.example.org");
        assert_eq!(other_names([]), "for no name at all, not for www.example.org");
        let many = other_names((0..100).map(|n| format!("DnsName(\"{n}.test\")")));
        assert!(many.ends_with("6.test, 7.test and 92 more, not for www.example.org"), "{many}");
    }

    #[test]
    fn the_rest_is_in_plain_words() {
        let purpose = CertificateError::InvalidPurposeContext {
            required: rustls::ExtendedKeyPurpose::ServerAuth,
            presented: vec![rustls::ExtendedKeyPurpose::ClientAuth],
        };
        assert_eq!(described(purpose), "for another purpose: client authentication, not server authentication");
        assert_eq!(described(CertificateError::Revoked), "revoked");
        let unknown = described(CertificateError::UnknownIssuer);
        assert_eq!(unknown, "unknown issuer: no trusted authority has signed it");
        assert_eq!(describe(&TlsError::NoCertificatesPresented), "the peer has none");
    }
}
