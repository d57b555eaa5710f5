//! The order in which endpoints are tried.

use std::net::SocketAddr;

use super::event::{Family, Probed};

/// Sorts `endpoints` stably and interleaves the families.
///
/// What is known to have no route goes last (RFC 6724 section 6 rule 1). It stays in the list, as routes come back.
pub(super) fn order(endpoints: Vec<SocketAddr>, probed: &[Probed], preferred_family_count: usize) -> Vec<SocketAddr> {
    let (dead, alive): (Vec<_>, Vec<_>) = endpoints
        .into_iter()
        .partition(|addr| probed.iter().any(|probed| probed.addr == *addr && probed.source.is_none()));
    let mut ordered = interleave(&alive, preferred_family_count);
    ordered.extend(interleave(&dead, preferred_family_count));
    ordered
}

/// Lets the families take turns, as RFC 8305 section 4 has it: the family of the first endpoint leads with
/// `first_count` of its endpoints, then one of the other follows, then one of the first, and so on.
///
/// With a count of 1, `[6a, 6b, 6c, 4a, 4b]` becomes `[6a, 4a, 6b, 4b, 6c]`; with 2 it is `[6a, 6b, 4a, 6c, 4b]`.
/// A count of `usize::MAX` means no interleaving at all.
fn interleave(endpoints: &[SocketAddr], first_count: usize) -> Vec<SocketAddr> {
    let Some(lead) = endpoints.first().map(|addr| Family::of(*addr)) else { return Vec::new() };
    if first_count == usize::MAX {
        return endpoints.to_vec();
    }
    let mut first = endpoints.iter().filter(|addr| Family::of(**addr) == lead);
    let mut second = endpoints.iter().filter(|addr| Family::of(**addr) != lead);
    let mut ordered: Vec<SocketAddr> = first.by_ref().take(first_count).copied().collect();
    loop {
        let before = ordered.len();
        ordered.extend(second.next());
        ordered.extend(first.next());
        if ordered.len() == before {
            return ordered;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(name: &str) -> SocketAddr {
        let (family, letter) = name.split_at(1);
        let low = u16::from(letter.as_bytes()[0] - b'a' + 1);
        match family {
            "6" => SocketAddr::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, low].into(), 443),
            _ => SocketAddr::new([192, 0, 2, low as u8].into(), 443),
        }
    }

    fn ordered(names: &str, routeless: &str, count: usize) -> Vec<SocketAddr> {
        let probed: Vec<_> =
            routeless.split_whitespace().map(|name| Probed { addr: addr(name), source: None }).collect();
        order(names.split_whitespace().map(addr).collect(), &probed, count)
    }

    fn list(names: &str) -> Vec<SocketAddr> {
        names.split_whitespace().map(addr).collect()
    }

    /// Proves: ILV-1, ILV-3
    #[test]
    fn families_take_turns_and_the_first_endpoint_leads() {
        assert_eq!(ordered("6a 6b 6c 4a 4b", "", 1), list("6a 4a 6b 4b 6c"));
        assert_eq!(ordered("4a 4b 6a 6b 6c", "", 1), list("4a 6a 4b 6b 6c"));
        assert_eq!(ordered("4a 6a 4b", "", 1), list("4a 6a 4b"));
        assert_eq!(ordered("6a 6b", "", 1), list("6a 6b"));
        assert_eq!(ordered("", "", 1), list(""));
    }

    /// Proves: ILV-2
    #[test]
    fn the_preferred_family_count_lets_the_first_family_lead_longer() {
        assert_eq!(ordered("6a 6b 6c 4a 4b", "", 2), list("6a 6b 4a 6c 4b"));
        assert_eq!(ordered("6a 4a 4b", "", 2), list("6a 4a 4b"));
        assert_eq!(ordered("4a 6a 4b 6b", "", usize::MAX), list("4a 6a 4b 6b"));
    }

    #[test]
    fn endpoints_without_a_route_go_last_and_stay() {
        assert_eq!(ordered("6a 6b 4a 4b", "6a 6b", 1), list("4a 4b 6a 6b"));
        assert_eq!(ordered("6a 6b 4a 4b", "6a", 1), list("6b 4a 4b 6a"));
        assert_eq!(ordered("6a 4a", "6a 4a", 1), list("6a 4a"));
    }
}
