//! From its start to its end, and probes that nobody waits for any more.

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::exporter::{Exporter, Gate, get, path};
use crate::host::{HTTPS, Host};
use crate::tool::run;

#[tokio::test]
async fn a_client_that_goes_away_takes_its_probe_along() {
    let host = Host::with(HTTPS).await;
    let gate = Gate::start().await;
    let exporter = Exporter::start(&host, &["--timeout", "3600", "--connect-timeout", "3600"]).await;
    let mut stream = TcpStream::connect(exporter.addr).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", path(&gate.url()));
    stream.write_all(request.as_bytes()).await.unwrap();
    // A user's, and the address on its own.
    gate.until_connections(2).await;
    assert_eq!(exporter.metrics().await.value("eyeballs_probes_running"), 1.0);
    drop(stream);
    gate.until_connections(0).await;
    exporter.until("eyeballs_probes_total{result=\"cancelled\"}", 1.0).await;
    assert_eq!(exporter.metrics().await.value("eyeballs_probes_running"), 0.0);
}

#[tokio::test]
async fn a_port_in_use_is_71_and_a_bad_address_64() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let in_use = run(["serve", "--listen", &addr]).await;
    assert_eq!((in_use.code, &*in_use.out), (71, ""), "{in_use:?}");
    assert!(in_use.err.starts_with(&format!("eyeballs: cannot listen on {addr}: ")), "{in_use:?}");
    let elsewhere = run(["serve", "--listen", "192.0.2.1:9115"]).await;
    assert_eq!(elsewhere.code, 71, "{elsewhere:?}");
    for bad in [
        &["--listen", "localhost:9115"][..],
        &["--listen", "127.0.0.1"],
        &["--listen", "127.0.0.1:99999"],
        &["--max-probes", "0"],
        &["--timeout", "0"],
        &["--allow-private", "--public-only"],
        &["https://example.org/"],
    ] {
        let run = run(["serve"].iter().chain(bad).copied()).await;
        assert_eq!((run.code, &*run.out), (64, ""), "{bad:?}: {run:?}");
    }
}

#[tokio::test]
async fn help_has_examples_and_exit_codes() {
    let run = run(["serve", "--help"]).await;
    assert_eq!(run.code, 0);
    for said in ["curl 'http://127.0.0.1:9115/probe?target=https://example.org/'", "Exit codes:", "--max-probes <N>"] {
        assert!(run.out.contains(said), "{}", run.out);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_signal_ends_it_once_probes_are_answered() {
    use nix::sys::signal::Signal;

    let host = Host::with(HTTPS).await;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let gate = Gate::start().await;
        let mut exporter = Exporter::start(&host, &["--timeout", "3600", "--connect-timeout", "3600"]).await;
        let probe = tokio::spawn(get(exporter.addr, path(&gate.url())));
        gate.until_connections(2).await;
        exporter.signal(signal);
        while TcpStream::connect(exporter.addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
        gate.open();
        assert_eq!(probe.await.unwrap().metrics().value("probe_success"), 1.0);
        assert_eq!(exporter.ended().await, Some(0), "{signal}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn probes_without_an_end_do_not_keep_it() {
    let host = Host::with(HTTPS).await;
    let gate = Gate::start().await;
    let mut exporter = Exporter::start(&host, &["--timeout", "3600", "--connect-timeout", "3600"]).await;
    let mut stream = TcpStream::connect(exporter.addr).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", path(&gate.url()));
    stream.write_all(request.as_bytes()).await.unwrap();
    gate.until_connections(2).await;
    exporter.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(exporter.ended().await, Some(0));
}
