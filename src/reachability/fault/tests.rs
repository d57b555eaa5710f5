use std::net::IpAddr;

use super::*;

fn class(kind: FailureKind, error: io::Error) -> FaultClass {
    Fault::of(&Failure::new(kind, error)).class
}

fn of_icmp(type_: u8, code: u8, from: &str, own: bool) -> Fault {
    let from: IpAddr = from.parse().unwrap();
    let error = io::Error::new(io::ErrorKind::HostUnreachable, Icmp { type_, code, from, own });
    Fault::of(&Failure::new(FailureKind::Unreachable, error))
}

#[test]
fn icmp_is_told_by_who_sent_it_and_what_it_says() {
    let router = of_icmp(1, 1, "2001:db8::1", false);
    assert_eq!(router.class, FaultClass::Unreachable);
    assert_eq!(router.detail, "administratively prohibited (ICMPv6 type 1 code 1) by 2001:db8::1");
    assert_eq!(of_icmp(3, 3, "192.0.2.1", false).class, FaultClass::Refused);
    assert_eq!(of_icmp(1, 4, "2001:db8::1", false).class, FaultClass::Refused);
    assert_eq!(of_icmp(3, 13, "192.0.2.1", true).class, FaultClass::LocalRule);
    assert_eq!(of_icmp(1, 4, "2001:db8::1", true).class, FaultClass::LocalRule);
    assert_eq!(of_icmp(11, 0, "192.0.2.1", false).class, FaultClass::Unreachable);
}

/// Nobody on the link has the address, which this host says to itself.
#[test]
fn an_absent_neighbour_is_no_rule() {
    assert_eq!(of_icmp(3, 1, "192.0.2.1", true).class, FaultClass::Unreachable);
    assert_eq!(of_icmp(1, 3, "2001:db8::1", true).class, FaultClass::Unreachable);
}

#[cfg(target_os = "linux")]
#[test]
fn an_error_of_connect_is_told_by_its_number() {
    let local = |code| class(FailureKind::Local, io::Error::from_raw_os_error(code));
    assert_eq!(local(libc::EPERM), FaultClass::LocalRule);
    assert_eq!(local(libc::EACCES), FaultClass::LocalRule);
    assert_eq!(local(libc::ENETUNREACH), FaultClass::NoRoute);
    assert_eq!(local(libc::EHOSTUNREACH), FaultClass::NoRoute);
    assert_eq!(local(libc::EINVAL), FaultClass::NoRoute);
    assert_eq!(local(libc::EADDRNOTAVAIL), FaultClass::Local);
    assert_eq!(local(libc::EMFILE), FaultClass::Local);
}

/// A socket option that is not permitted says nothing of the way.
#[cfg(target_os = "linux")]
#[test]
fn a_step_before_connect_is_no_rule() {
    let step = |code| {
        let cause = io::Error::from_raw_os_error(code);
        class(FailureKind::Local, io::Error::new(cause.kind(), Step(cause)))
    };
    assert_eq!(step(libc::EPERM), FaultClass::Local);
    assert_eq!(step(libc::EINVAL), FaultClass::Local);
    assert_eq!(step(libc::EAFNOSUPPORT), FaultClass::NoRoute);
}

/// What a step before `connect` makes of the system's error.
#[derive(Debug)]
struct Step(io::Error);

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a step: {}", self.0)
    }
}

impl StdError for Step {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn without_icmp_the_system_has_the_word() {
    let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
    let fault = Fault::of(&Failure::new(FailureKind::Unreachable, denied()));
    assert_eq!((fault.class, fault.detail), (FaultClass::Unreachable, denied().to_string()));
    let refused = Fault::of(&Failure::new(FailureKind::Refused, io::Error::from(io::ErrorKind::ConnectionRefused)));
    assert_eq!((refused.class, &*refused.detail), (FaultClass::Refused, ""), "there is no more to say");
    assert_eq!(class(FailureKind::TimedOut, io::ErrorKind::TimedOut.into()), FaultClass::Silent);
}

#[test]
fn a_wrong_certificate_says_how() {
    let revoked = rustls::Error::InvalidCertificate(rustls::CertificateError::Revoked);
    let error = io::Error::new(io::ErrorKind::InvalidData, revoked);
    let fault = Fault::of(&Failure::new(FailureKind::Certificate, error));
    assert_eq!((fault.class, &*fault.detail), (FaultClass::Certificate, "revoked"));
}
