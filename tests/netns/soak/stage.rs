//! Makes a world of real packets, and connects in it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use hickory_server::proto::rr::{RData, RecordType};
use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{Config, Error, HappyEyeballsConnector, MaybeHttpsStream};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep_until;
use tower_service::Service;

use super::oracle::{CHANGE_LATE, CONNECT_TIMEOUT, DNS_TIMEOUT};
use super::world::{Change, Family, Lookup, LookupFate, Place, Site, What, World};
use crate::lab::{Ca, HttpsRecord, Reply};
use crate::namespace::{add_address, ip, ip_batch, nft};
use crate::network::{ms, parse, peer};
use crate::packet_socket::now;
use crate::standstill;
use crate::study::network::{NAME_SERVER, Network};
use crate::study::relay::{Direction, Fate};
use crate::study::servers::{DOMAIN, Servers};

/// Addresses of the servers come in parts, of as many each: those that listen, those that refuse with a RST, and those
/// for which there is an ICMP error.
const PART: u16 = 0x4000;
const REFUSED: u16 = PART;
const UNREACHABLE: u16 = 2 * PART;

/// Of both families, `http` and `https`.
const REJECTING: &str = "add table inet soak
    add chain inet soak input { type filter hook input priority 0; }
    add rule inet soak input ip daddr 198.18.64.0/18 meta l4proto tcp reject with tcp reset
    add rule inet soak input ip6 daddr 2001:db8:80::4000/114 meta l4proto tcp reject with tcp reset
    add rule inet soak input ip daddr 198.18.128.0/18 reject with icmp type host-unreachable
    add rule inet soak input ip6 daddr 2001:db8:80::8000/114 reject with icmpv6 type addr-unreachable";

/// By its metric a route is told from another to the same address: of IPv6 the kind of route is not looked at.
const FIRST: &str = "metric 1";
const LAST: &str = "metric 2";

pub(crate) struct Stage {
    network: Network<Servers>,
    /// Held while a world is made, which takes this thread some time: one that begins should not wait for many others.
    making: Mutex<()>,
    /// The last numbers that were given to a world and to an address of a server.
    worlds: Cell<u16>,
    addresses: Cell<u16>,
}

/// What became of a connect.
pub(crate) struct Played {
    pub(crate) took: Duration,
    pub(crate) result: Result<MaybeHttpsStream, Error>,
    port: u16,
    /// Where the world's addresses were.
    pub(crate) addresses: BTreeMap<Place, IpAddr>,
    /// Whether the machine stood still meanwhile, or was late with the change.
    pub(crate) is_disturbed: bool,
}

impl Played {
    /// The place to which it is connected.
    pub(crate) fn winner(&self) -> Option<Place> {
        let addr = peer(self.result.as_ref().ok()?);
        self.addresses.iter().find(|(_, other)| **other == addr).map(|(place, _)| *place)
    }

    /// Whether the text of an error speaks of the address of a place.
    pub(crate) fn is_named(&self, place: Place, error: &str) -> bool {
        error.contains(&SocketAddr::new(self.addresses[&place], self.port).to_string())
    }
}

impl Stage {
    pub(crate) fn start() -> Self {
        let network = Network::start(|| {
            nft(REJECTING);
            // By default the kernel sends one host no more than one error a second, over IPv6 ten.
            for limit in ["ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"] {
                fs::write(format!("/proc/sys/net/{limit}"), "0").expect("root may set it");
            }
            Servers::start(Arc::new(Ca::new()))
        });
        // Without a word on the source it could be any world's.
        ip("route change default dev up0 src 192.0.2.1");
        ip("-6 route change default dev up0 src 2001:db8::1");
        Self { network, making: Mutex::default(), worlds: Cell::new(0), addresses: Cell::new(0) }
    }

