//! The builder: a TLS choice, a resolver, and every setting by value.

use std::error::Error as StdError;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "rustls")]
use http::Uri;
#[cfg(feature = "rustls")]
use rustls::pki_types::ServerName;

use super::environment::override_key;
use super::{HappyEyeballsConnector, Schemes};
use crate::config::Config;
#[cfg(any(feature = "platform-verifier", feature = "webpki-roots", feature = "native-roots"))]
use crate::dial::tls::setup::{self, TlsSetupError};
#[cfg(feature = "rustls")]
use crate::dial::tls::{Alpn, Recipe, ServerNames, TlsClient};
use crate::history::History;
use crate::resolve::{Lookups, Resolve, ServiceResolver};

/// Makes a [`HappyEyeballsConnector`].
///
/// One choice has to be made: TLS ([`platform_verifier`](Self::platform_verifier), `webpki_roots`, `native_roots`,
/// [`tls_config`](Self::tls_config)) or [`plaintext`](Self::plaintext). Everything else has a default.
///
/// With TLS, `https` and `wss` are connected by TLS, any other scheme by TCP.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct Builder {
    connector: HappyEyeballsConnector,
    choice: Option<Choice>,
    #[cfg(feature = "rustls")]
    tls: TlsOptions,
}

#[derive(Clone, Debug)]
enum Choice {
    Plaintext,
    #[cfg(feature = "rustls")]
    Tls(Roots),
}

#[cfg(feature = "rustls")]
#[derive(Clone)]
enum Roots {
    Config(Arc<rustls::ClientConfig>),
    #[cfg(feature = "aws-lc-rs")]
    Recipe(Recipe),
    #[cfg(feature = "native-roots")]
    Native,
    #[cfg(feature = "platform-verifier")]
    Platform,
    #[cfg(feature = "webpki-roots")]
    WebPki,
}

#[cfg(feature = "rustls")]
#[derive(Clone, Default)]
struct TlsOptions {
    #[cfg(any(feature = "platform-verifier", feature = "webpki-roots", feature = "native-roots"))]
    provider: Option<Arc<rustls::crypto::CryptoProvider>>,
    alpn: Alpn,
    server_names: Option<ServerNames>,
}

impl Builder {
    pub(super) fn new(resolver: Arc<dyn Resolve>) -> Self {
        let mut connector = HappyEyeballsConnector::with(resolver);
        connector.enforce_http(false);
        Self {
            connector,
            choice: None,
            #[cfg(feature = "rustls")]
            tls: TlsOptions::default(),
        }
    }

    /// TCP alone for every scheme, `https` included: **a TLS layer must stand above it**, such as hyper-rustls or
    /// tonic's own. Without one, what is meant to be secret crosses the network in clear.
    pub fn plaintext(mut self) -> Self {
        self.choice = Some(Choice::Plaintext);
        self
    }

    /// TLS with the certificate verifier of the operating system.
    #[cfg(feature = "platform-verifier")]
    pub fn platform_verifier(mut self) -> Self {
        self.choice = Some(Choice::Tls(Roots::Platform));
        self
    }

    /// TLS with Mozilla's root certificates, compiled in.
    #[cfg(feature = "webpki-roots")]
    pub fn webpki_roots(mut self) -> Self {
        self.choice = Some(Choice::Tls(Roots::WebPki));
        self
    }

    /// TLS with the root certificates that the operating system keeps.
    #[cfg(feature = "native-roots")]
    pub fn native_roots(mut self) -> Self {
        self.choice = Some(Choice::Tls(Roots::Native));
        self
    }

    /// TLS with a finished configuration. ALPN that it sets is kept; early data is turned off, as a race must not
    /// send a request twice. It is without ECH, which cannot be added to a finished one.
    ///
    /// A certificate for the client is given to every address that asks for one. In TLS 1.3 a server judges it only
    /// after the client's handshake is done (RFC 8446 section 2), so that one who wants another, or has been
    /// given none, wins the race all the same, and says so to the first who reads from the connection.
    #[cfg(feature = "rustls")]
    pub fn tls_config(mut self, config: impl Into<Arc<rustls::ClientConfig>>) -> Self {
        self.choice = Some(Choice::Tls(Roots::Config(config.into())));
        self
    }

