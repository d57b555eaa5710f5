//! hickory's answers, with a gate in front of the records: a test opens it when what it waits for has happened.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use hyper_happy_eyeballs::resolve::{HickoryResolver, Kinds, Names, QueryKind, Resolve, ResolveError, Resolving};
use hyper_happy_eyeballs::{Config, HappyEyeballsConnector};
use tokio::sync::Semaphore;

use crate::host::Host;

/// HTTPS is asked for when it opens.
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    /// A connector behind a closed gate.
    pub(crate) fn closed(host: &Host, config: Config) -> (HappyEyeballsConnector, Self) {
        Self::connector(host, config, false)
    }

    /// The same, with answers that count as protected.
    pub(crate) fn protected(host: &Host, config: Config) -> (HappyEyeballsConnector, Self) {
        Self::connector(host, config, true)
    }

    fn connector(host: &Host, config: Config, protected: bool) -> (HappyEyeballsConnector, Self) {
        let (resolver, gate) = Self::before(host, protected);
        (host.builder().resolver(resolver).config(config).build().expect("TLS is chosen"), gate)
    }

    /// The host's name server behind a closed gate.
    pub(crate) fn before(host: &Host, protected: bool) -> (impl Resolve + 'static, Self) {
        let gate = Arc::new(Semaphore::new(0));
        let resolver = HickoryResolver::with_name_servers([host.dns.addr()]);
        (Gated { resolver, gate: gate.clone(), protected }, Self(gate))
    }

    /// Opens for good.
    #[allow(dead_code)] // the tests of ECH do it
    pub(crate) fn open(&self) {
        self.0.add_permits(Semaphore::MAX_PERMITS);
    }

    /// Opens for one query, once TCP is up at the host's server. What `connecting` comes to, which is after that.
    pub(crate) async fn open_after_tcp<T>(&self, host: &Host, connecting: impl Future<Output = T>) -> T {
        self.open_after(host.server().until(|connections| !connections.is_empty()), connecting).await
    }

    /// The same, once `tcp` is over.
    pub(crate) async fn open_after<T>(&self, tcp: impl Future<Output = ()>, connecting: impl Future<Output = T>) -> T {
        let mut connecting = pin!(connecting);
        tokio::select! {
            _ = &mut connecting => panic!("the connect is over before TCP was up, or did not wait for the records"),
            () = tcp => {}
        }
        self.0.add_permits(1);
        connecting.await
    }
}

struct Gated {
    resolver: HickoryResolver,
    gate: Arc<Semaphore>,
    protected: bool,
}

impl Resolve for Gated {
    fn kinds(&self) -> Kinds {
        self.resolver.kinds()
    }

    fn names(&self, host: &str) -> Result<Names, ResolveError> {
        self.resolver.names(host)
    }

    fn is_protected(&self) -> bool {
        self.protected
    }

    fn resolve(&self, name: &str, kind: QueryKind) -> Resolving {
        let lookup = self.resolver.resolve(name, kind);
        if kind != QueryKind::Https {
            return lookup;
        }
        let gate = self.gate.clone();
        Box::pin(async move {
            gate.acquire().await.expect("nobody closes it").forget();
            lookup.await
        })
    }
}
