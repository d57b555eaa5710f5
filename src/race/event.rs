//! What goes into a race and what comes out.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::policy_table::PolicyTable;
use crate::report::Failure;
use crate::resolve::{Answer, Kinds, Names, QueryKind, ResolveError};

/// Names a query within its race.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueryId(pub(crate) usize);

/// Names an attempt within its race.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttemptId(pub(crate) usize);

/// What a race knows of its host and its resolver before it starts.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // the connector makes them
pub struct Environment {
    /// What to ask for. A literal is its own address, and needs none here.
    pub names: Names,
    /// The kinds of queries that the resolver answers.
    pub kinds: Kinds,
    /// Whether [`QueryKind::Https`] is asked: an `https` origin goes where the records send it, an `http` origin that
    /// has any is to be connected to by `https`.
    pub https: bool,
    /// Whether that answer is waited for within the Resolution Delay.
    pub waits_for_https: bool,
    /// Whether nobody can change an answer on its way.
    pub protected: bool,
    /// The protocols that a connection can be used for, by their ALPN identifiers.
    pub alpn: Arc<[Vec<u8>]>,
    /// What the choice among services of one priority hangs on.
    pub seed: u64,
    /// The families to ask for. At least one.
    pub ask: FamilySet,
    /// The families that may be dialled.
    pub dial: FamilySet,
    /// The family whose answer the Resolution Delay waits for, and which leads where RFC 6724 does not decide.
    pub preferred: Family,
    /// The policy that answers per family are ordered by.
    pub policy_table: PolicyTable,
    /// Whether an attempt goes on with TLS after TCP.
    pub tls: bool,
    /// How that TLS can hide the server name, unless it cannot or shall not.
    pub ech: Option<EchUse>,
    /// Whether anything is known from earlier races, so that even what is alone is to be asked about.
    pub recalls: bool,
    /// Whether each attempt needs a permit, since there is a bound on those of all races together.
    pub bounded: bool,
}

impl Environment {
    /// A host with both families and a resolver that answers per family, for tests, benches and fuzzing to change.
    #[cfg(any(test, feature = "__internal"))]
    pub fn dual_stack(names: Names) -> Self {
        Self {
            names,
            kinds: Kinds::PerFamily,
            https: false,
            waits_for_https: true,
            protected: false,
            alpn: [b"h2".to_vec(), b"http/1.1".to_vec()].into(),
            seed: 0,
            ask: FamilySet::BOTH,
            dial: FamilySet::BOTH,
            preferred: Family::V6,
            policy_table: PolicyTable::rfc6724(),
            tls: false,
            ech: None,
            recalls: false,
            bounded: false,
        }
    }

    /// Whether the addresses come in an order that stands: from a list, or from a resolver that has sorted them.
    pub(super) fn has_ordered_addresses(&self) -> bool {
        matches!(self.names, Names::Fixed(_)) || self.kinds.has_ordered_addresses()
    }

    /// Whether answers of two families are to be put in order.
    pub(super) fn compares_families(&self) -> bool {
        self.ask.v4 && self.ask.v6 && !self.has_ordered_addresses()
    }
}

/// How Encrypted Client Hello is used (RFC 9849).
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)] // the connector makes them
pub struct EchUse {
    /// Whether a list of configurations has one that can be used.
    pub is_usable: fn(&[u8]) -> bool,
    /// Whether nothing is to be done without.
    pub required: bool,
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // there are two
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of `addr`.
    pub fn of(addr: SocketAddr) -> Self {
        Self::of_ip(addr.ip())
    }

    pub(super) fn of_ip(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }
}

/// A set of address families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // there are two families
pub struct FamilySet {
    /// Whether IPv4 is in it.
    pub v4: bool,
    /// Whether IPv6 is in it.
    pub v6: bool,
}

impl FamilySet {
    /// Both families.
    pub const BOTH: Self = Self { v4: true, v6: true };

    /// Whether `family` is in it.
    pub fn contains(self, family: Family) -> bool {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }

    /// Whether no family is in it.
    pub fn is_empty(self) -> bool {
        !self.v4 && !self.v6
    }
}

