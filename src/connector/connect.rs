//! One connect: from the URI to the race, and what it is driven with.

use std::sync::Arc;

use http::Uri;

use super::permits::Permits;
use super::{HappyEyeballsConnector, Schemes, driver};
use crate::config::Ech;
use crate::dial::{Dial, Dialer};
use crate::error::Error;
use crate::history::Session;
use crate::origin::{Host, Origin};
use crate::race::Race;
use crate::report::Report;
use crate::stream::MaybeHttpsStream;

impl HappyEyeballsConnector {
    pub(crate) async fn connect(self, uri: Uri) -> Result<MaybeHttpsStream, Error> {
        let (stream, report) = self.race(&uri, |dialer| dialer).await?;
        Ok(MaybeHttpsStream::new(stream, report, &self.settings.config))
    }

    /// A race for the origin of `uri`, with what `dial` makes of the dialer.
    pub(crate) async fn race<D: Dial>(
        &self,
        uri: &Uri,
        dial: impl FnOnce(Dialer) -> D,
    ) -> Result<(D::Stream, Arc<Report>), Error> {
        let origin = Origin::from_uri(uri)?;
        let dialer = dial(self.dialer(uri, &origin)?);
        let names = match self.names(&origin) {
            Ok(names) => names,
            Err(error) => return Err(Error::unresolvable(error, Report::new(origin))),
        };
        let environment = self.environment(names, &origin);
        let settings = &self.settings;
        let history = settings.config.use_history.then_some(|origin: &Origin| self.session(origin));
        let race = Box::new(Race::new(origin, environment, settings.config.clone(), driver::now()));
        let permits = settings.attempts.as_ref().map(Permits::new);
        driver::drive(race, &self.lookups, history, permits, &dialer).await
    }

    fn session(&self, origin: &Origin) -> Session {
        let host = match origin.host() {
            Host::Name(host) => host.clone(),
            Host::Address { .. } => Arc::default(),
        };
        self.settings.history.session(self.settings.partition.clone(), host)
    }

    /// What dials for a connect to `uri`, which is of `origin`.
    pub(crate) fn dialer(&self, uri: &Uri, origin: &Origin) -> Result<Dialer, Error> {
        let settings = &self.settings;
        settings.schemes.admit(origin)?;
        if settings.config.ech == Ech::Required && origin.is_secure() && self.ech().is_none() {
            return Err(Error::incapable_of_ech(Report::new(origin.clone())));
        }
        let dialer = Dialer::new(origin.clone(), settings.config.clone(), settings.tcp.clone());
        #[cfg(feature = "rustls")]
        if let Some(tls) = settings.tls.as_ref().filter(|_| origin.is_secure()) {
            return match tls.target(uri, origin, settings.config.ech) {
                Ok(target) => Ok(dialer.with_tls(target)),
                Err(error) => Err(Error::without_server_name(error, Report::new(origin.clone()))),
            };
        }
        #[cfg(not(feature = "rustls"))]
        let _ = uri;
        Ok(dialer)
    }
}

impl Schemes {
    fn admit(self, origin: &Origin) -> Result<(), Error> {
        match self {
            Self::OnlyHttp if origin.scheme() != "http" => Err(Error::invalid_uri("scheme is not http")),
            Self::OnlyHttps if !origin.is_secure() => Err(Error::invalid_uri("scheme is not https")),
            _ => Ok(()),
        }
    }
}
