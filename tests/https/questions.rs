//! What is asked, under which name, in which order; and what has no records to ask for.

use std::net::SocketAddr;

use hickory_server::proto::rr::RecordType;
use hyper_happy_eyeballs::resolve::{Answer, Kinds, QueryKind};
use hyper_happy_eyeballs::{AddressPolicy, Config, Families, HappyEyeballsConnector, Verdict};

use crate::host::{HOST, HTTP, HTTPS, Host, V4, config, unanswered_queries};
use crate::lab::Dns;
use crate::support::{Script, connect, ready};
use crate::zone::{peer, records_name};

/// A connector without TLS and without answers of earlier cases.
fn plain(host: &Host, config: Config) -> HappyEyeballsConnector {
    host.bare_builder().config(config).plaintext().build().unwrap()
}

/// The names whose records were asked for.
fn records_asked(dns: &Dns) -> Vec<String> {
    dns.log().into_iter().filter(|query| query.kind == RecordType::HTTPS).map(|query| query.name).collect()
}

/// Three queries leave before any answer, as the server here has none. That they arrive in the order in which they were
/// sent takes hickory's three sockets to become writable in that order, which they nearly always do; less often on a
/// loaded machine.
///
/// Proves: DNS-4, DNS-5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_aaaa_and_a_are_asked_for_back_to_back_in_this_order() {
    let records = format!("_8443._https.{HOST}.");
    let (records, host) = ((records.as_str(), 65), format!("{HOST}."));
    let mut in_order = 0;
    for _ in 0..50 {
        let queries = unanswered_queries("https://www.lab.test:8443/", 3).await;
        let mut queries: Vec<_> = queries.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        in_order += usize::from(queries == [records, (&host, 28), (&host, 1)]);
        queries.sort_by_key(|(_, kind)| *kind);
        assert_eq!(queries, [(host.as_str(), 1), (&host, 28), records]);
    }
    assert!(in_order > 25, "{in_order} of 50");
}

/// The port of `https` is no part of the name; another is. An `http` origin has the name of the `https` origin that it
/// would become.
///
/// Proves: DNS-8
#[tokio::test]
async fn the_name_of_the_records_has_the_port_unless_it_is_that_of_https() {
    let host = Host::with(HTTPS).await;
    let mut config = config();
    config.https_upgrade(true).address_policy(AddressPolicy::new(|_, _| Verdict::deny("only asked")));
    for (uri, name) in [
        ("https://www.lab.test/", "www.lab.test."),
        ("https://www.lab.test:443/", "www.lab.test."),
        ("wss://www.lab.test/", "www.lab.test."),
        ("https://www.lab.test:8443/", "_8443._https.www.lab.test."),
        ("https://www.lab.test:80/", "_80._https.www.lab.test."),
        ("http://www.lab.test/", "www.lab.test."),
        ("http://www.lab.test:8080/", "_8080._https.www.lab.test."),
        ("ws://www.lab.test:443/", "www.lab.test."),
    ] {
        host.dns.clear_log();
        connect(&plain(&host, config.clone()), uri).await.unwrap_err();
        assert_eq!(records_asked(&host.dns), [name], "{uri}");
        assert_eq!((host.dns.asked(HOST, RecordType::AAAA), host.dns.asked(HOST, RecordType::A)), (1, 1), "{uri}");
    }
}

/// SVCB has no meaning for the schemes of the web, and HTTPS none for others.
///
/// Proves: DNS-4
#[tokio::test]
async fn only_the_schemes_of_the_web_have_records() {
    let host = Host::with(HTTP).await;
    let mut upgrade = config();
    upgrade.https_upgrade(true);
    for (scheme, config, asks) in [
        ("https", config(), true),
        ("wss", config(), true),
        ("http", config(), false),
        ("ws", config(), false),
        ("http", upgrade.clone(), true),
        ("ws", upgrade.clone(), true),
        ("socks5", upgrade, false),
    ] {
        host.dns.clear_log();
        let stream = connect(&plain(&host, config), &host.uri(scheme)).await.unwrap();
        assert_eq!(peer(&stream), host.addr(V4[0]));
        assert_eq!(host.dns.asked(&records_name(&host), RecordType::HTTPS), usize::from(asks), "{scheme}");
        assert!(host.dns.log().iter().all(|query| query.kind != RecordType::SVCB), "{scheme}");
    }
}

/// A literal has no records, and an override or localhost says where the host is.
#[tokio::test]
async fn an_address_that_is_at_hand_has_no_records() {
    let host = Host::with(HTTPS).await;
    let connector = host.builder().resolve(HOST, [host.addr(V4[0])]).build().unwrap();
    connect(&connector, &host.uri("https")).await.unwrap();
    for name in [host.addr(V4[0]).to_string(), format!("localhost:{}", host.sites.port())] {
        // The certificate is for the name, and of localhost nothing need be there.
        connect(&connector, &format!("https://{name}/")).await.unwrap_err();
    }
    assert_eq!(host.dns.log().len(), 0);
}

/// The setting turns them off, as a proxy needs it, also where an upgrade is asked for; and older clients know nothing
/// of them.
///
/// Proves: SVC-27
#[tokio::test]
async fn settings_without_records_ask_for_none() {
    let host = Host::with(HTTP).await;
    let mut off = config();
    off.use_service_records(false).https_upgrade(true);
    for mut config in [off, Config::sequential(), Config::rfc6555(), Config::rfc8305()] {
        config.families(Families::Both);
        host.dns.clear_log();
        for scheme in ["https", "http"] {
            connect(&plain(&host, config.clone()), &host.uri(scheme)).await.unwrap();
        }
        assert_eq!(host.dns.log().len(), 4, "{config:?}");
        assert_eq!(records_asked(&host.dns), [""; 0], "{config:?}");
    }
}

/// A resolver is asked for what it answers.
#[tokio::test]
async fn a_resolver_of_addresses_is_not_asked_for_records() {
    let host = Host::with(HTTP).await;
    for (kinds, asks) in
        [(Kinds::Addresses, false), (Kinds::AddressesAndHttps, true), (Kinds::PerFamily, false), (Kinds::PerType, true)]
    {
        let addr: SocketAddr = host.addr(V4[0]);
        let script = Script::new(kinds, move |_, kind| match kind {
            QueryKind::Https | QueryKind::Aaaa => ready(Ok(Answer::default())),
            _ => ready(Ok(Answer::from_socket_addrs([addr]))),
        });
        let builder = HappyEyeballsConnector::builder_with_resolver(script.clone()).config(config()).plaintext();
        connect(&builder.build().unwrap(), &host.uri("https")).await.unwrap();
        assert_eq!(script.asked().iter().any(|(_, kind)| *kind == QueryKind::Https), asks, "{kinds:?}");
    }
}
