//! What there is of each lookup, each address, and each address as others see it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use hyper_happy_eyeballs::Origin;
use hyper_happy_eyeballs::reachability::{AddressCheck, Certificate, Check, Fault, Lookup, Ping, Probe};
use hyper_happy_eyeballs::resolve::{QueryKind, ResolveErrorKind};
use maud::{Markup, html};

use super::bars::{self, Axis, legend};
use crate::get::draw::{asked, unresolved};
use crate::waterfall::{Mark, Row, Span, Tone, millis};
use crate::words::{bare, http_version};

/// A certificate that ends sooner has the colour of a warning.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Names of a certificate that are shown.
const NAMES: usize = 3;

pub(super) fn lookups(check: &Check) -> Markup {
    html! {
        table.stack {
            thead { tr { th { "Type" } th { "Name" } th { "Answer" } th.number { "TTL" } th.number { "Time" } } }
            tbody { @for each in &check.lookups { (lookup(each, &check.origin)) } }
        }
    }
}

fn lookup(lookup: &Lookup, origin: &Origin) -> Markup {
    html! {
        tr {
            th scope="row" { (lookup.kind) }
            td.full data-label="Name" {
                (asked(&lookup.name, origin))
                @for alias in &lookup.aliases { span.small { "→ " (bare(alias)) } }
            }
            td.full data-label="Answer" {
                @match &lookup.result {
                    Ok(_) if lookup.kind == QueryKind::Https => {
                        @for service in &lookup.services { span.item { (service) } }
                    }
                    Ok(addrs) => @for addr in addrs { span.item { (addr) } },
                    Err(error) => {
                        @let (why, tone) = unresolved(error);
                        span.item.(bars::tone(tone)) { (why) }
                    }
                }
            }
            td.number data-label="TTL" { @if let Some(ttl) = lookup.ttl { (ttl.as_secs()) " s" } }
            td.number data-label="Time" {
                @if let Some(end) = lookup.end { (ms(end.saturating_sub(lookup.start))) }
            }
        }
    }
}

pub(super) fn addresses(check: &Check, now: SystemTime) -> Markup {
    // Somebody who keeps silent for seconds must not make the others' bars vanish.
    let probes = check.addresses.iter().map(|address| &address.probe);
    let end = probes.filter(|probe| probe.is_good()).map(|probe| probe.total).max();
    let axis = end.map(Axis::new);
    let marks: &[Mark] = match check.origin.is_secure() {
        true => &[Mark::Tcp, Mark::Tls, Mark::Http],
        false => &[Mark::Tcp, Mark::Http],
    };
    let mut pings = check.addresses.iter().filter_map(|address| address.ping.as_ref());
    let forbidden = pings.find(|ping| matches!(ping, Ping::NotPermitted(_)));
    html! {
        table.stack.addresses {
            thead {
                tr {
                    th { "Address" } th.number { "Ping" } th.number { "TCP" } th.number { "TLS" } th { "HTTP" }
                    th.number { "Server" } th { "Certificate" } @if axis.is_some() { th.own { "On its own" } }
                }
            }
            @for each in &check.addresses { tbody { (address(each, check, axis, now)) } }
        }
        @if let Some(end) = end {
            (legend(marks, html! { "A full bar is " (ms(end)) "." }))
        }
        @if let Some(ping) = forbidden { p.small { "Ping: " (ping) } }
    }
}

fn address(address: &AddressCheck, check: &Check, axis: Option<Axis>, now: SystemTime) -> Markup {
    let AddressCheck { addr, target, source, pointers, ping, probe, .. } = address;
    let columns = if axis.is_some() { 8 } else { 7 };
    html! {
        tr {
            th scope="row" {
                span.addr { (check.label(*addr)) }
                @if let Some(target) = target { span.small { "of " (bare(target)) } }
                @match pointers {
                    Some(Ok(names)) => @for name in names { span.small { (bare(name)) } },
                    Some(Err(error)) if !is_negative(error.kind()) => span.small { "PTR: " (error) },
                    _ => {}
                }
                @if let Some(source) = source { span.small { "from " (source) } }
            }
            td.number data-label="Ping" {
                @match ping {
                    // Why not stands below: it is the same for all.
                    None | Some(Ping::NotPermitted(_)) => {}
                    Some(Ping::Answered(after)) => (ms(*after)),
                    Some(ping) => span.item { (ping) },
                }
            }
            td.number data-label="TCP" { (stage(probe.tcp, None)) }
            td.number data-label="TLS" {
                (stage(probe.tls, probe.tcp))
                @if let Some(tls) = &probe.tls_info { span.small { (tls.version()) } }
            }
            td data-label="HTTP" { (status(probe)) }
            td.number data-label="Server" { (stage(probe.server_time(), None)) }
            td.full data-label="Certificate" {
                @if let Some(shown) = &probe.certificate { (certificate(shown, now)) }
            }
            @if let Some(axis) = axis {
                td.own {
                    @if probe.tcp.is_some() {
                        (axis.bar(false, &row(probe, check.label(*addr), check.origin.is_secure())))
                    }
                }
            }
        }
        @if let Some(fault) = &probe.fault { tr.fault { td colspan=(columns) { (sentence(fault)) } } }
    }
}

