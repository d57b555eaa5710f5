//! What most tests have in their namespace: an uplink, a name server, servers, and the connector.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::resolve::HickoryResolver;
use hyper_happy_eyeballs::{Builder, Config, Error, HappyEyeballsConnector, MaybeHttpsStream};
use tokio::net::TcpListener;
use tower_service::Service;

use crate::capture::Packet;
use crate::lab::{Behaviour, Ca, Certificate, Dns, Reply, Server};
use crate::namespace::{add_address, ip, silent_device};

pub(crate) const HOST: &str = "www.lab.test";
/// Every server here listens on it.
pub(crate) const PORT: u16 = 8080;

/// Addresses behind the uplink, where nothing answers.
pub(crate) const SILENT_V6: [&str; 3] = ["2001:db8:dead::a", "2001:db8:dead::b", "2001:db8:dead::c"];
pub(crate) const SILENT_V4: [&str; 2] = ["198.51.100.1", "198.51.100.2"];
/// Addresses of this host, for servers.
pub(crate) const LOCAL_V6: &str = "2001:db8:1::80";
pub(crate) const LOCAL_V4: &str = "192.0.2.80";

/// How far a time may be off; most of it is the scheduler's.
pub(crate) const TOLERANCE: Duration = Duration::from_millis(30);

/// An uplink with both families and default routes, into which packets vanish, and both local addresses.
pub(crate) fn dual_stack() {
    silent_device("up0");
    add_address("192.0.2.1/24", "up0");
    add_address("2001:db8::1/64", "up0");
    ip("route add default dev up0");
    ip("-6 route add default dev up0");
    add_address(&format!("{LOCAL_V4}/32"), "lo");
    add_address(&format!("{LOCAL_V6}/128"), "lo");
}

/// An uplink with IPv4, on which IPv6 has no more than the link-local address that every device has.
pub(crate) fn ipv4_only() {
    silent_device("up0");
    add_address("192.0.2.1/24", "up0");
    ip("route add default dev up0");
    add_address(&format!("{LOCAL_V4}/32"), "lo");
}

/// A name server on loopback that knows `HOST` under these addresses, in this order.
pub(crate) async fn dns(addrs: &[&str]) -> Dns {
    let dns = Dns::start().await.expect("a name server");
    set_host(&dns, HOST, addrs);
    dns
}

pub(crate) fn set_host(dns: &Dns, host: &str, addrs: &[&str]) {
    let (v4, v6): (Vec<_>, Vec<_>) = addrs.iter().map(|addr| parse(addr)).partition(IpAddr::is_ipv4);
    let v4 = v4.into_iter().filter_map(|addr| match addr {
        IpAddr::V4(addr) => Some(addr),
        IpAddr::V6(_) => None,
    });
    let v6 = v6.into_iter().filter_map(|addr| match addr {
        IpAddr::V4(_) => None,
        IpAddr::V6(addr) => Some(addr),
    });
    dns.set(host, RecordType::A, Reply::a(v4));
    dns.set(host, RecordType::AAAA, Reply::aaaa(v6));
}

/// An HTTP server on a local address.
pub(crate) async fn http_server(addr: &str) -> Server {
    let listener = TcpListener::bind((parse(addr), PORT)).await.expect("a port");
    Server::start(listener, None, Behaviour::Serve).expect("a server")
}

/// An HTTPS server on a local address.
pub(crate) async fn https_server(ca: &Ca, addr: &str, behaviour: Behaviour) -> Server {
    let listener = TcpListener::bind((parse(addr), PORT)).await.expect("a port");
    let tls = ca.server_config(HOST, Certificate::Good);
    Server::start(listener, Some(Arc::new(tls)), behaviour).expect("a server")
}

/// A connector for plain TCP that asks `dns`.
pub(crate) fn connector(dns: &Dns, config: Config) -> HappyEyeballsConnector {
    builder(dns).config(config).plaintext().build().expect("nothing is missing")
}

pub(crate) fn builder(dns: &Dns) -> Builder {
    HappyEyeballsConnector::builder().resolver(HickoryResolver::with_name_servers([dns.addr()]))
}

/// Connects to `HOST` by HTTP.
pub(crate) async fn connect(connector: &mut HappyEyeballsConnector) -> Result<MaybeHttpsStream, Error> {
    get(connector, &format!("http://{HOST}:{PORT}/")).await
}

pub(crate) async fn get(connector: &mut HappyEyeballsConnector, uri: &str) -> Result<MaybeHttpsStream, Error> {
    connector.call(uri.parse().expect("a URI")).await
}

/// The settings with a `connect_timeout` of so many milliseconds.
pub(crate) fn giving_up_after(milliseconds: u64) -> Config {
    let mut config = Config::default();
    config.connect_timeout(Some(Duration::from_millis(milliseconds)));
    config
}

/// The address that a connection goes to.
pub(crate) fn peer(stream: &MaybeHttpsStream) -> IpAddr {
    stream.tcp_stream().peer_addr().expect("it is connected").ip()
}

pub(crate) fn parse(addr: &str) -> IpAddr {
    addr.parse().expect("an address")
}

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Asserts that exactly these addresses were tried, in this order and at these times from the first, and says what
/// was measured.
#[track_caller]
pub(crate) fn assert_starts(starts: &[Packet], expected: &[(&str, u64)]) {
    let first = starts.first().expect("a SYN").at;
    let measured: Vec<_> = starts.iter().map(|syn| (syn.to.ip().to_string(), syn.at - first)).collect();
    println!("starts: {measured:?}");
    assert_eq!(starts.len(), expected.len(), "expected {expected:?}");
    for (start, (addr, at)) in starts.iter().zip(expected) {
        assert_eq!(start.to, SocketAddr::new(parse(addr), PORT));
        assert_close(start.at - first, ms(*at));
    }
}

/// Asserts that `measured` is `expected` within the tolerance.
#[track_caller]
pub(crate) fn assert_close(measured: Duration, expected: Duration) {
    assert!(measured.abs_diff(expected) <= TOLERANCE, "{measured:?} where {expected:?} is expected");
}
