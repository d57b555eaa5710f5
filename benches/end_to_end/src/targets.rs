//! What this crate may cost beside others, where that does not hang on the machine: instructions, system calls, queries,
//! memory. Times that stand beside them have no bound.

use std::time::Instant;

use crate::BoxError;
use crate::clients::Client;
use crate::count::{Tool, arguments, costs, median};
use crate::row::{Bound, Other, Row, Unit};
use crate::servers::{Host, Places, Servers};
use crate::work::{Act, Tls, Work};

const GET_LITERAL: &str = "GET over a fresh connection, literal";
/// Connects to one new name at once.
const CROWD: usize = 1000;
/// A, AAAA and HTTPS.
const QUERIES: f64 = 3.0;
/// Connects in flight at once, and the bytes of each.
const HELD: usize = 10_000;
const MEMORY: f64 = 6.0 * 1024.0;
/// Instructions.
const RACE: f64 = 60_000.0;
const SORT: f64 = 150_000.0;

// Ours in units of the other's.
const GET: f64 = 1.10;
const REPORTLESS_GET: f64 = 1.05;
const CACHED: f64 = 1.15;
const HANDSHAKE: f64 = 1.03;
/// aws-lc-rs gathers entropy, which is nearly all of it, and takes a per cent more or less each time.
const FIRST: f64 = 1.03;
const CROWDED: f64 = 1.0;
/// One of ten asks whether this host has come into another network.
const CROWDED_CALLS: f64 = 1.15;

/// How often both are counted where a bound does not hold. The smallest count of each is the truest: whatever else
/// happens can hardly take anything off it.
const MOST_COUNTS: usize = 5;

pub fn measure(quick: bool, servers: &mut Servers, show: &mut dyn FnMut(Row)) -> Result<(), BoxError> {
    let mut checks = Checks { quick, servers, show };
    let get = Work { client: Client::Ours, act: Act::Get, host: Host::Literal, tls: Tls::None, at_once: 1 };
    let cached = Work { act: Act::Connect, host: Host::Cached, ..get };
    let handshake = Work { act: Act::Connect, tls: Tls::Full, ..get };
    let more = if quick { 300 } else { 1000 };
    // Instructions are those of user space alone.
    for tool in [Tool::Callgrind, Tool::Strace] {
        checks.count(tool, GET_LITERAL, get, more, GET)?;
        checks.count(tool, "connect, cached name", cached, more, CACHED)?;
    }
    let reportless = Work { client: Client::Reportless, ..get };
    let name = format!("{GET_LITERAL}, no report in responses");
    checks.count(Tool::Callgrind, &name, reportless, more, REPORTLESS_GET)?;
    checks.count(Tool::Callgrind, "connect, literal, full TLS handshake", handshake, more, HANDSHAKE)?;
    checks.first(Work { act: Act::First, ..handshake })?;
    checks.crowd()?;
    checks.hold(Work { act: Act::Hold, host: Host::Silent, at_once: HELD, ..get })?;
    checks.alone("the race of a healthy `https` connect with an HTTPS record", HEALTHY, RACE)?;
    checks.alone("sorting 64 addresses by RFC 6724", SORTING, SORT)
}

const HEALTHY: &str = "healthy";
const SORTING: &str = "sorting";

/// The process that does one of these so often, and nothing else.
pub fn alone(call: &str, count: &str) -> Result<(), BoxError> {
    let call = pure(call)?;
    (0..count.parse()?).for_each(|_: usize| call());
    Ok(())
}

fn pure(call: &str) -> Result<Box<dyn Fn()>, BoxError> {
    match call {
        HEALTHY => Ok(Box::new(race::healthy())),
        SORTING => Ok(Box::new(race::sorting(64))),
        _ => Err(format!("there is no {call}").into()),
    }
}

impl Work {
    fn of_both(self) -> [Self; 2] {
        [self.client, Client::HttpConnector].map(|client| Self { client, ..self })
    }
}

struct Checks<'a> {
    quick: bool,
    servers: &'a mut Servers,
    show: &'a mut dyn FnMut(Row),
}

