//! Which addresses may be dialled.

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
/// IPv4 address, and the unspecified address as loopback, which is where it leads.
///
/// ```
/// use hyper_happy_eyeballs::{AddressPolicy, Verdict};
///
/// let policy = AddressPolicy::new(|_origin, addr| match addr.ip().is_loopback() {
///     true => Verdict::deny("loopback is not for this client"),
///     false => Verdict::Allow,
/// });
/// ```
#[derive(Clone)]
pub struct AddressPolicy(Arc<Judge>);

type Judge = dyn Fn(&Origin, SocketAddr) -> Verdict + Send + Sync;

impl AddressPolicy {
    /// A policy made of a function. It has to be pure and quick: it runs inside the race.
    pub fn new(judge: impl Fn(&Origin, SocketAddr) -> Verdict + Send + Sync + 'static) -> Self {
        Self(Arc::new(judge))
    }

    /// The verdict on `addr` for a connect to `origin`.
    pub(crate) fn judge(&self, origin: &Origin, addr: SocketAddr) -> Verdict {
        match not_a_destination(origin, addr.ip()) {
            Some(reason) => Verdict::deny(reason),
            None => (self.0)(origin, reached(addr)),
        }
    }
}

/// Allows every address.
impl Default for AddressPolicy {
    fn default() -> Self {
        Self::new(|_, _| Verdict::Allow)
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
}
