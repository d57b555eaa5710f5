//! The connector: a tower `Service<Uri>` that takes the place of hyper-util's `HttpConnector`.

mod builder;
mod connect;
mod driver;
mod environment;
mod permits;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use tokio::sync::Semaphore;
use tower_service::Service;

pub use builder::{BuildError, Builder};

use crate::config::{Config, Pacing};
#[cfg(feature = "rustls")]
use crate::dial::tls::TlsClient;
use crate::dial::{Networks, TcpOptions};
use crate::error::Error;
use crate::history::History;
#[cfg(feature = "hickory")]
use crate::resolve::HickoryResolver;
use crate::resolve::{Lookups, Resolve, ServiceResolver};
use crate::stream::MaybeHttpsStream;

/// Connects to the origin of a `Uri` by Happy Eyeballs, TLS included where the scheme asks for it.
///
/// It is a `Service<Uri>` for hyper-util's legacy `Client` and for whatever else takes `HttpConnector`. Clones share
/// the resolver and its cache; a setter on a clone touches that clone only.
///
/// [`new`](Self::new) does the job of `HttpConnector::new`: TCP, and only for `http`. TLS comes with
/// [`builder`](Self::builder).
///
/// # Differences from `HttpConnector`
///
/// - Every address is raced, one each [attempt delay](Config::attempt_delay), not two lanes one after the other.
/// - A and AAAA are asked for separately and used when they arrive.
/// - [`set_connect_timeout`](Self::set_connect_timeout) covers DNS, race and TLS together, is not divided among the
///   addresses, and is 30 s by default.
/// - `TCP_NODELAY` is on by default.
/// - [`set_happy_eyeballs_timeout`](Self::set_happy_eyeballs_timeout) is the attempt delay; `None` is sequential.
/// - A NUL in an interface name is an error of the connect, not a panic.
/// - `http://h:99999/` is an error; it does not mean port 80.
/// - Errors are of a [concrete type](Error) that names each address.
#[derive(Clone)]
pub struct HappyEyeballsConnector {
    settings: Arc<Settings>,
    lookups: Arc<Lookups>,
}

#[derive(Clone)]
struct Settings {
    config: Arc<Config>,
    tcp: Arc<TcpOptions>,
    #[cfg(feature = "rustls")]
    tls: Option<TlsClient>,
    schemes: Schemes,
    /// By name in lower case without a final dot.
    overrides: HashMap<Box<str>, Vec<SocketAddr>>,
    history: History,
    partition: Arc<str>,
    networks: Arc<Networks>,
    /// With a permit for each attempt that may be in flight; none if they are not bounded.
    attempts: Option<Arc<Semaphore>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Schemes {
    Any,
    OnlyHttp,
    OnlyHttps,
}

impl HappyEyeballsConnector {
    /// A connector for `http` that resolves with hickory and the system's configuration.
    ///
    /// Infallible: the configuration is read at the first name, so literals work without it, and without it a name
    /// fails with an error that says so.
    #[cfg(feature = "hickory")]
    pub fn new() -> Self {
        Self::with(Arc::new(HickoryResolver::from_system()))
    }

    /// A connector for `http` that resolves with a hyper-util resolver, such as
    /// [`GaiResolver`](hyper_util::client::legacy::connect::dns::GaiResolver). Its order of addresses stands.
    pub fn new_with_resolver<R>(resolver: R) -> Self
    where
        R: Service<Name> + Clone + Send + Sync + 'static,
        R::Response: Iterator<Item = SocketAddr>,
        R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        R::Future: Send,
    {
        Self::with(Arc::new(ServiceResolver::new(resolver)))
    }

    /// A builder, for TLS and everything else. Names are resolved as by [`new`](Self::new).
    #[cfg(feature = "hickory")]
    pub fn builder() -> Builder {
        Builder::new(Arc::new(HickoryResolver::from_system()))
    }

    /// A builder that resolves names with `resolver`.
    pub fn builder_with_resolver(resolver: impl Resolve) -> Builder {
        Builder::new(Arc::new(resolver))
    }

    fn with(resolver: Arc<dyn Resolve>) -> Self {
        Self {
            settings: Arc::new(Settings {
                config: Arc::default(),
                tcp: Arc::default(),
                #[cfg(feature = "rustls")]
                tls: None,
                schemes: Schemes::OnlyHttp,
                overrides: HashMap::new(),
                history: History::new(),
                partition: Arc::default(),
                networks: Arc::default(),
                attempts: None,
            }),
            lookups: Arc::new(Lookups::new(resolver)),
        }
    }

    /// Whether any scheme but `http` is refused. If not, `https` is connected by TCP alone where the connector has
    /// no TLS of its own: a TLS layer must stand above it.
    ///
    /// It does not lift [`Builder::https_only`].
    ///
    /// Default is `true` for [`new`](Self::new), `false` for what the builder makes.
    pub fn enforce_http(&mut self, enforce: bool) {
        let schemes = &mut self.settings_mut().schemes;
        *schemes = match *schemes {
            _ if enforce => Schemes::OnlyHttp,
            Schemes::OnlyHttp => Schemes::Any,
            schemes => schemes,
        };
    }

