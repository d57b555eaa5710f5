//! Many targets: at once, in order, and without keeping them.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::check;
use crate::host::{HTTPS, Host, V4, faulty};
use crate::lab::{Behaviour, Site};
use crate::tool::{Get, TempFile, eyeballs, output};

/// `check` that runs, and the lines of its stdout.
fn started(mut command: Command) -> (Child, tokio::io::Lines<BufReader<ChildStdout>>) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

#[tokio::test]
async fn the_order_is_that_of_the_targets() {
    let host = Host::open([(V4[0], Site::Silent), (V4[1], HTTPS)]).await;
    let port = host.sites.port();
    let (slow, fast) = (format!("https://127.0.0.8:{port}/"), host.uri("https"));
    let urls: Vec<_> = [&*slow, &fast].into_iter().cycle().take(20).collect();
    let start = Instant::now();
    let args = [&["--no-drill", "--json", "--parallel", "20"], &*urls].concat();
    let run = check(&host, &args).await;
    let told: Vec<_> = run.lines().iter().map(|line| line["url"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, urls);
    // One after the other the slow ones alone would take 20 s.
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_is_done_is_told_at_once() {
    let host = Host::with(Site::Silent).await;
    let slow = format!("https://127.0.0.8:{}/", host.sites.port());
    let get = Get::new(&host);
    let args = ["--connect-timeout", "3600", "--json", "bad", "worse", &slow, "last"];
    let (mut child, mut lines) = started(get.command_of("check", &args));
    for url in ["bad", "worse"] {
        assert!(lines.next_line().await.unwrap().unwrap().contains(url));
    }
    assert!(child.try_wait().unwrap().is_none(), "it waits an hour for the third");
    child.kill().await.unwrap();
}

#[tokio::test]
async fn no_more_run_at_once_than_wanted() {
    let host = Host::with(Site::Silent).await;
    let url = format!("https://127.0.0.8:{}/", host.sites.port());
    let start = Instant::now();
    let run = check(&host, &["--no-drill", "--quiet", "--parallel", "1", &url, &url]).await;
    assert_eq!(run.code, 2);
    assert!(start.elapsed() >= Duration::from_secs(4), "{:?}", start.elapsed());
}

#[tokio::test]
async fn two_hundred_sites_are_soon_done() {
    let slow = faulty(Behaviour::Delay(Duration::from_secs(1)));
    let host = Host::open([(V4[0], slow), (V4[1], slow)]).await;
    let file = TempFile::new("sites", "txt", &format!("{}\n", host.uri("https")).repeat(200));
    let get = Get::new(&host);
    let args = ["--connect-timeout", "30", "--parallel", "50", "--targets", file.path(), "--json"];
    let start = Instant::now();
    let run = output(get.command_of("check", &args)).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.lines().len(), 200);
    // One after the other they would take 200 s, and more.
    assert!(start.elapsed() < Duration::from_secs(100), "{:?}", start.elapsed());
}

/// Peak of the memory of a process, in KiB.
#[cfg(target_os = "linux")]
fn peak(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id().unwrap())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.split_whitespace().next().unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn ten_thousand_targets_take_no_more_memory_than_a_thousand() {
    let host = Host::with(Site::Refused).await;
    let url = format!("http://{}/", host.addr(V4[0]));
    let file = TempFile::new("sites", "txt", &format!("{url}\n").repeat(10_000));
    let resolver = host.dns.addr().to_string();
    let args = ["check", "--resolver", &resolver, "--no-drill", "--no-ping", "--json", "--targets", file.path()];
    let (child, mut lines) = started(eyeballs(args));
    let mut after_a_thousand = 0;
    // What is left then is more than a pipe holds, so that the tool has not ended.
    for count in 1..=9_500 {
        let line = lines.next_line().await.unwrap().unwrap();
        assert!(line.contains(r#""class":"refused""#), "{line}");
        if count == 1_000 {
            after_a_thousand = peak(&child);
        }
    }
    let at_the_end = peak(&child);
    println!("{after_a_thousand} KiB after 1,000 targets, {at_the_end} KiB after 9,500");
    assert!(at_the_end < after_a_thousand + 4 * 1024, "{at_the_end} KiB, after a thousand {after_a_thousand} KiB");
    while lines.next_line().await.unwrap().is_some() {}
    assert_eq!(child.wait_with_output().await.unwrap().status.code(), Some(2));
}

#[tokio::test]
async fn a_closed_stdout_ends_quietly() {
    let host = Host::with(HTTPS).await;
    let url = host.uri("https");
    let get = Get::new(&host);
    let urls = vec![&*url; 50];
    let args = [&["--no-drill", "--parallel", "1"], &*urls].concat();
    let mut child = get.command_of("check", &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
    assert!(host.server().accepted() < 50, "it has ended at the first");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_stdout_that_cannot_be_written_is_said() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = eyeballs(["check", "bad"]);
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert!(String::from_utf8(output.stderr).unwrap().contains("stdout cannot be written"));
}

/// A soft limit is often there for the sake of programs that use select(2); what finds no descriptor is not checked.
#[cfg(unix)]
#[tokio::test]
async fn descriptors_are_not_limited_to_the_soft_limit() {
    let host = Host::open(V4.map(|ip| (ip, HTTPS))).await;
    let get = Get::new(&host);
    let url = host.uri("https");
    let check = get.command_of("check", &["--json", &url, &url, &url]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -Sn 16; exec \"$0\" \"$@\""]).arg(check.as_std().get_program());
    limited.args(check.as_std().get_args());
    let run = output(limited).await;
    for line in run.lines() {
        assert_eq!(line["verdict"], "ok", "{line}");
        assert!(line["addresses"].as_array().unwrap().iter().all(|address| address["probe"]["ok"] == true), "{line}");
    }
}
