//! One request over a connection, by hyper's own client.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use http::{Request, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::origin::{Host, Origin};
use crate::stream::TlsInfo;

/// What is kept of a body.
const KEPT: usize = 256;
/// How long a connection that has served may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(100);

/// How much is read of a response, and how long it is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // there is nothing else that is without a bound
pub struct Limits {
    /// How long nothing may come.
    pub patience: Duration,
    /// Bytes of the body. A longer one is an error; with 0 the body is left unread.
    pub body: u64,
}

/// 30 s for each sign of life, and 64 MiB.
impl Default for Limits {
    fn default() -> Self {
        Self { patience: Duration::from_secs(30), body: 64 * 1024 * 1024 }
    }
}

impl Limits {
    /// The head of the response alone, within `patience`.
    pub fn head(patience: Duration) -> Self {
        Self { patience, body: 0 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    /// What ALPN has agreed on.
    pub(crate) fn agreed(tls: &TlsInfo) -> Self {
        match tls.alpn() {
            Some(b"h2") => Self::Http2,
            _ => Self::Http1,
        }
    }
}

/// What came back, and why not more.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) response: Option<Response>,
    pub(crate) error: Option<HttpError>,
}

/// A response over HTTP/1 or HTTP/2.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// The version that was spoken.
    pub version: Version,
    /// The status.
    pub status: StatusCode,
    /// The header field of that name.
    pub location: Option<String>,
    /// The length of the body, where the head tells it.
    pub content_length: Option<u64>,
    /// When the head was there, from the start of the connect.
    pub first_byte: Duration,
    /// The first 256 bytes of the body.
    pub body: Vec<u8>,
    /// All of them, as far as they came and were read.
    pub body_bytes: u64,
}

/// Why an exchange failed.
#[derive(Debug)]
pub struct HttpError(Cause);

#[derive(Debug)]
enum Cause {
    Hyper(hyper::Error),
    Request(http::Error),
    /// No head, or none that was whole.
    Headless(Duration),
    Stalled(Duration),
    TooLong(u64),
}

impl HttpError {
    /// What had to come did not within the time that the [`Limits`] allow.
    pub fn is_timeout(&self) -> bool {
        matches!(self.0, Cause::Headless(_) | Cause::Stalled(_))
    }
}

/// Fetches `uri`, which is of `origin`, as far as `limits` allow.
pub(crate) async fn get<S>(
    stream: S,
    protocol: Protocol,
    uri: &Uri,
    origin: &Origin,
    start: Instant,
    limits: Limits,
) -> Exchange
where
    S: Read + Write + Send + Unpin + 'static,
{
    let (response, connection) = match head(stream, protocol, uri, origin, limits).await {
        Ok(answered) => answered,
        Err(error) => return Exchange { response: None, error: Some(error) },
    };
    let (head, mut incoming) = response.into_parts();
    let location = head.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
    let mut response = Response {
        version: head.version,
        status: head.status,
        location: location.map(str::to_owned),
        content_length: incoming.size_hint().exact(),
        first_byte: start.elapsed(),
        body: Vec::new(),
        body_bytes: 0,
    };
    let mut error = None;
    if limits.body > 0 {
        error = response.read(&mut incoming, limits).await.err();
        drop(incoming);
        connection.close().await;
    }
    Exchange { response: Some(response), error }
}

async fn head<S>(
    stream: S,
    protocol: Protocol,
    uri: &Uri,
    origin: &Origin,
    limits: Limits,
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
            let (mut sender, connection) = limits.patiently(http1::handshake(stream), Cause::Headless).await?;
            let driven = Driven::spawn(connection);
            let request = request.body(Empty::<Bytes>::new()).map_err(unfit)?;
            Ok((limits.patiently(sender.send_request(request), Cause::Headless).await?, driven))
        }
        Protocol::Http2 => {
            let uri = Uri::builder().scheme(origin.scheme()).authority(authority).path_and_query(path);
            let request = request.uri(uri.build().map_err(unfit)?);
            let (mut sender, connection) =
                limits.patiently(http2::handshake(TokioExecutor::new(), stream), Cause::Headless).await?;
            let driven = Driven::spawn(connection);
            let request = request.body(Empty::<Bytes>::new()).map_err(unfit)?;
            Ok((limits.patiently(sender.send_request(request), Cause::Headless).await?, driven))
        }
    }
}

impl Response {
    /// Whether its status says that the server has failed. HTTP has none from 600 on (RFC 9110 section 15), but servers do.
    pub(crate) fn has_failed(&self) -> bool {
        self.status.as_u16() >= 500
    }

    async fn read(&mut self, incoming: &mut Incoming, limits: Limits) -> Result<(), HttpError> {
        loop {
            let frame = async { incoming.frame().await.transpose() };
            let Some(frame) = limits.patiently(frame, Cause::Stalled).await? else { return Ok(()) };
            let Ok(data) = frame.into_data() else { continue };
            let room = KEPT - self.body.len();
            self.body.extend_from_slice(&data[..data.len().min(room)]);
            self.body_bytes += data.len() as u64;
            if self.body_bytes > limits.body {
                return Err(HttpError(Cause::TooLong(limits.body)));
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

impl Limits {
    async fn patiently<T>(
        self,
        work: impl Future<Output = hyper::Result<T>>,
        late: impl FnOnce(Duration) -> Cause,
    ) -> Result<T, HttpError> {
        match timeout(self.patience, work).await {
            Ok(done) => done.map_err(|error| HttpError(Cause::Hyper(error))),
            Err(_) => Err(HttpError(late(self.patience))),
        }
    }
}

fn unfit(error: http::Error) -> HttpError {
    HttpError(Cause::Request(error))
}

/// Host and port as a server wants them: no zone, which means nothing to it, and no default port.
fn authority(origin: &Origin) -> String {
    let default = if origin.is_secure() { 443 } else { 80 };
    let host = match origin.host() {
        Host::Address { ip, .. } if ip.is_ipv6() => format!("[{ip}]"),
        Host::Address { ip, .. } => ip.to_string(),
        Host::Name(name) => name.to_string(),
    };
    if origin.port() == default { host } else { format!("{host}:{}", origin.port()) }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Hyper(error) => error.fmt(f),
            Cause::Request(error) => error.fmt(f),
            Cause::Headless(patience) => write!(f, "no whole head within {} s", patience.as_secs_f64()),
            Cause::Stalled(patience) => write!(f, "nothing came for {} s", patience.as_secs_f64()),
            Cause::TooLong(most) => write!(f, "the body is longer than {} MiB", most >> 20),
        }
    }
}

impl StdError for HttpError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0 {
            Cause::Hyper(error) => error.source(),
            Cause::Request(error) => error.source(),
            Cause::Headless(_) | Cause::Stalled(_) | Cause::TooLong(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
