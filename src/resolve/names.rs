//! From the host of a URI to what is asked: special names, the hosts file, the search list.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::Hosts;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};

use super::{Names, ResolveError, ResolveErrorKind, is_under};
use crate::config::Config;

/// The search list of resolv.conf(5).
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    /// In order, with or without a final dot; the root stands for the name itself.
    pub(super) suffixes: Vec<String>,
    /// From how many dots on a name is first taken for a full one.
    pub(super) ndots: usize,
}

/// What to ask for `host`.
///
/// The names of localhost are loopback whatever the hosts file says: that they never leave the machine is what people
/// rely on (RFC 6761 section 6.3). A name in the hosts file has the addresses it has there, in both families together,
/// and is not asked for. That includes the names that DNS does not have, where only the file can tell.
pub(super) fn names(host: &str, hosts: &Hosts, search: &Search) -> Result<Names, ResolveError> {
    let name = host.strip_suffix('.').unwrap_or(host);
    if is_under(name, "localhost") {
        return Ok(fixed([Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]));
    }
    let addresses = addresses_in(hosts, name);
    if !addresses.is_empty() {
        return Ok(fixed(addresses));
    }
    if let Some(error) = outside_dns(name) {
        return Err(error);
    }

    let mut names = Vec::new();
    for candidate in candidates(host, search) {
        let fits = (2..=Config::MAX_NAME + 1).contains(&candidate.len());
        let known = names.iter().any(|name: &Arc<str>| name.eq_ignore_ascii_case(&candidate));
        if fits && !known && outside_dns(candidate.trim_end_matches('.')).is_none() {
            names.push(candidate.into());
        }
    }
    if names.is_empty() {
        return Err(ResolveError::new(ResolveErrorKind::Other, "the name is empty or too long for DNS"));
    }
    Ok(Names::Ask(names))
}

/// The absolute names that `host` may stand for, in the order of resolv.conf(5).
fn candidates(host: &str, search: &Search) -> Vec<String> {
    if host.ends_with('.') {
        return vec![host.to_owned()];
    }
    let itself = format!("{host}.");
    let searched = search.suffixes.iter().map(|suffix| match suffix.trim_matches('.') {
        "" => itself.clone(),
        suffix => format!("{host}.{suffix}."),
    });
    if host.matches('.').count() >= search.ndots {
        [itself.clone()].into_iter().chain(searched).collect()
    } else {
        searched.chain([itself.clone()]).collect()
    }
}

/// Why `name` is never asked for, if it is in a special zone of which that holds.
pub(super) fn outside_dns(name: &str) -> Option<ResolveError> {
    const ZONES: [(&str, &str); 3] = [("onion", "RFC 7686"), ("invalid", "RFC 6761"), ("alt", "RFC 9476")];
    let (zone, rule) = ZONES.into_iter().find(|(zone, _)| is_under(name, zone))?;
    let message = format!("names under .{zone} are not in DNS ({rule})");
    Some(ResolveError::new(ResolveErrorKind::NxDomain, message))
}

/// IPv6 before IPv4, and within a family in the order of the file.
fn addresses_in(hosts: &Hosts, name: &str) -> Vec<IpAddr> {
    let Ok(name) = Name::from_ascii(name) else { return Vec::new() };
    let mut addresses = Vec::new();
    for record_type in [RecordType::AAAA, RecordType::A] {
        let lookup = hosts.lookup_static_host(&Query::query(name.clone(), record_type));
        for record in lookup.iter().flat_map(|lookup| lookup.answers()) {
            if let Some(ip) = record.data.ip_addr().filter(|ip| !addresses.contains(ip)) {
                addresses.push(ip);
            }
        }
    }
    addresses
}

