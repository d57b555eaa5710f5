//! Random worlds: what becomes of each query and each address of a host, and what changes meanwhile.
//!
//! All times are in milliseconds, from the start of the connect or, where they say how long something takes, from when
//! it began.

use std::fmt;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRunner};

/// The most addresses of a family. All of them can be tried before the connect times out.
const ADDRESSES: usize = 4;

#[derive(Clone, Debug)]
pub(crate) struct World {
    /// None where the URI is one of `http`, for which nobody asks.
    pub(crate) https: Option<Lookup>,
    pub(crate) aaaa: Lookup,
    pub(crate) a: Lookup,
    /// In the order of the answer.
    pub(crate) v6: Vec<Site>,
    pub(crate) v4: Vec<Site>,
    pub(crate) change: Option<Change>,
}

/// What becomes of a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookup {
    pub(crate) after: u64,
    pub(crate) fate: LookupFate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookupFate {
    Answered,
    /// The first packet is lost.
    AnsweredAgain,
    /// The answer has to be fetched by TCP, which takes as long again.
    Truncated,
    NoData,
    NxDomain,
    ServFail,
    Refused,
    Silent,
}

/// What becomes of the SYN to an address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Site {
    /// TCP is up after the round-trip time.
    Up {
        rtt: u64,
    },
    /// The first SYN is lost.
    LosesSyn {
        rtt: u64,
    },
    Silent,
    /// A RST comes.
    Refused {
        rtt: u64,
    },
    /// An ICMP error comes.
    Unreachable {
        rtt: u64,
    },
    DeadUntil {
        time: u64,
        rtt: u64,
    },
    DeadFrom {
        time: u64,
        rtt: u64,
    },
}

/// What happens to this host in the middle of the race.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) family: Family,
    pub(crate) what: What,
    pub(crate) at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// There is no route to the addresses of the family until then, or none from then on.
    RouteComes,
    RouteGoes,
    /// The address from which these addresses are reached, and with it, if it comes, the route to them.
    AddressComes,
    AddressGoes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    V6,
    V4,
}

/// The address of that number in the answer for its family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) family: Family,
    pub(crate) index: usize,
}

impl World {
    pub(crate) fn from_seed(seed: u64) -> Self {
        world().new_tree(&mut runner(seed)).expect("nothing is filtered").current()
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        [Family::V6, Family::V4].into_iter().flat_map(|family| self.places_of(family))
    }

    pub(crate) fn places_of(&self, family: Family) -> impl Iterator<Item = Place> {
        (0..self.sites(family).len()).map(move |index| Place { family, index })
    }

    pub(crate) fn site(&self, place: Place) -> Site {
        self.sites(place.family)[place.index]
    }

    pub(crate) fn change_of(&self, family: Family) -> Option<Change> {
        self.change.filter(|change| change.family == family)
    }

    /// Whether some address answers whenever it is tried.
    pub(crate) fn is_certain(&self) -> bool {
        self.places().any(|place| {
            let lookup = if place.family == Family::V6 { self.aaaa } else { self.a };
            let is_answered = matches!(lookup.fate, LookupFate::Answered | LookupFate::Truncated);
            let is_up = matches!(self.site(place), Site::Up { .. } | Site::LosesSyn { .. });
            is_answered && is_up && self.change_of(place.family).is_none()
        })
    }

    fn sites(&self, family: Family) -> &[Site] {
        match family {
            Family::V6 => &self.v6,
            Family::V4 => &self.v4,
        }
    }
}

/// With a generator that gives the same for the same seed.
pub(crate) fn runner(seed: u64) -> TestRunner {
    let rng_algorithm = RngAlgorithm::ChaCha;
    TestRunner::new(Config {
        rng_seed: RngSeed::Fixed(seed),
        rng_algorithm,
        failure_persistence: None,
        ..Config::default()
    })
}

fn world() -> impl Strategy<Value = World> {
    let sites = || prop_oneof![3 => vec(site(), 0..=ADDRESSES), 1 => vec(dead_site(), 1..=ADDRESSES)];
    (option::of(lookup()), lookup(), lookup(), sites(), sites(), option::of(change())).prop_map(
        |(mut https, mut aaaa, mut a, v6, v4, change)| {
            let lookups = [Some(&mut aaaa), Some(&mut a), https.as_mut()].into_iter().flatten();
            // Over one TCP connection the second answer would have to wait for the first.
            let by_tcp = lookups.filter(|lookup| lookup.fate == LookupFate::Truncated);
            by_tcp.skip(1).for_each(|lookup| lookup.fate = LookupFate::Answered);
            World { https, aaaa, a, v6, v4, change }
        },
    )
}

fn lookup() -> impl Strategy<Value = Lookup> {
    use LookupFate::{Answered, AnsweredAgain, NoData, NxDomain, Refused, ServFail, Silent, Truncated};
    let fate = prop_oneof![
        14 => Just(Answered),
        2 => Just(AnsweredAgain),
        2 => Just(Truncated),
        4 => proptest::sample::select(vec![NoData, NxDomain, ServFail, Refused, Silent]),
    ];
    (prop_oneof![1..40u64, 1..150u64, 1..600u64], fate).prop_map(|(after, fate)| Lookup { after, fate })
}

fn site() -> impl Strategy<Value = Site> {
    prop_oneof![
        4 => rtt().prop_map(|rtt| Site::Up { rtt }),
        1 => rtt().prop_map(|rtt| Site::LosesSyn { rtt }),
        5 => dead_site(),
    ]
}

/// What mostly is.
fn dead_site() -> impl Strategy<Value = Site> {
    prop_oneof![
        3 => Just(Site::Silent),
        2 => rtt().prop_map(|rtt| Site::Refused { rtt }),
        2 => rtt().prop_map(|rtt| Site::Unreachable { rtt }),
        1 => (100..1500u64, rtt()).prop_map(|(time, rtt)| Site::DeadUntil { time, rtt }),
        1 => (1..800u64, rtt()).prop_map(|(time, rtt)| Site::DeadFrom { time, rtt }),
    ]
}

fn rtt() -> impl Strategy<Value = u64> {
    prop_oneof![1..30u64, 1..200u64, 1..400u64]
}

fn change() -> impl Strategy<Value = Change> {
    let what = [What::RouteComes, What::RouteGoes, What::AddressComes, What::AddressGoes];
    let family = proptest::sample::select(vec![Family::V6, Family::V4]);
    (family, proptest::sample::select(what.to_vec()), 20..800u64).prop_map(|(family, what, at)| Change {
        family,
        what,
        at,
    })
}

/// As `6a`, the first of IPv6.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.family == Family::V6 { 6 } else { 4 };
        write!(f, "{family}{}", char::from(b'a' + self.index as u8))
    }
}
