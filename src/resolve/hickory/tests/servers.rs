//! Several name servers: whose answer counts, and who is waited for.

use super::*;

#[tokio::test]
async fn a_server_that_fails_quickly_does_not_hide_one_that_answers() {
    let good = || {
        Server::start_async(|query, _| {
            Box::pin(async move {
                sleep(Duration::from_millis(30)).await;
                Some(Reply::addresses(&query, 1))
            })
        })
    };
    for code in [ResponseCode::Refused, ResponseCode::ServFail, ResponseCode::FormErr, ResponseCode::NotImp] {
        let servers = [Server::start(move |_, _| Some(Reply::code(code))), good()];
        let answer = resolver_of(&servers).resolve(HOST, QueryKind::A).await;
        assert_eq!(answer.unwrap().addresses.len(), 1, "{code}");
    }
}

#[tokio::test]
async fn silent_servers_cost_nothing_while_one_answers() {
    let silent = || Server::start(|_, _| None);
    let servers = [silent(), silent(), Server::start(|query, _| Some(Reply::addresses(&query, 1)))];
    for _ in 0..5 {
        let started = Instant::now();
        resolver_of(&servers).resolve(HOST, QueryKind::A).await.unwrap();
        assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn that_there_are_no_records_is_an_answer_whatever_other_servers_say() {
    let servers = [
        Server::start(|_, _| Some(Reply::code(ResponseCode::ServFail))),
        Server::start(|_, _| None),
        Server::start(|_, _| Some(Reply::code(ResponseCode::NXDomain))),
    ];
    let started = Instant::now();
    let error = resolver_of(&servers).resolve(HOST, QueryKind::A).await.unwrap_err();
    assert_eq!(error.kind(), ResolveErrorKind::NxDomain);
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
}

fn serv_fail() -> Server {
    Server::start(|_, _| Some(Reply::code(ResponseCode::ServFail)))
}

async fn fails(resolver: &HickoryResolver, kind: QueryKind) -> (ResolveError, Duration) {
    let started = Instant::now();
    let error = resolver.resolve(HOST, kind).await.unwrap_err();
    (error, started.elapsed())
}

/// Proves: DNS-9
#[tokio::test]
async fn a_dead_server_is_not_waited_for_again_and_again() {
    let (silent, failing) = (Server::start(|_, _| None), serv_fail());
    let mut resolver = resolver_of([&silent, &failing]);
    resolver.set_timeout(Duration::from_millis(1800));
    let mut waits = 0;
    for _ in 0..6 {
        let before = silent.queries().0;
        let (error, took) = fails(&resolver, QueryKind::A).await;
        assert_eq!(error.kind(), ResolveErrorKind::ServFail);
        waits += usize::from(took >= Duration::from_millis(1700));
        // It is asked all the same.
        while silent.queries().0 == before {
            sleep(Duration::from_millis(1)).await;
        }
    }
    assert_eq!(waits, 2);
}

/// Proves: DNS-9
#[tokio::test]
async fn a_server_that_was_silent_counts_when_it_answers_again() {
    let is_back = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let answers = is_back.clone();
    let server = Server::start(move |query, _| answers.load(Ordering::SeqCst).then(|| Reply::addresses(&query, 1)));
    // By then it says nothing, as the other one is to have the time that it takes.
    let is_slow = is_back.clone();
    let failing =
        Server::start(move |_, _| (!is_slow.load(Ordering::SeqCst)).then(|| Reply::code(ResponseCode::ServFail)));
    let mut resolver = resolver_of([&server, &failing]);
    resolver.set_timeout(Duration::from_millis(1800));
    for _ in 0..3 {
        fails(&resolver, QueryKind::A).await;
    }
    is_back.store(true, Ordering::SeqCst);
    resolver.resolve(HOST, QueryKind::A).await.unwrap();
}

/// Nobody else says anything.
#[tokio::test]
async fn servers_that_are_all_silent_are_waited_for() {
    let silent = Server::start(|_, _| None);
    let mut resolver = resolver_of([&silent]);
    resolver.set_timeout(Duration::from_millis(300));
    for _ in 0..4 {
        let (error, took) = fails(&resolver, QueryKind::A).await;
        assert_eq!(error.kind(), ResolveErrorKind::Timeout);
        assert!(took >= Duration::from_millis(290), "{took:?}");
    }
}

/// The system says so of a port of this host at once, and of one elsewhere after a round trip.
///
/// Proves: DNS-9
#[tokio::test]
async fn a_closed_port_costs_a_round_trip() {
    for host in ["127.0.0.1", "::1"] {
        let Ok(socket) = UdpSocket::bind((host, 0)).await else { continue };
        let closed = socket.local_addr().unwrap();
        // Nobody else gets the port, and connected to itself the socket takes nothing from others.
        socket.connect(closed).await.unwrap();
        let failing = serv_fail();
        for (servers, kind) in [
            (vec![closed], ResolveErrorKind::Other),
            // What a server has said counts more.
            (vec![closed, failing.addr], ResolveErrorKind::ServFail),
        ] {
            let mut resolver = HickoryResolver::with_name_servers(servers);
            resolver.set_timeout(LONG);
            let (error, took) = fails(&resolver, QueryKind::A).await;
            assert_eq!(error.kind(), kind, "{error:?} {took:?}");
            assert!(took < AT_ONCE, "{took:?}");
        }
    }
}

/// Whatever is asked for.
#[tokio::test]
async fn a_failure_is_asked_for_once() {
    for code in [ResponseCode::ServFail, ResponseCode::Refused] {
        for needs_tcp in [false, true] {
            let server = Server::start(move |_, _| Some(Reply { needs_tcp, ..Reply::code(code) }));
            let resolver = server.resolver(LONG);
            for (number, kind) in [QueryKind::Aaaa, QueryKind::A, QueryKind::Https].into_iter().enumerate() {
                fails(&resolver, kind).await;
                assert_eq!(server.queries(), (number + 1, if needs_tcp { number + 1 } else { 0 }), "{code} {kind}");
            }
        }
    }
}

/// The others wait for its packet, not for its answer, also where its packets go over a connection that is there.
#[tokio::test]
async fn a_silent_server_over_ipv6_holds_nobody_up() {
    use hickory_resolver::config::NameServerConfig;

    let Ok(udp) = UdpSocket::bind(("::1", 0)).await else { return };
    let listener = tokio::net::TcpListener::bind("[::1]:0").await.unwrap();
    let good = Server::start(|query, _| Some(Reply::addresses(&query, 1)));
    let config = |addr: SocketAddr, mut server: NameServerConfig| {
        server.connections.iter_mut().for_each(|connection| connection.port = addr.port());
        server
    };
    let v4 = || config(good.addr, NameServerConfig::udp(good.addr.ip()));
    for v6 in [
        config(udp.local_addr().unwrap(), NameServerConfig::udp(udp.local_addr().unwrap().ip())),
        config(listener.local_addr().unwrap(), NameServerConfig::tcp(listener.local_addr().unwrap().ip())),
    ] {
        let mut resolver = HickoryResolver::new(ResolverConfig::from_name_servers(vec![v4(), v6]));
        resolver.set_timeout(LONG);
        for _ in 0..3 {
            let started = Instant::now();
            resolver.resolve(HOST, QueryKind::A).await.unwrap();
            assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
        }
    }
}
