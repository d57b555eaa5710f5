//! The settings of a race, under the names of RFC 8305 and the v3 draft.

mod bounds;

use std::time::Duration;

use crate::address_policy::AddressPolicy;
use crate::nat64::Nat64;
use crate::policy_table::PolicyTable;
use crate::race::Rtt;

/// The settings of a race.
///
/// [`Config::default`] follows draft-ietf-happy-happyeyeballs-v3. The presets [`Config::rfc8305`], [`Config::rfc6555`]
/// and [`Config::sequential`] behave as older clients do; they exist to compare with. What no setting changes are the
/// [bounds](#bounds).
///
/// ```
/// use std::time::Duration;
/// use hyper_happy_eyeballs::Config;
///
/// let mut config = Config::default();
/// config.attempt_delay(Duration::from_millis(200)).connect_timeout(Some(Duration::from_secs(10)));
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) pacing: Pacing,
    pub(crate) resolution_delay: Duration,
    pub(crate) preferred_family_count: usize,
    attempt_delay: Duration,
    min_attempt_delay: Duration,
    max_attempt_delay: Duration,
    pub(crate) max_concurrent_attempts: usize,
    pub(crate) race_tls: bool,
    pub(crate) use_service_records: bool,
    pub(crate) https_upgrade: bool,
    pub(crate) ech: Ech,
    pub(crate) use_history: bool,
    pub(crate) nat64: Nat64,
    pub(crate) families: Families,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) dns_timeout: Option<Duration>,
    pub(crate) tls_timeout: Option<Duration>,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) dns_linger: Duration,
    pub(crate) address_policy: AddressPolicy,
    policy_table: Option<PolicyTable>,
    pub(crate) report_in_responses: bool,
    /// Whether nothing starts before every answer, as long as the Resolution Delay lasts: what is listed cannot grow.
    pub(crate) awaits_all: bool,
}

/// The v3 draft.
impl Default for Config {
    fn default() -> Self {
        Self {
            pacing: Pacing::Staggered,
            resolution_delay: Duration::from_millis(50),
            preferred_family_count: 1,
            attempt_delay: Duration::from_millis(250),
            min_attempt_delay: Duration::from_millis(100),
            max_attempt_delay: Duration::from_secs(2),
            max_concurrent_attempts: Self::MAX_ENDPOINTS,
            race_tls: true,
            use_service_records: true,
            https_upgrade: false,
            ech: Ech::default(),
            use_history: true,
            nat64: Nat64::default(),
            families: Families::Auto,
            connect_timeout: Some(Duration::from_secs(30)),
            dns_timeout: Some(Duration::from_secs(5)),
            tls_timeout: Some(Duration::from_secs(10)),
            attempt_timeout: None,
            dns_linger: Duration::from_secs(1),
            address_policy: AddressPolicy::default(),
            policy_table: None,
            report_in_responses: true,
            awaits_all: false,
        }
    }
}

impl Config {
    /// RFC 8305: as the default, but there are no HTTPS records, and the first TCP connection wins and the others end
    /// before TLS starts.
    pub fn rfc8305() -> Self {
        Self { race_tls: false, use_service_records: false, ..Self::default() }
    }

    /// RFC 6555 as `HttpConnector` has it: both answers first, then two lanes, one attempt per family at a time, the
    /// second lane after 300 ms or when the first has nothing left. The first TCP connection wins.
    pub fn rfc6555() -> Self {
        Self { pacing: Pacing::Rfc6555 { delay: Duration::from_millis(300) }, ..Self::sequential() }
    }

    /// The client of old: both answers first, then one address after the other in order, the next only when the
    /// last has failed. The first TCP connection wins.
    pub fn sequential() -> Self {
        Self {
            pacing: Pacing::Sequential,
            resolution_delay: Duration::MAX,
            preferred_family_count: usize::MAX,
            use_history: false,
            nat64: Nat64::Off,
            ..Self::rfc8305()
        }
    }

    /// When the next attempt starts while earlier ones are under way.
    ///
    /// Default is [`Pacing::Staggered`].
    pub fn pacing(&mut self, pacing: Pacing) -> &mut Self {
        self.pacing = pacing;
        self
    }

    /// Resolution Delay (RFC 8305 section 8): how long the first address waits for the preferred family's answer.
    /// [`Duration::MAX`] waits for all answers, as `getaddrinfo` does.
    ///
    /// Default is 50 ms.
    pub fn resolution_delay(&mut self, delay: Duration) -> &mut Self {
        self.resolution_delay = delay;
        self
    }

