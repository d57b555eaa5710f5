//! The system's configuration: resolv.conf and the hosts file, in an /etc of the test's own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::symlink;
use std::time::Instant;

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::HappyEyeballsConnector;
use tokio::time::sleep;

use crate::capture::Capture;
use crate::lab::{Dns, Reply, Server};
use crate::namespace::{add_address, in_namespace, replace_etc};
use crate::network::*;

const SERVER: &str = "192.0.2.53";

/// A dual-stack host with an HTTP server on IPv4 and a name server, and these files in /etc.
pub(crate) async fn host(files: &[(&str, &str)]) -> (Server, Dns) {
    dual_stack();
    add_address(&format!("{SERVER}/32"), "lo");
    replace_etc();
    for (name, text) in files {
        fs::write(format!("/etc/{name}"), text).expect("the directory is in memory");
    }
    let dns = Dns::start_at(SocketAddr::new(parse(SERVER), 53)).await.expect("port 53 of a new namespace is free");
    (http_server(LOCAL_V4).await, dns)
}

#[test]
fn resolv_conf_says_which_server_to_ask() {
    in_namespace(|| async {
        let (_server, dns) = host(&[("resolv.conf", "nameserver 192.0.2.53\n")]).await;
        set_host(&dns, HOST, &[LOCAL_V4]);
        let stream = connect(&mut HappyEyeballsConnector::new()).await.unwrap();
        assert_eq!(peer(&stream), parse(LOCAL_V4));
        assert_eq!(dns.log().len(), 2);
    });
}

/// A name in the hosts file is as the file has it, the family that is not there included.
///
/// Proves: NET-6
#[test]
fn a_name_in_the_hosts_file_is_not_asked_for() {
    in_namespace(|| async {
        let hosts = format!("{LOCAL_V4} {HOST}\n");
        let (_server, dns) = host(&[("resolv.conf", "nameserver 192.0.2.53\n"), ("hosts", &hosts)]).await;
        set_host(&dns, HOST, &[SILENT_V6[0], SILENT_V4[0]]);
        let mut capture = Capture::start();
        let stream = connect(&mut HappyEyeballsConnector::new()).await.unwrap();
        assert_eq!(peer(&stream), parse(LOCAL_V4));
        assert_eq!(capture.queries(53), []);
        assert_starts(&capture.syns(), &[(LOCAL_V4, 0)]);
    });
}

/// Both families of one name before the next name: no mixture of two names' addresses.
///
/// Proves: NET-7
#[test]
fn the_search_list_is_walked_once_for_both_families() {
    in_namespace(|| async {
        let resolv = "nameserver 192.0.2.53\nsearch a.test b.test\n";
        let (_server, dns) = host(&[("resolv.conf", resolv)]).await;
        set_host(&dns, "svc.b.test", &[LOCAL_V4]);
        set_host(&dns, "svc", &[SILENT_V4[0]]);
        let mut capture = Capture::start();
        let stream = get(&mut HappyEyeballsConnector::new(), &format!("http://svc:{PORT}/")).await.unwrap();
        assert_eq!(peer(&stream), parse(LOCAL_V4));
        println!("{}", stream.report());
        assert_eq!(asked(&mut capture), ["AAAA svc.a.test.", "A svc.a.test.", "AAAA svc.b.test.", "A svc.b.test."]);
        let queries = capture.queries(53);
        // The second name waits for both answers of the first.
        assert!(capture.answers(53).iter().filter(|at| **at < queries[2].at).count() >= 2);
    });
}

