//! The tool as a user runs it, where packets are dropped and rejected.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::gateway::{GOOD_V4, Gateway, HOST_V4, HOST_V6};
use crate::lab::Dns;
use crate::namespace::in_namespace;
use crate::network::*;

const SILENT: &str = "2001:db8:80::5";
const RESET: &str = "2001:db8:80::3";
const PROHIBITED_V6: &str = "2001:db8:dead::4";
const PROHIBITED_V4: &str = "198.51.100.4";

/// `eyeballs check` of the host, whose addresses these are: exit code and stdout.
async fn check(addrs: &[&str], args: &[&str]) -> (Option<i32>, String) {
    let dns = dns(addrs).await;
    let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let output = tokio::task::spawn_blocking(move || run(&dns, &args)).await.expect("it does not panic");
    (output.status.code(), String::from_utf8(output.stdout).expect("it writes UTF-8"))
}

fn run(dns: &Dns, args: &[String]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_eyeballs"))
        .args(["check", "--connect-timeout", "1", "--no-ping", "--no-drill", "--insecure", "--resolver"])
        .arg(dns.addr().to_string())
        .args(args)
        .arg(format!("http://{HOST}:{PORT}/"))
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("the tool is built")
}

#[test]
fn each_path_is_named_for_what_it_is() {
    in_namespace(|| async {
        let rules = format!(
            "add table inet test
             add chain inet test input {{ type filter hook input priority 0; }}
             add chain inet test forward {{ type filter hook forward priority 0; }}
             add rule inet test input ip6 daddr {RESET} tcp dport {PORT} reject with tcp reset
             add rule inet test input ip6 daddr {SILENT} drop
             add rule inet test forward ip daddr {PROHIBITED_V4} reject with icmp type admin-prohibited
             add rule inet test forward ip6 daddr {PROHIBITED_V6} reject with icmpv6 type admin-prohibited"
        );
        let _gateway = Gateway::start(&[&format!("{HOST_V4}/24"), &format!("{HOST_V6}/64")], rules, || async {
            (http_server(GOOD_V4).await, http_server(SILENT).await)
        });
        let addrs = [SILENT, RESET, PROHIBITED_V6, PROHIBITED_V4, GOOD_V4];
        let (code, json) = check(&addrs, &["--json"]).await;
        let object: Value = serde_json::from_str(&json).unwrap();
        let classes: BTreeMap<_, _> = object["addresses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| {
                let class = it["probe"]["fault"]["class"].as_str();
                (it["addr"].as_str().unwrap(), class)
            })
            .collect();
        let at = |addr: &str| std::net::SocketAddr::new(parse(addr), PORT).to_string();
        let expected = [
            (SILENT, Some("silent")),
            (RESET, Some("refused")),
            (PROHIBITED_V6, Some("unreachable")),
            (PROHIBITED_V4, Some("unreachable")),
            (GOOD_V4, None),
        ];
        for (addr, class) in expected {
            assert_eq!(classes.get(&*at(addr)), Some(&class), "{addr}: {json}");
        }
        assert_eq!((code, &object["verdict"]), (Some(1), &"degraded".into()), "{json}");

        let (code, text) = check(&addrs, &[]).await;
        assert_eq!(code, Some(1));
        for words in ["silent (filtered)", "refused", "administratively prohibited (ICMPv6 type 1 code 1)"] {
            assert!(text.contains(words), "{words}: {text}");
        }

        let (code, text) = check(&[SILENT, PROHIBITED_V4], &[]).await;
        assert_eq!(code, Some(2), "{text}");
        assert!(text.starts_with("down "), "{text}");
    });
}
