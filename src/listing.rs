//! What a connector would try, in its order: by a race in which no packet can leave.

use std::convert::Infallible;
use std::future::{Future, poll_fn, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
#[cfg(feature = "reqwest")]
use std::{pin::pin, sync::mpsc, task::Poll};

use http::Uri;

use crate::connector::HappyEyeballsConnector;
use crate::dial::{Dial, Dialer};
use crate::error::Error;
use crate::race::Probed;
#[cfg(feature = "reachability")]
use crate::report::{AttemptOutcome, AttemptReport, Report};
use crate::report::{Failure, FailureKind};

/// All that there is to ask and to try.
#[cfg(feature = "reachability")]
pub(crate) struct List {
    pub(crate) report: Report,
    /// Whether the time ran out before all was answered.
    pub(crate) is_cut_off: bool,
}

#[cfg(feature = "reachability")]
impl List {
    /// What began before records came that all have ECH, and to which they do not lead, is left out: it would go no further.
    fn new(mut report: Report, is_cut_off: bool) -> Self {
        let is_denied = |attempt: &AttemptReport| matches!(attempt.outcome(), AttemptOutcome::Denied(_));
        let relies_on_ech = report.relies_on_ech;
        report.attempts.retain(|attempt| !relies_on_ech || attempt.has_ech() || is_denied(attempt));
        Self { report, is_cut_off }
    }
}

/// Asks for all that there is to ask, however long it takes, and lists all that there is to try.
#[cfg(feature = "reachability")]
pub(crate) async fn list(connector: &HappyEyeballsConnector, uri: &Uri) -> Result<List, Error> {
    match connector.race(uri, |dialer| Listing { dialer, listed: |_, _| {} }).await {
        Ok((never, _)) => match never {},
        Err(error) => match error.report() {
            Some(report) => Ok(List::new(Report::clone(report), error.is_timeout())),
            None => Err(error),
        },
    }
}

/// Lists what can be tried once the race begins to try, and no more; but for what has no route, of which it waits for the
/// translations.
#[cfg(feature = "reqwest")]
pub(crate) async fn addresses(connector: &HappyEyeballsConnector, uri: &Uri) -> Result<Vec<SocketAddr>, Error> {
    let (sender, listed) = mpsc::channel();
    // The receiver outlives the race.
    let note = move |addr, has_route| _ = sender.send((addr, has_route));
    let mut race = pin!(connector.race(uri, |dialer| Listing { dialer, listed: note }));
    let (mut addresses, mut any_has_route) = (Vec::new(), false);
    poll_fn(move |cx| {
        let polled = race.as_mut().poll(cx);
        for (addr, has_route) in listed.try_iter() {
            addresses.push(addr);
            any_has_route |= has_route;
        }
        match polled {
            Poll::Pending if !any_has_route => Poll::Pending,
            Poll::Ready(Err(error)) if addresses.is_empty() => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(std::mem::take(&mut addresses))),
        }
    })
    .await
}

/// Fails each attempt at once and before a packet has left, so that the next one starts without a pause.
struct Listing<F> {
    dialer: Dialer,
    /// Is told each address, and whether it has a route.
    listed: F,
}

impl<F: Fn(SocketAddr, bool) + Send + Sync> Dial for Listing<F> {
    type Tcp = Infallible;
    type Stream = Infallible;

    fn probe(&self, addrs: Vec<SocketAddr>) -> Vec<Probed> {
        self.dialer.probe(addrs)
    }

    fn tcp(
        &self,
        addr: SocketAddr,
    ) -> impl Future<Output = Result<(Infallible, Option<Duration>), Failure>> + Send + 'static {
        // What has no route is listed by way of a NAT64 too.
        let has_route = self.probe(vec![addr]).iter().all(|probed| probed.source.is_some());
        (self.listed)(addr, has_route);
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
