//! The admin paths: whether a receiver lives, whether it is ready, and its metrics.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::answer::{self, Answer, Reason};
use crate::receiver::{Receiver, Shared, request_id, too_slow};
use crate::sink::{SinkError, SinkErrorKind};
use crate::source::{HEALTH, METRICS, READY};

/// The time for which the word of a sink on its readiness and depth holds. With [`READY_LIMIT`], `/readyz` tells a
/// failure within two seconds.
const REMEMBERED: Duration = Duration::from_millis(500);
/// The time a sink has to say that it is ready. The rest of the two seconds is for getting the answer to whoever asks.
const READY_LIMIT: Duration = Duration::from_millis(1200);
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

impl Receiver {
    /// `/healthz`, `/readyz` and `/metrics`, for a listener of its own: who may send callbacks need not see them. 404 for
    /// everything else.
    pub fn admin_router(&self) -> Router {
        let shared = Arc::clone(&self.0);
        Router::new().fallback(move |request: Request<Body>| {
            let shared = Arc::clone(&shared);
            async move {
                let answer = shared.respond_admin(request.method(), request.uri().path()).await;
                answer.unwrap_or_else(|| shared.unknown()).map(Body::new)
            }
        })
    }
}

impl Shared {
    /// Answers a request to one of the admin paths; `None` for other paths.
    pub(crate) async fn respond_admin(&self, method: &Method, path: &str) -> Option<Answer> {
        Some(match (method, path) {
            (&Method::GET | &Method::HEAD, HEALTH) => plain("ok\n"),
            (&Method::GET | &Method::HEAD, READY) => self.ready().await,
            (&Method::GET | &Method::HEAD, METRICS) => self.metrics().await,
            (_, HEALTH | READY | METRICS) => answer::refusal(Reason::Method("GET, HEAD"), request_id()),
            _ => return None,
        })
    }

    async fn ready(&self) -> Answer {
        match self.check.get(READY_LIMIT, self.sink.check()).await {
            Ok(()) => plain("ready\n"),
            Err(kind) => answer::refusal(Reason::of_sink(kind), request_id()),
        }
    }

    async fn metrics(&self) -> Answer {
        let depth = self.depth.get(self.limits.keep_timeout, self.sink.depth()).await.unwrap_or(None);
        self.check_silence();
        let Ok(text) = self.metrics.text(depth) else {
            return answer::refusal(Reason::Unavailable, request_id());
        };
        let mut answer = plain(text);
        answer.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
        answer
    }
}

/// The last word of a sink on itself. Anyone may ask for it, so the sink is asked once at a time, and not again for a while.
pub(crate) struct Remembered<T> {
    last: Mutex<Option<(Instant, Result<T, SinkErrorKind>)>>,
    failing: &'static str,
    again: &'static str,
}

impl<T: Copy> Remembered<T> {
    pub(crate) fn new(failing: &'static str, again: &'static str) -> Self {
        Self { last: Mutex::new(None), failing, again }
    }

    /// Gives what was said lately, or what `asking` says. Logged when it is another error than before, or none any more.
    async fn get(
        &self,
        limit: Duration,
        asking: impl Future<Output = Result<T, SinkError>>,
    ) -> Result<T, SinkErrorKind> {
        let mut last = self.last.lock().await;
        if let Some((at, said)) = *last
            && at.elapsed() < REMEMBERED
        {
            return said;
        }
        let before = last.and_then(|(_, said)| said.err());
        let said = timeout(limit, asking).await.unwrap_or_else(|_| Err(too_slow()));
        let said = said.map_err(|error| {
            if before != Some(error.kind()) {
                warn!(%error, cause = error.source().map(display), "{}", self.failing);
            }
            error.kind()
        });
        if said.is_ok() && before.is_some() {
            info!("{}", self.again);
        }
        *last = Some((Instant::now(), said));
        said
    }
}

fn plain(text: impl Into<Bytes>) -> Answer {
    let mut answer = Answer::new(Full::new(text.into()));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
