//! hyper-util's `Tunnel` and `SocksV5`, with the connector below them and hyper-rustls on top, and its `Matcher`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::{HeaderValue, Uri};
use hyper_happy_eyeballs::Host::Name;
use hyper_happy_eyeballs::{HappyEyeballsConnector, Report};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::Matcher;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::host::{HOST, HTTP, HTTPS, Host, V4};
use crate::lab::socks::{Greeting, Rules, Wanted};
use crate::lab::{Certificate, Site, Socks};
use crate::tls_on_top::https;
use crate::{get, ours, report};

const PROXY: &str = "proxy.lab.test";

/// The race is towards the proxy, with TLS if it is one of `https`. The target is the proxy's to look up, and TLS to
/// it goes through.
///
/// Proves: NET-8
#[tokio::test]
async fn a_tunnel_is_built_over_the_winner() {
    for scheme in ["http", "https"] {
        let host = Host::open([(V4[0], HTTPS), (V4[1], Site::Silent)]).await;
        let tls = (scheme == "https").then(|| Arc::new(host.ca.server_config(PROXY, Certificate::Good)));
        let mut proxy = HttpProxy::start(host.addr(V4[0]), tls).await;
        let tunnel = Tunnel::new(uri(scheme, PROXY), race_to(&host, proxy.addr))
            .with_auth(HeaderValue::from_static("Basic dXNlcjpwYXNz"));
        let response = get(https(&host, tunnel), &host.uri("https")).await.unwrap();
        assert_eq!(response.body(), &format!("{}\n", host.addr(V4[0])));
        assert_won_at(report(response.extensions()), proxy.addr);
        let asked = proxy.asked.recv().await.unwrap();
        assert!(asked.starts_with(&format!("CONNECT {HOST}:{} ", host.sites.port())), "{asked}");
        assert!(asked.contains("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"), "{asked}");
        assert_eq!((host.dns.log().len(), host.server().handshakes()), (0, 1));
    }
}

/// Proves: NET-8
#[tokio::test]
async fn socks_is_spoken_over_the_winner() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], Site::Silent)]).await;
    let rules = Rules::default().greeting(Greeting::Login("user", "pass")).name(HOST, V4[0]);
    let proxy = Socks::start(rules).await.unwrap();
    let socks = SocksV5::new(uri("socks5h", PROXY), race_to(&host, proxy.addr()))
        .with_auth("user".to_owned(), "pass".to_owned());
    let response = get(https(&host, socks), &host.uri("https")).await.unwrap();
    assert_eq!(response.body(), &format!("{}\n", host.addr(V4[0])));
    assert_won_at(report(response.extensions()), proxy.addr());
    assert_eq!(proxy.asked(), [Wanted::Name(HOST.to_owned(), host.sites.port())]);
    assert_eq!((host.dns.log().len(), host.server().handshakes()), (0, 1));
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_is_among_the_causes() {
    let host = Host::with(Site::Refused).await;
    let connector = || host.bare_builder().plaintext().resolve(PROXY, [host.addr(V4[0])]).build().unwrap();
    let tunnel = Tunnel::new(uri("http", PROXY), connector());
    let socks = SocksV5::new(uri("socks5", PROXY), connector());
    let error = get(https(&host, tunnel), &host.uri("https")).await.unwrap_err();
    assert!(error.is_connect());
    assert_eq!(ours(&error).report().unwrap().attempts()[0].addr(), host.addr(V4[0]));

    // `SocksV5` gives its errors no source.
    let error = get(https(&host, socks), &host.uri("https")).await.unwrap_err();
    assert!(error.is_connect() && format!("{error:?}").contains(&host.addr(V4[0]).to_string()), "{error:?}");
}

