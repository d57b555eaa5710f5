//! The lab does what it says: what the tests of the crate conclude from it stands on this.

mod lab;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Message, Query, ResponseCode};
use hickory_server::proto::rr::rdata::CNAME;
use hickory_server::proto::rr::{Name, RData, RecordType};
use http_body_util::{BodyExt, Empty};
use hyper::Version;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use lab::world::HOST;
use lab::{Behaviour, Broken, Ca, Certificate, Dns, Kind, Loopback, Reply, Site, Sites, World};

const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const TWO: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// What never comes has not come by then; loopback answers within a millisecond or so.
const NEVER: Duration = Duration::from_millis(100);

fn question(name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message.to_vec().unwrap()
}

async fn send_question(dns: &Dns, name: &str, kind: RecordType) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.send_to(&question(name, kind), dns.addr()).await.unwrap();
    socket
}

async fn ask(dns: &Dns, name: &str, kind: RecordType) -> Message {
    let socket = send_question(dns, name, kind).await;
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).await.unwrap();
    Message::from_vec(&buffer[..length]).unwrap()
}

async fn assert_unanswered(dns: &Dns, name: &str, kind: RecordType) {
    assert!(timeout(NEVER, ask(dns, name, kind)).await.is_err(), "{name} was answered");
}

async fn ask_over_tcp(dns: &Dns, name: &str, kind: RecordType) -> Message {
    let mut stream = TcpStream::connect(dns.addr()).await.unwrap();
    let question = question(name, kind);
    stream.write_u16(question.len() as u16).await.unwrap();
    stream.write_all(&question).await.unwrap();
    let mut answer = vec![0; stream.read_u16().await.unwrap().into()];
    stream.read_exact(&mut answer).await.unwrap();
    Message::from_vec(&answer).unwrap()
}

fn addrs(message: &Message) -> Vec<IpAddr> {
    message.answers.iter().filter_map(|record| record.data.ip_addr()).collect()
}

async fn handshake(ca: &Ca, addr: SocketAddr, alpn: &[&str]) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(addr).await?;
    let name = ServerName::try_from(HOST).unwrap();
    TlsConnector::from(Arc::new(ca.client_config(alpn))).connect(name, stream).await
}

async fn one_site(ca: &Ca, site: Site) -> (Sites, SocketAddr) {
    let sites = Sites::open(ca, HOST, [(ONE, site)]).await.unwrap();
    let addr = SocketAddr::new(ONE, sites.port());
    (sites, addr)
}

#[tokio::test]
async fn dns_answers_are_per_name_and_type_and_can_change() {
    let dns = Dns::start().await.unwrap();
    let [first, second] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
    dns.set("a.test", RecordType::A, Reply::a([first, second]).ttl(7));
    dns.set("a.test", RecordType::AAAA, Reply::aaaa([Ipv6Addr::LOCALHOST]));

    let answer = ask(&dns, "A.test.", RecordType::A).await;
    assert_eq!(addrs(&answer), [first, second]);
    assert_eq!(answer.answers[0].ttl, 7);
    assert_eq!(addrs(&ask(&dns, "a.test.", RecordType::AAAA).await), [Ipv6Addr::LOCALHOST]);
    assert_eq!(addrs(&ask_over_tcp(&dns, "a.test.", RecordType::A).await), [first, second]);

    dns.set("a.test", RecordType::A, Reply::a([second]));
    assert_eq!(addrs(&ask(&dns, "a.test.", RecordType::A).await), [second]);

    let log = dns.log();
    assert_eq!(dns.asked("a.test", RecordType::A), 3);
    assert_eq!(log[0].name, "a.test.");
    let transports: Vec<_> = log.iter().map(|query| query.transport).collect();
    assert_eq!(transports, [Protocol::Udp, Protocol::Udp, Protocol::Tcp, Protocol::Udp]);
    assert!(log.is_sorted_by_key(|query| query.at));
}

#[tokio::test]
async fn dns_says_no_in_every_way() {
    let dns = Dns::start().await.unwrap();
    let replies = [
        ("nodata.test", Reply::no_data(), ResponseCode::NoError),
        ("nx.test", Reply::nx_domain(), ResponseCode::NXDomain),
        ("fail.test", Reply::serv_fail(), ResponseCode::ServFail),
        ("refused.test", Reply::refused(), ResponseCode::Refused),
    ];
    for (name, reply, code) in replies {
        dns.set(name, RecordType::A, reply);
        let answer = ask(&dns, name, RecordType::A).await;
        assert_eq!((answer.metadata.response_code, answer.answers.len()), (code, 0), "{name}");
        let may_be_kept = matches!(code, ResponseCode::NoError | ResponseCode::NXDomain);
        assert_eq!(!answer.authorities.is_empty(), may_be_kept, "{name}");
    }
    // What no reply was set for.
    let answer = ask(&dns, "nx.test", RecordType::HTTPS).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    let answer = ask(&dns, "unknown.test", RecordType::A).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain);
}

