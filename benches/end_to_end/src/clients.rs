//! The two clients, and how their connectors are called.

use std::future::poll_fn;

use http::Uri;
use tower_service::Service;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// This crate's connector.
    Ours,
    HttpConnector,
}

impl Client {
    pub const BOTH: [Self; 2] = [Self::Ours, Self::HttpConnector];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::HttpConnector => "http-connector",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|client| client.name() == name)
    }
}

pub async fn connect<S: Service<Uri>>(connector: &mut S, uri: Uri) -> Result<S::Response, S::Error> {
    poll_fn(|cx| connector.poll_ready(cx)).await?;
    connector.call(uri).await
}
