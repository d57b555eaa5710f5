//! Which addresses may be dialled.

mod embedded;
mod network;
mod ports;
mod special;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use embedded::embedded;

pub use network::{Network, ParseNetworkError};
pub(crate) use ports::is_bad_port;

use crate::nat64::Nat64Prefix;
use crate::origin::{Host, Origin};

/// Decides for each address whether it may be dialled.
///
/// It is asked as each endpoint is formed, before order and caps, and once more on the address that the socket gets.
/// A denied endpoint counts as no answer and stands in the [report](crate::Report) as denied, with the reason; no socket
/// is opened for it. If nothing else is left, the error [is denied](crate::Error::is_denied).
///
/// The policy sees every address: literals, DNS answers, hints of HTTPS records and the addresses of their targets,
/// addresses set by [`Builder::resolve`](crate::Builder), the hosts file, and what the system's resolver made of a name
/// such as `0x7f.1`. Each redirect and each proxy is a connect of its own, and asked about as any other. A name that
/// changes its answer between a check and the connect gains nothing by it.
///
/// # Addresses within addresses
///
/// An IPv4-mapped address comes as the IPv4 address, and the unspecified address as loopback, which is where it leads.
/// Of an IPv6 address that leads to an IPv4 address both are asked about, and both have to be allowed, so that what is
/// denied as IPv4 cannot be reached by another way to write it: NAT64 under `64:ff9b::/96`, `64:ff9b:1::/48` and the
/// prefixes of [`Config::nat64`](crate::Config::nat64), 6to4, Teredo, ISATAP, and the older forms `::a.b.c.d` and
/// `::ffff:0:a.b.c.d`.
///
/// It cannot know what a network has of its own. A prefix that [`Nat64::Discover`] finds counts from its answer on: an
/// attempt that has started by then goes on, and on a host with IPv4 or for an IPv6 literal it may never be asked for.
/// [`Nat64::Prefixes`] is known from the beginning. Name servers are the resolver's matter, and a proxy dials as it likes.
///
/// [`Nat64::Discover`]: crate::Nat64::Discover
/// [`Nat64::Prefixes`]: crate::Nat64::Prefixes
///
/// # Examples
///
/// The default allows every address. Others are made of lists and functions:
///
/// ```
/// use hyper_happy_eyeballs::{AddressPolicy, Config, Verdict};
///
/// // The Internet and one network inside, but not its gateway.
/// let policy = AddressPolicy::public_only()
///     .or(AddressPolicy::allow(["10.1.0.0/16".parse()?]))
///     .and(AddressPolicy::deny(["10.1.0.1".parse()?]));
///
/// // And of that only the ports of the web.
/// let policy = policy.and(AddressPolicy::new(|_origin, addr| match addr.port() {
///     80 | 443 => Verdict::Allow,
///     _ => Verdict::deny("neither port 80 nor 443"),
/// }));
///
/// let mut config = Config::default();
/// config.address_policy(policy);
/// # Ok::<(), hyper_happy_eyeballs::ParseNetworkError>(())
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
    /// is not global unicast (`2000::/3`) too, and Teredo. A reason says what the address is:
    /// `127.0.0.1 is loopback (RFC 1122)`.
    ///
    /// It cannot know about public addresses that a network uses for its own, such as those of this host:
    /// [`deny`](Self::deny) them on top.
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

    /// Allows only the addresses of these networks.
    ///
    /// IPv6 addresses of a NAT64 under `64:ff9b::/96` need not be listed beside the IPv4 addresses that they lead to;
    /// those of other prefixes do. There is no bound on the networks, which are looked through one by one.
    ///
    /// ```
    /// use hyper_happy_eyeballs::AddressPolicy;
    ///
    /// let policy = AddressPolicy::allow(["10.0.0.0/8".parse()?, "fd00::/8".parse()?]);
    /// # Ok::<(), hyper_happy_eyeballs::ParseNetworkError>(())
    /// ```
    pub fn allow(networks: impl IntoIterator<Item = Network>) -> Self {
        let networks: Box<[Network]> = networks.into_iter().collect();
        Self::new(move |_, addr| match networks.iter().any(|network| network.contains(addr.ip())) {
            true => Verdict::Allow,
            // What it leads to is asked about by itself, and there is no other way that it could go.
            false if is_well_known_nat64(addr.ip()) => Verdict::Allow,
            false => Verdict::deny(format!("{} is in none of the networks that are allowed", addr.ip())),
        })
    }

    /// Denies the addresses of these networks, and allows all others.
    ///
    /// There is no bound on the networks, which are looked through one by one.
    ///
    /// ```
    /// use hyper_happy_eyeballs::AddressPolicy;
    ///
    /// // The metadata service of most clouds, and its IPv6 address in one of them.
    /// let policy = AddressPolicy::deny(["169.254.169.254".parse()?, "fd00:ec2::254".parse()?]);
    /// # Ok::<(), hyper_happy_eyeballs::ParseNetworkError>(())
    /// ```
    pub fn deny(networks: impl IntoIterator<Item = Network>) -> Self {
        let networks: Box<[Network]> = networks.into_iter().collect();
        Self::new(move |_, addr| match networks.iter().find(|network| network.contains(addr.ip())) {
            None => Verdict::Allow,
            Some(network) => Verdict::deny(format!("{} is in {network}, which is denied", addr.ip())),
        })
    }

    /// Allows what both allow. What both deny is denied for the reason of the first.
    pub fn and(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(one), Some(other)) => Self::new(move |origin, addr| match one(origin, addr) {
                Verdict::Allow => other(origin, addr),
                denied => denied,
            }),
            (one, other) => Self(one.or(other)),
        }
    }

    /// Allows what either allows. What both deny is denied for the reason of the first.
    pub fn or(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(one), Some(other)) => Self::new(move |origin, addr| match one(origin, addr) {
                Verdict::Allow => Verdict::Allow,
                denied => {
                    if other(origin, addr) == Verdict::Allow {
                        Verdict::Allow
                    } else {
                        denied
                    }
                }
            }),
            // One of them allows all.
            _ => Self::default(),
        }
    }

    /// The verdict on `addr` for a connect to `origin`, where these prefixes are known to be of a NAT64.
    pub(crate) fn judge(&self, origin: &Origin, addr: SocketAddr, nat64: &[Nat64Prefix]) -> Verdict {
        if let Some(reason) = not_a_destination(origin, addr.ip()) {
            return Verdict::deny(reason);
        }
        let Some(judge) = &self.0 else { return Verdict::Allow };
        let addr = reached(addr);
        if let IpAddr::V6(ip) = addr.ip() {
            let within = embedded(ip).chain(nat64.iter().filter_map(|prefix| prefix.within(ip)));
            for within in within {
                if let Verdict::Deny(reason) = judge(origin, reached(SocketAddr::new(within.into(), addr.port()))) {
                    return Verdict::deny(format!("leads to {within}: {reason}"));
                }
            }
        }
        judge(origin, addr)
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

/// The address that `addr` leads to: the kernel connects an IPv4-mapped address over IPv4, and the unspecified address to
/// the host itself, so a policy on loopback has to see it as that.
fn reached(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip().to_canonical() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    // A zone stays.
    if ip == addr.ip() { addr } else { SocketAddr::new(ip, addr.port()) }
}

fn is_well_known_nat64(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if Nat64Prefix::WELL_KNOWN.within(ip).is_some())
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
