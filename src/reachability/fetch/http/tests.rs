//! Against servers that are a few bytes, under a paused clock.

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

/// Fetches from a server that sends `answer` and then what `more` says.
async fn fetch<F: Future<Output = ()> + Send + 'static>(
    url: &str,
    answer: &'static str,
    more: impl FnOnce(DuplexStream) -> F + Send + 'static,
) -> (Exchange, String) {
    fetch_within(Limits::default(), url, answer, more).await
}

async fn fetch_within<F: Future<Output = ()> + Send + 'static>(
    limits: Limits,
    url: &str,
    answer: &'static str,
    more: impl FnOnce(DuplexStream) -> F + Send + 'static,
) -> (Exchange, String) {
    let (near, mut far) = duplex(1 << 16);
    let server = tokio::spawn(async move {
        let mut request = vec![0; 4096];
        let length = far.read(&mut request).await.unwrap();
        request.truncate(length);
        far.write_all(answer.as_bytes()).await.unwrap();
        let more = tokio::spawn(more(far));
        (String::from_utf8(request).unwrap(), more)
    });
    let uri: Uri = url.parse().unwrap();
    let origin = Origin::from_uri(&uri).unwrap();
    let exchange = get(TokioIo::new(near), Protocol::Http1, &uri, &origin, Instant::now(), limits).await;
    let (request, more) = server.await.unwrap();
    more.abort();
    (exchange, request)
}

/// Keeps the connection open and says nothing.
async fn stall(stream: DuplexStream) {
    let _stream = stream;
    std::future::pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn the_request_names_the_host_as_servers_expect_it() {
    let hosts = [
        ("http://h.test/a?b#c", "h.test", "/a?b"),
        ("http://h.test:80", "h.test", "/"),
        ("https://h.test:8443/", "h.test:8443", "/"),
        ("https://[2001:db8::1]/", "[2001:db8::1]", "/"),
    ];
    for (url, host, path) in hosts {
        let (exchange, request) = fetch(url, "HTTP/1.1 204 No Content\r\n\r\n", stall).await;
        assert!(exchange.error.is_none(), "{exchange:?}");
        let request = request.to_lowercase();
        assert!(request.starts_with(&format!("get {path} http/1.1\r\n")), "{request}");
        assert!(request.contains(&format!("\r\nhost: {host}\r\n")), "{request}");
        assert!(request.contains("\r\nuser-agent: eyeballs/"), "{request}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_has_30_s_for_each_sign_of_life() {
    let (exchange, _) = fetch("http://h.test", "", stall).await;
    assert!(exchange.response.is_none());
    assert!(exchange.error.unwrap().is_timeout());

    let (exchange, _) = fetch("http://h.test", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123", stall).await;
    assert_eq!(exchange.response.unwrap().body, b"123");
    assert!(exchange.error.unwrap().is_timeout());

    let slow = |mut stream: DuplexStream| async move {
        for part in ["4", "5", "6"] {
            tokio::time::sleep(Duration::from_secs(29)).await;
            stream.write_all(part.as_bytes()).await.unwrap();
        }
    };
    let start = Instant::now();
    let (exchange, _) = fetch("http://h.test", "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n123", slow).await;
    assert!(exchange.error.is_none(), "{exchange:?}");
    assert!(start.elapsed() >= Duration::from_secs(87));
}

#[tokio::test(start_paused = true)]
async fn a_body_is_counted_whole_and_kept_in_part() {
    for length in [KEPT - 1, KEPT, KEPT + 1, 5000] {
        let send = move |mut stream: DuplexStream| async move { stream.write_all(&vec![b'x'; length]).await.unwrap() };
        let (exchange, _) = fetch("http://h.test", "HTTP/1.1 200 OK\r\n\r\n", send).await;
        let response = exchange.response.unwrap();
        assert_eq!((response.body.len(), response.body_bytes), (length.min(KEPT), length as u64));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_may_be_as_long_as_the_limit() {
    for (body, is_too_long) in [("1234", false), ("12345", true)] {
        let limits = Limits { body: 4, ..Limits::default() };
        let send = move |mut stream: DuplexStream| async move { stream.write_all(body.as_bytes()).await.unwrap() };
        let (exchange, _) = fetch_within(limits, "http://h.test", "HTTP/1.1 200 OK\r\n\r\n", send).await;
        assert_eq!(matches!(exchange.error, Some(HttpError(Cause::TooLong(4)))), is_too_long, "{exchange:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_without_end_is_given_up() {
    let send = |mut stream: DuplexStream| async move { while stream.write_all(&[b'x'; 1 << 16]).await.is_ok() {} };
    let (exchange, _) = fetch("http://h.test", "HTTP/1.1 200 OK\r\n\r\n", send).await;
    assert!(matches!(exchange.error, Some(HttpError(Cause::TooLong(_)))), "{exchange:?}");
    assert!(exchange.response.unwrap().body_bytes > Limits::default().body);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_an_error() {
    let close = |stream| async move { drop(stream) };
    let (exchange, _) = fetch("http://h.test", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123", close).await;
    assert_eq!(exchange.response.unwrap().body_bytes, 3);
    assert!(!exchange.error.unwrap().is_timeout());
}

#[tokio::test(start_paused = true)]
async fn of_a_body_that_is_not_wanted_only_the_length_is_told() {
    let limits = Limits::head(Duration::from_secs(1));
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123";
    let (exchange, _) = fetch_within(limits, "http://h.test", answer, stall).await;
    assert!(exchange.error.is_none(), "{exchange:?}");
    let response = exchange.response.unwrap();
    assert_eq!((response.content_length, response.body_bytes), (Some(9), 0));
}
