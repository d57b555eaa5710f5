//! reqwest with TLS and redirects of its own, and the DNS of this crate. `tests/reqwest.rs` has what that DNS does.

use std::time::{Duration, Instant};

use hyper_happy_eyeballs::reqwest::Dns;
use hyper_happy_eyeballs::{AddressPolicy, HappyEyeballsConnector};
use reqwest::{Certificate, Client, Version};

use crate::host::{HTTP, HTTPS, Host, V4, assert_untouched, config, faulty};
use crate::lab::{self, Behaviour, Loopback, Site};
use crate::ours;

fn client(host: &Host, connector: HappyEyeballsConnector) -> Client {
    let root = Certificate::from_pem(host.ca.pem().as_bytes()).unwrap();
    Client::builder().dns_resolver(Dns::from(connector)).tls_certs_only([root]).build().unwrap()
}

/// Its two lanes do that, 300 ms apart, if they are given both families.
#[tokio::test]
async fn https_is_reached_past_a_silent_ipv6() {
    let (mut sites, mut wait) = (vec![(V4[0], HTTPS)], Duration::ZERO);
    if Loopback::detect().await == Loopback::Both {
        sites.push((Loopback::Both.first(), Site::Silent));
        wait = Duration::from_millis(300);
    }
    let host = Host::open(sites).await;
    let start = Instant::now();
    let response = client(&host, host.connector()).get(host.uri("https")).send().await.unwrap();
    assert_eq!((response.version(), response.remote_addr()), (Version::HTTP_2, Some(host.addr(V4[0]))));
    assert!(start.elapsed() >= wait, "{:?}", start.elapsed());
}

/// What the documentation warns of: this crate's connector would go on to the next address.
#[tokio::test]
async fn a_wrong_certificate_is_the_end() {
    let wrong = Site::Https(lab::Certificate::OtherName, Behaviour::Serve);
    let host = Host::open([(V4[0], wrong), (V4[1], HTTPS)]).await;
    assert!(client(&host, host.connector()).get(host.uri("https")).send().await.unwrap_err().is_connect());
    assert_untouched(&host.sites.servers()[1]).await;
}

/// Each hop is looked up anew, and so judged anew, as long as it is one to a name.
#[tokio::test]
async fn a_redirect_is_judged_by_the_address_policy() {
    for denied in [false, true] {
        let host = Host::with(faulty(Behaviour::Redirect("http://inside.test/"))).await;
        let inside = Host::open([(V4[1], HTTP)]).await;
        let mut config = config();
        if denied {
            config.address_policy(AddressPolicy::deny(["127.0.0.9".parse().unwrap()]));
        }
        let connector = host.builder().config(config).resolve("inside.test", [inside.addr(V4[1])]).build().unwrap();
        let result = client(&host, connector).get(host.uri("https")).send().await;
        assert_eq!(host.server().requests(), 1);
        if denied {
            assert!(ours(&result.unwrap_err()).is_denied());
            assert_untouched(inside.server()).await;
        } else {
            assert_eq!(result.unwrap().remote_addr(), Some(inside.addr(V4[1])));
        }
    }
}
