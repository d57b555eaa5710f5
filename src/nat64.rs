//! NAT64: IPv4 addresses within IPv6 addresses (RFC 6052), and how the prefix of a network is found (RFC 7050).

use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use crate::policy_table::mask;

/// The name whose IPv6 addresses tell the prefix: it has none of its own. Asked for as it is, without a search list.
pub(crate) const WELL_KNOWN_NAME: &str = "ipv4only.arpa.";
/// Its IPv4 addresses (RFC 7050 section 8.2).
const WELL_KNOWN_ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];
/// RFC 6052 section 2.2.
const LENGTHS: [u8; 6] = [96, 64, 56, 48, 40, 32];
/// Bits 64 to 71 of every such address are zero.
const RESERVED_OCTET: usize = 8;

/// How a host without IPv4 reaches IPv4 addresses (v3 draft section 8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Nat64 {
    /// Not at all, unless its name servers translate (DNS64).
    Off,
    /// Through the prefix of its network, as `ipv4only.arpa` tells it (RFC 7050). It is asked for on a host that has no
    /// IPv4 address, or when an IPv4 address has no route, and kept as any answer is.
    #[default]
    Discover,
    /// Through the first of these prefixes by which the address is reached.
    Prefixes(Arc<[Nat64Prefix]>),
}

impl Nat64 {
    /// The prefixes that are known without asking.
    pub(crate) fn prefixes(&self) -> &[Nat64Prefix] {
        match self {
            Self::Prefixes(prefixes) => prefixes,
            Self::Off | Self::Discover => &[],
        }
    }
}

/// A prefix whose addresses a NAT64 translates.
///
/// ```
/// use hyper_happy_eyeballs::Nat64Prefix;
///
/// let prefix: Nat64Prefix = "64:ff9b::/96".parse()?;
/// assert_eq!(prefix.to_string(), "64:ff9b::/96");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nat64Prefix {
    bits: u128,
    len: u8,
}

impl Nat64Prefix {
    /// `64:ff9b::/96` (RFC 6052 section 2.1).
    pub const WELL_KNOWN: Self = Self { bits: 0x0064_ff9b << 96, len: 96 };

    /// The prefix of `len` bits of `ip`; `None` if no NAT64 has such a length: it is 32, 40, 48, 56, 64 or 96
    /// (RFC 6052 section 2.2).
    pub fn new(ip: Ipv6Addr, len: u8) -> Option<Self> {
        let is_reserved_zero = ip.octets()[RESERVED_OCTET] == 0;
        let fits = LENGTHS.contains(&len) && (len <= 64 || is_reserved_zero);
        fits.then(|| Self { bits: ip.to_bits() & mask(len), len })
    }

    /// The address that leads to `ip` by this prefix; `None` if none may: one [of this host](is_of_this_host), or one of a
    /// private network by the well-known prefix (RFC 6052 section 3.1).
    pub(crate) fn synthesize(self, ip: Ipv4Addr) -> Option<Ipv6Addr> {
        let is_private = ip.is_private() || ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
        if is_of_this_host(ip) || is_private && self == Self::WELL_KNOWN {
            return None;
        }
        Some(self.with(ip))
    }

    /// The IPv4 address that `ip` leads to, if it is of this prefix and as it should be.
    pub(crate) fn extract(self, ip: Ipv6Addr) -> Option<Ipv4Addr> {
        // What stands behind must be zero, or it is an address of another kind.
        self.within(ip).filter(|within| self.synthesize(*within) == Some(ip))
    }

    /// The IPv4 address that a translator reads in `ip`, if it is of this prefix: any, and whatever stands behind it
    /// (RFC 6052 section 2.3).
    pub(crate) fn within(self, ip: Ipv6Addr) -> Option<Ipv4Addr> {
        let octets = ip.octets();
        let mut within = [0; 4];
        for (octet, at) in within.iter_mut().zip(self.places()) {
            *octet = octets[at];
        }
        (ip.to_bits() & mask(self.len) == self.bits).then_some(within.into())
    }

    /// This prefix, `ip` and zeros.
    pub(crate) fn with(self, ip: Ipv4Addr) -> Ipv6Addr {
        let mut octets = self.bits.to_be_bytes();
        for (at, octet) in self.places().zip(ip.octets()) {
            octets[at] = octet;
        }
        octets.into()
    }

    /// The octets that an IPv4 address takes.
    fn places(self) -> impl Iterator<Item = usize> {
        (usize::from(self.len / 8)..).filter(|at| *at != RESERVED_OCTET)
    }

    /// The prefixes that the addresses of `ipv4only.arpa` tell, each once, in their order (RFC 7050 section 3).
    pub(crate) fn discover(answers: impl IntoIterator<Item = Ipv6Addr>) -> Vec<Self> {
        let mut seen = BTreeSet::new();
        let found = answers.into_iter().filter_map(|ip| {
            LENGTHS
                .iter()
                .filter_map(|len| Self::new(ip, *len))
                .find(|prefix| WELL_KNOWN_ADDRESSES.iter().any(|known| prefix.synthesize(*known) == Some(ip)))
        });
        found.filter(|prefix| seen.insert(*prefix)).collect()
    }
}

/// Whether `ip` only means something on this host or link, so that it is never translated (v3 draft section 8.3).
pub(crate) fn is_of_this_host(ip: Ipv4Addr) -> bool {
    ip.octets()[0] == 0 || ip.is_loopback() || ip.is_link_local() || ip.is_broadcast()
}

impl fmt::Display for Nat64Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv6Addr::from_bits(self.bits), self.len)
    }
}

