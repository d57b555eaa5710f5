//! How much of an answer is kept: a race takes a few of each, and an answer can have thousands.

use std::collections::HashSet;
use std::hash::Hash;

use crate::config::Config;
use crate::resolve::Answer;

/// Leaves out what is too much.
pub(super) fn cut(answer: &mut Answer) {
    take(&mut answer.addresses, Config::MAX_ANSWER_ADDRESSES);
    // Of equal priority the first stay, so that repeated answers are equal.
    answer.services.sort_by_key(|service| service.priority);
    answer.services.truncate(Config::MAX_ANSWER_SERVICES);
    answer.services.shrink_to_fit();
    for service in &mut answer.services {
        take(&mut service.ipv4_hints, Config::MAX_HINTS);
        take(&mut service.ipv6_hints, Config::MAX_HINTS);
        // Of mandatory keys so many are more than are understood, whatever comes after them.
        shorten(&mut service.mandatory);
        shorten(&mut service.other_keys);
        service.alpn.iter_mut().for_each(shorten);
    }
    take(&mut answer.additional, Config::MAX_ADDITIONAL);
}

/// The first `most` different items.
fn take<T: Clone + Eq + Hash>(items: &mut Vec<T>, most: usize) {
    let mut seen = HashSet::new();
    items.retain(|item| seen.len() < most && seen.insert(item.clone()));
    items.shrink_to_fit();
}

fn shorten<T>(parameters: &mut Vec<T>) {
    parameters.truncate(Config::MAX_PARAMETERS);
    parameters.shrink_to_fit();
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
        let most = u16::try_from(Config::MAX_ANSWER_SERVICES).unwrap();
        for count in [most, most + 1, 2000] {
            let services = (0..count).map(|i| ServiceRecord::new(2000 - i / 2, format!("{i}.test.")));
            let mut expected: Vec<_> = services.clone().collect();
            expected.sort_by_key(ServiceRecord::priority);
            expected.truncate(most.into());
            let mut answer = Answer::from_services(services);
            cut(&mut answer);
            assert_eq!((answer.services.len(), answer.services), (most.into(), expected), "{count}");
        }
    }

    #[test]
    fn of_hints_and_additional_addresses_the_first_different_ones_are_kept() {
        let service = |count| ServiceRecord::new(1, "svc.test.").with_hints(ips(count));
        let additional = |count| ips(count).map(|ip| ("svc.test.", ip));
        let (most, half) = (Config::MAX_HINTS as u32, Config::MAX_ADDITIONAL as u32 / 2);
        for (hints, addresses, repeated) in [(most, half, 1), (most + 1, half + 1, 1), (1000, 1000, 1), (1000, 1000, 2)]
        {
            let mut answer = Answer::from_services([service(hints), service(3)])
                .with_additional((0..repeated).flat_map(|_| additional(addresses)));
            for service in &mut answer.services {
                service.ipv4_hints = service.ipv4_hints.repeat(repeated);
            }
            cut(&mut answer);
            assert_eq!(answer, Answer::from_services([service(most), service(3)]).with_additional(additional(half)));
        }
    }

    /// A message has room for thirty thousand protocols.
    #[test]
    fn of_parameters_the_first_are_kept() {
        let service = |count: u16| {
            let service = ServiceRecord::new(1, "svc.test.").with_alpn((0..count).map(u16::to_be_bytes));
            (7..7 + count).fold(service.with_mandatory(0..count), ServiceRecord::with_other_key)
        };
        let most = u16::try_from(Config::MAX_PARAMETERS).unwrap();
        for count in [most, most + 1, 30_000] {
            let mut answer = Answer::from_services([service(count)]);
            cut(&mut answer);
            assert_eq!(answer, Answer::from_services([service(most)]), "{count}");
        }
    }
}
