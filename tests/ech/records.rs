//! What records with ECH make of the race: where it goes, and where it does not go.

use std::time::Duration;

use hickory_server::proto::rr::RecordType;
use http::Version;
use hyper_happy_eyeballs::report::{AttemptOutcome, FailureKind};
use hyper_happy_eyeballs::{Ech, EchStatus, TlsInfo};

use crate::host::{HOST, HTTPS, Host, V4, assert_untouched, client};
use crate::lab::{Reply, Site};
use crate::scene::{Scene, builder, settings};
use crate::server::{EchServer, Manner, Names, PUBLIC_NAME};
use crate::support::{connect, failure, failure_kinds};
use crate::zone::{LONG, Service, TARGET, patient, peer, publish, records, set_addresses, tried};

const OTHER: &str = "other.lab.test";

/// The origin's own address is there, and good, and nobody is told whom one is looking for there.
///
/// Proves: ECH-1
#[tokio::test]
async fn where_all_records_have_ech_nothing_else_is_tried() {
    let Some(scene) = Scene::open(Manner::Current).await else { return };
    let refusing = [
        Service::open(&scene.host, TARGET, V4[1], Site::Refused).await,
        Service::open(&scene.host, OTHER, V4[2], Site::Refused).await,
    ];
    let set = |hides: bool| {
        let [first, second] = &refusing;
        let second = second.record(2);
        let second = if hides { second.ech(scene.server.configs()) } else { second };
        records([first.record(1).ech(scene.server.configs()), second])
    };
    publish(&scene.host, set(true));
    let error = connect(&scene.connector(Ech::On), &scene.uri()).await.unwrap_err();
    assert_eq!(failure_kinds(&error), refusing.each_ref().map(|service| (service.addr(), FailureKind::Refused)));
    assert_untouched(scene.host.server()).await;

    // With one that has none there is nothing to hide, nor where ECH is none of the client's business.
    scene.host.server().forget();
    for (hides, ech) in [(false, Ech::On), (true, Ech::Off)] {
        publish(&scene.host, set(hides));
        let stream = connect(&scene.connector(ech), &scene.uri()).await.unwrap();
        assert_eq!(peer(&stream), scene.host.addr(V4[0]), "{}", stream.report());
        assert_eq!(tried(stream.report().attempts()).len(), 3, "{}", stream.report());
    }
}

/// TLS that was given finished has no ECH, and its records are as any other.
///
/// Proves: ECH-5
#[tokio::test]
async fn a_finished_tls_configuration_goes_without() {
    let Some(scene) = Scene::open(Manner::Current).await else { return };
    let stream = connect(&scene.host.configured(patient()), &scene.uri()).await.unwrap();
    assert_eq!((peer(&stream), stream.tls_info().unwrap().ech()), (scene.service(), EchStatus::NotOffered));
    let [seen] = &scene.server.handshakes(1).await[..] else { panic!("one handshake") };
    assert_eq!((seen.ech_offered, seen.names()), (false, (HOST, HOST)));

    let error = connect(&scene.host.configured(settings(Ech::Required)), &scene.uri()).await.unwrap_err();
    assert!(error.is_tls(), "{error}");
    scene.server.handshakes(1).await;
}

/// The record with ECH is not put first.
///
/// Proves: ECH-2
#[tokio::test]
async fn priorities_stand_in_a_mixed_set() {
    let Some(scene) = Scene::open(Manner::Current).await else { return };
    let plain = Service::open(&scene.host, OTHER, V4[2], HTTPS).await;
    for (set, winner, ech) in [
        ([scene.record(2), plain.record(1)], plain.addr(), EchStatus::NotOffered),
        ([scene.record(1), plain.record(2)], scene.service(), EchStatus::Accepted),
    ] {
        publish(&scene.host, records(set));
        let stream = connect(&scene.connector(Ech::On), &scene.uri()).await.unwrap();
        assert_eq!(tried(stream.report().attempts()), [winner], "{}", stream.report());
        assert_eq!(stream.tls_info().unwrap().ech(), ech);
    }
    // Who requires it has no use for the other.
    publish(&scene.host, records([scene.record(2), plain.record(1)]));
    let stream = connect(&scene.connector(Ech::Required), &scene.uri()).await.unwrap();
    assert_eq!(tried(stream.report().attempts()), [scene.service()], "{}", stream.report());
}

/// Only who can do ECH follows the record.
///
/// Proves: ECH-5
#[tokio::test]
async fn a_record_that_makes_ech_mandatory_is_for_who_can() {
    let Some(scene) = Scene::open(Manner::Current).await else { return };
    publish(&scene.host, records([scene.record(1).mandatory_ech()]));
    for (ech, winner) in [(Ech::On, scene.service()), (Ech::Off, scene.host.addr(V4[0]))] {
        let stream = connect(&scene.connector(ech), &scene.uri()).await.unwrap();
        assert_eq!(tried(stream.report().attempts()), [winner], "{}", stream.report());
    }
}

