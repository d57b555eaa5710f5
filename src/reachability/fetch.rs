//! A connect and one request over it.

mod http;

use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::Uri;
use tokio::time::Instant;

pub use self::http::{HttpError, Limits, Response};
pub(super) use self::http::{Protocol, get};
use super::fault::Fault;
use super::patience;
use crate::connector::HappyEyeballsConnector;
use crate::error::Error;
use crate::origin::Origin;
use crate::report::Report;
use crate::stream::{MaybeHttpsStream, TlsInfo};

/// What came of a URL. Times are from the start of the connect.
#[derive(Debug)]
#[non_exhaustive]
pub struct Fetch {
    /// The race. `None` if the URL was refused before anything was tried.
    pub report: Option<Arc<Report>>,
    /// The connection that won.
    pub connection: Option<Connection>,
    /// The response, as far as it came.
    pub response: Option<Response>,
    /// When it was over.
    pub total: Duration,
    /// Why it failed, if it did; the status is no failure.
    pub error: Option<FetchError>,
}

impl Fetch {
    /// Why it was of no use, in words; a status of 500 and more is a failure of the server.
    pub fn failure(&self) -> Option<String> {
        match (&self.error, &self.response) {
            (Some(error), _) => Some(error.to_string()),
            (None, Some(response)) if response.has_failed() => Some(Fault::of_status(response.status).to_string()),
            _ => None,
        }
    }
}

/// Connects to the origin of `uri` over a fresh connection and sends a GET for it, by HTTP/2 where ALPN agreed on it.
/// Redirects are not followed.
pub async fn fetch(connector: &HappyEyeballsConnector, uri: &Uri, limits: Limits) -> Fetch {
    fetch_until(connector, uri, limits, None).await
}

/// The same, where the response has to be there at `end`.
pub(super) async fn fetch_until(
    connector: &HappyEyeballsConnector,
    uri: &Uri,
    limits: Limits,
    end: Option<Instant>,
) -> Fetch {
    let start = Instant::now();
    let failed = |error: Error| Fetch {
        report: error.report().cloned(),
        connection: None,
        response: None,
        total: start.elapsed(),
        error: Some(FetchError::Connect(error)),
    };
    let origin = match Origin::from_uri(uri) {
        Ok(origin) => origin,
        Err(error) => return failed(error),
    };
    let stream = match connector.clone().connect(uri.clone()).await {
        Ok(stream) => stream,
        Err(error) => return failed(error),
    };
    let report = stream.report().clone();
    let connection = Connection::of(&stream);
    let limits = Limits { patience: patience(limits.patience, end), ..limits };
    let exchange = get(stream, connection.protocol(), uri, &origin, start, limits).await;
    Fetch {
        report: Some(report),
        connection: Some(connection),
        response: exchange.response,
        total: start.elapsed(),
        error: exchange.error.map(FetchError::Http),
    }
}

/// Who speaks with whom, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection {
    /// The other end, unless it has already reset the connection.
    pub remote: Option<SocketAddr>,
    /// This end.
    pub local: Option<SocketAddr>,
    /// What TLS agreed on; `None` on plain TCP.
    pub tls: Option<TlsInfo>,
}

impl Connection {
    pub(super) fn of(stream: &MaybeHttpsStream) -> Self {
        let tcp = stream.tcp_stream();
        Self { remote: tcp.peer_addr().ok(), local: tcp.local_addr().ok(), tls: stream.tls_info().cloned() }
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.tls.as_ref().map_or(Protocol::Http1, Protocol::agreed)
    }
}

/// Why a fetch failed.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums)] // a fetch is these two
pub enum FetchError {
    /// There was no connection.
    Connect(Error),
    /// The connection was of no use.
    Http(HttpError),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Http(error) => write!(f, "HTTP failed: {}", chain(error)),
        }
    }
}

impl StdError for FetchError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Connect(error) => error.source(),
            Self::Http(error) => error.source(),
        }
    }
}

/// An error and its causes, each said once: many repeat theirs.
///
/// For errors of this module and of the connector, in a line that says all that there is to say.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
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
