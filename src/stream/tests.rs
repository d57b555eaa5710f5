use std::future::poll_fn;

use hyper_util::client::legacy::connect::HttpInfo;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::*;
use crate::origin::Origin;

#[allow(dead_code)]
fn fits_every_client() {
    fn assert<T: Send + Sync + Unpin + fmt::Debug + 'static>() {}
    assert::<MaybeHttpsStream>();
    assert::<TlsInfo>();
}

async fn pair() -> (MaybeHttpsStream, TcpStream) {
    pair_with(&Config::default()).await
}

async fn pair_with(config: &Config) -> (MaybeHttpsStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let report = Report::new(Origin::from_uri(&"http://example.test/".parse().unwrap()).unwrap());
    let stream = MaybeHttpsStream::new(Transport::Tcp(TokioIo::new(tcp)), Arc::new(report), config);
    (stream, listener.accept().await.unwrap().0)
}

#[tokio::test]
async fn plain_tcp_is_read_and_written_with_vectors() {
    let (mut stream, mut peer) = pair().await;
    assert!(stream.is_write_vectored());
    let parts = [IoSlice::new(b"one "), IoSlice::new(b"write")];
    let written = poll_fn(|cx| Pin::new(&mut stream).poll_write_vectored(cx, &parts)).await.unwrap();
    assert_eq!(written, 9);
    let mut received = [0; 9];
    peer.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"one write");

    peer.try_write(b"back").unwrap();
    let mut buffer = [0; 16];
    let mut buffer = hyper::rt::ReadBuf::new(&mut buffer);
    poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, buffer.unfilled())).await.unwrap();
    assert_eq!(buffer.filled(), b"back");

    poll_fn(|cx| Pin::new(&mut stream).poll_flush(cx)).await.unwrap();
    poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx)).await.unwrap();
    assert_eq!(peer.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn responses_carry_the_addresses_and_the_report() {
    let (stream, peer) = pair().await;
    let mut extensions = http::Extensions::new();
    stream.connected().get_extras(&mut extensions);
    let info = extensions.get::<HttpInfo>().unwrap();
    assert_eq!(info.remote_addr(), peer.local_addr().unwrap());
    assert_eq!(info.local_addr(), peer.peer_addr().unwrap());
    assert!(Arc::ptr_eq(extensions.get::<Arc<Report>>().unwrap(), stream.report()));
    assert!(extensions.get::<TlsInfo>().is_none());
    assert!(!stream.connected().is_negotiated_h2());
}

#[tokio::test]
async fn responses_carry_no_report_where_none_is_wanted() {
    let (stream, peer) = pair_with(Config::default().report_in_responses(false)).await;
    let mut extensions = http::Extensions::new();
    stream.connected().get_extras(&mut extensions);
    assert!(extensions.get::<Arc<Report>>().is_none());
    assert_eq!(extensions.get::<HttpInfo>().unwrap().remote_addr(), peer.local_addr().unwrap());
    assert_eq!(stream.report().origin().scheme(), "http");
}

#[tokio::test]
async fn plain_tcp_can_be_taken_out() {
    let (stream, peer) = pair().await;
    assert!(stream.tls_info().is_none());
    let tcp = stream.into_tcp().unwrap();
    assert_eq!(tcp.local_addr().unwrap(), peer.peer_addr().unwrap());
}