/// A name with as many dots as `ndots` says is first asked for as it is.
///
/// Proves: NET-7
#[test]
fn ndots_says_whether_the_search_list_goes_first() {
    in_namespace(|| async {
        let resolv = "nameserver 192.0.2.53\nsearch a.test b.test\noptions ndots:2\n";
        let (_server, dns) = host(&[("resolv.conf", resolv)]).await;
        set_host(&dns, "one.dot.b.test", &[LOCAL_V4]);
        set_host(&dns, "two.dots.here", &[LOCAL_V4]);
        let mut connector = HappyEyeballsConnector::new();
        let mut capture = Capture::start();
        get(&mut connector, &format!("http://one.dot:{PORT}/")).await.unwrap();
        let expected = ["AAAA one.dot.a.test.", "A one.dot.a.test.", "AAAA one.dot.b.test.", "A one.dot.b.test."];
        assert_eq!(asked(&mut capture), expected);

        let mut capture = Capture::start();
        get(&mut connector, &format!("http://two.dots.here:{PORT}/")).await.unwrap();
        assert_eq!(asked(&mut capture), ["AAAA two.dots.here.", "A two.dots.here."]);
    });
}

/// Nobody else's name server is asked. What needs none works, and so does the next name once the file is there.
#[test]
fn without_resolv_conf_names_fail_and_say_why_and_literals_work() {
    in_namespace(|| async {
        let (_server, dns) = host(&[]).await;
        set_host(&dns, HOST, &[LOCAL_V4]);
        let mut connector = HappyEyeballsConnector::new();
        let mut capture = Capture::start();
        let mut errors = vec![connect(&mut connector).await.unwrap_err()];
        fs::write("/etc/resolv.conf", "").unwrap();
        errors.push(connect(&mut connector).await.unwrap_err());
        for error in errors {
            println!("{error}");
            assert!(error.is_dns());
            assert!(error.to_string().contains("configuration could not be read"), "{error}");
        }
        let stream = get(&mut connector, &format!("http://{LOCAL_V4}:{PORT}/")).await.unwrap();
        assert_eq!(peer(&stream), parse(LOCAL_V4));
        let packets = capture.packets();
        assert!(packets.iter().all(|packet| [packet.from, packet.to].iter().any(|addr| addr.port() == PORT)), "no DNS");

        fs::write("/etc/resolv.conf", "nameserver 192.0.2.53\n").unwrap();
        connect(&mut connector).await.unwrap();
    });
}

/// What the old name server has answered is forgotten, and the next query goes to the new one. The file is a link, as
/// systemd-resolved has it; first its target is replaced, then the link.
///
/// Proves: NET-7
#[test]
fn another_resolv_conf_is_noticed_without_a_restart() {
    in_namespace(|| async {
        let (_server, old) = host(&[("old", "nameserver 192.0.2.53\n"), ("new", "nameserver 192.0.2.54\n")]).await;
        symlink("/etc/old", "/etc/resolv.conf").unwrap();
        add_address("192.0.2.54/32", "lo");
        let new = Dns::start_at(SocketAddr::new(parse("192.0.2.54"), 53)).await.unwrap();
        let other_host = "192.0.2.81";
        add_address(&format!("{other_host}/32"), "lo");
        let _other_server = http_server(other_host).await;
        set_host(&old, HOST, &[LOCAL_V4]);
        set_host(&new, HOST, &[other_host]);

        let mut connector = HappyEyeballsConnector::new();
        for _ in 0..2 {
            assert_eq!(peer(&connect(&mut connector).await.unwrap()), parse(LOCAL_V4));
        }
        assert_eq!(old.log().len(), 2, "the second connect is served from the cache");

        symlink("/etc/new", "/etc/link").unwrap();
        fs::rename("/etc/link", "/etc/resolv.conf").unwrap();
        sleep(ms(1100)).await;
        assert_eq!(peer(&connect(&mut connector).await.unwrap()), parse(other_host));
        assert_eq!((old.log().len(), new.log().len()), (2, 2));

        fs::write("/etc/next", "nameserver 192.0.2.53\n").unwrap();
        fs::rename("/etc/next", "/etc/new").unwrap();
        sleep(ms(1100)).await;
        assert_eq!(peer(&connect(&mut connector).await.unwrap()), parse(LOCAL_V4));
        assert_eq!((old.log().len(), new.log().len()), (4, 2));

        // The same servers in another file are the same servers.
        fs::write("/etc/new", "# by DHCP\nnameserver 192.0.2.53\n").unwrap();
        sleep(ms(1100)).await;
        connect(&mut connector).await.unwrap();
        assert_eq!((old.log().len(), new.log().len()), (4, 2));
    });
}

