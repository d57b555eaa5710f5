//! What people read: the drawing on stdout, errors on stderr.

use hickory_server::proto::rr::RecordType;

use crate::host::{HTTP, HTTPS, Host, V4};
use crate::lab::{Behaviour, Certificate, Reply, Site};
use crate::tool::{Get, Run, answering, output, run};

/// The drawing without what differs from run to run: ports, times, and how long the bars are. Runs of blanks and of
/// marks become one, and so does the scale.
pub(crate) fn masked(text: &str, port: u16) -> Vec<String> {
    text.replace(&port.to_string(), "PORT").lines().map(masked_line).collect()
}

fn masked_line(line: &str) -> String {
    let words: Vec<_> = line.split_whitespace().map(|word| if is_time(word) { "T" } else { word }).collect();
    if let Some(scale) = words.windows(2).position(|pair| pair == ["start", "end"]) {
        return [&words[..scale], &["SCALE"]].concat().join(" ");
    }
    let masked = words.join(" ");
    let mut short = String::new();
    for char in masked.chars() {
        if !("─━█░-=#.".contains(char) && short.ends_with(char)) {
            short.push(char);
        }
    }
    // Blanks within a bar tell when something was.
    short.replace("│ ", "│").replace(" │", "│").replace("| ", "|").replace(" |", "|")
}

/// One of milliseconds with their tenth, or a cost.
fn is_time(word: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match word.trim_start_matches('(').split_once('.') {
        Some((ms, tenth)) => is_number(ms) && is_number(tenth) && tenth.len() == 1,
        None => word.strip_prefix('+').is_some_and(is_number),
    }
}

async fn fallback() -> Host {
    Host::open([(V4[0], Site::Silent), (V4[1], HTTPS)]).await
}

#[tokio::test]
async fn a_race_is_drawn() {
    let host = fallback().await;
    let url = host.uri("https");
    let run = Get::new(&host).run(&[&url]).await;
    assert_eq!((run.code, &*run.err), (0, ""), "{run:?}");
    let lines = masked(&run.out, host.sites.port());
    let expected = [
        "https://www.lab.test:PORT/: connected to 127.0.0.9:PORT in T ms",
        "SCALE",
        "HTTPS www.lab.test T T│─│no such name",
        "AAAA www.lab.test T T│─│no records",
        "A www.lab.test T T│─│127.0.0.8 127.0.0.9",
        "127.0.0.8 T T│━│TCP unanswered",
        "127.0.0.9 T T│█│✓ won",
        "request T T│░│first byte",
        "TLSv1.3, TLS_AES_256_GCM_SHA384, ALPN h2, certificate valid until 4096-01-01",
        "HTTP/2 200 OK, 16 bytes in T ms",
    ];
    // The winner's TCP may be long enough to be seen.
    let lines: Vec<_> = lines.iter().map(|line| line.replace("━█", "█")).collect();
    assert_eq!(lines[..8], expected[..8], "{}", run.out);
    assert!(lines[8].starts_with("TLSv1.3, TLS_"), "{}", run.out);
    assert_eq!(lines[9].split(", ").next(), Some("HTTP/2 200 OK"), "{}", run.out);
    assert_eq!(lines.len(), 10, "{}", run.out);
}

#[tokio::test]
async fn a_denied_address_is_drawn_with_the_reason() {
    let host = Host::with(HTTPS).await;
    let url = host.uri("https");
    let run = Get::new(&host).run(&["--public-only", "--no-https-records", &url]).await;
    let lines = masked(&run.out, host.sites.port());
    let expected = [
        "https://www.lab.test:PORT/: not connected in T ms",
        "SCALE",
        "AAAA www.lab.test T T│─│no records",
        "A www.lab.test T T│─│127.0.0.8",
        "127.0.0.8 T T││",
        "denied: 127.0.0.8 is loopback (RFC 1122)",
    ];
    assert_eq!(lines, expected, "{}", run.out);
    assert_eq!(run.err, format!("eyeballs: {url}: every address is denied\n"));
}

#[tokio::test]
async fn a_failed_race_is_drawn_and_the_reason_is_on_stderr() {
    let host =
        Host::open([(V4[0], Site::Https(Certificate::OtherName, Behaviour::Serve)), (V4[1], Site::Refused)]).await;
    let url = host.uri("https");
    let run = Get::new(&host).run(&[&url]).await;
    let lines = masked(&run.out, host.sites.port());
    assert_eq!(lines[0], "https://www.lab.test:PORT/: not connected in T ms", "{}", run.out);
    assert!(run.out.contains("TLS certificate: invalid peer certificate"), "{}", run.out);
    assert!(run.out.contains("TCP refused"), "{}", run.out);
    let expected = format!("eyeballs: {url}: certificate not accepted: invalid peer certificate: ");
    assert!(run.err.starts_with(&expected) && run.err.lines().count() == 1, "{}", run.err);
}