    /// The settings of the race, all at once.
    pub fn set_config(&mut self, config: Config) {
        self.settings_mut().config = Arc::new(config);
    }

    /// The memory of earlier connects. Connectors that are given one share what they learn, within each
    /// [partition](Self::set_partition).
    ///
    /// Default is one that is shared by clones. A setter of what leads packets elsewhere ([`set_interface`],
    /// [`set_mark`], [`set_local_address`], [`set_local_addresses`]) gives its clone a new one.
    ///
    /// [`set_interface`]: Self::set_interface
    /// [`set_mark`]: Self::set_mark
    /// [`set_local_address`]: Self::set_local_address
    /// [`set_local_addresses`]: Self::set_local_addresses
    pub fn set_history(&mut self, history: History) {
        self.settings_mut().history = history;
    }

    /// The memory of earlier connects.
    pub fn history(&self) -> &History {
        &self.settings.history
    }

    /// On whose behalf this clone connects: a tenant, a user, a top-level site. What is learned for one is not used for
    /// another, who could otherwise find out where the first has been (v3 draft section 5.3).
    ///
    /// Default is a partition without a name.
    pub fn set_partition(&mut self, partition: impl Into<Arc<str>>) {
        self.settings_mut().partition = partition.into();
    }

    /// How many attempts of all connects of this connector may be in flight at once. The clones that are made from here on
    /// share the bound; a clone that sets it again has one of its own, and connects that have begun keep theirs. 0 counts as 1.
    ///
    /// At the bound an address whose turn has come waits until another attempt ends. Who waits first goes first, and no
    /// connect waits for more than one. It goes on to hear answers meanwhile, which may change the address that is tried.
    /// [`connect_timeout`](Config::connect_timeout) runs while it waits; the attempt delay, the timeouts of the attempt
    /// and its time in the [`Report`](crate::Report) begin with the attempt. An attempt counts from the opening of its
    /// socket to the end of its handshake; a connection that was handed out, or a lookup, does not.
    ///
    /// No connect waits for itself: an attempt that times out makes room for the next one of its connect, before others. And
    /// when its next address has waited for [`max_attempt_delay`](Config::max_attempt_delay) after its last start, its
    /// oldest attempt gives way, and has timed out. Addresses that are silent on the last attempt of their connect count until
    /// [`attempt_timeout`](Config::attempt_timeout) or the connect timeout ends it, so that enough of them at once make all
    /// others wait.
    ///
    /// Default is `None`: as many as there are connects, times
    /// [`max_concurrent_attempts`](Config::max_concurrent_attempts).
    pub fn set_max_attempts_in_flight(&mut self, count: Option<usize>) {
        let bound = |count: usize| Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS)));
        self.settings_mut().attempts = count.map(bound);
    }

    /// `SO_KEEPALIVE` with the time until the first probe.
    ///
    /// Default is `None`: off.
    pub fn set_keepalive(&mut self, time: Option<Duration>) {
        self.tcp_mut().keepalive_time = time;
    }

    /// The time between two keepalive probes.
    ///
    /// Default is `None`: the system's.
    pub fn set_keepalive_interval(&mut self, interval: Option<Duration>) {
        self.tcp_mut().keepalive_interval = interval;
    }

    /// The number of keepalive probes before the connection is dropped.
    ///
    /// Default is `None`: the system's.
    pub fn set_keepalive_retries(&mut self, retries: Option<u32>) {
        self.tcp_mut().keepalive_retries = retries;
    }

    /// `TCP_NODELAY`. Without it Nagle's algorithm costs each new TLS 1.3 and HTTP/2 connection a round trip.
    ///
    /// Default is `true`.
    pub fn set_nodelay(&mut self, nodelay: bool) {
        self.tcp_mut().nodelay = nodelay;
    }

    /// `SO_SNDBUF` in bytes.
    ///
    /// Default is `None`: the system's.
    pub fn set_send_buffer_size(&mut self, size: Option<usize>) {
        self.tcp_mut().send_buffer_size = size;
    }

    /// `SO_RCVBUF` in bytes.
    ///
    /// Default is `None`: the system's.
    pub fn set_recv_buffer_size(&mut self, size: Option<usize>) {
        self.tcp_mut().recv_buffer_size = size;
    }

    /// The local address that sockets are bound to. The other family is then neither asked for nor dialled.
    ///
    /// Default is `None`.
    pub fn set_local_address(&mut self, addr: Option<IpAddr>) {
        let (v4, v6) = match addr {
            Some(IpAddr::V4(addr)) => (Some(addr), None),
            Some(IpAddr::V6(addr)) => (None, Some(addr)),
            None => (None, None),
        };
        let tcp = self.route_mut();
        tcp.local_address_ipv4 = v4;
        tcp.local_address_ipv6 = v6;
    }

    /// The local addresses that sockets are bound to, one for each family.
    ///
    /// Default is neither.
    pub fn set_local_addresses(&mut self, ipv4: Ipv4Addr, ipv6: Ipv6Addr) {
        let tcp = self.route_mut();
        tcp.local_address_ipv4 = Some(ipv4);
        tcp.local_address_ipv6 = Some(ipv6);
    }

    /// The time for everything: DNS, race and TLS. It is not divided among addresses.
    ///
    /// Default is 30 s.
    pub fn set_connect_timeout(&mut self, timeout: Option<Duration>) {
        self.config_mut().connect_timeout(timeout);
    }

    /// The Connection Attempt Delay of RFC 8305 section 5, within the bounds of [`Config`]; `None` tries one address
    /// after the other, the next only when the last has failed.
    ///
    /// Default is 250 ms.
    pub fn set_happy_eyeballs_timeout(&mut self, delay: Option<Duration>) {
        let config = self.config_mut();
        match delay {
            Some(delay) => config.pacing(Pacing::Staggered).attempt_delay(delay),
            None => config.pacing(Pacing::Sequential),
        };
    }

    /// `SO_REUSEADDR`.
    ///
    /// Default is `false`.
    pub fn set_reuse_address(&mut self, reuse: bool) -> &mut Self {
        self.tcp_mut().reuse_address = reuse;
        self
    }

    /// The interface that sockets are bound to: `SO_BINDTODEVICE` on Linux, Android and Fuchsia, `IP_BOUND_IF` and its
    /// like on the others.
    ///
    /// Default is none.
    #[cfg(any(
        target_os = "android",
        target_os = "fuchsia",
        target_os = "illumos",
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "solaris",
        target_os = "tvos",
        target_os = "visionos",
        target_os = "watchos",
    ))]
    pub fn set_interface(&mut self, interface: impl Into<String>) -> &mut Self {
        self.route_mut().interface = Some(interface.into());
        self
    }

    /// `TCP_USER_TIMEOUT`: how long sent data may stay unacknowledged.
    ///
    /// Default is `None`: the system's.
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    pub fn set_tcp_user_timeout(&mut self, timeout: Option<Duration>) {
        self.tcp_mut().user_timeout = timeout;
    }

    /// `SO_MARK`.
    ///
    /// Default is `None`.
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    pub fn set_mark(&mut self, mark: Option<u32>) {
        self.route_mut().mark = mark;
    }

    #[cfg(feature = "reachability")]
    pub(crate) fn config(&self) -> &Config {
        &self.settings.config
    }

    /// A likeness that remembers no TLS sessions.
    #[cfg(feature = "reachability")]
    pub(crate) fn without_resumption(mut self) -> Self {
        let tls = &mut self.settings_mut().tls;
        *tls = tls.as_ref().map(TlsClient::without_resumption);
        self
    }

    /// A likeness for what is not an origin but on the way to one, whatever the schemes of origins may be.
    #[cfg(feature = "reachability")]
    pub(crate) fn for_proxies(mut self) -> Self {
        self.settings_mut().schemes = Schemes::Any;
        self
    }

    /// A likeness that says which addresses it would try to others, who connect by themselves: without TLS, and records
    /// lead to more than addresses. It awaits all of them, as its list cannot grow.
    #[cfg(feature = "reqwest")]
    pub(crate) fn for_addresses(mut self) -> Self {
        let settings = self.settings_mut();
        settings.schemes = Schemes::Any;
        settings.attempts = None;
        #[cfg(feature = "rustls")]
        {
            settings.tls = None;
        }
        self.config_mut().use_service_records(false).awaits_all = true;
        self
    }

    fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }

    fn config_mut(&mut self) -> &mut Config {
        Arc::make_mut(&mut self.settings_mut().config)
    }

    /// For what decides which way packets take: what is known of the old one is of no use.
    fn route_mut(&mut self) -> &mut TcpOptions {
        self.settings_mut().history = History::new();
        self.tcp_mut()
    }

    fn tcp_mut(&mut self) -> &mut TcpOptions {
        Arc::make_mut(&mut self.settings_mut().tcp)
    }
}

#[cfg(feature = "hickory")]
impl Default for HappyEyeballsConnector {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HappyEyeballsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HappyEyeballsConnector")
            .field("config", &self.settings.config)
            .field("tcp", &self.settings.tcp)
            .finish_non_exhaustive()
    }
}

impl Service<Uri> for HappyEyeballsConnector {
    type Response = MaybeHttpsStream;
    type Error = Error;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        Connecting(Box::pin(self.clone().connect(uri)))
    }
}

/// The future of a [`HappyEyeballsConnector`]. It does nothing until polled; dropping it drops every attempt.
#[must_use = "futures do nothing unless polled"]
pub struct Connecting(Pin<Box<dyn Future<Output = Result<MaybeHttpsStream, Error>> + Send>>);

impl Future for Connecting {
    type Output = Result<MaybeHttpsStream, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").finish_non_exhaustive()
    }
}
