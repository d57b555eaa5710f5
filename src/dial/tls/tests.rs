use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::config::Config;
use crate::dial::{Dial, Dialer, TcpOptions};
use crate::report::Report;
use crate::stream::MaybeHttpsStream;

const HOST: &str = "shop.example";
const HTTP1: Alpn = Alpn { http1: true, http2: false };

/// A certificate authority that nobody but these tests trusts.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        Self::named("ours")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn recipe(&self) -> Recipe {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.as_ref().der().clone()).unwrap();
        setup::with_roots(None, roots).unwrap()
    }

    fn client(&self) -> ClientConfig {
        self.recipe()(None).unwrap()
    }

    fn server(&self, name: &str, edit: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        edit(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let mut config = ServerConfig::builder_with_provider(setup::compiled_provider().unwrap())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        config.alpn_protocols = vec!["h2".into(), "http/1.1".into()];
        config
    }
}

/// Shakes hands with everybody, and echoes what then comes.
async fn serve(config: ServerConfig) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    serve_with(move |tcp| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(tls) = acceptor.accept(tcp).await {
                let (mut read, mut write) = tokio::io::split(tls);
                let _ = tokio::io::copy(&mut read, &mut write).await;
            }
        }
    })
    .await
}

async fn serve_with<F>(session: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(session(tcp));
        }
    });
    addr
}

async fn connect_as(uri: &str, addr: SocketAddr, config: &Arc<ClientConfig>) -> Result<MaybeHttpsStream, Failure> {
    let uri = uri.parse().unwrap();
    let origin = Origin::from_uri(&uri).unwrap();
    let target = TlsClient::new(config.clone(), HTTP1, None).target(&uri, &origin, Ech::Off).unwrap();
    let dialer = Dialer::new(origin.clone(), Arc::default(), Arc::new(TcpOptions::default()));
    let dialer = dialer.with_tls(target);
    let (tcp, _) = dialer.tcp(addr).await?;
    let stream = dialer.tls(tcp, None).await?;
    Ok(MaybeHttpsStream::new(stream, Arc::new(Report::new(origin)), &Config::default()))
}

async fn connect(addr: SocketAddr, config: ClientConfig) -> Result<MaybeHttpsStream, Failure> {
    connect_as("https://shop.example/", addr, &Arc::new(finish_config(config, HTTP1))).await
}

fn rustls_error(failure: &Failure) -> &rustls::Error {
    let error = failure.error().downcast_ref::<io::Error>().unwrap();
    error.get_ref().unwrap().downcast_ref().unwrap()
}

#[tokio::test]
async fn a_good_certificate_gives_a_stream_with_its_facts() {
    let authority = Authority::new();
    let addr = serve(authority.server(HOST, |_| {})).await;
    let stream = connect(addr, authority.client()).await.unwrap();
    let info = stream.tls_info().unwrap();
    assert_eq!(info.version(), "TLSv1.3");
    assert_eq!(info.alpn(), cfg!(feature = "http1").then_some(&b"http/1.1"[..]));
    assert!(info.cipher_suite().starts_with("TLS_AES_"), "{}", info.cipher_suite());
    assert!(!info.resumed());
    assert_eq!(info.ech(), crate::EchStatus::NotOffered);
    assert_eq!(info.peer_certificates().len(), 1);
    assert_eq!(info.peer_certificates().next().unwrap()[0], 0x30, "it is DER");
    assert_eq!(stream.tcp_stream().peer_addr().unwrap(), addr);
    assert!(stream.into_tcp().is_err());
}

#[tokio::test]
async fn tls_is_read_and_written_with_vectors() {
    use hyper::rt::{Read, Write};

    let authority = Authority::new();
    let addr = serve(authority.server(HOST, |_| {})).await;
    let mut stream = connect(addr, authority.client()).await.unwrap();
    assert!(stream.is_write_vectored());
    let parts = [io::IoSlice::new(b"one "), io::IoSlice::new(b"write")];
    let written = poll_fn(|cx| Pin::new(&mut stream).poll_write_vectored(cx, &parts)).await.unwrap();
    assert_eq!(written, 9);
    poll_fn(|cx| Pin::new(&mut stream).poll_flush(cx)).await.unwrap();
    let mut buffer = [0; 16];
    let mut buffer = hyper::rt::ReadBuf::new(&mut buffer);
    while buffer.filled().len() < 9 {
        poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, buffer.unfilled())).await.unwrap();
    }
    assert_eq!(buffer.filled(), b"one write");
}

