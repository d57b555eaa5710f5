//! Connects of this crate's connector beside those of other clients, in one run on one machine, all on loopback.
//!
//! ```text
//! cargo run --release --manifest-path benches/end_to_end/Cargo.toml [-- --quick --json]
//! ```
//!
//! It exits with 1 when a bound is broken.

mod clients;
mod connects;
mod count;
#[path = "../../../tests/lab/mod.rs"]
mod lab;
#[path = "../../../tests/process/mod.rs"]
mod process;
mod row;
mod servers;
mod targets;
mod work;
mod worlds;

use std::process::ExitCode;

use row::Row;
use servers::Servers;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        // What this program runs itself as, so that servers and each client are processes of their own.
        ["serve"] => servers::serve().map(|()| true),
        ["client", places, work, count] => work::client(places, work, count).map(|()| true),
        ["alone", call, count] => targets::alone(call, count).map(|()| true),
        _ if arguments.iter().all(|argument| ["--quick", "--json"].contains(argument)) => {
            measure(arguments.contains(&"--quick"), arguments.contains(&"--json"))
        }
        _ => {
            eprintln!("usage: end-to-end [--quick] [--json]");
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

/// Whether every bound held.
fn measure(quick: bool, json: bool) -> Result<bool, BoxError> {
    let mut servers = Servers::start()?;
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
    targets::measure(quick, &mut servers, &mut show)?;
    worlds::measure(quick, &mut show)?;
    if !json {
        println!("\n{}", connects::HEADER);
    }
    connects::measure(quick, &servers, &mut |took| {
        if json {
            println!("{}", took.json());
        } else {
            println!("{}", took.row());
        }
    })?;
    Ok(held)
}
