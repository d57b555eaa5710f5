//! The JSON of `check`: one object a line for each target.
//!
//! The structures of this file are the schema, which `docs/json.md` explains: every key is always there, in this order,
//! and `null` is what is not known or did not come to be. Times are numbers, in milliseconds.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper_happy_eyeballs::TlsInfo;
use hyper_happy_eyeballs::reachability::{
    AddressCheck, Certificate, DrillOutcome, DrillRun, Fault, Lookup, Ping, Probe, Response, ViaCheck,
};
use hyper_happy_eyeballs::resolve::QueryKind;
use serde::Serialize;

use super::Checked;
use crate::get::json::{Race, family, millis, object, outcome};
use crate::words::http_version;

#[derive(Serialize)]
struct Line<'a> {
    url: &'a str,
    verdict: String,
    reason: String,
    notes: &'a [String],
    dns: Vec<LookupLine<'a>>,
    addresses: Vec<AddressLine<'a>>,
    race: Option<Race<'a>>,
    drill: Vec<DrillLine<'a>>,
    via: Vec<ViaLine<'a>>,
}

#[derive(Serialize)]
struct LookupLine<'a> {
    name: &'a str,
    r#type: String,
    start: f64,
    end: Option<f64>,
    outcome: &'static str,
    answers: Vec<String>,
    aliases: &'a [String],
    ttl: Option<u64>,
    error: Option<String>,
}

#[derive(Serialize)]
struct AddressLine<'a> {
    addr: SocketAddr,
    family: &'static str,
    target: Option<&'a str>,
    source: Option<IpAddr>,
    names: Option<&'a [String]>,
    ping: Option<PingLine<'a>>,
    probe: ProbeLine<'a>,
}

#[derive(Serialize)]
struct PingLine<'a> {
    outcome: &'static str,
    ms: Option<f64>,
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct ProbeLine<'a> {
    ok: bool,
    fault: Option<FaultLine<'a>>,
    tcp: Option<f64>,
    tls: Option<f64>,
    ttfb: Option<f64>,
    server: Option<f64>,
    total: f64,
    tls_info: Option<TlsLine>,
    certificate: Option<CertificateLine<'a>>,
    http: Option<HttpLine<'a>>,
}

#[derive(Serialize)]
struct FaultLine<'a> {
    class: &'static str,
    detail: &'a str,
}

#[derive(Serialize)]
struct TlsLine {
    version: String,
    alpn: Option<String>,
    cipher: String,
    ech: String,
}

#[derive(Serialize)]
struct CertificateLine<'a> {
    subject: &'a str,
    issuer: &'a str,
    names: &'a [String],
    not_before: String,
    not_after: String,
}

#[derive(Serialize)]
struct HttpLine<'a> {
    status: u16,
    version: &'static str,
    location: Option<&'a str>,
}

#[derive(Serialize)]
struct DrillLine<'a> {
    scenario: &'static str,
    client: &'static str,
    outcome: &'static str,
    addr: Option<SocketAddr>,
    ms: Option<f64>,
    cost: Option<f64>,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct ViaLine<'a> {
    proxy: String,
    by_name: Option<ProbeLine<'a>>,
    addresses: Vec<ViaAddressLine<'a>>,
}

#[derive(Serialize)]
struct ViaAddressLine<'a> {
    addr: SocketAddr,
    family: &'static str,
    probe: ProbeLine<'a>,
}

/// The object of `checked` with its line feed.
pub(crate) fn line(checked: &Checked) -> String {
    let check = checked.result.as_ref().ok();
    object(&Line {
        url: &checked.url,
        verdict: checked.level().to_string(),
        reason: checked.reason(),
        notes: check.map_or(&[], |check| &check.verdict.notes),
        dns: list(check.map(|check| &check.lookups), LookupLine::of),
        addresses: list(check.map(|check| &check.addresses), AddressLine::of),
        race: check.map(|check| Race::of(&check.race)),
        drill: list(check.map(|check| &check.drill), DrillLine::of),
        via: list(check.map(|check| &check.via), ViaLine::of),
    })
}

fn list<'a, T, L>(items: Option<&'a Vec<T>>, line: impl Fn(&'a T) -> L) -> Vec<L> {
    items.into_iter().flatten().map(line).collect()
}

