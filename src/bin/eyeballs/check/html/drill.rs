//! The drill: scenarios by clients.

use hyper_happy_eyeballs::reachability::{Check, Client, DRILL_LIMIT, DrillOutcome, DrillRun, Scenario};
use maud::{Markup, html};

use super::tables::ms;

pub(super) fn table(check: &Check) -> Markup {
    let mut scenarios: Vec<Scenario> = check.drill.iter().map(|run| run.scenario).collect();
    scenarios.dedup();
    let run = |scenario, client| check.drill.iter().find(|run| (run.scenario, run.client) == (scenario, client));
    let failures = check.drill.iter().filter_map(|run| match &run.outcome {
        DrillOutcome::Failed { error, .. } => Some((run, error)),
        _ => None,
    });
    html! {
        p.small {
            "What each new connection costs beyond the best address that is left, if packets of a family do not arrive. "
            "A client is cut off after " (DRILL_LIMIT.as_secs()) " s, which is the length of a full bar."
        }
        table.drill {
            thead { tr { th {} @for client in Client::ALL { th { (client) } } } }
            tbody {
                @for scenario in scenarios {
                    tr {
                        th scope="row" { (scenario) }
                        @for client in Client::ALL {
                            td { @if let Some(run) = run(scenario, client) { (cell(run, check)) } }
                        }
                    }
                }
            }
        }
        @if failures.clone().next().is_some() {
            details {
                summary { "Why clients failed" }
                @for (run, error) in failures { p.small { (run.scenario) ", " (run.client) ": " (error) } }
            }
        }
    }
}

fn cell(run: &DrillRun, check: &Check) -> Markup {
    html! {
        @match &run.outcome {
            DrillOutcome::Connected { addr, after } => {
                strong { @if let Some(cost) = run.cost { "+" (cost.as_millis()) " ms" } @else { (ms(*after)) } }
                (bar(run.cost.unwrap_or(*after).as_secs_f64(), "spent"))
                span.small { (check.label(*addr)) }
            }
            DrillOutcome::Failed { after, .. } => {
                strong.failed { "✗ failed" }
                (bar(after.as_secs_f64(), "loss"))
                span.small { "after " (ms(*after)) }
            }
            _ => {
                strong.failed { "> " (DRILL_LIMIT.as_secs()) " s" }
                (bar(DRILL_LIMIT.as_secs_f64(), "loss"))
            }
        }
    }
}

/// Of so many seconds.
fn bar(seconds: f64, class: &str) -> Markup {
    let width = (seconds / DRILL_LIMIT.as_secs_f64() * 100.0).clamp(0.5, 100.0);
    html! {
        svg.drilled viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" {
            rect.track x="0" y="0" width="100" height="6" {}
            rect.(class) x="0" y="0" width=(format!("{width:.1}")) height="6" {}
        }
    }
}
