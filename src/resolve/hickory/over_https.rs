//! DNS over HTTPS (RFC 8484): a message a request, over HTTP/2.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::{RuntimeProvider, Spawn};
use hickory_resolver::net::xfer::{DnsExchange, DnsRequestSender, DnsResponseStream};
use hickory_resolver::proto::op::{DnsRequest, DnsResponse, Message};
use http::header::{ACCEPT, AGE, CONTENT_TYPE};
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::timeout;

use super::HickoryResolver;
use super::connections::{NameServer, Secure, Times};
use super::over_tls::Tls;
use super::transport::Sockets;
use super::wire;
use crate::config::Config;

const DNS_MESSAGE: &str = "application/dns-message";

impl HickoryResolver {
    /// These name servers by DNS over HTTPS (RFC 8484) with HTTP/2, and no search list. Each is reached at its address
    /// under its URI, such as `https://dns.example/dns-query`, whose host its certificate has to have. The port is that
    /// of the address, usually 443. The hosts file is the system's.
    ///
    /// Everything else is as for [`over_tls`](Self::over_tls). With a URI that is not one of `https` each lookup fails.
    ///
    /// ```
    /// # fn example(tls: rustls::ClientConfig) -> Result<(), Box<dyn std::error::Error>> {
    /// use hyper_happy_eyeballs::resolve::HickoryResolver;
    ///
    /// let server = ("192.0.2.53:443".parse()?, "https://dns.example/dns-query".parse()?);
    /// let resolver = HickoryResolver::over_https([server], tls);
    /// # Ok(())
    /// # }
    /// ```
    pub fn over_https(servers: impl IntoIterator<Item = (SocketAddr, Uri)>, tls: impl Into<Arc<ClientConfig>>) -> Self {
        let tls = tls.into();
        let servers = servers.into_iter();
        Self::over(servers.map(|(addr, uri)| NameServer::secure(addr, Secure::Https(Https::new(tls.clone(), uri)))))
    }
}

/// The service of a name server.
#[derive(Clone)]
pub(super) struct Https {
    config: Arc<ClientConfig>,
    uri: Uri,
}

impl Https {
    pub(super) fn new(config: Arc<ClientConfig>, uri: Uri) -> Self {
        Self { config, uri }
    }

    /// Connects to `server`.
    pub(super) async fn connect(
        self,
        sockets: Sockets,
        server: SocketAddr,
        times: Times,
    ) -> Result<DnsExchange<Sockets>, NetError> {
        let tls = Tls::new(&self.config, self.server_name()?, &["h2"]);
        let tcp = sockets.connect(server, times.opening).await?;
        let stream = tls.handshake(tcp, Some(times.opening)).await?;
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (sender, connection) = timeout(times.opening, handshake).await.map_err(io::Error::from)?.map_err(lost)?;
        let mut tasks = sockets.create_handle();
        tasks.spawn_bg(async {
            if let Err(err) = connection.await {
                tracing::debug!(%err, "a connection to a name server failed");
            }
        });
        let (exchange, background) =
            DnsExchange::from_stream(Requests { sender, uri: self.uri, time: times.query, is_shutdown: false });
        tasks.spawn_bg(background);
        Ok(exchange)
    }

    fn server_name(&self) -> Result<ServerName<'static>, NetError> {
        let host = self.uri.host().filter(|_| self.uri.scheme_str() == Some("https"));
        let host = host.map(|host| host.trim_start_matches('[').trim_end_matches(']').to_owned());
        let name = host.and_then(|host| ServerName::try_from(host).ok());
        name.ok_or_else(|| NetError::Msg(format!("{} is not a URI of https with a host", self.uri)))
    }
}

/// Requests over one connection.
struct Requests {
    sender: SendRequest<Full<Bytes>>,
    uri: Uri,
    time: Duration,
    is_shutdown: bool,
}

/// Ready for a request, or at its end.
impl Stream for Requests {
    type Item = Result<(), NetError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready((!self.is_shutdown).then_some(Ok(())))
    }
}

impl DnsRequestSender for Requests {
    fn send_message(&mut self, request: DnsRequest) -> DnsResponseStream {
        let exchange = exchange(self.sender.clone(), self.uri.clone(), request);
        let time = self.time;
        let exchange = async move { timeout(time, exchange).await.unwrap_or(Err(NetError::Timeout)) };
        Box::pin(exchange).into()
    }

    fn shutdown(&mut self) {
        self.is_shutdown = true;
    }

    fn is_shutdown(&self) -> bool {
        self.is_shutdown
    }
}

async fn exchange(
    mut sender: SendRequest<Full<Bytes>>,
    uri: Uri,
    mut request: DnsRequest,
) -> Result<DnsResponse, NetError> {
    // For the sake of HTTP's caches (RFC 8484 section 4.1).
    request.metadata.id = 0;
    let mut query = request.to_vec()?;
    wire::request(&mut query);
    let request = Request::post(uri).header(ACCEPT, DNS_MESSAGE).header(CONTENT_TYPE, DNS_MESSAGE);
    let request = request.body(Full::new(query.into())).map_err(|err| NetError::Msg(err.to_string()))?;

    let response = sender.send_request(request).await.map_err(lost)?;
    let (head, body) = response.into_parts();
    let is_dns = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(DNS_MESSAGE.as_bytes()));
    if !head.status.is_success() || !is_dns {
        return Err(NetError::Msg(format!("HTTP {} without a message of DNS", head.status)));
    }
    let body = Limited::new(body, Config::MAX_MESSAGE).collect().await.map_err(|err| NetError::Msg(err.to_string()))?;
    let mut answer = Vec::from(body.to_bytes());
    let length = wire::response(&mut answer, false);
    let mut answer = Message::from_vec(&answer[..length])?;
    grow_old(&mut answer, age(&head.headers));
    Ok(DnsResponse::from_message(answer)?)
}

/// For how many seconds a cache of HTTP has kept the answer, which are gone of its lifetime (RFC 8484 section 5.1).
fn age(headers: &HeaderMap) -> u32 {
    headers.get(AGE).and_then(|age| age.to_str().ok()?.parse().ok()).unwrap_or_default()
}

fn grow_old(answer: &mut Message, age: u32) {
    for record in answer.answers.iter_mut().chain(&mut answer.authorities).chain(&mut answer.additionals) {
        record.ttl = record.ttl.saturating_sub(age);
    }
}

/// The connection is gone, so that another is made.
fn lost(error: hyper::Error) -> NetError {
    io::Error::new(io::ErrorKind::ConnectionReset, error).into()
}
