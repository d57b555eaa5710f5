//! The command line: its subcommands, and the options that they share.

mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

use crate::check::CheckArgs;
use crate::get::GetArgs;
use crate::serve::ServeArgs;
use values::{milliseconds, name_server};

pub(crate) use values::{Override, seconds};

/// Shows how a site is reached: which of its addresses wins the race of RFC 8305 (Happy Eyeballs), and when.
#[derive(Debug, Parser)]
#[command(name = "eyeballs", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Get(GetArgs),
    Check(CheckArgs),
    Serve(ServeArgs),
}

/// How to connect.
#[derive(Args, Debug)]
#[command(next_help_heading = "Connecting")]
pub(crate) struct ConnectOptions {
    /// Use IPv4 only; with -6 too, ask for both families even if this host has no address of one
    #[arg(short = '4', long)]
    pub(crate) ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,

    /// Ask this name server instead of the system's; may be repeated, then all are asked at once
    #[arg(long, value_name = "IP[:PORT]", value_parser = name_server)]
    pub(crate) resolver: Vec<SocketAddr>,

    /// Use these addresses for HOST at PORT and ask no name server; may be repeated
    #[arg(long, value_name = "HOST:PORT:ADDR[,ADDR]")]
    pub(crate) resolve: Vec<Override>,

    /// Trust the root certificates in this file, and no others
    #[arg(long, value_name = "PEM")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Accept any certificate
    #[arg(long, conflicts_with = "ca_file")]
    pub(crate) insecure: bool,

    /// The time for DNS, race and TLS together; fractions are fine [default: of get 30, of check and serve 5]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub(crate) connect_timeout: Option<Duration>,

    /// Connect as a client of this kind does
    #[arg(long, value_enum, default_value_t = Strategy::Hev3)]
    pub(crate) strategy: Strategy,

    /// The time between the starts of two attempts while nothing fails [default: 250, of rfc6555 300]
    #[arg(long, value_name = "MS", value_parser = value_parser!(u64).range(10..=3_600_000))]
    pub(crate) attempt_delay: Option<u64>,

    /// How long the first address waits for the IPv6 answer and HTTPS records [default: 50, of sequential and rfc6555
    /// unbounded]
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    pub(crate) resolution_delay: Option<Duration>,

    /// Neither ask for nor follow HTTPS records (RFC 9460)
    #[arg(long)]
    pub(crate) no_https_records: bool,

    /// When to encrypt the server name
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Ech::On)]
    pub(crate) ech: Ech,

    /// Dial only addresses that are globally reachable: none that is private, loopback or link-local, whether it is in
    /// a URL, in DNS or in --resolve. Name servers of --resolver are asked wherever they are
    #[arg(long)]
    pub(crate) public_only: bool,

    /// Offer HTTP/1.1 only
    #[arg(long)]
    pub(crate) http1: bool,
}

/// The kinds of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strategy {
    /// One address after the other, the next only when the last has failed
    Sequential,
    /// Two lanes, IPv4 300 ms after IPv6
    Rfc6555,
    /// Every address raced by TCP, without HTTPS records
    Rfc8305,
    /// Happy Eyeballs version 3: TLS is part of the race, HTTPS records are followed
    Hev3,
}

/// When Encrypted Client Hello (RFC 9849) is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ech {
    /// Where an HTTPS record has a configuration
    On,
    /// The same, and elsewhere make an offer without meaning; TLS 1.2 is not offered then
    Grease,
    /// Always; connect to nobody without
    Required,
    /// Never
    Off,
}

/// How often.
#[derive(Args, Debug)]
#[command(next_help_heading = "Repeating")]
pub(crate) struct RepeatOptions {
    /// Do it so many times, each over a fresh connection; DNS answers and TLS sessions are kept
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..), default_value_t = 1)]
    pub(crate) repeat: u32,

    /// The pause before each repetition
    #[arg(long, value_name = "SECS", value_parser = seconds, requires = "repeat")]
    pub(crate) interval: Option<Duration>,
}

/// What is printed.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// Print one JSON object a line and nothing else
    #[arg(long)]
    pub(crate) json: bool,

    /// Print nothing, so that the exit code tells; with --json, nothing but JSON
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Use no colour; without it there is colour on a terminal, unless NO_COLOR is set
    #[arg(long)]
    pub(crate) no_color: bool,
}