/// What the driver tells the race.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums)] // the driver has to know all of them
pub enum Input {
    /// A query was answered. A second answer to a query replaces the first.
    Answer {
        /// The query.
        id: QueryId,
        /// What came of it.
        result: Result<Answer, ResolveError>,
    },
    /// The reply to [`Output::Probe`].
    Probed(Vec<Probed>),
    /// The reply to [`Output::Permit`]. It lapses if nothing starts before the next [`Output::Wait`].
    Permitted,
    /// TCP is up on an attempt.
    Progress {
        /// The attempt.
        id: AttemptId,
        /// The round-trip time of the handshake, if it is known and no SYN was resent.
        rtt: Option<Duration>,
    },
    /// TLS is up on an attempt.
    Succeeded {
        /// The attempt.
        id: AttemptId,
    },
    /// An attempt failed.
    Failed {
        /// The attempt.
        id: AttemptId,
        /// What failed.
        failure: Failure,
    },
}

/// What this machine knows of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // the driver makes them
pub struct Probed {
    /// The address.
    pub addr: SocketAddr,
    /// The source address that the kernel would use, or none: there is no route.
    pub source: Option<Source>,
    /// What earlier races have learned.
    pub known: Known,
}

/// What earlier races have learned of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // the driver makes them
pub struct Known {
    /// How long a round trip takes.
    pub rtt: Option<Rtt>,
    /// Whether it leads nowhere, and is to be tried last.
    pub unreachable: bool,
}

/// A round-trip time (RFC 6298).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // these two make it
pub struct Rtt {
    /// SRTT.
    pub smoothed: Duration,
    /// RTTVAR.
    pub variation: Duration,
}

/// What a race has learned of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // the history has to know all of them
pub enum Lesson {
    /// It answered.
    Reached {
        /// The round-trip time, unless a SYN was resent.
        rtt: Option<Duration>,
    },
    /// It did not answer, and another address won.
    Silent,
    /// A router says that there is no way.
    Unreachable,
}

/// The source address that the kernel would use towards a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // the driver makes them
pub struct Source {
    /// The address.
    pub ip: IpAddr,
    /// Whether it is past its preferred lifetime (RFC 4862 section 5.5.4).
    pub deprecated: bool,
    /// The length of its prefix on the link, if known.
    pub prefix_len: Option<u8>,
}

/// What the race wants done.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums)] // the driver has to know all of them
pub enum Output {
    /// Ask the resolver, and answer with [`Input::Answer`].
    Query {
        /// The query.
        id: QueryId,
        /// The name, final.
        name: Arc<str>,
        /// The kind.
        kind: QueryKind,
    },
    /// Say what is known of each address, at once, with [`Input::Probed`].
    Probe {
        /// The addresses.
        addrs: Vec<SocketAddr>,
    },
    /// An attempt is due: get a permit for it, and say so with [`Input::Permitted`] once it is there, before the next poll
    /// if it is at hand. An attempt that is cancelled in the meantime leaves it its own; a reply that comes all the same is
    /// ignored.
    Permit,
    /// Open TCP to `addr`; answer with [`Input::Progress`] or [`Input::Failed`].
    Attempt {
        /// The attempt.
        id: AttemptId,
        /// The address.
        addr: SocketAddr,
    },
    /// TCP is up: start TLS now; answer with [`Input::Succeeded`] or [`Input::Failed`].
    Handshake {
        /// The attempt.
        id: AttemptId,
        /// With one of these ECH configurations: an `ECHConfigList`. Without it, without ECH.
        ech: Option<Arc<[u8]>>,
    },
    /// Drop the attempt.
    Cancel {
        /// The attempt.
        id: AttemptId,
    },
    /// Keep it in mind for later races. Comes before [`Output::Done`], for the losers too.
    Learned {
        /// The address.
        addr: SocketAddr,
        /// What was learned.
        lesson: Lesson,
    },
    /// Nothing to do before the next input or that time.
    Wait(Option<Instant>),
    /// The race is over. Every later poll says so too.
    Done(Outcome),
}

/// How a race ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // the driver has to know all of them
pub enum Outcome {
    /// This attempt won.
    Won(AttemptId),
    /// No endpoint is left to try.
    Failed,
    /// There are addresses, but none that comes with an ECH configuration, and nothing is to be done without.
    WithoutEch,
    /// The connect timeout ran out.
    TimedOut,
    /// An `http` origin has HTTPS records: it is to be connected to by `https` (RFC 9460 section 9.5).
    Upgrade,
    /// The lookup of HTTPS failed although answers are protected: somebody may hide the records (RFC 9460 section 3.1).
    Withheld,
}
