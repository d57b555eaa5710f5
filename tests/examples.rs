//! The examples do what they say. `cargo test` builds them beside this test.

mod lab;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::Stdio;

use lab::{Ca, Site, Sites};
use tokio::process::Command;

/// What an example printed on stdout and stderr.
async fn run(name: &str, args: &[&str], vars: &[(&str, &str)]) -> (String, String) {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.extend(["examples", name]);
    let output = Command::new(&path)
        .args(args)
        .envs(vars.iter().copied())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap_or_else(|error| panic!("{}: {error}; a whole `cargo test` builds the examples", path.display()));
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{name} {args:?}: {}\n{out}{err}", output.status);
    (out, err)
}

/// `get` fetches over TLS from a server whose root it finds where the system's verifier looks, and draws the race.
#[tokio::test]
async fn get_fetches_a_page_and_draws_the_race() {
    let ca = Ca::new();
    let sites = Sites::open(&ca, "localhost", [(IpAddr::V4(Ipv4Addr::LOCALHOST), Site::GOOD)]).await.unwrap();
    let roots = std::env::temp_dir().join(format!("happy-eyeballs-roots-{}.pem", std::process::id()));
    std::fs::write(&roots, ca.pem()).unwrap();
    let url = format!("https://localhost:{}/", sites.port());
    let (body, drawing) = run("get", &[&url], &[("SSL_CERT_FILE", roots.to_str().unwrap())]).await;
    std::fs::remove_file(roots).unwrap();
    assert!(body.contains("127.0.0.1"), "{body}");
    assert!(drawing.contains(&format!("connected to 127.0.0.1:{}", sites.port())), "{drawing}");
    assert!(drawing.contains("HTTP/2.0 200 OK"), "{drawing}");
}

#[tokio::test]
async fn tcp_races_to_a_stream() {
    let ca = Ca::new();
    let sites = Sites::open(&ca, "localhost", [(IpAddr::V4(Ipv4Addr::LOCALHOST), Site::GOOD)]).await.unwrap();
    let (text, _) = run("tcp", &["localhost", &sites.port().to_string()], &[]).await;
    assert!(text.contains(&format!("-> 127.0.0.1:{}", sites.port())), "{text}");
}

#[tokio::test]
async fn custom_resolver_does_not_wait_for_a_slow_family() {
    let (text, _) = run("custom_resolver", &[], &[]).await;
    assert!(text.contains("connected to 127.0.0.1:"), "{text}");
    assert!(text.contains("unanswered"), "{text}");
    assert!(text.contains("dns error: nobody.test"), "{text}");
}