/// Variables are of a whole process, so one is started for each case.
#[tokio::test]
async fn the_environment_names_the_proxy() {
    let host = Host::with(HTTP).await;
    let mut http = HttpProxy::start(host.addr(V4[0]), None).await;
    let rules = Rules::default().greeting(Greeting::Login("user", "pass")).name(HOST, V4[0]);
    let socks = Socks::start(rules).await.unwrap();
    let by_http = format!("http://user:pass@{}", http.addr);
    let by_socks = format!("socks5h://user:pass@{}", socks.addr());
    let direct = format!("http://{}/", host.addr(V4[0]));

    get_with(&[("HTTP_PROXY", &by_http), ("ALL_PROXY", &by_socks)], &host.uri("http")).await;
    let asked = http.asked.recv().await.unwrap();
    assert!(asked.contains("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"), "{asked}");
    assert_eq!(socks.accepted(), 0);

    get_with(&[("ALL_PROXY", &by_socks)], &host.uri("http")).await;
    assert_eq!(socks.asked(), [Wanted::Name(HOST.to_owned(), host.sites.port())]);

    get_with(&[("ALL_PROXY", &by_socks), ("NO_PROXY", "127.0.0.0/8")], &direct).await;
    assert_eq!((socks.accepted(), host.server().requests()), (1, 3));
    assert!(http.asked.try_recv().is_err());
}

const TARGET: &str = "TARGET";

/// Runs the test below with these variables and no others.
async fn get_with(variables: &[(&str, &str)], target: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "proxies::get_by_the_environment", "--ignored"])
        .env_clear()
        .envs(variables.iter().copied())
        .env(TARGET, target)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{variables:?}: {}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
#[ignore = "another test runs it, with an environment of its own"]
async fn get_by_the_environment() {
    let target = std::env::var(TARGET).unwrap();
    let connector = HappyEyeballsConnector::builder().plaintext().build().unwrap();
    let response = match Matcher::from_env().intercept(&target.parse().unwrap()) {
        None => get(connector, &target).await,
        Some(proxy) => match (proxy.uri().clone(), proxy.basic_auth(), proxy.raw_auth()) {
            (uri, Some(auth), None) => get(Tunnel::new(uri, connector).with_auth(auth.clone()), &target).await,
            (uri, None, Some((user, password))) => {
                get(SocksV5::new(uri, connector).with_auth(user.to_owned(), password.to_owned()), &target).await
            }
            _ => panic!("{proxy:?}"),
        },
    };
    assert_eq!(response.unwrap().status(), 200);
}

fn uri(scheme: &str, host: &str) -> Uri {
    format!("{scheme}://{host}/").parse().unwrap()
}

/// A connector to which the proxy has a silent address before the good one.
fn race_to(host: &Host, proxy: SocketAddr) -> HappyEyeballsConnector {
    host.builder().resolve(PROXY, [host.addr(V4[1]), proxy]).build().unwrap()
}

fn assert_won_at(report: &Report, proxy: SocketAddr) {
    assert_eq!(*report.origin().host(), Name(PROXY.into()));
    assert_eq!((report.attempts().len(), report.winner().unwrap().addr()), (2, proxy), "{report}");
}

/// A proxy that takes everybody to one address, whatever they ask for, and tells what that was.
struct HttpProxy {
    addr: SocketAddr,
    asked: mpsc::UnboundedReceiver<String>,
}

impl HttpProxy {
    async fn start(target: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (requests, asked) = mpsc::unbounded_channel();
        let acceptor = tls.map(TlsAcceptor::from);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (requests, acceptor) = (requests.clone(), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        Some(tls) => relay(tls.accept(client).await.unwrap(), target, &requests).await,
                        None => relay(client, target, &requests).await,
                    }
                });
            }
        });
        Self { addr, asked }
    }
}

async fn relay(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    target: SocketAddr,
    requests: &mpsc::UnboundedSender<String>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    requests.send(String::from_utf8(head).unwrap()).unwrap();
    let mut server = TcpStream::connect(target).await.unwrap();
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    // How it ends is for the two of them to judge.
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
