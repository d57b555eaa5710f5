//! A check as metrics: what a user meets, without labels and under the names of blackbox_exporter; each family; and each
//! address.
//!
//! A denied address is told by its family alone: a stranger could read off it what the names of this network lead to.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::Version;
use hyper_happy_eyeballs::reachability::{AddressCheck, Certificate, Check, FaultClass, FetchError, Level, Ping};
use hyper_happy_eyeballs::report::{AttemptOutcome, AttemptReport};
use hyper_happy_eyeballs::{Origin, Report, TlsInfo};
use prometheus::{Gauge, GaugeVec, Opts, Registry, Result, TextEncoder};

use crate::exit::Stage;

/// The metrics of a probe of `origin` that took `duration` of `limit`, in the text format. Without a check it is one
/// that came to nothing.
pub(super) fn text(origin: &Origin, check: Option<&Check>, duration: Duration, limit: Duration) -> Result<String> {
    let page = Page(Registry::new());
    let success = check.is_some_and(|check| check.verdict.level != Level::Down);
    page.one("probe_success", "Whether a user gets a response, with a status below 500.", flag(success))?;
    page.one("probe_duration_seconds", "What the probe took, all addresses included.", duration.as_secs_f64())?;
    page.one("probe_timeout_seconds", "What the probe might have taken.", limit.as_secs_f64())?;
    user(&page, origin, check)?;
    if let Some(check) = check {
        verdict(&page, check)?;
        if let Some(report) = check.race.report.as_deref() {
            race(&page, report)?;
        }
        if let Some(tls) = check.race.connection.as_ref().and_then(|connection| connection.tls.as_ref()) {
            tls_facts(&page, tls)?;
        }
        families(&page, check)?;
        addresses(&page, check)?;
    }
    page.text()
}

/// What blackbox_exporter has too. As there, what did not come to be is 0.
fn user(page: &Page, origin: &Origin, check: Option<&Check>) -> Result<()> {
    let report = check.and_then(|check| check.race.report.as_deref());
    let response = check.and_then(|check| check.race.response.as_ref());
    let winner = report.and_then(Report::winner);
    let ip = winner.map(|winner| winner.addr().ip().to_canonical());

    let resolved = report.and_then(Report::resolved);
    let tcp = winner.and_then(AttemptReport::tcp);
    let ready = if origin.is_secure() { winner.and_then(AttemptReport::end) } else { tcp };
    let first_byte = response.map(|response| response.first_byte);
    let between = |from: Option<Duration>, to: Option<Duration>| {
        from.zip(to).map_or(0.0, |(from, to)| to.saturating_sub(from).as_secs_f64())
    };
    let lookup = between(Some(Duration::ZERO), resolved);
    page.one("probe_dns_lookup_time_seconds", "Until the first answer with addresses; 0 from the cache.", lookup)?;
    let protocol = ip.map_or(0.0, |ip| if ip.is_ipv4() { 4.0 } else { 6.0 });
    page.one("probe_ip_protocol", "IP version of the connection, 4 or 6; 0 without one.", protocol)?;
    page.one("probe_ip_addr_hash", "Hash of the address that was connected to.", ip.map_or(0.0, hash))?;
    let phases = [
        ("resolve", lookup),
        ("connect", between(resolved, tcp)),
        ("tls", between(tcp, ready)),
        ("processing", between(ready, first_byte)),
        ("transfer", 0.0),
    ];
    page.many(
        "probe_http_duration_seconds",
        "The phases of a user's request; connect has what slower addresses cost, and the body is not read.",
        &["phase"],
        phases.map(|(phase, seconds)| ([phase], seconds)),
    )?;
    let status = response.map_or(0, |response| response.status.as_u16());
    page.one("probe_http_status_code", "Status of the response; redirects are not followed.", status.into())?;
    let version = response.map_or(0.0, |response| http_version(response.version));
    page.one("probe_http_version", "HTTP version of the response.", version)?;
    page.one("probe_http_ssl", "Whether it came over TLS.", flag(response.is_some() && origin.is_secure()))?;
    page.one("probe_http_redirects", "Always 0, as redirects are not followed.", 0.0)?;
    let length = response.map_or(0.0, |response| response.content_length.map_or(-1.0, |length| length as f64));
    page.one("probe_http_content_length", "Length of the body by the head of the response, -1 if untold.", length)
}

