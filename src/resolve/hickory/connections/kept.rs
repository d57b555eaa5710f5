//! The connection to a name server over TLS.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, Shared, select};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::{RuntimeProvider, Spawn};
use hickory_resolver::net::tcp::{TcpClientStream, TcpStream};
use hickory_resolver::net::xfer::{DnsExchange, DnsHandle, DnsMultiplexer, FirstAnswer};
use hickory_resolver::proto::op::{DnsRequest, DnsResponse};
use tokio::time;

use super::{Secure, Sockets};
use crate::config::Config;

/// One connection for all queries, the first ones included. hickory would open one for each of those, and would
/// not know of them that the server has closed them all since.
#[derive(Clone)]
pub(in crate::resolve::hickory) struct Kept {
    addr: SocketAddr,
    patience: Duration,
    open: Arc<dyn Fn() -> BoxFuture<'static, Opened> + Send + Sync>,
    current: Arc<Mutex<Option<Opening>>>,
}

#[derive(Clone, Copy)]
pub(in crate::resolve::hickory) struct Times {
    /// For TCP, and for TLS.
    pub(in crate::resolve::hickory) opening: Duration,
    pub(in crate::resolve::hickory) query: Duration,
}

type Opened = Result<DnsExchange<Sockets>, NetError>;
type Opening = Shared<BoxFuture<'static, Result<Open, NetError>>>;

#[derive(Clone)]
struct Open {
    exchange: DnsExchange<Sockets>,
    /// How many have come so far: a sign of life.
    answers: Arc<AtomicU64>,
}

impl Kept {
    /// A query takes `timeout` at most, and TCP and TLS a try each.
    pub(super) fn new(addr: SocketAddr, secure: Secure, sockets: Sockets, timeout: Duration) -> Self {
        let patience = timeout / Config::DNS_TRIES;
        let times = Times { opening: patience, query: timeout };
        let open = move || -> BoxFuture<'static, Opened> {
            let sockets = sockets.clone();
            match secure.clone() {
                #[cfg(feature = "dns-over-https")]
                Secure::Https(https) => https.connect(sockets, addr, times).boxed(),
                Secure::Tls(tls) => connect(sockets.over(tls), addr, times).boxed(),
            }
        };
        Self { addr, patience, open: Arc::new(open), current: Arc::default() }
    }

    /// A connection on which nothing at all has come for the time of a try, while this was waited for, is not used again:
    /// something on the way may have forgotten it. Another is asked as well, and the first answer counts.
    pub(super) async fn exchange(self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let opening = self.current();
        let open = self.opened(&opening).await?;
        let answers = open.answers();
        let mut first = pin!(self.exchange_over(&opening, open.clone(), request.clone()));
        match time::timeout(self.patience, &mut first).await {
            Ok(result) => return result,
            Err(_) if open.answers() > answers => return first.await,
            Err(_) => self.forget(&opening),
        }
        let second = pin!(async {
            let opening = self.current();
            self.exchange_over(&opening, self.opened(&opening).await?, request).await
        });
        match select(first, second).await {
            Either::Left((Err(_), second)) => second.await,
            // The server may allow no second one. If the first has none either, there is time left to tell this error.
            Either::Right((Err(error), first)) => time::timeout(self.patience, first).await.unwrap_or(Err(error)),
            Either::Left((result, _)) | Either::Right((result, _)) => result,
        }
    }

    async fn exchange_over(&self, opening: &Opening, open: Open, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let result = open.exchange.send(request).first_answer().await;
        open.answers.fetch_add(result.is_ok().into(), Ordering::Relaxed);
        result.map_err(|error| self.give_up(opening, error))
    }

    async fn opened(&self, opening: &Opening) -> Result<Open, NetError> {
        opening.clone().await.map_err(|error| self.give_up(opening, error))
    }

    /// A connection on which anything has failed is not used again: servers close those that are idle, and hickory,
    /// which tries twice more, is to find a new one.
    fn give_up(&self, opening: &Opening, error: NetError) -> NetError {
        self.forget(opening);
        self.describe(error)
    }

    fn current(&self) -> Opening {
        self.lock().get_or_insert_with(|| self.open()).clone()
    }

    /// In a task, so that it comes to an end although whoever wanted it may be gone.
    fn open(&self) -> Opening {
        let opening = tokio::spawn((self.open)());
        let opened = async {
            let exchange = opening.await.unwrap_or_else(|err| Err(NetError::Msg(err.to_string())))?;
            Ok(Open { exchange, answers: Arc::default() })
        };
        opened.boxed().shared()
    }

    fn forget(&self, opening: &Opening) {
        let mut current = self.lock();
        if current.as_ref().is_some_and(|current| current.ptr_eq(opening)) {
            *current = None;
        }
    }

    /// hickory drops an error of I/O for one that says less.
    fn describe(&self, error: NetError) -> NetError {
        let addr = self.addr;
        match error {
            NetError::Timeout => NetError::Timeout,
            NetError::Io(error) => NetError::Msg(format!("name server {addr}: {error}")),
            error => NetError::Msg(format!("name server {addr}: {error}")),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Opening>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }
}

/// With room for as many queries as may be in flight: hickory's own queue of 32 does not take the rest of a burst.
async fn connect(sockets: Sockets, addr: SocketAddr, times: Times) -> Opened {
    let tcp = sockets.connect_tcp(addr, None, Some(times.opening)).await?;
    let (stream, queue) = TcpStream::from_stream_with_buffer_size(tcp, addr, Config::MAX_DNS_QUERIES);
    let queries = DnsMultiplexer::new(TcpClientStream::from_stream(stream), queue)
        .with_timeout(times.query)
        .with_max_active_requests(Config::MAX_DNS_QUERIES);
    let (exchange, background) = DnsExchange::from_stream(queries);
    sockets.create_handle().spawn_bg(background);
    Ok(exchange)
}