/// The addresses in the record are the service's too, while its own are missing.
///
/// Proves: ECH-5
#[tokio::test]
async fn hints_are_tried_with_the_ech_of_their_record() {
    let Some(scene) = Scene::open(Manner::Current).await else { return };
    scene.host.dns.set(TARGET, RecordType::A, Reply::never());
    publish(&scene.host, records([scene.record(1).hint(V4[1])]));
    let stream = connect(&scene.connector(Ech::On), &scene.uri()).await.unwrap();
    assert_eq!(tried(stream.report().attempts()), [scene.service()], "{}", stream.report());
    assert_eq!(stream.tls_info().unwrap().ech(), EchStatus::Accepted);
}

/// What is of no use hides nothing, and the service can do without; what cannot even be read makes the set unusable.
#[tokio::test]
async fn a_list_of_no_use_is_as_good_as_none() {
    let Some(scene) = Scene::open(Manner::Current).await else { return };
    let mut unknown_version = scene.server.configs().to_vec();
    unknown_version[2] = 0;
    let mut unknown_kem = scene.server.configs().to_vec();
    // Behind the lengths and the version of the configuration there is its ID.
    unknown_kem[7] = 0xff;
    let mut longer = scene.server.configs().to_vec();
    longer.push(0);
    for (configs, winner) in [
        (&unknown_version, scene.service()),
        (&unknown_kem, scene.service()),
        (&longer, scene.host.addr(V4[0])),
        (&Vec::new(), scene.host.addr(V4[0])),
    ] {
        publish(&scene.host, records([scene.record_without_ech(1).ech(configs)]));
        let stream = connect(&scene.connector(Ech::On), &scene.uri()).await.unwrap();
        assert_eq!(tried(stream.report().attempts()), [winner], "{}", stream.report());
        assert_eq!(stream.tls_info().unwrap().ech(), EchStatus::NotOffered);
        assert!(stream.report().elapsed() < LONG, "{}", stream.report());
        let error = connect(&scene.connector(Ech::Required), &scene.uri()).await.unwrap_err();
        assert!(error.is_tls() && tried(error.report().unwrap().attempts()).is_empty(), "{error}");
    }
}

/// The inner hello has what the outer has for everybody: the name of the origin, and both protocols.
///
/// Proves: ECH-5, SVC-16
#[tokio::test]
async fn server_name_and_alpn_are_those_of_the_inner_hello() {
    let Some(scene) = Scene::open(Manner::Current).await else { return };
    publish(&scene.host, records([scene.record(1).alpn(&["http/1.1"])]));
    let connector = builder(&scene.host).config(settings(Ech::On)).build().unwrap();
    let response = client(connector).get(scene.uri().parse().unwrap()).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    let info = response.extensions().get::<TlsInfo>().unwrap();
    assert_eq!((info.ech(), info.alpn()), (EchStatus::Accepted, Some(&b"h2"[..])));
    let [seen] = &scene.server.handshakes(1).await[..] else { panic!("one handshake") };
    assert_eq!((seen.names(), &seen.protocols[..]), ((PUBLIC_NAME, HOST), &["h2".to_owned(), "http/1.1".into()][..]));
}

/// A ticket that came within one handshake with ECH is good for the next.
#[tokio::test]
async fn sessions_are_resumed() {
    let Some(scene) = Scene::open(Manner::Current).await else { return };
    let connector = scene.connector(Ech::On);
    for resumed in [false, true] {
        // A client of its own has no connection to use again.
        let response = client(connector.clone()).get(scene.uri().parse().unwrap()).await.unwrap();
        let info = response.extensions().get::<TlsInfo>().unwrap();
        assert_eq!((info.ech(), info.resumed()), (EchStatus::Accepted, resumed));
    }
    let seen = scene.server.handshakes(2).await;
    assert_eq!(
        seen.iter().map(|seen| (seen.names(), seen.resumed)).collect::<Vec<_>>(),
        [((PUBLIC_NAME, HOST), false), ((PUBLIC_NAME, HOST), true)]
    );
}

/// One address of a service is tried with what it gives, rejects that too, and then it is the other's turn.
///
/// Proves: ECH-4, ATT-2
#[tokio::test]
async fn after_a_second_rejection_the_race_goes_on() {
    let host = Host::with(HTTPS).await;
    let sites = [(V4[1], Manner::Moving), (V4[2], Manner::Current)];
    let Some(server) = EchServer::with(&host.ca, sites, Names::Both).await else { return };
    let scene = Scene::of(host, server);
    set_addresses(&scene.host, TARGET, [V4[1], V4[2]]);
    let stream = connect(&scene.connector(Ech::On), &scene.uri()).await.unwrap();
    let report = stream.report();
    let [first, again, other] = report.attempts() else { panic!("{report}") };
    assert_eq!(tried(report.attempts()), [V4[1], V4[1], V4[2]].map(|ip| scene.server.addr(ip)), "{report}");
    assert_eq!([first, again].map(|attempt| failure(attempt).kind()), [FailureKind::EchRejected; 2]);
    assert!(matches!(other.outcome(), AttemptOutcome::Won));
    assert!([first, again, other].iter().all(|attempt| attempt.has_ech()), "{report}");
    for [one, next] in [[first, again], [again, other]] {
        assert!(next.start() - one.start() >= Duration::from_millis(10), "{report}");
    }
    assert_untouched(scene.host.server()).await;
}
