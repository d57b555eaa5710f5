//! Running the tool.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::host::Host;
use crate::lab::Ca;

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// The objects of `--json`.
    pub(crate) fn lines(&self) -> Vec<Value> {
        assert!(self.out.is_empty() || self.out.ends_with('\n'), "{self:?}");
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(parse).collect()
    }

    /// The only object of `--json`.
    pub(crate) fn line(&self) -> Value {
        let [line] = <[Value; 1]>::try_from(self.lines()).unwrap_or_else(|_| panic!("not one line: {self:?}"));
        line
    }
}

/// `eyeballs` with an environment that says nothing of colours and widths, and has UTF-8.
pub(crate) fn eyeballs<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eyeballs"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "LC_CTYPE", "LANG", "COLUMNS"] {
        command.env_remove(name);
    }
    command.args(args).env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).kill_on_drop(true);
    command
}

pub(crate) async fn output(mut command: Command) -> Run {
    let output = command.output().await.expect("the tool is built");
    let text = |bytes| String::from_utf8(bytes).expect("the tool writes UTF-8");
    let code = output.status.code().expect("it ended by itself");
    Run { code, out: text(output.stdout), err: text(output.stderr) }
}

pub(crate) async fn run<'a>(args: impl IntoIterator<Item = &'a str>) -> Run {
    output(eyeballs(args)).await
}

/// A file in cargo's directory, as long as it lives.
pub(crate) struct TempFile(PathBuf);

impl TempFile {
    pub(crate) fn new(name: &str, extension: &str, text: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{name}-{}-{}.{extension}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).expect("cargo's directory can be written");
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("it is UTF-8")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A file of roots, as long as it lives.
pub(crate) struct CaFile(TempFile);

impl CaFile {
    pub(crate) fn new(ca: &Ca) -> Self {
        Self::with(&ca.pem())
    }

    pub(crate) fn with(text: &str) -> Self {
        Self(TempFile::new("roots", "pem", text))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.path()
    }
}

/// `get` for a host of the lab: both families, its name server, its root.
pub(crate) struct Get<'a> {
    host: &'a Host,
    ca_file: CaFile,
}

impl<'a> Get<'a> {
    pub(crate) fn new(host: &'a Host) -> Self {
        Self { host, ca_file: CaFile::new(&host.ca) }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_of("get", args)
    }

    pub(crate) fn command_of(&self, sub: &str, args: &[&str]) -> Command {
        let resolver = self.host.dns.addr().to_string();
        let fixed = [sub, "-4", "-6", "--resolver", &resolver, "--ca-file", self.ca_file.path()];
        eyeballs(fixed.into_iter().chain(args.iter().copied()))
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Run {
        output(self.command(args)).await
    }

    /// With `--json` and the host's URL.
    pub(crate) async fn json(&self, args: &[&str]) -> Value {
        let url = self.host.uri("https");
        let args: Vec<_> = args.iter().copied().chain(["--json", &url]).collect();
        self.run(&args).await.line()
    }
}

/// Answers every connection with these bytes, and closes it.
pub(crate) async fn answering(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let addr = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer).await;
        }
    });
    addr
}
