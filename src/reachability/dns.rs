//! What DNS says of a site.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::time::Instant;

use crate::listing::List;
use crate::report::{QueryReport, Report};
use crate::resolve::{HickoryResolver, QueryKind, Records, ResolveError, ResolveErrorKind, ServiceRecord};

/// One lookup: by what the connector did, and what its answer says beside addresses. Times are from the start of the
/// check.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Lookup {
    /// The name that was asked for.
    pub name: String,
    /// The kind of records.
    pub kind: QueryKind,
    /// When it was asked.
    pub start: Duration,
    /// When it was answered or given up.
    pub end: Option<Duration>,
    /// The addresses, or why there are none.
    pub result: Result<Vec<IpAddr>, ResolveError>,
    /// HTTPS records.
    pub services: Vec<ServiceRecord>,
    /// Where CNAME records lead from the name, one after the other.
    pub aliases: Vec<String>,
    /// How long the answer may be kept; `None` if it is not from DNS or there is none.
    pub ttl: Option<Duration>,
}

impl Lookup {
    /// Whether it failed, other than by there being no such records.
    pub fn failure(&self) -> Option<&ResolveError> {
        self.result.as_ref().err().filter(|error| !error.kind().is_negative_answer())
    }

    /// A query that was not answered counts as a failure if it was waited for until `given_up`.
    fn of(query: &QueryReport, given_up: Option<Duration>) -> Option<Self> {
        let (result, end) = match query.result() {
            Some(Ok(addrs)) => (Ok(addrs.iter().map(SocketAddr::ip).collect()), query.end()),
            Some(Err(error)) => (Err(error.clone()), query.end()),
            None => {
                let error = ResolveError::new(ResolveErrorKind::Timeout, "no answer in time");
                (Err(error), Some(given_up?))
            }
        };
        Some(Self {
            name: query.name().to_owned(),
            kind: query.kind(),
            start: query.start(),
            end,
            result,
            services: query.services().to_vec(),
            aliases: Vec::new(),
            ttl: None,
        })
    }
}

/// The lookups of a list; if `dns` is to be asked, each with what a race has no use for, and the HTTPS records of an
/// `http` origin, for which no race asks.
pub(super) async fn lookups(list: &List, dns: Option<&HickoryResolver>) -> Vec<Lookup> {
    let report = &list.report;
    let given_up = list.is_cut_off.then(|| report.elapsed());
    let lookups = report.queries().iter().filter_map(|query| Lookup::of(query, given_up));
    let Some(dns) = dns else { return lookups.collect() };
    let lookups = lookups.map(|lookup| detailed(lookup, dns));
    let (mut lookups, services) = join(join_all(lookups), services_of_http(report, dns)).await;
    lookups.extend(services);
    lookups
}

async fn detailed(mut lookup: Lookup, dns: &HickoryResolver) -> Lookup {
    if lookup.kind != QueryKind::Addresses
        && lookup.result.is_ok()
        && let Ok(records) = dns.look_up(&lookup.name, lookup.kind).await
    {
        lookup.aliases = records.aliases;
        lookup.ttl = Some(records.ttl);
    }
    lookup
}

async fn services_of_http(report: &Report, dns: &HickoryResolver) -> Option<Lookup> {
    let origin = report.origin();
    let asked = |query: &&QueryReport| query.kind() != QueryKind::Addresses;
    let host = report.queries().iter().rfind(asked).filter(|_| !origin.is_secure())?.name();
    // RFC 9460 section 9.5: the records are those of https at the port that it would have.
    let name = match origin.port() {
        80 => host.to_owned(),
        port => format!("_{port}._https.{host}"),
    };
    let start = report.elapsed();
    let begun = Instant::now();
    let records = dns.look_up(&name, QueryKind::Https).await;
    let end = Some(start + begun.elapsed());
    let kind = QueryKind::Https;
    Some(match records {
        Ok(Records { services, aliases, ttl, .. }) => {
            Lookup { name, kind, start, end, result: Ok(Vec::new()), services, aliases, ttl: Some(ttl) }
        }
        Err(error) => {
            let (services, aliases) = Default::default();
            Lookup { name, kind, start, end, result: Err(error), services, aliases, ttl: None }
        }
    })
}
