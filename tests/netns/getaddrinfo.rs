//! What is left to the system: `getaddrinfo`, with an /etc of the test's own.

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::HappyEyeballsConnector;
use hyper_happy_eyeballs::resolve::{HickoryResolver, HybridResolver};

use crate::capture::Capture;
use crate::lab::{Behaviour, Ca, Dns};
use crate::namespace::in_namespace;
use crate::network::*;
use crate::system::{asked, host};

/// `getaddrinfo` asks for addresses, of every name of the search list; HTTPS is asked of the host alone. What the hosts
/// file has is not asked for.
///
/// Proves: NET-5, NET-6
#[test]
fn with_both_resolvers_the_system_finds_the_addresses() {
    in_namespace(|| async {
        let resolv = "nameserver 192.0.2.53\nsearch a.test b.test\n";
        let hosts = format!("{LOCAL_V4} in.the.file\n");
        let files = [("resolv.conf", resolv), ("nsswitch.conf", "hosts: files dns\n"), ("hosts", hosts.as_str())];
        let (server, dns) = host(&files).await;
        server.stop().await;
        let ca = Ca::new();
        let _server = https_server(&ca, LOCAL_V4, Behaviour::Serve).await;
        set_host(&dns, "www.lab.test.b.test", &[LOCAL_V4]);
        let builder = HappyEyeballsConnector::builder().resolver(HybridResolver::new());
        let mut connector = builder.tls_config(ca.client_config(&[])).build().expect("TLS is chosen");
        let mut capture = Capture::start();
        let stream = get(&mut connector, &format!("https://{HOST}:{PORT}/")).await.unwrap();
        println!("{}", stream.report());
        let asked = asked(&mut capture);
        let records: Vec<_> = asked.iter().filter(|query| query.starts_with("HTTPS")).collect();
        assert_eq!(records, ["HTTPS _8080._https.www.lab.test."]);
        assert!(asked.contains(&"A www.lab.test.b.test.".to_owned()), "{asked:?}");

        let mut capture = Capture::start();
        // The certificate is for the other name.
        let error = get(&mut connector, &format!("https://in.the.file:{PORT}/")).await.unwrap_err();
        assert!(error.is_certificate(), "{error}");
        assert_eq!(capture.queries(53), []);
    });
}

/// Where mDNS is not installed, the system looks in DNS; the name server of the connector is not asked for all that.
///
/// Proves: NAM-2
#[test]
fn a_name_of_mdns_is_the_systems_matter() {
    in_namespace(|| async {
        let files = [("resolv.conf", "nameserver 192.0.2.53\n"), ("nsswitch.conf", "hosts: files dns\n")];
        let (_server, dns) = host(&files).await;
        set_host(&dns, "printer.local", &[LOCAL_V4]);
        let other = Dns::start().await.expect("a name server");
        set_host(&other, "printer.local", &[SILENT_V4[0]]);
        let resolver = HickoryResolver::with_name_servers([other.addr()]);
        let mut connector = HappyEyeballsConnector::builder().resolver(resolver).plaintext().build().expect("a choice");
        for scheme in ["http", "https"] {
            let stream = get(&mut connector, &format!("{scheme}://printer.local:{PORT}/")).await.unwrap();
            assert_eq!(peer(&stream), parse(LOCAL_V4));
        }
        let error = get(&mut connector, &format!("http://scanner.local:{PORT}/")).await.unwrap_err();
        assert!(error.is_dns() && error.to_string().contains("the system does not know the name"), "{error}");
        assert_eq!(other.log().len(), 0);
        assert!(dns.log().iter().all(|query| query.kind != RecordType::HTTPS));
    });
}
