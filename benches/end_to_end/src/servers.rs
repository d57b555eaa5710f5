//! What clients connect to, all on loopback: a process of its own, so that the instructions, the memory and the one
//! thread of a client are its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use hickory_resolver::proto::rr::RecordType;
use serde::{Deserialize, Serialize};

use crate::BoxError;
use crate::lab::{Behaviour, Ca, Dns, Loopback, Reply, Site, Sites};

const LIVE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const SILENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 8);
/// Names that are asked for once a client, and hosts that all connects of a client are to.
const NEW_NAMES: usize = 5000;
const CROWDED_NAMES: usize = 64;

/// How hosts are called.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Host {
    Literal,
    /// A name that needs no network.
    Localhost,
    /// One name for every connect.
    Cached,
    /// A name for each connect.
    New,
    /// One name for every connect, of several of the kind.
    Crowded(usize),
    /// Its address is silent.
    Silent,
}

impl Host {
    pub fn is_in_dns(self) -> bool {
        !matches!(self, Self::Literal | Self::Localhost)
    }

    pub fn name(self, connect: usize) -> String {
        match self {
            Self::Literal => LIVE.to_string(),
            Self::Localhost => "localhost".to_owned(),
            Self::Cached => "www.lab.test".to_owned(),
            Self::New => format!("new{}.lab.test", connect % NEW_NAMES),
            Self::Crowded(number) => format!("crowded{}.lab.test", number % CROWDED_NAMES),
            Self::Silent => "silent.lab.test".to_owned(),
        }
    }
}

/// Where everything is.
#[derive(Serialize, Deserialize)]
pub struct Places {
    pub dns: SocketAddr,
    pub http: SocketAddr,
    /// With a certificate for names.
    pub https: SocketAddr,
    /// With one for its address.
    pub https_literal: SocketAddr,
    pub silent: SocketAddr,
    /// The certificate of who has signed the others, in PEM.
    pub root: String,
}

struct World {
    places: Places,
    dns: Dns,
    _sites: [Sites; 4],
}

impl World {
    async fn start() -> Result<Self, BoxError> {
        let (ca, http) = (Ca::new(), Site::Http(Behaviour::Serve));
        let [live, silent] = [LIVE, SILENT].map(IpAddr::from);
        let mut localhost = vec![(live, http)];
        if Loopback::detect().await == Loopback::Both {
            localhost.push((Ipv6Addr::LOCALHOST.into(), http));
        }
        let sites = [
            Sites::open(&ca, "*.lab.test", localhost).await?,
            Sites::open(&ca, "*.lab.test", [(live, Site::GOOD)]).await?,
            Sites::open(&ca, &LIVE.to_string(), [(live, Site::GOOD)]).await?,
            Sites::open(&ca, "*.lab.test", [(silent, Site::Silent)]).await?,
        ];
        let [http, https, https_literal] = [0, 1, 2].map(|site: usize| SocketAddr::new(live, sites[site].port()));
        let dns = Dns::start().await?;
        let new = (0..NEW_NAMES).map(|number| Host::New.name(number));
        let crowded = (0..CROWDED_NAMES).map(|number| Host::Crowded(number).name(0));
        for name in new.chain(crowded).chain([Host::Cached.name(0)]) {
            dns.set(&name, RecordType::A, Reply::a([LIVE]));
        }
        dns.set(&Host::Silent.name(0), RecordType::A, Reply::a([SILENT]));
        let places = Places {
            dns: dns.addr(),
            http,
            https,
            https_literal,
            silent: SocketAddr::new(silent, sites[3].port()),
            root: ca.pem(),
        };
        Ok(Self { places, dns, _sites: sites })
    }
}

/// The process. It says where everything is, then for each name that it is given how many queries came for it and what
/// is below it, and ends with its standard input.
pub fn serve() -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let world = runtime.block_on(World::start())?;
    println!("{}", serde_json::to_string(&world.places)?);
    for name in std::io::stdin().lines() {
        let end = format!("{}.", name?);
        println!("{}", world.dns.log().iter().filter(|query| query.name.ends_with(&end)).count());
    }
    Ok(())
}

/// The process as its parent has it.
pub struct Servers {
    pub places: Places,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Servers {
    pub fn start() -> Result<Self, BoxError> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().ok_or("it is piped")?);
        let places = serde_json::from_str(&line(&mut stdout)?)?;
        Ok(Self { places, child, stdin, stdout })
    }

    /// The queries so far for `name` and what is below it.
    pub fn queries(&mut self, name: &str) -> Result<usize, BoxError> {
        writeln!(self.stdin.as_mut().ok_or("it is piped")?, "{name}")?;
        Ok(line(&mut self.stdout)?.trim_end().parse()?)
    }
}

fn line(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    Ok(line)
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