fn verdict(page: &Page, check: &Check) -> Result<()> {
    let levels = [Level::Ok, Level::Degraded, Level::Down].map(|level| (level.to_string(), level));
    page.many(
        "probe_verdict",
        "1 for what it all comes to: ok, degraded (it works, but not by every address or lookup) or down.",
        &["level"],
        levels.iter().map(|(name, level)| ([&**name], flag(*level == check.verdict.level))),
    )?;
    page.many(
        "probe_failure",
        "1 for the stage at which a user's request failed.",
        &["stage"],
        failed_stage(check).map(|stage| ([stage], 1.0)),
    )?;
    let kinds = check.lookups.iter().map(|lookup| (lookup.kind.to_string(), lookup.failure().is_some()));
    let mut kinds: Vec<_> = kinds.collect();
    // Of several lookups of a kind the failed one counts, as the last.
    kinds.sort();
    page.many(
        "probe_dns_failed",
        "Whether a lookup of this type failed, other than by there being no such records.",
        &["type"],
        kinds.iter().map(|(kind, failed)| ([&**kind], flag(*failed))),
    )
}

fn failed_stage(check: &Check) -> Option<&'static str> {
    match &check.race.error {
        Some(FetchError::Connect(error)) => Some(Stage::of(error).name()),
        Some(FetchError::Http(error)) if error.is_timeout() => Some(Stage::Timeout.name()),
        Some(FetchError::Http(_)) => Some(Stage::Http.name()),
        None => (check.verdict.level == Level::Down).then_some("status"),
    }
}

fn race(page: &Page, report: &Report) -> Result<()> {
    let started = || report.attempts().iter().filter(|it| !matches!(it.outcome(), AttemptOutcome::Denied(_)));
    page.one("probe_race_attempts", "How many addresses a user's connect tried.", started().count() as f64)?;
    let Some(winner) = report.winner() else { return Ok(()) };
    let first = started().map(AttemptReport::start).min().unwrap_or_default();
    let version = protocol(winner.addr()).parse().unwrap_or_default();
    page.one("probe_race_winner_ip_protocol", "IP version of the address that won, 4 or 6.", version)?;
    page.one(
        "probe_race_fallback_seconds",
        "What a user lost to addresses that did not win: from the start of the first attempt to that of the winner.",
        winner.start().saturating_sub(first).as_secs_f64(),
    )
}

fn tls_facts(page: &Page, tls: &TlsInfo) -> Result<()> {
    let ends = tls.peer_certificates().filter_map(|der| Some(Certificate::from_der(der)?.not_after.unix()));
    if let Some(end) = ends.min() {
        page.one("probe_ssl_earliest_cert_expiry", "When the first certificate of the chain ends.", end as f64)?;
    }
    let version = tls.version().replace("TLSv", "TLS ");
    page.many("probe_tls_version_info", "1 for the TLS version.", &["version"], [([&*version], 1.0)])?;
    page.many("probe_tls_cipher_info", "1 for the cipher suite.", &["cipher"], [([tls.cipher_suite()], 1.0)])
}

/// Series that stay, however often a site changes its addresses.
fn families(page: &Page, check: &Check) -> Result<()> {
    let families = ["4", "6"].map(|family| {
        let of_family = check.addresses.iter().filter(|address| protocol(address.addr) == family);
        (family, of_family.collect::<Vec<_>>())
    });
    page.many(
        "probe_family_addresses",
        "How many addresses of this IP version the site has.",
        &["ip_protocol"],
        families.iter().map(|(family, addresses)| ([*family], addresses.len() as f64)),
    )?;
    let success = families.iter().filter_map(|(family, addresses)| {
        let mut checked = addresses.iter().filter_map(|address| is_good(address)).peekable();
        checked.peek()?;
        Some(([*family], flag(checked.any(|good| good))))
    });
    page.many(
        "probe_family_success",
        "Whether an address of this IP version serves; not there where none could be checked from here.",
        &["ip_protocol"],
        success,
    )?;
    let mut faults: Vec<_> = check.addresses.iter().filter_map(fault).collect();
    faults.sort();
    page.many(
        "probe_family_faults",
        "How many addresses of this IP version have a fault of this class.",
        &["ip_protocol", "class"],
        faults.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f64)),
    )
}

fn fault(address: &AddressCheck) -> Option<[&'static str; 2]> {
    Some([protocol(address.addr), address.probe.fault.as_ref()?.class.name()])
}

/// `None` if nothing is known of it.
fn is_good(address: &AddressCheck) -> Option<bool> {
    match &address.probe.fault {
        None => Some(true),
        Some(fault) => (!fault.class.is_unchecked()).then_some(false),
    }
}