    /// Preferred Address Family Count (RFC 8305 section 8): how many addresses of the first family stand before the
    /// first of the other. 0 counts as 1; `usize::MAX` leaves the list as it was ordered.
    ///
    /// Default is 1.
    pub fn preferred_family_count(&mut self, count: usize) -> &mut Self {
        self.preferred_family_count = count.max(1);
        self
    }

    /// Connection Attempt Delay (RFC 8305 section 5): the time between two starts while nothing has failed. It is
    /// clamped to the minimum and maximum below. It never ends an attempt.
    ///
    /// Default is 250 ms.
    pub fn attempt_delay(&mut self, delay: Duration) -> &mut Self {
        self.attempt_delay = delay;
        self
    }

    /// Minimum Connection Attempt Delay (RFC 8305 section 8). Values below 10 ms count as 10 ms.
    ///
    /// Default is 100 ms.
    pub fn min_attempt_delay(&mut self, delay: Duration) -> &mut Self {
        self.min_attempt_delay = delay.clamp(Self::FLOOR_ATTEMPT_DELAY, Self::LONGEST_DELAY);
        self
    }

    /// Maximum Connection Attempt Delay (RFC 8305 section 8): it also bounds how far a finished TCP handshake puts
    /// off the next start. Below the minimum it counts as the minimum.
    ///
    /// Default is 2 s.
    pub fn max_attempt_delay(&mut self, delay: Duration) -> &mut Self {
        self.max_attempt_delay = delay.min(Self::LONGEST_DELAY);
        self
    }

    /// Attempts that may be in flight at once. At the bound the race waits for one to end; it never drops a live one.
    /// 0 counts as 1, and a race starts at most [`MAX_ENDPOINTS`](Self::MAX_ENDPOINTS) anyway.
    ///
    /// Default is 32, so that silent addresses never starve a later good one.
    pub fn max_concurrent_attempts(&mut self, count: usize) -> &mut Self {
        self.max_concurrent_attempts = count.max(1);
        self
    }

    /// Whether TLS is part of an attempt (v3 draft section 6.1). If not, the first TCP connection ends the race as in
    /// RFC 8305, and a handshake that fails fails the connect.
    ///
    /// Default is true.
    pub fn race_tls(&mut self, race: bool) -> &mut Self {
        self.race_tls = race;
        self
    }

    /// Whether an `https` or `wss` origin is looked up under HTTPS too, and connected to where these records say
    /// (RFC 9460, v3 draft section 4): at other names and ports, by their priority, with their address hints until the
    /// addresses are known. The origin itself comes last. Server name, certificate and `Host` stay the origin's. At a port
    /// of another protocol, such as 25, nobody is connected to unless the URI names it too: these are the bad ports of the
    /// WHATWG's Fetch standard, and such endpoints are denied.
    ///
    /// Nothing is waited for longer than the [Resolution Delay](Self::resolution_delay); and servers that left three
    /// lookups running unanswered are not waited for within the next 10 minutes. A proxy has no such records: turn it
    /// off where the connector leads to one by `https` (RFC 9460 section 3.2).
    ///
    /// Default is true.
    pub fn use_service_records(&mut self, use_them: bool) -> &mut Self {
        self.use_service_records = use_them;
        self
    }

    /// Whether an `http` or `ws` origin is looked up under HTTPS too, and refused if it has such records
    /// (RFC 9460 section 9.5). The error says [where to connect to instead](crate::Error::upgrade_to), and is to be
    /// trusted no more than a redirect in clear. It takes [`use_service_records`](Self::use_service_records).
    ///
    /// Default is false; with a resolver whose answers are [protected](crate::Resolve::is_protected) it is always so.
    pub fn https_upgrade(&mut self, upgrade: bool) -> &mut Self {
        self.https_upgrade = upgrade;
        self
    }

    /// What is done about Encrypted Client Hello, which hides the server name from the network (RFC 9849).
    ///
    /// Its configurations come with HTTPS records (RFC 9848). Where all of those that can be used carry some, the origin's
    /// own addresses are none to fall back to, or who keeps these endpoints from us would learn the name. On connections
    /// that were opened before the records came, TLS begins by what they say, or not at all. A server that rejects a
    /// configuration and proves to be the one of its public name is tried once more, with the configurations that it gives;
    /// if it gives none, without.
    ///
    /// It takes [`use_service_records`](Self::use_service_records), and TLS that the connector sets up itself or
    /// [can](crate::Builder::tls_config_with), with the crate's feature `aws-lc-rs`. Answers of plain DNS tell the network
    /// the name anyway: a resolver whose answers are [protected](crate::Resolve::is_protected) does not.
    ///
    /// Default is [`Ech::On`].
    pub fn ech(&mut self, ech: Ech) -> &mut Self {
        self.ech = ech;
        self
    }

