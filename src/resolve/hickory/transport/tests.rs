//! Sockets that carry something else; what carries DNS is tested by lookups.

use std::future::poll_fn;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;
use crate::resolve::hickory::tests::vectors::response;
use crate::resolve::hickory::wire::OPAQUE;

/// Messages that would be changed in both directions.
fn messages() -> [Vec<u8>; 2] {
    [response("0100", OPAQUE.into(), &[]), response("8180", 65, &["c00c 0041"])]
}

/// A frame of TCP around a message.
fn frame(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

async fn read(stream: &mut Tcp, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        // Byte by byte, which nobody may rely on not to happen.
        let buf = &mut bytes[filled..=filled];
        filled += poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, buf)).await.unwrap();
    }
    bytes
}

async fn write(stream: &mut Tcp, bytes: &[u8]) {
    for byte in bytes.chunks(1) {
        assert_eq!(poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, byte)).await.unwrap(), 1);
    }
    poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await.unwrap();
}

async fn tcp(carry_dns: bool) -> (Tcp, tokio::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sockets = Sockets::new(carry_dns);
    let connecting = sockets.connect_tcp(listener.local_addr().unwrap(), None, None);
    let (client, server) = tokio::join!(connecting, listener.accept());
    (client.unwrap(), server.unwrap().0)
}

#[tokio::test]
async fn tcp_carries_frames_however_they_are_cut() {
    let (mut client, mut server) = tcp(true).await;
    let [request, response] = messages().map(|message| frame(&message));

    // The second is behind the first before anybody has read that.
    write(&mut client, &[&request[..], &request].concat()).await;
    let mut received = vec![0; 2 * request.len()];
    server.read_exact(&mut received).await.unwrap();
    let mut sent = messages()[0].clone();
    wire::request(&mut sent);
    assert_eq!(received, frame(&sent).repeat(2));

    server.write_all(&response.repeat(2)).await.unwrap();
    let mut read_as = messages()[1].clone();
    let length = wire::response(&mut read_as, false);
    let read_as = frame(&read_as[..length]);
    assert_eq!(read(&mut client, 2 * read_as.len()).await, read_as.repeat(2));

    // The end within a frame is the end.
    server.write_all(&response[..5]).await.unwrap();
    drop(server);
    assert_eq!(poll_fn(|cx| Pin::new(&mut client).poll_read(cx, &mut [0; 9])).await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_not_dns_passes_unchanged() {
    let (mut client, mut server) = tcp(false).await;
    for message in messages() {
        let frame = frame(&message);
        write(&mut client, &frame[..5]).await;
        write(&mut client, &frame[5..]).await;
        let mut received = vec![0; frame.len()];
        server.read_exact(&mut received).await.unwrap();
        assert_eq!(received, frame);
        server.write_all(&frame).await.unwrap();
        assert_eq!(read(&mut client, frame.len()).await, frame);
    }

    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (local, peer) = ("127.0.0.1:0".parse().unwrap(), server.local_addr().unwrap());
    let client = Sockets::new(false).bind_udp(local, peer).await.unwrap();
    for message in messages() {
        let mut buffer = [0; 512];
        client.send_to(&message, peer).await.unwrap();
        let (length, from) = server.recv_from(&mut buffer).await.unwrap();
        assert_eq!(buffer[..length], message);
        server.send_to(&message, from).await.unwrap();
        let (length, _) = client.recv_from(&mut buffer).await.unwrap();
        assert_eq!(buffer[..length], message);
    }
}
