//! What `/metrics` says.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::answer::Reason;

/// Seconds, around what keeping an event takes and up to what clouds wait.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSource {
    source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    source: String,
    reason: &'static str,
}

#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    received: Family<OfSource, Counter>,
    verified: Family<OfSource, Counter>,
    duplicates: Family<OfSource, Counter>,
    refused: Family<Refused, Counter>,
    asked: Family<OfSource, Counter>,
    latency: Histogram,
    depth: Gauge,
}

/// The counters of one source, looked up once.
#[derive(Debug)]
pub(crate) struct SourceMetrics {
    source: String,
    all: Arc<Metrics>,
    received: Counter,
    verified: Counter,
    duplicates: Counter,
    asked: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("record_callback");
        let metrics = Self {
            received: Family::default(),
            verified: Family::default(),
            duplicates: Family::default(),
            refused: Family::default(),
            asked: Family::default(),
            latency: Histogram::new(BUCKETS),
            depth: Gauge::default(),
            registry: Registry::default(),
        };
        let Self { received, verified, duplicates, refused, asked, latency, depth, .. } = &metrics;
        registry.register("deliveries", "Deliveries received", received.clone());
        registry.register("events", "Events verified and kept, duplicates left out", verified.clone());
        registry.register("duplicates", "Events that were kept before", duplicates.clone());
        registry.register("refused", "Deliveries refused, by reason", refused.clone());
        registry.register("on_demand", "Questions whether to record that were answered", asked.clone());
        registry.register("handling_seconds", "Time from headers to answer", latency.clone());
        registry.register("sink_depth", "Events kept and not taken by every consumer", depth.clone());
        Self { registry, ..metrics }
    }

    pub(crate) fn of_source(self: &Arc<Self>, source: &str) -> SourceMetrics {
        let labels = OfSource { source: source.to_owned() };
        SourceMetrics {
            received: self.received.get_or_create_owned(&labels),
            verified: self.verified.get_or_create_owned(&labels),
            duplicates: self.duplicates.get_or_create_owned(&labels),
            asked: self.asked.get_or_create_owned(&labels),
            source: labels.source,
            all: Arc::clone(self),
        }
    }

    /// The text of `/metrics`, in the `OpenMetrics` format.
    pub(crate) fn text(&self, depth: Option<u64>) -> Result<String, std::fmt::Error> {
        if let Some(depth) = depth {
            self.depth.set(depth.try_into().unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl SourceMetrics {
    pub(crate) fn received(&self) {
        self.received.inc();
    }

    pub(crate) fn kept(&self) {
        self.verified.inc();
    }

    pub(crate) fn duplicate(&self) {
        self.duplicates.inc();
    }

    pub(crate) fn asked(&self) {
        self.asked.inc();
    }

    pub(crate) fn refused(&self, reason: Reason) {
        let labels = Refused { source: self.source.clone(), reason: reason.as_str() };
        self.all.refused.get_or_create(&labels).inc();
    }

    pub(crate) fn handled_in(&self, took: Duration) {
        self.all.latency.observe(took.as_secs_f64());
    }
}