#[tokio::test]
async fn responses_carry_the_tls_facts() {
    let authority = Authority::new();
    let addr = serve(authority.server(HOST, |_| {})).await;
    let stream = connect(addr, authority.client()).await.unwrap();
    let mut extensions = http::Extensions::new();
    hyper_util::client::legacy::connect::Connection::connected(&stream).get_extras(&mut extensions);
    assert_eq!(extensions.get::<crate::TlsInfo>(), stream.tls_info());
    assert!(extensions.get::<hyper_util::client::legacy::connect::HttpInfo>().is_some());
}

#[tokio::test]
async fn certificates_that_are_not_good_for_the_origin_are_certificate_failures() {
    let authority = Authority::new();
    let expired = authority.server(HOST, |params| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let wrong_name = authority.server("other.example", |_| {});
    let unknown_root = Authority::named("unknown").server(HOST, |_| {});
    for (config, cause) in [(expired, "expired"), (wrong_name, "name"), (unknown_root, "UnknownIssuer")] {
        let failure = connect(serve(config).await, authority.client()).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Certificate, "{failure}");
        assert!(matches!(rustls_error(&failure), rustls::Error::InvalidCertificate(_)));
        assert!(failure.to_string().contains(cause), "{failure}");
    }
}

#[tokio::test]
async fn an_ip_literal_has_to_stand_in_the_certificate() {
    let authority = Authority::new();
    let addr = serve(authority.server("127.0.0.1", |_| {})).await;
    let config = Arc::new(finish_config(authority.client(), HTTP1));
    connect_as("https://127.0.0.1/", addr, &config).await.unwrap();
    let failure = connect_as("https://127.0.0.2/", addr, &config).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Certificate);
}

#[tokio::test]
async fn a_peer_that_leaves_during_the_handshake_is_closed() {
    let authority = Authority::new();
    let after_hello = serve_with(|mut tcp| async move {
        let _ = tcp.read(&mut [0; 4096]).await;
    });
    let with_reset = serve_with(|mut tcp| async move {
        let _ = tcp.read(&mut [0; 10]).await;
    });
    for addr in [after_hello.await, with_reset.await] {
        let failure = connect(addr, authority.client()).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Closed, "{failure}");
    }
}

#[tokio::test]
async fn a_peer_that_does_not_speak_tls_is_a_tls_failure() {
    let addr = serve_with(|mut tcp| async move {
        let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let failure = connect(addr, Authority::new().client()).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Tls, "{failure}");
    assert!(matches!(rustls_error(&failure), rustls::Error::InvalidMessage(_)));
}

#[tokio::test]
async fn an_alert_is_a_tls_failure() {
    let authority = Authority::new();
    let mut config = authority.server(HOST, |_| {});
    config.alpn_protocols = vec!["other".into()];
    let mut client = authority.client();
    client.alpn_protocols = vec!["http/1.1".into()];
    let failure = connect(serve(config).await, client).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Tls, "{failure}");
}

/// Proves: TLS-6
#[cfg(all(feature = "http1", feature = "http2"))]
#[tokio::test]
async fn alpn_decides_between_h2_and_http1() {
    let authority = Authority::new();
    let addr = serve(authority.server(HOST, |_| {})).await;
    for (http1, http2, chosen) in [(true, true, "h2"), (false, true, "h2"), (true, false, "http/1.1")] {
        let config = Arc::new(finish_config(authority.client(), Alpn { http1, http2 }));
        let stream = connect_as("https://shop.example/", addr, &config).await.unwrap();
        assert_eq!(stream.tls_info().unwrap().alpn(), Some(chosen.as_bytes()));
        let connected = hyper_util::client::legacy::connect::Connection::connected(&stream);
        assert_eq!(connected.is_negotiated_h2(), chosen == "h2");
    }
}

/// Proves: TLS-7
#[tokio::test]
async fn the_second_connection_is_resumed_and_without_early_data() {
    let authority = Authority::new();
    let mut server = authority.server(HOST, |_| {});
    server.max_early_data_size = 4096;
    let addr = serve(server).await;
    let mut client = authority.client();
    client.enable_early_data = true;
    let config = Arc::new(finish_config(client, HTTP1));
    assert!(!config.enable_early_data);
    let connect = || connect_as("https://shop.example/", addr, &config);

    let first = connect().await.unwrap();
    assert!(!first.tls_info().unwrap().resumed());
    let certificates: Vec<_> = first.tls_info().unwrap().peer_certificates().map(<[u8]>::to_vec).collect();
    // The tickets come with the first data after the handshake.
    let mut first = hyper_util::rt::TokioIo::new(first);
    first.write_all(b"x").await.unwrap();
    first.flush().await.unwrap();
    first.read_exact(&mut [0]).await.unwrap();

    let second = connect().await.unwrap();
    assert!(second.tls_info().unwrap().resumed());
    assert!(second.tls_info().unwrap().peer_certificates().eq(certificates.iter().map(|der| &**der)));
}

