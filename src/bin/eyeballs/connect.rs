//! From the options to connectors.

use std::net::SocketAddr;
use std::time::Duration;

use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{
    AddressPolicy, BuildError, Builder, Config, Families, HappyEyeballsConnector, Host, Origin, Pacing,
};

use crate::args::{ConnectOptions, Override, Strategy};
use crate::exit::Fault;
use crate::tls;

/// One connector, and a likeness for each host and port whose addresses the user gave: the connector's own overrides
/// are for a host at any port. All share their DNS cache and TLS sessions.
pub(crate) struct Connectors {
    connector: HappyEyeballsConnector,
    overridden: Vec<(Override, HappyEyeballsConnector)>,
}

impl Connectors {
    pub(crate) fn new(options: &ConnectOptions) -> Result<Self, Fault> {
        let builder = builder(options)?;
        tls::warm_up();
        let mut overrides: Vec<Override> = Vec::new();
        for more in &options.resolve {
            match overrides.iter_mut().find(|known| known.port == more.port && is_host(&known.host, &more.host)) {
                Some(known) => known.addrs.extend(&more.addrs),
                None => overrides.push(more.clone()),
            }
        }
        let overridden = overrides.into_iter().map(|known| {
            let addrs = known.addrs.iter().map(|&ip| SocketAddr::new(ip, 0));
            let connector = builder.clone().resolve(&known.host, addrs).build().map_err(|error| no_tls(&error))?;
            Ok((known, connector))
        });
        Ok(Self {
            overridden: overridden.collect::<Result<_, _>>()?,
            connector: builder.build().map_err(|error| no_tls(&error))?,
        })
    }

    /// The connector for `origin`.
    pub(crate) fn of(&self, origin: &Origin) -> HappyEyeballsConnector {
        let overridden = match origin.host() {
            Host::Name(host) => {
                let mut overridden = self.overridden.iter();
                overridden.find(|(known, _)| known.port == origin.port() && is_host(&known.host, host))
            }
            _ => None,
        };
        overridden.map_or(&self.connector, |(_, connector)| connector).clone()
    }
}

fn builder(options: &ConnectOptions) -> Result<Builder, Fault> {
    let mut builder = HappyEyeballsConnector::builder().config(config(options)?);
    if !options.resolver.is_empty() {
        builder = builder.resolver(HickoryResolver::with_name_servers(options.resolver.iter().copied()));
    }
    builder = match &options.ca_file {
        Some(path) => builder.tls_config(tls::trusting_file(path)?),
        None if options.insecure => builder.tls_config(tls::trusting_everyone()?),
        None => builder.platform_verifier(),
    };
    Ok(if options.http1 { builder.enable_http1() } else { builder.enable_all_versions() })
}

fn config(options: &ConnectOptions) -> Result<Config, Fault> {
    let mut config = match options.strategy {
        Strategy::Sequential => Config::sequential(),
        Strategy::Rfc6555 => Config::rfc6555(),
        Strategy::Rfc8305 => Config::rfc8305(),
        Strategy::Hev3 => Config::default(),
    };
    config.connect_timeout(Some(options.connect_timeout));
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
    if options.public_only {
        config.address_policy(AddressPolicy::public_only());
    }
    Ok(config)
}

/// Whether two names are of one host.
fn is_host(one: &str, other: &str) -> bool {
    let bare = |name| str::strip_suffix(name, ".").unwrap_or(name);
    bare(one).eq_ignore_ascii_case(bare(other))
}

fn no_tls(error: &BuildError) -> Fault {
    Fault::system(format!("{error} (--ca-file names other root certificates)"))
}
