//! Replies that are none, or that need more than a look: which are taken, and which are waited past.

use std::net::Ipv4Addr;

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::DNSClass;
use hickory_resolver::proto::rr::rdata::{A, AAAA};

use super::*;

const GOOD: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const FORGED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);

/// The reply to `request`, with this address.
fn reply(request: &Message, ip: Ipv4Addr) -> Message {
    let record = Record::from_rdata(request.queries[0].name().clone(), 60, RData::A(A(ip)));
    respond(request, Reply { answers: vec![record], ..Reply::code(ResponseCode::NoError) })
}

/// What a lookup makes of a server that sends `forge` of the right reply first, and the right one a little later.
async fn after(forge: impl Fn(&Message) -> Vec<u8>) -> Vec<SocketAddr> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let resolver = HickoryResolver::with_name_servers([socket.local_addr().unwrap()]);
    let server = async {
        let mut buffer = [0; 512];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            let request = Message::from_vec(&buffer[..length]).unwrap();
            socket.send_to(&forge(&request), peer).await.unwrap();
            sleep(Duration::from_millis(10)).await;
            socket.send_to(&reply(&request, GOOD).to_vec().unwrap(), peer).await.unwrap();
        }
    };
    tokio::select! {
        answer = resolver.resolve(HOST, QueryKind::A) => answer.unwrap().addresses,
        () = server => unreachable!("it serves for ever"),
    }
}

/// Proves: DNS-14
#[tokio::test]
async fn a_reply_with_another_id_or_question_is_waited_past() {
    let forged = |request: &Message| reply(request, FORGED);
    type Change = fn(&mut Message);
    let changes: [Change; 6] = [
        |message| message.metadata.id ^= 1,
        |message| _ = message.queries[0].set_name(Name::from_ascii("other.example.").unwrap()),
        |message| _ = message.queries[0].set_query_type(RecordType::AAAA),
        |message| _ = message.queries[0].set_query_class(DNSClass::CH),
        |message| message.queries.clear(),
        |message| message.queries.push(message.queries[0].clone()),
    ];
    let good = [SocketAddr::new(GOOD.into(), 0)];
    for (number, change) in changes.into_iter().enumerate() {
        let addresses = after(|request| {
            let mut message = forged(request);
            change(&mut message);
            message.to_vec().unwrap()
        })
        .await;
        assert_eq!(addresses, good, "change {number}");
    }
    // So it is the change that matters.
    assert_eq!(after(|request| forged(request).to_vec().unwrap()).await, [SocketAddr::new(FORGED.into(), 0)]);
    // What is shorter than a header, and nothing at all.
    assert_eq!(after(|_| vec![0; 11]).await, good);
    assert_eq!(after(|_| Vec::new()).await, good);
}

/// Proves: DNS-14
#[tokio::test]
async fn a_reply_from_another_address_or_port_is_waited_past() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    let strangers =
        [UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind(("127.0.0.2", addr.port())).await.unwrap()];
    let resolver = HickoryResolver::with_name_servers([addr]);
    let server = async {
        let mut buffer = [0; 512];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            let request = Message::from_vec(&buffer[..length]).unwrap();
            for stranger in &strangers {
                // Where the socket takes nothing from strangers they learn of it.
                let _ = stranger.send_to(&reply(&request, FORGED).to_vec().unwrap(), peer).await;
            }
            sleep(Duration::from_millis(10)).await;
            socket.send_to(&reply(&request, GOOD).to_vec().unwrap(), peer).await.unwrap();
        }
    };
    tokio::select! {
        answer = resolver.resolve(HOST, QueryKind::A) => {
            assert_eq!(answer.unwrap().addresses, [SocketAddr::new(GOOD.into(), 0)]);
        }
        () = server => {}
    }
}

/// So that nobody knows them from earlier ones (RFC 5452 section 9.2).
#[tokio::test]
async fn queries_leave_from_other_ports_and_with_other_ids() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let resolver = HickoryResolver::with_name_servers([socket.local_addr().unwrap()]);
    let (mut ports, mut ids) = (Vec::new(), Vec::new());
    let server = async {
        let mut buffer = [0; 512];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            let request = Message::from_vec(&buffer[..length]).unwrap();
            ports.push(peer.port());
            ids.push(request.metadata.id);
            socket.send_to(&reply(&request, GOOD).to_vec().unwrap(), peer).await.unwrap();
        }
    };
    let queries = async {
        for _ in 0..32 {
            resolver.resolve(HOST, QueryKind::A).await.unwrap();
        }
    };
    tokio::select! {
        () = queries => {}
        () = server => {}
    }
    for numbers in [ports, ids] {
        // Neither the next nor the one before; by chance one of 32 may be.
        let near = numbers.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 2).count();
        assert!(numbers.len() >= 32 && near <= 3, "{numbers:?}");
    }
}