impl<'a> LookupLine<'a> {
    fn of(lookup: &'a Lookup) -> Self {
        let answers: Vec<_> = match lookup.kind {
            QueryKind::Https => lookup.services.iter().map(ToString::to_string).collect(),
            _ => lookup.result.iter().flatten().map(ToString::to_string).collect(),
        };
        Self {
            name: &lookup.name,
            r#type: lookup.kind.to_string(),
            start: millis(lookup.start),
            end: lookup.end.map(millis),
            outcome: outcome(lookup.result.as_ref().err(), &answers),
            answers,
            aliases: &lookup.aliases,
            ttl: lookup.ttl.as_ref().map(Duration::as_secs),
            error: lookup.result.as_ref().err().map(ToString::to_string),
        }
    }
}

impl<'a> AddressLine<'a> {
    fn of(address: &'a AddressCheck) -> Self {
        let names = address.pointers.as_ref().and_then(|names| names.as_deref().ok());
        Self {
            addr: address.addr,
            family: family(address.addr),
            target: address.target.as_deref(),
            source: address.source,
            names: names.filter(|names| !names.is_empty()),
            ping: address.ping.as_ref().map(PingLine::of),
            probe: ProbeLine::of(&address.probe),
        }
    }
}

impl<'a> PingLine<'a> {
    fn of(ping: &'a Ping) -> Self {
        let (outcome, ms, detail) = match ping {
            Ping::Answered(after) => ("answered", Some(millis(*after)), None),
            Ping::Silent => ("silent", None, None),
            Ping::NotPermitted(why) => ("not_permitted", None, Some(&**why)),
            Ping::Failed(fault) => ("failed", None, Some(&*fault.detail)),
            _ => ("failed", None, None),
        };
        Self { outcome, ms, detail }
    }
}

impl<'a> ProbeLine<'a> {
    fn of(probe: &'a Probe) -> Self {
        Self {
            ok: probe.is_good(),
            fault: probe.fault.as_ref().map(FaultLine::of),
            tcp: probe.tcp.map(millis),
            tls: probe.tls.map(millis),
            ttfb: probe.response.as_ref().map(|response| millis(response.first_byte)),
            server: probe.server_time().map(millis),
            total: millis(probe.total),
            tls_info: probe.tls_info.as_ref().map(TlsLine::of),
            certificate: probe.certificate.as_ref().map(CertificateLine::of),
            http: probe.response.as_ref().map(HttpLine::of),
        }
    }
}

impl<'a> FaultLine<'a> {
    fn of(fault: &'a Fault) -> Self {
        Self { class: fault.class.name(), detail: &fault.detail }
    }
}

impl TlsLine {
    fn of(tls: &TlsInfo) -> Self {
        Self {
            version: tls.version().into(),
            alpn: tls.alpn().map(|alpn| alpn.escape_ascii().to_string()),
            cipher: tls.cipher_suite().into(),
            ech: tls.ech().to_string(),
        }
    }
}

impl<'a> CertificateLine<'a> {
    fn of(certificate: &'a Certificate) -> Self {
        Self {
            subject: &certificate.subject,
            issuer: &certificate.issuer,
            names: &certificate.names,
            not_before: certificate.not_before.to_string(),
            not_after: certificate.not_after.to_string(),
        }
    }
}

impl<'a> HttpLine<'a> {
    fn of(response: &'a Response) -> Self {
        Self {
            status: response.status.as_u16(),
            version: http_version(response.version),
            location: response.location.as_deref(),
        }
    }
}

impl<'a> DrillLine<'a> {
    fn of(run: &'a DrillRun) -> Self {
        let (outcome, addr, after, error) = match &run.outcome {
            DrillOutcome::Connected { addr, after } => ("connected", Some(*addr), Some(*after), None),
            DrillOutcome::Failed { error, after } => ("failed", None, Some(*after), Some(&**error)),
            _ => ("cut_off", None, None, None),
        };
        Self {
            scenario: run.scenario.name(),
            client: run.client.name(),
            outcome,
            addr,
            ms: after.map(millis),
            cost: run.cost.map(millis),
            error,
        }
    }
}

impl<'a> ViaLine<'a> {
    fn of(via: &'a ViaCheck) -> Self {
        let addresses = via.addresses.iter().map(|(addr, probe)| ViaAddressLine {
            addr: *addr,
            family: family(*addr),
            probe: ProbeLine::of(probe),
        });
        Self {
            proxy: via.proxy.to_string(),
            by_name: via.by_name.as_ref().map(ProbeLine::of),
            addresses: addresses.collect(),
        }
    }
}
