//! From a `Uri` to the origin a race connects to.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;

use http::Uri;
use http::uri::Scheme;

use crate::config::Config;
use crate::error::Error;

/// What a connect is for: scheme, host and port of a `Uri`, parsed once.
///
/// The [address policy](crate::AddressPolicy) is asked with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Scheme,
    host: Host,
    port: Option<u16>,
}

impl Origin {
    /// Reads the origin from `uri`.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_uri`] without a scheme or a host, with a port that is not in 1..=65535, with a name that
    /// DNS cannot carry (RFC 1035 section 2.3.4), or with a zone that names no interface (RFC 6874).
    pub fn from_uri(uri: &Uri) -> Result<Self, Error> {
        let scheme = uri.scheme().ok_or_else(|| Error::invalid_uri("scheme is missing"))?;
        let authority = uri.authority().ok_or_else(|| Error::invalid_uri("host is missing"))?;
        // In one go, and here rather than by `http`: a search for each costs more than all else here.
        let text = authority.as_str();
        let (mut start, mut bracket, mut colon) = (0, false, None);
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'@' => (start, bracket, colon) = (at + 1, false, None),
                b']' => (bracket, colon) = (true, None),
                b':' if colon.is_none() => colon = Some(at),
                _ => {}
            }
        }
        let (host, port) = match colon {
            Some(at) => (&text[start..at], &text[at + 1..]),
            None => (&text[start..], ""),
        };
        if host.is_empty() {
            return Err(Error::invalid_uri("host is missing"));
        }
        // `http` drops what stands beside brackets; whoever else reads the URI may read another host.
        if host.starts_with('[') != bracket || host.ends_with(']') != bracket {
            return Err(Error::invalid_uri("host is not an IPv6 address"));
        }
        // `http` drops a port that it cannot parse; connecting to the default port instead would be a wrong guess.
        let port = match port.parse() {
            _ if port.is_empty() => None,
            Ok(0) => return Err(Error::invalid_uri("port is 0")),
            Ok(number) if !port.starts_with('+') => Some(number),
            _ => return Err(Error::invalid_uri("port is not a number up to 65535")),
        };
        Ok(Self { scheme: lower_case(scheme)?, host: Host::parse(host)?, port })
    }

    /// The scheme in lower case, such as `https`.
    pub fn scheme(&self) -> &str {
        self.scheme.as_str()
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port that the URI names, or the scheme's: 443 for `https` and `wss`, otherwise 80.
    pub fn port(&self) -> u16 {
        let default = if self.is_secure() { 443 } else { 80 };
        self.port.unwrap_or(default)
    }

    /// The port that the URI names itself.
    pub fn explicit_port(&self) -> Option<u16> {
        self.port
    }

    /// The same with TLS, of an origin without.
    pub(crate) fn upgraded(&self) -> Option<Uri> {
        let scheme = match self.scheme() {
            "http" => "https",
            "ws" => "wss",
            _ => return None,
        };
        // With its final dot: without it a search list could make another host of it.
        let Host::Name(host) = &self.host else { return None };
        let authority = match self.port {
            None | Some(80) => host.to_string(),
            Some(port) => format!("{host}:{port}"),
        };
        Uri::builder().scheme(scheme).authority(authority).path_and_query("/").build().ok()
    }

    /// Whether the scheme asks for TLS: `https` and `wss`.
    pub fn is_secure(&self) -> bool {
        matches!(self.scheme(), "https" | "wss")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{name}:{}", self.port()),
            Host::Address { .. } => match self.host.socket_addr(self.port()) {
                Some(addr) => addr.fmt(f),
                None => Ok(()),
            },
        }
    }
}

/// The host of an [`Origin`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// A name to resolve, as the URI has it; a final dot makes it absolute.
    Name(Arc<str>),
    /// An IP literal. No DNS, no SNI.
    Address {
        /// The address; an IPv4-mapped IPv6 address has become the IPv4 address.
        ip: IpAddr,
        /// The interface index that a zone stands for, otherwise 0.
        scope_id: u32,
    },
}

