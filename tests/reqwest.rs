//! reqwest with the DNS of this crate.

mod host;
mod lab;
mod support;

use std::error::Error as StdError;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::reqwest::Dns;
use hyper_happy_eyeballs::resolve::{Answer, Kinds, QueryKind};
use hyper_happy_eyeballs::{AddressPolicy, Config, Ech, Error, HappyEyeballsConnector, PolicyTable};
use reqwest::Client;
use reqwest::dns::Resolve;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use host::{HOST, HTTP, Host, V4, assert_untouched, config};
use lab::{Behaviour, Loopback, Reply, Site};
use support::{Script, chain, connect};

/// Far beyond the Resolution Delay, and below every timeout.
const SOON: Duration = Duration::from_secs(3);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn dns(host: &Host, config: Config) -> Dns {
    host.configured(config).into()
}

fn client(dns: Dns) -> Client {
    Client::builder().dns_resolver(dns).build().unwrap()
}

/// What reqwest is given for `name`.
async fn addresses(dns: &Dns, name: &str) -> Result<Vec<SocketAddr>, Box<dyn StdError + Send + Sync>> {
    let resolving = dns.resolve(name.parse().unwrap());
    timeout(SOON, resolving).await.expect("no answer is waited for that long").map(Iterator::collect)
}

fn of_any_port(ips: impl IntoIterator<Item = IpAddr>) -> Vec<SocketAddr> {
    ips.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect()
}

/// IPv4 before IPv6: which goes first hangs on whether this host has ::1.
fn sorted(mut addrs: Vec<SocketAddr>) -> Vec<SocketAddr> {
    addrs.sort();
    addrs
}

