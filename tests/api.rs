//! The place of `HttpConnector`: the same setters, what they do to sockets, the bounds that its users state, and its
//! words for what goes wrong. No lab, so that it holds whatever is compiled in.

mod support;

use std::error::Error as StdError;
use std::fmt::Debug;
use std::future::Ready;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, Write};
use hyper_happy_eyeballs::history::Snapshot;
use hyper_happy_eyeballs::report::AttemptReport;
use hyper_happy_eyeballs::{Config, Connecting, Error, HappyEyeballsConnector, MaybeHttpsStream, Report};
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::{Connect, Connection, HttpConnector};
use socket2::SockRef;
use tokio::net::TcpSocket;
use tower_service::Service;

use support::{call, connect};

/// A resolver that is as short of words as hyper-util allows.
#[derive(Clone)]
struct Addresses(Result<Vec<SocketAddr>, &'static str>);

impl Service<Name> for Addresses {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = &'static str;
    type Future = Ready<Result<Self::Response, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        std::future::ready(self.0.clone().map(Vec::into_iter))
    }
}

fn connector() -> HappyEyeballsConnector {
    HappyEyeballsConnector::new_with_resolver(Addresses(Ok(vec![])))
}

/// Takes every setter of `HttpConnector` as a function of one exact type, of whichever connector is given.
macro_rules! take_every_setter {
    ($connector:ty) => {{
        let _: fn(&mut $connector, bool) = <$connector>::enforce_http;
        let _: fn(&mut $connector, Option<Duration>) = <$connector>::set_keepalive;
        let _: fn(&mut $connector, Option<Duration>) = <$connector>::set_keepalive_interval;
        let _: fn(&mut $connector, Option<u32>) = <$connector>::set_keepalive_retries;
        let _: fn(&mut $connector, bool) = <$connector>::set_nodelay;
        let _: fn(&mut $connector, Option<usize>) = <$connector>::set_send_buffer_size;
        let _: fn(&mut $connector, Option<usize>) = <$connector>::set_recv_buffer_size;
        let _: fn(&mut $connector, Option<IpAddr>) = <$connector>::set_local_address;
        let _: fn(&mut $connector, Ipv4Addr, Ipv6Addr) = <$connector>::set_local_addresses;
        let _: fn(&mut $connector, Option<Duration>) = <$connector>::set_connect_timeout;
        let _: fn(&mut $connector, Option<Duration>) = <$connector>::set_happy_eyeballs_timeout;
        let _: fn(&mut $connector, bool) -> &mut $connector = <$connector>::set_reuse_address;
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        {
            let _: for<'a> fn(&'a mut $connector, &'static str) -> &'a mut $connector = <$connector>::set_interface;
            let _: fn(&mut $connector, String) -> &mut $connector = <$connector>::set_interface;
            let _: fn(&mut $connector, Option<Duration>) = <$connector>::set_tcp_user_timeout;
            let _: fn(&mut $connector, Option<u32>) = <$connector>::set_mark;
        }
    }};
}

#[test]
fn every_setter_of_http_connector_is_there_with_its_signature() {
    take_every_setter!(HttpConnector<Addresses>);
    take_every_setter!(HappyEyeballsConnector);
    // The constructors too.
    let _: fn(Addresses) -> HttpConnector<Addresses> = HttpConnector::new_with_resolver;
    let _: fn(Addresses) -> HappyEyeballsConnector = HappyEyeballsConnector::new_with_resolver;
    #[cfg(feature = "hickory")]
    let _: [fn() -> HappyEyeballsConnector; 2] = [HappyEyeballsConnector::new, HappyEyeballsConnector::default];
}

