//! A waterfall: rows on one time axis, each with its times, its bar, and what came of it.
//!
//! It knows nothing of races, only rows. Colours are ANSI, for whoever prints it to strip where they are not wanted.

use std::fmt::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use crate::terminal::Canvas;

/// Bars are not longer than that on a wide terminal: the eye has to find its way along the row.
const LONGEST_BAR: usize = 72;
const SHORTEST_BAR: usize = 20;
/// A full IPv6 address is never cut, a long name is.
const LONGEST_LABEL: usize = 40;

pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

/// One thing that took time.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) label: String,
    pub(crate) start: Duration,
    /// None while it is under way at the end of the axis.
    pub(crate) end: Option<Duration>,
    pub(crate) spans: Vec<Span>,
    /// What came of it.
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// A part of a bar, up to the start of the next part or the end of the row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: Duration,
    pub(crate) mark: Mark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Dns,
    Tcp,
    Tls,
    Http,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    /// The winner, and nothing else.
    Won,
    Lost,
    Failed,
}

impl Mark {
    fn glyph(self, unicode: bool) -> char {
        match (self, unicode) {
            (Self::Dns, true) => '─',
            (Self::Tcp, true) => '━',
            (Self::Tls, true) => '█',
            (Self::Http, true) => '░',
            (Self::Dns, false) => '-',
            (Self::Tcp, false) => '=',
            (Self::Tls, false) => '#',
            (Self::Http, false) => '.',
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Dns => AnsiColor::Cyan,
            Self::Tcp => AnsiColor::Yellow,
            Self::Tls => AnsiColor::Magenta,
            Self::Http => AnsiColor::Blue,
        }
        .on_default()
    }
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Won => GOOD,
            Self::Lost => DIM,
            Self::Failed => BAD,
        }
    }
}

/// Draws `rows` on an axis that ends at `end`, a line each, below a line with the title and the scale.
pub(crate) fn draw(title: &str, rows: &[Row], end: Duration, canvas: Canvas) -> String {
    let layout = Layout::new(title, rows, end, canvas);
    let mut drawing = String::new();
    layout.scale(&mut drawing, title);
    for row in rows {
        layout.row(&mut drawing, row);
    }
    drawing
}

struct Layout {
    canvas: Canvas,
    axis_end: Duration,
    label: usize,
    time: usize,
    bar: usize,
    text: usize,
}

impl Layout {
    fn new(title: &str, rows: &[Row], axis_end: Duration, canvas: Canvas) -> Self {
        let lengths = |of: fn(&Row) -> &str| rows.iter().map(move |row| of(row).chars().count());
        let label = lengths(|row| &row.label).chain([title.chars().count()]).max();
        let label = label.unwrap_or_default().min(LONGEST_LABEL);
        let time = rows.iter().flat_map(|row| [Some(row.start), row.end]).flatten().chain([axis_end]);
        let time = time.map(|time| millis(time).len()).max().unwrap_or_default().max("start".len());
        // Between the columns there are two blanks, and the bar has edges.
        let rest = canvas.width.saturating_sub(label + 2 + time + 1 + time + 2 + 2 + 1);
        // What takes more than half of the rest goes below anyway. The winner has a mark in front.
        let text = lengths(|row| &row.text).map(|length| length + 2).filter(|length| *length <= rest / 2).max();
        // The scale has its unit there.
        let text = text.unwrap_or_default().max(" ms".len());
        // Beside a long address on a narrow terminal there is hardly room for a bar.
        let longest = rest.saturating_sub(" ms".len()).clamp(1, LONGEST_BAR);
        let bar = rest.saturating_sub(text).max(SHORTEST_BAR).min(longest);
        Self { canvas, axis_end, label, time, bar, text: rest.saturating_sub(bar) }
    }