impl Host {
    fn parse(host: &str) -> Result<Self, Error> {
        if let Some(literal) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            let (ip, zone) = match literal.split_once('%') {
                // RFC 6874 writes the delimiter as "%25"; people write "%".
                Some((ip, zone)) => (ip, Some(zone.strip_prefix("25").filter(|zone| !zone.is_empty()).unwrap_or(zone))),
                None => (literal, None),
            };
            let ip: Ipv6Addr = ip.parse().map_err(|_| Error::invalid_uri("host is not an IPv6 address"))?;
            let scope_id = match zone {
                Some(_) if !takes_zone(ip) => {
                    return Err(Error::invalid_uri("only a link-local address has a zone"));
                }
                Some(zone) => {
                    interface_index(zone).ok_or_else(|| Error::invalid_uri("zone is not an interface of this host"))?
                }
                None => 0,
            };
            return Ok(Self::Address { ip: IpAddr::V6(ip).to_canonical(), scope_id });
        }
        if let Ok(ip) = host.parse() {
            return Ok(Self::Address { ip: IpAddr::V4(ip), scope_id: 0 });
        }
        let name = host.strip_suffix('.').unwrap_or(host);
        if name.len() > Config::MAX_NAME {
            return Err(Error::invalid_uri("host is longer than 253 octets"));
        }
        if name.split('.').any(str::is_empty) {
            return Err(Error::invalid_uri("host has an empty label"));
        }
        if name.split('.').any(|label| label.len() > 63) {
            return Err(Error::invalid_uri("host has a label longer than 63 octets"));
        }
        Ok(Self::Name(host.into()))
    }

    /// The name without its final dot: what SNI and certificates know (RFC 6066 section 3). `None` for a literal.
    pub fn server_name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name.strip_suffix('.').unwrap_or(name)),
            Self::Address { .. } => None,
        }
    }

    /// The address of a literal, with `port`.
    pub fn socket_addr(&self, port: u16) -> Option<SocketAddr> {
        match *self {
            Self::Name(_) => None,
            Self::Address { ip: IpAddr::V6(ip), scope_id } => Some(SocketAddrV6::new(ip, port, 0, scope_id).into()),
            Self::Address { ip, .. } => Some(SocketAddr::new(ip, port)),
        }
    }
}

/// `http` keeps the case of most schemes, and whether there is TLS hangs on this one.
fn lower_case(scheme: &Scheme) -> Result<Scheme, Error> {
    if !scheme.as_str().bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Ok(scheme.clone());
    }
    scheme.as_str().to_ascii_lowercase().parse().map_err(|_| Error::invalid_uri("scheme is not one"))
}

fn takes_zone(ip: Ipv6Addr) -> bool {
    ip.is_unicast_link_local() || ip.segments()[0] & 0xff0f == 0xff02
}

