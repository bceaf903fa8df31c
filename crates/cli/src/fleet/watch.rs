//! What `/metrics` says while drift is watched.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use record_callback::fleet::{Drift, DriftKind};
use record_callback::http::{Clock, SystemClock};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::output;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    configs: Gauge,
    drifted: Family<OfKind, Gauge>,
    last_check: Gauge<f64, AtomicU64>,
    took: Gauge<f64, AtomicU64>,
    checks: Counter,
    failed: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let (configs, drifted, last_check) = (Gauge::default(), Family::default(), Gauge::default());
        let (took, checks, failed) = (Gauge::default(), Counter::default(), Counter::default());
        let mut registry = Registry::with_prefix("record_callback_fleet");
        registry.register("configs", "Configs that were looked at last", configs.clone());
        registry.register(
            "drifted",
            "Configs that are not as they were written, by what happened",
            drifted.clone(),
        );
        registry.register(
            "last_check_timestamp_seconds",
            "When they were last looked at",
            last_check.clone(),
        );
        registry.register("check_duration_seconds", "How long that took", took.clone());
        registry.register("checks", "How often they were looked at", checks.clone());
        registry.register("failed_checks", "How often that failed as a whole", failed.clone());
        let metrics = Self { registry, configs, drifted, last_check, took, checks, failed };
        metrics.set_drifted(&[]);
        metrics
    }

    pub(crate) fn checked(&self, configs: usize, drift: &[Drift], took: Duration) {
        self.configs.set(i64::try_from(configs).unwrap_or(i64::MAX));
        self.set_drifted(drift);
        #[expect(clippy::cast_precision_loss, reason = "microseconds would do")]
        self.last_check.set(SystemClock.now().as_millisecond() as f64 / 1000.0);
        self.took.set(took.as_secs_f64());
        self.checks.inc();
    }

    pub(crate) fn failed(&self) {
        self.failed.inc();
    }

    fn set_drifted(&self, drift: &[Drift]) {
        let (mut missing, mut changed, mut unreadable) = (0, 0, 0);
        for one in drift {
            match one.kind {
                DriftKind::Missing => missing += 1,
                DriftKind::Changed { .. } => changed += 1,
                DriftKind::Unreadable { .. } => unreadable += 1,
            }
        }
        for (kind, count) in [("missing", missing), ("changed", changed), ("unreadable", unreadable)] {
            self.drifted.get_or_create(&OfKind { kind }).set(count);
        }
    }

    fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The first line on stdout, which says where the metrics are.
#[derive(Serialize)]
struct ReadyLine {
    ready: bool,
    addr: String,
}

/// Listens, and says so on stdout.
pub(crate) async fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(addr).await;
    let listener = listener.map_err(|error| io::Error::new(error.kind(), format!("{addr}: {error}")))?;
    output::ready(&ReadyLine { ready: true, addr: format!("http://{}", listener.local_addr()?) })?;
    Ok(listener)
}

/// Serves `/metrics` and `/healthz` until it is dropped.
pub(crate) async fn serve(listener: TcpListener, metrics: Arc<Metrics>) -> io::Result<()> {
    let text = move || {
        let text = metrics.text();
        async move {
            match text {
                Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        }
    };
    let healthz = || async { "ok\n" };
    axum::serve(listener, Router::new().route("/metrics", get(text)).route("/healthz", get(healthz))).await
}
