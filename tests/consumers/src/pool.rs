//! hyper-util's pool services over the connector: HTTP/2 if ALPN says so, HTTP/1 if not.

use std::future::poll_fn;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response, Uri, Version, header};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_happy_eyeballs::MaybeHttpsStream;
use hyper_util::client::legacy::connect::Connection;
use hyper_util::client::pool::{cache, map::Map, negotiate, singleton::Singleton};
use hyper_util::rt::TokioExecutor;
use tower::layer::layer_fn;
use tower::{BoxError, Service, ServiceExt};

use crate::host::{HOST, HTTPS, Host};
use crate::whole;

/// Requests at one time share one connection of HTTP/2, and are on two of HTTP/1; later ones take what is there.
#[tokio::test]
async fn pools_hold_what_alpn_says() {
    for (version, connections) in [(Version::HTTP_2, 1), (Version::HTTP_11, 2)] {
        let host = Host::with(HTTPS).await;
        let builder = if version == Version::HTTP_2 { host.builder().enable_all_versions() } else { host.builder() };
        let pool = negotiate::builder()
            .connect(builder.build().unwrap())
            .inspect(|stream: &MaybeHttpsStream| stream.connected().is_negotiated_h2())
            .fallback(layer_fn(|connect| {
                cache::builder().build(ServiceExt::<Uri>::and_then(connect, |stream| Box::pin(http1(stream))))
            }))
            .upgrade(layer_fn(|connect| {
                Singleton::new(ServiceExt::<()>::and_then(connect, |stream| Box::pin(http2(stream))))
            }))
            .build::<Uri>();
        let mut pools =
            Map::builder::<Uri>().keys(|uri| uri.authority().cloned()).values(move |_| pool.clone()).build();

        let uri: Uri = host.uri("https").parse().unwrap();
        for _ in 0..2 {
            let mut first = ready_call(pools.service(&uri), uri.clone()).await.unwrap();
            let mut second = ready_call(pools.service(&uri), uri.clone()).await.unwrap();
            for pooled in [&mut first, &mut second] {
                let request = Request::get(uri.clone()).header(header::HOST, HOST).body(Empty::new()).unwrap();
                let response = ready_call(pooled, request).await.unwrap();
                assert_eq!(response.version(), version);
                whole(response).await;
            }
        }
        assert_eq!((host.server().accepted(), host.server().requests()), (connections, 4), "{version:?}");
    }
}

async fn ready_call<S: Service<R>, R>(service: &mut S, request: R) -> Result<S::Response, S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}

async fn http1(stream: MaybeHttpsStream) -> Result<Http1, BoxError> {
    let (sender, connection) = http1::handshake(stream).await?;
    tokio::spawn(connection);
    Ok(Http1(sender))
}

async fn http2(stream: MaybeHttpsStream) -> Result<Http2, BoxError> {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
    tokio::spawn(connection);
    Ok(Http2(sender))
}

struct Http1(http1::SendRequest<Empty<Bytes>>);

#[derive(Clone)]
struct Http2(http2::SendRequest<Empty<Bytes>>);

macro_rules! service {
    ($($sender:ty),*) => {
        $(
            impl Service<Request<Empty<Bytes>>> for $sender {
                type Response = Response<Incoming>;
                type Error = hyper::Error;
                type Future = BoxFuture<'static, hyper::Result<Response<Incoming>>>;

                fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
                    self.0.poll_ready(cx)
                }

                fn call(&mut self, request: Request<Empty<Bytes>>) -> Self::Future {
                    Box::pin(self.0.send_request(request))
                }
            }
        )*
    };
}

service!(Http1, Http2);
