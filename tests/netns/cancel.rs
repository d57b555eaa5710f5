//! What is left behind by connects that nobody waits for any more, and by a process without descriptors.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use hickory_server::proto::rr::{RData, RecordType};
use hyper_happy_eyeballs::{Config, HappyEyeballsConnector};
use nix::sys::resource::{Resource, setrlimit};
use tokio::runtime::{self, Handle};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::lab::Reply;
use crate::namespace::{LIMIT, give_way, in_namespace, in_namespace_within, replace_etc};
use crate::network::*;

const CANCELLED: u32 = 1000;

/// Cancelled at any moment, of which some fall into DNS and some into the race.
///
/// Proves: ATT-12
#[test]
fn cancelled_connects_leave_neither_descriptors_nor_tasks() {
    in_namespace_within(LIMIT, || async {
        give_way();
        dual_stack();
        let _server = http_server(LOCAL_V4).await;
        let dns = dns(&[LOCAL_V4]).await;
        let [v6, v4] = [SILENT_V6[0], SILENT_V4[0]].map(parse);
        for index in 0..CANCELLED {
            let host = format!("h{index}.lab.test");
            let delay = ms(u64::from(index % 15));
            dns.set(&host, RecordType::AAAA, Reply::records([RData::from(v6)]).after(delay));
            dns.set(&host, RecordType::A, Reply::records([RData::from(v4)]).after(delay));
        }
        let connector = connector(&dns, Config::default());
        // A runtime of its own, so that only the connector's tasks are counted.
        let thread = std::thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(cancel_many(connector));
        });
        while !thread.is_finished() {
            sleep(ms(5)).await;
        }
        thread.join().expect("the connects are as they should be");
    });
}

async fn cancel_many(mut connector: HappyEyeballsConnector) {
    drop(connect(&mut connector).await.unwrap());
    sleep(ms(1200)).await;
    let (descriptors, tasks) = (open_descriptors(), tasks());

    let mut pending = JoinSet::new();
    for index in 0..CANCELLED {
        let mut connector = connector.clone();
        pending.spawn(async move {
            let patience = Duration::from_micros(u64::from(index * 7919 % 30_000));
            let uri = format!("http://h{index}.lab.test:{PORT}/");
            assert!(timeout(patience, get(&mut connector, &uri)).await.is_err(), "nothing answers");
        });
        // At most some dozens at a time, as in a busy client.
        if pending.len() >= 50 {
            pending.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(ended) = pending.join_next().await {
        ended.unwrap();
    }

    // Lookups go on for others who may want them, attempts do not.
    assert_eq!(connecting(), 0);

    sleep(ms(1200)).await;
    for _ in 0..100 {
        if self::tasks() > tasks || open_descriptors() > descriptors {
            sleep(ms(10)).await;
        }
    }
    println!("{} tasks, {tasks} after one connect", self::tasks());
    println!("{} descriptors, {descriptors} after one connect", open_descriptors());
    assert!(self::tasks() <= tasks);
    assert!(open_descriptors() <= descriptors);
}

/// The sockets in this namespace that have sent a SYN and got no answer.
fn connecting() -> usize {
    const SYN_SENT: &str = "02";
    let tables =
        ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/thread-self/net/{table}")).expect("/proc"));
    let states = tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(|row| row.split_whitespace().nth(3));
    states.filter(|state| *state == SYN_SENT).count()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("procfs").count()
}

/// Without a descriptor the connect fails at once, says so, and the connector is none the worse for it.
#[test]
fn without_descriptors_the_error_says_so_and_later_connects_work() {
    in_namespace(|| async {
        dual_stack();
        let _server = http_server(LOCAL_V4).await;
        let _hosts = http_server("192.0.2.1").await;
        replace_etc();
        fs::write("/etc/hosts", "192.0.2.1 in.hosts.test\n").unwrap();
        let dns = dns(&[LOCAL_V4]).await;
        let mut connector = connector(&dns, Config::default());
        setrlimit(Resource::RLIMIT_NOFILE, 64, 64).unwrap();

        let mut taken = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            taken.push(file);
        }
        let literal = format!("http://{LOCAL_V4}:{PORT}/");
        let start = Instant::now();
        let by_address = get(&mut connector, &literal).await.unwrap_err();
        let by_name = connect(&mut connector).await.unwrap_err();
        println!("{by_address}\n{by_name}\n{:?}", start.elapsed());
        drop(taken);
        assert!(by_address.is_connect());
        assert!(by_address.to_string().contains("Too many open files"), "{by_address}");
        // hickory keeps to itself why it could not send.
        assert!(by_name.is_dns());

        get(&mut connector, &literal).await.unwrap();
        connect(&mut connector).await.unwrap();
        let stream = get(&mut connector, &format!("http://in.hosts.test:{PORT}/")).await.unwrap();
        assert_eq!(peer(&stream), parse("192.0.2.1"), "the hosts file is read again");
    });
}
