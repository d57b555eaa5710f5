//! One URL over a connection of its own.

use std::error::Error as StdError;

use hyper_happy_eyeballs::Error;
use hyper_happy_eyeballs::reachability::{self, Fetch, FetchError, HttpError, Limits, chain};

use crate::connect::{Connectors, parse};
use crate::exit::Stage;
use crate::waterfall::{clean, millis};

/// What came of a URL.
pub(crate) struct Fetched {
    /// As it was given.
    pub(crate) url: String,
    /// Or what is wrong with the URL.
    pub(crate) result: Result<Fetch, String>,
}

impl Fetched {
    pub(crate) fn failure(&self) -> Option<Failure> {
        match &self.result {
            Ok(fetch) => Failure::of(fetch),
            Err(why) => Some(Failure::uri(why)),
        }
    }
}

pub(crate) struct Failure {
    pub(crate) stage: Stage,
    /// All that there is to say.
    pub(crate) message: String,
    /// What is at the bottom of it, if it is known.
    cause: Option<String>,
}

impl Failure {
    pub(crate) fn of(fetch: &Fetch) -> Option<Self> {
        fetch.error.as_ref().map(|error| match error {
            FetchError::Connect(error) => Self::connect(error),
            FetchError::Http(error) => Self::http(error),
        })
    }

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
pub(crate) async fn fetch(connectors: &Connectors, url: &str) -> Fetched {
    let result = match parse(url) {
        Ok((uri, origin)) => Ok(reachability::fetch(connectors.of(&origin), &uri, Limits::default()).await),
        Err(why) => Err(why),
    };
    Fetched { url: url.to_owned(), result }
}
