//! A host in a namespace of its own, through which everything goes: addresses behind it, addresses of its own, and a
//! firewall.

use std::fs;
use std::future::Future;
use std::sync::mpsc;
use std::thread;

use nix::unistd::gettid;
use tokio::sync::oneshot;

use crate::namespace::{add_address, enter_namespace, ip, nft, silent_device, until_ready};

/// Addresses of this host on the link to the gateway.
pub(crate) const HOST_V4: &str = "192.0.2.1";
pub(crate) const HOST_V6: &str = "2001:db8::1";
/// An address behind it at which nothing is wrong.
pub(crate) const GOOD_V4: &str = "203.0.113.1";
/// The addresses that it sends its ICMP errors from.
pub(crate) const GATEWAY_V4: &str = "192.0.2.254";
pub(crate) const GATEWAY_V6: &str = "2001:db8::fe";
/// With any digit but 0 for their last they are its own, too.
const OWN: [&str; 2] = ["203.0.113.", "2001:db8:80::"];
/// Nobody is there.
const BEHIND: [&str; 2] = ["198.51.100.0/24", "2001:db8:dead::/64"];

/// Dropped, it ends the thread of its servers.
pub(crate) struct Gateway {
    _running: oneshot::Sender<()>,
}

impl Gateway {
    /// Links the namespace of this thread to it, which gets `addresses`, and a default route for each family of them.
    /// `rules` are for nft; what `serve` returns is kept.
    pub(crate) fn start<S, F: Future<Output = S>>(
        addresses: &[&str],
        rules: String,
        serve: impl FnOnce() -> F + Send + 'static,
    ) -> Self {
        let (running, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = mpsc::channel();
        let host = gettid();
        thread::spawn(move || {
            enter_namespace();
            ip(&format!("link add up0 type veth peer name up0 netns {host}"));
            ip("link set up0 up");
            add_address(&format!("{GATEWAY_V4}/24"), "up0");
            add_address(&format!("{GATEWAY_V6}/64"), "up0");
            silent_device("out0");
            for host in 1..=9 {
                for network in OWN {
                    add_address(&format!("{network}{host}"), "lo");
                }
            }
            for network in BEHIND {
                ip(&format!("route add {network} dev out0"));
            }
            let settings = [("ipv4/ip_forward", 1), ("ipv6/conf/all/forwarding", 1)];
            // Every error is to be sent, however many they are.
            for (name, value) in settings.into_iter().chain([("ipv4/icmp_ratelimit", 0), ("ipv6/icmp/ratelimit", 0)]) {
                fs::write(format!("/proc/sys/net/{name}"), value.to_string()).expect("root may set it");
            }
            nft(&rules);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let _servers = serve().await;
                ready.send(()).expect("the host waits for it");
                // An error is the end as well.
                let _ = stopped.await;
            });
        });
        is_ready.recv().expect("the gateway says why it cannot run");
        ip("link set up0 up");
        until_ready("up0");
        for address in addresses {
            add_address(address, "up0");
            ip(&format!("route add default via {}", if address.contains(':') { GATEWAY_V6 } else { GATEWAY_V4 }));
        }
        Self { _running: running }
    }
}
