//! The exporter's metrics of itself.

use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, Result, TextEncoder,
};
use tokio::time::Instant;

/// Bounds in seconds; nobody's scrape takes longer than the last.
const BUCKETS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

pub(super) struct Own {
    registry: Registry,
    running: IntGauge,
    done: IntCounterVec,
    rejected: IntCounter,
    seconds: Histogram,
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProbeEnd {
    Ok,
    Degraded,
    Down,
    /// Its time was over before there was a result.
    Timeout,
    /// The client went away, or the exporter ended.
    Cancelled,
}

impl ProbeEnd {
    const ALL: [Self; 5] = [Self::Ok, Self::Degraded, Self::Down, Self::Timeout, Self::Cancelled];

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Own {
    pub(super) fn new() -> Result<Self> {
        let registry = Registry::new();
        let info = Opts::new("eyeballs_build_info", "Always 1, with the version of the exporter.");
        let info = Gauge::with_opts(info.const_label("version", env!("CARGO_PKG_VERSION")))?;
        info.set(1.0);
        let done = Opts::new("eyeballs_probes_total", "Probes that have ended, by how they did.");
        let seconds = HistogramOpts::new("eyeballs_probe_duration_seconds", "What probes took.");
        let own = Self {
            running: IntGauge::new("eyeballs_probes_running", "Probes under way.")?,
            done: IntCounterVec::new(done, &["result"])?,
            rejected: IntCounter::new(
                "eyeballs_probes_rejected_total",
                "Probes that were refused because too many were under way.",
            )?,
            seconds: Histogram::with_opts(seconds.buckets(BUCKETS.to_vec()))?,
            registry,
        };
        for end in ProbeEnd::ALL {
            own.done.get_metric_with_label_values(&[end.name()])?;
        }
        own.registry.register(Box::new(info))?;
        own.registry.register(Box::new(own.running.clone()))?;
        own.registry.register(Box::new(own.done.clone()))?;
        own.registry.register(Box::new(own.rejected.clone()))?;
        own.registry.register(Box::new(own.seconds.clone()))?;
        Ok(own)
    }

    /// In the text format.
    pub(super) fn text(&self) -> Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    pub(super) fn reject(&self) {
        self.rejected.inc();
    }

    /// Counts a probe, as cancelled unless it is told otherwise.
    pub(super) fn start(&self) -> RunningProbe<'_> {
        self.running.inc();
        RunningProbe { own: self, start: Instant::now(), end: ProbeEnd::Cancelled }
    }
}

/// A probe under way, as long as it lives.
pub(super) struct RunningProbe<'a> {
    own: &'a Own,
    pub(super) start: Instant,
    pub(super) end: ProbeEnd,
}

impl Drop for RunningProbe<'_> {
    fn drop(&mut self) {
        self.own.running.dec();
        self.own.done.with_label_values(&[self.end.name()]).inc();
        self.own.seconds.observe(self.start.elapsed().as_secs_f64());
    }
}
