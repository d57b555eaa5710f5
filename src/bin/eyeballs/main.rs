//! `eyeballs`: how a site is reached, by which of its addresses, and what that costs.
//!
//! Data goes to stdout, errors and progress to stderr. The exit code tells the stage that failed, see [`exit`].
#![forbid(unsafe_code)]

mod args;
mod check;
mod connect;
mod exit;
mod get;
mod progress;
mod serve;
mod table;
mod terminal;
mod tls;
mod waterfall;
mod words;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime;

use args::{Cli, Command};
use exit::Exit;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Whoever closed the stream has read enough.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    raise_descriptor_limit();
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(format_args!("the runtime cannot start: {error}"));
            return Exit::System.into();
        }
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Get(args) => get::run(&args).await,
            Command::Check(args) => check::run(&args).await,
            Command::Serve(args) => serve::run(args).await,
        }
    });
    match done {
        Ok(code) => code,
        Err(fault) => {
            complain(format_args!("{fault}"));
            fault.exit().into()
        }
    }
}

/// Many sites at once, each with many addresses, may have more sockets open than the soft limit allows, which is often
/// 1024 for the sake of programs that use select(2).
#[cfg(unix)]
fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Where it cannot be, what there is has to do.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

#[cfg(not(unix))]
fn raise_descriptor_limit() {}

/// Says on stderr what is wrong. That nobody listens there is no error.
fn complain(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "eyeballs: {what}");
}