/// How a probe went, as a row of a waterfall.
fn row(probe: &Probe, label: String, secure: bool) -> Row {
    let start = Duration::ZERO;
    let (tls, http) = if secure { (probe.tcp, probe.tls) } else { (None, probe.tcp) };
    let spans = [(Some(start), Mark::Tcp), (tls, Mark::Tls), (http, Mark::Http)];
    let spans = spans.into_iter().filter_map(|(start, mark)| Some(Span { start: start?, mark })).collect();
    let (text, tone) = match &probe.fault {
        None => ("serves".into(), Tone::Plain),
        Some(fault) => (fault.to_string(), Tone::Failed),
    };
    Row { label, start, end: Some(probe.total), spans, text, tone }
}

fn certificate(certificate: &Certificate, now: SystemTime) -> Markup {
    let Certificate { subject, names, not_after, .. } = certificate;
    let left = not_after.after(now);
    let days = left.map(|left| left.as_secs() / (24 * 60 * 60));
    html! {
        @if names.is_empty() { span.item { (subject) } }
        @for name in names.iter().take(NAMES) { span.item { (name) } }
        @if names.len() > NAMES { span.small { "and " (names.len() - NAMES) " more" } }
        span.small.failed[left.is_none_or(|left| left < SOON)] {
            "until " (format!("{not_after:#}"))
            @match days {
                None => ", which is past",
                Some(1) => ", 1 day",
                // Nobody counts so far.
                Some(days) if days < 1000 => { ", " (days) " days" }
                Some(_) => {}
            }
        }
    }
}

/// Each address, and the name, from here and through each proxy.
pub(super) fn via(check: &Check) -> Markup {
    // A proxy may have been asked of what was not found here.
    let addrs: BTreeSet<SocketAddr> =
        check.via.iter().flat_map(|via| via.addresses.iter().map(|(addr, _)| *addr)).collect();
    let has_name = check.via.iter().any(|via| via.by_name.is_some());
    html! {
        div.wide {
            table {
                thead { tr { th {} @for via in &check.via { th { (via.proxy) } } } }
                tbody {
                    @if has_name {
                        tr { th scope="row" { "by name" } @for via in &check.via { td { (seen(via.by_name.as_ref())) } } }
                    }
                    @for addr in addrs {
                        tr {
                            th scope="row" { (check.label(addr)) }
                            @for via in &check.via {
                                td { (seen(via.addresses.iter().find(|(of, _)| *of == addr).map(|(_, probe)| probe))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn seen(probe: Option<&Probe>) -> Markup {
    html! {
        @match probe {
            None => {}
            Some(Probe { fault: Some(fault), .. }) => (sentence(fault)),
            Some(probe) => { (status(probe)) span.small { (ms(probe.total)) } }
        }
    }
}

fn sentence(fault: &Fault) -> Markup {
    html! {
        @if fault.class.is_unchecked() { span.lost { (fault) } } @else { span.failed { "✗ " (fault) } }
    }
}

fn status(probe: &Probe) -> Markup {
    html! {
        @if let Some(response) = &probe.response {
            @if probe.is_good() { span.good { "✓ " (response.status.as_u16()) } } @else { (response.status.as_u16()) }
            span.small { (http_version(response.version)) }
            @if let Some(location) = response.location.as_ref().filter(|_| response.status.is_redirection()) {
                span.small { "→ " (location) }
            }
        }
    }
}

/// What a stage took that ended at `end`.
fn stage(end: Option<Duration>, start: Option<Duration>) -> Markup {
    html! {
        @if let Some(end) = end { (ms(end.saturating_sub(start.unwrap_or_default()))) }
    }
}

pub(super) fn ms(time: Duration) -> Markup {
    html! { (millis(time)) " ms" }
}

fn is_negative(kind: ResolveErrorKind) -> bool {
    matches!(kind, ResolveErrorKind::NoData | ResolveErrorKind::NxDomain)
}
