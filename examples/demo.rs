//! Four clients in worlds where something is broken, measured against each other and against the ideal.
//!
//! ```text
//! cargo run --example demo              a table, then the timeline of this crate's connector in each world
//! cargo run --example demo -- --json    one line a world, and nothing else on stdout
//! ```
//!
//! It needs neither a network nor root: DNS, the servers and the dead addresses are all on loopback, in this process.
//!
//! A time is from the call of the connector to the stream with TLS up. It is the median of three runs, each with a
//! connector of its own, so that nothing is cached or pooled. A run is cut after 5 s and not repeated then. The ideal is
//! what the world makes a client of the v3 draft wait for, without the handshakes. This crate's connector is
//! too slow for a world if it is in every run, of which there are up to fifteen then; the median is that of the first
//! three.
//!
//! In the JSON a time is null where a run was cut or the client gave up. In the world where nothing can be connected to,
//! every client has a connect timeout of 2 s where it knows one, and the time is that to the error.

#[path = "../tests/lab/mod.rs"]
mod lab;

use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Uri;
use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{Config, Families, HappyEyeballsConnector, Report};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tower_service::Service;

use lab::world::PATIENCE;
use lab::{Ca, Kind, LookupIp, Loopback, World};

const RUNS: usize = 3;
/// As many for ours, while each was too slow: a busy machine makes some so, a slow connector all.
const MOST_RUNS: usize = 12;
const CUT: Duration = Duration::from_secs(5);
const ALPN: [&str; 2] = ["h2", "http/1.1"];
/// What a world may cost above its ideal before it counts as failed. On a quiet machine it is a few milliseconds, the
/// handshakes; a busy one needs room.
const TOLERANCE: Duration = Duration::from_millis(60);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut output: Box<dyn Output> = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Box::new(Table::default()),
        ["--json"] => Box::new(JsonLines),
        _ => {
            eprintln!("usage: demo [--json]");
            return ExitCode::from(64);
        }
    };
    match demonstrate(&mut *output).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("\nworlds that failed: {failed}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the demo cannot run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures every client in every world; returns how many worlds failed.
async fn demonstrate(output: &mut dyn Output) -> Result<usize, BoxError> {
    let ca = Ca::new();
    let loopback = Loopback::detect().await;
    if loopback == Loopback::Ipv4Only {
        let (first, second) = (loopback.first(), loopback.second());
        eprintln!("This host has no IPv6: {first} plays the IPv6 address of every world, and {second} the IPv4 one.\n");
    }
    // The first handshake of a process pays for tables and caches that no later one does.
    let healthy = World::start(Kind::Healthy, &ca, loopback).await?;
    for client in Client::ALL {
        run(client, &healthy, &ca).await?;
    }

    output.begin()?;
    let mut failed = 0;
    for kind in Kind::ALL {
        if !kind.is_possible(loopback) {
            eprintln!("{}: left out, it needs IPv6", kind.name());
            continue;
        }
        let world = World::start(kind, &ca, loopback).await?;
        output.world(&world)?;
        let mut cells = Vec::new();
        let mut shortest = Duration::MAX;
        for client in Client::ALL {
            let cell;
            // In the end it is that of the last client, which is ours.
            (cell, shortest) = measure(client, &world, &ca).await?;
            output.cell(&cell)?;
            cells.push(cell);
        }
        let verdict = judge(&world, ours(&cells), shortest);
        failed += usize::from(verdict.is_err());
        output.verdict(&world, &cells, verdict)?;
    }
    output.end()?;
    Ok(failed)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    /// This crate's engine set up as the clients of old.
    Sequential,
    /// This crate's engine set up as RFC 6555: two lanes, 300 ms apart.
    Rfc6555,
    /// hyper-util's connector with hickory's `lookup_ip` below and hyper-rustls above.
    HttpConnector,
    /// This crate's connector with its defaults.
    Ours,
}

impl Client {
    const ALL: [Self; 4] = [Self::Sequential, Self::Rfc6555, Self::HttpConnector, Self::Ours];

    fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Rfc6555 => "rfc6555",
            Self::HttpConnector => "HttpConnector",
            Self::Ours => "ours",
        }
    }
}

/// One connect of one client.
struct Run {
    elapsed: Duration,
    end: End,
    /// Of this crate's engine only.
    report: Option<Arc<Report>>,
    broken_was_tried: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Connected,
    Failed,
    Cut,
}

