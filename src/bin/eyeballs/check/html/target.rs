//! One target: the verdict, and what stands behind it.

use std::time::SystemTime;

use hyper_happy_eyeballs::reachability::{Check, Level};
use maud::{Markup, html};

use super::page::icon;
use super::{bars, drill, tables};
use crate::check::Checked;
use crate::get::draw::{rows, tls_facts};
use crate::waterfall::millis;
use crate::words::http_version;

pub(super) struct Target<'a> {
    pub(super) url: &'a str,
    pub(super) level: Level,
    pub(super) reason: String,
    check: Option<&'a Check>,
}

impl<'a> Target<'a> {
    pub(super) fn new(checked: &'a Checked) -> Self {
        Self {
            url: &checked.url,
            level: checked.level(),
            reason: checked.reason(),
            check: checked.result.as_ref().ok(),
        }
    }

    pub(super) fn section(&self, id: &str, alone: bool, now: SystemTime) -> Markup {
        let Self { url, level, reason, check } = self;
        html! {
            section.target.(level) id=(id) {
                h2 { span.level.(level) { (icon(*level)) span { (level) } } " " span.url { (url) } }
                p.reason { (reason) }
                @if let Some(check) = check {
                    @for note in &check.verdict.notes { p.note { (note) } }
                    details open[alone || *level != Level::Ok] {
                        summary { "Details" }
                        (details(check, now))
                    }
                }
            }
        }
    }
}

fn details(check: &Check, now: SystemTime) -> Markup {
    html! {
        @if !check.lookups.is_empty() { h3 { "DNS" } (tables::lookups(check)) }
        @if !check.addresses.is_empty() { h3 { "Addresses" } (tables::addresses(check, now)) }
        (race(check))
        @if !check.drill.is_empty() { h3 { "What a broken family costs" } (drill::table(check)) }
        @if !check.via.is_empty() { h3 { "Through proxies" } (tables::via(check)) }
    }
}

/// What a user of the connector saw.
fn race(check: &Check) -> Markup {
    let race = &check.race;
    let Some(report) = &race.report else { return html! {} };
    let end = race.response.as_ref().map_or(race.total, |response| response.first_byte);
    html! {
        h3 { "A user's connect" }
        p {
            @match report.winner() {
                Some(winner) => { "Connected to " strong { (check.label(winner.addr())) } " in " (millis(report.elapsed())) " ms" }
                None => { "Not connected in " (millis(report.elapsed())) " ms" }
            }
            @if let Some(response) = &race.response {
                ", first byte in " (millis(response.first_byte)) " ms, "
                (http_version(response.version)) " " (response.status)
                @if let Some(location) = response.location.as_ref().filter(|_| response.status.is_redirection()) {
                    " to " (location)
                }
            }
            "."
        }
        (bars::waterfall(&rows(race, report), end))
        @if let Some(tls) = race.connection.as_ref().and_then(|connection| connection.tls.as_ref()) {
            p.small { (tls_facts(tls)) }
        }
    }
}
