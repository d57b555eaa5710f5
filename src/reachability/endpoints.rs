//! Every endpoint that a connector would try, in its order.

use std::convert::Infallible;
use std::future::{Future, poll_fn, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use crate::connector::HappyEyeballsConnector;
use crate::dial::{Dial, Dialer};
use crate::error::Error;
use crate::race::Probed;
use crate::report::{AttemptOutcome, AttemptReport, Failure, FailureKind, Report};

/// All that there is to ask and to try.
pub(super) struct List {
    pub(super) report: Report,
    /// Whether the time ran out before all was answered.
    pub(super) is_cut_off: bool,
}

impl List {
    /// What began before records came that all have ECH, and to which they do not lead, is left out: it would go no further.
    fn new(mut report: Report, is_cut_off: bool) -> Self {
        let is_denied = |attempt: &AttemptReport| matches!(attempt.outcome(), AttemptOutcome::Denied(_));
        let relies_on_ech = report.relies_on_ech;
        report.attempts.retain(|attempt| !relies_on_ech || attempt.has_ech() || is_denied(attempt));
        Self { report, is_cut_off }
    }
}

/// By a race in which no packet can leave, so that it asks for all that there is to ask, and tries all that there is to
/// try, without a pause.
pub(super) async fn list(connector: &HappyEyeballsConnector, uri: &Uri) -> Result<List, Error> {
    match connector.race(uri, Listing).await {
        Ok((never, _)) => match never {},
        Err(error) => match error.report() {
            Some(report) => Ok(List::new(Report::clone(report), error.is_timeout())),
            None => Err(error),
        },
    }
}

struct Listing(Dialer);

impl Dial for Listing {
    type Tcp = Infallible;
    type Stream = Infallible;

    fn probe(&self, addrs: Vec<SocketAddr>) -> Vec<Probed> {
        self.0.probe(addrs)
    }

    fn tcp(
        &self,
        addr: SocketAddr,
    ) -> impl Future<Output = Result<(Infallible, Option<Duration>), Failure>> + Send + 'static {
        // What has no route is listed by way of a NAT64 too.
        let has_route = self.probe(vec![addr]).iter().all(|probed| probed.source.is_some());
        let cause = if has_route { io::ErrorKind::Other } else { io::ErrorKind::NetworkUnreachable };
        ready(Err(Failure::new(FailureKind::Local, io::Error::new(cause, "only listed"))))
    }

    fn tls(
        &self,
        never: Infallible,
        _: Option<Arc<[u8]>>,
    ) -> impl Future<Output = Result<Infallible, Failure>> + Send + 'static {
        poll_fn(move |_| match never {})
    }

    fn plain(&self, never: Infallible) -> Infallible {
        match never {}
    }
}
