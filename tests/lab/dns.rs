//! A name server that answers as it is told to.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::proto::rr::rdata::SOA;
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Semaphore, watch};

/// A name server on 127.0.0.1, UDP and TCP on one port.
///
/// A name that some reply is set for has no data of other types (NODATA); any other name does not exist (NXDOMAIN).
pub struct Dns {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _server: hickory_server::Server<Handler>,
}

/// A query as it arrived. That hickory sends its packet again when the answer is late makes it no other.
#[derive(Clone, Debug)]
pub struct Query {
    pub at: Instant,
    /// In lower case, with the final dot.
    pub name: String,
    pub kind: RecordType,
    pub transport: Protocol,
}

/// What the name server does with queries for one name and type.
#[derive(Clone, Debug)]
pub struct Reply {
    code: Option<ResponseCode>,
    /// Without an owner a record belongs to the name of the query.
    answers: Vec<(Option<Name>, RData)>,
    additional: Vec<(Name, RData)>,
    delay: Duration,
    gate: Option<Arc<Semaphore>>,
    dropped: u32,
    ttl: u32,
}

impl Reply {
    fn new(code: Option<ResponseCode>) -> Self {
        let (answers, additional) = (Vec::new(), Vec::new());
        Self { code, answers, additional, delay: Duration::ZERO, gate: None, dropped: 0, ttl: 60 }
    }

    pub fn records(records: impl IntoIterator<Item = RData>) -> Self {
        let mut reply = Self::new(Some(ResponseCode::NoError));
        reply.answers.extend(records.into_iter().map(|data| (None, data)));
        reply
    }

    pub fn a(addrs: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        Self::records(addrs.into_iter().map(|addr| RData::A(addr.into())))
    }

    pub fn aaaa(addrs: impl IntoIterator<Item = Ipv6Addr>) -> Self {
        Self::records(addrs.into_iter().map(|addr| RData::AAAA(addr.into())))
    }

    pub fn no_data() -> Self {
        Self::records([])
    }

    pub fn nx_domain() -> Self {
        Self::new(Some(ResponseCode::NXDomain))
    }

    pub fn serv_fail() -> Self {
        Self::new(Some(ResponseCode::ServFail))
    }

    pub fn refused() -> Self {
        Self::new(Some(ResponseCode::Refused))
    }

    /// No reply at all.
    pub fn never() -> Self {
        Self::new(None)
    }

    /// Waits before it replies. Over TCP the queries behind it on the same connection wait too.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Waits until the gate has a permit, and leaves it there for others.
    pub fn behind(mut self, gate: &Arc<Semaphore>) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Ignores the first `count` queries.
    pub fn dropping(mut self, count: u32) -> Self {
        self.dropped = count;
        self
    }

    /// In seconds, 60 by default; of negative replies it is the time that they may be kept.
    pub fn ttl(mut self, seconds: u32) -> Self {
        self.ttl = seconds;
        self
    }

    /// Adds a record of another owner to the answers: what a CNAME leads to.
    pub fn with(mut self, owner: &str, data: RData) -> Self {
        self.answers.push((Some(name(owner)), data));
        self
    }

    /// Adds a record to the additional section.
    pub fn with_additional(mut self, owner: &str, data: RData) -> Self {
        self.additional.push((name(owner), data));
        self
    }
}

impl Dns {
    pub async fn start() -> io::Result<Self> {
        let (udp, tcp) = bind().await?;
        Self::serve(udp, tcp)
    }

    /// On an address of the caller's, for clients that cannot be told a port.
    pub async fn start_at(addr: SocketAddr) -> io::Result<Self> {
        Self::serve(UdpSocket::bind(addr).await?, TcpListener::bind(addr).await?)
    }

    fn serve(udp: UdpSocket, tcp: TcpListener) -> io::Result<Self> {
        let addr = udp.local_addr()?;
        let shared =
            Arc::new(Shared { script: Mutex::default(), last: Mutex::default(), log: watch::Sender::default() });
        let mut server = hickory_server::Server::new(Handler(shared.clone()));
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(30), 4096);
        Ok(Self { addr, shared, _server: server })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Sets the reply for a name and type from now on; a count of dropped queries starts anew.
    pub fn set(&self, owner: &str, kind: RecordType, reply: Reply) {
        self.shared.script().entry(name(owner)).or_default().insert(kind, reply);
    }

    /// Every query so far, in the order of arrival.
    pub fn log(&self) -> Vec<Query> {
        self.shared.log.borrow().clone()
    }

