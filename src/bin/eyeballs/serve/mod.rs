//! `eyeballs serve`: an endpoint that Prometheus has probe sites.

mod metrics;
mod own;
mod probe;
mod request;
mod routes;
mod signals;

use std::convert::Infallible;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, value_parser};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::args::{ConnectOptions, seconds};
use crate::complain;
use crate::connect::Checkers;
use crate::exit::Fault;
use own::Own;
use probe::Prober;
use signals::Signals;

/// How long the head of a request may take to come, and a response to go.
const CLIENT_PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of the head of a request.
const LONGEST_HEAD: usize = 16 * 1024;
/// Connections beside those of the probes: for /metrics, and to say that there are too many.
const SPARE_CONNECTIONS: usize = 64;
/// How long probes may go on after a signal.
const GRACE: Duration = Duration::from_secs(5);

/// Probe sites for Prometheus, as a user and by every address
///
/// GET /probe?target=URL checks the site of the URL as `eyeballs check` does, without a drill, and answers with metrics.
/// They have the names of blackbox_exporter where they mean the same; those without an address describe the connect and
/// request of a user, the others each address on its own. A site that is down is an answer too: probe_success is 0. A
/// status of 500 and more is down, redirects are not followed, and DNS answers are kept as long as they may be. The only
/// module is http, which need not be named.
///
/// A probe ends half a second before the scrape timeout that Prometheus tells, and after --timeout at the latest;
/// silent addresses are given up before. Beyond --max-probes at once the answer is 503.
///
/// GET /metrics is about the exporter itself.
///
/// Whoever can connect to it can have URLs fetched from here, so it listens on loopback alone and dials only addresses
/// that are globally reachable, unless told otherwise. Of others it does not tell which they are.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", value_parser = listen_address, default_value = "127.0.0.1:9115")]
    listen: SocketAddr,

    /// The most that a probe may take; fractions are fine
    #[arg(long, value_name = "SECS", value_parser = seconds, default_value = "10")]
    timeout: Duration,

    /// The most probes at once
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..), default_value_t = 50)]
    max_probes: u16,

    /// Dial private, loopback and link-local addresses too; without it --public-only holds
    #[arg(long, conflicts_with = "public_only")]
    allow_private: bool,

    /// Send an ICMP echo request to each address too; where none is answered a probe takes longer
    #[arg(long)]
    ping: bool,

    #[command(flatten)]
    connect: ConnectOptions,
}

const EXAMPLES: &str = "\
Examples:
  On this host alone, and what it says of a site:
    eyeballs serve
    curl 'http://127.0.0.1:9115/probe?target=https://example.org/'

  For the Prometheus of another host:
    eyeballs serve --listen '[::]:9115'

  For sites within this network, with the certificate of a private authority:
    eyeballs serve --allow-private --ca-file ca.pem

  As a client without HTTPS records sees them, by a name server of one's own:
    eyeballs serve --strategy rfc8305 --resolver 192.0.2.53

  examples/prometheus/ of the source has a scrape configuration and alerts, docs/metrics.md all metrics.

Exit codes:
  0 ended by SIGTERM or SIGINT, once probes under way were answered or 5 s over
  64 bad usage                     71 it cannot listen there";

/// Serves until it is asked to end.
pub(crate) async fn run(mut args: ServeArgs) -> Result<ExitCode, Fault> {
    let mut signals = Signals::new().map_err(|error| Fault::system(format!("signals cannot be caught: {error}")))?;
    args.connect.public_only = !args.allow_private;
    let mut checkers = Checkers::new(&args.connect)?;
    checkers.adjust(|checker| {
        checker.drill(false).dns_details(false).ping(args.ping);
    });
    let own = Own::new().map_err(|error| Fault::system(format!("no metrics: {error}")))?;
    let prober = Arc::new(Prober::new(checkers, args.timeout, args.max_probes, own));

    let fault = |error| Fault::system(format!("cannot listen on {}: {error}", args.listen));
    let listener = TcpListener::bind(args.listen).await.map_err(fault)?;
    let addr = listener.local_addr().map_err(fault)?;
    let _ = writeln!(io::stderr(), "eyeballs: listening on http://{addr}/");

    let most = usize::from(args.max_probes) + SPARE_CONNECTIONS;
    let mut connections = JoinSet::new();
    loop {
        select! {
            stream = accept(&listener), if connections.len() < most => {
                connections.spawn(serve(stream, prober.clone()));
            }
            Some(_) = connections.join_next() => {}
            () = signals.next() => break,
        }
    }
    drop(listener);
    select! {
        () = async { while connections.join_next().await.is_some() {} } => {}
        () = sleep(GRACE) => {}
        () = signals.next() => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            // Such as no descriptor left, of which the next accept would tell at once.
            Err(error) => {
                complain(format_args!("cannot accept a connection: {error}"));
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Serves one request. A client that has gone away takes its probe with it: hyper drops the service.
async fn serve(stream: TcpStream, prober: Arc<Prober>) {
    let service = service_fn(|request| {
        let prober = &prober;
        async move { Ok::<_, Infallible>(routes::answer(prober, &request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CLIENT_PATIENCE)
        .max_buf_size(LONGEST_HEAD)
        // Scrapes are far apart, and idle connections would be somebody's to hoard.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // How it ends is the client's affair.
    let _ = timeout(CLIENT_PATIENCE + prober.timeout() + CLIENT_PATIENCE, connection).await;
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "not of the form IP:PORT, IPv6 in brackets".into())
}
