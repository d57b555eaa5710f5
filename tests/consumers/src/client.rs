//! hyper-util's client: what it tells of a connection, and what becomes of one that is no longer HTTP's.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use http::{Request, StatusCode, header};
use http_body_util::Empty;
use hyper_util::client::legacy::connect::{HttpInfo, capture_connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::host::{HOST, HTTP, HTTPS, Host, V4, client};
use crate::lab::{Behaviour, Certificate, Site};
use crate::support::connect;
use crate::{extras, report, whole};

/// Another request gets the same connection, until that is poisoned.
#[tokio::test]
async fn a_captured_connection_tells_of_itself_and_can_be_poisoned() {
    for (scheme, site, h2) in [("http", HTTP, false), ("https", HTTPS, false), ("https", HTTPS, true)] {
        let host = Host::with(site).await;
        let builder = if h2 { host.builder().enable_http2() } else { host.builder() };
        let client = client(builder.build().unwrap());
        for (poison, connections) in [(false, 1), (true, 1), (false, 2)] {
            let mut request = Request::get(host.uri(scheme)).body(Empty::new()).unwrap();
            let captured = capture_connection(&mut request);
            whole(client.request(request).await.unwrap()).await;

            let connected = captured.connection_metadata();
            let connected = connected.as_ref().expect("it is connected");
            let extras = extras(connected);
            assert_eq!(extras.get::<HttpInfo>().unwrap().remote_addr(), host.addr(V4[0]));
            assert_eq!(report(&extras).winner().unwrap().addr(), host.addr(V4[0]));
            assert_eq!(connected.is_negotiated_h2(), h2);
            assert_eq!(host.server().accepted(), connections, "{scheme}, h2 {h2}");
            if poison {
                connected.poison();
            }
        }
    }
}

/// What comes instead of a response is no failure of the connect.
#[tokio::test]
async fn an_error_after_the_connect_says_on_which_connection() {
    let host = Host::open([(V4[0], Site::Refused), (V4[1], Site::Http(Behaviour::ResetHello))]).await;
    let error = client(host.connector()).get(host.uri("http").parse().unwrap()).await.unwrap_err();
    assert!(!error.is_connect(), "{error}");
    let extras = extras(error.connect_info().expect("there was a connection"));
    assert_eq!(extras.get::<HttpInfo>().unwrap().remote_addr(), host.addr(V4[1]));
    assert_eq!(report(&extras).attempts().len(), 2);
}

/// By the client's upgrade, and by tungstenite right on a stream, TLS being the connector's.
#[tokio::test]
async fn websockets_are_spoken_over_connections() {
    let host = Host::with(Site::Refused).await;
    let connector = host.builder().resolve(HOST, [echo(&host).await]).build().unwrap();

    let request = Request::get(format!("https://{HOST}/"))
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, generate_key())
        .body(Empty::new())
        .unwrap();
    let response = client(connector.clone()).request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let upgraded = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    assert_echoes(WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await).await;

    let uri = format!("wss://{HOST}/");
    let stream = connect(&connector, &uri).await.unwrap();
    let (socket, _) = tokio_tungstenite::client_async(uri, TokioIo::new(stream)).await.unwrap();
    assert_echoes(socket).await;
}

/// A server of websockets that sends back what it gets.
async fn echo(host: &Host) -> SocketAddr {
    let mut config = host.ca.server_config(HOST, Certificate::Good);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let socket = tokio_tungstenite::accept_async(acceptor.accept(tcp).await.unwrap()).await.unwrap();
            let (sink, stream) = socket.split();
            // The client leaves without a farewell.
            let _ = stream.forward(sink).await;
        }
    });
    addr
}

async fn assert_echoes(mut socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>) {
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
}
