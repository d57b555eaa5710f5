//! The families take turns.

use crate::race::Family;
use crate::race::groups::Endpoint;

/// Appends `endpoints` to `ordered` so that the families take turns, as RFC 8305 section 4 has it: the family of the
/// first endpoint leads with `first_count` of its endpoints, then one of the other follows, then one of the first, and
/// so on.
///
/// With a count of 1, `[6a, 6b, 6c, 4a, 4b]` becomes `[6a, 4a, 6b, 4b, 6c]`; with 2 it is `[6a, 6b, 4a, 6c, 4b]`.
/// A count of `usize::MAX` means no interleaving at all.
pub(super) fn interleave(
    endpoints: impl Iterator<Item = Endpoint> + Clone,
    first_count: usize,
    ordered: &mut Vec<Endpoint>,
) {
    let Some(lead) = endpoints.clone().next().map(|endpoint| Family::of(endpoint.addr)) else { return };
    if first_count == usize::MAX {
        return ordered.extend(endpoints);
    }
    let mut first = endpoints.clone().filter(|endpoint| Family::of(endpoint.addr) == lead);
    let mut second = endpoints.filter(|endpoint| Family::of(endpoint.addr) != lead);
    ordered.extend(first.by_ref().take(first_count));
    loop {
        let before = ordered.len();
        ordered.extend(second.next());
        ordered.extend(first.next());
        if ordered.len() == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn addr(name: &str) -> SocketAddr {
        let (family, letter) = name.split_at(1);
        let low = u16::from(letter.as_bytes()[0] - b'a' + 1);
        match family {
            "6" => SocketAddr::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, low].into(), 443),
            _ => SocketAddr::new([192, 0, 2, low as u8].into(), 443),
        }
    }

    fn list(names: &str) -> Vec<SocketAddr> {
        names.split_whitespace().map(addr).collect()
    }

    fn interleaved(names: &str, count: usize) -> Vec<SocketAddr> {
        let mut ordered = Vec::new();
        interleave(list(names).into_iter().map(|addr| Endpoint { addr, group: 0 }), count, &mut ordered);
        ordered.into_iter().map(|endpoint| endpoint.addr).collect()
    }

    /// Proves: ILV-1, ILV-3
    #[test]
    fn families_take_turns_and_the_first_endpoint_leads() {
        assert_eq!(interleaved("6a 6b 6c 4a 4b", 1), list("6a 4a 6b 4b 6c"));
        assert_eq!(interleaved("4a 4b 6a 6b 6c", 1), list("4a 6a 4b 6b 6c"));
        assert_eq!(interleaved("4a 6a 4b", 1), list("4a 6a 4b"));
        assert_eq!(interleaved("6a 6b", 1), list("6a 6b"));
        assert_eq!(interleaved("", 1), list(""));
    }

    /// Proves: ILV-2
    #[test]
    fn the_preferred_family_count_lets_the_first_family_lead_longer() {
        assert_eq!(interleaved("6a 6b 6c 4a 4b", 2), list("6a 6b 4a 6c 4b"));
        assert_eq!(interleaved("6a 4a 4b", 2), list("6a 4a 4b"));
        assert_eq!(interleaved("4a 6a 4b 6b", usize::MAX), list("4a 6a 4b 6b"));
    }
}
