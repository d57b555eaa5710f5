//! gRPC by tonic over this connector: `cargo run --example grpc`, here in `tests/consumers`.
//!
//! A greeter on loopback has two addresses, and the first refuses. Its messages are written by hand; those that a build
//! script makes of a `.proto` are the same.

// The tests include this file.
#![allow(dead_code, unreachable_pub)]

use std::convert::Infallible;
use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;

use http::Uri;
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_happy_eyeballs::HappyEyeballsConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::ServiceExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    const HOST: &str = "greeter.test";
    let identity = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
    let mut roots = RootCertStore::empty();
    roots.add(identity.cert.der().clone())?;
    let key = PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der());
    let mut tls =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![identity.cert.into()], key.into())?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let addr = listener.local_addr()?;
    tokio::spawn(serve(listener, Arc::new(tls)));

    // It is bound and does not listen.
    let refusing = TcpSocket::new_v4()?;
    refusing.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let connector = HappyEyeballsConnector::builder()
        .tls_config(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
        .enable_http2()
        .resolve(HOST, [refusing.local_addr()?, addr])
        .build()?;
    let channel = connect(connector, HOST).await?;
    println!("{}", greet(channel, "world").await?);
    Ok(())
}

const PATH: &str = "/lab.Greeter/Greet";

#[derive(Clone, PartialEq, prost::Message)]
pub struct Name {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Greeting {
    #[prost(string, tag = "1")]
    text: String,
}

/// A channel with TLS of the connector, which it thus races.
///
/// tonic wants TLS of its own for an `https` endpoint, so that its endpoint is one of `http`, and only the requests and
/// the connector are told the truth. The connector has to have TLS, and `enable_http2()`.
pub async fn connect(connector: HappyEyeballsConnector, authority: &str) -> Result<Channel, Box<dyn Error>> {
    let https: Uri = format!("https://{authority}").parse()?;
    let endpoint = Endpoint::from_shared(format!("http://{authority}"))?.origin(https.clone());
    // tonic hands no report on, so it is printed here.
    let connector = connector.map_request(move |_: Uri| https.clone()).map_response(|stream| {
        println!("{}", stream.report());
        stream
    });
    Ok(endpoint.connect_with_connector(connector).await?)
}

/// A channel with TLS of tonic, above a connector for TCP: `plaintext()`.
pub async fn connect_with_tls_of_tonic(
    connector: HappyEyeballsConnector,
    authority: &str,
    ca: &str,
) -> Result<Channel, Box<dyn Error>> {
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
    let endpoint = Endpoint::from_shared(format!("https://{authority}"))?.tls_config(tls)?;
    Ok(endpoint.connect_with_connector(connector).await?)
}

/// One call.
pub async fn greet(channel: Channel, name: &str) -> Result<String, Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let codec = ProstCodec::<Name, Greeting>::default();
    let request = Request::new(Name { name: name.to_owned() });
    let greeting = client.unary(request, PathAndQuery::from_static(PATH), codec).await?;
    Ok(greeting.into_inner().text)
}

/// The greeter.
pub async fn serve(listener: TcpListener, tls: Arc<ServerConfig>) {
    let acceptor = TlsAcceptor::from(tls);
    while let Ok((tcp, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let stream = acceptor.accept(tcp).await?;
            let server = http2::Builder::new(TokioExecutor::new());
            Ok::<_, Box<dyn Error + Send + Sync>>(
                server.serve_connection(TokioIo::new(stream), service_fn(answer)).await?,
            )
        });
    }
}

async fn answer(request: http::Request<Incoming>) -> Result<http::Response<tonic::body::Body>, Infallible> {
    let greet = tower::service_fn(|request: Request<Name>| async move {
        Ok(Response::new(Greeting { text: format!("Hello, {}", request.into_inner().name) }))
    });
    Ok(match request.uri().path() {
        PATH => tonic::server::Grpc::new(ProstCodec::<Greeting, Name>::default()).unary(greet, request).await,
        _ => Status::unimplemented("there is only the greeter").into_http(),
    })
}
