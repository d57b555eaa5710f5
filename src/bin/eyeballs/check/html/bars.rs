//! Rows on a time axis, their bars in SVG. The drawing is as wide as there is room, whatever its units; text is HTML, so
//! that it keeps its size.

use std::time::Duration;

use maud::{Markup, html};

use crate::waterfall::{Mark, Row, Tone, millis, step};

/// The width of a drawing, in units of its own.
const WIDTH: f64 = 1000.0;
/// Whatever happened has a mark, however short it was.
const LEAST: f64 = 4.0;
/// So many numbers fit side by side on a phone.
const TICKS: u32 = 5;

/// From zero to its end.
#[derive(Clone, Copy)]
pub(super) struct Axis(Duration);

impl Axis {
    pub(super) fn new(end: Duration) -> Self {
        Self(end)
    }

    fn at(self, time: Duration) -> f64 {
        match self.0.is_zero() {
            true => 0.0,
            false => (time.as_secs_f64() / self.0.as_secs_f64()).min(1.0) * WIDTH,
        }
    }

    fn ticks(self) -> impl Iterator<Item = Duration> {
        let step = step(self.0, |step| step >= self.0 / TICKS);
        (0..).map(move |count| step * count).take_while(move |tick| *tick < self.0)
    }

    /// The bar of a row, and lines where the axis has round numbers.
    pub(super) fn bar(self, lines: bool, row: &Row) -> Markup {
        let start = self.at(row.start).min(WIDTH - LEAST);
        // `clamp` panics where the bounds have crossed, if by a rounding error alone.
        let end = self.at(row.end.unwrap_or(self.0)).max(start + LEAST);
        let parts = row.spans.iter().enumerate().map(|(index, span)| {
            let from = self.at(span.start).min(end - LEAST).max(start);
            let to = row.spans.get(index + 1).map_or(end, |next| self.at(next.start).min(end - LEAST).max(from));
            (span.mark, from, to)
        });
        html! {
            svg.bar viewBox="0 0 1000 16" preserveAspectRatio="none" role="img" {
                title { (spoken(row)) }
                @for tick in self.ticks().take_while(|_| lines) {
                    @let x = format!("{:.1}", self.at(tick));
                    line.tick x1=(x) x2=(x) y1="0" y2="16" {}
                }
                @for (mark, from, to) in parts { (part(mark, from, to)) }
            }
        }
    }

    fn scale(self) -> Markup {
        html! {
            span.scale aria-hidden="true" {
                @for tick in self.ticks() {
                    span style=(format!("left:{:.2}%", self.at(tick) / WIDTH * 100.0)) { (tick.as_millis()) }
                }
            }
        }
    }
}

/// Each mark has a height of its own, for whoever cannot tell its colour.
fn part(mark: Mark, from: f64, to: f64) -> Markup {
    let (class, height) = match mark {
        Mark::Dns => ("dns", 4),
        Mark::Tcp => ("tcp", 8),
        Mark::Tls => ("tls", 14),
        Mark::Http => ("http", 11),
    };
    html! {
        rect.(class) x=(format!("{from:.1}")) y=(format!("{:.1}", 8.0 - f64::from(height) / 2.0))
            width=(format!("{:.1}", to - from)) height=(height) {}
    }
}

fn spoken(row: &Row) -> String {
    let Row { label, text, .. } = row;
    let start = millis(row.start);
    match row.end {
        Some(end) => format!("{label}: {start} to {} ms, {text}", millis(end)),
        None => format!("{label}: from {start} ms, {text}"),
    }
}

pub(super) fn waterfall(rows: &[Row], end: Duration) -> Markup {
    let axis = Axis::new(end);
    let mut marks = vec![Mark::Dns, Mark::Tcp, Mark::Tls, Mark::Http];
    marks.retain(|mark| rows.iter().flat_map(|row| &row.spans).any(|span| span.mark == *mark));
    html! {
            @if !rows.is_empty() {
                div.waterfall {
                    div.row.head { span {} span.time { "ms" } (axis.scale()) span {} }
                    @for row in rows {
                        @let tone = tone(row.tone);
                        div.row.(tone) {
                            span.label { (row.label) }
                            span.time { (millis(row.start)) "–" @if let Some(end) = row.end { (millis(end)) } }
                            (axis.bar(true, row))
                            span.text { @if row.tone == Tone::Won { "✓ " } (row.text) }
                        }
                    }
                }
    (legend(&marks, html! {}))
            }
        }
}

pub(super) fn legend(marks: &[Mark], more: Markup) -> Markup {
    html! {
        p.legend {
            @for &mark in marks {
                span {
                    svg.key viewBox="0 0 24 16" aria-hidden="true" { (part(mark, 0.0, 24.0)) }
                    (word(mark))
                }
            }
            (more)
        }
    }
}

fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::Dns => "DNS",
        Mark::Tcp => "TCP",
        Mark::Tls => "TLS",
        Mark::Http => "until the first byte",
    }
}

pub(super) fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Won => "won",
        Tone::Lost => "lost",
        Tone::Failed => "failed",
    }
}
