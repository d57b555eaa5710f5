//! A host whose service has ECH, and connectors to it.

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_server::proto::rr::{RData, RecordType};
use hyper_happy_eyeballs::{Builder, Config, Ech, HappyEyeballsConnector};
use rustls::client::{EchMode, WebPkiServerVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, Error};

use crate::host::{HOST, HTTPS, Host, V4};
use crate::lab::{Ca, HttpsRecord, Reply};
use crate::server::{EchServer, Manner};
use crate::zone::{TARGET, patient, publish, records, set_addresses};

/// The host without ECH at the first address, and a service of its with ECH at the second, to which a record leads.
pub(crate) struct Scene {
    pub(crate) host: Host,
    pub(crate) server: EchServer,
}

impl Scene {
    pub(crate) async fn open(manner: Manner) -> Option<Self> {
        let host = Host::with(HTTPS).await;
        let server = EchServer::open(&host.ca, V4[1], manner).await?;
        Some(Self::of(host, server))
    }

    /// What `server` has at the second address is the service.
    pub(crate) fn of(host: Host, server: EchServer) -> Self {
        set_addresses(&host, TARGET, [V4[1]]);
        let scene = Self { host, server };
        publish(&scene.host, records([scene.record(1)]));
        scene
    }

    pub(crate) fn service(&self) -> SocketAddr {
        self.server.addr(V4[1])
    }

    /// What leads to the service, with its key.
    pub(crate) fn record(&self, priority: u16) -> HttpsRecord {
        self.record_without_ech(priority).ech(self.server.configs())
    }

    pub(crate) fn record_without_ech(&self, priority: u16) -> HttpsRecord {
        HttpsRecord::new(priority, TARGET).port(self.service().port())
    }

    pub(crate) fn connector(&self, ech: Ech) -> HappyEyeballsConnector {
        connector(&self.host, ech)
    }

    pub(crate) fn uri(&self) -> String {
        self.host.uri("https")
    }
}

/// A host that is the server with ECH itself.
pub(crate) struct Alone {
    pub(crate) host: Host,
    pub(crate) server: EchServer,
}

impl Alone {
    pub(crate) async fn open(manner: Manner) -> Option<Self> {
        let host = Host::open([]).await;
        let server = EchServer::open(&host.ca, V4[0], manner).await?;
        set_addresses(&host, HOST, [V4[0]]);
        Some(Self { host, server })
    }

    /// Answers the HTTPS query of its port.
    pub(crate) fn publish(&self, reply: Reply) {
        let port = self.server.addr(V4[0]).port();
        self.host.dns.set(&format!("_{port}._https.{HOST}"), RecordType::HTTPS, reply);
    }

    /// A record that leads to the host itself, with its key.
    pub(crate) fn record(&self) -> RData {
        HttpsRecord::new(1, HOST).ech(self.server.configs()).into()
    }

    pub(crate) fn uri(&self) -> String {
        format!("https://{HOST}:{}/", self.server.addr(V4[0]).port())
    }
}

pub(crate) fn connector(host: &Host, ech: Ech) -> HappyEyeballsConnector {
    builder(host).config(settings(ech)).build().expect("TLS is chosen")
}

/// Only answers and failures start anything.
pub(crate) fn settings(ech: Ech) -> Config {
    let mut config = patient();
    config.ech(ech);
    config
}

/// With TLS that can do ECH.
pub(crate) fn builder(host: &Host) -> Builder {
    host.bare_builder().tls_config_with(tls(&host.ca)).enable_all_versions()
}

/// Makes TLS that trusts `ca`, and of which one handshake resumes the session of another.
pub(crate) fn tls(ca: &Ca) -> impl Fn(Option<EchMode>) -> Result<ClientConfig, Error> + Send + Sync + 'static {
    let provider = Arc::new(default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(ca.roots().into(), provider.clone());
    let verifier = verifier.build().expect("the lab's root");
    move |mode| {
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = match mode {
            Some(mode) => builder.with_ech(mode)?,
            None => builder.with_safe_default_protocol_versions()?,
        };
        Ok(builder.with_webpki_verifier(verifier.clone()).with_no_client_auth())
    }
}
