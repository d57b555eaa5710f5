//! The page of `check --html`: that it is written, and how it looks in a browser.

use std::fs;

use crate::browser::Browser;
use crate::host::{HTTPS, Host, V4};
use crate::lab::{Behaviour, Certificate, Loopback, Site};
use crate::tool::{Get, Run, TempFile, output};

/// Its first address is silent, its last has a certificate for another name.
async fn degraded() -> Host {
    let other_name = Site::Https(Certificate::OtherName, Behaviour::Serve);
    let silent = Loopback::detect().await.first();
    Host::open([(silent, Site::Silent), (V4[1], HTTPS), (V4[2], other_name)]).await
}

/// Checks `urls` of `host`, and returns the page too.
async fn checked(host: &Host, urls: &[&str]) -> (Run, String) {
    let file = TempFile::new("page", "html", "");
    let fixed = ["--html", file.path(), "--connect-timeout", "2", "--quiet"];
    let args: Vec<_> = fixed.into_iter().chain(urls.iter().copied()).collect();
    let run = output(Get::new(host).command_of("check", &args)).await;
    (run, fs::read_to_string(file.path()).expect("it is written"))
}

#[tokio::test]
async fn a_check_is_written_as_a_page() {
    let host = degraded().await;
    let url = host.uri("https");
    let (run, page) = checked(&host, &[&url]).await;
    assert_eq!((run.code, &*run.out, &*run.err), (1, "", ""), "{run:?}");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"), "{page}");
    let facts = [
        &format!("<title>{url}: degraded</title>"),
        "✗ silent (filtered)",
        "127.0.0.10 wrong certificate",
        "Connected to <strong>127.0.0.9</strong> in ",
        "✓ won",
        "TLSv1.3",
        "HTTP/2 200 OK",
        "until 4096-01-01",
        "sequential client",
    ];
    for fact in facts {
        assert!(page.contains(fact), "{fact}: {page}");
    }
}

#[tokio::test]
async fn targets_share_a_page() {
    let host = Host::with(HTTPS).await;
    let url = host.uri("https");
    let (run, page) = checked(&host, &[&url, "<script>alert(1)</script>"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(page.contains("<title>2 targets: 1 down, 1 ok</title>"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script"), "{page}");
    let down = page.find("id=\"target-1\"").expect("the first");
    assert!(page[down..].contains("bad URL") && page[down..].find(&url) > page[down..].find("bad URL"), "{page}");
}

#[tokio::test]
async fn a_page_that_cannot_be_written_is_told_before_anything_is_checked() {
    let host = Host::with(HTTPS).await;
    let url = host.uri("https");
    let run = output(Get::new(&host).command_of("check", &["--html", "/nowhere/page.html", &url])).await;
    assert_eq!((run.code, &*run.out), (74, ""), "{run:?}");
    assert!(run.err.starts_with("eyeballs: /nowhere/page.html cannot be written: "), "{run:?}");
    assert_eq!(host.server().accepted(), 0);
}

#[tokio::test]
async fn a_page_fits_phones_and_desks() {
    let Some(browser) = Browser::find("a_page_fits_phones_and_desks") else { return };
    let host = degraded().await;
    let url = host.uri("https");
    let long = format!("{url}{}", "a".repeat(300));
    let pages = [checked(&host, &[&url]).await.1, checked(&host, &[&url, &long, "https://none.lab.test/"]).await.1];
    for page in pages {
        for (width, measured) in browser.measure(&page, &[320, 360, 768, 1280]).await {
            assert_eq!(measured.scroll_width, width, "{measured:?}");
            assert_eq!(measured.outside, Vec::<String>::new(), "{width}");
            assert!(measured.smallest_text >= 12.0, "{measured:?}");
        }
    }
}