    /// TLS with configurations that `make` makes: one without ECH, now, and for each server with ECH one by the mode that it
    /// is given. With TLS of other roots, client certificates or revocation lists this is the way to
    /// [ECH](Config::ech).
    ///
    /// Such a configuration begins with rustls's `with_ech`. What is made should share one verifier, or a session of one
    /// cannot be resumed by another; ALPN, client certificates and the memory of sessions are those of the first one. Otherwise
    /// it is as with [`tls_config`](Self::tls_config).
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use rustls::client::WebPkiServerVerifier;
    /// # fn example(roots: rustls::RootCertStore) -> Result<(), Box<dyn std::error::Error>> {
    /// use hyper_happy_eyeballs::HappyEyeballsConnector;
    /// use rustls::ClientConfig;
    ///
    /// let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    /// let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
    /// let make = move |ech| {
    ///     let builder = ClientConfig::builder_with_provider(provider.clone());
    ///     let builder = match ech {
    ///         Some(mode) => builder.with_ech(mode)?,
    ///         None => builder.with_safe_default_protocol_versions()?,
    ///     };
    ///     Ok(builder.with_webpki_verifier(verifier.clone()).with_no_client_auth())
    /// };
    /// # let resolver = hyper_happy_eyeballs::resolve::ServiceResolver::system();
    /// # let builder = HappyEyeballsConnector::builder_with_resolver(resolver);
    /// let connector = builder.tls_config_with(make).build()?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "aws-lc-rs")]
    pub fn tls_config_with<F>(mut self, make: F) -> Self
    where
        F: Fn(Option<rustls::client::EchMode>) -> Result<rustls::ClientConfig, rustls::Error> + Send + Sync + 'static,
    {
        self.choice = Some(Choice::Tls(Roots::Recipe(Arc::new(make))));
        self
    }

    /// The cryptography of the TLS that the builder sets up itself.
    ///
    /// Default is the process's default provider, else aws-lc-rs, else ring, by the features.
    #[cfg(any(feature = "platform-verifier", feature = "webpki-roots", feature = "native-roots"))]
    pub fn crypto_provider(mut self, provider: impl Into<Arc<rustls::crypto::CryptoProvider>>) -> Self {
        self.tls.provider = Some(provider.into());
        self
    }

    /// Offers HTTP/1.1 by ALPN.
    ///
    /// Default, if no protocol is enabled: HTTP/1.1, or whatever a finished TLS configuration offers.
    #[cfg(all(feature = "rustls", feature = "http1"))]
    pub fn enable_http1(mut self) -> Self {
        self.tls.alpn.http1 = true;
        self
    }

    /// Offers HTTP/2 by ALPN.
    #[cfg(all(feature = "rustls", feature = "http2"))]
    pub fn enable_http2(mut self) -> Self {
        self.tls.alpn.http2 = true;
        self
    }

    /// Offers every HTTP version that is compiled in.
    #[cfg(feature = "rustls")]
    pub fn enable_all_versions(mut self) -> Self {
        self.tls.alpn.http1 = cfg!(feature = "http1");
        self.tls.alpn.http2 = cfg!(feature = "http2");
        self
    }

    /// The name that SNI and the certificate check use, in the place of the URI's host.
    #[cfg(feature = "rustls")]
    pub fn server_name_resolver<F, E>(mut self, resolve: F) -> Self
    where
        F: Fn(&Uri) -> Result<ServerName<'static>, E> + Send + Sync + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.tls.server_names = Some(Arc::new(move |uri| resolve(uri).map_err(Into::into)));
        self
    }

    /// Refuses every scheme but `https` and `wss`.
    pub fn https_only(mut self) -> Self {
        self.connector.settings_mut().schemes = Schemes::OnlyHttps;
        self
    }

    /// Resolves names with `resolver`.
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.connector.lookups = Arc::new(Lookups::new(Arc::new(resolver)));
        self
    }

    /// Resolves names with the system's `getaddrinfo`, whose order of addresses stands.
    pub fn system_resolver(self) -> Self {
        self.resolver(ServiceResolver::system())
    }

    /// Connects to these addresses for `host`, and asks nobody. A port of 0 stands for the URI's, as does any port
    /// where the URI names one.
    pub fn resolve(mut self, host: &str, addrs: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.connector.settings_mut().overrides.insert(override_key(host), addrs.into_iter().collect());
        self
    }

    /// The settings of the race, all at once. The words below that set one of them change what is given here, if
    /// they come later.
    pub fn config(mut self, config: Config) -> Self {
        self.connector.set_config(config);
        self
    }

    /// The connector.
    ///
    /// # Errors
    ///
    /// Neither TLS nor [`plaintext`](Self::plaintext) was chosen, or TLS cannot be set up: no crypto provider is
    /// compiled in, or the system's root certificates cannot be read.
    pub fn build(self) -> Result<HappyEyeballsConnector, BuildError> {
        match self.choice {
            None => Err(BuildError { source: None }),
            Some(Choice::Plaintext) => Ok(self.connector),
            #[cfg(feature = "rustls")]
            Some(Choice::Tls(roots)) => {
                let mut connector = self.connector;
                connector.settings_mut().tls = Some(roots.client(self.tls)?);
                Ok(connector)
            }
        }
    }
}

