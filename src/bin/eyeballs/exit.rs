//! Exit codes: the stage that failed, under curl's numbers.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use hyper_happy_eyeballs::Error;

/// The stages at which a fetch can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Uri,
    Dns,
    Policy,
    Tcp,
    Tls,
    Certificate,
    Http,
    /// The time ran out, whatever was under way.
    Timeout,
}

impl Stage {
    /// Where a connect failed. A lookup or handshake that timed out on its own counts as what it is: `Timeout` is the
    /// time for the whole connect.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            _ if error.is_invalid_uri() => Self::Uri,
            _ if error.is_dns() => Self::Dns,
            _ if error.is_denied() => Self::Policy,
            _ if error.is_certificate() => Self::Certificate,
            _ if error.is_tls() => Self::Tls,
            _ if error.is_connect() => Self::Tcp,
            _ if error.is_timeout() => Self::Timeout,
            // The origin is to be reached by https, which has to be asked for.
            _ => Self::Http,
        }
    }

    /// As JSON has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uri => "uri",
            Self::Dns => "dns",
            Self::Policy => "policy",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Certificate => "certificate",
            Self::Http => "http",
            Self::Timeout => "timeout",
        }
    }

    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Uri => 3,
            Self::Dns => 6,
            Self::Policy | Self::Tcp => 7,
            Self::Timeout => 28,
            Self::Tls => 35,
            Self::Http => 56,
            Self::Certificate => 60,
        }
    }
}

/// In words.
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uri => "bad URL",
            Self::Dns => "name not resolved",
            Self::Policy => "every address is denied",
            Self::Tcp => "no address connected",
            Self::Tls => "TLS failed",
            Self::Certificate => "certificate not accepted",
            Self::Http => "HTTP failed",
            Self::Timeout => "timed out",
        })
    }
}

impl From<Stage> for ExitCode {
    fn from(stage: Stage) -> Self {
        stage.exit_code().into()
    }
}

/// Exit codes that are of no stage, from sysexits(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Usage,
    System,
    Output,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Usage => 64,
            Exit::System => 71,
            Exit::Output => 74,
        }
        .into()
    }
}

/// What keeps the tool from doing its work.
#[derive(Debug)]
pub(crate) struct Fault {
    exit: Exit,
    message: String,
}

impl Fault {
    pub(crate) fn usage(message: String) -> Self {
        Self { exit: Exit::Usage, message }
    }

    pub(crate) fn system(message: String) -> Self {
        Self { exit: Exit::System, message }
    }

    pub(crate) fn output(error: &io::Error) -> Self {
        Self { exit: Exit::Output, message: format!("stdout cannot be written: {error}") }
    }

    pub(crate) fn file(path: &Path, error: &io::Error) -> Self {
        Self { exit: Exit::Output, message: format!("{} cannot be written: {error}", path.display()) }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