/// A lookup that asks the old name servers gets their answer.
///
/// Proves: NET-7
#[test]
fn lookups_in_flight_outlive_the_resolv_conf_that_they_began_with() {
    in_namespace(|| async {
        let (_server, dns) = host(&[("resolv.conf", "nameserver 192.0.2.53\n")]).await;
        dns.set(HOST, RecordType::A, Reply::a([Ipv4Addr::new(192, 0, 2, 80)]).after(ms(1500)));
        let mut connector = HappyEyeballsConnector::new();
        let mut other = connector.clone();
        let slow = tokio::spawn(async move { connect(&mut connector).await });
        dns.until_asked(HOST, RecordType::A, 1).await;
        fs::write("/etc/resolv.conf", "nameserver 198.51.100.53\n").unwrap();
        sleep(ms(1100)).await;
        // This one asks the new name server, which says nothing.
        let asked = tokio::spawn(async move { get(&mut other, &format!("http://other.lab.test:{PORT}/")).await });
        assert_eq!(peer(&slow.await.unwrap().unwrap()), parse(LOCAL_V4));
        assert_eq!(dns.asked("other.lab.test", RecordType::A), 0);
        asked.abort();
    });
}

/// Proves: NET-6
#[test]
fn a_name_that_comes_into_the_hosts_file_is_noticed() {
    in_namespace(|| async {
        let (_server, dns) = host(&[("resolv.conf", "nameserver 192.0.2.53\n")]).await;
        set_host(&dns, HOST, &[SILENT_V4[0]]);
        let mut config = giving_up_after(100);
        config.use_history(false);
        let mut connector = HappyEyeballsConnector::builder().config(config).plaintext().build().unwrap();
        connect(&mut connector).await.unwrap_err();
        fs::write("/etc/hosts", format!("{LOCAL_V4} {HOST}\n")).unwrap();
        sleep(ms(1100)).await;
        assert_eq!(peer(&connect(&mut connector).await.unwrap()), parse(LOCAL_V4));
    });
}

/// A first name server that is gone does not take the second with it.
#[test]
fn a_dead_first_name_server_costs_less_than_two_seconds() {
    in_namespace(|| async {
        let resolv = "nameserver 198.51.100.53\nnameserver 192.0.2.53\n";
        let (_server, dns) = host(&[("resolv.conf", resolv)]).await;
        set_host(&dns, HOST, &[LOCAL_V4]);
        let mut capture = Capture::start();
        let start = Instant::now();
        let stream = connect(&mut HappyEyeballsConnector::new()).await.unwrap();
        println!("with a dead first name server: {:?}", start.elapsed());
        println!("{}", stream.report());
        assert!(start.elapsed() < ms(2000));
        let dead = SocketAddr::new(parse("198.51.100.53"), 53);
        assert!(capture.queries(53).iter().any(|query| query.to == dead), "the first one was asked");
    });
}

/// localhost never leaves the host, whatever the files say.
///
/// Proves: NAM-1
#[test]
fn localhost_is_not_asked_for() {
    in_namespace(|| async {
        let hosts = format!("{} localhost\n", SILENT_V4[0]);
        let (_server, _dns) = host(&[("resolv.conf", "nameserver 192.0.2.53\n"), ("hosts", &hosts)]).await;
        let _loopback = http_server("127.0.0.1").await;
        let mut capture = Capture::start();
        let stream = get(&mut HappyEyeballsConnector::new(), &format!("http://localhost:{PORT}/")).await.unwrap();
        assert_eq!(peer(&stream), parse("127.0.0.1"));
        assert_eq!(capture.queries(53), []);
        assert_starts(&capture.starts(), &[("::1", 0), ("127.0.0.1", 10)]);
    });
}

/// The queries on the wire, as type and name.
pub(crate) fn asked(capture: &mut Capture) -> Vec<String> {
    let queries = capture.queries(53);
    queries.iter().map(|query| format!("{} {}", RecordType::to_string(&query.kind), query.name)).collect()
}
