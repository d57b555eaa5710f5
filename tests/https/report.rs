//! What a connect tells of its records.

use hyper_happy_eyeballs::resolve::QueryKind;

use crate::host::{HTTPS, Host, V4};
use crate::lab::Site;
use crate::support::connect;
use crate::zone::{Service, patient, publish, records, records_name};

/// All that came, what nobody here can use included.
///
/// Proves: QUI-6
#[tokio::test]
async fn the_report_has_the_records_and_the_targets() {
    let host = Host::with(HTTPS).await;
    let service = Service::target(&host, Site::Refused).await;
    let quic = service.record(2).alpn(&["h3"]).no_default_alpn();
    publish(&host, records([service.record(1).alpn(&["h2", "h3"]).hint(V4[1]), quic]));
    let stream = connect(&host.configured(patient()), &host.uri("https")).await.unwrap();
    let report = stream.report();
    println!("{report}");

    let query = &report.queries()[0];
    assert_eq!((query.kind(), query.name()), (QueryKind::Https, format!("{}.", records_name(&host)).as_str()));
    assert!(query.result().unwrap().unwrap().is_empty());
    let port = service.addr().port();
    let texts: Vec<_> = query.services().iter().map(ToString::to_string).collect();
    let first = format!("1 svc.lab.test. alpn=h2,h3 port={port} ipv4hint={}", V4[1]);
    assert_eq!(texts, [first.clone(), format!("2 svc.lab.test. alpn=h3 no-default-alpn port={port}")]);
    assert!(report.queries()[1..].iter().all(|query| query.services().is_empty()));

    let targets: Vec<_> = report.attempts().iter().map(|attempt| (attempt.addr(), attempt.target())).collect();
    assert_eq!(targets, [(service.addr(), Some("svc.lab.test.")), (host.addr(V4[0]), None)]);

    let drawing = report.to_string();
    assert!(drawing.contains(&first), "{drawing}");
    assert!(drawing.contains(&format!("{} of svc.lab.test.", service.addr())), "{drawing}");
}