/// What the users of connectors state: hyper-util's client, kube, hyper-timeout, tonic, aws-smithy.
#[test]
fn the_types_meet_the_bounds_that_users_state() {
    fn connector<T: Connect + Clone + Debug + Send + Sync + 'static>() {}
    fn service<T>()
    where
        T: Service<Uri, Response = MaybeHttpsStream, Error = Error, Future = Connecting> + Clone + Send + 'static,
    {
    }
    fn future<T: Future<Output = Result<MaybeHttpsStream, Error>> + Unpin + Send + Debug + 'static>() {}
    fn error<T: StdError + Send + Sync + 'static>() {}
    fn stream<T: Read + Write + Connection + Unpin + Send + Sync + Debug + 'static>() {}
    fn shared<T: Clone + Debug + Send + Sync + 'static>() {}
    connector::<HappyEyeballsConnector>();
    service::<HappyEyeballsConnector>();
    future::<Connecting>();
    error::<Error>();
    error::<hyper_happy_eyeballs::BuildError>();
    error::<hyper_happy_eyeballs::resolve::ResolveError>();
    stream::<MaybeHttpsStream>();
    shared::<Config>();
    shared::<hyper_happy_eyeballs::AddressPolicy>();
    shared::<hyper_happy_eyeballs::Network>();
    error::<hyper_happy_eyeballs::ParseNetworkError>();
    shared::<hyper_happy_eyeballs::Origin>();
    shared::<hyper_happy_eyeballs::TlsInfo>();
    shared::<hyper_happy_eyeballs::Builder>();
    shared::<Report>();
}

/// Where everybody is let in.
fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    (listener, uri)
}

async fn socket(connector: &HappyEyeballsConnector, uri: &str) -> tokio::net::TcpStream {
    connect(connector, uri).await.unwrap().into_tcp().unwrap()
}

#[tokio::test]
async fn without_settings_only_nodelay_is_set() {
    let (_listener, uri) = listener();
    let stream = connect(&connector(), &uri).await.unwrap();
    let socket = SockRef::from(stream.tcp_stream());
    assert!(socket.tcp_nodelay().unwrap());
    assert!(!socket.keepalive().unwrap());
    assert!(!socket.reuse_address().unwrap());
}

#[tokio::test]
async fn every_option_reaches_the_socket() {
    let (_listener, uri) = listener();
    let mut connector = connector();
    connector.set_nodelay(false);
    connector.set_keepalive(Some(Duration::from_secs(71)));
    connector.set_keepalive_interval(Some(Duration::from_secs(72)));
    connector.set_keepalive_retries(Some(7));
    connector.set_send_buffer_size(Some(70_000));
    connector.set_recv_buffer_size(Some(80_000));
    connector.set_reuse_address(true).set_reuse_address(true);
    let stream = socket(&connector, &uri).await;
    let socket = SockRef::from(&stream);
    assert!(!socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    assert!(socket.reuse_address().unwrap());
    // Linux keeps a book of its own beside the data, and gives twice what is asked for.
    #[cfg(target_os = "linux")]
    {
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(71));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(72));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 7);
        assert_eq!(socket.send_buffer_size().unwrap(), 140_000);
        assert_eq!(socket.recv_buffer_size().unwrap(), 160_000);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn every_option_of_linux_reaches_the_socket() {
    let (_listener, uri) = listener();
    let mut connector = connector();
    connector.set_tcp_user_timeout(Some(Duration::from_secs(33)));
    connector.set_interface("lo").set_reuse_address(true);
    connector.set_local_address(Some(Ipv4Addr::new(127, 0, 0, 5).into()));
    let stream = socket(&connector, &uri).await;
    let socket = SockRef::from(&stream);
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(33)));
    assert_eq!(socket.device().unwrap().as_deref(), Some(&b"lo"[..]));
    assert_eq!(stream.local_addr().unwrap().ip(), Ipv4Addr::new(127, 0, 0, 5));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_mark_reaches_the_socket_or_is_an_error() {
    let (_listener, uri) = listener();
    let mut connector = connector();
    connector.set_mark(Some(0x77));
    match connect(&connector, &uri).await {
        Ok(stream) => assert_eq!(SockRef::from(stream.tcp_stream()).mark().unwrap(), 0x77),
        // It takes a privilege. Unmarked the packets might go another way than they should.
        Err(error) => assert!(error.is_connect() && error.to_string().contains("tcp set_mark error"), "{error}"),
    }
}

