//! From the options to connectors.

use std::net::SocketAddr;
use std::time::Duration;

use http::Uri;
use hyper_happy_eyeballs::reachability::Checker;
use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{
    AddressPolicy, BuildError, Builder, Config, Ech, Error, Families, HappyEyeballsConnector, Host, Origin, Pacing,
};

use crate::args::{self, ConnectOptions, Override, Strategy};
use crate::exit::Fault;
use crate::tls;
use crate::words::bare;

/// The connect timeouts where the user has given none. Whoever checks wants to know, whoever fetches wants to have.
const GET_TIMEOUT: Duration = Duration::from_secs(30);
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// One thing that connects, and a likeness of it for each host and port whose addresses the user gave: the library's
/// own overrides are for a host at any port. All share their DNS cache.
pub(crate) struct PerHost<T> {
    usual: T,
    overridden: Vec<(Override, T)>,
}

pub(crate) type Connectors = PerHost<HappyEyeballsConnector>;
pub(crate) type Checkers = PerHost<Checker>;

impl Connectors {
    pub(crate) fn new(options: &ConnectOptions) -> Result<Self, Fault> {
        Self::with(options, GET_TIMEOUT, |builder, _| builder.build())
    }
}

impl Checkers {
    pub(crate) fn new(options: &ConnectOptions) -> Result<Self, Fault> {
        Self::with(options, CHECK_TIMEOUT, Checker::new)
    }

    /// Has each of them changed.
    pub(crate) fn adjust(&mut self, change: impl Fn(&mut Checker)) {
        let Self { usual, overridden } = self;
        overridden.iter_mut().map(|(_, checker)| checker).chain([usual]).for_each(change);
    }
}

impl<T> PerHost<T> {
    fn with(
        options: &ConnectOptions,
        timeout: Duration,
        make: impl Fn(Builder, HickoryResolver) -> Result<T, BuildError>,
    ) -> Result<Self, Fault> {
        let dns = match &*options.resolver {
            [] => HickoryResolver::from_system(),
            servers => HickoryResolver::with_name_servers(servers.iter().copied()),
        };
        let builder = builder(options, timeout)?.resolver(dns.clone());
        tls::warm_up();
        let mut overrides: Vec<Override> = Vec::new();
        for more in &options.resolve {
            match overrides.iter_mut().find(|known| known.port == more.port && is_host(&known.host, &more.host)) {
                Some(known) => known.addrs.extend(&more.addrs),
                None => overrides.push(more.clone()),
            }
        }
        let make = |builder| make(builder, dns.clone()).map_err(|error| no_tls(&error));
        let overridden = overrides.into_iter().map(|known| {
            let addrs = known.addrs.iter().map(|&ip| SocketAddr::new(ip, 0));
            let made = make(builder.clone().resolve(&known.host, addrs))?;
            Ok((known, made))
        });
        Ok(Self { overridden: overridden.collect::<Result<_, _>>()?, usual: make(builder)? })
    }

    /// The one for `origin`.
    pub(crate) fn of(&self, origin: &Origin) -> &T {
        let overridden = match origin.host() {
            Host::Name(host) => {
                let mut overridden = self.overridden.iter();
                overridden.find(|(known, _)| known.port == origin.port() && is_host(&known.host, host))
            }
            _ => None,
        };
        overridden.map_or(&self.usual, |(_, made)| made)
    }
}

/// A URL that can be fetched, and its origin; or what is wrong with it.
pub(crate) fn parse(url: &str) -> Result<(Uri, Origin), String> {
    if !url.contains("://") {
        return Err(format!("it has no scheme, http:// or https://: write https://{url}"));
    }
    let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("its scheme is neither http nor https".into());
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("it has a user name, which would not be sent".into());
    }
    let origin = Origin::from_uri(&uri).map_err(|error| unfit(&error))?;
    Ok((uri, origin))
}

/// What is wrong with a URL.
pub(crate) fn unfit(error: &Error) -> String {
    let text = error.to_string();
    text.strip_prefix("invalid URL, ").unwrap_or(&text).to_owned()
}

fn builder(options: &ConnectOptions, timeout: Duration) -> Result<Builder, Fault> {
    let mut builder = HappyEyeballsConnector::builder().config(config(options, timeout)?);
    builder = match &options.ca_file {
        Some(path) => builder.tls_config_with(tls::trusting_file(path)?),
        None if options.insecure => builder.tls_config_with(tls::trusting_everyone()),
        None => builder.platform_verifier(),
    };
    Ok(if options.http1 { builder.enable_http1() } else { builder.enable_all_versions() })
}

fn config(options: &ConnectOptions, timeout: Duration) -> Result<Config, Fault> {
    let mut config = match options.strategy {
        Strategy::Sequential => Config::sequential(),
        Strategy::Rfc6555 => Config::rfc6555(),
        Strategy::Rfc8305 => Config::rfc8305(),
        Strategy::Hev3 => Config::default(),
    };
    config.connect_timeout(Some(options.connect_timeout.unwrap_or(timeout)));
    config.families(match (options.ipv4, options.ipv6) {
        (false, false) => Families::Auto,
        (true, false) => Families::Ipv4,
        (false, true) => Families::Ipv6,
        (true, true) => Families::Both,
    });
    if let Some(delay) = options.attempt_delay.map(Duration::from_millis) {
        match options.strategy {
            Strategy::Sequential => {
                return Err(Fault::usage("--attempt-delay: a sequential client waits for each attempt to fail".into()));
            }
            Strategy::Rfc6555 => config.pacing(Pacing::Rfc6555 { delay }),
            // The user means it, even beyond the bounds that suit everybody.
            Strategy::Rfc8305 | Strategy::Hev3 => {
                config.attempt_delay(delay).min_attempt_delay(delay.min(Duration::from_millis(100)));
                config.max_attempt_delay(delay.max(Duration::from_secs(2)))
            }
        };
    }
    if let Some(delay) = options.resolution_delay {
        config.resolution_delay(delay);
    }
    if options.no_https_records {
        config.use_service_records(false);
    }
    config.ech(match options.ech {
        args::Ech::On => Ech::On,
        args::Ech::Grease => Ech::Grease,
        args::Ech::Required => Ech::Required,
        args::Ech::Off => Ech::Off,
    });
    if options.public_only {
        config.address_policy(AddressPolicy::public_only());
    }
    Ok(config)
}

/// Whether two names are of one host.
fn is_host(one: &str, other: &str) -> bool {
    bare(one).eq_ignore_ascii_case(bare(other))
}

fn no_tls(error: &BuildError) -> Fault {
    Fault::system(format!("{error} (--ca-file names other root certificates)"))
}
