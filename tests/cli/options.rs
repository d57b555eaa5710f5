//! Each option has an effect.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hickory_server::proto::rr::RecordType;

use crate::host::{HOST, HTTP, HTTPS, Host, V4, assert_untouched};
use crate::lab::{Behaviour, Ca, Certificate, HttpsRecord, Loopback, Reply, Site};
use crate::tool::{CaFile, Get, eyeballs, output, run};

#[tokio::test]
async fn a_family_alone_is_asked_for_and_dialled() {
    if Loopback::detect().await == Loopback::Ipv4Only {
        return;
    }
    let v6 = Loopback::Both.first();
    let host = Host::open([(v6, HTTPS), (V4[0], HTTPS)]).await;
    let (resolver, ca_file) = (host.dns.addr().to_string(), CaFile::new(&host.ca));
    for (option, ip, other) in [("-4", V4[0], RecordType::AAAA), ("-6", v6, RecordType::A)] {
        host.dns.clear_log();
        let url = host.uri("https");
        let line =
            run(["get", option, "--resolver", &resolver, "--ca-file", ca_file.path(), "--json", &url]).await.line();
        assert_eq!(line["remote_addr"], host.addr(ip).to_string());
        assert_eq!(host.dns.asked(HOST, other), 0);
    }
}

#[tokio::test]
async fn addresses_of_the_user_are_for_their_host_and_port() {
    let host = Host::open([(V4[0], HTTP), (V4[1], HTTP)]).await;
    let other = Host::open([(V4[0], HTTP)]).await;
    let rule = format!("WWW.lab.test.:{}:{}", host.sites.port(), V4[1]);
    let (url, other_url) = (host.uri("http"), other.uri("http"));
    let run = Get::new(&host).run(&["--resolve", &rule, "--json", &url]).await;
    assert_eq!(run.line()["remote_addr"], host.addr(V4[1]).to_string(), "{run:?}");
    assert_eq!(run.line()["queries"][0]["type"], "addresses", "{run:?}");
    assert_eq!(host.dns.log().len(), 0);
    let run = Get::new(&host).run(&["--resolve", &rule, "--json", &other_url]).await;
    assert_eq!(run.line()["remote_addr"], other.addr(V4[0]).to_string(), "{run:?}");
    assert!(host.dns.asked(HOST, RecordType::A) > 0);
}

#[tokio::test]
async fn several_addresses_of_the_user_are_raced() {
    let host = Host::open([(V4[0], Site::Refused), (V4[1], HTTP), (V4[2], Site::Refused)]).await;
    let port = host.sites.port();
    let (one, more) = (format!("{HOST}:{port}:{}", V4[0]), format!("{HOST}:{port}:{},{}", V4[2], V4[1]));
    let run = Get::new(&host).run(&["--resolve", &one, "--resolve", &more, "--json", &host.uri("http")]).await;
    let attempts = run.line()["attempts"].as_array().unwrap().len();
    assert_eq!((attempts, &run.line()["remote_addr"]), (3, &host.addr(V4[1]).to_string().into()), "{run:?}");
}

#[tokio::test]
async fn roots_are_the_systems_or_those_of_the_file_or_any() {
    let host = Host::with(HTTPS).await;
    let (resolver, url) = (host.dns.addr().to_string(), host.uri("https"));
    let (ca_file, other) = (CaFile::new(&host.ca), CaFile::new(&Ca::new()));
    let get = async |options: &[&str]| {
        let mut command = eyeballs(["get", "-4", "--resolver", &resolver, "--quiet", &url]);
        // Where the system's verifier looks, on Linux.
        command.args(options).env("SSL_CERT_FILE", other.path());
        output(command).await.code
    };
    if cfg!(target_os = "linux") {
        assert_eq!(get(&[]).await, 60);
    }
    assert_eq!(get(&["--ca-file", other.path()]).await, 60);
    assert_eq!(get(&["--ca-file", ca_file.path()]).await, 0);
    assert_eq!(get(&["--insecure"]).await, 0);
}

#[tokio::test]
async fn insecure_takes_any_certificate() {
    for certificate in [Certificate::Expired, Certificate::OtherName, Certificate::UnknownRoot] {
        let host = Host::with(Site::Https(certificate, Behaviour::Serve)).await;
        let resolver = host.dns.addr().to_string();
        let run = run(["get", "-4", "--resolver", &resolver, "--insecure", &host.uri("https")]).await;
        assert_eq!(run.code, 0, "{run:?}");
    }
}

#[tokio::test]
async fn http1_alone_is_offered() {
    let host = Host::with(HTTPS).await;
    let both = Get::new(&host).json(&[]).await;
    assert_eq!(both["http"]["version"], "HTTP/2");
    assert_eq!(host.server().hello().await.alpn, ["h2", "http/1.1"]);
    host.server().forget();
    let one = Get::new(&host).json(&["--http1"]).await;
    assert_eq!(one["http"]["version"], "HTTP/1.1");
    assert_eq!(host.server().hello().await.alpn, ["http/1.1"]);
    let authority = format!("{HOST}:{}", host.sites.port());
    assert_eq!(host.server().connections()[0].authority.as_deref(), Some(&*authority));
}

