//! One address on its own: TCP, TLS, and a request.

use std::future::Future;
use std::time::Duration;

use http::{StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use super::AddressCheck;
use super::certificate::Certificate;
use super::fault::{Fault, FaultClass};
use super::fetch::{Limits, Protocol, Response, get};
use crate::dial::tls::TlsTarget;
use crate::origin::Origin;
use crate::stream::TlsInfo;

/// How far one address goes, and what it says. Times are from the start of its connect.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Probe {
    /// When TCP was up.
    pub tcp: Option<Duration>,
    /// When TLS was up.
    pub tls: Option<Duration>,
    /// What TLS agreed on.
    pub tls_info: Option<TlsInfo>,
    /// The server's certificate.
    pub certificate: Option<Certificate>,
    /// The head of the response.
    pub response: Option<Response>,
    /// When it was over.
    pub total: Duration,
    /// What is wrong, if anything is.
    pub fault: Option<Fault>,
}

impl Probe {
    /// What the server took to answer, a round trip included.
    pub fn server_time(&self) -> Option<Duration> {
        let ready = self.tls.or(self.tcp)?;
        self.response.as_ref().map(|response| response.first_byte.saturating_sub(ready))
    }

    /// When the connection was ready for a request, if nothing is wrong with the address.
    pub fn connected(&self) -> Option<Duration> {
        self.tls.or(self.tcp).filter(|_| self.fault.is_none())
    }

    /// Whether an address serves.
    pub fn is_good(&self) -> bool {
        self.fault.is_none()
    }

    pub(super) fn failed(fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::default() }
    }
}

/// What is asked of an address, and how long it may take.
pub(super) struct Request<'a> {
    pub(super) uri: &'a Uri,
    pub(super) origin: &'a Origin,
    pub(super) tls: Option<TlsTarget>,
    /// The ECH configurations for it.
    pub(super) ech: Option<&'a [u8]>,
    /// For TCP and TLS together, and then for the response.
    pub(super) patience: Duration,
    /// When it has to be over.
    pub(super) end: Option<Instant>,
}

impl Request<'_> {
    /// Sends it over what `connect` opens. If that takes too long, it is a fault of class `late`.
    pub(super) async fn send<T, F>(self, connect: impl Fn() -> F, late: impl FnOnce() -> FaultClass) -> Probe
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: Future<Output = Result<T, Fault>>,
    {
        let start = Instant::now();
        let mut probe = Probe::default();
        probe.fault = self.go(connect, late, start, &mut probe).await.err();
        probe.total = start.elapsed();
        probe
    }

    async fn go<T, F>(
        self,
        connect: impl Fn() -> F,
        late: impl FnOnce() -> FaultClass,
        start: Instant,
        probe: &mut Probe,
    ) -> Result<(), Fault>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: Future<Output = Result<T, Fault>>,
    {
        let Self { uri, origin, tls, ech, patience: usual, end } = self;
        let patience = super::patience(usual, end);
        let deadline = start + patience;
        let tcp = timeout_at(deadline, connect()).await.map_err(|_| Fault::timed_out(late(), patience))??;
        probe.tcp = Some(start.elapsed());
        let limits = || Limits::head(super::patience(usual, end));
        let exchange = match tls {
            None => get(TokioIo::new(tcp), Protocol::Http1, uri, origin, start, limits()).await,
            Some(target) => {
                let stalled = |_| Fault::timed_out(FaultClass::TlsStalled, patience);
                let handshake = shake_hands(target, tcp, ech, connect);
                let stream = timeout_at(deadline, handshake).await.map_err(stalled)??;
                probe.tls = Some(start.elapsed());
                let info = TlsInfo::of(stream.get_ref().1);
                probe.certificate = Certificate::of(&info);
                let protocol = Protocol::agreed(&info);
                probe.tls_info = Some(info);
                get(TokioIo::new(stream), protocol, uri, origin, start, limits()).await
            }
        };
        probe.response = exchange.response;
        if let Some(error) = &exchange.error {
            return Err(Fault::of_http(error));
        }
        match &probe.response {
            Some(response) if response.has_failed() => Err(Fault::of_status(response.status)),
            _ => Ok(()),
        }
    }
}

/// As the connector does it: once more, on another connection, where the server rejects ECH.
async fn shake_hands<T, F>(
    target: TlsTarget,
    tcp: T,
    ech: Option<&[u8]>,
    connect: impl Fn() -> F,
) -> Result<TlsStream<T>, Fault>
where
    T: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Result<T, Fault>>,
{
    let failure = match target.clone().handshake(tcp, ech).await {
        Ok(stream) => return Ok(stream),
        Err(failure) => failure,
    };
    let rejection = failure.ech_rejection().map(|rejection| rejection.retry_configs.as_deref());
    let Some(ech) = rejection.filter(|ech| target.can_do(*ech)) else { return Err(Fault::of(&failure)) };
    target.handshake(connect().await?, ech).await.map_err(|failure| Fault::of(&failure))
}

/// An address that refuses what another one of the site serves is at fault. What all refuse is the site's own affair.
pub(super) fn compare(addresses: &mut [AddressCheck]) {
    let status = |address: &AddressCheck| address.probe.response.as_ref().map(|response| response.status);
    let served = addresses.iter().filter_map(status).any(|status| status.as_u16() < 400);
    for address in addresses.iter_mut().filter(|address| served && address.probe.is_good()) {
        if let Some(status) = status(address).filter(StatusCode::is_client_error) {
            address.probe.fault = Some(Fault::of_status(status));
        }
    }
}
