//! Real DNS: the server runs in this process, in a runtime of its own. The clock is never paused here.

mod https;
mod malformed;
mod mdns;
mod replies;
mod server;
mod servers;
pub(super) mod vectors;

use std::error::Error as StdError;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;

use hickory_resolver::proto::op::{Message, Query};
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use hickory_resolver::Hosts;
use hickory_resolver::config::ResolverConfig;

use self::server::{Reply, Server, respond};
use super::setup::{Dns, Watched};
use super::*;
use crate::resolve::Lookups;

const HOST: &str = "example.com.";
const LONG: Duration = Duration::from_secs(10);
/// What a lookup on loopback takes at most; one try of a `LONG` one would be far beyond it.
const AT_ONCE: Duration = Duration::from_secs(2);

fn expires_in(expires: Option<Instant>) -> Duration {
    expires.expect("an expiry").saturating_duration_since(Instant::now())
}

/// Proves: DNS-6
#[tokio::test]
async fn neither_family_waits_for_the_other() {
    for slow in [RecordType::A, RecordType::AAAA] {
        let gate = Arc::new(Semaphore::new(0));
        let opened = gate.clone();
        let server = Server::start_async(move |query, _| {
            let gate = gate.clone();
            Box::pin(async move {
                if query.query_type() == slow {
                    let _ = gate.acquire().await;
                }
                Some(Reply::addresses(&query, 2))
            })
        });
        let resolver = server.resolver(LONG);
        let (first, second) =
            if slow == RecordType::A { (QueryKind::A, QueryKind::Aaaa) } else { (QueryKind::Aaaa, QueryKind::A) };
        let waiting = tokio::spawn(resolver.resolve(HOST, first));
        let answer = resolver.resolve(HOST, second).await.unwrap();
        assert_eq!(answer.addresses.len(), 2);
        assert_eq!(answer.addresses[0].is_ipv4(), second == QueryKind::A);
        assert!(expires_in(answer.expires) > Duration::from_secs(50));
        assert!(!waiting.is_finished());
        opened.add_permits(100);
        assert_eq!(waiting.await.unwrap().unwrap().addresses[0].is_ipv4(), first == QueryKind::A);
    }
}

/// Proves: DNS-14
#[tokio::test]
async fn failures_keep_their_kinds() {
    let server = Server::start(|query, _| {
        Some(match &query.name().to_ascii()[..2] {
            "nx" => Reply { negative_ttl: Some(30), ..Reply::code(ResponseCode::NXDomain) },
            "no" => Reply { negative_ttl: Some(1_000_000), ..Reply::code(ResponseCode::NoError) },
            "bo" => Reply::code(ResponseCode::NoError),
            "se" => Reply::code(ResponseCode::ServFail),
            "re" => Reply::code(ResponseCode::Refused),
            _ => Reply::code(ResponseCode::FormErr),
        })
    });
    let resolver = server.resolver(LONG);
    let failed = async |host: &str| resolver.resolve(host, QueryKind::Aaaa).await.unwrap_err();

    let error = failed("nxdomain.").await;
    assert_eq!(error.kind(), ResolveErrorKind::NxDomain);
    assert!((Duration::from_secs(20)..=Duration::from_secs(30)).contains(&expires_in(error.expires)));
    let error = failed("nodata.").await;
    assert_eq!(error.kind(), ResolveErrorKind::NoData);
    let most = Config::MAX_NEGATIVE_TTL;
    assert!((most - LONG..=most).contains(&expires_in(error.expires)));
    for (host, kind) in [
        ("servfail.", ResolveErrorKind::ServFail),
        ("refused.", ResolveErrorKind::Refused),
        ("formerr.", ResolveErrorKind::Refused),
    ] {
        let error = failed(host).await;
        assert_eq!(error.kind(), kind, "{host}");
        assert!((Duration::from_secs(3)..=Duration::from_secs(5)).contains(&expires_in(error.expires)), "{host}");
        assert!(error.source().is_some());
    }
    // Without a SOA record a negative answer is not kept (RFC 2308 section 5).
    let error = failed("bo.").await;
    assert_eq!((error.kind(), error.expires), (ResolveErrorKind::NoData, None));
}

/// Proves: DNS-14
#[tokio::test]
async fn a_chain_of_aliases_lives_as_long_as_its_shortest_link() {
    let server = Server::start(|query, _| {
        let target = Name::from_ascii("target.example.").unwrap();
        let mut reply = Reply::addresses(&Query::query(target.clone(), query.query_type()), 1);
        reply.answers.insert(0, Record::from_rdata(query.name().clone(), 5, RData::CNAME(CNAME(target))));
        Some(reply)
    });
    let answer = server.resolver(LONG).resolve(HOST, QueryKind::A).await.unwrap();
    assert_eq!(answer.addresses, ["192.0.2.1:0".parse().unwrap()]);
    assert!(expires_in(answer.expires) <= Duration::from_secs(5));
}

#[tokio::test]
async fn a_silent_server_ends_as_a_timeout() {
    let server = Server::start(|_, _| None);
    let start = Instant::now();
    let error = server.resolver(Duration::from_millis(300)).resolve(HOST, QueryKind::A).await.unwrap_err();
    assert_eq!(error.kind(), ResolveErrorKind::Timeout);
    let elapsed = start.elapsed();
    assert!((Duration::from_millis(290)..Duration::from_secs(4)).contains(&elapsed), "{elapsed:?}");
}

