//! One bad server, alone and beside a good one.

use std::error::Error as _;
use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hyper_happy_eyeballs::report::{AttemptOutcome, FailureKind, Stage};
use hyper_happy_eyeballs::{Config, Error, Families, HappyEyeballsConnector, MaybeHttpsStream};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion, version};
use tokio::net::TcpListener;

use crate::lab::{Behaviour, Ca, Certificate, Server};
use crate::support::{Script, connect, failure};

pub(crate) const HOST: &str = "www.lab.test";
pub(crate) type Versions = &'static [&'static SupportedProtocolVersion];
pub(crate) const TLS12: Versions = &[&version::TLS12];
pub(crate) const TLS13: Versions = &[&version::TLS13];

/// A timeout that is waited for.
pub(crate) const SHORT: Duration = Duration::from_millis(150);
/// What is never waited for, on however slow a machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// Of the default settings.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

pub(crate) fn client(ca: &Ca) -> Arc<ClientConfig> {
    Arc::new(ca.client_config(&[]))
}

pub(crate) fn good(ca: &Ca) -> ServerConfig {
    ca.server_config(HOST, Certificate::Good)
}

pub(crate) async fn serve(config: ServerConfig, behaviour: Behaviour) -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    Server::start(listener, Some(Arc::new(config)), behaviour).expect("it listens")
}

/// A connector for which the host is at these servers, in this order.
pub(crate) fn connector<'a>(
    client: &Arc<ClientConfig>,
    config: Config,
    servers: impl IntoIterator<Item = &'a Server>,
) -> HappyEyeballsConnector {
    let script = Script::addresses(servers.into_iter().map(Server::addr));
    let builder = HappyEyeballsConnector::builder_with_resolver(script).tls_config(client.clone());
    builder.config(config).build().expect("TLS is chosen")
}

pub(crate) async fn connect_to<'a>(
    client: &Arc<ClientConfig>,
    config: Config,
    servers: impl IntoIterator<Item = &'a Server>,
) -> Result<MaybeHttpsStream, Error> {
    connect(&connector(client, config, servers), &format!("https://{HOST}/")).await
}

/// As time passes attempts start, and none ends. Which families the machine has must not matter.
pub(crate) fn paced() -> Config {
    let mut config = Config::default();
    config.families(Families::Both).tls_timeout(None).connect_timeout(Some(LONG));
    config
}

/// Nothing happens because time has passed.
pub(crate) fn timeless() -> Config {
    let mut config = paced();
    config.attempt_delay(LONG).max_attempt_delay(LONG);
    config
}

/// A server that nobody can connect to, and what it is to fail with.
pub(crate) struct Case<'a, D> {
    /// What to call it.
    pub(crate) what: D,
    pub(crate) client: &'a Arc<ClientConfig>,
    pub(crate) bad: &'a Server,
    pub(crate) good: &'a Server,
    pub(crate) kind: FailureKind,
    pub(crate) cause: &'a str,
}

impl<D: Debug> Case<'_, D> {
    pub(crate) async fn check(&self) {
        match self.kind {
            FailureKind::TimedOut => {
                let mut config = timeless();
                config.tls_timeout(Some(SHORT));
                self.check_error(config).await;
                self.check_overtaken().await;
            }
            _ => {
                self.check_error(timeless()).await;
                self.check_passed_over().await;
            }
        }
    }

    /// There is nothing else: the error says what is wrong.
    pub(crate) async fn check_error(&self, config: Config) {
        let Self { what, kind, cause, .. } = self;
        let error = connect_to(self.client, config, [self.bad]).await.expect_err(&format!("{what:?}"));
        let is_certificate = *kind == FailureKind::Certificate;
        assert!(error.is_tls(), "{what:?}: {error}");
        assert_eq!(error.is_certificate(), is_certificate, "{what:?}: {error}");
        assert_eq!(error.is_timeout(), *kind == FailureKind::TimedOut, "{what:?}: {error}");
        assert!(!error.is_connect() && !error.is_dns() && !error.is_denied(), "{what:?}: {error}");

        let [attempt] = error.report().expect("there was a race").attempts() else { panic!("{what:?}: {error}") };
        assert_eq!((attempt.stage(), failure(attempt).kind()), (Stage::Tls, *kind), "{what:?}: {error}");
        let failure = failure(attempt).to_string();
        assert!(failure.contains(cause), "{what:?}: {failure}");
        assert_eq!(error.source().expect("it has a cause").to_string(), failure, "{what:?}");
        let text = error.to_string();
        let begin = if is_certificate { "tls certificate error: " } else { "tls handshake error: " };
        assert!(text.starts_with(begin), "{what:?}: {text}");
        assert!(text.contains(&format!("; {} tls {kind}: {failure} (", self.bad.addr())), "{what:?}: {text}");
        assert!(!text.contains("tls tls"), "{what:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{what:?}: {text}");
    }

    /// Beside a good one: what fails lets the next start at once.
    async fn check_passed_over(&self) {
        let (what, stream) = (&self.what, self.connect_beside_good(timeless()).await);
        let [first, won] = stream.report().attempts() else { panic!("{what:?}: {}", stream.report()) };
        assert_eq!((first.stage(), failure(first).kind()), (Stage::Tls, self.kind), "{what:?}: {}", stream.report());
        assert!(first.end() <= Some(won.start()), "{what:?}: {}", stream.report());
        assert!(won.start() < LONG, "{what:?}: {}", stream.report());
    }

    /// Beside a good one: what stalls lets the next start by the pacing.
    pub(crate) async fn check_overtaken(&self) {
        let (what, stream) = (&self.what, self.connect_beside_good(paced()).await);
        let [first, won] = stream.report().attempts() else { panic!("{what:?}: {}", stream.report()) };
        assert!(matches!(first.outcome(), AttemptOutcome::Cancelled), "{what:?}: {}", stream.report());
        assert_eq!(first.stage(), Stage::Tls, "{what:?}: {}", stream.report());
        assert!(won.start() - first.start() >= ATTEMPT_DELAY, "{what:?}: {}", stream.report());
    }

    async fn connect_beside_good(&self, config: Config) -> MaybeHttpsStream {
        let stream = connect_to(self.client, config, [self.bad, self.good]).await;
        let stream = stream.unwrap_or_else(|error| panic!("{:?}: {error}", self.what));
        assert_eq!(stream.report().winner().map(|won| won.addr()), Some(self.good.addr()), "{:?}", self.what);
        assert_eq!(stream.tcp_stream().peer_addr().expect("it is connected"), self.good.addr());
        stream
    }
}
