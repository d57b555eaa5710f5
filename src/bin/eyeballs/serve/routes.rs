//! The pages.

use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use prometheus::TEXT_FORMAT;

use super::probe::Prober;
use super::request::ProbeRequest;

const PLAIN: &str = "text/plain; charset=utf-8";

const HOME: &str = r#"<!doctype html>
<html lang="en">
<title>eyeballs</title>
<h1>eyeballs</h1>
<ul>
<li><a href="/probe?target=https://example.org/">/probe?target=URL</a>: whether a site is reachable
<li><a href="/metrics">/metrics</a>: the exporter itself
</ul>
</html>
"#;

/// The response to a request.
pub(super) async fn answer<B>(prober: &Prober, request: &Request<B>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if !matches!(path, "/" | "/metrics" | "/probe") {
        return page(StatusCode::NOT_FOUND, PLAIN, "there is /probe?target=URL and /metrics\n");
    }
    if request.method() != Method::GET {
        return with(page(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET\n"), ALLOW, "GET");
    }
    match path {
        "/probe" => probe(prober, request).await,
        "/metrics" => metrics(prober.own().text()),
        _ => page(StatusCode::OK, "text/html; charset=utf-8", HOME),
    }
}

async fn probe<B>(prober: &Prober, request: &Request<B>) -> Response<Full<Bytes>> {
    let request = match ProbeRequest::of(request.uri(), request.headers(), prober.timeout()) {
        Ok(request) => request,
        Err(why) => return page(StatusCode::BAD_REQUEST, PLAIN, why + "\n"),
    };
    match prober.probe(&request).await {
        Some(text) => metrics(text),
        None => {
            let page = page(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "too many probes at once\n");
            with(page, RETRY_AFTER, "1")
        }
    }
}

fn metrics(text: prometheus::Result<String>) -> Response<Full<Bytes>> {
    match text {
        Ok(text) => page(StatusCode::OK, TEXT_FORMAT, text),
        Err(error) => page(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, format!("no metrics: {error}\n")),
    }
}

fn page(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut page = Response::new(Full::new(body.into()));
    *page.status_mut() = status;
    with(page, CONTENT_TYPE, content_type)
}

fn with(mut page: Response<Full<Bytes>>, name: HeaderName, value: &'static str) -> Response<Full<Bytes>> {
    page.headers_mut().insert(name, HeaderValue::from_static(value));
    page
}