#[test]
fn server_names_come_from_the_origin() {
    let name = |uri: &str| server_name(&Origin::from_uri(&uri.parse().unwrap()).unwrap());
    assert_eq!(name("https://Shop.example./").unwrap().to_str(), "Shop.example");
    assert_eq!(name("https://_a.b_c.test/").unwrap().to_str(), "_a.b_c.test");
    assert_eq!(name("https://[2001:db8::1]/").unwrap(), ServerName::IpAddress("2001:db8::1".try_into().unwrap()));
    let refused = name("https://-a.test/").unwrap_err();
    assert!(refused.to_string().contains("\"-a.test\""), "{refused}");
}

#[test]
fn alpn_is_the_callers_or_what_is_enabled() {
    let alpn = |own: &[&str], http1, http2| {
        let mut config = Authority::new().client();
        config.alpn_protocols = own.iter().map(|&protocol| protocol.into()).collect();
        let config = finish_config(config, Alpn { http1, http2 });
        config.alpn_protocols.iter().map(|protocol| String::from_utf8_lossy(protocol).into_owned()).collect::<Vec<_>>()
    };
    let (http1, http2) = (cfg!(feature = "http1"), cfg!(feature = "http2"));
    let compiled = |offers: &[(bool, &str)]| {
        offers.iter().filter(|offer| offer.0).map(|offer| offer.1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(alpn(&[], true, true), compiled(&[(http2, "h2"), (http1, "http/1.1")]));
    assert_eq!(alpn(&[], true, false), compiled(&[(http1, "http/1.1")]));
    assert_eq!(alpn(&[], false, true), compiled(&[(http2, "h2")]));
    // What nobody chose is HTTP/1.1, or what else there is: hyper-util panics on what it does not speak.
    assert_eq!(alpn(&[], false, false), compiled(&[(http1, "http/1.1"), (http2 && !http1, "h2")]));
    assert_eq!(alpn(&["x", "http/1.1"], false, true), ["x", "http/1.1"]);
    assert_eq!(alpn(&["h2", "x"], true, false), compiled(&[(http2, "h2"), (true, "x")]));
}

/// The other end of the connection stays empty: nothing was sent.
#[cfg(feature = "aws-lc-rs")]
async fn refused(client: &TlsClient, ech: Ech, configs: Option<&[u8]>) -> String {
    let uri = "https://secret.test/".parse().unwrap();
    let target = client.target(&uri, &Origin::from_uri(&uri).unwrap(), ech).unwrap();
    let (ours, mut theirs) = tokio::io::duplex(4096);
    let failure = target.handshake(ours, configs).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Tls);
    let mut seen = Vec::new();
    theirs.read_to_end(&mut seen).await.unwrap();
    assert!(seen.is_empty(), "{seen:?}");
    failure.to_string()
}

#[cfg(feature = "aws-lc-rs")]
#[tokio::test]
async fn without_ech_that_is_called_for_nothing_is_sent() {
    let authority = Authority::new();
    let list = ech::tests::config_list([0xfe, 0x0d]);
    let make = authority.recipe();
    let forgetful = TlsClient::by_recipe(Arc::new(move |_| make(None)), Alpn::default(), None).unwrap();
    let text = refused(&forgetful, Ech::On, Some(&list)).await;
    assert!(text.contains("does without"), "{text}");
    let capable = TlsClient::by_recipe(authority.recipe(), Alpn::default(), None).unwrap();
    refused(&capable, Ech::Required, None).await;
    refused(&capable, Ech::On, Some(&list[1..])).await;
    // What rustls says of a key that is none stands.
    let keyless = ech::tests::config_list_by_key(&[9; 31]);
    assert!(ech::is_usable(&keyless));
    let text = refused(&capable, Ech::On, Some(&keyless)).await;
    assert!(!text.contains("does without"), "{text}");
    let finished = TlsClient::new(authority.client().into(), Alpn::default(), None);
    assert!(finished.ech().is_none() && capable.ech().is_some());
    refused(&finished, Ech::On, Some(&list)).await;
}

/// There is ECH in TLS 1.3 alone, and a record with it must not be the end of who can do no more than 1.2.
#[cfg(feature = "aws-lc-rs")]
#[test]
fn without_tls_1_3_there_is_no_ech() {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| suite.tls13().is_none());
    let mut roots = RootCertStore::empty();
    roots.add(Authority::new().0.as_ref().der().clone()).unwrap();
    let recipe = setup::with_roots(Some(provider.into()), roots).unwrap();
    assert!(TlsClient::by_recipe(recipe, HTTP1, None).unwrap().ech().is_none());
}
