//! DNS over TLS and over HTTPS: what leaves the host, and what does not.

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::HappyEyeballsConnector;
use hyper_happy_eyeballs::resolve::HickoryResolver;

use crate::capture::{Capture, Packet, Payload};
use crate::front::{BOTH, Front, NAME, PATH, Transport};
use crate::lab::{Ca, Reply};
use crate::namespace::in_namespace;
use crate::network::*;
use crate::system::host;

/// Nothing goes to port 53, and no datagram anywhere: neither while all is well, nor when the name server is gone.
#[test]
fn nobody_is_asked_in_clear() {
    in_namespace(|| async {
        // The server of resolv.conf has the same name, elsewhere.
        let (_server, in_clear) = host(&[("resolv.conf", "nameserver 192.0.2.53\n")]).await;
        set_host(&in_clear, HOST, &[SILENT_V4[0]]);
        let ca = Ca::new();
        for transport in BOTH {
            let dns = dns(&[LOCAL_V4]).await;
            dns.set("_8080._https.www.lab.test", RecordType::HTTPS, Reply::no_data());
            let front = Front::open(&ca, dns.addr(), transport).await;
            let resolver = match transport {
                Transport::Tls => {
                    let name = NAME.try_into().expect("a name");
                    HickoryResolver::over_tls([(front.addr(), name)], ca.client_config(&[]))
                }
                Transport::Https => {
                    let uri = format!("https://{NAME}{PATH}").parse().expect("a URI");
                    HickoryResolver::over_https([(front.addr(), uri)], ca.client_config(&[]))
                }
            };
            let builder = HappyEyeballsConnector::builder().resolver(resolver).plaintext();
            let mut connector = builder.build().expect("a choice");
            let mut capture = Capture::start();
            assert_eq!(peer(&connect(&mut connector).await.unwrap()), parse(LOCAL_V4));
            drop(front);
            let error = get(&mut connector, "http://other.lab.test/").await.unwrap_err();
            assert!(error.is_dns(), "{error}");

            // What the front asks of the lab's name server goes by TCP as well.
            let in_clear = |packet: &&Packet| {
                packet.to.port() == 53 || matches!(packet.payload, Payload::Udp(_)) && packet.to.port() != 9
            };
            let packets = capture.packets();
            assert!(packets.len() > 10, "{packets:?}");
            assert_eq!(packets.iter().find(in_clear), None, "{transport:?}");
        }
        assert_eq!(in_clear.log().len(), 0);
    });
}