    /// Whether races learn from earlier ones (v3 draft section 5.3, RFC 8305 section 4): addresses that lead nowhere go
    /// last, of addresses that are equal otherwise the nearest goes first, and the Connection Attempt Delay after one whose
    /// round-trip time is known is the time after which its SYN would be sent again. See
    /// [`History`](crate::History).
    ///
    /// Default is true; false for [`Config::rfc6555`] and [`Config::sequential`].
    pub fn use_history(&mut self, use_it: bool) -> &mut Self {
        self.use_history = use_it;
        self
    }

    /// How IPv4 addresses are reached on a network without IPv4 (v3 draft section 8, RFC 8305 section 7): an address
    /// without a route is connected to through the NAT64 of the network. Addresses in AAAA answers that are of its prefix
    /// count as the IPv4 addresses that they lead to.
    ///
    /// Default is [`Nat64::Discover`]; [`Nat64::Off`] for [`Config::rfc6555`] and [`Config::sequential`].
    pub fn nat64(&mut self, nat64: Nat64) -> &mut Self {
        self.nat64 = nat64;
        self
    }

    /// The address families that are asked for and dialled.
    ///
    /// Default is [`Families::Auto`].
    pub fn families(&mut self, families: Families) -> &mut Self {
        self.families = families;
        self
    }

    /// The time for everything: DNS, race and TLS together. It is not divided among addresses.
    ///
    /// Default is 30 s.
    pub fn connect_timeout(&mut self, timeout: Option<Duration>) -> &mut Self {
        self.connect_timeout = timeout;
        self
    }

    /// The time for one DNS lookup with all its tries. A lookup that takes longer counts as failed; an answer that
    /// comes later still joins a race that goes on.
    ///
    /// hickory gives up by itself after the time of [`HickoryResolver::set_timeout`], 5 s by default: to wait longer
    /// takes both.
    ///
    /// Default is 5 s.
    ///
    /// [`HickoryResolver::set_timeout`]: crate::resolve::HickoryResolver::set_timeout
    pub fn dns_timeout(&mut self, timeout: Option<Duration>) -> &mut Self {
        self.dns_timeout = timeout;
        self
    }

    /// The time for one TLS handshake, which begins when TCP is up unless it has to wait for HTTPS records. The race goes
    /// on when it runs out.
    ///
    /// Default is 10 s.
    pub fn tls_timeout(&mut self, timeout: Option<Duration>) -> &mut Self {
        self.tls_timeout = timeout;
        self
    }

    /// The time for one endpoint, TCP and TLS together.
    ///
    /// Default is `None`: an attempt lives as long as the race.
    pub fn attempt_timeout(&mut self, timeout: Option<Duration>) -> &mut Self {
        self.attempt_timeout = timeout;
        self
    }

    /// How long a lookup goes on once no race waits for it, so that its answer still fills the cache
    /// (RFC 8305 section 5). [`Duration::ZERO`] ends it at once.
    ///
    /// Default is 1 s.
    pub fn dns_linger(&mut self, linger: Duration) -> &mut Self {
        self.dns_linger = linger;
        self
    }

    /// Which addresses may be dialled.
    ///
    /// Default allows all.
    pub fn address_policy(&mut self, policy: AddressPolicy) -> &mut Self {
        self.address_policy = policy;
        self
    }

    /// The policy table of RFC 6724 section 2.1, by which the answers to A and AAAA are ordered. Addresses that come in
    /// one ordered answer, as from `getaddrinfo`, keep their order.
    ///
    /// Where it puts IPv4 before global IPv6 addresses, IPv4 is also the family that the Resolution Delay waits for.
    ///
    /// Default is [`PolicyTable::system`]: RFC 6724's, unless `/etc/gai.conf` says otherwise.
    pub fn policy_table(&mut self, table: PolicyTable) -> &mut Self {
        self.policy_table = Some(table);
        self
    }

