//! What this crate may cost beside others, where that does not hang on the machine: instructions, queries, memory.

use crate::BoxError;
use crate::clients::Client;
use crate::count::{Tool, costs, median, pair};
use crate::row::{Bound, Other, Row, Unit};
use crate::servers::{Host, Servers};
use crate::work::{Act, Tls, Work};

/// Connects to one new name at once.
const CROWD: usize = 1000;
/// A, AAAA and HTTPS.
const QUERIES: f64 = 3.0;
/// Connects in flight at once.
const HELD: usize = 10_000;
const MEMORY: f64 = 6.0 * 1024.0;

// Ours in units of the other's instructions.
const GET: f64 = 1.10;
const CACHED: f64 = 1.15;
const HANDSHAKE: f64 = 1.03;
/// aws-lc-rs gathers entropy, which is nearly all of it, and takes half a per cent more or less each time.
const FIRST: f64 = 1.01;
const CROWDED: f64 = 1.0;

pub fn measure(quick: bool, servers: &mut Servers, show: &mut impl FnMut(Row)) -> Result<(), BoxError> {
    let more = if quick { 300 } else { 1000 };
    let literal = Work { client: Client::Ours, act: Act::Get, host: Host::Literal, tls: Tls::None, at_once: 1 };
    instructions("GET over a fresh connection, literal", literal, more, GET, servers, show)?;
    let cached = Work { act: Act::Connect, host: Host::Cached, ..literal };
    instructions("connect, cached name", cached, more, CACHED, servers, show)?;
    let handshake = Work { act: Act::Connect, tls: Tls::Full, ..literal };
    instructions("connect with a full TLS handshake, literal", handshake, more / 3, HANDSHAKE, servers, show)?;
    first(quick, servers, show)?;
    crowd(quick, servers, show)?;
    hold(servers, show)
}

impl Work {
    fn of_both(self) -> [Self; 2] {
        [Client::Ours, Client::HttpConnector].map(|client| Self { client, ..self })
    }
}

fn instructions(
    name: &str,
    work: Work,
    more: usize,
    bound: f64,
    servers: &Servers,
    show: &mut impl FnMut(Row),
) -> Result<(), BoxError> {
    let [ours, theirs] = work.of_both().map(|work| Tool::Callgrind.count(&servers.places, &work, more));
    show_instructions(name, work, ours?.zip(theirs?), bound, show);
    Ok(())
}

fn show_instructions(name: &str, work: Work, counts: Option<(f64, f64)>, bound: f64, show: &mut impl FnMut(Row)) {
    if let Some((ours, theirs)) = counts {
        let other = Other::Client(work.of_both()[1].client_name(), theirs);
        show(Row { name: name.to_owned(), unit: Unit::Instructions, ours, other, bound: Bound::Ratio(bound) });
    }
}

/// The first connect of a process, with all that has to be made before.
fn first(quick: bool, servers: &Servers, show: &mut impl FnMut(Row)) -> Result<(), BoxError> {
    let work = Work { client: Client::Ours, act: Act::First, host: Host::Literal, tls: Tls::Full, at_once: 1 };
    let name = "first connect of a process, TLS";
    let [ours, theirs] =
        pair(work.of_both().map(|work| move || Tool::Callgrind.count_process(&servers.places, &work, 1)))?;
    show_instructions(name, work, ours.zip(theirs), FIRST, show);

    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..if quick { 11 } else { 31 } {
        for (times, work) in times.iter_mut().zip(work.of_both()) {
            times.push(costs(&servers.places, &work, 1)?.nanoseconds / 1e6);
        }
    }
    let [ours, theirs] = times.map(median);
    let other = Other::Client(work.of_both()[1].client_name(), theirs);
    show(Row { name: name.to_owned(), unit: Unit::Milliseconds, ours, other, bound: Bound::None });
    Ok(())
}

/// Many connects at once to one name that nobody has asked for.
fn crowd(quick: bool, servers: &mut Servers, show: &mut impl FnMut(Row)) -> Result<(), BoxError> {
    let mut number = 0;
    // Each time another name, so that the name server tells whose queries are whose.
    let mut work = || {
        number += 1;
        Work { client: Client::Ours, act: Act::Connect, host: Host::Crowded(number), tls: Tls::Above, at_once: CROWD }
    };
    let mut times = [Vec::new(), Vec::new()];
    let mut queries = [0.0; 2];
    for _ in 0..if quick { 3 } else { 9 } {
        let work = work().of_both();
        for (index, work) in work.into_iter().enumerate() {
            let before = servers.queries(&work.host.name(0))?;
            times[index].push(costs(&servers.places, &work, CROWD)?.nanoseconds / 1e3);
            queries[index] = (servers.queries(&work.host.name(0))? - before) as f64;
        }
    }
    let name = |what: &str| format!("{CROWD} connects at once to one new name, `https`, TCP: {what}");
    let work = work();
    let [ours, theirs] = queries;
    let other = Other::Client(work.of_both()[1].client_name(), theirs);
    show(Row { name: name("queries"), unit: Unit::Queries, ours, other, bound: Bound::Exactly(QUERIES) });
    let [ours, theirs] = times.map(median);
    let other = Other::Client(work.of_both()[1].client_name(), theirs);
    show(Row { name: name("time of each"), unit: Unit::Microseconds, ours, other, bound: Bound::None });
    instructions(&name("each"), work, CROWD, CROWDED, servers, show)
}

/// Memory of connects that are in flight.
fn hold(servers: &Servers, show: &mut impl FnMut(Row)) -> Result<(), BoxError> {
    let work = Work { client: Client::Ours, act: Act::Hold, host: Host::Silent, tls: Tls::None, at_once: HELD };
    let mut bytes = [0.0; 2];
    for (bytes, work) in bytes.iter_mut().zip(work.of_both()) {
        *bytes = costs(&servers.places, &work, HELD)?.resident_bytes.ok_or("memory was to be measured")? as f64;
    }
    let [ours, theirs] = bytes;
    let name = format!("memory of a connect in flight, of {HELD} to a silent address");
    let other = Other::Client(work.of_both()[1].client_name(), theirs);
    show(Row { name, unit: Unit::Bytes, ours, other, bound: Bound::Most(MEMORY) });
    Ok(())
}
