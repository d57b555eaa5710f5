//! `eyeballs check`: whether sites are reachable, by each of their addresses.

mod draw;
mod html;
mod json;

use std::cell::Cell;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Args, value_parser};
use futures_util::stream::{self, StreamExt};
use hyper_happy_eyeballs::reachability::{Check, Level, Proxy};
use tokio::task::yield_now;

use crate::args::{ConnectOptions, OutputOptions};
use crate::connect::{Checkers, parse, unfit};
use crate::exit::Fault;
use crate::progress::Progress;
use crate::terminal::{Canvas, Output, Reader};
use draw::Detail;

/// Check sites by each of their addresses, and what a broken family costs their users
///
/// The first line is the verdict. A site is ok if all of its addresses serve: TCP, TLS with a certificate that is good
/// for it, and a response without an error of the server. It is degraded if a user is served although an address, a
/// lookup or a proxy is at fault, and down if no user is. What this host cannot check, as it has no route to a family,
/// counts against nobody and is noted.
///
/// Below are DNS; every address on its own; the connect of a user, drawn as `eyeballs get` does; and a drill: the same
/// connect while a family is made silent or refusing within this process, by clients of three generations, with what
/// each loses by it. Times are in milliseconds. Of several targets only those that are not ok are shown in full, unless
/// --verbose is given; they come in the order in which they were given.
///
/// --connect-timeout is the time that each address has to connect, and then to respond. Redirects are not followed.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// What to check, of the scheme http or https
    #[arg(value_name = "URL", required_unless_present = "targets")]
    urls: Vec<String>,

    /// Check the URLs in this file too, one a line; blank lines and those that begin with # are skipped, - is stdin
    #[arg(long, value_name = "FILE")]
    targets: Option<PathBuf>,

    /// Check so many at once; for exact times 1, as each has some of the work of the others in its own
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1000), default_value_t = 10)]
    parallel: u16,

    /// Check from this SOCKS5 proxy too, which resolves the name itself; may be repeated
    #[arg(long, value_name = "socks5h://HOST:PORT")]
    via: Vec<Proxy>,

    /// Do not find out what a broken family would cost
    #[arg(long)]
    no_drill: bool,

    /// Send no ICMP echo requests
    #[arg(long)]
    no_ping: bool,

    /// Write a page with everything of every target to this file, the worst first; it needs no other file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Show everything of every target
    #[arg(short, long)]
    verbose: bool,

    #[command(flatten)]
    connect: ConnectOptions,

    #[command(flatten)]
    output: OutputOptions,
}

/// Reasons stand below each other up to URLs of that length.
const LONGEST_URL: usize = 40;

const EXAMPLES: &str = "\
Examples:
  Is it reachable, by all of its addresses, and whom does it hurt if it is not?
    eyeballs check https://example.org/

  Every site of a list, 50 at a time, and those that are not ok for another program:
    eyeballs check --targets sites.txt --parallel 50
    eyeballs check --targets sites.txt --parallel 50 --json | jq -r 'select(.verdict != \"ok\") | .url'

  A list from another program, without a word, for a script:
    list-sites | eyeballs check --targets - --quiet || alert

  A page to look at and to send on, and nothing else:
    eyeballs check --targets sites.txt --html sites.html --quiet

  A server before it is in DNS, with the certificate of a private authority:
    eyeballs check --resolve www.example.org:443:192.0.2.1,2001:db8::1 --ca-file ca.pem https://www.example.org/

  A URL from somebody else, which must not lead into this network:
    eyeballs check --public-only https://example.org/

  What does it look like from elsewhere, through the port of `ssh -D 1080 elsewhere.example.org`?
    eyeballs check --via socks5h://localhost:1080 https://example.org/

  Which addresses are at fault, and how?
    eyeballs check --json https://example.org/ | jq -c '.addresses[] | [.addr, .probe.fault.class]'

Exit codes:
  0 all are ok   1 some are degraded   2 some are down, or no URLs   64 bad usage";

/// One target, and what is wrong with its URL or was found.
pub(crate) struct Checked {
    /// As it was given.
    pub(crate) url: String,
    pub(crate) result: Result<Check, String>,
}

impl Checked {
    pub(crate) fn level(&self) -> Level {
        self.result.as_ref().map_or(Level::Down, |check| check.verdict.level)
    }

    pub(crate) fn reason(&self) -> String {
        match &self.result {
            Ok(check) => check.verdict.reason.clone(),
            Err(why) => format!("bad URL: {why}"),
        }
    }
}

