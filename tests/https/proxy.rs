//! The connector under a proxy's client: what it is given is the URI of the proxy.

use std::collections::BTreeSet;

use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;

use crate::host::{HOST, HTTP, HTTPS, Host, V4, config};
use crate::lab::{Connection, HttpsRecord, Site};
use crate::support::connect;
use crate::zone::{peer, publish, records, tried};

/// The first address of the proxy is silent. Whom the proxy is to reach is the proxy's to look up, and where its own
/// records would lead is of no use to it.
///
/// Proves: NET-8, SVC-27
#[tokio::test]
async fn the_race_is_towards_the_proxy() {
    for (scheme, site) in [("http", HTTP), ("socks5h", HTTP), ("https", HTTPS)] {
        let host = Host::open([(V4[0], Site::Silent), (V4[1], site)]).await;
        publish(&host, records([HttpsRecord::new(1, "elsewhere.lab.test").port(1).hint(V4[2])]));
        let mut config = config();
        config.use_service_records(false).https_upgrade(true);
        let stream = connect(&host.configured(config), &host.uri(scheme)).await.unwrap();
        assert_eq!(peer(&stream), host.addr(V4[1]));
        assert_eq!(tried(stream.report().attempts()), [host.addr(V4[0]), host.addr(V4[1])], "{}", stream.report());

        let (mut sender, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("http://destination.lab.test/").header("host", "destination.lab.test");
        sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        let through = |connection: &Connection| connection.authority.as_deref() == Some("destination.lab.test");
        assert!(host.server().connections().iter().any(through), "{scheme}");
        let asked: BTreeSet<_> = host.dns.log().into_iter().map(|query| (query.name, query.kind.into())).collect();
        assert_eq!(asked, BTreeSet::from([(format!("{HOST}."), 1u16), (format!("{HOST}."), 28)]), "{scheme}");
    }
}
