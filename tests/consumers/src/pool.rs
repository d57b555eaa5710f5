//! hyper-util's pool services over the connector: HTTP/2 if ALPN says so, HTTP/1 if not.

use std::future::poll_fn;

use http::{Request, Uri, Version};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_happy_eyeballs::MaybeHttpsStream;
use hyper_util::client::legacy::connect::Connection;
use hyper_util::client::pool::{cache, map::Map, negotiate, singleton::Singleton};
use hyper_util::rt::TokioExecutor;
use tower::layer::layer_fn;
use tower::{BoxError, Service, ServiceExt, service_fn};

use crate::host::{HTTPS, Host};
use crate::whole;

/// Calls a service when it is ready.
async fn poll<S: Service<R>, R>(service: &mut S, request: R) -> Result<S::Response, S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}

/// Requests at one time share the one connection of HTTP/2, and one after the other that of HTTP/1.
#[tokio::test]
async fn pools_hold_what_alpn_says() {
    for version in [Version::HTTP_2, Version::HTTP_11] {
        let host = Host::with(HTTPS).await;
        let builder = if version == Version::HTTP_2 { host.builder().enable_all_versions() } else { host.builder() };
        let connector = builder.build().unwrap();
        let uri: Uri = host.uri("https").parse().unwrap();

        let pool = negotiate::builder()
            .connect(connector)
            .inspect(|stream: &MaybeHttpsStream| stream.connected().is_negotiated_h2())
            .fallback(layer_fn(|connect| {
                let http1 = ServiceExt::<Uri>::and_then(connect, |stream| {
                    Box::pin(async move {
                        let (mut sender, connection) = http1::handshake(stream).await?;
                        tokio::spawn(connection);
                        Ok::<_, BoxError>(service_fn(move |request| sender.send_request(request)))
                    })
                });
                cache::builder().executor(TokioExecutor::new()).build(http1)
            }))
            .upgrade(layer_fn(|connect| {
                Singleton::new(ServiceExt::<()>::and_then(connect, |stream| {
                    Box::pin(async move {
                        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                        tokio::spawn(connection);
                        Ok::<_, BoxError>(service_fn(move |request| sender.clone().send_request(request)))
                    })
                }))
            }))
            .build::<Uri>();
        let mut pools =
            Map::builder::<Uri>().keys(|uri| uri.authority().cloned()).values(move |_| pool.clone()).build();
        for _ in 0..3 {
            let mut pooled = poll(pools.service(&uri), uri.clone()).await.unwrap();
            let request = Request::get(uri.clone()).header("host", "x").body(Empty::<Bytes>::new()).unwrap();
            let response = poll(&mut pooled, request).await.unwrap();
            assert_eq!(response.version(), version);
            whole(response).await;
        }
        assert_eq!((host.server().accepted(), host.server().requests()), (1, 3), "{version:?}");
    }
}