impl fmt::Debug for Nat64Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Nat64Prefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, ParsePrefixError> {
        let (ip, len) = text.split_once('/').ok_or(ParsePrefixError)?;
        let (ip, len) = (ip.parse().map_err(|_| ParsePrefixError)?, len.parse().map_err(|_| ParsePrefixError)?);
        Self::new(ip, len).ok_or(ParsePrefixError)
    }
}

/// Why a text is no [`Nat64Prefix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParsePrefixError;

impl fmt::Display for ParsePrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits")
    }
}

impl std::error::Error for ParsePrefixError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prefix, and where it puts 192.0.2.33 and 192.0.0.170.
    const VECTORS: [(&str, &str, &str); 7] = [
        ("2001:db8::/32", "2001:db8:c000:221::", "2001:db8:c000:aa::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::", "2001:db8:1c0:0:aa::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::", "2001:db8:122:c000:0:aa00::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::", "2001:db8:122:3c0:0:aa::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:0", "2001:db8:122:344:c0:0:aa00:0"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::c000:221", "2001:db8:122:344::c000:aa"),
        ("64:ff9b::/96", "64:ff9b::c000:221", "64:ff9b::c000:aa"),
    ];

    fn prefix(text: &str) -> Nat64Prefix {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    /// Proves: N64-4
    #[test]
    fn addresses_are_laid_out_for_each_length() {
        let [v4, known] = [Ipv4Addr::new(192, 0, 2, 33), WELL_KNOWN_ADDRESSES[0]];
        for (text, with_v4, with_known) in VECTORS {
            let prefix = prefix(text);
            assert_eq!(prefix.synthesize(v4), Some(ip(with_v4)), "{text}");
            assert_eq!(prefix.synthesize(known), Some(ip(with_known)), "{text}");
            assert_eq!(prefix.extract(ip(with_v4)), Some(v4), "{text}");
            assert_eq!(prefix.to_string(), text);
        }
    }

    #[test]
    fn what_is_not_laid_out_so_has_no_ipv4_address() {
        for (text, other) in [
            ("64:ff9b::/96", "64:ff9c::c000:221"),
            ("2001:db8:122:344::/64", "2001:db8:122:344:1c0:2:2100:0"),
            ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:1"),
            ("2001:db8::/32", "2001:db8:c000:221::1"),
            ("64:ff9b::/96", "64:ff9b::7f00:1"),
        ] {
            assert_eq!(prefix(text).extract(ip(other)), None, "{other} of {text}");
        }
    }

    /// Proves: N64-5, N64-8
    #[test]
    fn some_addresses_are_never_translated() {
        let (known, own) = (prefix("64:ff9b::/96"), prefix("2001:db8:64::/96"));
        for v4 in ["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.9.9.9", "169.254.1.1", "255.255.255.255"] {
            assert_eq!(
                (known.synthesize(v4.parse().unwrap()), own.synthesize(v4.parse().unwrap())),
                (None, None),
                "{v4}"
            );
        }
        for v4 in ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.127.255.255"] {
            assert_eq!(known.synthesize(v4.parse().unwrap()), None, "{v4}");
            assert!(own.synthesize(v4.parse().unwrap()).is_some(), "{v4}");
        }
        for v4 in ["100.63.0.1", "100.128.0.1", "8.8.8.8"] {
            assert!(known.synthesize(v4.parse().unwrap()).is_some(), "{v4}");
        }
    }

    /// Proves: N64-3
    #[test]
    fn the_prefix_is_found_at_each_position() {
        for (text, _, known) in VECTORS {
            let other = prefix(text).synthesize(WELL_KNOWN_ADDRESSES[1]).unwrap();
            assert_eq!(Nat64Prefix::discover([ip(known), other]), [prefix(text)], "each once");
        }
        let two = [ip(VECTORS[6].2), ip(VECTORS[2].2)];
        assert_eq!(Nat64Prefix::discover(two), [prefix(VECTORS[6].0), prefix(VECTORS[2].0)]);
        assert_eq!(Nat64Prefix::discover([ip("2001:db8::1"), ip("64:ff9b::c000:221")]), []);
    }

    /// As RFC 6052 section 2.3 has it: a translator looks at four octets and no others.
    #[test]
    fn a_translator_reads_whatever_stands_there() {
        for (text, ip, within) in [
            ("64:ff9b::/96", "64:ff9b::7f00:1", Some([127, 0, 0, 1])),
            ("2001:db8::/32", "2001:db8:a9fe:a9fe:ff01:203:405:607", Some([169, 254, 169, 254])),
            ("2001:db8:100::/40", "2001:db8:17f:0:ff01::1", Some([127, 0, 0, 1])),
            ("2001:db8:122::/48", "2001:db8:122:7f00:ff00:100::9", Some([127, 0, 0, 1])),
            ("2001:db8:122:344::/64", "2001:db8:122:344:ff7f:0:100:9", Some([127, 0, 0, 1])),
            ("2001:db8:122:344::/64", "2001:db8:122:345:7f:0:100:0", None),
        ] {
            assert_eq!(prefix(text).within(ip.parse().unwrap()), within.map(Ipv4Addr::from), "{ip} of {text}");
        }
    }

    #[test]
    fn only_some_lengths_are_prefixes() {
        for bad in
            ["64:ff9b::", "64:ff9b::/97", "64:ff9b::/0", "64:ff9b::/129", "1.2.3.4/32", "/96", "2001:db8:0:0:ff00::/96"]
        {
            assert_eq!(bad.parse::<Nat64Prefix>(), Err(ParsePrefixError), "{bad}");
        }
        assert_eq!(ParsePrefixError.to_string(), "not an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits");
        assert_eq!(format!("{:?}", Nat64Prefix::WELL_KNOWN), "64:ff9b::/96");
        assert_eq!(prefix("2001:db8:1:2:3:4:5:6/32"), prefix("2001:db8::/32"));
    }
}