/// Proves: ATT-17
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_local_address_of_one_family_leaves_out_the_other() {
    let (listener, _uri) = listener();
    let v4 = listener.local_addr().unwrap();
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, v4.port()));
    let mut connector = HappyEyeballsConnector::new_with_resolver(Addresses(Ok(vec![v6, v4])));
    connector.set_local_address(Some(Ipv4Addr::new(127, 0, 0, 6).into()));
    let stream = connect(&connector, "http://h.test/").await.unwrap();
    assert_eq!(stream.tcp_stream().local_addr().unwrap().ip(), Ipv4Addr::new(127, 0, 0, 6));
    let attempts: Vec<_> = stream.report().attempts().iter().map(AttemptReport::addr).collect();
    assert_eq!(attempts, [v4]);

    connector.set_local_addresses(Ipv4Addr::new(127, 0, 0, 7), Ipv6Addr::LOCALHOST);
    let stream = connect(&connector, "http://h.test/").await.unwrap();
    assert_eq!(stream.tcp_stream().local_addr().unwrap().ip(), Ipv4Addr::new(127, 0, 0, 7));
    connector.set_local_address(None);
    let stream = connect(&connector, "http://h.test/").await.unwrap();
    assert_eq!(stream.tcp_stream().local_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
}

#[tokio::test]
async fn a_setter_on_a_clone_touches_only_that_clone() {
    let (_listener, uri) = listener();
    let original = connector();
    let mut clone = original.clone();
    clone.set_nodelay(false);
    clone.set_keepalive(Some(Duration::from_secs(60)));
    clone.set_reuse_address(true);
    clone.enforce_http(false);
    let options = |stream: &tokio::net::TcpStream| {
        let socket = SockRef::from(stream);
        [socket.tcp_nodelay().unwrap(), socket.keepalive().unwrap(), socket.reuse_address().unwrap()]
    };
    assert_eq!(options(&socket(&original, &uri).await), [true, false, false]);
    assert_eq!(options(&socket(&clone, &uri).await), [false, true, true]);
    let https = uri.replace("http:", "https:");
    assert!(connect(&original, &https).await.unwrap_err().is_invalid_uri());
    connect(&clone, &https).await.unwrap();

    // Nor does one on the original reach a clone made before.
    let mut original = original;
    let before = original.clone();
    original.set_nodelay(false);
    assert_eq!(options(&socket(&before, &uri).await), [true, false, false]);
}

#[tokio::test]
async fn a_nul_in_an_interface_name_is_an_error_and_no_panic() {
    let (_listener, uri) = listener();
    let mut connector = connector();
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    for name in ["l\0o", "nosuchif0"] {
        connector.set_interface(name);
        let error = connect(&connector, &uri).await.unwrap_err();
        assert!(error.is_connect(), "{error}");
        assert!(error.to_string().contains("tcp bind interface error"), "{error}");
    }
    connector.set_keepalive(None);
}

/// The same input to both connectors: what theirs says stands at the head of what ours says, or where theirs names
/// only a step of one address, in what ours says of that address.
#[tokio::test]
async fn errors_begin_with_the_words_of_http_connector() {
    // Bound, so that nobody else listens there.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let refused = closed.local_addr().unwrap();
    let foreign: IpAddr = Ipv4Addr::new(192, 0, 2, 99).into();
    type Both = (HttpConnector<Addresses>, HappyEyeballsConnector);
    let both = |addresses: Addresses, local: Option<IpAddr>| -> Both {
        let mut theirs = HttpConnector::new_with_resolver(addresses.clone());
        theirs.set_local_address(local);
        let mut ours = HappyEyeballsConnector::new_with_resolver(addresses);
        ours.set_local_address(local);
        (theirs, ours)
    };
    let plain = || both(Addresses(Ok(vec![refused])), None);
    let any_scheme = || {
        let (mut theirs, mut ours) = plain();
        theirs.enforce_http(false);
        ours.enforce_http(false);
        (theirs, ours)
    };
    let literal = format!("http://{refused}/");
    let cases = [
        (plain(), "https://h.test/", None),
        (plain(), "ws://h.test/", None),
        (any_scheme(), "/path", None),
        (any_scheme(), "h.test:80", None),
        (plain(), "http://h.test/", Some(io::ErrorKind::ConnectionRefused)),
        (plain(), &literal, Some(io::ErrorKind::ConnectionRefused)),
        (both(Addresses(Err("no luck")), None), "http://h.test/", None),
    ];
    for ((theirs, ours), uri, kind) in cases {
        let uri: Uri = uri.parse().unwrap();
        let theirs = call(theirs, uri.clone()).await.unwrap_err();
        let ours = call(ours, uri.clone()).await.unwrap_err();
        assert!(ours.to_string().starts_with(&theirs.to_string()), "{uri}: {theirs} / {ours}");
        let io_kind = |error: &dyn StdError| Some(error.source()?.downcast_ref::<io::Error>()?.kind());
        assert_eq!((io_kind(&theirs), io_kind(&ours)), (kind, kind), "{uri}");
    }
    let (theirs, ours) = both(Addresses(Ok(vec![])), Some(foreign));
    let uri: Uri = literal.parse().unwrap();
    let theirs = call(theirs, uri.clone()).await.unwrap_err();
    let ours = call(ours, uri).await.unwrap_err();
    assert_eq!(theirs.to_string(), "tcp bind local error");
    assert!(ours.is_connect() && ours.to_string().contains("tcp bind local error: "), "{ours}");
}

