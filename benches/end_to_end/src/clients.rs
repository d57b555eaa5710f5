//! The clients, made so that each asks the same name server, trusts the same authority and keeps no connection.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;

use http::Uri;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::rt::{Read, Write};
use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{Config, Families, HappyEyeballsConnector};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use crate::BoxError;
use crate::lab::{LookupIp, ca};
use crate::servers::{Host, Places};
use crate::work::{Act, Costs, Job, Tls, Work, size_of_future};

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Client {
    /// tokio's `TcpStream::connect` to the address, and tokio-rustls: what no client can do without.
    Floor,
    /// This crate's connector.
    Ours,
    /// The same, whose responses carry no report.
    Reportless,
    /// hyper-util's, with hickory for names that DNS knows and getaddrinfo for others, and with hyper-rustls for TLS.
    HttpConnector,
    Reqwest,
}

/// What a connect is to, in the words of each client.
pub struct Target {
    uri: Uri,
    url: String,
    addr: SocketAddr,
}

impl Target {
    pub fn new(places: &Places, work: &Work, connect: usize) -> Result<Self, BoxError> {
        let addr = match (work.host, work.tls) {
            (Host::Silent, _) => places.silent,
            (Host::Literal, Tls::Full | Tls::Resumed) => places.https_literal,
            (_, Tls::Full | Tls::Resumed) => places.https,
            (_, Tls::None | Tls::Above) => places.http,
        };
        let scheme = if work.tls == Tls::None { "http" } else { "https" };
        let url = format!("{scheme}://{}:{}/", work.host.name(connect), addr.port());
        Ok(Self { uri: url.parse()?, url, addr })
    }
}

/// What a client does again and again.
pub trait Once: Clone + Send + 'static {
    fn once(&mut self, target: &Target) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Bytes of the future of one connect that was never polled, where there is one to be had.
    fn size_of_connect(&mut self, _: &Target) -> Option<usize> {
        None
    }
}

/// Does `work` with the client that it is for.
pub async fn perform(places: &Places, work: &Work, count: usize) -> Result<Costs, BoxError> {
    let job = Job::begin(places, work, count);
    let tls = work.tls.is_ours().then(|| tls(places, work.tls)).transpose()?;
    let in_dns = work.host.is_in_dns();
    match work.client {
        Client::Floor => job.perform(Floor(tls.map(|tls| TlsConnector::from(Arc::new(tls))))).await,
        Client::Ours | Client::Reportless => {
            let mut config = Config::default();
            // hickory's lookup asks for both families, whatever this host has.
            config.families(Families::Both).report_in_responses(work.client == Client::Ours);
            let builder = HappyEyeballsConnector::builder().config(config);
            let builder = match tls {
                Some(tls) => builder.tls_config(tls),
                None => builder.plaintext(),
            };
            let builder = match in_dns {
                true => builder.resolver(HickoryResolver::with_name_servers([places.dns])),
                false => builder,
            };
            with_connector(job, builder.build()?).await
        }
        Client::HttpConnector if in_dns => {
            let mut http = HttpConnector::new_with_resolver(LookupIp::with_hosts_file(places.dns)?);
            http.enforce_http(false);
            with_connector_below(job, http, tls).await
        }
        Client::HttpConnector => {
            let mut http = HttpConnector::new();
            http.enforce_http(false);
            with_connector_below(job, http, tls).await
        }
        Client::Reqwest => {
            let builder = reqwest::Client::builder().no_proxy().http1_only().pool_max_idle_per_host(0);
            let builder = match in_dns {
                true => builder.dns_resolver(Lookup(LookupIp::with_hosts_file(places.dns)?)),
                false => builder,
            };
            // It wants one in any case.
            let tls = tls.map_or_else(|| self::tls(places, Tls::Full), Ok)?;
            job.perform(builder.tls_backend_preconfigured(tls).build()?).await
        }
    }
}

