//! Where the race meets tokio and sockets: it does what the race wants and tells it what came of it.

use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use tracing::{debug, debug_span};

use super::permits::Permits;
use crate::dial::Dial;
use crate::error::Error;
use crate::history::Session;
use crate::origin::Origin;
use crate::race::{AttemptId, Input, Outcome, Output, QueryId, Race};
use crate::report::{AttemptOutcome, Failure, Report};
use crate::resolve::{Answer, Lookups, ResolveError};

/// Drives `race` to its end. Dropping the future drops every socket and every wait for DNS.
///
/// The driver is made before the future, which would otherwise hold the race twice: as an argument and in the driver.
pub(super) fn drive<'a, D: Dial>(
    race: Box<Race>,
    lookups: &'a Lookups,
    history: Option<impl Fn(&Origin) -> Session>,
    permits: Option<Box<Permits>>,
    dial: &'a D,
) -> impl Future<Output = Result<(D::Stream, Arc<Report>), Error>> {
    let span = debug_span!("connect", origin = %race.origin());
    let (queries, attempts) = (Vec::new(), Vec::with_capacity(1));
    let (session, timer) = (None, None);
    let mut driver = Driver { race, lookups, history, session, dial, queries, attempts, permits, timer };
    async move {
        let outcome = poll_fn(|cx| span.in_scope(|| driver.poll(cx))).await;
        span.in_scope(|| driver.finish(outcome))
    }
}

struct Driver<'a, D: Dial, H> {
    race: Box<Race>,
    lookups: &'a Lookups,
    /// None where it is not used.
    history: Option<H>,
    /// Made when there is something to recall: mostly one address needs none.
    session: Option<Box<Session>>,
    dial: &'a D,
    queries: Vec<(QueryId, BoxFuture<Result<Answer, ResolveError>>)>,
    attempts: Vec<(AttemptId, Attempt<D>)>,
    /// None where attempts are not bounded. Behind these, whose sockets are closed first when all is dropped.
    permits: Option<Box<Permits>>,
    timer: Option<Timer>,
}

/// A TCP connection and the round-trip time of its handshake.
type Connection<D> = (<D as Dial>::Tcp, Option<Duration>);

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

enum Attempt<D: Dial> {
    Connecting(BoxFuture<Result<Connection<D>, Failure>>),
    /// TCP is up, and the race has not said what for.
    Connected(D::Tcp),
    ShakingHands(BoxFuture<Result<D::Stream, Failure>>),
    Ready(D::Stream),
}

/// What the race waits for, beside inputs.
struct Waits {
    until: Option<Instant>,
    /// Whether there is I/O that was never polled.
    begun: bool,
}

