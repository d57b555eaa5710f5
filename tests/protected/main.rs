//! DNS over TLS (RFC 7858) and over HTTPS (RFC 8484): what a connect does with answers that nobody can change.

mod front;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_server::net::xfer::Protocol;
use hickory_server::proto::rr::rdata::NULL;
use hickory_server::proto::rr::{RData, RecordType};
use http::{StatusCode, Uri};
use hyper_happy_eyeballs::resolve::{HickoryResolver, QueryKind, Resolve};
use hyper_happy_eyeballs::{Config, Error, HappyEyeballsConnector, MaybeHttpsStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::front::{BOTH, Front, Manner, NAME, PATH, Transport};
use self::host::{HOST, HTTP, HTTPS, Host, V4, config};
use self::lab::{Certificate, HttpsRecord, Reply, Site, Sites};
use self::support::connect;

#[path = "../host/mod.rs"]
mod host;
#[path = "../lab/mod.rs"]
mod lab;
#[path = "../support/mod.rs"]
mod support;

/// Longer than anything takes here that does not wait for a timer.
const LONG: Duration = Duration::from_secs(2);

fn resolver(host: &Host, front: &Front, transport: Transport) -> HickoryResolver {
    let tls = host.ca.client_config(&["h2", "http/1.1"]);
    match transport {
        Transport::Tls => HickoryResolver::over_tls([(front.addr(), NAME.try_into().unwrap())], tls),
        Transport::Https => {
            let uri = format!("https://{NAME}{PATH}").parse().unwrap();
            HickoryResolver::over_https([(front.addr(), uri)], tls)
        }
    }
}

fn connector(host: &Host, resolver: HickoryResolver) -> HappyEyeballsConnector {
    let mut config = config();
    config.resolution_delay(LONG);
    host.builder().resolver(resolver).config(config).build().expect("TLS is chosen")
}

/// Starts with the first address.
fn impatient(host: &Host, resolver: HickoryResolver) -> HappyEyeballsConnector {
    let mut config = config();
    config.resolution_delay(Duration::from_millis(1));
    host.builder().resolver(resolver).config(config).build().expect("TLS is chosen")
}

fn publish(host: &Host, reply: Reply) {
    host.dns.set(&host.https_name(), RecordType::HTTPS, reply);
}

/// Connects, and has the reply about the records come once TCP is up.
async fn connect_before(
    reply: Reply,
    host: &Host,
    connector: &HappyEyeballsConnector,
    scheme: &str,
) -> Result<MaybeHttpsStream, Error> {
    let gate = Arc::new(Semaphore::new(0));
    publish(host, reply.behind(&gate));
    let uri = host.uri(scheme);
    let mut connecting = pin!(connect(connector, &uri));
    tokio::select! {
        _ = &mut connecting => panic!("it was to wait for the records"),
        () = host.server().until(|connections| !connections.is_empty()) => {}
    }
    gate.add_permits(1);
    connecting.await
}

/// Each query on the one connection, which later ones find again; nothing goes past it.
#[tokio::test]
async fn a_connect_asks_over_one_connection_and_in_no_other_way() {
    for transport in BOTH {
        let host = Host::with(HTTPS).await;
        let front = Front::open(&host.ca, host.dns.addr(), transport).await;
        let connector = connector(&host, resolver(&host, &front, transport));
        host.dns.set("other.lab.test", RecordType::A, Reply::a([[127, 0, 0, 8].into()]));
        connect(&connector, &host.uri("https")).await.unwrap();
        // The certificate is for the other name.
        connect(&connector, &format!("https://other.lab.test:{}/", host.sites.port())).await.unwrap_err();
        let log = host.dns.log();
        assert_eq!(log.len(), 6, "{log:?}");
        assert!(log.iter().all(|query| query.transport == Protocol::Tcp), "{log:?}");
        assert_eq!(front.log().accepted, 1, "{transport:?}");
        front.assert_nothing_in_clear();
    }
}

/// Records lead on as ever.
#[tokio::test]
async fn records_lead_on() {
    for transport in BOTH {
        let host = Host::with(HTTPS).await;
        let front = Front::open(&host.ca, host.dns.addr(), transport).await;
        let target = Sites::open(&host.ca, HOST, [(V4[1], HTTPS)]).await.unwrap();
        host.dns.set("svc.lab.test", RecordType::A, Reply::a([[127, 0, 0, 9].into()]));
        publish(&host, Reply::records([HttpsRecord::new(1, "svc.lab.test").port(target.port()).hint(V4[1]).into()]));
        let stream = connect(&connector(&host, resolver(&host, &front, transport)), &host.uri("https")).await.unwrap();
        assert_eq!(stream.tcp_stream().peer_addr().unwrap().port(), target.port(), "{}", stream.report());
    }
}

/// A message with a malformed record is not lost, which on protected DNS would look like one that is withheld.
///
/// Proves: SVC-1
#[tokio::test]
async fn a_malformed_record_is_as_good_as_none() {
    for transport in BOTH {
        let host = Host::with(HTTPS).await;
        let front = Front::open(&host.ca, host.dns.addr(), transport).await;
        // Priority 2, the root, and a port of one byte.
        let rdata = NULL::with(vec![0, 2, 0, 0, 3, 0, 1, 80]);
        publish(&host, Reply::records([RData::Unknown { code: RecordType::HTTPS, rdata }]));
        let stream = connect(&connector(&host, resolver(&host, &front, transport)), &host.uri("https")).await.unwrap();
        assert!(stream.report().elapsed() < LONG, "{}", stream.report());
        assert_eq!(host.dns.asked(&host.https_name(), RecordType::HTTPS), 1);
    }
}

/// Neither a query nor a connection to the site goes past a name server that is not the one that is meant.
///
/// Proves: SVC-17
#[tokio::test]
async fn a_wrong_certificate_of_the_name_server_ends_the_connect() {
    for transport in BOTH {
        for certificate in [Certificate::Expired, Certificate::OtherName, Certificate::UnknownRoot] {
            let host = Host::with(HTTPS).await;
            let front = Front::with(&host.ca, host.dns.addr(), transport, certificate, Manner::Good).await;
            let connector = connector(&host, resolver(&host, &front, transport));
            for scheme in ["https", "http"] {
                let error = connect(&connector, &host.uri(scheme)).await.unwrap_err();
                assert_is_dns(&error);
                let message = error.to_string();
                assert!(
                    message.contains(&format!("name server {}: TLS failed: invalid peer certificate", front.addr())),
                    "{message}"
                );
            }
            assert_eq!(front.log().handshakes, 0);
            assert_eq!(host.dns.log().len(), 0);
            assert_eq!(host.server().accepted(), 0);
        }
    }
}

/// Proves: SVC-17
#[tokio::test]
async fn a_name_server_that_stalls_ends_the_connect_in_time() {
    for transport in BOTH {
        let host = Host::with(HTTPS).await;
        let front = Front::with(&host.ca, host.dns.addr(), transport, Certificate::Good, Manner::Stall).await;
        let mut resolver = resolver(&host, &front, transport);
        resolver.set_timeout(Duration::from_millis(300));
        let started = Instant::now();
        let error = connect(&connector(&host, resolver), &host.uri("https")).await.unwrap_err();
        assert_is_dns(&error);
        assert!(error.to_string().contains("no answer in time"), "{error}");
        // The connect itself would give the lookup 5 s.
        assert!(started.elapsed() < Duration::from_secs(4), "{error}");
        assert_eq!((host.dns.log().len(), host.server().accepted()), (0, 0));
    }
}

/// It says everything but where the service is.
///
/// Proves: SVC-17
#[tokio::test]
async fn a_name_server_that_leaves_the_records_out_ends_the_connect() {
    for transport in BOTH {
        let host = Host::with(HTTPS).await;
        let front = Front::open(&host.ca, host.dns.addr(), transport).await;
        publish(&host, Reply::never());
        let mut resolver = resolver(&host, &front, transport);
        resolver.set_timeout(Duration::from_millis(2400));
        let error = connect(&impatient(&host, resolver), &host.uri("https")).await.unwrap_err();
        assert_is_dns(&error);
        assert!(error.to_string().contains("no answer in time"), "{error}");
        assert!(error.report().unwrap().attempts()[0].tcp().is_some(), "{error}");
        assert_eq!(host.server().stray_bytes(), 0);
    }
}

/// Nobody waits for the handshake any more.
#[tokio::test]
async fn a_lookup_that_is_given_up_leaves_no_connection() {
    for transport in BOTH {
        let host = Host::with(HTTPS).await;
        let front = Front::with(&host.ca, host.dns.addr(), transport, Certificate::Good, Manner::Stall).await;
        let mut resolver = resolver(&host, &front, transport);
        resolver.set_timeout(Duration::from_secs(3));
        tokio::select! {
            answer = resolver.resolve(HOST, QueryKind::A) => panic!("{answer:?}"),
            () = front.until_accepted() => {}
        }
        timeout(Duration::from_secs(10), front.until_closed()).await.expect("it is closed");
    }
}

/// With the last of its clones.
#[tokio::test]
async fn a_dropped_resolver_leaves_no_connection() {
    for transport in BOTH {
        let host = Host::with(HTTPS).await;
        let front = Front::open(&host.ca, host.dns.addr(), transport).await;
        let resolver = resolver(&host, &front, transport);
        resolver.clone().resolve(HOST, QueryKind::A).await.unwrap();
        drop(resolver);
        timeout(Duration::from_secs(10), front.until_closed()).await.expect("it is closed");
    }
}

/// A server may refuse to tell of the records: that ends the connect. TCP was up, and not a byte has come to the site.
///
/// Proves: SVC-17
#[tokio::test]
async fn withheld_records_end_the_connect_before_the_hello() {
    for transport in BOTH {
        for reply in [Reply::serv_fail(), Reply::refused()] {
            let host = Host::with(HTTPS).await;
            let front = Front::open(&host.ca, host.dns.addr(), transport).await;
            let connector = impatient(&host, resolver(&host, &front, transport));
            let error = connect_before(reply, &host, &connector, "https").await.unwrap_err();
            assert_is_dns(&error);
            assert!(error.to_string().contains("HTTPS records may be withheld"), "{error}");
            assert!(error.report().unwrap().attempts()[0].tcp().is_some(), "{error}");
            host.server().until(|all| all.iter().all(|connection| connection.closed)).await;
            assert_eq!((host.server().accepted(), host.server().stray_bytes()), (1, 0));
        }
    }
}

/// The answer comes when TCP is up.
///
/// Proves: ECH-6, SVC-17
#[tokio::test]
async fn nothing_follows_tcp_before_the_answer() {
    for transport in BOTH {
        for (scheme, site) in [("https", HTTPS), ("http", HTTP)] {
            let host = Host::with(site).await;
            let front = Front::open(&host.ca, host.dns.addr(), transport).await;
            let connector = impatient(&host, resolver(&host, &front, transport));
            let stream = connect_before(Reply::no_data(), &host, &connector, scheme).await.unwrap();
            let report = stream.report();
            let answered = report.queries().iter().find(|query| query.kind() == QueryKind::Https).unwrap().end();
            let winner = report.winner().unwrap();
            assert!(winner.tcp() < answered && answered <= winner.end(), "{report}");
        }
    }
}

/// A connection that the server has closed meanwhile costs a new one, and no lookup.
#[tokio::test]
async fn a_closed_connection_is_made_again() {
    for transport in BOTH {
        let host = Host::with(HTTPS).await;
        let front = Front::open(&host.ca, host.dns.addr(), transport).await;
        let resolver = resolver(&host, &front, transport);
        for round in 1..=3 {
            for kind in [QueryKind::A, QueryKind::Https, QueryKind::Aaaa, QueryKind::A] {
                let result = resolver.resolve(HOST, kind).await;
                assert_eq!(result.is_ok(), kind == QueryKind::A, "{transport:?}: {result:?}");
                assert!(result.map_or_else(|error| error.to_string().contains("NODATA"), |_| true));
            }
            assert_eq!(front.log().accepted, round, "{transport:?}");
            front.hang_up();
        }
    }
}

/// An address after `delay`, with a timeout of [`PATIENT`], and beside it a name at once if so wanted: how long it took,
/// and how many connections there were.
async fn slow(transport: Transport, manner: Manner, delay: Duration, beside: bool) -> (Duration, usize) {
    let host = Host::with(HTTPS).await;
    let front = Front::with(&host.ca, host.dns.addr(), transport, Certificate::Good, manner).await;
    host.dns.set(HOST, RecordType::A, Reply::a([[127, 0, 0, 8].into()]).after(delay));
    host.dns.set("beside.lab.test", RecordType::A, Reply::a([[127, 0, 0, 8].into()]));
    let mut resolver = resolver(&host, &front, transport);
    resolver.set_timeout(PATIENT);
    let started = Instant::now();
    let beside = async {
        if beside {
            resolver.resolve("beside.lab.test", QueryKind::A).await.unwrap();
        }
    };
    let (answer, ()) = tokio::join!(resolver.resolve(HOST, QueryKind::A), beside);
    answer.unwrap();
    (started.elapsed(), front.log().accepted)
}

const PATIENT: Duration = Duration::from_secs(6);

/// However much of the time it takes. By then another connection has been tried, unless the first one has given a sign of
/// life.
#[tokio::test]
async fn a_slow_answer_counts() {
    let delay = PATIENT * 3 / 4;
    let cases = BOTH.map(|transport| async move {
        let alone = slow(transport, Manner::Good, delay, false);
        let beside = slow(transport, Manner::Good, delay, true);
        let ((_, alone), (_, beside)) = tokio::join!(alone, beside);
        assert_eq!((alone, beside), (2, 1), "{transport:?}");
    });
    futures_util::future::join_all(cases).await;
}

/// A server may allow no second connection.
#[tokio::test]
async fn a_slow_answer_counts_although_another_connection_fails() {
    let cases = BOTH.map(|transport| slow(transport, Manner::OnlyFirst, PATIENT / 2, false));
    futures_util::future::join_all(cases).await;
}

/// A connection that something on the way has forgotten costs a third of the time.
#[tokio::test]
async fn a_dead_connection_is_given_up() {
    let cases = BOTH.map(|transport| async move {
        let (took, accepted) = slow(transport, Manner::FirstMute, Duration::ZERO, false).await;
        assert!(took < PATIENT * 2 / 3, "{took:?}");
        assert_eq!(accepted, 2, "{transport:?}");
    });
    futures_util::future::join_all(cases).await;
}

/// The lookups of a burst share the connection that the first of them opens.
#[tokio::test]
async fn a_burst_shares_one_connection() {
    for transport in BOTH {
        let host = Host::with(HTTPS).await;
        let front = Front::open(&host.ca, host.dns.addr(), transport).await;
        let mut resolver = resolver(&host, &front, transport);
        // Of time to answer a hundred there has to be enough.
        resolver.set_timeout(Duration::from_secs(60));
        let names: Vec<_> = (0..100).map(|i| format!("n{i}.lab.test")).collect();
        names.iter().for_each(|name| host.dns.set(name, RecordType::A, Reply::a([[127, 0, 0, 8].into()])));
        for round in 1..=2 {
            let lookups = names.iter().map(|name| resolver.resolve(name, QueryKind::A));
            for answer in futures_util::future::join_all(lookups).await {
                answer.unwrap();
            }
            assert_eq!(front.log().accepted, round, "{transport:?}");
            front.hang_up();
        }
    }
}

/// At the bound for queries in flight another connection is opened; nobody's query fails.
#[tokio::test]
async fn so_many_queries_are_in_flight_on_one_connection() {
    let host = Host::with(HTTPS).await;
    let front = Front::with(&host.ca, host.dns.addr(), Transport::Tls, Certificate::Good, Manner::Mute).await;
    let mut resolver = resolver(&host, &front, Transport::Tls);
    resolver.set_timeout(Duration::from_secs(600));
    let mut lookups = JoinSet::new();
    for number in 0..Config::MAX_DNS_QUERIES {
        lookups.spawn(resolver.resolve(&format!("n{number}.lab.test"), QueryKind::A));
    }
    let asked = async |lookups: &mut JoinSet<_>, count| {
        tokio::select! {
            () = front.until_asked(count) => front.log().accepted,
            ended = lookups.join_next() => panic!("{ended:?}"),
        }
    };
    assert_eq!(asked(&mut lookups, Config::MAX_DNS_QUERIES).await, 1);
    lookups.spawn(resolver.resolve(HOST, QueryKind::A));
    assert_eq!(asked(&mut lookups, Config::MAX_DNS_QUERIES + 1).await, 2);
}

#[tokio::test]
async fn a_message_over_https_is_bounded() {
    for (length, fits) in [(Config::MAX_MESSAGE, true), (Config::MAX_MESSAGE + 1, false)] {
        let host = Host::with(HTTPS).await;
        let padded = Manner::Padded(length);
        let front = Front::with(&host.ca, host.dns.addr(), Transport::Https, Certificate::Good, padded).await;
        let result = resolver(&host, &front, Transport::Https).resolve(HOST, QueryKind::A).await;
        assert_eq!(result.is_ok(), fits, "{length}: {result:?}");
        assert!(fits || result.unwrap_err().to_string().contains("length limit exceeded"));
    }
}

/// What is no answer of DNS is told as it came.
#[tokio::test]
async fn a_status_of_http_is_in_the_error() {
    let host = Host::with(HTTPS).await;
    let refusal = Manner::Status(StatusCode::FORBIDDEN);
    let front = Front::with(&host.ca, host.dns.addr(), Transport::Https, Certificate::Good, refusal).await;
    let resolver = resolver(&host, &front, Transport::Https);
    let error = connect(&connector(&host, resolver), &host.uri("https")).await.unwrap_err();
    assert_is_dns(&error);
    assert!(error.to_string().contains("HTTP 403 Forbidden"), "{error}");
    assert_eq!(host.server().accepted(), 0);
}

/// A cache on the way has kept the answer for most of its lifetime (RFC 8484 section 5.1).
#[tokio::test]
async fn the_age_of_a_response_is_gone_of_its_lifetime() {
    for (age, asked) in [("30", 1), ("60", 2), ("4294967296", 1), ("none", 1)] {
        let host = Host::with(HTTPS).await;
        let front =
            Front::with(&host.ca, host.dns.addr(), Transport::Https, Certificate::Good, Manner::Header("age", age))
                .await;
        let connector = connector(&host, resolver(&host, &front, Transport::Https));
        for _ in 0..2 {
            connect(&connector, &host.uri("https")).await.unwrap();
        }
        assert_eq!(host.dns.asked(HOST, RecordType::A), asked, "{age}");
    }
}

#[tokio::test]
async fn a_uri_that_is_not_of_https_is_told() {
    let host = Host::with(HTTPS).await;
    let front = Front::open(&host.ca, host.dns.addr(), Transport::Https).await;
    for uri in ["http://dns.lab.test/dns-query", "/dns-query", "https://-/"] {
        let uri: Uri = uri.parse().unwrap();
        let resolver = HickoryResolver::over_https([(front.addr(), uri.clone())], host.ca.client_config(&[]));
        let error = connect(&connector(&host, resolver), &host.uri("https")).await.unwrap_err();
        assert_is_dns(&error);
        assert!(error.to_string().contains(&format!("{uri} is not a URI of https")), "{error}");
    }
    assert_eq!(front.log().accepted, 0);
}

/// The second server has the answer although the first cannot be trusted; neither is asked in clear.
#[tokio::test]
async fn of_several_name_servers_one_is_enough() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], Site::Refused)]).await;
    for transport in BOTH {
        let bad = Front::with(&host.ca, host.dns.addr(), transport, Certificate::OtherName, Manner::Good).await;
        let good = Front::open(&host.ca, host.dns.addr(), transport).await;
        let tls = host.ca.client_config(&[]);
        let addrs = [bad.addr(), good.addr()];
        let resolver = match transport {
            Transport::Tls => HickoryResolver::over_tls(addrs.map(|addr| (addr, NAME.try_into().unwrap())), tls),
            Transport::Https => {
                let uri: Uri = format!("https://{NAME}{PATH}").parse().unwrap();
                HickoryResolver::over_https(addrs.map(|addr| (addr, uri.clone())), tls)
            }
        };
        assert!(resolver.is_protected());
        connect(&connector(&host, resolver), &host.uri("https")).await.unwrap();
    }
    assert!(!HickoryResolver::with_name_servers([host.dns.addr()]).is_protected());
}

fn assert_is_dns(error: &Error) {
    assert!(error.is_dns() && !error.is_certificate() && !error.is_tls() && !error.is_connect(), "{error}");
}
