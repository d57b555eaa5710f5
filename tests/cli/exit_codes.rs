//! The exit code tells the stage that failed.

use std::process::Stdio;
use std::time::{Duration, Instant};

use hickory_server::proto::rr::RecordType;

use crate::host::{HOST, HTTP, HTTPS, Host, V4, assert_untouched, faulty};
use crate::lab::{Behaviour, Certificate, Reply, Site};
use crate::tool::{CaFile, Get, answering, run};

/// A site, the scheme, and what is expected: the code, and the stage of the JSON.
async fn assert_fails(site: Site, scheme: &str, code: i32, stage: &str) {
    let host = Host::with(site).await;
    let url = host.uri(scheme);
    // What fails by itself has the usual time for it.
    let short = if stage == "timeout" { &["--connect-timeout", "0.5"][..] } else { &[] };
    let run = Get::new(&host).run(&[short, &["--json", &url]].concat()).await;
    assert_eq!(run.code, code, "{run:?}");
    let line = run.line();
    assert_eq!(line["ok"], false);
    assert_eq!(line["error"]["stage"], stage, "{run:?}");
    assert_ne!(line["error"]["message"], "", "{run:?}");
    // With JSON all that there is to say is in it.
    assert_eq!(run.err, "");
}

#[tokio::test]
async fn a_bad_url_is_3() {
    let bad = ["www.lab.test", "ftp://www.lab.test/", "http://h:99999/", "http://", "https://u:p@h/", "http://a b/"];
    for url in bad {
        let run = run(["get", "--json", url]).await;
        assert_eq!((run.code, &run.line()["error"]["stage"]), (3, &"uri".into()), "{url}: {run:?}");
    }
}

#[tokio::test]
async fn a_name_that_is_not_resolved_is_6() {
    let host = Host::with(HTTPS).await;
    for reply in [Reply::nx_domain(), Reply::serv_fail(), Reply::refused()] {
        host.dns.set("none.lab.test", RecordType::A, reply.clone());
        host.dns.set("none.lab.test", RecordType::AAAA, reply);
        let run = Get::new(&host).run(&["--json", "https://none.lab.test/"]).await;
        assert_eq!((run.code, &run.line()["error"]["stage"]), (6, &"dns".into()), "{run:?}");
    }
}

#[tokio::test]
async fn no_address_that_connects_is_7() {
    assert_fails(Site::Refused, "https", 7, "tcp").await;
}

#[tokio::test]
async fn an_address_that_may_not_be_dialled_is_7() {
    let host = Host::with(HTTPS).await;
    let run = Get::new(&host).run(&["--public-only", "--json", &host.uri("https")]).await;
    assert_eq!((run.code, &run.line()["error"]["stage"]), (7, &"policy".into()), "{run:?}");
    assert_eq!(run.err, "");
    assert_untouched(host.server()).await;
}

