//! Handshakes that would never be done: each timeout ends them, and the race does not wait for any.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hyper_happy_eyeballs::Config;
use hyper_happy_eyeballs::report::{AttemptOutcome, FailureKind, Stage};

use crate::case::{Case, LONG, SHORT, client, connect_to, good, serve, timeless};
use crate::lab::{Behaviour, Ca, Cut, Then, Within};

/// Hundreds of bytes take longer than anything here waits.
const DRIP: Then = Then::Drip(Duration::from_millis(50));

const SLOW: [Behaviour; 4] = [
    Behaviour::Stall,
    Behaviour::Cut(Cut { records: 1, within: Within::Half, then: Then::Silence }),
    Behaviour::Cut(Cut { records: 0, within: Within::Start, then: DRIP }),
    Behaviour::Cut(Cut { records: 2, within: Within::Half, then: DRIP }),
];

/// Proves: TLS-2
#[tokio::test]
async fn a_slow_handshake_has_the_time_of_its_timeouts_and_no_more() {
    let ca = &Ca::new();
    let client = &client(ca);
    let good_server = &serve(good(ca), Behaviour::Serve).await;
    let limited = |limit: fn(&mut Config, Option<Duration>) -> &mut Config| {
        let mut config = timeless();
        limit(&mut config, Some(SHORT));
        config
    };
    let (tls, attempt) = (&limited(Config::tls_timeout), &limited(Config::attempt_timeout));
    let connect = &limited(Config::connect_timeout);
    join_all(SLOW.map(|behaviour| async move {
        let bad = &serve(good(ca), behaviour).await;
        for (config, cause) in [(tls, "the TLS timeout ran out"), (attempt, "the attempt timeout ran out")] {
            let start = Instant::now();
            let kind = FailureKind::TimedOut;
            let case = Case { what: behaviour, client, bad, good: good_server, kind, cause };
            case.check_error(config.clone()).await;
            assert!((SHORT..LONG).contains(&start.elapsed()), "{behaviour:?}: {:?}", start.elapsed());
            case.check_overtaken().await;
        }

        let error = connect_to(client, connect.clone(), [bad]).await.unwrap_err();
        assert!(error.is_timeout() && !error.is_tls(), "{behaviour:?}: {error}");
        assert!(error.to_string().contains(&format!("; {} tls without an answer (", bad.addr())), "{error}");
        let [attempt] = error.report().unwrap().attempts() else { panic!("{error}") };
        assert!(matches!(attempt.outcome(), AttemptOutcome::Cancelled), "{behaviour:?}: {error}");
        assert_eq!(attempt.stage(), Stage::Tls, "{behaviour:?}: {error}");
    }))
    .await;
}
