//! One URL over a connection of its own.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use hyper_happy_eyeballs::reachability::{self, Connection, FetchError, HttpError, Limits, Response};
use hyper_happy_eyeballs::{Error, Report};

use crate::connect::{Connectors, parse};
use crate::exit::Stage;
use crate::waterfall::{clean, millis};

/// What came of a URL. Times are from the start of the connect.
pub(crate) struct Fetch {
    pub(crate) url: String,
    /// None if the URL was refused before anything was tried.
    pub(crate) report: Option<Arc<Report>>,
    pub(crate) connection: Option<Connection>,
    pub(crate) response: Option<Response>,
    pub(crate) total: Duration,
    pub(crate) failure: Option<Failure>,
}

pub(crate) struct Failure {
    pub(crate) stage: Stage,
    /// All that there is to say.
    pub(crate) message: String,
    /// What is at the bottom of it, if it is known.
    cause: Option<String>,
}

impl Failure {
    /// In words for somebody who has the drawing.
    pub(crate) fn brief(&self) -> String {
        match (&self.cause, self.stage) {
            (Some(cause), stage) => clean(&format!("{stage}: {cause}")),
            (None, stage) => stage.to_string(),
        }
    }

    fn uri(why: &str) -> Self {
        Self { stage: Stage::Uri, message: format!("bad URL: {why}"), cause: Some(why.into()) }
    }

    fn connect(error: &Error) -> Self {
        let stage = Stage::of(error);
        let cause = match stage {
            Stage::Uri => Some(error.to_string()),
            Stage::Timeout => error.report().map(|report| format!("no connection in {} ms", millis(report.elapsed()))),
            // Below is only how the resolver has it.
            Stage::Dns => error.source().map(ToString::to_string),
            _ => error.source().map(chain),
        };
        Self { stage, message: error.to_string(), cause }
    }

    fn http(error: &HttpError) -> Self {
        let stage = if error.is_timeout() { Stage::Timeout } else { Stage::Http };
        let cause = chain(error);
        Self { stage, message: format!("{stage}: {cause}"), cause: Some(cause) }
    }
}

/// Fetches `url` over a fresh connection.
pub(crate) async fn fetch(connectors: &Connectors, url: &str) -> Fetch {
    let url = url.to_owned();
    let (uri, origin) = match parse(&url) {
        Ok(parsed) => parsed,
        Err(why) => {
            let failure = Some(Failure::uri(&why));
            return Fetch { url, report: None, connection: None, response: None, total: Duration::ZERO, failure };
        }
    };
    let fetched = reachability::fetch(connectors.of(&origin), &uri, Limits::default()).await;
    let failure = fetched.error.as_ref().map(|error| match error {
        FetchError::Connect(error) => Failure::connect(error),
        FetchError::Http(error) => Failure::http(error),
    });
    let reachability::Fetch { report, connection, response, total, .. } = fetched;
    Fetch { url, report, connection, response, total, failure }
}

/// An error and its causes, each said once: many repeat theirs.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}
