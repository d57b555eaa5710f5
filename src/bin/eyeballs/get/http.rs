//! One request over a connection, by hyper's own client.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use ::http::{Request, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::rt::{Read, Write};
use hyper_happy_eyeballs::{Host, Origin};
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// How long nothing may come.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is read of a body.
const LONGEST_BODY: u64 = 64 * 1024 * 1024;
/// What is kept of it.
const KEPT: usize = 256;
/// How long a connection that has served may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// What came back, and why not more.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) response: Option<Response>,
    pub(crate) error: Option<HttpError>,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    /// When its head was there, from the start of the connect.
    pub(crate) first_byte: Duration,
    /// Its first bytes.
    pub(crate) body: Vec<u8>,
    /// All of them, as far as they came.
    pub(crate) body_bytes: u64,
}

#[derive(Debug)]
pub(crate) enum HttpError {
    Hyper(hyper::Error),
    Request(::http::Error),
    Stalled,
    TooLong,
}

impl HttpError {
    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self, Self::Stalled)
    }
}

/// Fetches `uri`, which is of `origin`, to the end of the body.
pub(crate) async fn get<S>(stream: S, protocol: Protocol, uri: &Uri, origin: &Origin, start: Instant) -> Exchange
where
    S: Read + Write + Send + Unpin + 'static,
{
    let (response, connection) = match head(stream, protocol, uri, origin).await {
        Ok(answered) => answered,
        Err(error) => return Exchange { response: None, error: Some(error) },
    };
    let (head, mut incoming) = response.into_parts();
    let location = head.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
    let mut response = Response {
        version: head.version,
        status: head.status,
        location: location.map(str::to_owned),
        first_byte: start.elapsed(),
        body: Vec::new(),
        body_bytes: 0,
    };
    let error = response.read(&mut incoming).await.err();
    drop(incoming);
    connection.close().await;
    Exchange { response: Some(response), error }
}

async fn head<S>(
    stream: S,
    protocol: Protocol,
    uri: &Uri,
    origin: &Origin,
) -> Result<(hyper::Response<Incoming>, Driven), HttpError>
where
    S: Read + Write + Send + Unpin + 'static,
{
    let authority = authority(origin);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(header::USER_AGENT, concat!("eyeballs/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT, "*/*");
    match protocol {
        Protocol::Http1 => {
            let request = request.header(header::HOST, authority).header(header::CONNECTION, "close");
            let (mut sender, connection) = patiently(http1::handshake(stream)).await?;
            let driven = Driven::spawn(connection);
            let request = request.body(Empty::<Bytes>::new()).map_err(HttpError::Request)?;
            Ok((patiently(sender.send_request(request)).await?, driven))
        }
        Protocol::Http2 => {
            let uri = Uri::builder().scheme(origin.scheme()).authority(authority).path_and_query(path);
            let request = request.uri(uri.build().map_err(HttpError::Request)?);
            let (mut sender, connection) = patiently(http2::handshake(TokioExecutor::new(), stream)).await?;
            let driven = Driven::spawn(connection);
            let request = request.body(Empty::<Bytes>::new()).map_err(HttpError::Request)?;
            Ok((patiently(sender.send_request(request)).await?, driven))
        }
    }
}

impl Response {
    async fn read(&mut self, incoming: &mut Incoming) -> Result<(), HttpError> {
        loop {
            let frame = match timeout(PATIENCE, incoming.frame()).await {
                Ok(None) => return Ok(()),
                Ok(Some(frame)) => frame.map_err(HttpError::Hyper)?,
                Err(_) => return Err(HttpError::Stalled),
            };
            let Ok(data) = frame.into_data() else { continue };
            let room = KEPT - self.body.len();
            self.body.extend_from_slice(&data[..data.len().min(room)]);
            self.body_bytes += data.len() as u64;
            if self.body_bytes > LONGEST_BODY {
                return Err(HttpError::TooLong);
            }
        }
    }
}

/// A connection that is driven in a task of its own, until it is dropped.
struct Driven(JoinHandle<()>);

impl Driven {
    fn spawn(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) -> Self {
        // What goes wrong is told to the request too.
        Self(tokio::spawn(async move { drop(connection.await) }))
    }

    async fn close(mut self) {
        let _ = timeout(GOODBYE, &mut self.0).await;
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn patiently<T>(work: impl Future<Output = hyper::Result<T>>) -> Result<T, HttpError> {
    match timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(HttpError::Hyper),
        Err(_) => Err(HttpError::Stalled),
    }
}

/// As people write it.
pub(crate) fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

/// Host and port as a server wants them: no zone, which means nothing to it, and no default port.
fn authority(origin: &Origin) -> String {
    let default = if origin.is_secure() { 443 } else { 80 };
    let host = match origin.host() {
        Host::Address { ip, .. } if ip.is_ipv6() => format!("[{ip}]"),
        Host::Address { ip, .. } => ip.to_string(),
        Host::Name(name) => name.to_string(),
        _ => origin.to_string(),
    };
    if origin.port() == default { host } else { format!("{host}:{}", origin.port()) }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hyper(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Stalled => write!(f, "nothing came for {} s", PATIENCE.as_secs()),
            Self::TooLong => write!(f, "the body is longer than {} MiB", LONGEST_BODY >> 20),
        }
    }
}

impl StdError for HttpError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Hyper(error) => error.source(),
            Self::Request(error) => error.source(),
            Self::Stalled | Self::TooLong => None,
        }
    }
}

#[cfg(test)]
mod tests;