fn interface_index(zone: &str) -> Option<u32> {
    match zone.parse() {
        Ok(0) => None,
        Ok(index) => Some(index),
        #[cfg(unix)]
        Err(_) => nix::net::if_::if_nametoindex(zone).ok(),
        #[cfg(not(unix))]
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(uri: &str) -> Origin {
        Origin::from_uri(&uri.parse().unwrap()).unwrap()
    }

    fn refusal(uri: &str) -> String {
        let error = Origin::from_uri(&uri.parse().unwrap()).unwrap_err();
        assert!(error.is_invalid_uri(), "{uri}: {error:?}");
        error.to_string()
    }

    #[test]
    fn ports_come_from_the_uri_then_from_the_scheme() {
        for (uri, port) in [
            ("http://h/", 80),
            ("https://h/", 443),
            ("ws://h/", 80),
            ("wss://h/", 443),
            ("socks5://h/", 80),
            ("https://h:8443/", 8443),
            ("http://u:p@h:81/", 81),
            ("http://u:p@h/", 80),
            ("http://[::1]:82/", 82),
            ("http://[::1]/", 80),
            ("http://h:/", 80),
        ] {
            assert_eq!(origin(uri).port(), port, "{uri}");
        }
    }

    #[test]
    fn the_case_of_a_scheme_does_not_decide_whether_there_is_tls() {
        let built = |scheme: &str| Uri::builder().scheme(scheme).authority("h").path_and_query("/").build().unwrap();
        for (scheme, secure, port) in [("HTTPS", true, 443), ("wSs", true, 443), ("HTTP", false, 80), ("Ws", false, 80)]
        {
            for uri in [built(scheme), format!("{scheme}://h/").parse().unwrap()] {
                let origin = Origin::from_uri(&uri).unwrap();
                assert_eq!(origin.scheme(), scheme.to_ascii_lowercase(), "{uri}");
                assert_eq!((origin.is_secure(), origin.port()), (secure, port), "{uri}");
            }
        }
    }

    #[test]
    fn a_port_that_http_cannot_parse_is_an_error_and_not_port_80() {
        for uri in ["http://h:99999/", "http://h:0/", "http://[::1]:70000/"] {
            let text = refusal(uri);
            assert!(text.contains("port"), "{uri}: {text}");
        }
    }

    #[test]
    fn what_is_missing_is_named_in_hyper_utils_words() {
        assert_eq!(refusal("/path"), "invalid URL, scheme is missing");
        assert_eq!(refusal("h:80"), "invalid URL, scheme is missing");
        assert_eq!(refusal("http://:80/"), "invalid URL, host is missing");
    }

    /// Proves: NAM-10
    #[test]
    fn names_that_dns_cannot_carry_are_refused() {
        let label = "a".repeat(63);
        let longest = [&*label, &label, &label, &"a".repeat(61)].join(".");
        assert_eq!(longest.len(), 253);
        assert_eq!(origin(&format!("http://{longest}./")).host().server_name(), Some(&*longest));
        refusal(&format!("http://{longest}a/"));
        refusal(&format!("http://{label}a.test/"));
        for uri in ["http://a..b/", "http://.a/", "http://a../", "http://./"] {
            refusal(uri);
        }
        assert_eq!(origin("http://_a.under_score.test/").host().server_name(), Some("_a.under_score.test"));
    }

    /// Proves: NAM-6
    #[test]
    fn a_mapped_literal_is_ipv4() {
        assert_eq!(origin("http://[::ffff:192.0.2.1]/").to_string(), "192.0.2.1:80");
    }

    /// Proves: NAM-7
    #[cfg(target_os = "linux")]
    #[test]
    fn a_zone_becomes_the_scope_id_of_a_link_local_address() {
        for uri in ["http://[fe80::1%25lo]/", "http://[fe80::1%lo]/", "http://[fe80::1%251]/", "http://[fe80::1%1]/"] {
            assert_eq!(origin(uri).host().socket_addr(80).unwrap().to_string(), "[fe80::1%1]:80", "{uri}");
        }
        refusal("http://[fe80::1%25nosuchif0]/");
        refusal("http://[fe80::1%0]/");
        refusal("http://[::1%25lo]/");
    }

    /// Proves: NAM-8
    #[test]
    fn a_final_dot_stays_in_the_query_and_leaves_the_server_name() {
        let origin = origin("https://example.com./");
        assert_eq!(origin.host(), &Host::Name("example.com.".into()));
        assert_eq!(origin.host().server_name(), Some("example.com"));
    }

    #[test]
    fn garbage_in_brackets_is_refused() {
        refusal("http://[::g]/");
        refusal("http://[192.0.2.1]/");
        refusal("http://[::1].example.org/");
        refusal("http://[::1]a:80/");
        refusal("http://user@[::1]80/");
        refusal("http://a:[80]/");
        refusal("http://a[b]c:80/");
        refusal("http://a,[fe80::1%25lo]/");
        assert_eq!(origin("http://u:[p]@h:1/").to_string(), "h:1");
        assert_eq!(origin("http://user@[::1]:80/").to_string(), "[::1]:80");
    }
}
