//! The client that many want: hyper-util's over this connector, with redirects, compressed bodies, JSON, retries and a
//! timeout by tower and tower-http.
//!
//! ```text
//! cargo run --example reqwest_style           shows each of them, with servers on loopback, in this process
//! cargo run --example reqwest_style -- URL    fetches from the Internet, and from nowhere inside
//! ```
//!
//! `Client` and what belongs to it, down to `cause`, is there to be taken and changed. After that come the show and
//! its servers.

#[path = "../tests/lab/mod.rs"]
mod lab;

use std::collections::HashSet;
use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt::Debug;
use std::iter::successors;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{FutureExt, stream};
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper_happy_eyeballs::{AddressPolicy, Config, Error, Families, HappyEyeballsConnector, MaybeHttpsStream, Report};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::retry::{self, RetryLayer};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
use tower_http::compression::CompressionLayer;
use tower_http::decompression::{DecompressionBody, DecompressionLayer};
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http::follow_redirect::policy::{self, Action, Attempt, FilterCredentials};

use lab::{Behaviour, Ca, Certificate, Loopback, Site, Sites};

/// Clones share the connections, and may have a timeout of their own.
#[derive(Clone)]
struct Client {
    service: BoxCloneSyncService<Request<Full<Bytes>>, Response<DecompressionBody<Incoming>>, BoxError>,
    /// For a request as a whole: each redirect and each retry, and the response to the last byte of its body.
    timeout: Duration,
}

/// What a response may come to, once decompressed: little of it has to come over the network.
const MAX_BODY: usize = 16 << 20;