struct Timer {
    deadline: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl<D: Dial, H: Fn(&Origin) -> Session> Driver<'_, D, H> {
    /// Loops until neither I/O nor the timer has anything for the race.
    ///
    /// All that has happened goes in before the race looks at the time: after a runtime has stood still, what came in
    /// the meantime counts, and no attempt is started or given up that it makes needless.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        loop {
            while let Poll::Ready(input) = self.poll_io(cx) {
                debug!(?input, "race input");
                self.race.handle_input(input, now());
            }
            match self.drain(now()) {
                ControlFlow::Break(outcome) => return Poll::Ready(outcome),
                // What has just begun has to be polled before it can be waited for.
                ControlFlow::Continue(Waits { begun: true, .. }) => {}
                ControlFlow::Continue(Waits { until, .. }) => ready!(self.poll_timer(cx, until)),
            }
        }
    }

    /// Does what the race wants until it is done or waits.
    fn drain(&mut self, now: Instant) -> ControlFlow<Outcome, Waits> {
        let mut begun = false;
        loop {
            let output = self.race.poll_output(now);
            if !matches!(output, Output::Wait(_)) {
                debug!(?output, "race output");
            }
            match output {
                Output::Query { id, name, kind } => {
                    begun = true;
                    let lookup = self.lookups.lookup(&name, kind, self.race.config().dns_linger);
                    self.queries.push((id, Box::pin(lookup)));
                }
                Output::Probe { addrs } => {
                    let mut probed = self.dial.probe(addrs);
                    if let Some(history) = &self.history {
                        let session = self.session.get_or_insert_with(|| Box::new(history(self.race.origin())));
                        session.recall(&mut probed, now);
                    }
                    self.race.handle_input(Input::Probed(probed), now);
                }
                Output::Permit => {
                    if let Some(permits) = &mut self.permits {
                        match permits.ask(self.attempts.len()) {
                            true => self.race.handle_input(Input::Permitted, now),
                            false => begun = true,
                        }
                    }
                }
                Output::Attempt { id, addr } => {
                    begun = true;
                    self.attempts.push((id, Attempt::Connecting(Box::pin(self.dial.tcp(addr)))));
                }
                Output::Handshake { id, ech } => {
                    begun = true;
                    self.start_tls(id, ech);
                }
                Output::Cancel { id } => self.attempts.retain(|(other, _)| *other != id),
                Output::Learned { addr, lesson } => {
                    if let Some(session) = &mut self.session {
                        session.learn(addr, lesson, now);
                    }
                }
                Output::Wait(until) => {
                    if let Some(permits) = &mut self.permits {
                        permits.release(self.attempts.len());
                    }
                    return ControlFlow::Continue(Waits { until, begun });
                }
                Output::Done(outcome) => return ControlFlow::Break(outcome),
            }
        }
    }

    fn start_tls(&mut self, id: AttemptId, ech: Option<Arc<[u8]>>) {
        let Some(index) = self.attempts.iter().position(|(other, _)| *other == id) else { return };
        // Order is of no matter here; the race knows its attempts by id.
        if let (id, Attempt::Connected(tcp)) = self.attempts.swap_remove(index) {
            self.attempts.push((id, Attempt::ShakingHands(Box::pin(self.dial.tls(tcp, ech)))));
        }
    }

    /// The next thing that happened. DNS goes first: an answer may change which attempt is next.
    fn poll_io(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        for index in 0..self.queries.len() {
            let (id, query) = &mut self.queries[index];
            if let Poll::Ready(result) = query.as_mut().poll(cx) {
                let id = *id;
                drop(self.queries.swap_remove(index));
                return Poll::Ready(Input::Answer { id, result });
            }
        }
        if let Some(permits) = &mut self.permits
            && permits.poll(cx).is_ready()
        {
            return Poll::Ready(Input::Permitted);
        }
        for index in 0..self.attempts.len() {
            let (id, attempt) = &mut self.attempts[index];
            let id = *id;
            let failure = match attempt {
                Attempt::Connecting(connect) => match connect.as_mut().poll(cx) {
                    Poll::Pending => continue,
                    Poll::Ready(Ok((tcp, rtt))) => {
                        *attempt = Attempt::Connected(tcp);
                        return Poll::Ready(Input::Progress { id, rtt });
                    }
                    Poll::Ready(Err(failure)) => failure,
                },
                Attempt::ShakingHands(handshake) => match handshake.as_mut().poll(cx) {
                    Poll::Pending => continue,
                    Poll::Ready(Ok(stream)) => {
                        *attempt = Attempt::Ready(stream);
                        return Poll::Ready(Input::Succeeded { id });
                    }
                    Poll::Ready(Err(failure)) => failure,
                },
                Attempt::Connected(_) | Attempt::Ready(_) => continue,
            };
            drop(self.attempts.swap_remove(index));
            return Poll::Ready(Input::Failed { id, failure });
        }
        Poll::Pending
    }

    /// Ready when `deadline` has come. The clock says so, not the timer: it may be woken for other reasons.
    fn poll_timer(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        if deadline <= now() {
            return Poll::Ready(());
        }
        let at = tokio::time::Instant::from_std(deadline);
        let timer = match &mut self.timer {
            Some(timer) => {
                if timer.deadline != deadline {
                    timer.deadline = deadline;
                    timer.sleep.as_mut().reset(at);
                }
                timer
            }
            None => self.timer.insert(Timer { deadline, sleep: Box::pin(tokio::time::sleep_until(at)) }),
        };
        timer.sleep.as_mut().poll(cx)
    }

    fn finish(mut self, outcome: Outcome) -> Result<(D::Stream, Arc<Report>), Error> {
        let report = self.race.take_report();
        for attempt in &report.attempts {
            if let AttemptOutcome::Denied(reason) = &attempt.outcome {
                debug!(addr = %attempt.addr, %reason, "denied");
            }
        }
        let winner = match outcome {
            Outcome::Won(id) => self.attempts.iter().position(|(other, _)| *other == id),
            Outcome::TimedOut => return Err(Error::timed_out(report)),
            Outcome::Upgrade => return Err(Error::upgrade(report)),
            Outcome::Withheld => return Err(Error::withheld(report)),
            Outcome::WithoutEch => return Err(Error::without_ech(report)),
            Outcome::Failed => None,
        };
        match winner.map(|index| self.attempts.swap_remove(index).1) {
            Some(Attempt::Connected(tcp)) => Ok((self.dial.plain(tcp), Arc::new(report))),
            Some(Attempt::Ready(stream)) => Ok((stream, Arc::new(report))),
            Some(Attempt::Connecting(_) | Attempt::ShakingHands(_)) | None => Err(Error::from_race(report)),
        }
    }
}

/// Tokio's clock, so that tests can stop it.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