impl Checks<'_> {
    fn show(&mut self, name: &str, unit: Unit, work: Work, both: [f64; 2], bound: Bound) {
        (self.show)(row(name, unit, work, both, bound));
    }

    fn count(&mut self, tool: Tool, name: &str, work: Work, more: usize, bound: f64) -> Result<(), BoxError> {
        self.least(tool, name, work, bound, |places, work| tool.count(places, work, more))
    }

    /// Shows the least counts of both.
    fn least(
        &mut self,
        tool: Tool,
        name: &str,
        work: Work,
        bound: f64,
        count: impl Fn(&Places, &Work) -> Result<Option<f64>, BoxError>,
    ) -> Result<(), BoxError> {
        let mut least = [f64::INFINITY; 2];
        for round in 1..=MOST_COUNTS {
            for (least, work) in least.iter_mut().zip(work.of_both()) {
                let Some(count) = count(&self.servers.places, &work)? else { return Ok(()) };
                *least = least.min(count);
            }
            let row = row(name, tool.unit(), work, least, Bound::Ratio(bound));
            if row.holds() || round == MOST_COUNTS {
                (self.show)(row);
                break;
            }
        }
        Ok(())
    }

    /// The first connect of a process, with all that has to be made before.
    fn first(&mut self, work: Work) -> Result<(), BoxError> {
        let name = "first connect of a process, literal, full TLS handshake";
        let tool = Tool::Callgrind;
        self.least(tool, name, work, FIRST, |places, work| tool.count_process(&arguments(places, work, 1)?))?;
        let mut times = [const { Vec::new() }; 2];
        for _ in 0..if self.quick { 11 } else { 31 } {
            for (times, work) in times.iter_mut().zip(work.of_both()) {
                times.push(costs(&self.servers.places, &work, 1)?.nanoseconds / 1e6);
            }
        }
        self.show(name, Unit::Milliseconds, work, times.map(median), Bound::None);
        Ok(())
    }

    /// Many connects at once to one name that nobody has asked for.
    fn crowd(&mut self) -> Result<(), BoxError> {
        // Each time another name, so that the name server tells whose queries are whose.
        let work = |name| Work {
            client: Client::Ours,
            act: Act::Connect,
            host: Host::Crowded(name),
            tls: Tls::Above,
            at_once: CROWD,
        };
        let (mut queries, mut times) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2]);
        for name in 1..if self.quick { 4 } else { 10 } {
            for (index, work) in work(name).of_both().into_iter().enumerate() {
                let before = self.servers.queries(&work.host.name(0))?;
                times[index].push(costs(&self.servers.places, &work, CROWD)?.nanoseconds / 1e3);
                queries[index].push((self.servers.queries(&work.host.name(0))? - before) as f64);
            }
        }
        let name = format!("{CROWD} connects at once to one new name, `https`, TCP");
        self.show(&name, Unit::Queries, work(0), queries.map(median), Bound::Exactly(QUERIES));
        let each = format!("{name}, each");
        self.show(&each, Unit::Microseconds, work(0), times.map(median), Bound::None);
        self.count(Tool::Callgrind, &each, work(0), CROWD, CROWDED)?;
        self.count(Tool::Strace, &each, work(0), CROWD, CROWDED_CALLS)
    }

    /// Memory of connects that are in flight.
    fn hold(&mut self, work: Work) -> Result<(), BoxError> {
        let mut bytes = [0.0; 2];
        for (bytes, work) in bytes.iter_mut().zip(work.of_both()) {
            let costs = costs(&self.servers.places, &work, HELD)?;
            *bytes = costs.resident_bytes.ok_or("memory was to be measured")? as f64;
        }
        let name = format!("memory of a connect to a silent address, of {HELD} at once");
        self.show(&name, Unit::Bytes, work, bytes, Bound::Most(MEMORY));
        Ok(())
    }

    /// What is pure by itself. Whatever else the machine does can only add to its time, so the shortest is the truest.
    fn alone(&mut self, name: &str, call: &str, most: f64) -> Result<(), BoxError> {
        const ROUNDS: usize = 200;
        const REPEATS: u32 = 100;
        let (tool, unit) = (Tool::Callgrind, Unit::Microseconds);
        let arguments = |count: usize| Ok(["alone".to_owned(), call.to_owned(), count.to_string()]);
        let row = |unit, ours, bound| Row { name: name.to_owned(), unit, ours, other: Other::None, bound };
        if let Some(count) = tool.count_each(1000, arguments)? {
            (self.show)(row(tool.unit(), count, Bound::Most(most)));
        }
        let call = pure(call)?;
        let times = (0..ROUNDS).map(|_| {
            let start = Instant::now();
            (0..REPEATS).for_each(|_| call());
            start.elapsed() / REPEATS
        });
        let shortest = times.min().ok_or("there are rounds")?;
        (self.show)(row(unit, unit.of(shortest), Bound::None));
        Ok(())
    }
}

fn row(name: &str, unit: Unit, work: Work, [ours, theirs]: [f64; 2], bound: Bound) -> Row {
    let other = Other::Client(work.of_both()[1].client_name(), theirs);
    Row { name: name.to_owned(), unit, ours, other, bound }
}
