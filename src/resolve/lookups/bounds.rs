//! How much of an answer is kept: a race takes a few of each, and an answer can have thousands.

use std::collections::HashSet;
use std::hash::Hash;

use crate::resolve::Answer;

/// Different addresses of one answer.
pub(super) const MAX_ADDRESSES: usize = 256;
/// Records of one answer, by priority.
pub(super) const MAX_SERVICES: usize = 32;
/// Different hints of one record in one family.
pub(super) const MAX_HINTS: usize = 16;
/// Addresses of other names that come with one answer.
pub(super) const MAX_ADDITIONAL: usize = 256;

/// Leaves out what is too much.
pub(super) fn cut(answer: &mut Answer) {
    take(&mut answer.addresses, MAX_ADDRESSES);
    // Of equal priority the first stay, so that repeated answers are equal.
    answer.services.sort_by_key(|service| service.priority);
    answer.services.truncate(MAX_SERVICES);
    answer.services.shrink_to_fit();
    for service in &mut answer.services {
        take(&mut service.ipv4_hints, MAX_HINTS);
        take(&mut service.ipv6_hints, MAX_HINTS);
    }
    take(&mut answer.additional, MAX_ADDITIONAL);
}

/// The first `most` different items.
fn take<T: Clone + Eq + Hash>(items: &mut Vec<T>, most: usize) {
    let mut seen = HashSet::new();
    items.retain(|item| seen.len() < most && seen.insert(item.clone()));
    items.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::resolve::ServiceRecord;

    fn ips(count: u32) -> impl Iterator<Item = IpAddr> {
        (0..count).flat_map(|i| [IpAddr::from(Ipv4Addr::from_bits(i)), IpAddr::from(Ipv6Addr::from_bits(i.into()))])
    }

    #[test]
    fn of_services_the_first_by_priority_are_kept() {
        let services = (0..2000u16).map(|i| ServiceRecord::new(2000 - i / 2, format!("{i}.test.")));
        let mut answer = Answer::from_services(services);
        cut(&mut answer);
        let kept: Vec<_> = answer.services.iter().map(|service| (service.priority(), service.target())).collect();
        assert_eq!(kept.len(), MAX_SERVICES);
        assert_eq!(kept[..3], [(1001, "1998.test."), (1001, "1999.test."), (1002, "1996.test.")]);
    }

    #[test]
    fn of_hints_and_additional_addresses_the_first_different_ones_are_kept() {
        let service = |count| ServiceRecord::new(1, "svc.test.").with_hints(ips(count));
        let additional = |count| ips(count).map(|ip| ("svc.test.", ip));
        for repeated in [1, 2] {
            let mut answer = Answer::from_services([service(1000), service(3)])
                .with_additional((0..repeated).flat_map(|_| additional(1000)));
            for service in &mut answer.services {
                service.ipv4_hints = service.ipv4_hints.repeat(repeated);
            }
            cut(&mut answer);
            let (most, half) = (u32::try_from(MAX_HINTS).unwrap(), u32::try_from(MAX_ADDITIONAL / 2).unwrap());
            assert_eq!(answer, Answer::from_services([service(most), service(3)]).with_additional(additional(half)));
        }
    }
}
