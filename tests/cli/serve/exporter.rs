//! Running the exporter, and asking it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStderr};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};

use super::text::Metrics;
use crate::host::Host;
use crate::tool::{CaFile, eyeballs};

/// `serve` on a free port, with both families, and name server and root of a host.
pub(super) struct Exporter {
    pub(super) addr: SocketAddr,
    pub(super) child: Child,
    _stderr: BufReader<ChildStderr>,
    _ca_file: CaFile,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// With names in lower case.
    pub(super) headers: HashMap<String, String>,
    pub(super) body: String,
}

impl Exporter {
    /// Dials whatever it is told to.
    pub(super) async fn start(host: &Host, args: &[&str]) -> Self {
        let args: Vec<_> = args.iter().copied().chain(["--allow-private"]).collect();
        Self::start_guarded(host, &args).await
    }

    /// Dials public addresses only.
    pub(super) async fn start_guarded(host: &Host, args: &[&str]) -> Self {
        let ca_file = CaFile::new(&host.ca);
        let resolver = host.dns.addr().to_string();
        let fixed = ["serve", "--listen", "127.0.0.1:0", "-4", "-6", "--resolver", &resolver];
        let args = fixed.into_iter().chain(["--ca-file", ca_file.path()]).chain(args.iter().copied());
        let mut child = eyeballs(args).stderr(Stdio::piped()).spawn().expect("the tool is built");
        let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut line = String::new();
        stderr.read_line(&mut line).await.expect("it says where it listens");
        let addr = line.trim().strip_prefix("eyeballs: listening on http://").and_then(|rest| rest.strip_suffix('/'));
        let addr = addr.and_then(|addr| addr.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
        Self { addr, child, _stderr: stderr, _ca_file: ca_file }
    }

    /// The answer to a request that is written like this, up to the line that ends the head.
    pub(super) async fn ask(&self, head: &str) -> Answer {
        ask(self.addr, head).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        get(self.addr, path.to_owned()).await
    }

    /// The metrics of a probe within `seconds`.
    pub(super) async fn probe_within(&self, target: &str, seconds: &str) -> Metrics {
        let header = format!("X-Prometheus-Scrape-Timeout-Seconds: {seconds}");
        self.ask(&format!("GET {} HTTP/1.1\r\nhost: x\r\n{header}\r\n\r\n", path(target))).await.metrics()
    }

    pub(super) async fn probe(&self, target: &str) -> Metrics {
        self.get(&path(target)).await.metrics()
    }

    /// Its own metrics.
    pub(super) async fn metrics(&self) -> Metrics {
        self.get("/metrics").await.metrics()
    }

    /// Returns when one of its own metrics has this value.
    pub(super) async fn until(&self, series: &str, value: f64) {
        let reached = async {
            while self.metrics().await.get(series) != Some(value) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        in_time(reached).await;
    }

    /// Its exit code.
    pub(super) async fn ended(&mut self) -> Option<i32> {
        in_time(self.child.wait()).await.expect("it is a child of ours").code()
    }

    #[cfg(target_os = "linux")]
    pub(super) fn signal(&self, signal: nix::sys::signal::Signal) {
        let id = self.child.id().expect("it runs").try_into().expect("a process id");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), signal).expect("it is a child of ours");
    }
}

impl Answer {
    /// What the body says, which is checked.
    #[track_caller]
    pub(super) fn metrics(&self) -> Metrics {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.headers["content-type"], "text/plain; version=0.0.4");
        super::prometheus::check_metrics(&self.body);
        Metrics::parse(&self.body)
    }
}

pub(super) fn path(target: &str) -> String {
    let encoded: String = target.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/probe?target={encoded}")
}

pub(super) async fn ask(addr: SocketAddr, head: &str) -> Answer {
    let mut stream = TcpStream::connect(addr).await.expect("it listens");
    stream.write_all(head.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers and closes");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Answer { status: status.unwrap_or_else(|| panic!("{head:?}")), headers: headers.collect(), body: body.into() }
}

/// The same with a path, for a task of its own.
pub(super) async fn get(addr: SocketAddr, path: String) -> Answer {
    ask(addr, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
}

/// What takes no time, unless it never comes.
pub(super) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), work).await.expect("it comes to be")
}

/// A server that answers nobody before it is opened, and then everybody.
pub(super) struct Gate {
    pub(super) addr: SocketAddr,
    state: watch::Sender<GateState>,
    _serving: JoinSet<()>,
}

#[derive(Clone, Copy, Debug, Default)]
struct GateState {
    open: bool,
    connections: usize,
}

impl Gate {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let addr = listener.local_addr().expect("it is bound");
        let state = watch::Sender::<GateState>::default();
        let mut serving = JoinSet::new();
        let shared = state.clone();
        serving.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, shared.clone()));
            }
        });
        Self { addr, state, _serving: serving }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    pub(super) fn open(&self) {
        self.state.send_modify(|state| state.open = true);
    }

    /// Returns when so many connections are there.
    pub(super) async fn until_connections(&self, count: usize) {
        let mut state = self.state.subscribe();
        in_time(state.wait_for(|state| state.connections == count)).await.expect("the sender is in self");
    }
}

async fn pass(mut stream: TcpStream, state: watch::Sender<GateState>) {
    let mut opened = state.subscribe();
    state.send_modify(|state| state.connections += 1);
    let mut buffer = [0; 4096];
    let left = async { while let Ok(1..) = stream.read(&mut buffer).await {} };
    let open = tokio::select! {
        () = left => false,
        opened = opened.wait_for(|state| state.open) => opened.is_ok(),
    };
    if open {
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    }
    state.send_modify(|state| state.connections -= 1);
}