#[tokio::test]
async fn dns_is_late_lossy_or_silent() {
    let dns = Dns::start().await.unwrap();
    let reply = || Reply::a([Ipv4Addr::LOCALHOST]);
    dns.set("late.test", RecordType::A, reply().after(Duration::from_millis(40)));
    dns.set("lossy.test", RecordType::A, reply().dropping(2));
    dns.set("silent.test", RecordType::A, Reply::never());

    let start = Instant::now();
    ask(&dns, "late.test", RecordType::A).await;
    assert!(start.elapsed() >= Duration::from_millis(40));

    assert_unanswered(&dns, "lossy.test", RecordType::A).await;
    assert_unanswered(&dns, "lossy.test", RecordType::A).await;
    ask(&dns, "lossy.test", RecordType::A).await;

    assert_unanswered(&dns, "silent.test", RecordType::A).await;
    dns.until_asked("silent.test", RecordType::A, 1).await;
}

/// About 2,600 addresses are the most: hickory compresses only the first names of a message.
#[tokio::test]
async fn dns_gives_records_of_other_owners_and_truncates() {
    let dns = Dns::start().await.unwrap();
    let target = RData::CNAME(CNAME(Name::from_ascii("b.test.").unwrap()));
    let addr = RData::A(Ipv4Addr::LOCALHOST.into());
    let reply = Reply::records([target]).with("b.test", addr.clone()).with_additional("c.test", addr);
    dns.set("a.test", RecordType::A, reply);
    let answer = ask(&dns, "a.test", RecordType::A).await;
    let owners: Vec<_> = answer.answers.iter().chain(&answer.additionals).map(|r| r.name.to_string()).collect();
    assert_eq!(owners, ["a.test.", "b.test.", "c.test."]);

    dns.set("many.test", RecordType::A, Reply::a((0..2500_u16).map(|n| Ipv4Addr::from_bits(n.into()))));
    assert!(ask(&dns, "many.test", RecordType::A).await.metadata.truncation);
    assert_eq!(ask_over_tcp(&dns, "many.test", RecordType::A).await.answers.len(), 2500);
}

#[tokio::test]
async fn https_serves_both_versions_and_counts() {
    let ca = Ca::new();
    let sites = Sites::open(&ca, "127.0.0.1", [(ONE, Site::GOOD)]).await.unwrap();
    let server = sites.server(ONE);
    for (alpn, version) in [(&[][..], Version::HTTP_11), (&["h2"], Version::HTTP_2)] {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        let connector = hyper_rustls::HttpsConnector::from((http, ca.client_config(alpn)));
        let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
        let response = client.get(format!("https://{}/", server.addr()).parse().unwrap()).await.unwrap();
        assert_eq!(response.version(), version);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), format!("{}\n", server.addr()));
        let connection = server.connections().pop().unwrap();
        assert_eq!(connection.authority, Some(server.addr().to_string()));
        assert_eq!(connection.hello.unwrap().alpn, alpn);
    }
    assert_eq!((server.accepted(), server.handshakes(), server.requests(), server.stray_bytes()), (2, 2, 2, 0));
    server.forget();
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn plain_http_serves() {
    let (sites, addr) = one_site(&Ca::new(), Site::Http(Behaviour::Serve)).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = client.get(format!("http://{addr}/").parse().unwrap()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), format!("{addr}\n"));
    assert_eq!((sites.server(ONE).requests(), sites.server(ONE).stray_bytes()), (1, 0));
}

#[tokio::test]
async fn certificates_are_wrong_in_the_way_asked_for() {
    let ca = Ca::new();
    let cases = [
        (Certificate::Expired, "certificate expired"),
        (Certificate::OtherName, "not valid for name"),
        (Certificate::UnknownRoot, "UnknownIssuer"),
    ];
    for (certificate, text) in cases {
        let (sites, addr) = one_site(&ca, Site::Https(certificate, Behaviour::Serve)).await;
        let error = handshake(&ca, addr, &[]).await.unwrap_err().to_string();
        assert!(error.contains(text), "{certificate:?}: {error}");
        sites.server(ONE).until(|connections| connections.len() == 1 && connections[0].closed).await;
        assert_eq!(sites.server(ONE).handshakes(), 0);
        assert_ne!(sites.server(ONE).stray_bytes(), 0);
    }
}