impl Client {
    fn new(connector: HappyEyeballsConnector) -> Self {
        // Each race is printed as it ends: later requests have the connection that it led to, and its report.
        let connector = connector.map_result(|result: Result<MaybeHttpsStream, Error>| {
            let report = match &result {
                Ok(stream) => Some(stream.report()),
                Err(error) => error.report(),
            };
            report.into_iter().for_each(|report| println!("{report}"));
            result
        });
        // Without a timer a connection that nobody needs any more is kept for as long as its server likes.
        let http = legacy::Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        let exchange = service_fn(move |request: Request<Full<Bytes>>| {
            let line = format!("{} {}", request.method(), request.uri());
            http.request(request).map(move |result| {
                match &result {
                    Ok(response) => println!("{line}: {}", summary(response)),
                    Err(error) => println!("{line}: {}", chain(error)),
                }
                result
            })
        });
        // Retries are below redirects: what failed is sent again, and not all that led there.
        let service = ServiceBuilder::new()
            .layer(DecompressionLayer::new())
            .layer(FollowRedirectLayer::with_policy(Redirects::new(10)))
            .map_err(BoxError::from)
            .layer(RetryLayer::new(Retries { left: 2, pause: Duration::from_millis(100) }))
            .service(exchange);
        Self { service: BoxCloneSyncService::new(service), timeout: Duration::from_secs(30) }
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, BoxError> {
        json_of(&self.send(Request::get(url).body(Full::default())?).await?)
    }

    async fn post<T: DeserializeOwned>(&self, url: &str, body: &impl Serialize) -> Result<T, BoxError> {
        let body = Full::from(serde_json::to_vec(body)?);
        json_of(&self.send(Request::post(url).header(CONTENT_TYPE, "application/json").body(body)?).await?)
    }

    /// Any request, and the whole response, whatever its status.
    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, BoxError> {
        let response = async {
            let (head, body) = self.service.clone().oneshot(request).await?.into_parts();
            let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        // tower's Timeout covers the response without its body, and tower-http's makes a response of its own.
        match timeout(self.timeout, response).await {
            Ok(result) => result,
            Err(_) => Err(format!("timed out after {:?}", self.timeout).into()),
        }
    }
}

fn json_of<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<T, BoxError> {
    match response.status() {
        status if status.is_success() => Ok(serde_json::from_slice(response.body())?),
        status => Err(format!("the server says {status}").into()),
    }
}

/// Follows redirects as reqwest does. Credentials do not leave their origin, other headers go along; a body goes along
/// with 307 and 308, and 301, 302 and 303 make a GET of a POST. Each hop is a connect of its own, which the address policy
/// is asked about.
#[derive(Clone)]
struct Redirects {
    left: usize,
    credentials: FilterCredentials,
}

impl Redirects {
    fn new(limit: usize) -> Self {
        Self { left: limit, credentials: FilterCredentials::new() }
    }
}

impl policy::Policy<Full<Bytes>, BoxError> for Redirects {
    fn redirect(&mut self, attempt: &Attempt<'_>) -> Result<Action, BoxError> {
        // The connector would take any scheme for one of TCP.
        if !matches!(attempt.location().scheme_str(), Some("http" | "https")) {
            return Err(format!("a redirect to {}", attempt.location()).into());
        }
        self.left = self.left.checked_sub(1).ok_or("too many redirects")?;
        policy::Policy::<Full<Bytes>, _>::redirect(&mut self.credentials, attempt)
    }

    fn on_request(&mut self, request: &mut Request<Full<Bytes>>) {
        policy::Policy::<_, BoxError>::on_request(&mut self.credentials, request);
    }

    fn clone_body(&self, body: &Full<Bytes>) -> Option<Full<Bytes>> {
        Some(body.clone())
    }
}

/// Sends again what does no harm if it arrives twice, and where another time may go better.
#[derive(Clone)]
struct Retries {
    left: u32,
    pause: Duration,
}

impl<B> retry::Policy<Request<Full<Bytes>>, Response<B>, legacy::Error> for Retries {
    type Future = Sleep;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        result: &mut Result<Response<B>, legacy::Error>,
    ) -> Option<Sleep> {
        let may_pass = match result {
            // Whether to come back at a given time is for the caller to decide.
            Ok(response) => {
                response.status() == StatusCode::SERVICE_UNAVAILABLE && !response.headers().contains_key(RETRY_AFTER)
            }
            Err(error) => match cause::<Error>(error) {
                // DNS, certificates and the address policy will say the same again.
                Some(error) => error.is_connect(),
                None => cause::<hyper::Error>(error).is_some(),
            },
        };
        if !may_pass {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        self.pause *= 2;
        Some(sleep(self.pause / 2))
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        request.method().is_idempotent().then(|| request.clone())
    }
}

/// Version, status, coding on the wire, and the address that won the race for the connection.
fn summary(response: &Response<Incoming>) -> String {
    let coding = response.headers().get(CONTENT_ENCODING).and_then(|coding| coding.to_str().ok()).unwrap_or("identity");
    let report = response.extensions().get::<Arc<Report>>();
    let winner = report.and_then(|report| report.winner()).map(|attempt| attempt.addr().to_string());
    let winner = winner.unwrap_or_default();
    format!("{:?} {}, {coding}, from {winner}", response.version(), response.status())
}

/// An error with its causes. The connector's is among them, and has the report of the race.
fn chain(error: &(dyn StdError + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |&error| error.source())
}

fn cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    causes(error).find_map(|error| error.downcast_ref())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let result = match std::env::args().nth(1) {
        Some(url) => fetch(&url).await,
        None => show().await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn fetch(url: &str) -> Result<(), BoxError> {
    let mut config = Config::default();
    config.address_policy(AddressPolicy::public_only());
    let connector =
        HappyEyeballsConnector::builder().config(config).platform_verifier().enable_all_versions().build()?;
    let response = Client::new(connector).send(Request::get(url).body(Full::default())?).await?;
    println!("{}", String::from_utf8_lossy(response.body()));
    Ok(())
}

/// What the servers say that they were asked.
#[derive(Debug, Deserialize, Serialize)]
struct Echo {
    path: String,
    authorization: Option<String>,
    body: Value,
}

async fn show() -> Result<(), BoxError> {
    let (servers, connector) = Servers::start().await?;
    let client = Client::new(connector);
    let secret = |url: &str| Request::get(url).header(AUTHORIZATION, "Bearer secret");

    println!("\n== A redirect to another origin, and on to a third place, over a broken IPv6");
    let request = secret("http://old.test/to?https://new.test/to?/echo").body(Full::default())?;
    print_result(client.send(request).await.and_then(|response| json_of::<Echo>(&response)));

    let order = json!({"order": 1});
    print_result(client.post::<Echo>("http://old.test/to?https://new.test/echo", &order).await);

    println!("\n== What is compressed, each way, with credentials that stay in their origin");
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let request = secret("https://new.test/to?/echo").header(ACCEPT_ENCODING, coding).body(Full::default())?;
        print_result(client.send(request).await.and_then(|response| json_of::<Echo>(&response)));
    }
    print_result(client.get::<Echo>("https://new.test/bomb").await);

    println!("\n== Redirects that lead inside, by name and by address, out of HTTP, and nowhere");
    let literal = format!("http://{}/", servers.inside.servers()[0].addr());
    for url in ["http://inside.test/", &literal, "ftp://new.test/"] {
        print_result(client.get::<Echo>(&format!("https://new.test/to?{url}")).await);
    }
    print_result(client.get::<Echo>("https://new.test/maze").await);
    println!("connections inside: {}", servers.inside.servers()[0].accepted());

    println!("\n== Retries of what can be sent twice");
    for url in ["https://new.test/busy", "http://old.test/hang-up", "https://new.test/down", "https://new.test/later"] {
        print_result(client.get::<Echo>(url).await);
        print_result(client.post::<Echo>(url, &order).await);
    }

    println!("\n== One timeout for all of it");
    let hurried = Client { timeout: Duration::from_millis(500), ..client };
    for path in ["late", "maze", "tired"] {
        print_result(hurried.get::<Echo>(&format!("https://new.test/{path}")).await);
    }
    Ok(())
}

fn print_result<T: Debug>(result: Result<T, BoxError>) {
    match result {
        Ok(value) => println!("=> {value:?}"),
        Err(error) => println!("=> {}", chain(&*error)),
    }
}

/// What stays open during the show, beside the servers of `old.test` and `new.test`.
struct Servers {
    /// The first address of `new.test`, whose SYNs get no answer.
    _broken: Sites,
    /// That of `inside.test`, which the address policy denies.
    inside: Sites,
}

const INSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 10));