#[tokio::test]
async fn https_records_are_followed_unless_told_otherwise() {
    let host = Host::with(Site::Refused).await;
    let elsewhere = Host::open([(V4[1], HTTPS)]).await;
    let moved = HttpsRecord::new(1, "svc.lab.test").port(elsewhere.sites.port());
    host.dns.set(&host.https_name(), RecordType::HTTPS, Reply::records([moved.into()]));
    host.dns.set("svc.lab.test", RecordType::A, Reply::a([Ipv4Addr::new(127, 0, 0, 9)]));
    let roots = CaFile::new(&elsewhere.ca);
    let (resolver, url) = (host.dns.addr().to_string(), host.uri("https"));
    let get = async |options: &[&str]| {
        let mut command = eyeballs(["get", "-4", "--resolver", &resolver, "--ca-file", roots.path(), &url]);
        command.args(options);
        output(command).await
    };
    let followed = get(&[]).await;
    assert_eq!(followed.code, 0, "{followed:?}");
    assert!(followed.out.contains(&format!("connected to {}", elsewhere.addr(V4[1]))), "{followed:?}");
    assert!(followed.out.contains("won, of svc.lab.test"), "{followed:?}");
    host.dns.clear_log();
    assert_eq!(get(&["--no-https-records"]).await.code, 7);
    assert_eq!(host.dns.asked(&host.https_name(), RecordType::HTTPS), 0);
}

/// The name server is on loopback, and is asked all the same.
#[tokio::test]
async fn private_addresses_are_dialled_unless_told_otherwise() {
    let host = Host::with(HTTP).await;
    let (url, port) = (host.uri("http"), host.sites.port());
    let literals = [host.addr(V4[0]).to_string(), format!("[::ffff:127.0.0.8]:{port}"), format!("0.0.0.0:{port}")];
    let literals = literals.map(|authority| format!("http://{authority}/"));
    let rule = format!("{HOST}:{port}:{}", V4[0]);
    let get = Get::new(&host);
    for args in [&[&*url][..], &[&literals[0]], &[&literals[1]], &[&literals[2]], &["--resolve", &rule, &url]] {
        let args: Vec<_> = ["--public-only", "--json"].iter().chain(args).copied().collect();
        let run = get.run(&args).await;
        assert_eq!((run.code, &run.line()["error"]["stage"]), (7, &"policy".into()), "{args:?}: {run:?}");
        let denied = run.line()["attempts"].as_array().unwrap().iter().all(|it| it["outcome"] == "denied");
        assert!(denied, "{args:?}: {run:?}");
    }
    assert!(host.dns.asked(HOST, RecordType::A) > 0);
    assert_untouched(host.server()).await;
    assert_eq!(get.run(&[&url]).await.code, 0);
}

#[tokio::test]
async fn an_http_url_stays_http_whatever_records_there_are() {
    let host = Host::with(HTTP).await;
    for name in [HOST, &host.https_name()] {
        host.dns.set(name, RecordType::HTTPS, Reply::records([HttpsRecord::new(1, HOST).into()]));
    }
    let run = Get::new(&host).run(&[&host.uri("http")]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(host.server().requests(), 1);
}

#[tokio::test]
async fn repetitions_have_fresh_connections_from_one_connector() {
    let host = Host::with(HTTPS).await;
    let start = Instant::now();
    let run = Get::new(&host).run(&["--json", "--repeat", "3", "--interval", "0.2", &host.uri("https")]).await;
    assert!(start.elapsed() >= Duration::from_millis(400));
    assert_eq!(run.code, 0, "{run:?}");
    let resumed: Vec<_> = run.lines().iter().map(|line| line["tls"]["resumed"] == true).collect();
    assert_eq!(resumed, [false, true, true]);
    assert_eq!(host.server().accepted(), 3);
    // Once, or once more where the answer was late, but not each time.
    assert!((1..3).contains(&host.dns.asked(HOST, RecordType::A)));
}

#[tokio::test]
async fn repetitions_go_round_the_urls() {
    let host = Host::with(HTTP).await;
    let urls = ["a", "b"].map(|path| host.uri("http") + path);
    let run = Get::new(&host).run(&["--json", "--repeat", "2", &urls[0], &urls[1]]).await;
    let fetched: Vec<_> = run.lines().iter().map(|line| line["url"].as_str().unwrap().to_owned()).collect();
    assert_eq!(fetched, [&*urls[0], &urls[1], &urls[0], &urls[1]]);
}

#[tokio::test]
async fn quiet_leaves_the_exit_code() {
    let host = Host::with(HTTPS).await;
    let url = host.uri("https");
    for (url, code) in [(&*url, 0), ("https://none.test/", 6), ("nonsense", 3)] {
        let run = Get::new(&host).run(&["--quiet", url]).await;
        assert_eq!((run.code, &*run.out, &*run.err), (code, "", ""), "{url}");
    }
    let run = Get::new(&host).run(&["--quiet", "--json", &url]).await;
    assert_eq!((run.lines().len(), &*run.err), (1, ""));
}

/// With a CA file and without any check too: what the tool sets up itself can do ECH. A real server of it is in `tests/ech/`.
#[tokio::test]
async fn ech_may_be_greased_or_required() {
    let host = Host::with(HTTPS).await;
    let get = Get::new(&host);
    assert_eq!(get.json(&[]).await["tls"]["ech"], "not offered");
    let line = get.json(&["--ech", "grease"]).await;
    assert_eq!((line["tls"]["ech"].as_str(), line["http"]["status"].as_u64()), (Some("grease"), Some(200)), "{line}");
    let line = get.json(&["--ech", "required"]).await;
    assert_eq!(line["error"]["stage"], "tls", "{line}");
    let message = line["error"]["message"].as_str().unwrap();
    assert!(message.contains("no HTTPS record has an ECH configuration"), "{message}");
    assert_eq!(line["attempts"].as_array().unwrap().len(), 0, "{line}");
}
