//! A client and its servers, each in a network namespace, with the relay between them.

use std::future::Future;
use std::sync::mpsc;
use std::thread;

use nix::unistd::{Pid, gettid};
use tokio::sync::oneshot;

use super::relay::Relay;
use crate::namespace::{add_address, enter_namespace, ip, until_ready};

/// An address of the servers that nothing is set for, to have DNS on.
pub(crate) const NAME_SERVER: &str = "192.0.2.53";
/// Every address in them is the servers'.
const SERVERS_V6: &str = "2001:db8:80::/64";
const SERVERS_V4: &str = "198.18.0.0/16";

/// This thread's namespace is the client's. What `serve` made is in the servers'.
pub(crate) struct Network<S> {
    // Dropped first: it needs both sides.
    pub(crate) relay: Relay,
    pub(crate) servers: S,
    /// Dropped, it ends the thread of the servers.
    _running: oneshot::Sender<()>,
}

impl<S: Send + 'static> Network<S> {
    /// Runs `serve` on the servers' side, and goes on running the tasks that it started.
    pub(crate) fn start<F: Future<Output = S>>(serve: impl FnOnce() -> F + Send + 'static) -> Self {
        let (running, stopped) = oneshot::channel::<()>();
        let (namespace, namespaces) = mpsc::channel();
        let (linked, is_linked) = mpsc::channel();
        let (served, is_served) = mpsc::channel();
        thread::spawn(move || {
            enter_namespace();
            namespace.send(gettid()).expect("the client waits for it");
            is_linked.recv().expect("the client says when");
            connect(&[&format!("{NAME_SERVER}/24"), "2001:db8::53/64"]);
            ip(&format!("route add local {SERVERS_V4} dev lo"));
            ip(&format!("-6 route add local {SERVERS_V6} dev lo"));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let servers = serve().await;
                served.send(servers).expect("the client waits for it");
                // An error is the end as well.
                let _ = stopped.await;
            });
        });
        let relay = Relay::start(gettid(), namespaces.recv().expect("a namespace for the servers"));
        connect(&["192.0.2.1/24", "2001:db8::1/64"]);
        linked.send(()).expect("the servers wait for it");
        let servers = is_served.recv().expect("the servers say why they cannot run");
        Self { relay, servers, _running: running }
    }
}

/// The arguments for `ip` that make a device `name` with its other end, `up0`, in the namespace of `thread`.
///
/// Without ARP a frame is addressed to the device that sends it. With one address on both sides such a frame can be
/// handed on as it is.
pub(crate) fn veth(name: &str, thread: Pid) -> String {
    format!(
        "link add {name} mtu 65535 type veth \
         peer name up0 address 02:00:00:00:00:01 mtu 65535 netns {thread}"
    )
}

fn connect(addresses: &[&str]) {
    ip("link set up0 arp off");
    ip("link set up0 up");
    until_ready("up0");
    for address in addresses {
        add_address(address, "up0");
    }
    ip("route add default dev up0");
    ip("-6 route add default dev up0");
}