/// The error of this crate among the causes of another.
fn cause<'a>(error: &'a (dyn StdError + 'static)) -> &'a Error {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.find_map(|error| error.downcast_ref()).unwrap_or_else(|| panic!("{}", chain(error)))
}

#[tokio::test]
async fn a_client_fetches_and_the_cache_answers_the_next() {
    let host = Host::with(HTTP).await;
    let dns = dns(&host, config());
    for _ in 0..2 {
        let response = client(dns.clone()).get(host.uri("http")).send().await.unwrap();
        assert_eq!(response.remote_addr(), Some(host.addr(V4[0])));
        assert_eq!(response.text().await.unwrap(), format!("{}\n", host.addr(V4[0])));
    }
    let mut asked: Vec<_> = host.dns.log().iter().map(|query| query.kind).collect();
    asked.sort();
    assert_eq!(asked, [RecordType::A, RecordType::AAAA], "HTTPS records are of no use");
}

#[tokio::test]
async fn a_family_that_is_never_answered_costs_the_resolution_delay() {
    let mut cases = vec![(RecordType::AAAA, V4[0])];
    // What has no route is not all that there may be.
    if Loopback::detect().await == Loopback::Both {
        cases.push((RecordType::A, V6));
    }
    for (silent, left) in cases {
        let host = Host::open([(V4[0], Site::Refused)]).await;
        host.dns.set(HOST, RecordType::AAAA, Reply::aaaa([Ipv6Addr::LOCALHOST]));
        host.dns.set(HOST, silent, Reply::never());
        let start = Instant::now();
        assert_eq!(addresses(&dns(&host, config()), HOST).await.unwrap(), of_any_port([left]));
        assert!(start.elapsed() >= Duration::from_millis(50), "{silent}: {:?}", start.elapsed());
    }
}

/// A connect need not wait for A once there is AAAA. A list does: it is all that reqwest will try.
#[tokio::test]
async fn both_families_are_listed_whichever_comes_first() {
    for late in [RecordType::A, RecordType::AAAA] {
        let host = Host::open([(V4[0], Site::Refused)]).await;
        let aaaa = Reply::aaaa([Ipv6Addr::LOCALHOST]);
        let late_reply = if late == RecordType::A { Reply::a([[127, 0, 0, 8].into()]) } else { aaaa.clone() };
        host.dns.set(HOST, RecordType::AAAA, aaaa);
        host.dns.set(HOST, late, late_reply.after(Duration::from_millis(200)));
        let mut config = config();
        config.resolution_delay(2 * SOON);
        let listed = addresses(&dns(&host, config), HOST).await.unwrap();
        assert_eq!(sorted(listed), of_any_port([V4[0], V6]), "{late} late");
    }
}

#[tokio::test]
async fn what_comes_too_late_serves_the_next() {
    let late = Arc::new(Semaphore::new(0));
    let gate = late.clone();
    let script = Script::new(Kinds::PerFamily, move |_, kind| {
        let gate = gate.clone();
        Box::pin(async move {
            if kind == QueryKind::A {
                return Ok(Answer::from_socket_addrs(of_any_port([V4[0]])));
            }
            let _ = gate.acquire().await;
            Ok(Answer::from_socket_addrs(of_any_port([V6])))
        })
    });
    let mut config = config();
    config.dns_linger(2 * SOON);
    let connector = HappyEyeballsConnector::builder_with_resolver(script.clone()).plaintext().config(config);
    let dns = connector.build().unwrap().into();
    assert_eq!(addresses(&dns, HOST).await.unwrap(), of_any_port([V4[0]]));
    late.add_permits(1);
    assert_eq!(sorted(addresses(&dns, HOST).await.unwrap()), of_any_port([V4[0], V6]));
    assert_eq!(script.asked().iter().filter(|(_, kind)| *kind == QueryKind::Aaaa).count(), 1);
}

#[tokio::test]
async fn the_policy_table_decides_on_the_order() {
    let host = Host::open(V4.map(|ip| (ip, Site::Refused))).await;
    let listed = async |table: &str| {
        let mut config = config();
        config.policy_table(PolicyTable::from_gai_conf(table));
        addresses(&dns(&host, config), HOST).await.unwrap()
    };
    assert_eq!(listed("").await, of_any_port(V4));
    assert_eq!(listed("precedence ::ffff:127.0.0.9/128 100").await, of_any_port([V4[1], V4[0], V4[2]]));
}

#[tokio::test]
async fn getaddrinfo_keeps_its_order_and_special_names_are_not_asked_for() {
    let addrs = of_any_port([V4[1], V6, V4[0]]);
    let ordered = Script::addresses(addrs.clone());
    let connector = HappyEyeballsConnector::builder_with_resolver(ordered).plaintext().build().unwrap();
    assert_eq!(addresses(&connector.into(), HOST).await.unwrap()[0], addrs[0]);

    let nobody = Script::new(Kinds::PerFamily, |name, _| panic!("{name} was asked for"));
    let connector = HappyEyeballsConnector::builder_with_resolver(nobody).plaintext().resolve(HOST, addrs.clone());
    assert_eq!(addresses(&connector.build().unwrap().into(), HOST).await.unwrap()[0], addrs[0]);

    let host = Host::open([]).await;
    let dns = dns(&host, config());
    assert!(addresses(&dns, "localhost").await.unwrap().contains(&SocketAddr::from(([127, 0, 0, 1], 0))));
    assert!(host.dns.log().is_empty());
}

#[tokio::test]
async fn an_override_keeps_its_port() {
    let host = Host::with(HTTP).await;
    let connector = host.builder().resolve("elsewhere.test", [host.addr(V4[0])]).build().unwrap();
    let response = client(connector.into()).get("http://elsewhere.test/").send().await.unwrap();
    assert_eq!(response.remote_addr(), Some(host.addr(V4[0])));
}

#[tokio::test]
async fn what_a_connector_found_silent_goes_last() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], HTTP), (V4[2], Site::Refused)]).await;
    let listed = V4.map(|ip| host.addr(ip));
    let connector = host.builder().resolve(HOST, listed).build().unwrap();
    let dns = Dns::from(connector.clone());
    assert_eq!(addresses(&dns, HOST).await.unwrap(), listed);
    connect(&connector, &format!("http://{HOST}/")).await.unwrap();
    assert_eq!(addresses(&dns, HOST).await.unwrap(), [listed[1], listed[2], listed[0]]);
}