#[cfg(feature = "rustls")]
impl Roots {
    // Where there are no others than finished ones.
    #[cfg_attr(
        not(any(
            feature = "aws-lc-rs",
            feature = "platform-verifier",
            feature = "webpki-roots",
            feature = "native-roots"
        )),
        allow(unreachable_code, unused_variables)
    )]
    fn client(self, options: TlsOptions) -> Result<TlsClient, BuildError> {
        let recipe: Recipe = match self {
            Self::Config(config) => return Ok(TlsClient::new(config, options.alpn, options.server_names)),
            #[cfg(feature = "aws-lc-rs")]
            Self::Recipe(recipe) => recipe,
            #[cfg(feature = "native-roots")]
            Self::Native => setup::with_native_roots(options.provider)?,
            #[cfg(feature = "platform-verifier")]
            Self::Platform => setup::with_platform_verifier(options.provider)?,
            #[cfg(feature = "webpki-roots")]
            Self::WebPki => setup::with_webpki_roots(options.provider)?,
        };
        TlsClient::by_recipe(recipe, options.alpn, options.server_names)
            .map_err(|error| BuildError { source: Some(Box::new(error)) })
    }
}

#[cfg(feature = "rustls")]
impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Config(_) => "Config",
            #[cfg(feature = "aws-lc-rs")]
            Self::Recipe(_) => "Recipe",
            #[cfg(feature = "native-roots")]
            Self::Native => "Native",
            #[cfg(feature = "platform-verifier")]
            Self::Platform => "Platform",
            #[cfg(feature = "webpki-roots")]
            Self::WebPki => "WebPki",
        })
    }
}

/// Each of these is the setter of the same name on the connector, by value.
macro_rules! by_value {
    ($($(#[$meta:meta])* $name:ident => $setter:ident($($arg:ident: $type:ty),*);)*) => {
        impl Builder {
            $(
                #[doc = concat!("See [`HappyEyeballsConnector::", stringify!($setter), "`].")]
                $(#[$meta])*
                pub fn $name(mut self, $($arg: $type),*) -> Self {
                    self.connector.$setter($($arg),*);
                    self
                }
            )*
        }
    };
}

by_value! {
    keepalive => set_keepalive(time: Option<Duration>);
    keepalive_interval => set_keepalive_interval(interval: Option<Duration>);
    keepalive_retries => set_keepalive_retries(retries: Option<u32>);
    nodelay => set_nodelay(nodelay: bool);
    send_buffer_size => set_send_buffer_size(size: Option<usize>);
    recv_buffer_size => set_recv_buffer_size(size: Option<usize>);
    local_address => set_local_address(addr: Option<IpAddr>);
    local_addresses => set_local_addresses(ipv4: Ipv4Addr, ipv6: Ipv6Addr);
    connect_timeout => set_connect_timeout(timeout: Option<Duration>);
    happy_eyeballs_timeout => set_happy_eyeballs_timeout(delay: Option<Duration>);
    history => set_history(history: History);
    partition => set_partition(partition: impl Into<Arc<str>>);
    max_attempts_in_flight => set_max_attempts_in_flight(count: Option<usize>);
    reuse_address => set_reuse_address(reuse: bool);
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
    interface => set_interface(interface: impl Into<String>);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    tcp_user_timeout => set_tcp_user_timeout(timeout: Option<Duration>);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    mark => set_mark(mark: Option<u32>);
}

#[cfg(feature = "rustls")]
impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions").field("alpn", &self.alpn).finish_non_exhaustive()
    }
}

/// Why a [`Builder`] made no connector.
#[derive(Debug)]
pub struct BuildError {
    /// What failed of TLS; none if nothing was chosen.
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[cfg(any(feature = "platform-verifier", feature = "webpki-roots", feature = "native-roots"))]
impl From<TlsSetupError> for BuildError {
    fn from(error: TlsSetupError) -> Self {
        Self { source: Some(Box::new(error)) }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(error) => write!(f, "TLS cannot be set up: {error}"),
            None => f.write_str("neither TLS nor plaintext() was chosen"),
        }
    }
}

impl StdError for BuildError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
