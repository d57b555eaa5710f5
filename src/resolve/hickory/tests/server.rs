//! A name server on loopback, in a runtime of its own.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::proto::op::{Message, Query};
use hickory_resolver::proto::rr::rdata::SOA;
use hickory_resolver::proto::rr::{RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

use super::*;

/// What the server answers, if it does.
pub(super) struct Reply {
    pub(super) code: ResponseCode,
    pub(super) answers: Vec<Record>,
    pub(super) additional: Vec<Record>,
    pub(super) negative_ttl: Option<u32>,
    /// Over UDP it says no more than that it is truncated.
    pub(super) needs_tcp: bool,
    /// What is done to the bytes before they leave.
    pub(super) mangle: fn(&mut Vec<u8>),
}

impl Reply {
    pub(super) fn code(code: ResponseCode) -> Self {
        Self { code, answers: Vec::new(), additional: Vec::new(), negative_ttl: None, needs_tcp: false, mangle: |_| () }
    }

    pub(super) fn addresses(query: &Query, count: u8) -> Self {
        let records = (1..=count).map(|i| {
            let ip: IpAddr = match query.query_type() {
                RecordType::AAAA => [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(i)].into(),
                _ => Ipv4Addr::new(192, 0, 2, i).into(),
            };
            Record::from_rdata(query.name().clone(), 60, ip.into())
        });
        Self { answers: records.collect(), ..Self::code(ResponseCode::NoError) }
    }
}

pub(super) type Replying = Pin<Box<dyn Future<Output = Option<Reply>> + Send>>;
/// From a query and how many there were before it.
type Zone = Arc<dyn Fn(Query, usize) -> Replying + Send + Sync>;

/// hickory waits for longer than this.
const RESENT: Duration = Duration::from_millis(300);

pub(super) struct Server {
    pub(super) addr: SocketAddr,
    udp: Arc<AtomicUsize>,
    tcp: Arc<AtomicUsize>,
    runtime: Option<runtime::Runtime>,
}

impl Server {
    pub(super) fn start(zone: impl Fn(Query, usize) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self::start_async(move |query, number| {
            let reply = zone(query, number);
            Box::pin(async move { reply })
        })
    }

    pub(super) fn start_async(zone: impl Fn(Query, usize) -> Replying + Send + Sync + 'static) -> Self {
        let zone: Zone = Arc::new(zone);
        let (udp, tcp) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let _guard = runtime.enter();
        let (udp_socket, tcp_socket) = bind();
        let addr = udp_socket.local_addr().unwrap();
        runtime.spawn(serve_udp(udp_socket, zone.clone(), udp.clone()));
        runtime.spawn(serve_tcp(tcp_socket, zone, tcp.clone()));
        Self { addr, udp, tcp, runtime: Some(runtime) }
    }

    /// Queries so far, over UDP and over TCP. That hickory sends the packet again when the answer is late makes it no
    /// other.
    pub(super) fn queries(&self) -> (usize, usize) {
        (self.udp.load(Ordering::SeqCst), self.tcp.load(Ordering::SeqCst))
    }

    pub(super) fn resolver(&self, timeout: Duration) -> HickoryResolver {
        let mut resolver = HickoryResolver::with_name_servers([self.addr]);
        resolver.set_timeout(timeout);
        resolver
    }
}

/// A runtime must not be dropped where another is running.
impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A port that is free in both.
pub(super) fn bind() -> (UdpSocket, TcpListener) {
    (0..100).find_map(|_| bind_both().ok()).expect("a port free in UDP and TCP")
}

fn bind_both() -> io::Result<(UdpSocket, TcpListener)> {
    let udp = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let tcp = std::net::TcpListener::bind(udp.local_addr()?)?;
    udp.set_nonblocking(true)?;
    tcp.set_nonblocking(true)?;
    Ok((UdpSocket::from_std(udp)?, TcpListener::from_std(tcp)?))
}

async fn serve_udp(socket: UdpSocket, zone: Zone, count: Arc<AtomicUsize>) {
    let socket = Arc::new(socket);
    let mut buffer = [0; 4096];
    let mut sent: HashMap<Vec<u8>, (Instant, JoinHandle<()>)> = HashMap::new();
    let mut number = 0;
    loop {
        let Ok((len, peer)) = socket.recv_from(&mut buffer).await else { continue };
        // Who has an answer, and asks the same again, does so at once.
        let is_resent = |(at, reply): &(Instant, JoinHandle<()>)| !reply.is_finished() || at.elapsed() >= RESENT;
        if !sent.get(&buffer[..len]).is_some_and(is_resent) {
            count.fetch_add(1, Ordering::SeqCst);
        }
        let request = Message::from_vec(&buffer[..len]).unwrap();
        let replying = zone(request.queries[0].clone(), number);
        number += 1;
        let socket = socket.clone();
        let reply = tokio::spawn(async move {
            let Some(reply) = replying.await else { return };
            let (needs_tcp, mangle) = (reply.needs_tcp, reply.mangle);
            let response = respond(&request, reply);
            let mut bytes = response.to_vec().unwrap();
            if needs_tcp || bytes.len() > request.max_payload().into() {
                bytes = response.truncate().to_vec().unwrap();
            } else {
                mangle(&mut bytes);
            }
            let _ = socket.send_to(&bytes, peer).await;
        });
        sent.insert(buffer[..len].to_vec(), (Instant::now(), reply));
    }
}

async fn serve_tcp(listener: TcpListener, zone: Zone, count: Arc<AtomicUsize>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let (zone, count) = (zone.clone(), count.clone());
        tokio::spawn(async move {
            while let Ok(len) = stream.read_u16().await {
                let mut request = vec![0; len.into()];
                stream.read_exact(&mut request).await.unwrap();
                let request = Message::from_vec(&request).unwrap();
                let replying = zone(request.queries[0].clone(), count.fetch_add(1, Ordering::SeqCst));
                let Some(reply) = replying.await else { break };
                let mangle = reply.mangle;
                let mut bytes = respond(&request, reply).to_vec().unwrap();
                mangle(&mut bytes);
                stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
                stream.write_all(&bytes).await.unwrap();
            }
        });
    }
}

pub(super) fn respond(request: &Message, reply: Reply) -> Message {
    let mut response = request.clone().into_response();
    response.metadata.response_code = reply.code;
    response.metadata.recursion_available = true;
    response.add_answers(reply.answers);
    response.add_additionals(reply.additional);
    if let Some(ttl) = reply.negative_ttl {
        let zone = Name::from_ascii("com.").unwrap();
        let soa = SOA::new(zone.clone(), zone.clone(), 1, 1, 1, 1, ttl);
        response.add_authority(Record::from_rdata(zone, ttl, RData::SOA(soa)));
    }
    response
}
