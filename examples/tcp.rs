//! Races to a plain TCP connection, without HTTP: `cargo run --example tcp -- localhost 22`.

use std::error::Error;
use std::future::poll_fn;
use std::time::Duration;

use http::Uri;
use hyper_happy_eyeballs::HappyEyeballsConnector;
use tower_service::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(host), Some(port)) = (args.next(), args.next()) else { return Err("usage: tcp HOST PORT".into()) };
    // Any scheme but https and wss is TCP.
    let uri: Uri = format!("tcp://{host}:{port}").parse()?;

    let mut connector =
        HappyEyeballsConnector::builder().plaintext().connect_timeout(Some(Duration::from_secs(10))).build()?;
    poll_fn(|cx| connector.poll_ready(cx)).await?;
    let stream = connector.call(uri).await?;
    println!("{}", stream.report());

    // A tokio TcpStream, for whatever protocol comes next.
    let tcp = stream.into_tcp().map_err(|_| "not plain TCP")?;
    println!("{} -> {}", tcp.local_addr()?, tcp.peer_addr()?);
    Ok(())
}
