//! A lookup for people, who want to see more of an answer than a race needs.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::lookup::Lookup;
use hickory_resolver::proto::rr::rdata::{CNAME, PTR};
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::{HickoryResolver, addresses, failure, https, no_data, other, outside_dns};
use crate::resolve::{Answer, QueryKind, Resolve, ResolveError, ServiceRecord, is_under};

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records {
    /// Where CNAME records lead from the name, one after the other.
    pub(crate) aliases: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) services: Vec<ServiceRecord>,
    /// How long the shortest-lived record of it may be kept.
    pub(crate) ttl: Duration,
}

impl HickoryResolver {
    /// Asks for one kind of record of `name`, past every cache.
    pub(crate) async fn look_up(&self, name: &str, kind: QueryKind) -> Result<Records, ResolveError> {
        if let Some(error) = outside_dns(name) {
            return Err(error);
        }
        if is_under(name, "local") {
            let Answer { addresses, .. } = self.resolve(name, kind).await?;
            return Ok(Records { addresses: addresses.iter().map(SocketAddr::ip).collect(), ..Records::default() });
        }
        let (record_type, is_address) = match kind {
            QueryKind::A => (RecordType::A, true),
            QueryKind::Aaaa => (RecordType::AAAA, true),
            QueryKind::Https => (RecordType::HTTPS, false),
            QueryKind::Addresses => return Err(other(format!("{kind} is not a query of this resolver"))),
        };
        let name = fqdn(Name::from_ascii(name).map_err(|err| other("the name is not one of DNS").with_source(err))?);
        let lookup = self.answer(&name, record_type).await?;
        let addresses = if is_address { addresses(&lookup, &name, record_type) } else { Vec::new() };
        let services = if is_address { Vec::new() } else { https::answer(&lookup, &name)?.services };
        if addresses.is_empty() && services.is_empty() {
            return Err(no_data());
        }
        Ok(Records { aliases: aliases(&lookup, &name), addresses, services, ttl: ttl(&lookup) })
    }

    /// The names that `ip` has by PTR records (RFC 1035 section 3.5, RFC 3596 section 2.5).
    pub(crate) async fn look_up_pointers(&self, ip: IpAddr) -> Result<Vec<String>, ResolveError> {
        let lookup = self.answer(&fqdn(Name::from(ip)), RecordType::PTR).await?;
        let names = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::PTR(PTR(name)) => Some(name.to_ascii()),
            _ => None,
        });
        let names: Vec<_> = names.collect();
        if names.is_empty() { Err(no_data()) } else { Ok(names) }
    }

    async fn answer(&self, name: &Name, record_type: RecordType) -> Result<Lookup, ResolveError> {
        let servers = self.shared.servers()?;
        servers.lookup(name, record_type).await.map_err(failure)
    }
}

fn fqdn(mut name: Name) -> Name {
    name.set_fqdn(true);
    name
}

/// The chain that leads from `name` to the records asked for.
fn aliases(lookup: &Lookup, name: &Name) -> Vec<String> {
    let mut chain: Vec<&Name> = vec![name];
    loop {
        let last = chain[chain.len() - 1];
        let next = lookup.answers().iter().find_map(|record| match &record.data {
            RData::CNAME(CNAME(target)) if record.name == *last => Some(target),
            _ => None,
        });
        match next {
            // A circle leads nowhere.
            Some(target) if !chain.contains(&target) => chain.push(target),
            _ => return chain[1..].iter().map(|name| name.to_ascii()).collect(),
        }
    }
}

fn ttl(lookup: &Lookup) -> Duration {
    let ttl = lookup.answers().iter().map(|record| record.ttl).min();
    Duration::from_secs(ttl.unwrap_or_default().into())
}
