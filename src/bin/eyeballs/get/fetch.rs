//! One URL over a connection of its own.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::Uri;
use hyper_happy_eyeballs::{Error, MaybeHttpsStream, Origin, Report, TlsInfo};
use tokio::time::Instant;
use tower_service::Service;

use super::http::{self, HttpError, Protocol, Response};
use crate::connect::Connectors;
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

/// The connection that won.
pub(crate) struct Connection {
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) tls: Option<TlsInfo>,
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
    let (uri, origin) = match parse(url) {
        Ok(parsed) => parsed,
        Err(failure) => return Fetch::new(url, Duration::ZERO).failed(failure),
    };
    let mut connector = connectors.of(&origin);
    let start = Instant::now();
    let stream = match connector.call(uri.clone()).await {
        Ok(stream) => stream,
        Err(error) => {
            let fetch = Fetch { report: error.report().cloned(), ..Fetch::new(url, start.elapsed()) };
            return fetch.failed(Failure::connect(&error));
        }
    };
    let report = Some(stream.report().clone());
    let connection = Some(Connection::of(&stream));
    let protocol = match stream.tls_info().and_then(TlsInfo::alpn) {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    let exchange = http::get(stream, protocol, &uri, &origin, start).await;
    let fetch = Fetch { report, connection, response: exchange.response, ..Fetch::new(url, start.elapsed()) };
    match exchange.error {
        None => fetch,
        Some(error) => fetch.failed(Failure::http(&error)),
    }
}

impl Fetch {
    fn new(url: &str, total: Duration) -> Self {
        Self { url: url.into(), report: None, connection: None, response: None, total, failure: None }
    }

    fn failed(self, failure: Failure) -> Self {
        Self { failure: Some(failure), ..self }
    }
}

impl Connection {
    fn of(stream: &MaybeHttpsStream) -> Self {
        let tcp = stream.tcp_stream();
        Self { remote: tcp.peer_addr().ok(), local: tcp.local_addr().ok(), tls: stream.tls_info().cloned() }
    }
}

fn parse(url: &str) -> Result<(Uri, Origin), Failure> {
    let uri: Uri = url.parse().map_err(|error: ::http::uri::InvalidUri| Failure::uri(&error.to_string()))?;
    match uri.scheme_str() {
        None => return Err(Failure::uri("it has no scheme, http:// or https://")),
        Some("http" | "https") => {}
        Some(_) => return Err(Failure::uri("its scheme is neither http nor https")),
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Failure::uri("it has a user name, which would not be sent"));
    }
    let origin = Origin::from_uri(&uri).map_err(|error| {
        let text = error.to_string();
        Failure::uri(text.strip_prefix("invalid URL, ").unwrap_or(&text))
    })?;
    Ok((uri, origin))
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
