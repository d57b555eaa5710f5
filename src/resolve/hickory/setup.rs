//! The hosts file and the name servers, as the system has them now.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::config::{ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::Name;
use hickory_resolver::{Hosts, system_conf};

use super::Search;
use super::connections::NameServer;

/// The time between two looks at a file.
const CHECK: Duration = Duration::from_secs(1);
/// The time between two questions to a system that has no file, which take longer than a look.
const ASK: Duration = Duration::from_secs(5);
/// For so long a file that cannot be read counts as it was: whoever writes it anew may have only begun.
const GRACE: Duration = Duration::from_secs(10);

/// Where names lead. Nothing is read before the first name.
pub(super) struct Setup {
    hosts: Watched<Hosts>,
    dns: Watched<Dns>,
}

impl Setup {
    pub(super) fn system() -> Self {
        let read = || {
            let (config, options) = system_conf::read_system_conf()?;
            Ok(Dns::new(config, options.ndots))
        };
        // Elsewhere hickory has other means.
        let dns = match cfg!(all(unix, not(any(target_os = "android", target_vendor = "apple")))) {
            true => Watched::new(Some("/etc/resolv.conf".into()), read),
            false => Watched::asked(read),
        };
        Self::new(Watched::hosts(), dns)
    }

    pub(super) fn fixed(config: ResolverConfig) -> Self {
        let ndots = ResolverOpts::default().ndots;
        Self::new(Watched::hosts(), Watched::new(None, move || Ok(Dns::new(config.clone(), ndots))))
    }

    pub(super) fn new(hosts: Watched<Hosts>, dns: Watched<Dns>) -> Self {
        Self { hosts, dns }
    }

    /// Nothing if the file cannot be read, or there is none.
    pub(super) fn hosts(&self) -> Arc<Hosts> {
        self.hosts.get(Instant::now()).unwrap_or_default()
    }

    pub(super) fn dns(&self) -> Result<Arc<Dns>, NetError> {
        self.dns.get(Instant::now())
    }
}

pub(super) struct Dns {
    pub(super) servers: Vec<NameServer>,
    pub(super) search: Search,
    /// Differs where the name servers differ.
    pub(super) fingerprint: u64,
}

impl Dns {
    pub(super) fn new(config: ResolverConfig, ndots: usize) -> Self {
        // The local domain stands in for a search list; resolv.conf(5) never has both.
        let suffixes = match config.search() {
            [] => config.domain().into_iter().map(Name::to_ascii).collect(),
            search => search.iter().map(Name::to_ascii).collect(),
        };
        let servers = config.name_servers().iter().cloned().map(NameServer::new);
        Self::of(servers.collect(), Search { suffixes, ndots })
    }

    pub(super) fn of(servers: Vec<NameServer>, search: Search) -> Self {
        let mut hasher = DefaultHasher::new();
        for server in &servers {
            // Of these types hickory implements neither `Hash` nor `Eq`.
            format!("{:?}", server.config()).hash(&mut hasher);
        }
        Self { servers, search, fingerprint: hasher.finish() }
    }

    pub(super) fn is_protected(&self) -> bool {
        !self.servers.is_empty() && self.servers.iter().all(NameServer::is_protected)
    }
}

/// What a file says, which is read again when it has changed, or the system.
pub(super) struct Watched<T> {
    path: Option<PathBuf>,
    /// For so long a value stands without a look at the file or, where there is none, another reading.
    interval: Duration,
    read: Box<dyn Fn() -> Result<T, NetError> + Send + Sync>,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Option<Arc<T>>,
    /// Of the file, when the value was read.
    stamp: Option<Stamp>,
    checked: Option<Instant>,
    unreadable_since: Option<Instant>,
}

impl Watched<Hosts> {
    pub(super) fn hosts() -> Self {
        let path = match cfg!(windows) {
            true => std::env::var_os("SystemRoot").map(|root| Path::new(&root).join(r"System32\drivers\etc\hosts")),
            false => Some("/etc/hosts".into()),
        };
        Self::new(path, || Ok(Hosts::from_system()?))
    }
}

impl<T> Watched<T> {
    /// Without a path, of what does not change.
    pub(super) fn new(path: Option<PathBuf>, read: impl Fn() -> Result<T, NetError> + Send + Sync + 'static) -> Self {
        let interval = if path.is_some() { CHECK } else { Duration::MAX };
        let state = State { value: None, stamp: None, checked: None, unreadable_since: None };
        Self { path, interval, read: Box::new(read), state: Mutex::new(state) }
    }

    /// Of what changes and no file tells of it.
    fn asked(read: impl Fn() -> Result<T, NetError> + Send + Sync + 'static) -> Self {
        Self { interval: ASK, ..Self::new(None, read) }
    }

    /// As long as there is nothing to give, each call tries again: a process may start before its network does, and may
    /// be out of descriptors for a while.
    fn get(&self, now: Instant) -> Result<Arc<T>, NetError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { value, stamp, checked, unreadable_since } = &mut *state;
        if let Some(value) = value
            && checked.is_some_and(|checked| now.saturating_duration_since(checked) < self.interval)
        {
            return Ok(value.clone());
        }
        *checked = Some(now);
        // Before the file is read: what is written to it while it is read changes the stamp once more.
        let stamp_now = self.path.as_deref().and_then(Stamp::of);
        if let Some(value) = value
            && self.path.is_some()
            && *stamp == stamp_now
        {
            *unreadable_since = None;
            return Ok(value.clone());
        }
        match (self.read)() {
            Ok(read) => {
                *stamp = stamp_now;
                *unreadable_since = None;
                Ok(value.insert(Arc::new(read)).clone())
            }
            Err(error) => {
                tracing::debug!(path = ?self.path, %error, "the file could not be read");
                let since = *unreadable_since.get_or_insert(now);
                value.take_if(|_| now.saturating_duration_since(since) >= GRACE);
                value.clone().ok_or(error)
            }
        }
    }
}

/// Differs where a file was written or replaced, through whatever links the path leads.
#[derive(PartialEq, Eq)]
#[cfg(unix)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    /// The time of the last change, be it of the bytes or of the name. Unlike that of the bytes nobody can set it back.
    changed: (i64, i64),
}

#[cfg(unix)]
impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;

        let file = fs::metadata(path).ok()?;
        Some(Self { file: (file.dev(), file.ino()), size: file.size(), changed: (file.ctime(), file.ctime_nsec()) })
    }
}

#[derive(PartialEq, Eq)]
#[cfg(not(unix))]
struct Stamp {
    size: u64,
    modified: Option<std::time::SystemTime>,
}

#[cfg(not(unix))]
impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self { size: file.len(), modified: file.modified().ok() })
    }
}

#[cfg(test)]
mod tests;
