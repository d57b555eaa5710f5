//! Fetches a URL and prints how it was reached: `cargo run --example get -- https://example.org/`.

use std::error::Error;
use std::sync::Arc;

use http::{Request, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_happy_eyeballs::{HappyEyeballsConnector, Report};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let uri: Uri = std::env::args().nth(1).ok_or("usage: get URL")?.parse()?;
    let connector = HappyEyeballsConnector::builder().platform_verifier().enable_all_versions().build()?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);

    let response = match client.request(Request::get(uri).body(Empty::new())?).await {
        Ok(response) => response,
        Err(error) => {
            // The connector's error is below the client's, and has the report.
            if let Some(error) = error.source().and_then(|error| error.downcast_ref::<hyper_happy_eyeballs::Error>()) {
                if let Some(report) = error.report() {
                    eprintln!("{report}");
                }
                eprintln!("{error}");
            }
            return Err(error.into());
        }
    };
    if let Some(report) = response.extensions().get::<Arc<Report>>() {
        eprintln!("{report}");
    }
    eprintln!("{:?} {}", response.version(), response.status());
    let body = response.into_body().collect().await?.to_bytes();
    println!("{}", String::from_utf8_lossy(&body));
    Ok(())
}
