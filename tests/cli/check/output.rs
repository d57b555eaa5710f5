//! What people read.

use futures_util::future::join_all;
use hickory_server::proto::rr::RecordType;
use hickory_server::proto::rr::rdata::CNAME;
use hickory_server::proto::rr::{Name, RData};

use crate::host::{HOST, HTTPS, Host, V4};
use crate::lab::{Reply, Site};
use crate::output::masked;
use crate::tool::{Get, Run, output, run};

/// An address that is silent, one that serves, and a name with an alias.
async fn degraded() -> Host {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], HTTPS)]).await;
    let target: Name = "edge.lab.test.".parse().unwrap();
    let addresses = Reply::records([RData::CNAME(CNAME(target))]);
    let [one, two] = [[127, 0, 0, 8], [127, 0, 0, 9]].map(|ip| RData::A(std::net::Ipv4Addr::from(ip).into()));
    host.dns.set(HOST, RecordType::A, addresses.with("edge.lab.test.", one).with("edge.lab.test.", two));
    host
}

async fn drawn(host: &Host, vars: &[(&str, &str)], args: &[&str]) -> Run {
    let get = Get::new(host);
    let mut command = get.command_of("check", &[&["--connect-timeout", "2", "--no-ping"], args].concat());
    command.envs(vars.iter().copied());
    output(command).await
}

#[tokio::test]
async fn a_check_is_drawn() {
    let host = degraded().await;
    let run = drawn(&host, &[("COLUMNS", "200")], &[&host.uri("https")]).await;
    assert_eq!((run.code, &*run.err), (1, ""), "{run:?}");
    // Seconds of the TTL may have passed, and the winner's TCP be long enough to be seen.
    let whole = |line: String| (50..60).fold(line, |line, left| line.replace(&format!(" {left} s"), " 60 s"));
    let lines = masked(&run.out, host.sites.port()).into_iter();
    let lines: Vec<_> = lines.map(|line| whole(line).replace("━█", "█")).collect();
    let verdict = "degraded https://www.lab.test:PORT/ 127.0.0.8 silent (filtered): nothing came for 2 s; \
                   each new connection loses: this connector ";
    assert!(lines[0].starts_with(verdict), "{}", run.out);
    assert!(lines[0].ends_with(" ms, RFC 6555 clients > 5 s, sequential clients > 5 s"), "{}", run.out);
    let expected = [
        "",
        "DNS name time TTL",
        "HTTPS www.lab.test T - no such name",
        "AAAA www.lab.test T - no records",
        "A www.lab.test T 60 s CNAME edge.lab.test",
        "127.0.0.8 127.0.0.9",
        "",
        "Address status TCP TLS server ping",
        "127.0.0.8 silent (filtered) - - - - nothing came for 2 s",
        "PTR localhost, from 127.0.0.1",
        "127.0.0.9 200 T T T - certificate www.lab.test until 4096-01-01, PTR localhost, from 127.0.0.1",
        "",
        "A user's connect SCALE",
        "HTTPS www.lab.test T T│─│no such name",
        "AAAA www.lab.test T T│─│no records",
        "A www.lab.test T T│─│127.0.0.8 127.0.0.9",
        "127.0.0.8 T T│━│TCP unanswered",
        "127.0.0.9 T T│█│✓ won",
        "request T T│░│first byte",
        "TLSv1.3, TLS_AES_256_GCM_SHA384, ALPN h2, certificate valid until 4096-01-01",
        "HTTP/2 200 OK",
        "",
        "Cost if this connector RFC 6555 client sequential client",
        "as it is T ms > 5 s > 5 s",
        "",
        "note no AAAA: IPv6-only users cannot reach it unless their network translates",
    ];
    assert_eq!(lines[1..], expected, "{}", run.out);
}