    /// Connects in a world that is made for it, with a connector that knows nothing yet.
    pub(crate) async fn play(&self, world: &World) -> Played {
        let making = self.making.lock().await;
        self.worlds.set(self.worlds.get() + 1);
        let number = self.worlds.get();
        let host = format!("world{number}.{DOMAIN}");
        let addresses: BTreeMap<_, _> = world.places().map(|place| (place, self.address(place, world))).collect();
        let own_side = world.change.map(|change| OwnSide::new(change, number, &addresses));
        if let Some(own_side) = own_side.clone() {
            spawn_blocking(move || own_side.prepare()).await.expect("`ip` takes it");
        }
        self.answer(&host, world, &addresses);
        for (place, addr) in &addresses {
            self.set(*addr, at_first(world.site(*place)));
        }

        let mut connector = connector();
        let (scheme, port) = if world.https.is_some() { ("https", 443) } else { ("http", 80) };
        let uri = format!("{scheme}://{host}/").parse().expect("a URI");
        let (stood, start) = (now(), Instant::now());
        // A task of its own, as it would be in a client.
        let connecting = tokio::spawn(async move { connector.call(uri).await });
        drop(making);
        let changed = Cell::new(None);
        let happening = self.happen(start, world, &addresses, own_side, &changed);
        let result = tokio::select! {
            result = connecting => result.expect("the connector does not panic"),
            never = happening => match never {},
        };
        let took = start.elapsed();
        // It takes several processes.
        let changes_late = |change: Change| changed.get().unwrap_or(took) > ms(change.at + CHANGE_LATE);
        let is_disturbed = world.change.is_some_and(changes_late) || standstill::happened(stood, now()).await;
        Played { took, result, port, addresses, is_disturbed }
    }

    /// A new address for a place.
    fn address(&self, place: Place, world: &World) -> IpAddr {
        self.addresses.set(self.addresses.get() + 1);
        let number = self.addresses.get();
        assert!(number < PART, "so many worlds take more addresses than there are");
        let part = match world.site(place) {
            Site::Refused { .. } => REFUSED,
            Site::Unreachable { .. } => UNREACHABLE,
            _ => 0,
        };
        let [high, low] = (part + number).to_be_bytes();
        match place.family {
            Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0x80, 0, 0, 0, 0, part + number).into(),
            Family::V4 => Ipv4Addr::new(198, 18, high, low).into(),
        }
    }

    fn answer(&self, host: &str, world: &World, addresses: &BTreeMap<Place, IpAddr>) {
        let of = |family| world.places_of(family).map(|place| RData::from(addresses[&place])).collect::<Vec<_>>();
        let https = vec![HttpsRecord::new(1, ".").into()];
        let lookups = [
            (RecordType::HTTPS, world.https, https),
            (RecordType::AAAA, Some(world.aaaa), of(Family::V6)),
            (RecordType::A, Some(world.a), of(Family::V4)),
        ];
        for (kind, lookup, records) in lookups {
            if let Some(lookup) = lookup {
                self.network.servers.dns.set(host, kind, reply(lookup, records));
            }
        }
    }

    fn set(&self, addr: IpAddr, fate: Fate) {
        self.network.relay.set(addr, Direction::ToServer, fate);
    }

    /// What happens while the connect is under way. It has no end.
    async fn happen(
        &self,
        start: Instant,
        world: &World,
        addresses: &BTreeMap<Place, IpAddr>,
        own_side: Option<OwnSide>,
        changed: &Cell<Option<Duration>>,
    ) -> Infallible {
        let sites = addresses.iter().filter_map(|(place, addr)| {
            let (time, fate) = later(world.site(*place))?;
            Some(async move {
                sleep_until((start + ms(time)).into()).await;
                self.set(*addr, fate);
            })
        });
        let own_side = async {
            if let Some(own_side) = own_side {
                sleep_until((start + ms(own_side.change.at)).into()).await;
                spawn_blocking(move || own_side.change()).await.expect("`ip` takes it");
                changed.set(Some(start.elapsed()));
            }
        };
        join(join_all(sites), own_side).await;
        pending().await
    }
}

