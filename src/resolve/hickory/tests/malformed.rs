//! HTTPS records that cannot be used, over UDP and over TCP, and what it costs to learn that.

use hickory_resolver::proto::rr::rdata::NULL;

use super::vectors::{hex, inconsistent, malformed, rdata};
use super::*;

fn https(rdata: Vec<u8>) -> Record {
    let data = RData::Unknown { code: RecordType::HTTPS, rdata: NULL::with(rdata) };
    Record::from_rdata(Name::from_ascii(HOST).unwrap(), 60, data)
}

/// One query answers it, over UDP and over TCP.
async fn answered(reply: impl Fn() -> Reply + Clone + Send + Sync + 'static) -> [Result<Answer, ResolveError>; 2] {
    let answered = async |needs_tcp| {
        let reply = reply.clone();
        let server = Server::start(move |_, _| Some(Reply { needs_tcp, ..reply() }));
        let started = Instant::now();
        let answer = server.resolver(LONG).resolve(HOST, QueryKind::Https).await;
        assert!(started.elapsed() < AT_ONCE, "{:?} for {answer:?}", started.elapsed());
        assert_eq!(server.queries(), (1, usize::from(needs_tcp)), "{answer:?}");
        answer
    };
    [answered(false).await, answered(true).await]
}

async fn assert_malformed(reply: impl Fn() -> Reply + Clone + Send + Sync + 'static) {
    for answer in answered(reply).await {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ResolveErrorKind::Malformed, "{error}");
        let kept = expires_in(error.expires);
        assert!((Duration::from_secs(25)..=Duration::from_secs(30)).contains(&kept), "{kept:?}");
    }
}

/// The good record of the set goes with the malformed one.
///
/// Proves: SVC-1
#[tokio::test]
async fn one_malformed_record_makes_its_whole_set_unusable() {
    let more = [
        ("ends within a parameter", rdata(1, "svc.test.", "0003 0002 00")),
        ("falling keys", rdata(1, "svc.test.", "0003 0002 0035 0001 0003 02 6832")),
        ("a length beyond the end", rdata(1, "svc.test.", "0003 00ff 0035")),
        ("a port of three bytes", rdata(1, "svc.test.", "0003 0003 003500")),
        ("a compressed target", hex("0001 c00c")),
        ("a malformed alias", rdata(0, "svc.test.", "0003 0000")),
    ];
    for (text, malformed) in malformed().into_iter().chain(more) {
        println!("{text}");
        assert_malformed(move || {
            let answers = vec![https(rdata(1, "svc.test.", "")), https(malformed.clone())];
            Reply { answers, ..Reply::code(ResponseCode::NoError) }
        })
        .await;
    }
}

/// Proves: SVC-1
#[tokio::test]
async fn an_answer_that_cannot_be_read_is_malformed() {
    let mangles: [fn(&mut Vec<u8>); 3] = [
        |message| message.truncate(message.len() - 1),
        // One answer more than there is.
        |message| message[7] += 1,
        |message| message.drain(message.len() - 3..).for_each(drop),
    ];
    for mangle in mangles {
        let answers = || vec![https(rdata(1, "svc.test.", "0003 0002 20fb"))];
        assert_malformed(move || Reply { answers: answers(), mangle, ..Reply::code(ResponseCode::NoError) }).await;
    }
}

#[tokio::test]
async fn mandatory_keys_that_contradict_their_record_are_handed_on() {
    for (text, rdata, keys) in inconsistent() {
        let reply = move || Reply { answers: vec![https(rdata.clone())], ..Reply::code(ResponseCode::NoError) };
        for answer in answered(reply).await {
            assert_eq!(answer.expect(text).services[0].mandatory, keys, "{text}");
        }
    }
}

#[tokio::test]
async fn protocols_are_bytes() {
    let answers = || vec![https(rdata(1, "svc.test.", "0001 0006 02 ff00 02 6832"))];
    for answer in answered(move || Reply { answers: answers(), ..Reply::code(ResponseCode::NoError) }).await {
        let expected = ServiceRecord::new(1, "svc.test.").with_alpn([&b"\xff\x00"[..], b"h2"]);
        assert_eq!(answer.unwrap().services, [expected]);
    }
}

#[tokio::test]
async fn a_server_that_failed_is_not_asked_again_at_once() {
    for (code, kind) in [
        (ResponseCode::ServFail, ResolveErrorKind::ServFail),
        (ResponseCode::Refused, ResolveErrorKind::Refused),
        (ResponseCode::NotImp, ResolveErrorKind::Refused),
        (ResponseCode::FormErr, ResolveErrorKind::Refused),
    ] {
        let server = Server::start(move |_, _| Some(Reply::code(code)));
        let lookups = Lookups::new(Arc::new(server.resolver(LONG)));
        let resolve = async |kind| lookups.lookup(&HOST.into(), kind, Duration::ZERO).await.unwrap_err();
        let error = resolve(QueryKind::Https).await;
        assert_eq!(error.kind(), kind);
        assert!((Duration::from_secs(25)..=Duration::from_secs(30)).contains(&expires_in(error.expires)));
        assert!(error.source().is_some());
        // Once more without EDNS(0).
        let asked = if matches!(code, ResponseCode::NotImp | ResponseCode::FormErr) { 2 } else { 1 };
        assert_eq!(server.queries(), (asked, 0));
        resolve(QueryKind::Https).await;
        assert_eq!(server.queries(), (asked, 0));
        // Of addresses more depends on it.
        for _ in 0..2 {
            let error = resolve(QueryKind::A).await;
            assert_eq!(error.kind(), kind);
            assert!(expires_in(error.expires) <= Duration::from_secs(5));
            assert_eq!(server.queries(), (2 * asked, 0));
        }
    }
}