/// What there is of it is not used (RFC 2181 section 9).
///
/// Proves: DNS-14
#[tokio::test]
async fn of_a_truncated_reply_nothing_is_used() {
    let (socket, listener) = server::bind();
    let addr = socket.local_addr().unwrap();
    let resolver = HickoryResolver::with_name_servers([addr]);
    let server = async {
        let mut buffer = [0; 512];
        let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
        let mut message = reply(&Message::from_vec(&buffer[..length]).unwrap(), FORGED);
        message.metadata.truncation = true;
        socket.send_to(&message.to_vec().unwrap(), peer).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; stream.read_u16().await.unwrap().into()];
        stream.read_exact(&mut request).await.unwrap();
        let message = reply(&Message::from_vec(&request).unwrap(), GOOD).to_vec().unwrap();
        stream.write_u16(u16::try_from(message.len()).unwrap()).await.unwrap();
        stream.write_all(&message).await.unwrap();
        std::future::pending().await
    };
    tokio::select! {
        answer = resolver.resolve(HOST, QueryKind::A) => {
            assert_eq!(answer.unwrap().addresses, [SocketAddr::new(GOOD.into(), 0)]);
        }
        () = server => {}
    }
}

/// Records of names that the question does not lead to, of another type, or of another class.
///
/// Proves: DNS-14
#[tokio::test]
async fn records_that_nobody_asked_for_are_left_out() {
    let server = Server::start(|query, _| {
        let stranger = Name::from_ascii("stranger.example.").unwrap();
        let mut reply = Reply::addresses(&query, 1);
        reply.answers.push(Record::from_rdata(stranger, 60, RData::A(A(FORGED))));
        let other_family = RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x66));
        reply.answers.push(Record::from_rdata(query.name().clone(), 60, other_family));
        Some(reply)
    });
    let answer = server.resolver(LONG).resolve(HOST, QueryKind::A).await.unwrap();
    assert_eq!(answer.addresses, [SocketAddr::new(GOOD.into(), 0)]);
}

/// It is a failure of its server alone, and costs no time-out, over TCP as little as over UDP.
#[tokio::test]
async fn addresses_that_cannot_be_read_are_another_servers_matter() {
    for needs_tcp in [false, true] {
        let mangled =
            move |query: &Query| Reply { mangle: |message| message[7] += 1, needs_tcp, ..Reply::addresses(query, 1) };
        let broken = Server::start(move |query, _| Some(mangled(&query)));
        let started = Instant::now();
        let error = broken.resolver(LONG).resolve(HOST, QueryKind::A).await.unwrap_err();
        assert_eq!(error.kind(), ResolveErrorKind::Malformed);
        assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
        assert_eq!(broken.queries(), (1, usize::from(needs_tcp)));

        let good = Server::start_async(|query, _| {
            Box::pin(async move {
                sleep(Duration::from_millis(30)).await;
                Some(Reply::addresses(&query, 1))
            })
        });
        resolver_of([&broken, &good]).resolve(HOST, QueryKind::A).await.unwrap();
    }
}

/// RFC 6891 section 7: such a server answers FORMERR to what it cannot read, some with a header alone.
///
/// Proves: DNS-14
#[tokio::test]
async fn a_server_that_does_not_take_edns_is_asked_without() {
    for is_header in [false, true] {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut resolver = HickoryResolver::with_name_servers([socket.local_addr().unwrap()]);
        resolver.set_timeout(LONG);
        let server = async {
            let mut buffer = [0; 512];
            loop {
                let (len, peer) = socket.recv_from(&mut buffer).await.unwrap();
                let request = Message::from_vec(&buffer[..len]).unwrap();
                let has_edns = request.edns.is_some();
                let reply = match has_edns {
                    true => Reply::code(ResponseCode::FormErr),
                    false => Reply::addresses(&request.queries[0], 1),
                };
                let mut response = respond(&request, reply);
                response.edns = None;
                if has_edns && is_header {
                    response.queries.clear();
                }
                socket.send_to(&response.to_vec().unwrap(), peer).await.unwrap();
            }
        };
        let started = Instant::now();
        tokio::select! {
            answer = resolver.resolve(HOST, QueryKind::A) => assert_eq!(answer.unwrap().addresses.len(), 1),
            () = server => {}
        }
        assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    }
}

/// Nothing says that it is the EDNS(0) that is not taken.
///
/// Proves: DNS-14
#[tokio::test]
async fn a_server_that_drops_edns_is_asked_without() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut resolver = HickoryResolver::with_name_servers([socket.local_addr().unwrap()]);
    resolver.set_timeout(Duration::from_secs(3));
    let server = async {
        let mut buffer = [0; 512];
        loop {
            let (len, peer) = socket.recv_from(&mut buffer).await.unwrap();
            let request = Message::from_vec(&buffer[..len]).unwrap();
            if request.edns.is_none() {
                let response = respond(&request, Reply::addresses(&request.queries[0], 1));
                socket.send_to(&response.to_vec().unwrap(), peer).await.unwrap();
            }
        }
    };
    tokio::select! {
        answer = resolver.resolve(HOST, QueryKind::A) => assert_eq!(answer.unwrap().addresses.len(), 1),
        () = server => {}
    }
}

/// A server that has others to ask may need longer than a query is repeated after.
#[tokio::test]
async fn an_answer_counts_however_late_it_comes() {
    let server = Server::start_async(|query, _| {
        Box::pin(async move {
            sleep(Duration::from_millis(1600)).await;
            Some(Reply::addresses(&query, 1))
        })
    });
    let answer = server.resolver(Duration::from_millis(4500)).resolve(HOST, QueryKind::A).await.unwrap();
    assert_eq!(answer.addresses.len(), 1);
}