    /// Whether the extensions of every response carry the [`Report`](crate::Report) of its connection. The connection
    /// itself and errors have it in any case.
    ///
    /// Default is true. It is about one per cent of the instructions of a GET over a new connection.
    pub fn report_in_responses(&mut self, carry: bool) -> &mut Self {
        self.report_in_responses = carry;
        self
    }

    /// The strategy of `preset` with the families, times and policies of this one.
    #[cfg(feature = "reachability")]
    pub(crate) fn with_strategy_of(&self, preset: Self) -> Self {
        Self {
            pacing: preset.pacing,
            resolution_delay: preset.resolution_delay,
            preferred_family_count: preset.preferred_family_count,
            race_tls: preset.race_tls,
            use_service_records: preset.use_service_records,
            use_history: preset.use_history,
            nat64: preset.nat64,
            ..self.clone()
        }
    }

    /// The policy table that was set, or else the system's, which may have to be read.
    pub(crate) fn policy_table_or_system(&self) -> PolicyTable {
        self.policy_table.clone().unwrap_or_else(PolicyTable::system)
    }

    /// The Connection Attempt Delay after the start of an attempt to an address with this round-trip time: when its SYN
    /// would be sent again (RFC 6298 section 2, v3 draft section 6), within the bounds; without one the usual delay.
    pub(crate) fn attempt_delay_for(&self, rtt: Option<Rtt>) -> Duration {
        match rtt {
            Some(Rtt { smoothed, variation }) => {
                let resent = smoothed.saturating_add(variation.saturating_mul(4));
                resent.min(self.clamped_max_attempt_delay()).max(self.min_attempt_delay)
            }
            None => self.clamped_attempt_delay(),
        }
    }

    /// The Connection Attempt Delay within its bounds.
    pub(crate) fn clamped_attempt_delay(&self) -> Duration {
        self.attempt_delay.min(self.clamped_max_attempt_delay()).max(self.min_attempt_delay)
    }

    pub(crate) fn clamped_max_attempt_delay(&self) -> Duration {
        self.max_attempt_delay.max(self.min_attempt_delay)
    }
}

/// When the next attempt starts while earlier ones are under way. Between two starts there are always at least 10 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pacing {
    /// One Connection Attempt Delay after the last start, or at once when that one failed (RFC 8305 section 5).
    Staggered,
    /// Only when the last one has failed.
    Sequential,
    /// Two lanes, one a family, each sequential (RFC 6555).
    Rfc6555 {
        /// When the second lane starts, from the start of the first.
        delay: Duration,
    },
}

/// What a connector does about Encrypted Client Hello (RFC 9849).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ech {
    /// Uses it where an HTTPS record carries a configuration that can be used.
    #[default]
    On,
    /// The same, and everywhere else an offer without meaning is sent, so that real ones do not stand out (section 6.2).
    /// TLS 1.2 is not offered beside it.
    Grease,
    /// Shakes hands with nobody without it: where no record carries a usable configuration the connect fails, as it does
    /// with a server that has turned it off, and with a connector whose TLS cannot do it.
    Required,
    /// Does without.
    Off,
}

/// The address families that a connector asks for and dials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Families {
    /// Asks for each family of which the host has an address that is neither loopback nor link-local, and for both
    /// when it has none. Dials both.
    #[default]
    Auto,
    /// Asks for and dials both, whatever addresses the host has.
    Both,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

/// The guide has a row for each setting, with its default.
#[test]
fn the_guide_has_every_default() {
    let guide = include_str!("../docs/migration.md");
    let defaults = format!("{:?}", Config::default());
    let pretty = format!("{:#?}", Config::default());
    let fields = pretty.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(": "));
    let mut names: Vec<_> = fields.map(|(name, _)| name).filter(|name| !name.starts_with(' ')).collect();
    names.retain(|name| *name != "awaits_all");
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let mut rows = guide.lines().filter_map(|line| line.strip_prefix(&format!("| `{name}` | ")));
        let row = rows.next().unwrap_or_else(|| panic!("{name} has no row"));
        let (value, why) = row.split_once(" | ").expect("a row has three columns");
        assert!(why.len() > " |".len() && rows.next().is_none(), "{name}");
        let value = match value {
            "none" | "the system's" => "None".to_owned(),
            "allows all" => "AddressPolicy { .. }".to_owned(),
            value => value.rsplit("::").next().unwrap_or(value).replace([' ', '`'], ""),
        };
        let is_so = |value: &str| defaults.contains(&format!(" {name}: {value},"));
        assert!(is_so(&value) || is_so(&format!("Some({value})")), "{name} is not {value}");
    }
}