#[tokio::test]
async fn there_being_no_records_is_an_answer_of_type_65() {
    for (code, kind) in
        [(ResponseCode::NXDomain, ResolveErrorKind::NxDomain), (ResponseCode::NoError, ResolveErrorKind::NoData)]
    {
        for answer in answered(move || Reply { negative_ttl: Some(20), ..Reply::code(code) }).await {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!((Duration::from_secs(15)..=Duration::from_secs(20)).contains(&expires_in(error.expires)));
            let source = error.source().unwrap().to_string();
            assert!(source.contains("HTTPS") && !source.contains("65280"), "{source}");
        }
    }
}

/// A failure counts only when every server failed; that records are malformed is what their zone says.
#[tokio::test]
async fn a_server_that_fails_hides_none_that_answers() {
    let slow = |rdata: Vec<u8>| {
        Server::start_async(move |_, _| {
            let answers = vec![https(rdata.clone())];
            Box::pin(async move {
                sleep(Duration::from_millis(30)).await;
                Some(Reply { answers, ..Reply::code(ResponseCode::NoError) })
            })
        })
    };
    for code in [ResponseCode::ServFail, ResponseCode::Refused] {
        let servers = [Server::start(move |_, _| Some(Reply::code(code))), slow(rdata(1, "svc.test.", ""))];
        let answer = resolver_of(&servers).resolve(HOST, QueryKind::Https).await.unwrap();
        assert_eq!(answer.services.len(), 1);
    }
    let mangled = || Reply { mangle: |message| message[7] += 1, ..Reply::code(ResponseCode::NoError) };
    for malformed in [slow(rdata(1, "svc.test.", "0003 0000")), Server::start(move |_, _| Some(mangled()))] {
        let started = Instant::now();
        let servers = [Server::start(|_, _| None), malformed];
        let error = resolver_of(&servers).resolve(HOST, QueryKind::Https).await.unwrap_err();
        assert_eq!(error.kind(), ResolveErrorKind::Malformed);
        assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    }
}

/// Not even on the connection that they came by.
#[tokio::test]
async fn addresses_are_untouched_by_malformed_records() {
    let server = Server::start(|query, _| {
        let mut reply = match query.query_type() {
            RecordType::HTTPS => Reply { mangle: |message| message[7] += 1, ..Reply::code(ResponseCode::NoError) },
            _ => Reply::addresses(&query, 3),
        };
        reply.needs_tcp = true;
        Some(reply)
    });
    let resolver = server.resolver(LONG);
    let started = Instant::now();
    for _ in 0..2 {
        let error = resolver.resolve(HOST, QueryKind::Https).await.unwrap_err();
        assert_eq!(error.kind(), ResolveErrorKind::Malformed);
    }
    let (aaaa, a) = tokio::join!(resolver.resolve(HOST, QueryKind::Aaaa), resolver.resolve(HOST, QueryKind::A));
    assert_eq!((aaaa.unwrap().addresses.len(), a.unwrap().addresses.len()), (3, 3));
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
}

/// Such a server ignores how much its client takes (RFC 6891 section 6.2.3).
#[tokio::test]
async fn an_answer_beyond_what_was_asked_for_is_fetched_over_tcp() {
    let (socket, listener) = server::bind();
    let addr = socket.local_addr().unwrap();
    let answers = || (0..150).map(|i| https(rdata(i + 1, "svc.test.", ""))).collect();
    let message = |request: &[u8]| {
        let request = Message::from_vec(request).unwrap();
        let reply = Reply { answers: answers(), ..Reply::code(ResponseCode::NoError) };
        respond(&request, reply).to_vec().unwrap()
    };
    let server = async {
        let mut buffer = [0; 512];
        let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
        socket.send_to(&message(&buffer[..length]), peer).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; stream.read_u16().await.unwrap().into()];
        stream.read_exact(&mut request).await.unwrap();
        let message = message(&request);
        // In pieces, as TCP may deliver it.
        let frame = [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat();
        for piece in [&frame[..1], &frame[1..3], &frame[3..500], &frame[500..]] {
            stream.write_all(piece).await.unwrap();
            sleep(Duration::from_millis(5)).await;
        }
        std::future::pending().await
    };
    let resolver = HickoryResolver::with_name_servers([addr]);
    tokio::select! {
        answer = resolver.resolve(HOST, QueryKind::Https) => assert_eq!(answer.unwrap().services.len(), 150),
        () = server => {}
    }
}