    /// How often a name was asked for with this type.
    pub fn asked(&self, owner: &str, kind: RecordType) -> usize {
        count(&self.shared.log.borrow(), owner, kind)
    }

    /// Returns when a name was asked for with this type `times` times.
    pub async fn until_asked(&self, owner: &str, kind: RecordType, times: usize) {
        let mut log = self.shared.log.subscribe();
        log.wait_for(|log| count(log, owner, kind) >= times).await.expect("the sender is in self");
    }

    pub fn clear_log(&self) {
        self.shared.log.send_modify(Vec::clear);
    }
}

fn count(log: &[Query], owner: &str, kind: RecordType) -> usize {
    let owner = name(owner).to_string();
    log.iter().filter(|query| query.name == owner && query.kind == kind).count()
}

fn name(text: &str) -> Name {
    let mut name = Name::from_utf8(text).expect("the lab asks for well-formed names").to_lowercase();
    name.set_fqdn(true);
    name
}

/// A UDP port whose TCP twin is free too.
async fn bind() -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = 0;
    loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < 100 => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

type Script = HashMap<Name, HashMap<RecordType, Reply>>;

struct Shared {
    script: Mutex<Script>,
    /// What was last asked for over UDP with each id.
    last: Mutex<HashMap<u16, (Name, RecordType)>>,
    log: watch::Sender<Vec<Query>>,
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("nothing panics under this lock")
    }

    /// Whether a packet is one that was here before, and has had no reply or a good one: whoever asks again takes another
    /// id, or comes after a failure.
    fn is_resent(&self, id: u16, name: &Name, kind: RecordType) -> bool {
        let mut last = self.last();
        // Under load nobody counts, and the lab is to stay small.
        if last.len() == 1024 {
            last.clear();
        }
        let question = (name.clone(), kind);
        last.insert(id, question.clone()) == Some(question)
    }

    fn last(&self) -> MutexGuard<'_, HashMap<u16, (Name, RecordType)>> {
        self.last.lock().expect("nothing panics under this lock")
    }

    fn reply(&self, name: &Name, kind: RecordType) -> Reply {
        let mut script = self.script();
        let Some(replies) = script.get_mut(name) else { return Reply::nx_domain() };
        match replies.get_mut(&kind) {
            Some(reply) if reply.dropped > 0 => {
                reply.dropped -= 1;
                Reply::never()
            }
            Some(reply) => reply.clone(),
            None => Reply::no_data(),
        }
    }
}

struct Handler(Arc<Shared>);

#[async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut response: R) -> ResponseInfo {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.authoritative = true;
        metadata.recursion_available = true;
        let unsent = ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() });
        // Anything but one question is none of the lab's business.
        let Ok(info) = request.request_info() else { return unsent };
        let name = Name::from(info.query.name());
        let kind = info.query.query_type();
        let transport = info.protocol;
        if transport != Protocol::Udp || !self.0.is_resent(request.metadata.id, &name, kind) {
            let query = Query { at: Instant::now(), name: name.to_string(), kind, transport };
            self.0.log.send_modify(|log| log.push(query));
        }

        let reply = self.0.reply(&name, kind);
        let Some(code) = reply.code else { return unsent };
        if !reply.delay.is_zero() {
            T::delay_for(reply.delay).await;
        }
        if let Some(gate) = &reply.gate {
            let _permit = gate.acquire().await;
        }
        metadata.response_code = code;
        if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
            self.0.last().remove(&request.metadata.id);
        }
        let record = |owner: &Name, data: &RData| Record::from_rdata(owner.clone(), reply.ttl, data.clone());
        let answers: Vec<_> =
            reply.answers.iter().map(|(owner, data)| record(owner.as_ref().unwrap_or(&name), data)).collect();
        let additional: Vec<_> = reply.additional.iter().map(|(owner, data)| record(owner, data)).collect();
        // Without an SOA a negative reply may not be kept (RFC 2308 section 5).
        let negative = answers.is_empty() && matches!(code, ResponseCode::NoError | ResponseCode::NXDomain);
        let soa = negative.then(|| {
            let data = SOA::new(name.clone(), name.clone(), 1, 3600, 600, 86400, reply.ttl);
            Record::from_rdata(name.clone(), reply.ttl, RData::SOA(data))
        });
        let message =
            MessageResponseBuilder::from_message_request(request).build(metadata, &answers, [], &soa, &additional);
        // A client that went away is not a fault of the lab.
        response.send_response(message).await.unwrap_or(unsent)
    }
}
