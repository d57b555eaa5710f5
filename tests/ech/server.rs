//! `server.go`, built and run: TLS with Encrypted Client Hello, which rustls does not serve.

use std::env;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::watch;

use crate::host::HOST;
use crate::lab::Ca;

/// The name that goes in clear.
pub(crate) const PUBLIC_NAME: &str = "public.lab.test";

/// The toolchain, where it is not the `go` of the path.
const GO: &str = "HAPPY_EYEBALLS_GO";
/// Where it is set to 1, a test that cannot run fails.
const REQUIRED: &str = "HAPPY_EYEBALLS_REQUIRE_GO";

/// What the server at an address does with ECH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It has the key that is published.
    Current,
    /// It has another one, and says so to whom it rejects.
    Stale,
    /// It has another one, and says nothing: ECH is securely disabled (RFC 9849 section 6.1.6).
    Disabled,
    /// It has another one each time it is asked, and says so.
    Moving,
    /// It knows nothing of ECH.
    None,
    /// Nor of TLS 1.3.
    Tls12,
}

/// Whom its certificates are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// For the host and for the public name.
    Both,
    /// For the host alone, so that nobody can be told in its name that ECH was rejected.
    HostAlone,
}

/// A server that ends when it is dropped.
pub(crate) struct EchServer {
    port: u16,
    configs: Vec<u8>,
    log: watch::Receiver<Log>,
    _process: Child,
    /// It ends with this.
    _stdin: ChildStdin,
}

#[derive(Clone, Debug, Default)]
struct Log {
    accepted: Vec<IpAddr>,
    handshakes: Vec<Handshake>,
}

/// What the server saw of a handshake, be it a failed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handshake {
    number: u64,
    pub(crate) ip: IpAddr,
    /// The server name in clear; empty if there was none, as are the others.
    pub(crate) outer_name: String,
    /// The server name that counts.
    pub(crate) name: String,
    /// Whether there was an extension of ECH in clear, be it without meaning.
    pub(crate) ech_offered: bool,
    pub(crate) ech_accepted: bool,
    /// What ALPN offered.
    pub(crate) protocols: Vec<String>,
    pub(crate) protocol: String,
    pub(crate) version: String,
    pub(crate) resumed: bool,
    /// Why it failed; empty if it did not.
    pub(crate) error: String,
}

impl EchServer {
    /// Serves at an address. None, and a loud word, where there is no Go to build it with.
    pub(crate) async fn open(ca: &Ca, ip: IpAddr, manner: Manner) -> Option<Self> {
        Self::with(ca, [(ip, manner)], Names::Both).await
    }

    /// Serves at several addresses, on one port and with one published key.
    pub(crate) async fn with(ca: &Ca, sites: impl IntoIterator<Item = (IpAddr, Manner)>, names: Names) -> Option<Self> {
        let program = program()?;
        let names: &[&str] = match names {
            Names::Both => &[HOST, PUBLIC_NAME],
            Names::HostAlone => &[HOST],
        };
        let site = |(ip, manner): (IpAddr, Manner)| json!({ "ip": ip, "manner": format!("{manner:?}").to_lowercase() });
        let setup = json!({
            "public_name": PUBLIC_NAME,
            "certificates": names.iter().map(|name| ca.leaf_pem(name)).collect::<Vec<_>>(),
            "sites": sites.into_iter().map(site).collect::<Vec<_>>(),
        });
        let mut command = tokio::process::Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("it was built");
        let mut stdin = process.stdin.take().expect("it is piped");
        stdin.write_all(setup.to_string().as_bytes()).await.expect("it reads its setup");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let ready = next(&mut lines).await.expect("it says when it is ready");
        let (log, seen) = watch::channel(Log::default());
        tokio::spawn(async move {
            while let Some(line) = next(&mut lines).await {
                log.send_modify(|log| match line.get("accepted") {
                    Some(ip) => log.accepted.push(ip_address(ip)),
                    None => log.handshakes.push(Handshake::new(&line)),
                });
            }
        });
        Some(Self {
            port: ready["port"].as_u64().and_then(|port| port.try_into().ok()).expect("a port"),
            configs: from_hex(&text(&ready["configs"])),
            log: seen,
            _process: process,
            _stdin: stdin,
        })
    }

