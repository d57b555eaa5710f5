//! The bound on the attempts of all races of a connector.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// The part that one race has in the bound: a permit for each of its attempts, and its place in the queue for another.
pub(super) struct Permits {
    bound: Arc<Semaphore>,
    held: Vec<OwnedSemaphorePermit>,
    waiting: Option<Waiting>,
}

type Waiting = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

impl Permits {
    /// Boxed: most connects have no bound, and are to be small.
    pub(super) fn new(bound: &Arc<Semaphore>) -> Box<Self> {
        Box::new(Self { bound: bound.clone(), held: Vec::new(), waiting: None })
    }

    /// Takes a permit, once those that `in_flight` attempts do not need are given back; false if it has to queue for one,
    /// behind those who asked before: while they wait none is free.
    pub(super) fn ask(&mut self, in_flight: usize) -> bool {
        self.release(in_flight);
        self.waiting = None;
        match self.bound.clone().try_acquire_owned() {
            Ok(permit) => self.held.push(permit),
            Err(_) => self.waiting = Some(Box::pin(self.bound.clone().acquire_owned())),
        }
        self.waiting.is_none()
    }

    /// Ready once there is the permit that was asked for.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(waiting) = &mut self.waiting else { return Poll::Pending };
        // Nobody closes the semaphore.
        self.held.extend(ready!(waiting.as_mut().poll(cx)));
        self.waiting = None;
        Poll::Ready(())
    }

    /// Gives back what `in_flight` attempts do not need.
    pub(super) fn release(&mut self, in_flight: usize) {
        self.held.truncate(in_flight);
    }
}
