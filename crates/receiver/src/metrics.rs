//! What `/metrics` says.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use record_callback_core::Timestamp;

use crate::answer::Reason;

const PREFIX: &str = "record_callback";
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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Keyed {
    source: String,
    key: String,
}

#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    received: Family<OfSource, Counter>,
    verified: Family<OfSource, Counter>,
    kept: Family<OfSource, Counter>,
    duplicates: Family<OfSource, Counter>,
    conflicting: Family<OfSource, Counter>,
    reused: Family<OfSource, Counter>,
    keyed: Family<Keyed, Counter>,
    refused: Family<Refused, Counter>,
    asked: Family<OfSource, Counter>,
    last_event: Family<OfSource, Gauge>,
    silent: Family<OfSource, Gauge>,
    /// Of all paths together: whoever asks chooses them.
    unknown_source: Counter,
    latency: Histogram,
}

/// The counters of one source, looked up once.
#[derive(Debug)]
pub(crate) struct SourceMetrics {
    source: String,
    all: Arc<Metrics>,
    received: Counter,
    verified: Counter,
    kept: Counter,
    duplicates: Counter,
    conflicting: Counter,
    reused: Counter,
    asked: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let metrics = Self {
            received: Family::default(),
            verified: Family::default(),
            kept: Family::default(),
            duplicates: Family::default(),
            conflicting: Family::default(),
            reused: Family::default(),
            keyed: Family::default(),
            refused: Family::default(),
            asked: Family::default(),
            last_event: Family::default(),
            silent: Family::default(),
            unknown_source: Counter::default(),
            latency: Histogram::new(BUCKETS),
            registry: Registry::default(),
        };
        let Self { received, verified, kept, duplicates, conflicting, refused, asked, .. } = &metrics;
        let Self { unknown_source, latency, last_event, silent, .. } = &metrics;
        registry.register("deliveries", "Deliveries received", received.clone());
        registry.register("verified", "Deliveries verified, whether kept or not", verified.clone());
        registry.register("events", "Events verified and kept, duplicates left out", kept.clone());
        registry.register("duplicates", "Events that were kept before", duplicates.clone());
        let help = "Events with the dedupe key of a kept one that say something else";
        registry.register("conflicting_duplicates", help, conflicting.clone());
        let help = "Events whose signature came before with another body";
        registry.register("signature_reused", help, metrics.reused.clone());
        registry.register("keyed", "Deliveries verified, by the key that signed them", metrics.keyed.clone());
        registry.register("refused", "Deliveries refused, by reason", refused.clone());
        registry.register("on_demand", "Questions whether to record that were answered", asked.clone());
        let help = "Time of the last event since the receiver began, in Unix seconds";
        registry.register("last_event_timestamp_seconds", help, last_event.clone());
        let help = "1 while there is no event for longer than is expected";
        registry.register("source_silent", help, silent.clone());
        registry.register("unknown_source", "Requests to no source", unknown_source.clone());
        registry.register("handling_seconds", "Time from headers to answer", latency.clone());
        Self { registry, ..metrics }
    }

    pub(crate) fn of_source(self: &Arc<Self>, source: &str) -> SourceMetrics {
        let labels = OfSource { source: source.to_owned() };
        SourceMetrics {
            received: self.received.get_or_create_owned(&labels),
            verified: self.verified.get_or_create_owned(&labels),
            kept: self.kept.get_or_create_owned(&labels),
            duplicates: self.duplicates.get_or_create_owned(&labels),
            conflicting: self.conflicting.get_or_create_owned(&labels),
            reused: self.reused.get_or_create_owned(&labels),
            asked: self.asked.get_or_create_owned(&labels),
            source: labels.source,
            all: Arc::clone(self),
        }
    }

    pub(crate) fn unknown_source(&self) {
        self.unknown_source.inc();
    }

    /// The text of `/metrics`, in the `OpenMetrics` format; without a depth where none is known.
    pub(crate) fn text(&self, depth: Option<u64>) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        if let Some(depth) = depth {
            let depth = ConstGauge::new(i64::try_from(depth).unwrap_or(i64::MAX));
            let mut registry = Registry::with_prefix(PREFIX);
            registry.register("sink_depth", "Events kept and not taken by every consumer", depth);
            encode_registry(&mut text, &registry)?;
        }
        encode_eof(&mut text)?;
        Ok(text)
    }
}

impl SourceMetrics {
    pub(crate) fn received(&self) {
        self.received.inc();
    }

    pub(crate) fn verified(&self) {
        self.verified.inc();
    }

    pub(crate) fn kept(&self) {
        self.kept.inc();
    }

    pub(crate) fn duplicate(&self) {
        self.duplicates.inc();
    }

    pub(crate) fn conflicting_duplicate(&self) {
        self.conflicting.inc();
    }

    pub(crate) fn signature_reused(&self) {
        self.reused.inc();
    }

    /// The counter of one of the source's keys.
    pub(crate) fn keyed(&self, key: &str) -> Counter {
        let labels = Keyed { source: self.source.clone(), key: key.to_owned() };
        self.all.keyed.get_or_create_owned(&labels)
    }

    pub(crate) fn asked(&self) {
        self.asked.inc();
    }

    /// There was an event at `now`.
    pub(crate) fn event_at(&self, now: Timestamp) {
        let labels = OfSource { source: self.source.clone() };
        self.all.last_event.get_or_create(&labels).set(now.as_second());
    }

    /// Records whether it is silent; `None` where no event is expected.
    pub(crate) fn silent(&self, is_silent: Option<bool>) {
        let labels = OfSource { source: self.source.clone() };
        match is_silent {
            Some(is_silent) => drop(self.all.silent.get_or_create(&labels).set(is_silent.into())),
            None => drop(self.all.silent.remove(&labels)),
        }
    }

    pub(crate) fn refused(&self, reason: Reason) {
        let labels = Refused { source: self.source.clone(), reason: reason.as_str() };
        self.all.refused.get_or_create(&labels).inc();
    }

    pub(crate) fn handled_in(&self, took: Duration) {
        self.all.latency.observe(took.as_secs_f64());
    }
}