/// Returns the exit code of the worst.
pub(crate) async fn run(args: &CheckArgs) -> Result<ExitCode, Fault> {
    let mut checkers = Checkers::new(&args.connect)?;
    checkers.adjust(|checker| {
        checker.drill(!args.no_drill).ping(!args.no_ping);
        for proxy in &args.via {
            checker.via(proxy.clone());
        }
    });
    let targets = targets(args)?;
    let page = args.html.as_deref().map(Page::new).transpose()?;
    let progress = match &*targets {
        [url] => Progress::of_one(url, args.output.quiet),
        _ => Progress::of_many(targets.len(), args.output.quiet),
    };
    let mut printer = Printer::new(args, &targets);
    let not_ok = Cell::new(0);
    let checks = stream::iter(targets).map(|url| async {
        let checked = check(&checkers, url).await;
        not_ok.set(not_ok.get() + u32::from(checked.level() != Level::Ok));
        progress.advance(format!(", {} not ok", not_ok.get()));
        checked
    });
    // Those that are done wait here for those before them, and nothing else is begun meanwhile.
    let mut checks = pin!(checks.buffered(args.parallel.into()));
    let worst = progress.during(async {
        let mut worst = Level::Ok;
        let mut kept = Vec::new();
        while let Some(checked) = checks.next().await {
            worst = worst.max(checked.level());
            // Where all fail at once, the runtime would never come to the sockets that are closed.
            yield_now().await;
            if progress.aside(|| printer.print(&checked))? == Reader::Gone {
                break;
            }
            if page.is_some() {
                kept.push(checked);
            }
        }
        page.map_or(Ok(()), |page| page.write(&kept))?;
        Ok(worst)
    });
    Ok(exit_code(worst.await?))
}

fn exit_code(worst: Level) -> ExitCode {
    match worst {
        Level::Ok => 0,
        Level::Degraded => 1,
        Level::Down => 2,
    }
    .into()
}

async fn check(checkers: &Checkers, url: String) -> Checked {
    let result = match parse(&url) {
        Ok((uri, origin)) => checkers.of(&origin).check(&uri).await.map_err(|error| unfit(&error)),
        Err(why) => Err(why),
    };
    Checked { url, result }
}

/// Those of the command line, then those of the file.
fn targets(args: &CheckArgs) -> Result<Vec<String>, Fault> {
    let mut targets = args.urls.clone();
    if let Some(path) = &args.targets {
        let fault = |what: &str| Fault::usage(format!("--targets {}: {what}", path.display()));
        let text = read(path).map_err(|error| fault(&error.to_string()))?;
        // Some editors begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let before = targets.len();
        targets.extend(lines.map(str::to_owned));
        if targets.len() == before {
            return Err(fault("no URL in it"));
        }
    }
    Ok(targets)
}

fn read(path: &Path) -> io::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    fs::read_to_string(path)
}

/// The file of `--html`.
struct Page<'a>(&'a Path);

impl<'a> Page<'a> {
    /// Finds out now whether it can be written; what is in it stays until there is something better.
    fn new(path: &'a Path) -> Result<Self, Fault> {
        match OpenOptions::new().append(true).create(true).open(path) {
            Ok(_) => Ok(Self(path)),
            Err(error) => Err(Fault::file(path, &error)),
        }
    }

    fn write(self, checked: &[Checked]) -> Result<(), Fault> {
        fs::write(self.0, html::page(checked, SystemTime::now())).map_err(|error| Fault::file(self.0, &error))
    }
}

/// Prints what was found as the options want it.
struct Printer<'a> {
    options: &'a OutputOptions,
    detail: Detail,
    output: Output,
    canvas: Canvas,
    /// Of the longest URL, within reason.
    url_width: usize,
    /// Whether the last drawing had details; `None` before the first.
    last: Option<bool>,
}

impl<'a> Printer<'a> {
    fn new(args: &'a CheckArgs, targets: &[String]) -> Self {
        let options = &args.output;
        let detail = if targets.len() == 1 || args.verbose { Detail::Full } else { Detail::OfFaulty };
        let longest = targets.iter().map(|url| url.chars().count()).max().unwrap_or_default();
        Self {
            options,
            detail,
            output: Output::new(options.no_color),
            canvas: Canvas::detect(),
            url_width: longest.min(LONGEST_URL),
            last: None,
        }
    }

    fn print(&mut self, checked: &Checked) -> Result<Reader, Fault> {
        match self.options {
            OutputOptions { json: true, .. } => self.output.print(&json::line(checked)),
            OutputOptions { quiet: true, .. } => Ok(Reader::Listens),
            _ => {
                let details = self.detail.of(checked);
                let drawing = draw::drawing(checked, details, self.url_width, self.canvas);
                // Verdicts alone make a list, all else stands apart.
                let gap = self.last.is_some_and(|last| last || details.is_some());
                self.last = Some(details.is_some());
                self.output.print(&format!("{}{drawing}", if gap { "\n" } else { "" }))
            }
        }
    }
}
