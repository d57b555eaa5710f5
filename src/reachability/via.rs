//! The same check from elsewhere: through SOCKS5 proxies.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use http::Uri;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_socks::io::AsyncSocket;
use tokio_socks::tcp::Socks5Stream;
use tokio_socks::{Error, TargetAddr};

use super::fault::{Fault, FaultClass};
use super::fetch::chain;
use super::probe::Probe;
use crate::connector::HappyEyeballsConnector;
use crate::origin::Origin;
use crate::stream::MaybeHttpsStream;

/// Where proxies listen that say nothing else (RFC 1928 section 3).
const DEFAULT_PORT: u16 = 1080;

/// A SOCKS5 proxy that resolves names itself.
///
/// It is parsed from `socks5h://[USER:PASSWORD@]HOST[:PORT]`. An IPv6 address stands in brackets, user and password may
/// be percent-encoded (RFC 3986 section 2.1), and the port is 1080 by default. Neither `Display` nor `Debug` shows the
/// password.
///
/// ```
/// use hyper_happy_eyeballs::reachability::Proxy;
///
/// let proxy: Proxy = "socks5h://me:secret@proxy.example".parse()?;
/// assert_eq!(proxy.to_string(), "socks5h://me@proxy.example:1080");
/// # Ok::<(), hyper_happy_eyeballs::reachability::InvalidProxy>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Without credentials, with a port.
    uri: Uri,
    credentials: Option<Credentials>,
    shown: String,
}

#[derive(Clone, PartialEq, Eq)]
struct Credentials {
    user: String,
    password: String,
}

impl FromStr for Proxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let uri: Uri = text.parse().map_err(|error| InvalidProxy::new(format!("{error}")))?;
        match uri.scheme_str() {
            Some(scheme) if scheme.eq_ignore_ascii_case("socks5h") => {}
            Some(scheme) if scheme.eq_ignore_ascii_case("socks5") => {
                return Err(InvalidProxy::new("the proxy has to resolve names itself, which is socks5h://"));
            }
            _ => return Err(InvalidProxy::new("only socks5h://[USER:PASSWORD@]HOST[:PORT] is known")),
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(InvalidProxy::new("a proxy has no path"));
        }
        let port = Origin::from_uri(&uri)
            .map_err(|error| InvalidProxy::new(chain(&error)))?
            .explicit_port()
            .unwrap_or(DEFAULT_PORT);
        let host = uri.host().unwrap_or_default();
        let user_info = uri.authority().and_then(|authority| Some(authority.as_str().rsplit_once('@')?.0));
        let (credentials, user) = match user_info {
            None => (None, String::new()),
            Some(user_info) => {
                let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
                (Some(Credentials::parse(user, password)?), format!("{user}@"))
            }
        };
        let shown = format!("socks5h://{user}{host}:{port}");
        let uri = format!("socks5h://{host}:{port}").parse().map_err(|error| InvalidProxy::new(format!("{error}")))?;
        Ok(Self { uri, credentials, shown })
    }
}

impl Credentials {
    fn parse(user: &str, password: &str) -> Result<Self, InvalidProxy> {
        let decode = |text: &str, what: &str| match percent_decode_str(text).decode_utf8() {
            // RFC 1929 section 2.
            Ok(text) if (1..=255).contains(&text.len()) => Ok(text.into_owned()),
            Ok(_) => Err(InvalidProxy::new(format!("a {what} has 1 to 255 octets"))),
            Err(_) => Err(InvalidProxy::new(format!("the {what} is not UTF-8"))),
        };
        Ok(Self { user: decode(user, "user")?, password: decode(password, "password")? })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.shown)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&self.shown).finish()
    }
}

/// Why a text is no [`Proxy`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidProxy(String);

impl InvalidProxy {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for InvalidProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a proxy: {}", self.0)
    }
}

impl StdError for InvalidProxy {}

/// What is reachable from a proxy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ViaCheck {
    /// The proxy.
    pub proxy: Proxy,
    /// By the name, which the proxy resolves. `None` where the site has no name, or an
    /// [`AddressPolicy`](crate::AddressPolicy) would have to see the address, or where only ECH could hide it and no address
    /// came with any.
    pub by_name: Option<Probe>,
    /// Each address that was found here and is not denied.
    pub addresses: Vec<(SocketAddr, Probe)>,
}

impl ViaCheck {
    /// What is wrong, as seen from the proxy: with the name, which has no address here, and with each address.
    pub(super) fn faults(&self) -> impl Iterator<Item = (Option<SocketAddr>, &Fault)> {
        let without_ipv6 = self.lacks_ipv6();
        let missing = move |is_ipv6: bool, probe: &Probe| without_ipv6 && is_ipv6 && is_unreachable(probe);
        let only_ipv6 = self.addresses.iter().all(|(addr, _)| addr.is_ipv6());
        let by_name = self.by_name.iter().filter(move |probe| !missing(only_ipv6, probe));
        let addresses = self.addresses.iter().filter(move |(addr, probe)| !missing(addr.is_ipv6(), probe));
        let by_name = by_name.filter_map(|probe| Some((None, probe.fault.as_ref()?)));
        let addresses = addresses.filter_map(|(addr, probe)| Some((Some(*addr), probe.fault.as_ref()?)));
        by_name.chain(addresses).filter(|(_, fault)| fault.class != FaultClass::Proxy)
    }

