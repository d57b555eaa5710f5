//! Bytes to a URI to its origin.
#![no_main]

use http::Uri;
use hyper_happy_eyeballs::{Host, Origin};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(uri) = Uri::try_from(data) else { return };
    match Origin::from_uri(&uri) {
        Ok(origin) => judge(&uri, &origin),
        Err(error) => assert!(error.is_invalid_uri(), "{uri}: {error}"),
    }
});

fn judge(uri: &Uri, origin: &Origin) {
    let authority = uri.authority().expect("an origin of a URI without a host").as_str();
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, behind)| behind);

    assert!(uri.scheme_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case(origin.scheme())), "{uri}");
    assert!(!origin.scheme().bytes().any(|byte| byte.is_ascii_uppercase()), "{uri}: {}", origin.scheme());
    assert_eq!(origin.is_secure(), matches!(origin.scheme(), "https" | "wss"), "{uri}");

    // A port is what stands behind the last colon outside brackets.
    let behind_literal = host_and_port.rsplit_once(']').map_or(host_and_port, |(_, behind)| behind);
    let port = behind_literal.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.is_empty());
    assert_eq!(origin.explicit_port(), port.map(|port| port.parse().expect("a port that is none")), "{uri}");
    let default = if origin.is_secure() { 443 } else { 80 };
    assert_eq!(origin.port(), origin.explicit_port().unwrap_or(default), "{uri}");
    assert_ne!(origin.port(), 0, "{uri}");

    match origin.host() {
        Host::Name(name) => {
            assert_eq!(uri.host(), Some(&**name));
            let server_name = origin.host().server_name().expect("a name");
            assert!(server_name.len() <= 253 && server_name.split('.').all(|it| (1..=63).contains(&it.len())), "{uri}");
        }
        literal => assert!(literal.socket_addr(1).is_some() && literal.server_name().is_none(), "{uri}"),
    }

    // Nothing of the user is left, and what is shown is an authority of the same origin.
    let shown = origin.to_string();
    assert!(!shown.contains('@') && !format!("{origin:?}").contains('@'), "{uri}: {shown}");
    // A zone is shown as the system writes it, and RFC 6874 has it otherwise in a URI.
    let again = format!("{}://{}/", origin.scheme(), shown.replace('%', "%25"));
    let again = again.parse().expect("what is shown is no authority");
    let again = Origin::from_uri(&again).expect("what is shown is no origin");
    assert_eq!((again.scheme(), again.host(), again.port()), (origin.scheme(), origin.host(), origin.port()), "{uri}");
    assert_eq!(again.to_string(), shown, "{uri}");
}
