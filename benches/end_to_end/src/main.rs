//! Whole connects of this crate's connector beside `HttpConnector`, in one run on one machine, all on loopback.
//!
//! ```text
//! cargo run --release --manifest-path benches/end_to_end/Cargo.toml [-- --quick --json]
//! ```
//!
//! It exits with 1 when a bound is broken.

mod clients;
mod gets;
#[path = "../../../tests/lab/mod.rs"]
mod lab;
mod race;
mod row;
mod silent;

use std::process::ExitCode;

use clients::Client;
use row::Row;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: end-to-end [--quick] [--json]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        // What this program runs itself as, so that client and server are processes of their own.
        ["serve"] => gets::serve().map(|()| true),
        ["get", client, url, count] => get(client, url, count).map(|()| true),
        _ if arguments.iter().all(|argument| ["--quick", "--json"].contains(argument)) => {
            measure(arguments.contains(&"--quick"), arguments.contains(&"--json"))
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(64);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn get(client: &str, url: &str, count: &str) -> Result<(), BoxError> {
    let client = Client::by_name(client).ok_or(USAGE)?;
    let elapsed = gets::get(client, url.parse()?, count.parse()?)?;
    println!("{}", elapsed.as_nanos());
    Ok(())
}

/// Whether every bound held.
fn measure(quick: bool, json: bool) -> Result<bool, BoxError> {
    if !json {
        println!("{}", Row::HEADER);
    }
    let mut held = true;
    let mut show = |row: Row| {
        if json {
            println!("{}", row.json());
        } else {
            println!("{row}");
        }
        held &= row.holds();
    };
    race::measure(&mut show);
    gets::measure(quick, &mut show)?;
    silent::measure(quick, &mut show)?;
    Ok(held)
}
