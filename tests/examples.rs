//! The examples do what they say. `cargo test` builds them beside this test.

mod lab;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::{Output, Stdio};

use lab::{Ca, Site, Sites};
use tokio::process::Command;

async fn output_of(name: &str, args: &[&str], vars: &[(&str, &str)]) -> Output {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.extend(["examples", name]);
    Command::new(&path)
        .args(args)
        .envs(vars.iter().copied())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap_or_else(|error| panic!("{}: {error}; a whole `cargo test` builds the examples", path.display()))
}

/// What an example printed on stdout and stderr.
async fn run(name: &str, args: &[&str], vars: &[(&str, &str)]) -> (String, String) {
    let output = output_of(name, args, vars).await;
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

/// Redirects, coding, retries and the timeout, each with what would not come of it were it not there.
#[tokio::test]
async fn reqwest_style_does_what_a_client_should() {
    let (text, _) = run("reqwest_style", &[], &[]).await;
    let scenes: Vec<_> = text.split("\n== ").skip(1).collect();
    let [redirects, codings, inside, retries, timeouts] = scenes[..] else { panic!("{text}") };

    assert_eq!(
        told(redirects),
        [
            "GET http://old.test/to?https://new.test/to?/echo: HTTP/1.1 307 Temporary Redirect, zstd",
            "GET https://new.test/to?/echo: HTTP/2.0 307 Temporary Redirect, zstd",
            "GET https://new.test/echo: HTTP/2.0 200 OK, zstd",
            r#"=> Echo { path: "/echo", authorization: None, body: Null }"#,
            "POST http://old.test/to?https://new.test/echo: HTTP/1.1 307 Temporary Redirect, zstd",
            "POST https://new.test/echo: HTTP/2.0 200 OK, zstd",
            r#"=> Echo { path: "/echo", authorization: None, body: Object {"order": Number(1)} }"#,
        ]
    );
    assert!(redirects.contains("http://old.test:80: connected to 127.0.0.9:"), "{redirects}");
    assert!(redirects.contains("https://new.test:443: connected to 127.0.0.9:"), "{redirects}");
    assert!(redirects.contains("cancelled, TCP unanswered"), "{redirects}");

    let expected = ["gzip", "deflate", "br", "zstd"].map(|coding| {
        [
            format!("GET https://new.test/to?/echo: HTTP/2.0 307 Temporary Redirect, {coding}"),
            format!("GET https://new.test/echo: HTTP/2.0 200 OK, {coding}"),
            r#"=> Echo { path: "/echo", authorization: Some("Bearer secret"), body: Null }"#.to_owned(),
        ]
    });
    let mut expected = expected.concat();
    expected.push("GET https://new.test/bomb: HTTP/2.0 200 OK, zstd".to_owned());
    expected.push("=> length limit exceeded".to_owned());
    assert_eq!(told(codings), expected);

    let results: Vec<_> = inside.lines().filter(|line| line.starts_with("=> ")).collect();
    let [by_name, by_address, by_scheme, endless] = results[..] else { panic!("{inside}") };
    for denied in [by_name, by_address] {
        assert!(denied.contains("every address is denied") && denied.contains("127.0.0.10 is loopback"), "{denied}");
    }
    assert_eq!((by_scheme, endless), ("=> a redirect to ftp://new.test/", "=> too many redirects"));
    assert_eq!(inside.matches("GET https://new.test/maze: ").count(), 11);
    assert!(inside.contains("\nconnections inside: 0\n"), "{inside}");
    assert_eq!(inside.matches("GET http://inside.test/: ").count(), 1, "what is denied is not tried again: {inside}");

    let hung_up = "client error (SendRequest): connection closed before message completed";
    assert_eq!(
        told(retries),
        [
            "GET https://new.test/busy: HTTP/2.0 503 Service Unavailable, zstd",
            "GET https://new.test/busy: HTTP/2.0 200 OK, zstd",
            r#"=> Echo { path: "/busy", authorization: None, body: Null }"#,
            "POST https://new.test/busy: HTTP/2.0 503 Service Unavailable, zstd",
            "=> the server says 503 Service Unavailable",
            &format!("GET http://old.test/hang-up: {hung_up}"),
            "GET http://old.test/hang-up: HTTP/1.1 200 OK, zstd",
            r#"=> Echo { path: "/hang-up", authorization: None, body: Null }"#,
            &format!("POST http://old.test/hang-up: {hung_up}"),
            &format!("=> {hung_up}"),
            "GET https://new.test/down: HTTP/2.0 503 Service Unavailable, zstd",
            "GET https://new.test/down: HTTP/2.0 503 Service Unavailable, zstd",
            "GET https://new.test/down: HTTP/2.0 503 Service Unavailable, zstd",
            "=> the server says 503 Service Unavailable",
            "POST https://new.test/down: HTTP/2.0 503 Service Unavailable, zstd",
            "=> the server says 503 Service Unavailable",
            "GET https://new.test/later: HTTP/2.0 503 Service Unavailable, zstd",
            "=> the server says 503 Service Unavailable",
            "POST https://new.test/later: HTTP/2.0 503 Service Unavailable, zstd",
            "=> the server says 503 Service Unavailable",
        ]
    );

    // How far it got until then hangs on the machine.
    let results: Vec<_> = timeouts.lines().filter(|line| line.starts_with("=> ")).collect();
    assert_eq!(results, ["=> timed out after 500ms"; 3], "{timeouts}");
}

/// The exchanges and results of a scene, without the addresses.
fn told(scene: &str) -> Vec<&str> {
    let lines = scene.lines().filter(|line| ["GET ", "POST ", "=> "].iter().any(|start| line.starts_with(start)));
    lines.map(|line| line.split_once(", from ").map_or(line, |(line, _)| line)).collect()
}

#[tokio::test]
async fn reqwest_style_fetches_nothing_from_inside() {
    let output = output_of("reqwest_style", &["http://127.0.0.1/"], &[]).await;
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && err.contains("127.0.0.1 is loopback (RFC 1122)"), "{err}");
}
