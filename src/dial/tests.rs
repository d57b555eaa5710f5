use std::error::Error as StdError;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use futures_util::FutureExt;
use socket2::{SockRef, Socket};
use tokio::net::{TcpListener, TcpSocket};

use super::*;
use crate::address_policy::AddressPolicy;
use crate::nat64::Nat64;
use crate::race::Source;

const LOOPBACKS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

fn dialer(options: TcpOptions) -> Dialer {
    dialer_with(options, Config::default())
}

fn dialer_with(options: TcpOptions, config: Config) -> Dialer {
    Dialer::new(Origin::from_uri(&"http://example.test/".parse().unwrap()).unwrap(), config.into(), Arc::new(options))
}

/// The failure of a dial that must not wait for anything.
fn immediate_failure(options: TcpOptions, addr: &str) -> Failure {
    dialer(options).tcp(addr.parse().unwrap()).now_or_never().expect("it waited").expect_err("it connected")
}

/// A listener with a full backlog, which answers no further SYN, and the connection that fills it.
async fn silent(ip: IpAddr) -> (TcpListener, TcpStream) {
    let socket = if ip.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
    socket.bind(SocketAddr::new(ip, 0)).unwrap();
    let listener = socket.listen(0).unwrap();
    let filler = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener, filler)
}

async fn closed_port(ip: IpAddr) -> SocketAddr {
    TcpListener::bind(SocketAddr::new(ip, 0)).await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn connects_with_the_options_applied() {
    for ip in LOOPBACKS {
        let listener = TcpListener::bind(SocketAddr::new(ip, 0)).await.unwrap();
        let options = TcpOptions {
            keepalive_time: Some(Duration::from_secs(41)),
            keepalive_interval: Some(Duration::from_secs(42)),
            keepalive_retries: Some(7),
            send_buffer_size: Some(20_000),
            recv_buffer_size: Some(30_000),
            reuse_address: true,
            user_timeout: Some(Duration::from_secs(43)),
            local_address_ipv4: Some(Ipv4Addr::LOCALHOST),
            local_address_ipv6: Some(Ipv6Addr::LOCALHOST),
            ..TcpOptions::default()
        };
        let (stream, _) = dialer(options).tcp(listener.local_addr().unwrap()).await.unwrap();
        let socket = SockRef::from(&stream);
        assert!(stream.nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        assert!(socket.reuse_address().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(41));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(42));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 7);
        assert!((20_000..=40_000).contains(&socket.send_buffer_size().unwrap()));
        assert!((30_000..=60_000).contains(&socket.recv_buffer_size().unwrap()));
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(43)));
        let (_, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, stream.local_addr().unwrap());
    }
}

#[tokio::test]
async fn by_default_only_nagle_is_changed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stream, _) = dialer(TcpOptions::default()).tcp(addr).await.unwrap();
    assert!(stream.nodelay().unwrap());
    assert!(!SockRef::from(&stream).keepalive().unwrap());
    let (stream, _) = dialer(TcpOptions { nodelay: false, ..TcpOptions::default() }).tcp(addr).await.unwrap();
    assert!(!stream.nodelay().unwrap());
}

/// On an established connection it would make errors fatal that pass.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn icmp_errors_are_kept_for_the_connect_alone() {
    use nix::sys::socket::{getsockopt, sockopt};

    for ip in LOOPBACKS {
        let listener = TcpListener::bind(SocketAddr::new(ip, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let kept = |socket: &Socket| match ip {
            IpAddr::V4(_) => getsockopt(socket, sockopt::Ipv4RecvErr).unwrap(),
            IpAddr::V6(_) => getsockopt(socket, sockopt::Ipv6RecvErr).unwrap(),
        };
        for explain in [false, true] {
            let options = TcpOptions { explain, ..TcpOptions::default() };
            let socket = Socket::from(tcp::start(addr, &options).unwrap());
            assert_eq!(kept(&socket), explain);
            let (stream, _) = dialer(options).tcp(addr).await.unwrap();
            assert!(!kept(&Socket::from(stream.into_std().unwrap())));
        }
    }
}

#[tokio::test]
async fn huge_buffer_sizes_do_not_wrap_around() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options =
        TcpOptions { send_buffer_size: Some(usize::MAX), recv_buffer_size: Some(usize::MAX), ..TcpOptions::default() };
    let (stream, _) = dialer(options).tcp(listener.local_addr().unwrap()).await.unwrap();
    assert!(SockRef::from(&stream).send_buffer_size().unwrap() > 100_000);
}

