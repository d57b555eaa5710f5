//! The connector in the crates that take one, on real sockets. `tests/client.rs` has what hyper-util's client sees of
//! a GET.

mod client;
#[path = "../examples/grpc.rs"]
mod example;
mod grpc;
#[path = "../../host/mod.rs"]
mod host;
mod kube;
#[path = "../../lab/mod.rs"]
mod lab;
mod layers;
mod pool;
mod proxies;
mod reqwest;
#[path = "../../support/mod.rs"]
mod support;
mod tls_on_top;

use std::error::Error as StdError;
use std::sync::Arc;

use http::{Extensions, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes};
use hyper_happy_eyeballs::{Error, Report};
use hyper_util::client::legacy::connect::{Connect, Connected};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;

/// One request by a client of its own.
async fn get(
    connector: impl Connect + Clone + Send + Sync + 'static,
    uri: &str,
) -> Result<Response<String>, legacy::Error> {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    Ok(whole(client.get(uri.parse().expect("the tests ask for URIs that parse")).await?).await)
}

/// A body that was read to its end gives its connection back to the pool.
async fn whole<B: Body<Error: std::fmt::Debug>>(response: Response<B>) -> Response<String> {
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    Response::from_parts(head, String::from_utf8_lossy(&body).into_owned())
}

fn report(extensions: &Extensions) -> &Report {
    extensions.get::<Arc<Report>>().expect("a report")
}

fn extras(connected: &Connected) -> Extensions {
    let mut extensions = Extensions::new();
    connected.get_extras(&mut extensions);
    extensions
}

/// The first of an error's causes that is a `T`.
fn cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

/// The connector's own among the causes of another's.
fn ours<'a>(error: &'a (dyn StdError + 'static)) -> &'a Error {
    cause(error).unwrap_or_else(|| panic!("{}", support::chain(error)))
}
