//! `eyeballs get`: fetches URLs, and draws or tells how each was reached.

pub(crate) mod draw;
pub(crate) mod fetch;
pub(crate) mod json;

use std::process::ExitCode;

use clap::Args;
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::args::{ConnectOptions, OutputOptions, RepeatOptions};
use crate::complain;
use crate::connect::Connectors;
use crate::exit::{Fault, Stage};
use crate::progress::Progress;
use crate::terminal::{Canvas, Output, Reader};
use crate::waterfall::clean;
use fetch::{Fetched, fetch};

/// Fetch URLs, one after the other, and draw how each was reached
///
/// The host is looked up and its addresses are raced. The drawing has a row for each query, each address tried, and the
/// request, on one time axis that ends with the first byte of the response; the winner is marked, and the status comes
/// last. Redirects are not followed, and an http URL stays http even if the host has HTTPS records.
///
/// In the bars DNS is a thin line, TCP a thick one, TLS solid, and the wait for the first byte dotted; where the locale
/// lacks UTF-8 they are - = # and dots. Times are in milliseconds from the start of the connect.
///
/// After --connect-timeout, which is for the connect alone, a server has 30 s for each sign of life. A body is read to
/// its end, up to 64 MiB.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct GetArgs {
    /// What to fetch, of the scheme http or https
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,

    #[command(flatten)]
    connect: ConnectOptions,

    #[command(flatten)]
    repeat: RepeatOptions,

    #[command(flatten)]
    output: OutputOptions,
}

const EXAMPLES: &str = "\
Examples:
  How is it reached, and what would a client of old have done?
    eyeballs get https://example.org/
    eyeballs get --strategy sequential https://example.org/

  Does each family work on its own?
    eyeballs get -4 https://example.org/ && eyeballs get -6 https://example.org/

  A server before it is in DNS, with the certificate of a private authority:
    eyeballs get --resolve www.example.org:443:192.0.2.1,2001:db8::1 --ca-file ca.pem https://www.example.org/

  What do other name servers answer?
    eyeballs get --resolver 192.0.2.53 --resolver '[2001:db8::53]:5353' https://example.org/

  A URL from somebody else, which must not lead into this network:
    eyeballs get --public-only https://example.org/

  How long to the first byte, each minute for an hour, for another program?
    eyeballs get --json --repeat 60 --interval 60 https://example.org/ | jq .phases.ttfb

Exit codes:
  0 fetched, whatever the status   3 bad URL                6 name not resolved
  7 no address connected           28 timed out             35 TLS handshake failed
  56 HTTP failed                   60 bad certificate       64 bad usage
  Addresses that are all denied (--public-only) are 7 too.
  Of several fetches it is that of the first that failed.";

/// Returns the exit code of the first fetch that failed.
pub(crate) async fn run(args: &GetArgs) -> Result<ExitCode, Fault> {
    let connectors = Connectors::new(&args.connect)?;
    let mut printer = Printer::new(&args.output);
    let mut first_failed = None;
    for round in 0..args.repeat.repeat {
        if round > 0
            && let Some(pause) = args.repeat.interval
        {
            sleep(pause).await;
        }
        for url in &args.urls {
            let progress = Progress::of_one(url, args.output.quiet);
            let fetched = progress.during(fetch(&connectors, url)).await;
            // Where all fail at once, the runtime would never come to the sockets that are closed.
            yield_now().await;
            first_failed = first_failed.or_else(|| Some(fetched.failure()?.stage));
            if printer.print(&fetched)? == Reader::Gone {
                return Ok(exit_code(first_failed));
            }
        }
    }
    Ok(exit_code(first_failed))
}

fn exit_code(failed: Option<Stage>) -> ExitCode {
    failed.map_or(ExitCode::SUCCESS, Into::into)
}

/// Prints what was fetched as the options want it.
struct Printer<'a> {
    options: &'a OutputOptions,
    output: Output,
    canvas: Canvas,
    is_first: bool,
}

impl<'a> Printer<'a> {
    fn new(options: &'a OutputOptions) -> Self {
        Self { options, output: Output::new(options.no_color), canvas: Canvas::detect(), is_first: true }
    }

    fn print(&mut self, fetched: &Fetched) -> Result<Reader, Fault> {
        match self.options {
            OutputOptions { json: true, .. } => self.output.print(&json::line(fetched)),
            OutputOptions { quiet: true, .. } => Ok(Reader::Listens),
            _ => self.draw(fetched),
        }
    }

    fn draw(&mut self, fetched: &Fetched) -> Result<Reader, Fault> {
        let url = clean(&fetched.url);
        let drawing = fetched.result.as_ref().map_or_else(|_| String::new(), |it| draw::drawing(&url, it, self.canvas));
        let gap = if self.is_first || drawing.is_empty() { "" } else { "\n" };
        self.is_first &= drawing.is_empty();
        let reader = self.output.print(&format!("{gap}{drawing}"))?;
        if let Some(failure) = fetched.failure() {
            complain(format_args!("{url}: {}", failure.brief()));
        }
        Ok(reader)
    }
}