#[tokio::test]
async fn servers_misbehave_as_asked() {
    let ca = Ca::new();
    let site = |behaviour| one_site(&ca, Site::Https(Certificate::Good, behaviour));

    let (sites, addr) = site(Behaviour::Stall).await;
    assert!(timeout(NEVER, handshake(&ca, addr, &[])).await.is_err());
    sites.server(ONE).until(|connections| connections.first().is_some_and(|it| it.early_bytes > 0 && it.closed)).await;
    assert_ne!(sites.server(ONE).stray_bytes(), 0);

    let (_sites, addr) = site(Behaviour::Reset).await;
    let ended = match TcpStream::connect(addr).await {
        Ok(mut stream) => stream.read_u8().await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(ended.kind(), ErrorKind::ConnectionReset);

    let (sites, addr) = site(Behaviour::ResetHello).await;
    assert_eq!(handshake(&ca, addr, &[]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_ne!(sites.server(ONE).stray_bytes(), 0);

    let (_sites, addr) = site(Behaviour::Close).await;
    let mut stream = TcpStream::connect(addr).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap_err().kind(), ErrorKind::UnexpectedEof);

    let (_sites, addr) = site(Behaviour::Garbage).await;
    assert_eq!(handshake(&ca, addr, &[]).await.unwrap_err().kind(), ErrorKind::InvalidData);

    let (sites, addr) = site(Behaviour::Delay(Duration::from_millis(50))).await;
    let start = Instant::now();
    handshake(&ca, addr, &[]).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(50));
    sites.server(ONE).until(|connections| connections.first().is_some_and(|it| it.handshake)).await;
}

#[tokio::test]
async fn silent_addresses_hang_and_refusing_ones_refuse() {
    let mut layout = vec![(ONE, Site::Silent), (TWO, Site::Refused), (Loopback::Ipv4Only.second(), Site::GOOD)];
    if Loopback::detect().await == Loopback::Both {
        layout.push((Ipv6Addr::LOCALHOST.into(), Site::Silent));
    }
    let sites = Sites::open(&Ca::new(), HOST, layout.iter().copied()).await.unwrap();
    for (ip, site) in layout {
        let connected = timeout(NEVER, TcpStream::connect((ip, sites.port()))).await;
        match site {
            Site::Silent => assert!(connected.is_err(), "{ip}"),
            Site::Refused => assert_eq!(connected.unwrap().unwrap_err().kind(), ErrorKind::ConnectionRefused),
            _ => drop(connected.unwrap().unwrap()),
        }
    }
}

/// Longer than the second after which the kernel sends a SYN again.
#[tokio::test]
async fn silence_outlasts_a_resent_syn() {
    let (_sites, addr) = one_site(&Ca::new(), Site::Silent).await;
    assert!(timeout(Duration::from_millis(1500), TcpStream::connect(addr)).await.is_err());
}

#[tokio::test]
async fn a_stopped_server_gives_its_port_and_connections_back() {
    let listener = tokio::net::TcpListener::bind((ONE, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = lab::Server::start(listener, None, Behaviour::Stall).unwrap();
    let mut stream = TcpStream::connect(addr).await.unwrap();
    server.until(|connections| connections.len() == 1).await;
    server.stop().await;
    assert_eq!(stream.read_u8().await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(TcpStream::connect(addr).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn every_world_starts_and_knows_what_is_broken() {
    let ca = Ca::new();
    for loopback in [Loopback::Both, Loopback::Ipv4Only] {
        if loopback == Loopback::Both && Loopback::detect().await != Loopback::Both {
            continue;
        }
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_possible(loopback)) {
            let world = World::start(kind, &ca, loopback).await.unwrap();
            assert_eq!(world.broken_was_tried(&[]), kind == Kind::Healthy, "{kind:?}");
            assert_eq!(world.expected.is_none(), kind == Kind::Dead, "{kind:?}");
            match &world.broken {
                Broken::Nothing => {}
                Broken::Query(kind) => {
                    send_question(&world.dns, HOST, *kind).await;
                    world.dns.until_asked(HOST, *kind, 1).await;
                }
                Broken::Host(record) => {
                    send_question(&world.dns, record, RecordType::HTTPS).await;
                    world.dns.until_asked(record, RecordType::HTTPS, 1).await;
                }
                Broken::Addresses(addrs) => {
                    assert!(world.expected.is_none_or(|expected| !addrs.contains(&expected)));
                    for addr in addrs {
                        if let Some(server) = world.sites.find_server(addr.ip()) {
                            drop(TcpStream::connect(addr).await.unwrap());
                            server.until(|connections| !connections.is_empty()).await;
                        }
                    }
                }
            }
            let attempted = if let Broken::Addresses(addrs) = &world.broken { addrs.clone() } else { vec![] };
            assert!(world.broken_was_tried(&attempted), "{kind:?}");
            world.forget();
            assert_eq!(world.broken_was_tried(&[]), kind == Kind::Healthy, "{kind:?}");
            if let Some(expected) = world.expected {
                handshake(&ca, expected, &["h2", "http/1.1"]).await.unwrap();
            }
        }
    }
}
