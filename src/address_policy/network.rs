//! Networks by their prefix, for lists of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::policy_table::{bits, mask};

/// A network: the addresses of one family that have a prefix in common. For
/// [`AddressPolicy::allow`](crate::AddressPolicy::allow) and [`AddressPolicy::deny`](crate::AddressPolicy::deny).
///
/// It is parsed from `ADDRESS/LENGTH`, or from an address, which is a network by itself. Bits behind the prefix do not
/// count. `::/0` is IPv6 alone, and what is in `::ffff:0:0/96` is IPv4.
///
/// ```
/// use hyper_happy_eyeballs::Network;
///
/// let network: Network = "10.1.0.0/16".parse()?;
/// assert!(network.contains([10, 1, 2, 3].into()));
/// assert_eq!("::ffff:10.1.2.3/112".parse(), Ok(network));
/// # Ok::<(), hyper_happy_eyeballs::ParseNetworkError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// IPv4 in `::ffff:0:0/96`.
    prefix: u128,
    len: u8,
}

/// Where IPv4 stands.
const MAPPED: Network = Network { prefix: 0xffff << 32, len: 96 };

impl Network {
    /// The network of the first `len` bits of `ip`; `None` if its family has fewer.
    pub fn new(ip: IpAddr, len: u8) -> Option<Self> {
        let len = if ip.is_ipv4() { len.checked_add(96)? } else { len };
        (len <= 128).then(|| Self { prefix: bits(ip) & mask(len), len })
    }

    /// Whether `ip` is in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let has = |network: &Self| bits(ip) & mask(network.len) == network.prefix;
        // A prefix that is shorter than that of all IPv4 is one of IPv6.
        has(self) && (self.is_ipv4() || !has(&MAPPED))
    }

    fn is_ipv4(&self) -> bool {
        self.len >= MAPPED.len && self.prefix & mask(MAPPED.len) == MAPPED.prefix
    }
}

/// The network of this address alone.
impl From<IpAddr> for Network {
    fn from(ip: IpAddr) -> Self {
        Self { prefix: bits(ip), len: 128 }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_ipv4() {
            true => write!(f, "{}/{}", Ipv4Addr::from_bits(self.prefix as u32), self.len - MAPPED.len),
            false => write!(f, "{}/{}", Ipv6Addr::from_bits(self.prefix), self.len),
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Network {
    type Err = ParseNetworkError;

    fn from_str(text: &str) -> Result<Self, ParseNetworkError> {
        let parse = |ip: &str| ip.parse::<IpAddr>().map_err(|_| ParseNetworkError);
        let Some((ip, len)) = text.split_once('/') else { return parse(text).map(Self::from) };
        // A number may begin with a plus, a length does not.
        let len =
            if len.starts_with('+') { Err(ParseNetworkError) } else { len.parse().map_err(|_| ParseNetworkError) };
        Self::new(parse(ip)?, len?).ok_or(ParseNetworkError)
    }
}

/// Why a text is no [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseNetworkError;

impl fmt::Display for ParseNetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an IP address with a prefix length, such as 10.0.0.0/8 or fd00::/8")
    }
}

impl std::error::Error for ParseNetworkError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap_or_else(|_| panic!("{text} is no network"))
    }

    #[test]
    fn a_network_has_the_addresses_of_its_prefix_and_family() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.0.0.0 10.255.255.255 ::ffff:10.1.2.3", "9.255.255.255 11.0.0.0 ::a00:1 64:ff9b::a00:1"),
            ("10.1.2.3/16", "10.1.0.0 10.1.255.255", "10.0.255.255 10.2.0.0"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.2 10.1.2.4"),
            ("0.0.0.0/0", "0.0.0.0 255.255.255.255 ::ffff:1.2.3.4", ":: ::1 ::fffe:ffff:ffff 2001:db8::1"),
            ("::/0", ":: ::1 2001:db8::1 ::fffe:ffff:ffff", "10.0.0.1 ::ffff:10.0.0.1"),
            ("::/80", "::1 ::fffe:1:1", "10.0.0.1 ::1:0:0:0"),
            ("::ffff:0:0/96", "0.0.0.0 127.0.0.1", "::1"),
            ("fd00::/8", "fd00:: fdff::1", "fc00::1 fe00::"),
            ("2001:db8::1/127", "2001:db8:: 2001:db8::1", "2001:db8::2"),
            ("::1", "::1", "::2 127.0.0.1"),
        ] {
            for (ips, expected) in [(inside, true), (outside, false)] {
                for ip in ips.split(' ') {
                    assert_eq!(network(text).contains(ip.parse().unwrap()), expected, "{ip} in {text}");
                }
            }
        }
    }

    #[test]
    fn it_reads_as_it_is_written() {
        for (text, shown) in [
            ("10.1.2.3/16", "10.1.0.0/16"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::/0", "::/0"),
            ("FD00::1/8", "fd00::/8"),
            ("::1", "::1/128"),
        ] {
            assert_eq!(network(text).to_string(), shown);
            assert_eq!(network(shown), network(text));
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/",
            "/8",
            "10/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/160",
            "10.0.0.0/255",
            "::/129",
            "::/-1",
            "::/+1",
            "10.0.0.0/8/8",
            "10.0.0.0/255.0.0.0",
            " 10.0.0.0/8",
            "010.0.0.0/8",
            "fe80::1%1/64",
            "example.test",
        ] {
            assert_eq!(text.parse::<Network>(), Err(ParseNetworkError), "{text}");
        }
    }
}