impl Run {
    /// The time that counts: to the connection, or where there is none to be had to the error.
    fn time(&self, world: &World) -> Option<Duration> {
        let wanted = if world.expected.is_some() { End::Connected } else { End::Failed };
        (self.end == wanted).then_some(self.elapsed)
    }

    fn winner(&self) -> Option<SocketAddr> {
        self.report.as_ref()?.winner().map(|attempt| attempt.addr())
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.elapsed.as_millis();
        f.pad(&match self.end {
            End::Connected => format!("{millis} ms"),
            End::Failed => format!("error {millis} ms"),
            End::Cut => format!("> {} s", CUT.as_secs()),
        })
    }
}

/// The median of some runs and the shortest time, or the first that went wrong.
async fn measure(client: Client, world: &World, ca: &Ca) -> Result<(Run, Duration), BoxError> {
    let mut runs = Vec::new();
    let mut shortest = Duration::MAX;
    let is_slow = |shortest| client == Client::Ours && shortest > limit(world);
    while runs.len() < RUNS || (runs.len() < MOST_RUNS && is_slow(shortest)) {
        let run = run(client, world, ca).await?;
        // What HttpConnector tried it does not tell.
        let went_wrong = run.time(world).is_none() || (run.report.is_some() && !run.broken_was_tried);
        shortest = shortest.min(run.elapsed);
        if went_wrong {
            return Ok((run, shortest));
        }
        runs.push(run);
    }
    runs.truncate(RUNS);
    runs.sort_by_key(|run| run.elapsed);
    Ok((runs.swap_remove(RUNS / 2), shortest))
}

async fn run(client: Client, world: &World, ca: &Ca) -> Result<Run, BoxError> {
    world.forget();
    let uri = world.url().parse()?;
    let config = match client {
        Client::Sequential => Some(Config::sequential()),
        Client::Rfc6555 => Some(Config::rfc6555()),
        Client::HttpConnector => None,
        Client::Ours => Some(Config::default()),
    };
    let (elapsed, end, report) = match config {
        Some(config) => connect_with_engine(config, world, ca, uri).await?,
        None => {
            let mut connector = http_connector(world, ca)?;
            let (elapsed, result) = clock(call(&mut connector, uri)).await;
            (elapsed, end(&result), None)
        }
    };
    let attempted: Vec<_> = report.iter().flat_map(|report| report.attempts()).map(|attempt| attempt.addr()).collect();
    Ok(Run { elapsed, end, broken_was_tried: world.broken_was_tried(&attempted), report })
}

async fn connect_with_engine(
    mut config: Config,
    world: &World,
    ca: &Ca,
    uri: Uri,
) -> Result<(Duration, End, Option<Arc<Report>>), BoxError> {
    // A host with addresses of one family only would not be asked to try the other.
    config.families(Families::Both);
    if world.expected.is_none() {
        config.connect_timeout(Some(PATIENCE));
    }
    let mut connector = HappyEyeballsConnector::builder()
        .resolver(HickoryResolver::with_name_servers([world.dns.addr()]))
        .config(config)
        .tls_config(ca.client_config(&[]))
        .enable_all_versions()
        .build()?;
    let (elapsed, result) = clock(call(&mut connector, uri)).await;
    let report = match &result {
        Some(Ok(stream)) => Some(stream.report().clone()),
        Some(Err(error)) => error.report().cloned(),
        None => None,
    };
    Ok((elapsed, end(&result), report))
}

fn http_connector(world: &World, ca: &Ca) -> Result<HttpsConnector<HttpConnector<LookupIp>>, BoxError> {
    let mut http = HttpConnector::new_with_resolver(LookupIp::new(world.dns.addr())?);
    http.enforce_http(false);
    if world.expected.is_none() {
        http.set_connect_timeout(Some(PATIENCE));
    }
    Ok(HttpsConnector::from((http, ca.client_config(&ALPN))))
}

async fn call<S: Service<Uri>>(connector: &mut S, uri: Uri) -> Result<S::Response, S::Error> {
    poll_fn(|cx| connector.poll_ready(cx)).await?;
    connector.call(uri).await
}

/// How long `connecting` takes and what comes of it; `None` if it is cut.
async fn clock<F: Future>(connecting: F) -> (Duration, Option<F::Output>) {
    let start = Instant::now();
    let result = tokio::time::timeout(CUT, connecting).await.ok();
    let elapsed = start.elapsed();
    // The DNS timeout is as long as that, and what it lets through in the same instant is late all the same.
    (elapsed, result.filter(|_| elapsed < CUT))
}