    /// Where the axis has round numbers.
    fn scale(&self, drawing: &mut String, title: &str) {
        let Self { label, time, bar, .. } = *self;
        let mut ticks = String::new();
        let step = self.step();
        for tick in (0..).map(|count| step * count).take_while(|tick| *tick < self.axis_end) {
            let (text, column) = (tick.as_millis().to_string(), self.column(tick));
            if column + text.len() <= bar {
                ticks += &" ".repeat(column - ticks.len());
                ticks += &text;
            }
        }
        let _ = write!(drawing, "{BOLD}{title:label$}{BOLD:#}  ");
        let _ = writeln!(drawing, "{DIM}{:>time$} {:>time$}   {ticks:bar$}  ms{DIM:#}", "start", "end");
    }

    fn row(&self, drawing: &mut String, row: &Row) {
        let Self { label, time, .. } = *self;
        let tone = row.tone.style();
        let name = self.shortened(&row.label);
        let start = millis(row.start);
        let end = row.end.map(millis).unwrap_or_default();
        let (bar, edge) = (self.bar(row), self.edge());
        let _ = write!(drawing, "{tone}{name:label$}{tone:#}  {start:>time$} {end:>time$}  {edge}{bar}{edge}");
        let won = if row.tone == Tone::Won && self.canvas.unicode { "✓ " } else { "" };
        let text = format!("{won}{}", row.text);
        if text.chars().count() <= self.text {
            let _ = writeln!(drawing, " {tone}{text}{tone:#}");
        } else {
            drawing.push('\n');
            for line in wrapped(&text, self.canvas.width.saturating_sub(4)) {
                let _ = writeln!(drawing, "    {tone}{line}{tone:#}");
            }
        }
    }

    fn bar(&self, row: &Row) -> String {
        let start = self.column(row.start).min(self.bar - 1);
        // Whatever happened has a mark, however short it was.
        let end = self.column(row.end.unwrap_or(self.axis_end)).clamp(start + 1, self.bar);
        let mut bar = " ".repeat(start);
        let mut at = start;
        for (index, span) in row.spans.iter().enumerate() {
            let is_last = index + 1 == row.spans.len();
            // The last part, which tells how it ended, has one too.
            let until = row.spans.get(index + 1).map_or(end, |next| self.column(next.start).min(end - 1)).max(at);
            let until = if is_last { end } else { until };
            let style = span.mark.style();
            let marks = span.mark.glyph(self.canvas.unicode).to_string().repeat(until - at);
            if !marks.is_empty() {
                let _ = write!(bar, "{style}{marks}{style:#}");
            }
            at = until;
        }
        bar + &" ".repeat(self.bar - at)
    }

    fn column(&self, time: Duration) -> usize {
        match self.axis_end.is_zero() {
            true => 0,
            false => (time.as_secs_f64() / self.axis_end.as_secs_f64() * self.bar as f64).round() as usize,
        }
    }

    /// Such that the numbers of the scale stand well apart.
    fn step(&self) -> Duration {
        let longest = self.axis_end.as_millis().to_string().len();
        step(self.axis_end, |step| self.column(step) >= longest + 4)
    }

    fn edge(&self) -> String {
        let edge = if self.canvas.unicode { '│' } else { '|' };
        format!("{DIM}{edge}{DIM:#}")
    }

    fn shortened(&self, label: &str) -> String {
        match label.chars().count() <= self.label {
            true => label.into(),
            false => {
                let end = if self.canvas.unicode { "…" } else { "~" };
                label.chars().take(self.label - 1).collect::<String>() + end
            }
        }
    }
}

/// Between the ticks of an axis that ends at `end`: the least of 1, 2, 5, 10, 20 ... ms that is `wide` enough.
pub(crate) fn step(end: Duration, wide: impl Fn(Duration) -> bool) -> Duration {
    let mut unit = Duration::from_millis(1);
    loop {
        for step in [unit, unit * 2, unit * 5] {
            if step >= end || wide(step) {
                return step;
            }
        }
        unit *= 10;
    }
}

/// Without control characters, which could write anywhere on the terminal, and without those that turn the direction of
/// the text around them.
pub(crate) fn clean(text: &str) -> String {
    let turns =
        |char| matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|char| if char.is_control() || turns(char) { '?' } else { char }).collect()
}

/// Milliseconds with one decimal.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

/// Lines of at most `width` characters, unless a word is longer.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

#[cfg(test)]
mod tests;