    /// What is worth knowing of the proxy itself.
    pub(super) fn note(&self) -> Option<String> {
        let probes = self.by_name.iter().chain(self.addresses.iter().map(|(_, probe)| probe));
        let failed = probes.filter_map(|probe| probe.fault.as_ref()).find(|fault| fault.class == FaultClass::Proxy);
        match failed {
            Some(fault) => Some(format!("via {}: {fault}", self.proxy)),
            None => self.lacks_ipv6().then(|| format!("via {}: no IPv6 there", self.proxy)),
        }
    }

    /// Whether no IPv6 address can be reached from there: that is more often the proxy's own lack than the fault of all.
    fn lacks_ipv6(&self) -> bool {
        let mut ipv6 = self.addresses.iter().filter(|(addr, _)| addr.is_ipv6()).peekable();
        ipv6.peek().is_some() && ipv6.all(|(_, probe)| is_unreachable(probe))
    }
}

/// Whether the proxy says that it found no way. Some have only a general failure for it; OpenSSH says that it is
/// connected before it tries, and then closes.
fn is_unreachable(probe: &Probe) -> bool {
    match probe.fault.as_ref().map(|fault| fault.class) {
        Some(FaultClass::Unreachable | FaultClass::Other) => probe.tcp.is_none(),
        class => class == Some(FaultClass::Closed),
    }
}

/// One connection through a proxy.
pub(super) struct Tunnel<'a> {
    proxy: &'a Proxy,
    connector: &'a HappyEyeballsConnector,
    /// Whether the proxy was asked to connect, for which it has to have spoken.
    asked: AtomicBool,
}

impl<'a> Tunnel<'a> {
    pub(super) fn new(proxy: &'a Proxy, connector: &'a HappyEyeballsConnector) -> Self {
        Self { proxy, connector, asked: AtomicBool::new(false) }
    }

    /// Has the proxy connect to `target`.
    pub(super) async fn open(&self, target: TargetAddr<'_>) -> Result<TokioIo<MaybeHttpsStream>, Fault> {
        let connect = self.connector.clone().connect(self.proxy.uri.clone()).await;
        let stream = connect.map_err(|error| {
            // What was tried, and how the resolver has it, would be too much.
            let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            Fault::new(FaultClass::Proxy, format!("the proxy: {why}"))
        })?;
        let mut stream = TokioIo::new(stream);
        let watched = Watched { stream: &mut stream, asked: &self.asked };
        let asked = match &self.proxy.credentials {
            None => Socks5Stream::connect_with_socket(watched, target).await,
            Some(Credentials { user, password }) => {
                Socks5Stream::connect_with_password_and_socket(watched, target, user, password).await
            }
        };
        match asked {
            Ok(_) => Ok(stream),
            Err(error) => Err(refusal(&error)),
        }
    }

    /// What it means that it takes too long by now.
    pub(super) fn late(&self) -> FaultClass {
        if self.asked.load(Ordering::Relaxed) { FaultClass::Silent } else { FaultClass::Proxy }
    }
}

/// What a proxy says instead of a connection (RFC 1928 section 6).
fn refusal(error: &Error) -> Fault {
    let (class, words) = match error {
        Error::ConnectionRefused => (FaultClass::Refused, "says the proxy"),
        Error::NetworkUnreachable => (FaultClass::Unreachable, "no network, says the proxy"),
        Error::HostUnreachable => (FaultClass::Unreachable, "no host, says the proxy"),
        Error::TtlExpired => (FaultClass::Unreachable, "TTL expired, says the proxy"),
        Error::GeneralSocksServerFailure => (FaultClass::Other, "general failure, says the proxy"),
        Error::ConnectionNotAllowedByRuleset => (FaultClass::Proxy, "the proxy does not allow it"),
        Error::NoAcceptableAuthMethods | Error::AuthorizationRequired => {
            (FaultClass::Proxy, "the proxy wants other credentials")
        }
        Error::PasswordAuthFailure(_) => (FaultClass::Proxy, "the proxy does not take the credentials"),
        error => return Fault::new(FaultClass::Proxy, format!("SOCKS: {error}")),
    };
    Fault::new(class, words)
}

/// Notes when the request goes out.
struct Watched<'a, S> {
    stream: &'a mut S,
    asked: &'a AtomicBool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncSocket for Watched<'_, S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(&mut *self.get_mut().stream).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // A greeting begins with the version too, but is shorter; credentials begin otherwise.
        if matches!(buf, [5, _, _, _, _, ..]) {
            self.asked.store(true, Ordering::Relaxed);
        }
        Pin::new(&mut *self.get_mut().stream).poll_write(cx, buf)
    }
}
