//! Whole GETs, each over a fresh connection to an IP literal: instructions of the client process, and time.
//!
//! Server and client are processes of their own, so that the client's instructions and its one thread are its own.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http::Uri;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_happy_eyeballs::HappyEyeballsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;

use crate::BoxError;
use crate::clients::Client;
use crate::row::{Bound, Other, Row, Unit};

/// GETs before the clock starts.
const WARM_UP: usize = 20;
const MOST_INSTRUCTIONS: f64 = 1.10;
/// Two counts tell how well they repeat.
const COUNTS: [&str; 2] = ["GET, instructions", "GET, instructions again"];

pub fn measure(quick: bool, show: &mut impl FnMut(Row)) -> Result<(), BoxError> {
    let server = ServerProcess::start()?;
    let more = if quick { 300 } else { 1000 };
    for name in COUNTS {
        let (Some(ours), Some(http_connector)) =
            (instructions(Client::Ours, &server.url, more)?, instructions(Client::HttpConnector, &server.url, more)?)
        else {
            eprintln!("\n  INSTRUCTIONS WERE NOT COUNTED: there is no valgrind. Their bound was not checked.\n");
            break;
        };
        let (http_connector, bound) = (Other::Took(http_connector), Bound::Ratio(MOST_INSTRUCTIONS));
        show(Row { name, unit: Unit::Instructions, ours, http_connector, ideal: None, bound });
    }

    let (rounds, count) = if quick { (5, 200) } else { (15, 1000) };
    let mut times = [Vec::new(), Vec::new()];
    // In turns, so that what else the machine does hits both.
    for _ in 0..rounds {
        for (client, times) in Client::BOTH.into_iter().zip(&mut times) {
            times.push(time(client, &server.url, count)? / u32::try_from(count)?);
        }
    }
    let [ours, http_connector] = times.map(|times| Unit::Microseconds.of(median(times)));
    show(Row {
        name: "GET, time",
        unit: Unit::Microseconds,
        ours,
        http_connector: Other::Took(http_connector),
        ideal: None,
        bound: Bound::None,
    });
    Ok(())
}

pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Instructions a GET, `None` without valgrind. Of two runs the shorter one is taken off, and with it what it costs
/// to start.
fn instructions(client: Client, url: &str, more: usize) -> Result<Option<f64>, BoxError> {
    const FEW: usize = 50;
    let (Some(few), Some(many)) = (count(client, url, FEW)?, count(client, url, FEW + more)?) else {
        return Ok(None);
    };
    Ok(Some((many - few) / more as f64))
}

/// Instructions of a whole client process.
fn count(client: Client, url: &str, count: usize) -> Result<Option<f64>, BoxError> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(std::env::current_exe()?).args(["get", client.name(), url, &count.to_string()]);
    let output = match valgrind.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        output => output?,
    };
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected :")?.1.split_whitespace().next());
    match collected.and_then(|number| number.parse().ok()) {
        Some(instructions) if output.status.success() => Ok(Some(instructions)),
        _ => Err(format!("valgrind says how many instructions it saw, but not here:\n{text}").into()),
    }
}

fn time(client: Client, url: &str, count: usize) -> Result<Duration, BoxError> {
    let mut get = Command::new(std::env::current_exe()?);
    let output = get.args(["get", client.name(), url, &count.to_string()]).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err("a client failed".into());
    }
    Ok(Duration::from_nanos(String::from_utf8(output.stdout)?.trim().parse()?))
}

/// The client process: `count` GETs, one after the other, and their time.
pub fn get(client: Client, url: Uri, count: usize) -> Result<Duration, BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match client {
            Client::Ours => get_with(HappyEyeballsConnector::new(), url, count).await,
            Client::HttpConnector => get_with(HttpConnector::new(), url, count).await,
        }
    })
}

async fn get_with(
    connector: impl Connect + Clone + Send + Sync + 'static,
    url: Uri,
    count: usize,
) -> Result<Duration, BoxError> {
    let client = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
    let get = async || -> Result<(), BoxError> {
        let response = client.request(http::Request::get(url.clone()).body(Empty::<Bytes>::new())?).await?;
        let body = response.into_body().collect().await?.to_bytes();
        if body != BODY {
            return Err(format!("the server sent {body:?}").into());
        }
        Ok(())
    };
    for _ in 0..WARM_UP {
        get().await?;
    }
    let start = Instant::now();
    for _ in 0..count {
        get().await?;
    }
    Ok(start.elapsed())
}

const BODY: &str = "hello\n";

/// The server process: one connection after the other, one request each. The server closes first, so that it is not
/// the client who runs out of ports. It ends with its standard input.
pub fn serve() -> Result<(), BoxError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if let Err(error) = stream.and_then(answer) {
                eprintln!("server: {error}");
            }
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => request.extend_from_slice(&buffer[..read]),
        }
    }
    let length = BODY.len();
    let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{BODY}");
    stream.write_all(response.as_bytes())
}

struct ServerProcess {
    child: Child,
    url: String,
}

impl ServerProcess {
    fn start() -> Result<Self, BoxError> {
        let mut child =
            Command::new(std::env::current_exe()?).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut addr = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut addr)?;
        Ok(Self { child, url: format!("http://{}/", addr.trim_end()) })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