#[tokio::test]
async fn a_lost_packet_costs_at_most_a_third_of_the_time() {
    let server = Server::start(|query, number| (number > 0).then(|| Reply::addresses(&query, 1)));
    let start = Instant::now();
    server.resolver(Duration::from_secs(6)).resolve(HOST, QueryKind::A).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

/// hickory sends a query again within a try, but only so often: all three packets of a whole one may be lost.
#[tokio::test]
async fn a_lost_try_leaves_time_for_the_next() {
    let server = Server::start(|query, number| (number >= 3).then(|| Reply::addresses(&query, 1)));
    server.resolver(Duration::from_secs(6)).resolve(HOST, QueryKind::A).await.unwrap();
}

/// Proves: DNS-14
#[tokio::test]
async fn a_kilobyte_needs_no_tcp_and_more_goes_there() {
    let server = Server::start(|query, _| {
        let count = if query.name().to_ascii().starts_with("big") { 200 } else { 62 };
        Some(Reply::addresses(&query, count))
    });
    let resolver = server.resolver(LONG);
    assert_eq!(resolver.resolve(HOST, QueryKind::A).await.unwrap().addresses.len(), 62);
    assert_eq!(server.queries(), (1, 0));
    assert_eq!(resolver.resolve("big.", QueryKind::A).await.unwrap().addresses.len(), 200);
    assert_eq!(server.queries(), (2, 1));
}

#[tokio::test]
async fn a_kept_answer_sends_no_packet() {
    let server = Server::start(|query, _| {
        Some(match query.query_type() {
            RecordType::A => Reply::addresses(&query, 1),
            _ => Reply { negative_ttl: Some(60), ..Reply::code(ResponseCode::NoError) },
        })
    });
    let lookups = Lookups::new(Arc::new(server.resolver(LONG)));
    for host in [HOST, "EXAMPLE.com."].map(Arc::from) {
        lookups.lookup(&host, QueryKind::A, Duration::ZERO).await.unwrap();
        let error = lookups.lookup(&host, QueryKind::Aaaa, Duration::ZERO).await.unwrap_err();
        assert_eq!(error.kind(), ResolveErrorKind::NoData);
    }
    assert_eq!(server.queries(), (2, 0));
}

#[test]
fn one_resolver_serves_runtimes_that_end_or_stand_still() {
    let server = Server::start(|query, _| Some(Reply::addresses(&query, 1)));
    let resolver = server.resolver(LONG);
    let dropped = current_thread();
    dropped.block_on(resolver.resolve(HOST, QueryKind::A)).unwrap();
    drop(dropped);
    let parked = current_thread();
    parked.block_on(resolver.resolve(HOST, QueryKind::A)).unwrap();

    let (sender, receiver) = mpsc::channel();
    let other = resolver.clone();
    let thread = thread::spawn(move || {
        for _ in 0..2 * Config::MAX_DNS_RUNTIMES {
            current_thread().block_on(other.resolve(HOST, QueryKind::A)).unwrap();
        }
        sender.send(()).unwrap();
    });
    receiver.recv_timeout(LONG).expect("other runtimes must not wait for the parked one");
    thread.join().unwrap();
    assert_eq!(resolver.shared.clients.lock().unwrap().len(), Config::MAX_DNS_RUNTIMES);
    parked.block_on(resolver.resolve(HOST, QueryKind::A)).unwrap();
}

#[tokio::test]
async fn a_dropped_lookup_leaves_the_next_one_unharmed() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let server = Server::start_async(move |query, _| {
        let gate = gate.clone();
        Box::pin(async move {
            let _permit = gate.acquire().await;
            Some(Reply::addresses(&query, 1))
        })
    });
    let resolver = server.resolver(LONG);
    let asked = async {
        while server.queries().0 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        answer = resolver.resolve(HOST, QueryKind::A) => panic!("{answer:?}"),
        () = asked => {}
    }
    opened.add_permits(1);
    assert!(resolver.resolve(HOST, QueryKind::A).await.is_ok());
}

#[tokio::test]
async fn families_are_not_asked_for_together() {
    let server = Server::start(|query, _| Some(Reply::addresses(&query, 1)));
    let error = server.resolver(LONG).resolve(HOST, QueryKind::Addresses).await.unwrap_err();
    assert_eq!(error.kind(), ResolveErrorKind::Other);
    assert_eq!(server.queries(), (0, 0));
}

#[tokio::test]
async fn without_a_configuration_only_names_that_need_none_resolve() {
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let still_broken = broken.clone();
    let hosts = Watched::new(None, || {
        let mut hosts = Hosts::default();
        hosts.read_hosts_conf(&b"192.0.2.7 printer"[..]).unwrap();
        Ok(hosts)
    });
    let dns = Watched::new(None, move || {
        if still_broken.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::NotFound).into());
        }
        let search = vec![Name::from_ascii("lan").unwrap()];
        Ok(Dns::new(ResolverConfig::from_parts(None, search, Vec::new()), 1))
    });
    let resolver = HickoryResolver::from_setup(Setup::new(hosts, dns));
    assert_eq!(resolver.names("printer").unwrap(), Names::Fixed(vec!["192.0.2.7:0".parse().unwrap()]));
    assert!(matches!(resolver.names("localhost"), Ok(Names::Fixed(_))));
    for error in [resolver.names("example.com").unwrap_err(), resolver.resolve(HOST, QueryKind::A).await.unwrap_err()] {
        assert_eq!(error.kind(), ResolveErrorKind::Other);
        let text = error.to_string();
        assert!(text.starts_with("the system's DNS configuration could not be read: "), "{text}");
        assert!(text.contains("not found"), "{text}");
    }
    broken.store(false, Ordering::SeqCst);
    assert_eq!(resolver.names("db").unwrap(), Names::Ask(vec!["db.lan.".into(), "db.".into()]));
}

fn current_thread() -> runtime::Runtime {
    runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn resolver_of<'a>(servers: impl IntoIterator<Item = &'a Server>) -> HickoryResolver {
    HickoryResolver::with_name_servers(servers.into_iter().map(|server| server.addr))
}
