//! Runs the body of a test in a process of its own, in namespaces of its own.

use std::env;
use std::future::Future;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid, gettid};

use crate::packet_socket::now;
use crate::standstill;

/// Set in the process inside, to the name of its test.
const INSIDE: &str = "HAPPY_EYEBALLS_NETNS_TEST";
/// Where it is set to 1, a test that cannot run fails.
const REQUIRED: &str = "HAPPY_EYEBALLS_REQUIRE_NETNS";
/// How long a body may take. The process inside ends by itself, should the one outside be gone.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
const NAMESPACES: [&str; 2] = ["--net", "--mount"];
/// How often a test runs that fails while the machine stands still. A bug fails each time.
const MOST_TIMES: usize = 5;
/// What the process inside says when that has happened.
const STOOD_STILL: &str = "the machine stood still while this test failed";

/// Runs `body` in new network and mount namespaces, which die with the process that they are for.
///
/// The test runs its own program again, for this one test; there, `body` runs. If it fails and the machine
/// [stood still](standstill) meanwhile, it runs again, [a few times](MOST_TIMES).
pub(crate) fn in_namespace<B, F>(body: B)
where
    B: FnOnce() -> F,
    F: Future<Output = ()>,
{
    in_namespace_times(MOST_TIMES, LIMIT, body);
}

/// The same once, for a body that measures no time, or sees by itself whether the machine stands still.
pub(crate) fn in_namespace_within<B, F>(limit: Duration, body: B)
where
    B: FnOnce() -> F,
    F: Future<Output = ()>,
{
    in_namespace_times(1, limit, body);
}

fn in_namespace_times<B, F>(most_times: usize, limit: Duration, body: B)
where
    B: FnOnce() -> F,
    F: Future<Output = ()>,
{
    let test = test_name(&body);
    if env::var_os(INSIDE).is_some_and(|name| name == *test) {
        return run_inside(limit, body());
    }
    if let Err(missing) = usable() {
        let required = env::var_os(REQUIRED).is_some_and(|value| value == "1");
        assert!(!required, "{test} needs root and ip, nft, unshare: {missing}");
        // Straight to the descriptor: what a passing test prints is thrown away.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {test} needs root and ip, nft, unshare: {missing}");
        return;
    }
    let mut times = 1;
    while let Err(output) = run_outside(limit, &test) {
        assert!(output.contains(STOOD_STILL) && times < most_times, "{test} failed in its namespace, {times} times");
        times += 1;
        let _ = writeln!(std::io::stderr(), "AGAIN: {test}: {STOOD_STILL}");
    }
}

/// The test that defines `body`, as the test harness calls it: the path of the closure, less the crate and the closure.
fn test_name<B>(_: &B) -> String {
    let path = std::any::type_name::<B>();
    let path = path.split_once("::").map_or(path, |(_, path)| path);
    path.trim_end_matches("::{{closure}}").to_owned()
}

/// Whether namespaces work here, and why not. Tried once, by doing all that the tests do.
fn usable() -> &'static Result<(), String> {
    static USABLE: OnceLock<Result<(), String>> = OnceLock::new();
    USABLE.get_or_init(|| {
        let script = "set -e; ip link add try0 type dummy 2>/dev/null || ip link add try0 type ifb; \
                      ip link add try1 type veth peer name try2; \
                      echo 'add table inet try' | nft -f -; mount -t tmpfs none /etc";
        match Command::new("unshare").args(NAMESPACES).args(["sh", "-c", script]).output() {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
}

/// Passes on what the test prints, and returns it if the test fails.
fn run_outside(limit: Duration, test: &str) -> Result<(), String> {
    let program = env::current_exe().expect("the path of the test program");
    let mut child = Command::new("unshare")
        .args(NAMESPACES)
        .arg(program)
        .args([test, "--exact", "--include-ignored", "--nocapture", "--test-threads=1"])
        .env(INSIDE, test)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("unshare was found before");
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    let status = wait(&mut child, limit + Duration::from_secs(5));
    let stdout = stdout.join().expect("reading does not panic");
    print!("{stdout}");
    eprint!("{}", stderr.join().expect("reading does not panic"));
    // A name that fits no test would pass as well.
    let ran = stdout.contains("test result: ok. 1 passed");
    if status.is_some_and(|success| success) && ran { Ok(()) } else { Err(stdout) }
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came until then is worth showing.
        let _ = pipe.expect("a pipe").read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether the process ended well; none if it had to be killed.
fn wait(child: &mut Child, limit: Duration) -> Option<bool> {
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            return Some(status.success());
        }
        thread::sleep(Duration::from_millis(5));
    }
    eprintln!("killed after {limit:?}");
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn run_inside(limit: Duration, body: impl Future<Output = ()>) {
    thread::spawn(move || {
        thread::sleep(limit);
        eprintln!("the test takes longer than {limit:?}");
        std::process::abort();
    });
    // What is measured is the connector, not what else the machine does.
    go_first();
    ip("link set lo up");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(standstill::watch());
    let start = now();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| runtime.block_on(body))) {
        if runtime.block_on(standstill::happened(start, now())) {
            println!("{STOOD_STILL}");
        }
        resume_unwind(panic);
    }
}

