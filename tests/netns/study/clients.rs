//! The clients that are measured, all with hickory below and the same TLS above.

use std::net::SocketAddr;

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{Config, HappyEyeballsConnector};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use tower_service::Service;

use crate::lab::{Ca, LookupIp};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Connecting = BoxFuture<'static, Result<(), BoxError>>;

pub(crate) struct Client {
    pub(crate) name: &'static str,
    connect: Box<dyn Fn(Uri) -> Connecting>,
}

impl Client {
    /// This crate's connector.
    pub(crate) fn connector(name: &'static str, config: Config, ca: &Ca, name_server: SocketAddr) -> Self {
        let tls = ca.client_config(&[]);
        let connect = move |uri| -> Connecting {
            let connector = HappyEyeballsConnector::builder()
                .resolver(HickoryResolver::with_name_servers([name_server]))
                .config(config.clone())
                .tls_config(tls.clone())
                .enable_all_versions()
                .build();
            Box::pin(async move { Ok(connector?.call(uri).await.map(drop)?) })
        };
        Self { name, connect: Box::new(connect) }
    }

    /// hyper-util's, in hyper-rustls.
    pub(crate) fn http_connector(name: &'static str, ca: &Ca, name_server: SocketAddr) -> Self {
        let tls = ca.client_config(&["h2", "http/1.1"]);
        let connect = move |uri| -> Connecting {
            let lookup = LookupIp::new(name_server);
            let tls = tls.clone();
            Box::pin(async move {
                let mut http = HttpConnector::new_with_resolver(lookup?);
                http.enforce_http(false);
                HttpsConnector::from((http, tls)).call(uri).await.map(drop)
            })
        };
        Self { name, connect: Box::new(connect) }
    }

    /// One connect, with nothing known from another.
    pub(crate) fn connect(&self, uri: &str) -> Connecting {
        (self.connect)(uri.parse().expect("a URI"))
    }
}