fn end<T, E>(result: &Option<Result<T, E>>) -> End {
    match result {
        Some(Ok(_)) => End::Connected,
        Some(Err(_)) => End::Failed,
        None => End::Cut,
    }
}

/// The longest that ours may take.
fn limit(world: &World) -> Duration {
    world.ideal.mul_f64(1.05) + TOLERANCE
}

/// Whether ours did in a world what it should, in its shortest time; if not, why.
fn judge(world: &World, ours: &Run, shortest: Duration) -> Result<(), String> {
    if ours.time(world).is_none() {
        return Err(match ours.end {
            End::Cut => "was cut".to_owned(),
            End::Failed => "did not connect".to_owned(),
            End::Connected => "connected where nothing answers".to_owned(),
        });
    }
    if let Some(expected) = world.expected
        && ours.winner() != Some(expected)
    {
        return Err(format!("should be connected to {}", expected.ip()));
    }
    if !ours.broken_was_tried {
        return Err("what is broken was never tried".to_owned());
    }
    if shortest > limit(world) {
        return Err(format!("took more than {} ms", limit(world).as_millis()));
    }
    Ok(())
}

fn ours(cells: &[Run]) -> &Run {
    cells.last().expect("ours is the last of the clients")
}

/// Where results go as they come.
trait Output {
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn world(&mut self, _: &World) -> io::Result<()> {
        Ok(())
    }
    fn cell(&mut self, _: &Run) -> io::Result<()> {
        Ok(())
    }
    fn verdict(&mut self, world: &World, cells: &[Run], verdict: Result<(), String>) -> io::Result<()>;
    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A table for people, a cell at a time, and ours' timelines below it.
#[derive(Default)]
struct Table {
    timelines: Vec<(&'static str, Option<Arc<Report>>)>,
}

impl Output for Table {
    fn begin(&mut self) -> io::Result<()> {
        print!("{:<26}{:>9}", "world", "ideal");
        for client in Client::ALL {
            print!("{:>15}", client.name());
        }
        println!("   our winner");
        Ok(())
    }

    fn world(&mut self, world: &World) -> io::Result<()> {
        let ideal = format!("{} ms", world.ideal.as_millis());
        print!("{:<26}{ideal:>9}", world.kind.name());
        io::stdout().flush()
    }

    fn cell(&mut self, cell: &Run) -> io::Result<()> {
        print!("{cell:>15}");
        io::stdout().flush()
    }

    fn verdict(&mut self, world: &World, cells: &[Run], verdict: Result<(), String>) -> io::Result<()> {
        let winner = ours(cells).winner().map_or_else(|| "none".to_owned(), |addr| addr.ip().to_string());
        match verdict {
            Ok(()) => println!("   {winner}"),
            Err(reason) => println!("   {winner:<11}FAILED: {reason}"),
        }
        self.timelines.push((world.kind.name(), ours(cells).report.clone()));
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        for (world, report) in &self.timelines {
            println!("\n{world}");
            match report {
                Some(report) => println!("{report}"),
                None => println!("no report of a connect that was cut"),
            }
        }
        Ok(())
    }
}

struct JsonLines;

impl Output for JsonLines {
    fn verdict(&mut self, world: &World, cells: &[Run], verdict: Result<(), String>) -> io::Result<()> {
        if let Err(reason) = &verdict {
            eprintln!("{}: {reason}", world.kind.name());
        }
        let [sequential, rfc6555, http_connector, ours] = cells else { unreachable!("a cell a client") };
        let time = |run: &Run| json!(run.time(world).map(milliseconds));
        let fields: [(&str, Value); 8] = [
            ("world", json!(world.kind.name())),
            ("ideal_ms", json!(milliseconds(world.ideal))),
            ("sequential_ms", time(sequential)),
            ("rfc6555_ms", time(rfc6555)),
            ("http_connector_ms", time(http_connector)),
            ("ours_ms", time(ours)),
            ("ours_addr", json!(ours.winner().map(|addr| addr.to_string()))),
            ("ok", json!(verdict.is_ok())),
        ];
        // By hand, as serde_json's own objects sort their keys.
        let line: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        println!("{{{}}}", line.join(","));
        Ok(())
    }
}

/// To a tenth, which is finer than what the machine repeats.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}
