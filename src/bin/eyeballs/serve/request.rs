//! What a scrape asks for.

use std::time::Duration;

use http::{HeaderMap, Uri};
use hyper_happy_eyeballs::Origin;

use crate::connect::parse;

/// How much earlier than its scraper a probe gives up, as far as that is at most half of the time.
const OFFSET: Duration = Duration::from_millis(500);
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";

/// A probe as it was asked for.
#[derive(Debug)]
pub(super) struct ProbeRequest {
    pub(super) uri: Uri,
    pub(super) origin: Origin,
    /// From when it is known to when its answer is on the way.
    pub(super) limit: Duration,
}

impl ProbeRequest {
    /// Of a request to `uri`, for at most `most`; or what is wrong with it.
    pub(super) fn of(uri: &Uri, headers: &HeaderMap, most: Duration) -> Result<Self, String> {
        let (mut target, mut module) = (None, None);
        for (key, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            let slot = match &*key {
                "target" => &mut target,
                "module" => &mut module,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(format!("{key} is there more than once"));
            }
        }
        if module.is_some_and(|module| module != "http") {
            return Err("module is unknown: http is the only one".into());
        }
        let target = target.ok_or("target is missing: /probe?target=URL")?;
        let (uri, origin) = parse(&target).map_err(|why| format!("target is bad: {why}"))?;
        let granted = headers.get(SCRAPE_TIMEOUT).map(|value| {
            let seconds = value.to_str().ok().and_then(|text| text.parse().ok());
            let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            timeout.ok_or_else(|| format!("{SCRAPE_TIMEOUT} is not a number of seconds"))
        });
        let limit = granted.transpose()?.map_or(most, |timeout| most.min(timeout - OFFSET.min(timeout / 2)));
        Ok(Self { uri, origin, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(query: &str, timeout: Option<&str>) -> Result<ProbeRequest, String> {
        let mut headers = HeaderMap::new();
        if let Some(timeout) = timeout {
            headers.insert(SCRAPE_TIMEOUT, timeout.parse().unwrap());
        }
        ProbeRequest::of(&format!("/probe?{query}").parse().unwrap(), &headers, Duration::from_secs(10))
    }

    #[test]
    fn a_target_is_a_decoded_url() {
        for query in [
            "target=https://h.test/a?b=c",
            "target=https%3A%2F%2Fh.test%2Fa%3Fb%3Dc",
            "debug=true&module=http&target=https://h.test/a?b=c",
        ] {
            let request = request(query, None).unwrap();
            assert_eq!((request.uri.to_string(), request.origin.port()), ("https://h.test/a?b=c".into(), 443));
        }
        assert_eq!(request("target=http://h.test/?a%26b%3D%2B", None).unwrap().uri.query(), Some("a&b=+"));
    }

    #[test]
    fn what_is_wrong_with_a_request_is_said() {
        for (query, said) in [
            ("", "target is missing"),
            ("Target=http://h.test/", "target is missing"),
            ("target=", "target is bad"),
            ("target=h.test", "target is bad"),
            ("target=ftp://h.test/", "neither http nor https"),
            ("target=https://user:secret@h.test/", "user name"),
            ("target=http://h.test/&target=http://other.test/", "more than once"),
            ("target=http://h.test/&module=icmp", "module is unknown"),
            ("target=http://h.test/&module=", "module is unknown"),
            ("target=http://%ff/", "target is bad"),
        ] {
            let error = request(query, None).unwrap_err();
            assert!(error.contains(said) && !error.contains("secret"), "{query}: {error}");
        }
    }

    #[test]
    fn a_probe_ends_before_its_scrape_does() {
        let limit = |timeout| request("target=http://h.test/", timeout).map(|request| request.limit.as_millis());
        for (timeout, expected) in [
            (None, 10_000),
            (Some("60"), 10_000),
            (Some("10.5"), 10_000),
            (Some("10.000000"), 9_500),
            (Some("1"), 500),
            (Some("0.2"), 100),
            (Some("0"), 0),
        ] {
            assert_eq!(limit(timeout), Ok(expected), "{timeout:?}");
        }
        for bad in ["-1", "NaN", "inf", "soon", "", "1e300"] {
            assert!(limit(Some(bad)).is_err(), "{bad}");
        }
    }
}