    pub(crate) fn addr(&self, ip: IpAddr) -> SocketAddr {
        SocketAddr::new(ip, self.port)
    }

    /// The ECHConfigList that is published.
    pub(crate) fn configs(&self) -> &[u8] {
        &self.configs
    }

    /// Returns when a connection has been accepted.
    pub(crate) async fn until_accepted(&self) {
        let mut log = self.log.clone();
        log.wait_for(|log| !log.accepted.is_empty()).await.expect("the server runs");
    }

    /// The handshakes by the order of their connections, once `count` are over, and as many connections were accepted.
    ///
    /// # Panics
    ///
    /// If there were more.
    pub(crate) async fn handshakes(&self, count: usize) -> Vec<Handshake> {
        let mut log = self.log.clone();
        let log = log.wait_for(|log| log.handshakes.len() >= count).await.expect("the server runs");
        assert_eq!((log.accepted.len(), log.handshakes.len()), (count, count), "{log:#?}");
        let mut handshakes = log.handshakes.clone();
        handshakes.sort_by_key(|handshake| handshake.number);
        handshakes
    }
}

impl Handshake {
    fn new(line: &Value) -> Self {
        let flag = |name| line[name].as_bool().expect("a flag");
        let protocols = line["protocols"].as_array().into_iter().flatten();
        Self {
            number: line["number"].as_u64().expect("a number"),
            ip: ip_address(&line["ip"]),
            outer_name: text(&line["outer_name"]),
            name: text(&line["name"]),
            ech_offered: flag("ech_offered"),
            ech_accepted: flag("ech_accepted"),
            protocols: protocols.map(text).collect(),
            protocol: text(&line["protocol"]),
            version: text(&line["version"]),
            resumed: flag("resumed"),
            error: text(&line["error"]),
        }
    }

    /// Both server names.
    pub(crate) fn names(&self) -> (&str, &str) {
        (&self.outer_name, &self.name)
    }
}

/// The next line; none once the server has ended.
async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<Value> {
    let line = lines.next_line().await.ok()??;
    Some(serde_json::from_str(&line).expect("the server writes JSON"))
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn ip_address(value: &Value) -> IpAddr {
    text(value).parse().expect("an address")
}

fn from_hex(text: &str) -> Vec<u8> {
    let octet = |digits| u8::from_str_radix(std::str::from_utf8(digits).expect("digits"), 16).expect("digits");
    text.as_bytes().chunks(2).map(octet).collect()
}

/// The server, built once a process.
pub(crate) fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        let problem = match build() {
            Ok(program) => return Some(program),
            Err(problem) => problem,
        };
        let required = env::var_os(REQUIRED).is_some_and(|value| value == "1");
        assert!(!required, "the server of ECH cannot be built: {problem}");
        // Straight to the descriptor: what a passing test prints is thrown away.
        let _ = writeln!(std::io::stderr(), "SKIPPED: what needs a server of ECH, which needs Go 1.25: {problem}");
        None
    };
    PROGRAM.get_or_init(build).as_deref()
}

fn build() -> Result<PathBuf, String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ech/server.go");
    // Processes that build it at one time do not see what is half written.
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ech-server-{}", process::id()));
    let go = env::var_os(GO).unwrap_or_else(|| "go".into());
    // A file alone is no module, and neither a newer toolchain nor anything else is to be fetched for it.
    let output = Command::new(go)
        .envs([("GO111MODULE", "off"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", ""), ("CGO_ENABLED", "0")])
        .args(["build", "-o"])
        .args([own.as_os_str(), source.as_ref()])
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let program = own.with_file_name("ech-server");
    std::fs::rename(&own, &program).map_err(|error| error.to_string())?;
    Ok(program)
}
