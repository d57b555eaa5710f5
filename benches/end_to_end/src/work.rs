//! The process of a client: it does the same thing a number of times, and says what that took.

use std::alloc::System;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::BoxError;
use crate::clients::{Client, Once, Target, perform};
use crate::process::{Left, memory, raise_descriptor_limit};
use crate::servers::{Host, Places};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How often it is done before anything is measured.
const WARM_UP: usize = 20;
/// Until a lookup is done, and until so many connects have begun.
const LOOKED_UP: Duration = Duration::from_millis(500);
const BEGUN: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Work {
    pub client: Client,
    pub act: Act,
    pub host: Host,
    pub tls: Tls,
    pub at_once: usize,
}

impl Work {
    pub fn client_name(self) -> &'static str {
        match self.client {
            Client::Floor if self.tls.is_ours() => "tokio-rustls",
            Client::Floor => "tokio",
            Client::Ours => "this crate",
            Client::Reportless => "this crate without reports in responses",
            Client::HttpConnector if self.tls.is_ours() => "hyper-rustls",
            Client::HttpConnector if self.host.is_in_dns() => "`HttpConnector` with hickory",
            Client::HttpConnector => "`HttpConnector`",
            Client::Reqwest => "reqwest",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    Connect,
    /// A GET over a connection of its own.
    Get,
    /// A connect, and all that there has to be before a process can make its first.
    First,
    /// Connects that never end, all of them at once.
    Hold,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tls {
    None,
    /// `https` that is meant to have TLS above the connector.
    Above,
    Full,
    Resumed,
}

impl Tls {
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Full | Self::Resumed)
    }
}

/// What one connect or GET took.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Costs {
    pub nanoseconds: f64,
    /// Of the processor, in this process and the kernel for it.
    pub cpu_nanoseconds: f64,
    pub allocations: f64,
    pub allocated_bytes: f64,
    /// Of a connect's future.
    pub future_bytes: Option<usize>,
    /// Resident, for each connect that is held.
    pub resident_bytes: Option<usize>,
}

/// `work` as the arguments of the process have it; the costs go to its standard output.
pub fn client(places: &str, work: &str, count: &str) -> Result<(), BoxError> {
    let (places, work) = (serde_json::from_str(places)?, serde_json::from_str(work)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let costs = runtime.block_on(perform(&places, &work, count.parse()?))?;
    println!("{}", serde_json::to_string(&costs)?);
    Ok(())
}

/// Work that has begun.
pub struct Job<'a> {
    pub work: &'a Work,
    places: &'a Places,
    count: usize,
    begin: Begin,
}

impl<'a> Job<'a> {
    /// Before there is a client, which counts where it is the first of a process.
    pub fn begin(places: &'a Places, work: &'a Work, count: usize) -> Self {
        Self { work, places, count, begin: Begin::now() }
    }

    pub async fn perform(self, mut client: impl Once) -> Result<Costs, BoxError> {
        match self.work.act {
            Act::Connect | Act::Get => self.repeat(client).await,
            Act::First => {
                client.once(&Target::new(self.places, self.work, 0)?).await?;
                Ok(self.begin.costs(1, None))
            }
            Act::Hold => self.hold(client).await,
        }
    }

    async fn repeat(self, mut client: impl Once) -> Result<Costs, BoxError> {
        let Self { work, places, count, .. } = self;
        // Whoever crowds at a new name has not asked before.
        let warm_up = if matches!(work.host, Host::Crowded(_)) { 0 } else { WARM_UP };
        let names = if work.host == Host::New { warm_up + count } else { 1 };
        let targets: Result<Vec<_>, _> = (0..names).map(|connect| Target::new(places, work, connect)).collect();
        let targets = Arc::new(targets?);
        for target in targets.iter().cycle().take(warm_up) {
            client.once(target).await?;
        }
        let future_bytes = client.size_of_connect(&targets[0]);

        let lane = |first| {
            let (mut client, targets, step) = (client.clone(), targets.clone(), work.at_once);
            async move {
                for connect in (first..count).step_by(step) {
                    client.once(&targets[(warm_up + connect) % names]).await?;
                }
                Ok::<_, BoxError>(())
            }
        };
        let begin = Begin::now();
        if work.at_once == 1 {
            lane(0).await?;
        } else {
            let mut tasks: JoinSet<_> = (0..work.at_once.min(count)).map(lane).collect();
            while let Some(ended) = tasks.join_next().await {
                ended??;
            }
        }
        Ok(begin.costs(count, future_bytes))
    }

    async fn hold(self, mut client: impl Once) -> Result<Costs, BoxError> {
        let limit = usize::try_from(raise_descriptor_limit())?;
        if limit < self.count + 100 {
            return Err(format!("{} connects at once need more than {limit} descriptors", self.count).into());
        }
        let target = Arc::new(Target::new(self.places, self.work, 0)?);
        // The answers are in the cache from here on.
        if timeout(LOOKED_UP, client.once(&target)).await.is_ok() {
            return Err("what should be silent is not".into());
        }
        let (before, begin) = (memory(), Begin::now());
        let mut tasks = JoinSet::new();
        for _ in 0..self.count {
            let (mut client, target) = (client.clone(), target.clone());
            tasks.spawn(async move { client.once(&target).await });
        }
        let all_begun = async {
            while Left::now().descriptors < self.count {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(BEGUN, all_begun).await?;
        let resident = memory().saturating_sub(before) / self.count;
        Ok(Costs { resident_bytes: Some(resident), ..begin.costs(self.count, None) })
    }
}

/// Where the clocks and counters stood.
struct Begin {
    at: Instant,
    cpu: Duration,
    allocator: Region<'static, System>,
}

impl Begin {
    fn now() -> Self {
        Self { at: Instant::now(), cpu: cpu(), allocator: Region::new(ALLOCATOR) }
    }

    /// Of one of `count`.
    fn costs(&self, count: usize, future_bytes: Option<usize>) -> Costs {
        let each = |sum: f64| sum / count as f64;
        let (elapsed, cpu, allocated) = (self.at.elapsed(), cpu() - self.cpu, self.allocator.change());
        Costs {
            nanoseconds: each(elapsed.as_nanos() as f64),
            cpu_nanoseconds: each(cpu.as_nanos() as f64),
            allocations: each((allocated.allocations + allocated.reallocations) as f64),
            allocated_bytes: each(allocated.bytes_allocated as f64),
            future_bytes,
            resident_bytes: None,
        }
    }
}

fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Bytes of a future that was never polled, and of what is on the heap for it.
pub fn size_of_future<F>(make: impl FnOnce() -> F) -> usize {
    let region = Region::new(ALLOCATOR);
    let future = make();
    let heap = region.change();
    size_of_val(&future) + heap.bytes_allocated.saturating_sub(heap.bytes_deallocated)
}
