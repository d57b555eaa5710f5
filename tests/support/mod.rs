//! What the integration tests share and what needs no lab: calling a connector, and resolvers that are told what to
//! say.

// Every test binary uses another part of it.
#![allow(dead_code, unreachable_pub)]

use std::error::Error as StdError;
use std::fmt::Write;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::Uri;
use hyper_happy_eyeballs::report::{AttemptOutcome, AttemptReport, Failure, FailureKind};
use hyper_happy_eyeballs::resolve::{Answer, Kinds, QueryKind, Resolve, ResolveError, Resolving};
use hyper_happy_eyeballs::{Error, HappyEyeballsConnector, MaybeHttpsStream};
use tower_service::Service;

/// Connects as hyper-util's client does: with a clone, ready before it is called.
pub async fn connect(connector: &HappyEyeballsConnector, uri: &str) -> Result<MaybeHttpsStream, Error> {
    call(connector.clone(), uri.parse().expect("the tests ask for URIs that parse")).await
}

pub async fn call<S: Service<Uri>>(mut service: S, uri: Uri) -> Result<S::Response, S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(uri).await
}

/// The failure of an attempt.
///
/// # Panics
///
/// If it did not fail.
pub fn failure(attempt: &AttemptReport) -> &Failure {
    match attempt.outcome() {
        AttemptOutcome::Failed(failure) => failure,
        other => panic!("{} did not fail but {other:?}", attempt.addr()),
    }
}

pub fn failure_kinds(error: &Error) -> Vec<(SocketAddr, FailureKind)> {
    let attempts = error.report().expect("a race has a report").attempts();
    attempts.iter().map(|attempt| (attempt.addr(), failure(attempt).kind())).collect()
}

/// The texts of an error and its causes.
pub fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        write!(text, " <- {error}").expect("a string takes everything");
        source = error.source();
    }
    text
}

/// Answers as a function says, and notes what it is asked. Clones share the notes.
#[derive(Clone)]
pub struct Script {
    kinds: Kinds,
    answer: Arc<Respond>,
    asked: Arc<Mutex<Vec<(String, QueryKind)>>>,
}

type Respond = dyn Fn(&str, QueryKind) -> Resolving + Send + Sync;

impl Script {
    pub fn new(kinds: Kinds, answer: impl Fn(&str, QueryKind) -> Resolving + Send + Sync + 'static) -> Self {
        Self { kinds, answer: Arc::new(answer), asked: Arc::default() }
    }

    /// The same addresses for every name.
    pub fn addresses(addrs: impl IntoIterator<Item = SocketAddr>) -> Self {
        let answer = Answer::from_socket_addrs(addrs);
        Self::new(Kinds::Addresses, move |_, _| ready(Ok(answer.clone())))
    }

    pub fn asked(&self) -> Vec<(String, QueryKind)> {
        self.asked.lock().expect("nothing panics under this lock").clone()
    }
}

impl Resolve for Script {
    fn kinds(&self) -> Kinds {
        self.kinds
    }

    fn resolve(&self, name: &str, kind: QueryKind) -> Resolving {
        self.asked.lock().expect("nothing panics under this lock").push((name.to_owned(), kind));
        (self.answer)(name, kind)
    }
}

pub fn ready(result: Result<Answer, ResolveError>) -> Resolving {
    Box::pin(std::future::ready(result))
}