#[tokio::test]
async fn errors_are_one_line_in_words() {
    let host = Host::with(Site::Silent).await;
    host.dns.set("broken.lab.test", RecordType::A, Reply::serv_fail());
    let url = host.uri("https");
    let get = Get::new(&host);
    let cases = [
        (&*url, &["--connect-timeout", "0.3"][..], "timed out: no connection in "),
        ("https://none.lab.test/", &[], "name not resolved: the name does not exist (NXDOMAIN)"),
        ("nonsense", &[], "bad URL: it has no scheme, http:// or https://"),
    ];
    for (url, options, reason) in cases {
        let run = get.run(&[options, &[url]].concat()).await;
        assert!(run.err.starts_with(&format!("eyeballs: {url}: {reason}")), "{run:?}");
        assert_eq!(run.err.lines().count(), 1, "{run:?}");
    }
}

#[tokio::test]
async fn a_blank_line_stands_between_drawings() {
    let host = Host::with(HTTP).await;
    let url = host.uri("http");
    let run = Get::new(&host).run(&[&url, &url]).await;
    assert_eq!(run.out.split("\n\n").count(), 2, "{}", run.out);
    assert!(run.out.split("\n\n").all(|drawing| drawing.starts_with(&url)), "{}", run.out);
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let addr =
        answering(b"HTTP/1.1 301 Moved Permanently\r\nlocation: https://h.test/\r\ncontent-length: 0\r\n\r\n").await;
    let run = run(["get", &format!("http://{addr}/")]).await;
    assert!(run.out.contains("HTTP/1.1 301 Moved Permanently to https://h.test/, 0 bytes in "), "{run:?}");
}

async fn drawn(host: &Host, vars: &[(&str, &str)], options: &[&str]) -> Run {
    let url = host.uri("http");
    let get = Get::new(host);
    let mut command = get.command(options);
    command.arg(&url).envs(vars.iter().copied());
    output(command).await
}

#[tokio::test]
async fn colour_is_only_where_it_is_wanted() {
    let host = Host::with(HTTP).await;
    let has_colour = |run: Run| run.out.contains('\x1b');
    assert!(!has_colour(drawn(&host, &[], &[]).await), "a pipe");
    assert!(has_colour(drawn(&host, &[("CLICOLOR_FORCE", "1")], &[]).await));
    assert!(!has_colour(drawn(&host, &[("CLICOLOR_FORCE", "1")], &["--no-color"]).await));
    assert!(!has_colour(drawn(&host, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[]).await));
}

#[tokio::test]
async fn a_locale_without_utf8_gets_ascii() {
    let host = fallback().await;
    let get = Get::new(&host);
    let mut command = get.command(&[&host.uri("https")]);
    command.env("LC_ALL", "C");
    let run = output(command).await;
    assert!(run.out.is_ascii(), "{}", run.out);
    // The winner's TCP may be long enough to be seen.
    let lines: Vec<_> =
        masked(&run.out, host.sites.port()).iter().map(|line| line.replace("=#", "#")).skip(2).take(6).collect();
    let expected = [
        "HTTPS www.lab.test T T|-|no such name",
        "AAAA www.lab.test T T|-|no records",
        "A www.lab.test T T|-|127.0.0.8 127.0.0.9",
        "127.0.0.8 T T|=|TCP unanswered",
        "127.0.0.9 T T|#|won",
        "request T T|.|first byte",
    ];
    assert_eq!(lines, expected, "{}", run.out);
}

#[tokio::test]
async fn no_line_is_wider_than_the_columns() {
    let host = Host::open([(V4[0], Site::Https(Certificate::OtherName, Behaviour::Serve)), (V4[1], HTTPS)]).await;
    let url = host.uri("https");
    let get = Get::new(&host);
    let mut widths = Vec::new();
    for columns in ["60", "80", "140"] {
        let mut command = get.command(&[&url]);
        command.env("COLUMNS", columns);
        let run = output(command).await;
        let width = run.out.lines().skip(1).map(|line| line.chars().count()).max().unwrap();
        assert!(width <= columns.parse().unwrap(), "{columns}: {}", run.out);
        widths.push(run.out.lines().nth(2).unwrap().chars().count());
    }
    assert!(widths.is_sorted_by(|one, next| one < next), "{widths:?}");
}

#[tokio::test]
async fn control_characters_are_not_printed() {
    let run = run(["get", "http://a\x1b[2J.test/"]).await;
    assert_eq!((run.code, &*run.out), (3, ""), "{run:?}");
    assert!(run.err.starts_with("eyeballs: http://a?[2J.test/: bad URL: "), "{run:?}");
}