#[tokio::test]
async fn of_several_only_those_at_fault_have_details() {
    let (good, bad) = (Host::with(HTTPS).await, degraded().await);
    let (ok, url) = (good.uri("https"), format!("http://127.0.0.8:{}/", bad.sites.port()));
    let run = drawn(&good, &[], &["--no-drill", &ok, "bad", &ok, &url, &ok]).await;
    let blocks: Vec<Vec<_>> = run.out.split("\n\n").map(|block| block.lines().collect()).collect();
    assert!(blocks[0][0].starts_with(&format!("ok        {ok}  IPv4 only, 1 address; connected to 127.0.0.8 in ")));
    assert!(blocks[0][1].starts_with("note      no AAAA"), "{run:?}");
    assert!(blocks[0][2].starts_with("down      bad"), "{run:?}");
    let heads: Vec<_> = blocks.iter().map(|block| block[0].split(' ').next().unwrap()).collect();
    assert_eq!(heads, ["ok", "down", "Address", "A", "ok"], "{}", run.out);
    let verbose = drawn(&good, &[], &["--no-drill", "--verbose", &ok, &ok]).await;
    assert_eq!(verbose.out.matches("\nAddress").count(), 2, "{}", verbose.out);
}

#[tokio::test]
async fn a_url_without_a_scheme_is_told_what_to_write() {
    for url in ["example.org", "example.org/path?q", "localhost:8080"] {
        let run = run(["check", url]).await;
        let expected = format!("bad URL: it has no scheme, http:// or https://: write https://{url}\n");
        assert!(run.out.starts_with("down      ") && run.out.ends_with(&expected), "{run:?}");
        assert_eq!((run.code, &*run.err), (2, ""));
    }
}

#[tokio::test]
async fn colour_is_only_where_it_is_wanted() {
    let host = Host::with(HTTPS).await;
    let url = host.uri("https");
    for (vars, options, wanted) in [
        (&[][..], &[][..], false),
        (&[("CLICOLOR_FORCE", "1")], &[], true),
        (&[("CLICOLOR_FORCE", "1")], &["--no-color"], false),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[], false),
    ] {
        let run = drawn(&host, vars, &[options, &[&url]].concat()).await;
        assert_eq!(run.out.contains('\x1b'), wanted, "{vars:?} {options:?}: {run:?}");
    }
    let run = drawn(&host, &[("CLICOLOR_FORCE", "1")], &[&url]).await;
    assert!(run.out.starts_with("\x1b[1m\x1b[32mok"), "{run:?}");
}

#[tokio::test]
async fn a_locale_without_utf8_gets_ascii() {
    let host = degraded().await;
    let run = drawn(&host, &[("LC_ALL", "C")], &[&host.uri("https")]).await;
    assert!(run.out.is_ascii() && run.out.contains("silent (filtered)"), "{}", run.out);
}

/// Denied, so that nothing is sent to it.
const LONG: &str = "2001:db8:1111:2222:3333:4444:5555:6666";

#[tokio::test]
async fn no_line_is_wider_than_the_columns_and_no_address_is_cut() {
    let host = degraded().await;
    let url = host.uri("https");
    let long = format!("{HOST}:{}:{LONG},127.0.0.9", host.sites.port());
    let (host, url, denied) = (&host, &*url, ["--public-only", "--resolve", &long]);
    let options = [&[][..], &denied];
    let runs = ["60", "80", "120", "200"].into_iter().flat_map(|columns| {
        options.into_iter().map(move |options| async move {
            let run = drawn(host, &[("COLUMNS", columns)], &[options, &[url]].concat()).await;
            let width = run.out.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(width <= columns.parse().unwrap(), "{columns}: {}", run.out);
            let row = format!("{LONG}  denied");
            assert_eq!(run.out.lines().any(|line| line.starts_with(&row)), !options.is_empty(), "{}", run.out);
        })
    });
    join_all(runs).await;
}

#[tokio::test]
async fn control_characters_are_not_printed() {
    let run = run(["check", "http://a\x1b[2J.test/"]).await;
    assert_eq!(run.code, 2);
    assert!(run.out.starts_with("down      http://a?[2J.test/  bad URL: "), "{run:?}");
}

#[tokio::test]
async fn the_help_teaches() {
    let run = run(["check", "--help"]).await;
    assert!(run.code == 0 && run.out.contains("eyeballs check --targets sites.txt --parallel 50"), "{run:?}");
}
