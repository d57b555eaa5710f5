//! Each setting with each server.

use hyper_happy_eyeballs::report::{AttemptReport, FailureKind};
use hyper_happy_eyeballs::{Ech, EchStatus};

use crate::host::{HOST, HTTPS, Host, V4, assert_untouched};
use crate::lab::{Ca, Dns, Reply, Sites};
use crate::scene::{Scene, connector};
use crate::server::{EchServer, Handshake, Manner, Names, PUBLIC_NAME};
use crate::support::{connect, failure, failure_kinds};
use crate::zone::{LONG, Service, publish, records, tried};

/// What the server sees of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// The name of the host is in clear, beside nothing or beside an offer without meaning.
    Clear,
    Greased,
    /// The name is hidden, and the server reads it or rejects it.
    Accepted,
    Rejected,
}

use Sight::{Accepted, Clear, Greased, Rejected};

impl Sight {
    fn of(seen: &Handshake) -> Self {
        match (seen.ech_offered, seen.ech_accepted, seen.names()) {
            (false, false, (HOST, HOST)) => Self::Clear,
            (true, false, (HOST, HOST)) => Self::Greased,
            (true, true, (PUBLIC_NAME, HOST)) => Self::Accepted,
            (true, false, (PUBLIC_NAME, PUBLIC_NAME)) => Self::Rejected,
            _ => panic!("{seen:?}"),
        }
    }
}

/// What the server sees, and what the connect comes to: the ECH of the connection, or how the last attempt failed. In
/// none of it has the host's other address a part, for the only record has ECH. Configurations that come with a rejection
/// are used once; if there are none, the server has turned ECH off.
///
/// Proves: ECH-1, ECH-4
#[tokio::test]
async fn each_setting_with_each_server() {
    let accepted = Ok(EchStatus::Accepted);
    let clear = Ok(EchStatus::NotOffered);
    let rejected = Err(FailureKind::EchRejected);
    for (manner, ech, sights, end) in [
        (Manner::Current, Ech::On, &[Accepted][..], accepted),
        (Manner::Current, Ech::Grease, &[Accepted], accepted),
        (Manner::Current, Ech::Required, &[Accepted], accepted),
        (Manner::Current, Ech::Off, &[Clear], clear),
        (Manner::Stale, Ech::On, &[Rejected, Accepted], accepted),
        (Manner::Stale, Ech::Grease, &[Rejected, Accepted], accepted),
        (Manner::Stale, Ech::Required, &[Rejected, Accepted], accepted),
        (Manner::Stale, Ech::Off, &[Clear], clear),
        (Manner::Disabled, Ech::On, &[Rejected, Clear], clear),
        (Manner::Disabled, Ech::Grease, &[Rejected, Greased], Ok(EchStatus::Grease)),
        (Manner::Disabled, Ech::Required, &[Rejected], rejected),
        (Manner::Disabled, Ech::Off, &[Clear], clear),
        (Manner::None, Ech::On, &[Rejected, Clear], clear),
        (Manner::None, Ech::Grease, &[Rejected, Greased], Ok(EchStatus::Grease)),
        (Manner::None, Ech::Required, &[Rejected], rejected),
        (Manner::None, Ech::Off, &[Clear], clear),
        (Manner::Moving, Ech::On, &[Rejected, Rejected], rejected),
        (Manner::Moving, Ech::Grease, &[Rejected, Rejected], rejected),
        (Manner::Moving, Ech::Required, &[Rejected, Rejected], rejected),
        (Manner::Moving, Ech::Off, &[Clear], clear),
        // Without TLS 1.3 nothing says that ECH was meant to be off.
        (Manner::Tls12, Ech::On, &[Rejected], Err(FailureKind::Tls)),
        (Manner::Tls12, Ech::Grease, &[Rejected], Err(FailureKind::Tls)),
        (Manner::Tls12, Ech::Required, &[Rejected], Err(FailureKind::Tls)),
        (Manner::Tls12, Ech::Off, &[Clear], clear),
    ] {
        let case = format!("{manner:?}, {ech:?}");
        let Some(scene) = Scene::open(manner).await else { return };
        let result = connect(&scene.connector(ech), &scene.uri()).await;
        let report = match &result {
            Ok(stream) => stream.report(),
            Err(error) => error.report().expect("a race has a report"),
        };
        assert_eq!(tried(report.attempts()), vec![scene.service(); sights.len()], "{case}: {report}");
        let is_hidden = |sight: &Sight| matches!(sight, Accepted | Rejected);
        let hidden = report.attempts().iter().map(AttemptReport::has_ech);
        assert!(hidden.eq(sights.iter().map(is_hidden)), "{case}: {report}");
        assert!(report.elapsed() < LONG, "{case}: {report}");
        let seen = scene.server.handshakes(sights.len()).await;
        assert_eq!(seen.iter().map(Sight::of).collect::<Vec<_>>(), sights, "{case}");
        let came_to = match &result {
            Ok(stream) => Ok(stream.tls_info().expect("TLS").ech()),
            Err(error) => {
                assert!(error.is_tls(), "{case}: {error}");
                Err(failure(report.attempts().last().expect("an attempt")).kind())
            }
        };
        assert_eq!(came_to, end, "{case}: {report}");
        assert_untouched(scene.host.server()).await;
    }
}

