//! kube-client, whose builder has `HttpConnector` built in, so that its client is composed as its documentation says.

use http::{Request, Uri};
use hyper::rt::{Read, Write};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::Connection;
use hyper_util::rt::TokioExecutor;
use kube_client::client::{Body, ConfigExt};
use kube_client::{Client, Config};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tower::{BoxError, Service, ServiceBuilder};

use crate::host::{HTTPS, Host, V4};
use crate::lab::Site;
use crate::ours;

/// With kube's TLS above the race, and with the connector's within it.
#[tokio::test]
async fn an_api_server_is_asked() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], HTTPS)]).await;
    let mut config = Config::new(host.uri("https").parse().unwrap());
    config.root_cert = Some(vec![CertificateDer::from_pem_slice(host.ca.pem().as_bytes()).unwrap().to_vec()]);
    let plain = host.bare_builder().plaintext().build().unwrap();
    let clients = [
        client(&config, config.rustls_https_connector_with_connector(plain).unwrap()),
        client(&config, host.connector()),
    ];
    for client in clients {
        assert_eq!(version(client).await.unwrap(), format!("{}\n", host.addr(V4[1])));
    }
}

#[tokio::test]
async fn a_failed_race_is_among_kubes_causes() {
    let host = Host::with(Site::Refused).await;
    let config = Config::new(host.uri("https").parse().unwrap());
    let error = version(client(&config, host.connector())).await.unwrap_err();
    assert_eq!(ours(&error).report().unwrap().attempts()[0].addr(), host.addr(V4[0]));
}

fn client<C>(config: &Config, connector: C) -> Client
where
    C: Service<Uri, Response: Connection + Read + Write + Unpin + Send, Error: Into<BoxError>, Future: Send>,
    C: Clone + Send + Sync + 'static,
{
    let mut connector = TimeoutConnector::new(connector);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    let http: legacy::Client<_, Body> = legacy::Client::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new().layer(config.base_uri_layer()).service(http);
    Client::new(service, &config.default_namespace)
}

async fn version(client: Client) -> kube_client::Result<String> {
    client.request_text(Request::get("/version").body(Vec::new()).unwrap()).await
}
