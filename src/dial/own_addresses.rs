//! What the system knows of its own IPv6 addresses, for RFC 6724.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use super::interfaces::interfaces;
use crate::race::Source;

/// The list of the calling thread's network namespace.
#[cfg(any(target_os = "android", target_os = "linux"))]
const IF_INET6: &str = "/proc/thread-self/net/if_inet6";

/// `IFA_F_DEPRECATED` of linux/if_addr.h.
const DEPRECATED: u8 = 0x20;

/// The host's IPv6 addresses, listed when the first one is asked for.
#[derive(Default)]
pub(super) struct OwnAddresses(Option<Vec<Own>>);

#[derive(Debug, PartialEq, Eq)]
struct Own {
    ip: Ipv6Addr,
    /// The index of its interface; 0 if unknown.
    interface: u32,
    prefix_len: Option<u8>,
    deprecated: bool,
}

impl OwnAddresses {
    /// What RFC 6724 wants to know of a source address. For IPv4 that is nothing, as it has neither deprecated
    /// addresses nor rule 9.
    pub(super) fn describe(&mut self, source: SocketAddr) -> Source {
        let own = match source {
            SocketAddr::V4(_) => None,
            SocketAddr::V6(source) => self.0.get_or_insert_with(list).iter().find(|own| own.is(source)),
        };
        Source {
            ip: source.ip(),
            deprecated: own.is_some_and(|own| own.deprecated),
            prefix_len: own.and_then(|own| own.prefix_len),
        }
    }
}

impl Own {
    /// Two interfaces may have one link-local address; the scope tells them apart.
    fn is(&self, source: SocketAddrV6) -> bool {
        let here = self.interface == 0 || source.scope_id() == 0 || self.interface == source.scope_id();
        self.ip == *source.ip() && here
    }
}

/// On Linux one file has it all. Elsewhere, and where the file is out of reach, there are the netmasks.
fn list() -> Vec<Own> {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    if let Ok(text) = std::fs::read_to_string(IF_INET6) {
        return text.lines().filter_map(if_inet6_line).collect();
    }
    by_netmask()
}

/// What the common interface of the systems tells. It knows no deprecation.
fn by_netmask() -> Vec<Own> {
    let interfaces = interfaces().into_iter().flatten();
    let own = interfaces.filter_map(|interface| match (interface.address, interface.netmask) {
        (SocketAddr::V6(address), Some(IpAddr::V6(mask))) => Some(Own {
            ip: *address.ip(),
            interface: address.scope_id(),
            prefix_len: on_link(mask.to_bits().leading_ones()),
            deprecated: false,
        }),
        _ => None,
    });
    own.collect()
}

/// `20010db8000000000000000000000001 02 40 00 80 eth0`: address, interface, prefix length, scope and flags, in hex.
#[cfg_attr(not(any(target_os = "android", target_os = "linux", test)), allow(dead_code))]
fn if_inet6_line(line: &str) -> Option<Own> {
    let mut words = line.split_ascii_whitespace();
    let address = words.next().filter(|word| word.len() == 32)?;
    let mut number = || u32::from_str_radix(words.next()?, 16).ok();
    let (interface, prefix_len, _scope, flags) = (number()?, number()?, number()?, number()?);
    Some(Own {
        ip: Ipv6Addr::from_bits(u128::from_str_radix(address, 16).ok()?),
        interface,
        prefix_len: on_link(prefix_len),
        deprecated: flags & u32::from(DEPRECATED) != 0,
    })
}

/// DHCPv6 gives out addresses with a length of 128, which says that nothing is known of the link's prefix.
fn on_link(prefix_len: u32) -> Option<u8> {
    u8::try_from(prefix_len).ok().filter(|len| *len < 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "\
        fe800000000000000000000000000001 02 40 20 80     eth0\n\
        fe800000000000000000000000000001 03 30 20 a0     eth1\n\
        20010db8000000000000000000000005 02 40 00 a0     eth0\n\
        20010db8000000000000000000000006 02 80 00 00     eth0\n\
        00000000000000000000000000000001 01 80 10 80       lo\n";

    fn described(source: &str) -> Source {
        let mut own = OwnAddresses(Some(LINES.lines().filter_map(if_inet6_line).collect()));
        own.describe(source.parse().unwrap())
    }

    fn source(ip: &str, deprecated: bool, prefix_len: Option<u8>) -> Source {
        Source { ip: ip.parse().unwrap(), deprecated, prefix_len }
    }

    #[test]
    fn linux_tells_prefix_length_and_deprecation() {
        assert_eq!(described("[2001:db8::5]:9"), source("2001:db8::5", true, Some(64)));
        assert_eq!(described("[2001:db8::6]:9"), source("2001:db8::6", false, None));
        assert_eq!(described("[fe80::1%2]:9"), source("fe80::1", false, Some(64)));
        assert_eq!(described("[fe80::1%3]:9"), source("fe80::1", true, Some(48)));
    }

    /// The file and the common interface agree on this host.
    #[cfg(target_os = "linux")]
    #[test]
    fn netmasks_tell_the_same_prefix_lengths() {
        let sorted = |list: Vec<Own>| {
            let mut list: Vec<_> = list.into_iter().map(|own| (own.ip, own.prefix_len)).collect();
            list.sort_unstable();
            list
        };
        assert_eq!(sorted(by_netmask()), sorted(list()));
    }

    #[test]
    fn what_is_not_listed_is_not_deprecated() {
        assert_eq!(described("[2001:db8::7]:9"), source("2001:db8::7", false, None));
        assert_eq!(described("192.0.2.1:9"), source("192.0.2.1", false, None));
    }

    #[test]
    fn ipv4_sources_list_nothing() {
        let mut own = OwnAddresses::default();
        own.describe("192.0.2.1:9".parse().unwrap());
        assert!(own.0.is_none());
        own.describe("[::1]:9".parse().unwrap());
        assert!(own.0.is_some());
    }

    #[test]
    fn other_lines_are_skipped() {
        for line in ["", "1", "x 1 2 3 4", "20010db8 02 40 00 80 eth0", "fe800000000000000000000000000001 02 40 20"] {
            assert_eq!(if_inet6_line(line), None, "{line:?}");
        }
        let line = "fe800000000000000000000000000001 02 fff 20 80 eth0";
        assert_eq!(if_inet6_line(line).unwrap().prefix_len, None);
    }
}