fn connector() -> HappyEyeballsConnector {
    let mut resolver = HickoryResolver::with_name_servers([SocketAddr::new(parse(NAME_SERVER), 53)]);
    // It is the race that gives up first: one try of three takes as long.
    resolver.set_timeout(3 * ms(DNS_TIMEOUT));
    let mut config = Config::default();
    config.dns_timeout(Some(ms(DNS_TIMEOUT))).connect_timeout(Some(ms(CONNECT_TIMEOUT)));
    let builder = HappyEyeballsConnector::builder().resolver(resolver).config(config);
    // The race is the same, and `https` has its records.
    builder.plaintext().build().expect("nothing is missing")
}

fn reply(lookup: Lookup, records: Vec<RData>) -> Reply {
    let reply = match lookup.fate {
        LookupFate::Answered => Reply::records(records),
        LookupFate::AnsweredAgain => Reply::records(records).dropping(1),
        LookupFate::Truncated => padded(Reply::records(records)),
        LookupFate::NoData => Reply::no_data(),
        LookupFate::NxDomain => Reply::nx_domain(),
        LookupFate::ServFail => Reply::serv_fail(),
        LookupFate::Refused => Reply::refused(),
        LookupFate::Silent => Reply::never(),
    };
    reply.after(ms(lookup.after))
}

/// With more records of another name than fit into a datagram.
fn padded(reply: Reply) -> Reply {
    let addrs = (0..u8::MAX).map(|last| RData::A(Ipv4Addr::new(192, 0, 2, last).into()));
    addrs.fold(reply, |reply, addr| reply.with(&format!("padding.{DOMAIN}"), addr))
}

fn at_first(site: Site) -> Fate {
    match site {
        Site::Up { rtt } | Site::Refused { rtt } | Site::Unreachable { rtt } | Site::DeadFrom { rtt, .. } => {
            Fate::Delayed(ms(rtt))
        }
        Site::LosesSyn { rtt } => Fate::FirstDropped(ms(rtt)),
        Site::Silent | Site::DeadUntil { .. } => Fate::Dropped,
    }
}

fn later(site: Site) -> Option<(u64, Fate)> {
    match site {
        Site::DeadUntil { time, rtt } => Some((time, Fate::Delayed(ms(rtt)))),
        Site::DeadFrom { time, .. } => Some((time, Fate::Dropped)),
        _ => None,
    }
}

/// What changes on the side of the client: its way to some addresses.
#[derive(Clone)]
struct OwnSide {
    change: Change,
    /// An address of the client's that no other world has.
    own: IpAddr,
    addresses: Vec<IpAddr>,
}

impl OwnSide {
    fn new(change: Change, world: u16, addresses: &BTreeMap<Place, IpAddr>) -> Self {
        let [high, low] = world.to_be_bytes();
        let own = match change.family {
            Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, world).into(),
            Family::V4 => Ipv4Addr::new(10, 0, high, low).into(),
        };
        let of_family = addresses.iter().filter(|(place, _)| place.family == change.family);
        Self { change, own, addresses: of_family.map(|(_, addr)| *addr).collect() }
    }

    fn prepare(&self) {
        match self.change.what {
            What::RouteComes | What::AddressComes => self.routes("add unreachable", LAST),
            What::RouteGoes => {}
            What::AddressGoes => self.add_address(),
        }
    }

    fn change(&self) {
        match self.change.what {
            What::RouteComes => self.routes("del unreachable", LAST),
            What::RouteGoes => self.routes("add unreachable", LAST),
            What::AddressComes => {
                self.add_address();
                self.routes("del unreachable", LAST);
            }
            What::AddressGoes => {
                self.routes("del", FIRST);
                ip(&format!("address del {} dev up0", self.own));
            }
        }
    }

    /// An address, from which the world's are reached.
    fn add_address(&self) {
        add_address(&format!("{}/{}", self.own, if self.own.is_ipv6() { 128 } else { 32 }), "up0");
        self.routes("add", &format!("dev up0 {FIRST} src {}", self.own));
    }

    fn routes(&self, verb: &str, way: &str) {
        let routes = self.addresses.iter().map(|addr| format!("route {verb} {addr} {way}\n"));
        ip_batch(&routes.collect::<String>());
    }
}
