//! What connects and GETs take, of every client, a row each: nothing here has a bound.

use serde_json::{Value, json};

use crate::BoxError;
use crate::clients::Client;
use crate::count::{Tool, costs, median};
use crate::row::thousands;
use crate::servers::{Host, Servers};
use crate::work::{Act, Costs, Tls, Work};

pub const HEADER: &str = "\
| | at once | client | time | CPU | instructions | system calls | allocations | bytes of them | future | ours to that |
|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|";

/// Medians of what one took.
pub struct Took {
    work: Work,
    costs: Costs,
    /// In user space; counted one at a time only.
    instructions: Option<f64>,
    system_calls: Option<f64>,
    /// Our instructions or else processor time, in units of this client's.
    ratio: Option<f64>,
}

pub fn measure(quick: bool, servers: &Servers, show: &mut impl FnMut(Took)) -> Result<(), BoxError> {
    let crowds: &[usize] = if quick { &[1] } else { &[1, 64, 1024] };
    for &at_once in crowds {
        for (act, host, tls) in scenes(at_once) {
            let beside = if act == Act::Get { Client::Reqwest } else { Client::Floor };
            let clients = [Client::Ours, Client::HttpConnector, beside];
            let works = clients.map(|client| Work { client, act, host, tls, at_once });
            compare(quick, servers, works, show)?;
        }
    }
    Ok(())
}

fn scenes(at_once: usize) -> Vec<(Act, Host, Tls)> {
    let mut scenes = vec![
        (Act::Connect, Host::Literal, Tls::None),
        (Act::Connect, Host::Localhost, Tls::None),
        (Act::Connect, Host::Cached, Tls::None),
        (Act::Connect, Host::New, Tls::None),
        (Act::Connect, Host::Literal, Tls::Full),
        (Act::Connect, Host::Cached, Tls::Full),
        (Act::Connect, Host::New, Tls::Full),
        (Act::Get, Host::Literal, Tls::None),
        (Act::Get, Host::Cached, Tls::None),
        (Act::Get, Host::Cached, Tls::Full),
    ];
    // Of many at once most would find no ticket: a server gives two, and rustls keeps eight.
    if at_once == 1 {
        scenes.push((Act::Get, Host::Cached, Tls::Resumed));
    }
    scenes
}

fn compare(quick: bool, servers: &Servers, works: [Work; 3], show: &mut impl FnMut(Took)) -> Result<(), BoxError> {
    let Work { tls, at_once, .. } = works[0];
    let count = match (quick, tls.is_ours()) {
        (true, _) => 100,
        (false, true) => at_once.max(300),
        (false, false) => 2048,
    };
    let mut all = [const { Vec::new() }; 3];
    // In turns, so that what else the machine does hits all.
    for _ in 0..if quick { 3 } else { 5 } {
        for (all, work) in all.iter_mut().zip(&works) {
            all.push(costs(&servers.places, work, count)?);
        }
    }
    let mut ours = None;
    for (all, work) in all.iter().zip(works) {
        let of_one = |tool: Tool, more| tool.count(&servers.places, &work, more);
        let instructions = if at_once == 1 && !quick { of_one(Tool::Callgrind, count.min(500))? } else { None };
        let system_calls = if at_once == 1 { of_one(Tool::Strace, 100)? } else { None };
        let mut took = Took { work, costs: medians(all), instructions, system_calls, ratio: None };
        let (instructions, cpu) = *ours.get_or_insert((took.instructions, took.costs.cpu_nanoseconds));
        if work.client != Client::Ours {
            let counted = instructions.zip(took.instructions).map(|(ours, theirs)| ours / theirs);
            took.ratio = counted.or(Some(cpu / took.costs.cpu_nanoseconds));
        }
        show(took);
    }
    Ok(())
}

fn medians(all: &[Costs]) -> Costs {
    let of = |what: fn(&Costs) -> f64| median(all.iter().map(what).collect());
    Costs {
        nanoseconds: of(|costs| costs.nanoseconds),
        cpu_nanoseconds: of(|costs| costs.cpu_nanoseconds),
        allocations: of(|costs| costs.allocations),
        allocated_bytes: of(|costs| costs.allocated_bytes),
        ..all[0]
    }
}

impl Took {
    fn scene(&self) -> String {
        let act = if self.work.act == Act::Get { "GET" } else { "connect" };
        let host = match self.work.host {
            Host::Literal => "literal",
            Host::Localhost => "`localhost`",
            Host::Cached | Host::Crowded(_) => "cached name",
            Host::New => "new name",
            Host::Silent => "silent address",
        };
        let tls = match self.work.tls {
            Tls::None | Tls::Above => "TCP",
            Tls::Full => "full handshake",
            Tls::Resumed => "resumed",
        };
        format!("{act}, {host}, {tls}")
    }

    pub fn json(&self) -> Value {
        json!({
            "connect": self.scene(),
            "at_once": self.work.at_once,
            "client": self.work.client_name(),
            "us": self.costs.nanoseconds / 1e3,
            "cpu_us": self.costs.cpu_nanoseconds / 1e3,
            "instructions": self.instructions,
            "system_calls": self.system_calls,
            "allocations": self.costs.allocations,
            "allocated_bytes": self.costs.allocated_bytes,
            "future_bytes": self.costs.future_bytes,
            "ours_to_that": self.ratio,
        })
    }

    pub fn row(&self) -> String {
        let Self { work, costs, .. } = self;
        let time = |nanoseconds: f64| format!("{:.1} µs", nanoseconds / 1e3);
        let counted = |count: Option<f64>| count.map_or_else(|| "-".to_owned(), thousands);
        let cells = [
            self.scene(),
            work.at_once.to_string(),
            work.client_name().to_owned(),
            time(costs.nanoseconds),
            time(costs.cpu_nanoseconds),
            counted(self.instructions),
            counted(self.system_calls),
            thousands(costs.allocations),
            thousands(costs.allocated_bytes),
            counted(costs.future_bytes.map(|bytes| bytes as f64)),
            self.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        ];
        format!("| {} |", cells.join(" | "))
    }
}