#[tokio::test]
async fn a_denied_address_is_left_out() {
    let host = Host::open([(V4[0], HTTP), (V4[1], HTTP)]).await;
    let mut config = config();
    config.address_policy(AddressPolicy::deny(["127.0.0.8/32".parse().unwrap()]));
    let response = client(dns(&host, config)).get(host.uri("http")).send().await.unwrap();
    assert_eq!(response.remote_addr(), Some(host.addr(V4[1])));
    assert_untouched(host.server()).await;
}

#[tokio::test]
async fn where_all_is_denied_the_error_says_so() {
    let host = Host::with(HTTP).await;
    let mut config = config();
    config.address_policy(AddressPolicy::public_only());
    let error = client(dns(&host, config)).get(host.uri("http")).send().await.unwrap_err();
    assert!(error.is_connect());
    let cause = cause(&error);
    assert!(cause.is_denied());
    assert!(cause.to_string().starts_with(&format!("every address is denied: {HOST}:443 after")), "{cause}");
    assert_untouched(host.server()).await;
}

/// What the documentation warns of. Were it not so any more, it would have to say something else.
#[tokio::test]
async fn no_policy_sees_a_literal() {
    let host = Host::with(HTTP).await;
    let mut config = config();
    config.address_policy(AddressPolicy::public_only());
    let uri = format!("http://{}/", host.addr(V4[0]));
    assert!(client(dns(&host, config)).get(uri).send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_dns_error() {
    let host = Host::with(HTTP).await;
    let error = client(dns(&host, config())).get("http://nowhere.test/").send().await.unwrap_err();
    assert!(cause(&error).is_dns(), "{}", chain(&error));
}

#[tokio::test]
async fn what_is_no_name_is_an_error() {
    let host = Host::with(HTTP).await;
    let dns = dns(&host, config());
    for name in ["", "user@www.lab.test", "www.lab.test:80", "www.lab.test/", "::1", "a..b", "a b"] {
        let error = addresses(&dns, name).await.unwrap_err();
        assert!(cause(&*error).is_invalid_uri(), "{name:?}: {error}");
    }
    assert!(host.dns.log().is_empty());
}

#[tokio::test]
async fn schemes_and_tls_of_the_connector_are_of_no_matter() {
    let host = Host::with(HTTP).await;
    let addr = host.addr(V4[0]);
    // No name for a certificate.
    let name = "-.lab.test";
    let builder = host.builder().resolve(name, [addr]);
    let mut only_http = builder.clone().build().unwrap();
    only_http.enforce_http(true);
    for connector in [only_http, builder.https_only().build().unwrap()] {
        assert_eq!(addresses(&connector.into(), name).await.unwrap(), [addr]);
    }
}

/// reqwest would connect without it.
#[tokio::test]
async fn who_requires_ech_has_no_addresses_for_reqwest() {
    let host = Host::with(HTTP).await;
    let mut config = config();
    config.ech(Ech::Required);
    let error = addresses(&dns(&host, config), HOST).await.unwrap_err();
    assert!(error.to_string().starts_with("ECH is required"), "{error}");
}

/// A list attempts nothing, and so needs no permit.
#[tokio::test]
async fn a_list_waits_for_no_attempt() {
    let host = Host::open([(V4[0], Site::Http(Behaviour::Stall)), (V4[1], Site::Silent)]).await;
    let mut connector = host.connector();
    connector.set_max_attempts_in_flight(Some(1));
    let uri = format!("http://{}/", host.addr(V4[1]));
    let mut silent = pin!(connect(&connector, &uri));
    let begun = poll_fn(|cx| Poll::Ready(silent.as_mut().poll(cx).is_pending())).await;
    assert!(begun, "it holds the permit");
    assert_eq!(addresses(&Dns::from(connector.clone()), HOST).await.unwrap().len(), 2);
}