#[tokio::test]
async fn a_connect_timeout_is_28() {
    let start = Instant::now();
    assert_fails(Site::Silent, "https", 28, "timeout").await;
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_failed_handshake_is_35() {
    assert_fails(faulty(Behaviour::ResetHello), "https", 35, "tls").await;
    assert_fails(faulty(Behaviour::Garbage), "https", 35, "tls").await;
}

#[tokio::test]
async fn a_failed_exchange_is_56() {
    assert_fails(Site::Http(Behaviour::Garbage), "http", 56, "http").await;
    assert_fails(Site::Http(Behaviour::Close), "http", 56, "http").await;
    let addr = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort").await;
    let run = run(["get", "--json", &format!("http://{addr}/")]).await;
    assert_eq!(run.code, 56, "{run:?}");
    assert_eq!(run.line()["http"]["body"], "short");
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_is_60() {
    for certificate in [Certificate::Expired, Certificate::OtherName, Certificate::UnknownRoot] {
        assert_fails(Site::Https(certificate, Behaviour::Serve), "https", 60, "certificate").await;
    }
}

#[tokio::test]
async fn a_status_is_no_failure() {
    let addr = answering(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy").await;
    let run = run(["get", &format!("http://{addr}/")]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("HTTP/1.1 503 Service Unavailable, 4 bytes in "), "{run:?}");
}

#[tokio::test]
async fn the_first_failure_gives_the_code_and_ends_nothing() {
    let host = Host::open([(V4[0], HTTP)]).await;
    let url = host.uri("http");
    let run = Get::new(&host).run(&["--json", &url, "http://none.test/", "bad", &url]).await;
    assert_eq!(run.code, 6, "{run:?}");
    let ok: Vec<_> = run.lines().iter().map(|line| line["ok"] == true).collect();
    assert_eq!(ok, [true, false, false, true]);
}

#[tokio::test]
async fn bad_usage_is_64_and_explained_on_stderr() {
    let (empty, broken) = (CaFile::with(""), CaFile::with("-----BEGIN CERTIFICATE-----\nx\n"));
    let url = "http://127.0.0.1/";
    let bad: &[(&[&str], &str)] = &[
        (&[], "Usage"),
        (&["frobnicate"], "unrecognized subcommand"),
        (&["get"], "<URL>"),
        (&["get", "--frobnicate", url], "--frobnicate"),
        (&["get", "--resolver", "dns.test", url], "not an IP address"),
        (&["get", "--resolver", "192.0.2.1:0", url], "port is 0"),
        (&["get", "--resolve", "h:1", url], "HOST:PORT:ADDR"),
        (&["get", "--ca-file", "/nowhere/ca.pem", url], "/nowhere/ca.pem"),
        (&["get", "--ca-file", empty.path(), url], "no certificate"),
        (&["get", "--ca-file", broken.path(), url], broken.path()),
        (&["get", "--ca-file", "x", "--insecure", url], "cannot be used with"),
        (&["get", "--connect-timeout", "0", url], "more than 0"),
        (&["get", "--strategy", "fastest", url], "possible values"),
        (&["get", "--attempt-delay", "9", url], "10.."),
        (&["get", "--strategy", "sequential", "--attempt-delay", "20", url], "sequential"),
        (&["get", "--repeat", "0", url], "1.."),
        (&["get", "--interval", "1", url], "--repeat"),
    ];
    for (args, said) in bad {
        let run = run(args.iter().copied()).await;
        assert_eq!(run.code, 64, "{args:?}: {run:?}");
        assert_eq!(run.out, "", "{args:?}");
        assert!(run.err.contains(said), "{args:?}: {run:?}");
    }
}

#[tokio::test]
async fn help_and_version_are_what_was_asked_for() {
    for (args, said) in [
        (&["--help"][..], "get"),
        (&["get", "--help"], "eyeballs get --strategy sequential https://example.org/"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let run = run(args.iter().copied()).await;
        assert!(run.code == 0 && run.out.contains(said) && run.err.is_empty(), "{args:?}: {run:?}");
    }
}

/// A reader that goes away has read enough.
#[tokio::test]
async fn a_closed_stdout_ends_quietly() {
    let host = Host::with(HTTPS).await;
    let url = host.uri("https");
    let get = Get::new(&host);
    for args in [&["--repeat", "3", &url][..], &["--json", "--repeat", "3", &url]] {
        let mut command = get.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().await.unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_stdout_that_cannot_be_written_is_said() {
    let addr = answering(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    let mut command = crate::tool::eyeballs(["get", &format!("http://{addr}/")]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert!(String::from_utf8(output.stderr).unwrap().contains("stdout cannot be written"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_interrupt_ends_it_at_once() {
    use std::os::unix::process::ExitStatusExt;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use tokio::process::Command;

    let host = Host::with(HTTPS).await;
    host.dns.set(HOST, RecordType::A, Reply::never());
    let url = host.uri("https");
    let get = Get::new(&host);
    // Whoever runs these tests in the background may have it ignored.
    let usual = get.command(&[&url]);
    let mut command = Command::new("env");
    command.arg("--default-signal=INT").arg(usual.as_std().get_program()).args(usual.as_std().get_args());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    host.dns.until_asked(HOST, RecordType::A, 1).await;
    let start = Instant::now();
    kill(Pid::from_raw(child.id().unwrap().try_into().unwrap()), Signal::SIGINT).unwrap();
    let status = child.wait().await.unwrap();
    assert_eq!(status.signal(), Some(Signal::SIGINT as i32));
    assert!(start.elapsed() < Duration::from_secs(4), "the lookup would take 5 s");
}