/// Two addresses of this host, of which one refuses: the connector learns of both.
async fn learn(connector: &HappyEyeballsConnector, port: u16) {
    let stream = connect(connector, &format!("http://h.test:{port}/")).await.unwrap();
    assert_eq!(stream.report().attempts().len(), 2);
}

fn two_addresses() -> (TcpListener, HappyEyeballsConnector) {
    let listener = TcpListener::bind("127.0.0.9:0").unwrap();
    let addrs = ["127.0.0.8:0", "127.0.0.9:0"].map(|addr| addr.parse().unwrap());
    (listener, HappyEyeballsConnector::new_with_resolver(Addresses(Ok(addrs.into()))))
}

/// Proves: HIS-2
#[tokio::test]
async fn clones_share_their_history_within_a_partition() {
    let (listener, connector) = two_addresses();
    let clone = connector.clone();
    let mut tenant = connector.clone();
    tenant.set_partition("tenant");
    learn(&connector, listener.local_addr().unwrap().port()).await;
    let paths = clone.history().snapshot().paths;
    let learned: Vec<_> = paths.iter().map(|path| (&*path.partition, path.destination.ip().to_string())).collect();
    assert_eq!(learned, [("", "127.0.0.9".to_owned())], "nothing is known of the path to the one that refused");
    assert!(paths[0].rtt.is_some());
    learn(&tenant, listener.local_addr().unwrap().port()).await;
    let tenants = tenant.history().snapshot().paths.into_iter().filter(|path| &*path.partition == "tenant");
    assert_eq!(tenants.count(), 1);
}

#[tokio::test]
async fn a_clone_that_takes_another_way_has_a_history_of_its_own() {
    let (listener, connector) = two_addresses();
    learn(&connector, listener.local_addr().unwrap().port()).await;
    let knows = |connector: &HappyEyeballsConnector| !connector.history().snapshot().paths.is_empty();
    let mut clone = connector.clone();
    clone.set_nodelay(false);
    assert!(knows(&clone));
    clone.set_local_address(Some(Ipv4Addr::LOCALHOST.into()));
    assert!(!knows(&clone) && knows(&connector));
    let mut clone = connector.clone();
    clone.set_local_addresses(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    assert!(!knows(&clone));
    #[cfg(target_os = "linux")]
    {
        let mut clone = connector.clone();
        clone.set_interface("lo");
        assert!(!knows(&clone));
        let mut clone = connector.clone();
        clone.set_mark(Some(1));
        assert!(!knows(&clone));
    }
    // One that is given is taken.
    clone.set_history(connector.history().clone());
    assert!(knows(&clone));
}

#[tokio::test]
async fn history_can_be_turned_off() {
    let (listener, mut connector) = two_addresses();
    let mut config = Config::default();
    config.use_history(false);
    connector.set_config(config);
    learn(&connector, listener.local_addr().unwrap().port()).await;
    assert_eq!(connector.history().snapshot(), Snapshot::default());
}