#[tokio::test]
async fn a_closed_port_refuses_at_once() {
    for ip in LOOPBACKS {
        // Bound, but nobody listens.
        let socket = if ip.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
        socket.bind(SocketAddr::new(ip, 0)).unwrap();
        let addr = socket.local_addr().unwrap();
        let start = Instant::now();
        let failure = dialer(TcpOptions::default()).tcp(addr).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Refused);
        assert!(start.elapsed() < Duration::from_secs(5));
        let error = failure.error().downcast_ref::<io::Error>().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        #[cfg(target_os = "linux")]
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    }
}

/// A socket that is given the very port it connects to is connected to itself, though nobody listens there.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_is_connected_to_itself_was_refused() {
    for ip in LOOPBACKS {
        // Another may be given the port, and listen there.
        let mut tries = 0;
        while !is_refused_by_all_ports(ip).await {
            tries += 1;
            assert!(tries < 3);
        }
    }
}

/// From every port to one of `ip`; `false` if somebody was there.
#[cfg(target_os = "linux")]
async fn is_refused_by_all_ports(ip: IpAddr) -> bool {
    // `bind` and `connect` are given every other port each; all of them have their turn.
    let mut addr = closed_port(ip).await;
    addr.set_port(addr.port() ^ 1);
    for _ in 0..15_000 {
        match tcp::connect(addr, &TcpOptions::default()).await {
            Ok((stream, _)) => {
                assert_ne!(stream.local_addr().unwrap(), addr, "it is connected to itself");
                return false;
            }
            Err(failure) => assert_eq!(failure.kind(), FailureKind::Refused),
        }
    }
    true
}

/// Proves: NAM-7
#[tokio::test]
async fn a_link_local_address_without_a_zone_fails_before_anything_is_sent() {
    let failure = immediate_failure(TcpOptions::default(), "[fe80::1]:80");
    assert_eq!(failure.kind(), FailureKind::Local);
    assert_eq!(source(TcpOptions::default(), "[fe80::1]:80"), None);
}

#[tokio::test]
async fn an_address_that_no_packet_can_go_to_is_a_local_failure() {
    // Past the policy, which would stop it before the kernel does.
    let options = TcpOptions::default();
    let result = tcp::connect("255.255.255.255:80".parse().unwrap(), &options).now_or_never().expect("it waited");
    assert_eq!(result.unwrap_err().kind(), FailureKind::Local);
}

#[tokio::test]
async fn a_local_address_that_is_not_ours_is_a_local_failure() {
    let options = TcpOptions {
        local_address_ipv4: Some(Ipv4Addr::new(192, 0, 2, 1)),
        local_address_ipv6: Some("2001:db8::1".parse().unwrap()),
        ..TcpOptions::default()
    };
    for addr in ["127.0.0.1:80", "[::1]:80"] {
        let failure = immediate_failure(options.clone(), addr);
        assert_eq!(failure.kind(), FailureKind::Local);
        let text = failure.to_string();
        assert!(text.starts_with("tcp bind local error: "), "{text}");
        assert_eq!(text.matches("os error").count(), 1, "{text}");
        let error = failure.error().downcast_ref::<io::Error>().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
        let cause = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert!(cause.raw_os_error().is_some());
        assert_eq!(source(options.clone(), addr), None);
    }
}

