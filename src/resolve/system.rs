//! Resolvers of hyper-util as [`Resolve`].

use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

use super::{Answer, Kinds, Names, QueryKind, Resolve, ResolveError, ResolveErrorKind, Resolving, is_under};

/// A resolver made for hyper-util's `HttpConnector`, such as its `GaiResolver`.
///
/// It gives both families in one answer, so a race starts only when the slower family is known, and its order stands:
/// whoever sorted it, such as `getaddrinfo` by the host's `gai.conf`, had reasons.
///
/// ```
/// use hyper_happy_eyeballs::resolve::ServiceResolver;
///
/// let resolver = ServiceResolver::system();
/// ```
#[derive(Clone)]
pub struct ServiceResolver<S> {
    service: S,
}

impl<S> ServiceResolver<S> {
    /// Adapts `service`.
    ///
    /// The service is cloned for every lookup, and the clone that is called is the one whose readiness was awaited. It
    /// is given the host as the URI has it, a final dot included.
    pub fn new(service: S) -> Self {
        Self { service }
    }
}

impl ServiceResolver<GaiResolver> {
    /// The operating system's `getaddrinfo`, on tokio's blocking threads: it follows nsswitch.conf, mDNS, and what
    /// else the system knows. HTTPS records it does not: `HybridResolver` asks DNS for those.
    pub fn system() -> Self {
        Self::new(GaiResolver::new())
    }
}

impl<S> Resolve for ServiceResolver<S>
where
    S: Service<Name> + Clone + Send + Sync + 'static,
    S::Response: Iterator<Item = SocketAddr>,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
    S::Future: Send,
{
    fn kinds(&self) -> Kinds {
        Kinds::Addresses
    }

    /// The host itself, unless it is a name of Tor's: whoever does not speak that protocol has to fail and not to look
    /// such a name up, which would tell everybody on the way (RFC 7686 section 2).
    fn names(&self, host: &str) -> Result<Names, ResolveError> {
        if is_under(host, "onion") {
            return Err(ResolveError::new(ResolveErrorKind::NxDomain, "names under .onion are not in DNS (RFC 7686)"));
        }
        Ok(Names::Ask(vec![host.into()]))
    }

    fn resolve(&self, name: &str, _kind: QueryKind) -> Resolving {
        let mut service = self.service.clone();
        let name = name.parse::<Name>();
        Box::pin(async move {
            let name = name.map_err(failed)?;
            poll_fn(|context| service.poll_ready(context)).await.map_err(failed)?;
            service.call(name).await.map(Answer::from_socket_addrs).map_err(failed)
        })
    }
}

impl<S> fmt::Debug for ServiceResolver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceResolver").finish_non_exhaustive()
    }
}

fn failed(source: impl Into<Box<dyn StdError + Send + Sync>>) -> ResolveError {
    ResolveError::new(ResolveErrorKind::Other, "the resolver failed").with_source(source)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll};

    use super::*;

    /// Proves: NAM-3
    #[test]
    fn names_of_tor_are_not_looked_up() {
        let resolver = ServiceResolver::new(Stub::default());
        for host in ["onion", "x.onion", "X.ONION."] {
            assert_eq!(resolver.names(host).unwrap_err().kind(), ResolveErrorKind::NxDomain, "{host}");
        }
        assert_eq!(resolver.names("onion.test.").unwrap(), Names::Ask(vec!["onion.test.".into()]));
    }

    /// Ready at the second poll; records what it is asked.
    #[derive(Default)]
    struct Stub {
        polls: usize,
        asked: Arc<Mutex<Vec<String>>>,
        fails: bool,
    }

    /// A clone has its own readiness.
    impl Clone for Stub {
        fn clone(&self) -> Self {
            Self { polls: 0, asked: self.asked.clone(), fails: self.fails }
        }
    }

    impl Service<Name> for Stub {
        type Response = std::vec::IntoIter<SocketAddr>;
        type Error = io::Error;
        type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

        fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
            self.polls += 1;
            if self.polls < 2 {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, name: Name) -> Self::Future {
            assert_eq!(self.polls, 2, "called without being ready");
            self.asked.lock().unwrap().push(name.as_str().to_owned());
            let fails = self.fails;
            Box::pin(async move {
                if fails {
                    return Err(io::Error::other("no luck"));
                }
                Ok(vec!["192.0.2.1:8080".parse().unwrap(), "[fe80::1%3]:0".parse().unwrap()].into_iter())
            })
        }
    }

    #[tokio::test]
    async fn the_clone_that_is_called_is_ready_and_gets_the_name_as_it_is() {
        let stub = Stub::default();
        let resolver = ServiceResolver::new(stub.clone());
        assert_eq!(resolver.kinds(), Kinds::Addresses);
        for host in ["Example.com.", "localhost"] {
            let answer = resolver.resolve(host, QueryKind::Addresses).await.unwrap();
            let expected = ["192.0.2.1:8080", "[fe80::1%3]:0"].map(|addr| addr.parse().unwrap());
            assert_eq!(answer, Answer::from_socket_addrs(expected));
        }
        assert_eq!(*stub.asked.lock().unwrap(), ["Example.com.", "localhost"]);
    }

    #[tokio::test]
    async fn an_error_keeps_its_source() {
        let resolver = ServiceResolver::new(Stub { fails: true, ..Stub::default() });
        let error = resolver.resolve("example.com", QueryKind::Addresses).await.unwrap_err();
        assert_eq!(error.kind(), ResolveErrorKind::Other);
        assert_eq!(error.source().unwrap().to_string(), "no luck");
    }

    #[tokio::test]
    async fn the_system_knows_an_address_literal() {
        let answer = ServiceResolver::system().resolve("127.0.0.1", QueryKind::Addresses).await.unwrap();
        assert!(answer.addresses.iter().any(|addr| addr.ip().is_loopback()));
    }
}