async fn with_connector_below<C: Connector>(
    job: Job<'_>,
    http: C,
    tls: Option<ClientConfig>,
) -> Result<Costs, BoxError> {
    match tls {
        Some(tls) => with_connector(job, HttpsConnector::from((http, tls))).await,
        None => with_connector(job, http).await,
    }
}

async fn with_connector<C: Connector>(job: Job<'_>, connector: C) -> Result<Costs, BoxError> {
    match job.work.act {
        Act::Get => {
            let client = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
            job.perform(Get(client)).await
        }
        Act::Connect | Act::First | Act::Hold => job.perform(Connect(connector)).await,
    }
}

/// A client like the lab's own, in a process that knows only the authority's certificate.
fn tls(places: &Places, tls: Tls) -> Result<ClientConfig, BoxError> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(places.root.as_bytes())?)?;
    let mut config = ClientConfig::builder_with_provider(ca::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if tls == Tls::Full {
        config.resumption = Resumption::disabled();
    }
    Ok(config)
}

/// A connector as hyper-util wants it.
trait Connector:
    Service<
        Uri,
        Response: Read + Write + Connection + Unpin + Send + 'static,
        Error: Into<BoxError> + Send,
        Future: Unpin + Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<C> Connector for C where
    C: Service<
            Uri,
            Response: Read + Write + Connection + Unpin + Send + 'static,
            Error: Into<BoxError> + Send,
            Future: Unpin + Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// A connect; its connection is closed.
#[derive(Clone)]
struct Connect<C>(C);

impl<C: Connector> Once for Connect<C> {
    async fn once(&mut self, target: &Target) -> Result<(), BoxError> {
        poll_fn(|cx| self.0.poll_ready(cx)).await.map_err(Into::into)?;
        self.0.call(target.uri.clone()).await.map_err(Into::into)?;
        Ok(())
    }

    fn size_of_connect(&mut self, target: &Target) -> Option<usize> {
        Some(size_of_future(|| self.0.call(target.uri.clone())))
    }
}

/// A connect and a GET.
#[derive(Clone)]
struct Get<C>(legacy::Client<C, Empty<Bytes>>);

impl<C: Connector> Once for Get<C> {
    async fn once(&mut self, target: &Target) -> Result<(), BoxError> {
        let request = http::Request::get(target.uri.clone()).header(http::header::CONNECTION, "close");
        let response = self.0.request(request.body(Empty::new())?).await?;
        if !response.status().is_success() || response.into_body().collect().await?.to_bytes().is_empty() {
            return Err("the server did not send what it should".into());
        }
        Ok(())
    }
}

impl Once for reqwest::Client {
    async fn once(&mut self, target: &Target) -> Result<(), BoxError> {
        let request = self.get(&target.url).header(http::header::CONNECTION, "close");
        let response = request.send().await?.error_for_status()?;
        if response.bytes().await?.is_empty() {
            return Err("the server did not send what it should".into());
        }
        Ok(())
    }
}

#[derive(Clone)]
struct Floor(Option<TlsConnector>);

impl Once for Floor {
    async fn once(&mut self, target: &Target) -> Result<(), BoxError> {
        let tcp = TcpStream::connect(target.addr).await?;
        if let Some(tls) = &self.0 {
            let host = target.uri.host().unwrap_or_default().to_owned();
            tls.connect(ServerName::try_from(host)?, tcp).await?;
        }
        Ok(())
    }

    fn size_of_connect(&mut self, target: &Target) -> Option<usize> {
        Some(size_of_future(|| TcpStream::connect(target.addr)))
    }
}

/// hickory's lookup as reqwest takes it.
struct Lookup(LookupIp);

impl reqwest::dns::Resolve for Lookup {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let mut lookup = self.0.clone();
        Box::pin(async move {
            let addrs = lookup.call(name.as_str().parse()?).await?;
            Ok(Box::new(addrs) as reqwest::dns::Addrs)
        })
    }
}
