//! Stdout: its width, its characters, its colours, and its end.

use std::env;
use std::io::{self, ErrorKind, Stdout, Write};

use anstream::{AutoStream, ColorChoice};

use crate::exit::Fault;

/// Columns where nobody says how many there are.
const DEFAULT_WIDTH: usize = 100;

/// Where data goes.
pub(crate) struct Output {
    stream: AutoStream<Stdout>,
}

/// Whether somebody still reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Listens,
    Gone,
}

impl Output {
    /// With colour on a terminal, unless `no_color`, `NO_COLOR` or `TERM=dumb` say otherwise; `CLICOLOR_FORCE` has it
    /// everywhere.
    pub(crate) fn new(no_color: bool) -> Self {
        let choice = if no_color { ColorChoice::Never } else { ColorChoice::Auto };
        Self { stream: AutoStream::new(io::stdout(), choice) }
    }

    /// Writes all of `text` now. A reader that has gone away has read enough.
    pub(crate) fn print(&mut self, text: &str) -> Result<Reader, Fault> {
        match self.stream.write_all(text.as_bytes()).and_then(|()| self.stream.flush()) {
            Ok(()) => Ok(Reader::Listens),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
            Err(error) => Err(Fault::output(&error)),
        }
    }
}

/// What a drawing has to fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canvas {
    /// Columns.
    pub(crate) width: usize,
    /// Whether there is more than ASCII.
    pub(crate) unicode: bool,
}

impl Canvas {
    /// Of stdout: the terminal's width, else what `COLUMNS` says.
    pub(crate) fn detect() -> Self {
        let terminal = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        let told = || env::var("COLUMNS").ok()?.parse().ok();
        let width = terminal.filter(|&width| width > 0).or_else(told).unwrap_or(DEFAULT_WIDTH);
        Self { width: width.clamp(60, 200), unicode: unicode() }
    }
}

/// Whether the locale has UTF-8; Windows has none that would say.
fn unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(env::var_os).find(|value| !value.is_empty());
    match locale {
        Some(locale) => names_utf8(&locale.to_string_lossy()),
        None => cfg!(windows),
    }
}

fn names_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_name_their_charset() {
        assert!(["C.UTF-8", "de_DE.utf8", "en_US.UTF-8@euro"].into_iter().all(names_utf8));
        assert!(!["C", "POSIX", "de_DE@euro", "ja_JP.eucJP"].into_iter().any(names_utf8));
    }
}
