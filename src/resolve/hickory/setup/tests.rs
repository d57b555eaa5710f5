//! Files that come, change and go; what the time is the tests say.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A directory of its own, gone with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("happy-eyeballs-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file whose words are its value, none at all being an error, and how often it was read.
struct File {
    watched: Watched<String>,
    reads: Arc<AtomicUsize>,
    now: Instant,
}

impl File {
    fn new(path: PathBuf) -> Self {
        let reads = Arc::<AtomicUsize>::default();
        let read = {
            let (path, reads) = (path.clone(), reads.clone());
            move || {
                reads.fetch_add(1, Ordering::SeqCst);
                match fs::read_to_string(&path)? {
                    text if text.is_empty() => Err("there is nothing in it".into()),
                    text => Ok(text),
                }
            }
        };
        Self { watched: Watched::new(Some(path), read), reads, now: Instant::now() }
    }

    fn after(&mut self, time: Duration) -> Result<String, String> {
        self.now += time;
        let value = self.watched.get(self.now);
        value.map(|value| (*value).clone()).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn assert(&mut self, time: Duration, value: &str) {
        assert_eq!(self.after(time).as_deref(), Ok(value));
    }
}

const MS: Duration = Duration::from_millis(1);

/// Proves: NET-7
#[test]
fn a_file_is_read_again_when_it_has_changed_and_looked_at_once_a_second() {
    let directory = Directory::new("changed");
    let path = directory.file("conf", "one");
    let mut file = File::new(path.clone());
    for _ in 0..20 {
        file.assert(100 * MS, "one");
    }
    assert_eq!(file.reads.load(Ordering::SeqCst), 1);

    file.assert(CHECK, "one");
    fs::write(&path, "other").unwrap();
    file.assert(CHECK - MS, "one");
    file.assert(MS, "other");

    // Another file in its place, of the same size.
    fs::rename(directory.file("new", "third"), &path).unwrap();
    file.assert(CHECK, "third");
    assert_eq!(file.reads.load(Ordering::SeqCst), 3);
}

/// Windows, Android and Apple's systems are no files. A laptop and a telephone change networks there too.
#[test]
fn a_system_without_a_file_is_asked_again_after_a_while() {
    let reads = AtomicUsize::new(0);
    let watched = Watched::asked(move || Ok(reads.fetch_add(1, Ordering::SeqCst)));
    let start = Instant::now();
    for (after, value) in [(Duration::ZERO, 0), (ASK - MS, 0), (ASK, 1), (2 * ASK - MS, 1), (2 * ASK, 2)] {
        assert_eq!(*watched.get(start + after).unwrap(), value, "{after:?}");
    }
}

/// As systemd-resolved and its like have it.
///
/// Proves: NET-7
#[cfg(unix)]
#[test]
fn links_are_followed() {
    use std::os::unix::fs::symlink;

    let directory = Directory::new("links");
    let target = directory.file("target", "one");
    let path = directory.0.join("conf");
    symlink(&target, &path).unwrap();
    let mut file = File::new(path.clone());
    file.assert(CHECK, "one");
    // The target is replaced, written to, and left for another.
    fs::rename(directory.file("new", "two"), &target).unwrap();
    file.assert(CHECK, "two");
    fs::write(&target, "three").unwrap();
    file.assert(CHECK, "three");
    let link = directory.0.join("link");
    symlink(directory.file("other", "four"), &link).unwrap();
    fs::rename(&link, &path).unwrap();
    file.assert(CHECK, "four");
}

/// Proves: NET-7
#[test]
fn a_file_that_is_being_written_anew_counts_as_it_was() {
    let directory = Directory::new("anew");
    let path = directory.file("conf", "one");
    let mut file = File::new(path.clone());
    file.assert(CHECK, "one");
    let interruptions: [fn(&Path); 2] = [|path| fs::write(path, "").unwrap(), |path| fs::remove_file(path).unwrap()];
    for interrupt in interruptions {
        interrupt(&path);
        file.assert(CHECK, "one");
        file.assert(GRACE - MS, "one");
        fs::write(&path, "one").unwrap();
        file.assert(CHECK, "one");
    }
    // Each time that is lenient anew.
    fs::write(&path, "").unwrap();
    file.assert(GRACE, "one");
    fs::write(&path, "two").unwrap();
    file.assert(CHECK, "two");
}

/// Proves: NET-7
#[test]
fn a_file_that_is_gone_for_good_says_so_until_it_is_back() {
    let directory = Directory::new("gone");
    let path = directory.file("conf", "one");
    let mut file = File::new(path.clone());
    file.assert(CHECK, "one");
    fs::remove_file(&path).unwrap();
    file.assert(CHECK, "one");
    assert!(file.after(GRACE).unwrap_err().contains("No such file"));
    // From here on at once.
    fs::write(&path, "").unwrap();
    assert_eq!(file.after(Duration::ZERO), Err("there is nothing in it".into()));
    fs::write(&path, "two").unwrap();
    file.assert(Duration::ZERO, "two");
}

#[test]
fn what_has_no_file_is_read_once() {
    let reads = AtomicUsize::new(0);
    let watched = Watched::new(None, move || Ok(reads.fetch_add(1, Ordering::SeqCst)));
    let now = Instant::now();
    for seconds in 0..100 {
        assert_eq!(*watched.get(now + Duration::from_secs(seconds)).unwrap(), 0);
    }
}

#[test]
fn the_fingerprint_is_that_of_the_name_servers() {
    use hickory_resolver::config::NameServerConfig;

    let dns = |servers: &[&str], search: &str| {
        let servers = servers.iter().map(|ip| NameServerConfig::udp_and_tcp(ip.parse().unwrap())).collect();
        let search = vec![Name::from_ascii(search).unwrap()];
        Dns::new(ResolverConfig::from_parts(None, search, servers), 1).fingerprint
    };
    assert_eq!(dns(&["192.0.2.1"], "a"), dns(&["192.0.2.1"], "b"));
    assert_ne!(dns(&["192.0.2.1"], "a"), dns(&["192.0.2.2"], "a"));
    assert_ne!(dns(&["192.0.2.1"], "a"), dns(&["192.0.2.1", "192.0.2.2"], "a"));
}