#[tokio::test]
async fn a_local_address_binds_its_own_family_only() {
    let options = TcpOptions { local_address_ipv6: Some("2001:db8::1".parse().unwrap()), ..TcpOptions::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    dialer(options).tcp(listener.local_addr().unwrap()).await.unwrap();
}

#[tokio::test]
async fn an_interface_that_cannot_be_used_is_a_local_failure() {
    for interface in ["lo\0", "nosuchif0"] {
        let options = TcpOptions { interface: Some(interface.into()), ..TcpOptions::default() };
        let failure = immediate_failure(options, "127.0.0.1:80");
        assert_eq!(failure.kind(), FailureKind::Local);
        assert!(failure.to_string().starts_with("tcp bind interface error: "), "{failure}");
    }
}

#[tokio::test]
async fn a_denied_address_gets_no_socket() {
    let policy = AddressPolicy::new(|origin, addr| match addr.is_ipv4() {
        true => Verdict::deny(format!("no IPv4 for {origin}")),
        false => Verdict::Allow,
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut config = Config::default();
    config.address_policy(policy).nat64(Nat64::Prefixes(["2001:db8::/96".parse().unwrap()].into()));
    let dialer = dialer_with(TcpOptions::default(), config);
    // Written as IPv6 it is the same address.
    let mapped = SocketAddr::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), addr.port());
    let translated = SocketAddr::new("2001:db8::127.0.0.1".parse().unwrap(), addr.port());
    for addr in [addr, mapped, translated] {
        let failure = dialer.tcp(addr).now_or_never().unwrap().unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Local);
        assert!(failure.to_string().contains("no IPv4 for example.test:80"), "{failure}");
    }
    assert!(listener.accept().now_or_never().is_none());
}

#[tokio::test]
async fn an_address_that_stays_silent_is_waited_for_until_dropped() {
    for ip in LOOPBACKS {
        let (listener, _filler) = silent(ip).await;
        let addr = listener.local_addr().unwrap();
        let mut attempt = Box::pin(dialer(TcpOptions::default()).tcp(addr));
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut attempt).await.is_err());
        #[cfg(target_os = "linux")]
        assert_eq!(syns_sent_to(addr), 1);
        drop(attempt);
        #[cfg(target_os = "linux")]
        assert_eq!(syns_sent_to(addr), 0, "the socket is still open");
    }
}

/// Sockets of this host that wait for an answer from the port of `addr`.
#[cfg(target_os = "linux")]
fn syns_sent_to(addr: SocketAddr) -> usize {
    let table = std::fs::read_to_string(if addr.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" }).unwrap();
    let port = format!(":{:04X}", addr.port());
    let is_waiting = |line: &&str| {
        let mut fields = line.split_whitespace().skip(2);
        fields.next().is_some_and(|remote| remote.ends_with(&port)) && fields.next() == Some("02")
    };
    table.lines().filter(is_waiting).count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_round_trip_of_the_handshake_is_known() {
    for ip in LOOPBACKS {
        let listener = TcpListener::bind(SocketAddr::new(ip, 0)).await.unwrap();
        let mut rtts = Vec::new();
        for _ in 0..10 {
            let (_, rtt) = dialer(TcpOptions::default()).tcp(listener.local_addr().unwrap()).await.unwrap();
            rtts.push(rtt.unwrap());
        }
        // A machine that stands still makes it longer, but hardly ten times.
        assert!(rtts.iter().any(|rtt| *rtt < Duration::from_millis(50)), "{rtts:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_syn_that_was_resent_gives_no_round_trip_time() {
    let (listener, _filler) = silent(LOOPBACKS[0]).await;
    let attempt = dialer(TcpOptions::default()).tcp(listener.local_addr().unwrap());
    let accept = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        listener.accept().await.unwrap()
    };
    let (attempt, _) = tokio::join!(attempt, accept);
    assert_eq!(attempt.unwrap().1, None);
}

/// Its prefix is the whole address, which tells nothing of a link.
#[test]
fn the_source_of_loopback_is_loopback() {
    for ip in LOOPBACKS {
        let source = source(TcpOptions::default(), &SocketAddr::new(ip, 443).to_string());
        assert_eq!(source, Some(Source { ip, deprecated: false, prefix_len: None }));
    }
}

fn source(options: TcpOptions, addr: &str) -> Option<Source> {
    let addr = addr.parse().unwrap();
    let mut probed = dialer(options).probe(vec![addr]);
    assert_eq!((probed.len(), probed[0].addr), (1, addr));
    probed.remove(0).source
}