impl Servers {
    /// With a connector that reaches them.
    async fn start() -> Result<(Self, HappyEyeballsConnector), BoxError> {
        let ca = Ca::new();
        // Without IPv6 it is another IPv4 address.
        let loopback = Loopback::detect().await;
        let broken = Sites::open(&ca, "new.test", [(loopback.first(), Site::Silent)]).await?;
        let inside = Sites::open(&ca, "inside.test", [(INSIDE, Site::Http(Behaviour::Serve))]).await?;
        let old = TcpListener::bind((loopback.second(), 0)).await?;
        let new = TcpListener::bind((loopback.second(), 0)).await?;

        // What is public, and of loopback what is not inside.
        let policy = AddressPolicy::public_only().or(AddressPolicy::allow(["127.0.0.8/31".parse()?, "::1".parse()?]));
        let mut config = Config::default();
        config.address_policy(policy).families(Families::Both);
        let connector = HappyEyeballsConnector::builder()
            .config(config)
            .tls_config(ca.client_config(&[]))
            .enable_all_versions()
            .resolve("old.test", [old.local_addr()?])
            .resolve("new.test", [SocketAddr::new(loopback.first(), broken.port()), new.local_addr()?])
            .resolve("inside.test", [SocketAddr::new(INSIDE, inside.port())])
            .build()?;
        tokio::spawn(serve(old, None));
        tokio::spawn(serve(new, Some(ca.server_config("new.test", Certificate::Good))));
        Ok((Self { _broken: broken, inside }, connector))
    }
}

async fn serve(listener: TcpListener, tls: Option<ServerConfig>) {
    let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let answer = service_fn(move |request: Request<Incoming>| {
        let key = (request.method().clone(), request.uri().clone());
        let first = seen.lock().expect("nothing panics under it").insert(key);
        answer(request, first)
    });
    let service = TowerToHyperService::new(ServiceBuilder::new().layer(CompressionLayer::new()).service(answer));
    while let Ok((tcp, _)) = listener.accept().await {
        let (tls, service) = (tls.clone(), service.clone());
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            match tls {
                Some(tls) => server.serve_connection(TokioIo::new(tls.accept(tcp).await?), service).await,
                None => server.serve_connection(TokioIo::new(tcp), service).await,
            }
        });
    }
}

/// Answers by the path, and by whether such a request is the first.
async fn answer(
    request: Request<Incoming>,
    first: bool,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, BoxError> {
    let (head, body) = request.into_parts();
    // All of it: a connection that is closed with something unread ends with a RST.
    let body = body.collect().await?.to_bytes();
    let redirect =
        |to: &str| Ok::<_, BoxError>((StatusCode::TEMPORARY_REDIRECT, Some((LOCATION, HeaderValue::from_str(to)?))));
    let (status, header) = match head.uri.path() {
        "/to" => redirect(head.uri.query().unwrap_or_default())?,
        "/maze" => {
            sleep(Duration::from_millis(100)).await;
            redirect("/maze")?
        }
        "/tired" => {
            sleep(Duration::from_millis(200)).await;
            (StatusCode::SERVICE_UNAVAILABLE, None)
        }
        "/down" => (StatusCode::SERVICE_UNAVAILABLE, None),
        "/later" => (StatusCode::SERVICE_UNAVAILABLE, Some((RETRY_AFTER, HeaderValue::from_static("60")))),
        "/busy" if first => (StatusCode::SERVICE_UNAVAILABLE, None),
        // Without an answer the connection ends.
        "/hang-up" if first => return Err("hung up".into()),
        _ => (StatusCode::OK, None),
    };
    let echo = Echo {
        path: head.uri.path().to_owned(),
        authorization: head.headers.get(AUTHORIZATION).and_then(|value| Some(value.to_str().ok()?.to_owned())),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let json = match head.uri.path() {
        "/bomb" => vec![b' '; MAX_BODY + 1],
        _ => serde_json::to_vec(&echo)?,
    };
    let late = head.uri.path() == "/late";
    let body = StreamBody::new(stream::once(async move {
        if late {
            sleep(Duration::from_secs(2)).await;
        }
        Ok(Frame::data(Bytes::from(json)))
    }));
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().extend(header);
    Ok(response)
}
