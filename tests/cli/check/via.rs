//! Through proxies.

use super::check;
use crate::host::{HOST, HTTPS, Host, V4};
use crate::lab::Socks;
use crate::lab::socks::{Answer, Rules};
use crate::schema::assert_documented;
use crate::tool::run;

#[tokio::test]
async fn each_proxy_has_a_column() {
    let host = Host::open([(V4[0], HTTPS), (V4[1], HTTPS)]).await;
    let good = Socks::start(Rules::default().name(HOST, V4[0])).await.unwrap();
    let bad = Rules::default().name(HOST, V4[0]).answer(V4[1], Answer::Code(5));
    let bad = Socks::start(bad).await.unwrap();
    let proxies = [format!("socks5h://{}", good.addr()), format!("socks5h://me:secret@{}", bad.addr())];
    let url = host.uri("https");
    let args = ["--no-drill", "--via", &proxies[0], "--via", &proxies[1], &url];
    let drawn = check(&host, &args).await;
    let row = |label: &str| {
        let row = drawn.out.lines().find(|line| line.starts_with(label)).unwrap();
        row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let heads = row("Address");
    assert_eq!(heads[6..], [format!("via {}", good.addr()), format!("via me@{}", bad.addr())]);
    assert!(row("127.0.0.8")[6].starts_with("200 in ") && row("127.0.0.8")[7].starts_with("200 in "), "{drawn:?}");
    assert_eq!(row("127.0.0.9")[7], "refused", "{drawn:?}");
    assert!(row("by name")[6].starts_with("200 in "), "{drawn:?}");
    assert_eq!(drawn.code, 1);

    let line = check(&host, &[&["--json"], &args[..]].concat()).await.line();
    assert_documented(&line, "eyeballs check");
    assert_eq!(line["via"][1]["addresses"][1]["probe"]["fault"]["class"], "refused");
    assert_eq!(line["via"][1]["by_name"]["ok"], true);
    assert!(!line.to_string().contains("secret") && !drawn.out.contains("secret"));
}

#[tokio::test]
async fn what_is_no_proxy_is_bad_usage() {
    let run = run(["check", "--via", "http://127.0.0.1:1/", "http://127.0.0.1/"]).await;
    assert_eq!(run.code, 64, "{run:?}");
    assert!(run.err.contains("socks5h://"), "{run:?}");
}