/// Moves this thread into a network namespace of its own.
pub(crate) fn enter_namespace() {
    unshare(CloneFlags::CLONE_NEWNET).expect("root may make namespaces");
    ip("link set lo up");
}

/// Lets the rest of the machine have its share again, the kernel's own threads included: for tests that are busy. Threads
/// that this one starts do the same.
pub(crate) fn give_way() {
    schedule_thread(gettid(), "--other", 0);
}

/// The opposite.
pub(crate) fn go_first() {
    schedule_thread(gettid(), "--rr", 1);
}

/// Where the policy is not allowed, the test has to do without.
pub(crate) fn schedule_thread(thread: Pid, policy: &str, priority: u8) {
    run("chrt", &format!("{policy} --pid {priority} {thread}"), None);
}

/// `ip` with these arguments.
pub(crate) fn ip(arguments: &str) {
    succeed("ip", arguments, None);
}

/// Has `ip` run each of these lines.
pub(crate) fn ip_batch(lines: &str) {
    succeed("ip", "-batch -", Some(lines));
}

/// Gives a device an address, and returns when it can be reached: the kernel leaves the route to an IPv6 address of its
/// own for later.
pub(crate) fn add_address(address: &str, device: &str) {
    if !address.contains(':') {
        return ip(&format!("address add {address} dev {device}"));
    }
    ip(&format!("-6 address add {address} dev {device} nodad"));
    let route = format!("-6 route show table local {}", address.split('/').next().unwrap_or(address));
    while succeed("ip", &route, None).stdout.is_empty() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Returns when a device hands packets on: from when it is up, until the kernel has noticed that its peer is up as well,
/// it drops them.
pub(crate) fn until_ready(device: &str) {
    let show = format!("-o link show {device}");
    while !String::from_utf8_lossy(&succeed("ip", &show, None).stdout).contains("state UP") {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Feeds `rules` to `nft`.
pub(crate) fn nft(rules: &str) {
    succeed("nft", "-f -", Some(rules));
}

/// The packets that a named counter of `table inet test` has seen.
pub(crate) fn nft_counter(name: &str) -> u64 {
    let output = succeed("nft", &format!("list counter inet test {name}"), None);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut words = text.split_whitespace().skip_while(|word| *word != "packets").skip(1);
    words.next().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no count in {text}"))
}

/// A device that takes every packet and answers none. No address or route leads to it yet.
pub(crate) fn silent_device(name: &str) {
    let make = |kind| run("ip", &format!("link add {name} type {kind}"), None);
    // An ifb drops what was not redirected to it, and is there on kernels without dummy.
    if !make("dummy").status.success() {
        let output = make("ifb");
        assert!(output.status.success(), "neither dummy nor ifb: {output:?}");
    }
    ip(&format!("link set {name} arp off"));
    ip(&format!("link set {name} up"));
}

/// Puts an empty directory over /etc, in this namespace only.
pub(crate) fn replace_etc() {
    succeed("mount", "-t tmpfs none /etc", None);
}

fn succeed(program: &str, arguments: &str, input: Option<&str>) -> Output {
    let output = run(program, arguments, input);
    assert!(output.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn run(program: &str, arguments: &str, input: Option<&str>) -> Output {
    let mut child = Command::new(program)
        .args(arguments.split_whitespace())
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    if let Some(input) = input {
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        stdin.write_all(input.as_bytes()).expect("the program reads its input");
    }
    child.wait_with_output().expect("the child is ours")
}
