//! Which addresses may be dialled.

mod special;

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::origin::{Host, Origin};

/// Decides for each address whether it may be dialled.
///
/// It is asked as each endpoint is formed, before order and caps, and once more on the address that the socket gets.
/// A denied endpoint counts as no answer and stands in the [report](crate::Report) as denied. The policy sees every
/// address: literals, DNS answers, and what the system's resolver made of a name. An IPv4-mapped address comes as the
/// IPv4 address, and the unspecified address as loopback, which is where it leads. An address within a NAT64 prefix that
/// is [set](crate::Config::nat64) or was found comes once more, as the IPv4 address in it; both have to be allowed.
///
/// The default allows every address.
///
/// ```
/// use hyper_happy_eyeballs::{AddressPolicy, Verdict};
///
/// let policy = AddressPolicy::new(|_origin, addr| match addr.ip().is_loopback() {
///     true => Verdict::deny("loopback is not for this client"),
///     false => Verdict::Allow,
/// });
/// ```
#[derive(Clone, Default)]
pub struct AddressPolicy(Option<Arc<Judge>>);

type Judge = dyn Fn(&Origin, SocketAddr) -> Verdict + Send + Sync;

impl AddressPolicy {
    /// A policy made of a function. It has to be pure and quick: it runs inside the race.
    pub fn new(judge: impl Fn(&Origin, SocketAddr) -> Verdict + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(judge)))
    }

    /// Allows only addresses that are globally reachable, so that a URI of a stranger's does not lead into the network
    /// of this host (server-side request forgery).
    ///
    /// That is decided by the IANA IPv4 and IPv6 Special-Purpose Address Registries ([RFC 6890], [RFC 8190]) as they
    /// stood in October 2025. Denied are loopback, private, shared, link-local, unique local and documentation
    /// addresses, multicast, and everything else that the registries do not call globally reachable; of IPv6 all that
    /// is not global unicast (`2000::/3`) too, and Teredo. An IPv4 address within an IPv6 address is judged as well:
    /// IPv4-mapped, NAT64 under `64:ff9b::/96`, 6to4 and ISATAP. A reason says what the address is:
    /// `127.0.0.1 is loopback (RFC 1122)`.
    ///
    /// As every policy it judges each address at dial time, wherever it is from: literals, answers of DNS, hints of
    /// HTTPS records and the addresses of their targets, and addresses set by [`Builder::resolve`](crate::Builder). A
    /// name that changes its answer between a check and the connect gains nothing by it.
    ///
    /// It cannot know about public addresses that a network uses for its own, such as those of this host or a NAT64
    /// prefix of its own; a prefix that is [set](crate::Config::nat64) is known from the first connect on. Name servers are the resolver's matter, and a proxy dials as it likes.
    ///
    /// ```
    /// use hyper_happy_eyeballs::{AddressPolicy, Config};
    ///
    /// let mut config = Config::default();
    /// config.address_policy(AddressPolicy::public_only());
    /// ```
    ///
    /// [RFC 6890]: https://www.rfc-editor.org/rfc/rfc6890
    /// [RFC 8190]: https://www.rfc-editor.org/rfc/rfc8190
    pub fn public_only() -> Self {
        Self::new(|_, addr| match special::not_public(addr.ip()) {
            None => Verdict::Allow,
            Some(not_public) => Verdict::deny(not_public.to_string()),
        })
    }

    /// The verdict on `addr` for a connect to `origin`.
    pub(crate) fn judge(&self, origin: &Origin, addr: SocketAddr) -> Verdict {
        match (not_a_destination(origin, addr.ip()), &self.0) {
            (Some(reason), _) => Verdict::deny(reason),
            (None, Some(judge)) => judge(origin, reached(addr)),
            (None, None) => Verdict::Allow,
        }
    }

    /// Whether nobody wants a say, so that a name may be left to others to resolve and dial.
    #[cfg(feature = "reachability")]
    pub(crate) fn is_default(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Debug for AddressPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressPolicy").finish_non_exhaustive()
    }
}

/// What an [`AddressPolicy`] says of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // there is no third verdict
pub enum Verdict {
    /// It may be dialled.
    Allow,
    /// It may not, for the reason given; the reason stands in reports and errors.
    Deny(Cow<'static, str>),
}

impl Verdict {
    /// [`Verdict::Deny`] for `reason`.
    pub fn deny(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Deny(reason.into())
    }
}

/// The address that `addr` leads to: the kernel connects the unspecified address to the host itself, so a policy on
/// loopback has to see it as that.
fn reached(mut addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => addr.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => addr.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    addr
}

/// Addresses that no name can mean as the destination of a TCP connection. The unspecified address is let through as
/// a literal, since Linux takes it for the host itself and development servers print it.
fn not_a_destination(origin: &Origin, ip: IpAddr) -> Option<&'static str> {
    let literal = matches!(origin.host(), Host::Address { .. });
    match ip {
        ip if ip.is_unspecified() && !literal => Some("unspecified address"),
        ip if ip.is_multicast() => Some("multicast address"),
        IpAddr::V4(ip) if ip.is_broadcast() => Some("broadcast address"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_on_loopback_sees_every_way_to_write_it() {
        let policy = AddressPolicy::new(|_, addr| match addr.ip().is_loopback() {
            true => Verdict::deny("loopback"),
            false => Verdict::Allow,
        });
        for host in ["127.0.0.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:0.0.0.0]"] {
            let origin = Origin::from_uri(&format!("http://{host}/").parse().unwrap()).unwrap();
            let addr = origin.host().socket_addr(80).unwrap();
            assert_eq!(policy.judge(&origin, addr), Verdict::deny("loopback"), "{host}");
            assert_eq!(AddressPolicy::default().judge(&origin, addr), Verdict::Allow, "{host}");
        }
    }

    /// As the kernel connects it to the host itself.
    #[test]
    fn the_unspecified_address_is_not_public() {
        let origin = Origin::from_uri(&"http://[::]/".parse().unwrap()).unwrap();
        for (ip, reason) in [("::", "::1 is loopback (RFC 4291)"), ("0.0.0.0", "127.0.0.1 is loopback (RFC 1122)")] {
            let verdict = AddressPolicy::public_only().judge(&origin, SocketAddr::new(ip.parse().unwrap(), 80));
            assert_eq!(verdict, Verdict::deny(reason));
        }
    }

    /// A zone is no way around it.
    #[test]
    fn only_public_addresses_pass_public_only() {
        let policy = AddressPolicy::public_only();
        let origin = Origin::from_uri(&"http://h.test/".parse().unwrap()).unwrap();
        for (addr, expected) in [
            ("8.8.8.8:443", Verdict::Allow),
            ("[2606:4700::1111]:80", Verdict::Allow),
            ("192.168.1.1:80", Verdict::deny("192.168.1.1 is for private use (RFC 1918)")),
            ("[fe80::1%1]:80", Verdict::deny("fe80::1 is link-local (RFC 4291)")),
            ("[::ffff:10.0.0.1]:80", Verdict::deny("10.0.0.1 is for private use (RFC 1918)")),
        ] {
            assert_eq!(policy.judge(&origin, addr.parse().unwrap()), expected, "{addr}");
        }
    }
}