fn addresses(page: &Page, check: &Check) -> Result<()> {
    let told = |address: &&AddressCheck| address.probe.fault.as_ref().is_none_or(|it| it.class != FaultClass::Denied);
    let addresses: Vec<_> = check.addresses.iter().filter(told).map(|address| Labelled::of(address, check)).collect();
    let moved = addresses.iter().any(|address| !address.port.is_empty() || !address.target.is_empty());
    // A label without a value is none, so that the series of other addresses stay what they are.
    let names = if moved { &["ip", "ip_protocol", "port", "target"][..] } else { &["ip", "ip_protocol"] };
    let table = Table { page, names, addresses: &addresses };

    table.column("probe_address_success", "Whether the address serves.", |it| is_good(it).map(flag))?;
    table.column_by(
        "probe_address_fault",
        "1 for the class of what is wrong with the address.",
        Some("class"),
        |it| it.probe.fault.as_ref().map(|fault| (fault.class.name(), 1.0)).into_iter().collect(),
    )?;
    table.column_by("probe_address_duration_seconds", "The phases of a request to it.", Some("phase"), |address| {
        let probe = &address.probe;
        let tls = probe.tls.zip(probe.tcp).map(|(tls, tcp)| tls.saturating_sub(tcp));
        let phases = [("connect", probe.tcp), ("tls", tls), ("processing", probe.server_time())];
        phases.into_iter().filter_map(|(phase, time)| Some((phase, time?.as_secs_f64()))).collect()
    })?;
    table.column("probe_address_http_status_code", "Status of its response.", |address| {
        address.probe.response.as_ref().map(|response| response.status.as_u16().into())
    })?;
    table.column("probe_address_cert_expiry_timestamp_seconds", "When its own certificate ends.", |address| {
        address.probe.certificate.as_ref().map(|certificate| certificate.not_after.unix() as f64)
    })?;
    table.column("probe_address_icmp_duration_seconds", "Until it answered ICMP echo.", |it| match it.ping {
        Some(Ping::Answered(after)) => Some(after.as_secs_f64()),
        _ => None,
    })
}

/// An address and the values of its labels.
struct Labelled<'a> {
    check: &'a AddressCheck,
    ip: String,
    /// Empty where it is the origin's.
    port: String,
    target: &'a str,
}

impl<'a> Labelled<'a> {
    fn of(address: &'a AddressCheck, check: &Check) -> Self {
        let port = address.addr.port();
        Self {
            check: address,
            ip: address.addr.ip().to_string(),
            port: if port == check.origin.port() { String::new() } else { port.to_string() },
            target: address.target.as_deref().unwrap_or_default(),
        }
    }
}

/// A row for each address.
struct Table<'a> {
    page: &'a Page,
    names: &'a [&'a str],
    addresses: &'a [Labelled<'a>],
}

impl Table<'_> {
    fn column(&self, name: &str, help: &str, value: impl Fn(&AddressCheck) -> Option<f64>) -> Result<()> {
        self.column_by(name, help, None, |address| value(address).map(|value| ("", value)).into_iter().collect())
    }

    /// With one more label, and several values an address.
    fn column_by(
        &self,
        name: &str,
        help: &str,
        label: Option<&str>,
        values: impl Fn(&AddressCheck) -> Vec<(&'static str, f64)>,
    ) -> Result<()> {
        let names: Vec<_> = self.names.iter().copied().chain(label).collect();
        let samples = self.addresses.iter().flat_map(|address| {
            let labels = [&*address.ip, protocol(address.check.addr), &*address.port, address.target];
            values(address.check).into_iter().map(move |(own, value)| {
                let labels = labels.into_iter().take(self.names.len()).chain(label.map(|_| own));
                (labels.collect::<Vec<_>>(), value)
            })
        });
        self.page.many(name, help, &names, samples)
    }
}

/// Metrics of one moment.
struct Page(Registry);

impl Page {
    fn one(&self, name: &str, help: &str, value: f64) -> Result<()> {
        let gauge = Gauge::new(name, help)?;
        gauge.set(value);
        self.0.register(Box::new(gauge))
    }

    /// A series for each of `samples`; of those with the same labels the last counts.
    fn many<'a, L: AsRef<[&'a str]>>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        samples: impl IntoIterator<Item = (L, f64)>,
    ) -> Result<()> {
        let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
        for (labels, value) in samples {
            gauges.get_metric_with_label_values(labels.as_ref())?.set(value);
        }
        self.0.register(Box::new(gauges))
    }

    fn text(&self) -> Result<String> {
        TextEncoder::new().encode_to_string(&self.0.gather())
    }
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

fn protocol(addr: SocketAddr) -> &'static str {
    if addr.ip().to_canonical().is_ipv4() { "4" } else { "6" }
}

fn http_version(version: Version) -> f64 {
    match version {
        Version::HTTP_09 => 0.9,
        Version::HTTP_10 => 1.0,
        Version::HTTP_2 => 2.0,
        Version::HTTP_3 => 3.0,
        _ => 1.1,
    }
}

/// FNV-1a of 32 bits over the octets, which is what blackbox_exporter has.
fn hash(ip: IpAddr) -> f64 {
    let fnv = |octets: &[u8]| {
        octets.iter().fold(0x811c_9dc5_u32, |hash, &octet| (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193))
    };
    match ip {
        IpAddr::V4(ip) => fnv(&ip.octets()),
        IpAddr::V6(ip) => fnv(&ip.octets()),
    }
    .into()
}