/// Where nobody has offered it, only who requires it goes without a connection, and sends nobody anything.
#[tokio::test]
async fn without_configurations_it_is_as_ever_unless_ech_is_required() {
    let host = Host::with(HTTPS).await;
    let service = Service::target(&host, HTTPS).await;
    for reply in [Reply::no_data(), records([service.record(1)])] {
        publish(&host, reply);
        for (ech, expected) in [
            (Ech::On, Some(EchStatus::NotOffered)),
            (Ech::Grease, Some(EchStatus::Grease)),
            (Ech::Off, Some(EchStatus::NotOffered)),
            (Ech::Required, None),
        ] {
            host.server().forget();
            let connector = connector(&host, ech);
            match (connect(&connector, &host.uri("https")).await, expected) {
                (Ok(stream), Some(expected)) => assert_eq!(stream.tls_info().unwrap().ech(), expected, "{ech:?}"),
                (Err(error), None) => {
                    assert!(error.is_tls(), "{error}");
                    assert!(tried(error.report().unwrap().attempts()).is_empty(), "{error}");
                    assert_untouched(host.server()).await;
                }
                (result, _) => panic!("{ech:?}: {result:?}"),
            }
        }
    }
}

/// An address has no records; its certificate is looked at as ever.
#[tokio::test]
async fn an_address_has_no_ech() {
    let ca = Ca::new();
    let sites = Sites::open(&ca, "127.0.0.8", [(V4[0], HTTPS)]).await.unwrap();
    let host = Host { ca, sites, dns: Dns::start().await.unwrap() };
    let uri = format!("https://{}/", host.addr(V4[0]));
    for (ech, expected) in [(Ech::On, EchStatus::NotOffered), (Ech::Grease, EchStatus::Grease)] {
        let stream = connect(&connector(&host, ech), &uri).await.unwrap();
        assert_eq!(stream.tls_info().unwrap().ech(), expected, "{ech:?}");
    }
    host.server().forget();
    let error = connect(&connector(&host, Ech::Required), &uri).await.unwrap_err();
    assert!(error.is_tls() && error.report().unwrap().attempts().is_empty(), "{error}");
    assert_untouched(host.server()).await;
}

/// What it says of ECH counts in the public name alone.
///
/// Proves: ECH-4
#[tokio::test]
async fn who_cannot_show_the_public_name_cannot_turn_ech_off() {
    for manner in [Manner::Stale, Manner::Disabled] {
        let host = Host::with(HTTPS).await;
        let Some(server) = EchServer::with(&host.ca, [(V4[1], manner)], Names::HostAlone).await else { return };
        let scene = Scene::of(host, server);
        let error = connect(&scene.connector(Ech::On), &scene.uri()).await.unwrap_err();
        assert_eq!(failure_kinds(&error), [(scene.service(), FailureKind::Certificate)], "{error}");
        assert_eq!(Sight::of(&scene.server.handshakes(1).await[0]), Rejected);
        assert_untouched(scene.host.server()).await;
    }
}
