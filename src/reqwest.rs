//! DNS for reqwest.
//!
//! [`Dns`] is a [`reqwest::dns::Resolve`]: reqwest gets its addresses from a
//! [`HappyEyeballsConnector`], with all that this knows of names, and connects by itself.
//!
//! ```
//! # #[cfg(feature = "hickory")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use hyper_happy_eyeballs::reqwest::Dns;
//!
//! let client = reqwest::Client::builder().dns_resolver(Dns::new()).build()?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "hickory"))]
//! # fn main() {}
//! ```
//!
//! # What reqwest gets
//!
//! - AAAA and A are asked for separately. From the first address on the other answer is waited for no longer than the
//!   [Resolution Delay](Config::resolution_delay); what comes later fills the cache, and serves the next connect.
//! - The order of RFC 6724 section 6, by the source address that the system would use for each. Addresses from
//!   `getaddrinfo` keep theirs.
//! - What a [`History`](crate::History) knows to lead nowhere goes last. reqwest tells nobody how its connects end, so
//!   nothing is learned from them: it takes a connector that shares the history.
//! - The hosts file, the search list, special names, the cache, and the addresses of [`Builder::resolve`].
//! - What the [`AddressPolicy`](crate::AddressPolicy) denies is left out. Where that is everything the request fails, and an
//!   [`Error`] with [`is_denied`](Error::is_denied) stands among the [sources](std::error::Error::source) of its error.
//! - IPv4 by way of a NAT64 where it has no route.
//!
//! reqwest gives a name without a scheme and a port. To the policy and the history it is `https` at port 443; what reqwest
//! gets are addresses for the port of the URL. Another port that an override has counts where the URL names none.
//!
//! # What reqwest 0.13 lets nobody replace
//!
//! There is no way to give it a connector. Whatever resolves names:
//!
//! - Its attempts are hyper-util's: two lanes, one for each family, the second 300 ms after the first, and within a lane an
//!   address is tried when the one before it has failed. No delay can be set.
//! - Its connect timeout is divided among the addresses of a lane. Without one a silent address costs what the system takes
//!   to give up: on Linux 30 s, by reqwest's `TCP_USER_TIMEOUT`.
//! - TLS follows the race: a server that takes TCP and then stalls or has a wrong certificate is the end.
//! - HTTPS records are of no use, neither their ports and targets nor ECH. A connector that [requires
//!   ECH](crate::Ech::Required) gives reqwest no addresses.
//! - There is no [`Report`](crate::Report): which addresses were tried, and what became of them, is not to be had.
//! - **IP literals never come to a resolver**, so no policy sees `http://169.254.169.254/`, nor a redirect to it. Nor does the
//!   name of a URL that goes through a proxy, unless the proxy is SOCKS with names resolved here: the proxy's own does.
//!
//! An address policy that has to hold takes this crate's connector with hyper-util's `Client`; `examples/reqwest_style.rs` has
//! redirects, decompression, JSON, retries and a timeout around it.
//!
//! [`Builder::resolve`]: crate::Builder::resolve
//! [`Config::resolution_delay`]: crate::Config::resolution_delay

use ::reqwest::dns::{Addrs, Name, Resolve, Resolving};
use http::Uri;

#[cfg(doc)]
use crate::config::Config;
use crate::connector::HappyEyeballsConnector;
use crate::error::Error;
use crate::listing;

/// The port that names are asked for with, as reqwest tells none.
const PORT: u16 = 443;

/// What a [`HappyEyeballsConnector`] knows of names, for [`dns_resolver`](::reqwest::ClientBuilder::dns_resolver).
///
/// The [module](self) says what of this crate comes with it, and what cannot.
#[derive(Clone, Debug)]
pub struct Dns {
    connector: HappyEyeballsConnector,
}

impl Dns {
    /// As of [`HappyEyeballsConnector::new`]: by hickory, with the system's configuration.
    #[cfg(feature = "hickory")]
    pub fn new() -> Self {
        HappyEyeballsConnector::new().into()
    }
}

#[cfg(feature = "hickory")]
impl Default for Dns {
    fn default() -> Self {
        Self::new()
    }
}

/// With the resolver, the cache, the history and the settings of the connector. Of the settings those count that are about
/// names and addresses; its TLS, its schemes and its bound on attempts do not.
impl From<HappyEyeballsConnector> for Dns {
    fn from(connector: HappyEyeballsConnector) -> Self {
        Self { connector: connector.for_addresses() }
    }
}

impl Resolve for Dns {
    fn resolve(&self, name: Name) -> Resolving {
        let connector = self.connector.clone();
        Box::pin(async move {
            let addrs = listing::addresses(&connector, &uri(name.as_str())?).await?;
            // reqwest replaces a port of 0 by that of the URL.
            let addrs = addrs.into_iter().map(|mut addr| {
                if addr.port() == PORT {
                    addr.set_port(0);
                }
                addr
            });
            Ok(Box::new(addrs) as Addrs)
        })
    }
}

/// Where a connect to `name` would go.
fn uri(name: &str) -> Result<Uri, Error> {
    let uri = Uri::builder().scheme("https").authority(name).path_and_query("/").build();
    // What else an authority can have makes another name of it.
    uri.ok().filter(|uri| uri.host() == Some(name)).ok_or_else(|| Error::invalid_uri("host is not a name"))
}