fn fixed(ips: impl IntoIterator<Item = IpAddr>) -> Names {
    Names::Fixed(ips.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &str = "\
127.0.0.1 localhost
192.0.2.66 localhost evil.localhost
192.0.2.1  Printer printer.example.com  # by the window
2001:db8::1 printer
192.0.2.2  printer
192.0.2.1  printer
192.0.2.3  hidden.onion
";

    fn hosts() -> Hosts {
        let mut hosts = Hosts::default();
        hosts.read_hosts_conf(HOSTS.as_bytes()).unwrap();
        hosts
    }

    fn ask(host: &str, suffixes: &[&str], ndots: usize) -> Vec<String> {
        let suffixes = suffixes.iter().map(|&suffix| suffix.to_owned()).collect();
        match names(host, &hosts(), &Search { suffixes, ndots }).unwrap() {
            Names::Ask(names) => names.iter().map(|name| name.to_string()).collect(),
            Names::Fixed(addresses) => panic!("{host} must be asked for, got {addresses:?}"),
        }
    }

    fn addresses(host: &str) -> Vec<IpAddr> {
        let search = Search { suffixes: vec!["example.com".into()], ndots: 1 };
        match names(host, &hosts(), &search).unwrap() {
            Names::Fixed(addresses) => addresses.iter().map(SocketAddr::ip).collect(),
            Names::Ask(names) => panic!("{host} must not be asked for, got {names:?}"),
        }
    }

    fn ips(ips: &[&str]) -> Vec<IpAddr> {
        ips.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    /// Proves: NAM-1
    #[test]
    fn localhost_is_loopback_whatever_the_hosts_file_says() {
        for host in ["localhost", "LOCALHOST", "localhost.", "a.localhost", "evil.localhost", "a.b.LocalHost."] {
            assert_eq!(addresses(host), ips(&["::1", "127.0.0.1"]), "{host}");
        }
        assert_eq!(ask("localhost.example.com", &[], 1), ["localhost.example.com."]);
        assert_eq!(ask("notlocalhost", &[], 1), ["notlocalhost."]);
    }

    /// Proves: NET-6
    #[test]
    fn the_hosts_file_answers_for_both_families_at_once() {
        for host in ["printer", "Printer.", "PRINTER"] {
            assert_eq!(addresses(host), ips(&["2001:db8::1", "192.0.2.1", "192.0.2.2"]), "{host}");
        }
        // It has IPv4 only, so there is no IPv6 to ask DNS for.
        assert_eq!(addresses("printer.Example.com"), ips(&["192.0.2.1"]));
    }

    /// Proves: NAM-3, NAM-4
    #[test]
    fn names_outside_dns_are_errors() {
        let search = Search { suffixes: vec!["example.com".into()], ndots: 1 };
        for host in ["abc.onion", "ONION", "onion.", "a.b.Invalid.", "invalid", "x.alt", "alt."] {
            let error = names(host, &hosts(), &search).unwrap_err();
            assert_eq!(error.kind(), ResolveErrorKind::NxDomain, "{host}");
            assert!(error.to_string().contains("not in DNS (RFC "), "{error}");
        }
        for host in ["a.test.", "example.", "onion.example.com."] {
            assert_eq!(ask(host, &[], 1), [host]);
        }
        assert_eq!(ask("db", &["alt", "lan"], 1), ["db.lan.", "db."]);
        // What the hosts file has never reaches DNS.
        assert_eq!(addresses("hidden.onion"), ips(&["192.0.2.3"]));
    }

    /// Proves: NET-7
    #[test]
    fn search_list_and_ndots_follow_resolv_conf() {
        let search = ["lan", "example.com."];
        assert_eq!(ask("db.", &search, 1), ["db."]);
        assert_eq!(ask("db", &search, 1), ["db.lan.", "db.example.com.", "db."]);
        assert_eq!(ask("db", &search, 0), ["db.", "db.lan.", "db.example.com."]);
        assert_eq!(ask("db.prod", &search, 1), ["db.prod.", "db.prod.lan.", "db.prod.example.com."]);
        assert_eq!(ask("a.b", &search, 2), ["a.b.lan.", "a.b.example.com.", "a.b."]);
        assert_eq!(ask("a.b.c", &search, 2), ["a.b.c.", "a.b.c.lan.", "a.b.c.example.com."]);
        assert_eq!(ask("db", &[], 1), ["db."]);
    }

    #[test]
    fn a_name_is_asked_for_once_and_only_if_it_fits() {
        assert_eq!(ask("db", &["lan", "LAN.", "."], 1), ["db.lan.", "db."]);
        let long = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
        assert_eq!(ask(&long, &["lan"], 9), [format!("{long}.")]);
        for host in ["", ".", &format!("{long}d")] {
            let error = names(host, &hosts(), &Search::default()).unwrap_err();
            assert_eq!(error.kind(), ResolveErrorKind::Other, "{host}");
        }
    }
}
