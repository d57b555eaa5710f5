//! The page: its head, the summary, the targets.

use std::cmp::Reverse;
use std::time::SystemTime;

use hyper_happy_eyeballs::reachability::{Level, Timestamp};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::target::Target;
use crate::check::Checked;
use crate::waterfall::clean;

const STYLE: &str = include_str!("style.css");
/// Styles stand in the page, and it needs nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// What was found by `now`, the worst first.
pub(crate) fn page(checked: &[Checked], now: SystemTime) -> String {
    let mut targets: Vec<_> = checked.iter().map(Target::new).collect();
    targets.sort_by_key(|target| Reverse(target.level));
    let body = html! {
        header.page {
            h1 { "Reachability" }
            p { (told(now)) " by eyeballs " (env!("CARGO_PKG_VERSION")) }
        }
        @if targets.len() > 1 { (summary(&targets)) }
        main {
            @for (index, target) in targets.iter().enumerate() {
                (target.section(&anchor(index), targets.len() == 1, now))
            }
        }
    };
    let title = match &*targets {
        [target] => format!("{}: {}", target.url, target.level),
        targets => format!("{} targets: {}", targets.len(), counts(targets).join(", ")),
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (clean(&title)) }
                style { (PreEscaped(STYLE)) }
            }
            // Templates escape, but let control characters pass. They write none of their own.
            body { (PreEscaped(clean(&body.into_string()))) }
        }
    };
    page.into_string()
}

fn told(now: SystemTime) -> Markup {
    html! {
        @if let Some(now) = Timestamp::of(now) {
            time datetime=(now) { (now.to_string().replace('T', " ").replace('Z', " UTC")) }
        } @else {
            "Checked"
        }
    }
}

fn summary(targets: &[Target<'_>]) -> Markup {
    html! {
        nav aria-label="Targets" {
            p.counts {
                @for level in LEVELS {
                    @let count = count(targets, level);
                    @if count > 0 { span.count.(level) { (icon(level)) strong { (count) } " " (level) } }
                }
            }
            ol {
                @for (index, target) in targets.iter().enumerate() {
                    li {
                        a href={ "#" (anchor(index)) } {
                            span.level.(target.level) { (icon(target.level)) span { (target.level) } }
                            span.url { (target.url) }
                            span.reason { (target.reason) }
                        }
                    }
                }
            }
        }
    }
}

const LEVELS: [Level; 3] = [Level::Down, Level::Degraded, Level::Ok];

fn count(targets: &[Target<'_>], level: Level) -> usize {
    targets.iter().filter(|target| target.level == level).count()
}

fn counts(targets: &[Target<'_>]) -> Vec<String> {
    let counts = LEVELS.map(|level| (count(targets, level), level));
    counts.iter().filter(|(count, _)| *count > 0).map(|(count, level)| format!("{count} {level}")).collect()
}

fn anchor(index: usize) -> String {
    format!("target-{}", index + 1)
}

/// A level by its shape, for whoever cannot tell its colour.
pub(super) fn icon(level: Level) -> Markup {
    html! {
        svg.icon viewBox="0 0 16 16" aria-hidden="true" {
            @match level {
                Level::Ok => {
                    circle cx="8" cy="8" r="7.5" {}
                    path.sign d="M4.6 8.4 7 10.8 11.6 5.6" {}
                }
                Level::Degraded => {
                    path d="M8 .8 15.8 14.8H.2Z" {}
                    path.sign d="M8 5.6V10M8 12v.6" {}
                }
                Level::Down => {
                    path d="M4.8.3h6.4l4.5 4.5v6.4l-4.5 4.5H4.8L.3 11.2V4.8Z" {}
                    path.sign d="M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6" {}
                }
            }
        }
    }
}
