use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::routing::any;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use record_callback_core::{Delivery, InvalidConfig, OnDemandProtocol, Timestamp};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::{self, timeout, timeout_at};
use tracing::{debug, info, warn};

use crate::answer::{self, Answer, Reason};
use crate::contradictions::Contradictions;
use crate::limits::Limits;
use crate::metrics::{Metrics, SourceMetrics};
use crate::sink::{EventSink, Kept, Received, SinkError, SinkErrorKind};
use crate::source::{HEALTH, METRICS, NotUnderstood, OnDemand, READY, Source, check_distinct};

/// How long what a sink said of its readiness and depth holds.
const REMEMBERED: Duration = Duration::from_secs(1);
/// Thirty years. Timeouts are added to the time of the day, which overflows with the longest ones there are.
pub(crate) const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Receives what clouds send to a number of [`Source`]s and keeps it in one [`EventSink`].
///
/// Mount [`router`](Self::router) in an axum or tower server of your own, or let it [`serve`](Self::serve) itself.
///
/// | Answer | When |
/// |---|---|
/// | 200 and the body the vendor documents | the event is kept, now or before |
/// | 400 | the body is not what the vendor sends, or not understood and [`NotUnderstood::Refuse`] |
/// | 401 | not signed, not by one of the keys, or at a time too far away |
/// | 404 | no source has this path ([`app`](Self::app) only) |
/// | 405 | not `POST`; `GET` where nobody decides about recording |
/// | 408, 413 | the body is too slow, too long |
/// | 503 | the sink is full, failing or too slow, or there are too many requests |
///
/// An event answered with 503 comes again only if the cloud sends it again. Whether one does is unverified: Aliyun
/// documents that it tries again after a timeout, which a 503 is not, and Huawei Cloud documents nothing.
#[derive(Clone)]
pub struct Receiver(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    sink: Arc<dyn EventSink>,
    /// By path.
    sources: HashMap<String, Route>,
    pub(crate) limits: Limits,
    requests: Semaphore,
    check: Remembered<()>,
    depth: Remembered<Option<u64>>,
    request_ids: RequestIds,
    contradictions: Contradictions,
    metrics: Arc<Metrics>,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

type BoxFuture = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

struct Route {
    source: Source,
    metrics: SourceMetrics,
}

impl Receiver {
    /// A receiver that keeps events in `sink`.
    pub fn builder(sink: Arc<dyn EventSink>) -> ReceiverBuilder {
        ReceiverBuilder {
            sink,
            sources: Vec::new(),
            limits: Limits::default(),
            now: Box::new(Timestamp::now),
        }
    }

    /// A route for each source, to merge into a router of your own.
    ///
    /// Your server bounds connections and how long headers may take: each connection may hold a body of
    /// [`Limits::body`](crate::Limits::body) bytes for as long as it arrives and waits to be kept.
    pub fn router(&self) -> Router {
        self.0.sources.keys().fold(Router::new(), |router, path| router.route(path, any(self.handler())))
    }

    /// [`router`](Self::router) and `/healthz`, `/readyz`, `/metrics`; 404 for everything else.
    pub fn app(&self) -> Router {
        Router::new().fallback(self.handler())
    }

    fn handler(&self) -> impl Fn(Request<Body>) -> BoxFuture + Clone + use<> {
        let shared = Arc::clone(&self.0);
        move |request| {
            let shared = Arc::clone(&shared);
            Box::pin(async move { shared.respond(request).await.map(Body::new) })
        }
    }

    /// Finishes what the sink began. Deliveries are answered with 503 from now on.
    pub async fn close(&self) {
        self.0.sink.close().await;
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<_> = self.0.sources.values().map(|route| &route.source).collect();
        f.debug_struct("Receiver")
            .field("sink", &self.0.sink)
            .field("sources", &sources)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

/// Collects what a [`Receiver`] needs.
#[must_use]
pub struct ReceiverBuilder {
    sink: Arc<dyn EventSink>,
    sources: Vec<Source>,
    limits: Limits,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl ReceiverBuilder {
    /// Adds a source.
    pub fn source(mut self, source: Source) -> Self {
        self.sources.push(source);
        self
    }

    /// Sets what the receiver puts up with.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the clock that signed times are compared with.
    pub fn clock(mut self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.now = Box::new(now);
        self
    }

    /// The receiver.
    ///
    /// # Errors
    /// When there is no source, or two of them have one name or one path.
    pub fn build(self) -> Result<Receiver, InvalidConfig> {
        if self.sources.is_empty() {
            return Err(InvalidConfig::new("sources", "there are none", "at least one source"));
        }
        check_distinct(&self.sources)?;
        let metrics = Arc::new(Metrics::new());
        let route = |source: Source| {
            (source.path.clone(), Route { metrics: metrics.of_source(&source.name), source })
        };
        Ok(Receiver(Arc::new(Shared {
            sources: self.sources.into_iter().map(route).collect(),
            sink: self.sink,
            requests: Semaphore::new(self.limits.requests.min(Semaphore::MAX_PERMITS)),
            check: Remembered::new("not ready", "ready again"),
            depth: Remembered::new("the sink's depth is not known", "the sink's depth is known again"),
            limits: self.limits,
            request_ids: RequestIds::new(),
            contradictions: Contradictions::default(),
            metrics,
            now: self.now,
        })))
    }
}

impl fmt::Debug for ReceiverBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiverBuilder")
            .field("sink", &self.sink)
            .field("sources", &self.sources)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Answers any request.
    pub(crate) async fn respond<B>(&self, request: Request<B>) -> Answer
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        if let Some(route) = self.sources.get(head.uri.path()) {
            return self.handle(route, &head, body).await;
        }
        match (&head.method, head.uri.path()) {
            (&Method::GET | &Method::HEAD, HEALTH) => plain("ok\n"),
            (&Method::GET | &Method::HEAD, READY) => self.ready().await,
            (&Method::GET | &Method::HEAD, METRICS) => self.metrics().await,
            (_, HEALTH | READY | METRICS) => {
                answer::refusal(Reason::Method("GET, HEAD"), self.request_ids.next())
            }
            _ => {
                self.metrics.unknown_source();
                answer::refusal(Reason::UnknownSource, self.request_ids.next())
            }
        }
    }

    async fn handle<B>(&self, route: &Route, head: &Parts, body: B) -> Answer
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let started = Instant::now();
        let request_id = self.request_ids.next();
        if head.method == Method::POST {
            route.metrics.received();
        }
        let handled = match (&head.method, &route.source.on_demand, route.source.verifier.on_demand()) {
            (&Method::POST, ..) => self.deliver(route, head, body, &request_id).await,
            (&Method::GET, Some(on_demand), Some(protocol)) => {
                self.decide(route, on_demand, protocol, head, &request_id).await
            }
            (_, Some(_), Some(_)) => Err(Reason::Method("GET, POST")),
            _ => Err(Reason::Method("POST")),
        };
        let response = match handled {
            Ok(body) => answer::ok(body, request_id),
            Err(reason) => {
                route.metrics.refused(reason);
                answer::refusal(reason, request_id)
            }
        };
        route.metrics.handled_in(started.elapsed());
        response
    }

    /// Verifies an event and keeps it, and only then gives the acknowledgement.
    async fn deliver<B>(
        &self,
        route: &Route,
        head: &Parts,
        body: B,
        request_id: &HeaderValue,
    ) -> Result<Bytes, Reason>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let source = &route.source;
        let body = self.read(body).await?;
        let received_at = (self.now)();
        let deadline = time::Instant::now() + self.limits.keep_timeout.min(FAR);
        // Not before: who sends half a body would keep the place from others.
        let _place = self.place(deadline).await?;
        let delivery = Delivery { headers: &head.headers, body: &body, received_at };
        let event = source.verifier.verify(&delivery).map_err(|refusal| {
            info!(source = %source.name, ?request_id, %refusal, "delivery refused");
            Reason::of_refusal(&refusal)
        })?;
        route.metrics.verified();
        let understood = event.event().kind.is_some();

        let key = event.dedupe_key();
        let received = Received::new(Arc::clone(&source.name), received_at, event);
        let kept = timeout_at(deadline, self.sink.keep(received)).await;
        match kept.unwrap_or_else(|_| Err(too_slow())) {
            Ok(Kept::New) => route.metrics.kept(),
            Ok(Kept::Duplicate) => route.metrics.duplicate(),
            Ok(kept @ (Kept::Conflicting | Kept::TooManyConflicts)) => {
                route.metrics.conflicting_duplicate();
                if let Some(untold) =
                    key.and_then(|key| self.contradictions.note(&source.name, key, Instant::now()))
                {
                    let is_kept = kept == Kept::Conflicting;
                    warn!(
                        source = %source.name, ?request_id, key = key.map(display), is_kept, untold,
                        "an event contradicts a kept one of the same key: which of them the cloud sent is not proven"
                    );
                }
            }
            Err(error) => {
                warn!(source = %source.name, ?request_id, %error, cause = error.source().map(display), "event not kept");
                return Err(Reason::of_sink(error.kind()));
            }
        }
        if !understood {
            warn!(source = %source.name, ?request_id, "event kept that is not understood");
            if source.not_understood == NotUnderstood::Refuse {
                return Err(Reason::NotUnderstood);
            }
        }
        Ok(Bytes::from_static(source.verifier.acknowledgement().as_bytes()))
    }

    /// One of [`Limits::requests`] places.
    async fn place(&self, deadline: time::Instant) -> Result<SemaphorePermit<'_>, Reason> {
        if let Ok(place) = self.requests.try_acquire() {
            return Ok(place);
        }
        match timeout_at(deadline, self.requests.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Reason::Overloaded),
        }
    }

    async fn read<B>(&self, body: B) -> Result<Bytes, Reason>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let limit = self.limits.body;
        if body.size_hint().lower() > limit as u64 {
            return Err(Reason::TooLarge);
        }
        match timeout(self.limits.body_timeout, Limited::new(body, limit).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Reason::TooLarge),
            Ok(Err(_)) => Err(Reason::Broken),
            Err(_) => Err(Reason::TooSlow),
        }
    }

    /// Answers the question whether to record.
    async fn decide(
        &self,
        route: &Route,
        on_demand: &OnDemand,
        protocol: &dyn OnDemandProtocol,
        head: &Parts,
        request_id: &HeaderValue,
    ) -> Result<Bytes, Reason> {
        let _place = self.place(time::Instant::now() + self.limits.keep_timeout.min(FAR)).await?;
        let query = head.uri.query().unwrap_or_default();
        let asked = protocol.parse(query, &head.headers, (self.now)()).map_err(|refusal| {
            info!(source = %route.source.name, ?request_id, %refusal, "question refused");
            Reason::of_refusal(&refusal)
        })?;
        let decided = match &on_demand.decider {
            None => None,
            Some(decider) => {
                timeout(self.limits.decision, decider.decide(&asked)).await.unwrap_or_else(|_| {
                    warn!(source = %route.source.name, ?request_id, "no decision in time, the default holds");
                    None
                })
            }
        };
        let decision = decided.as_ref().unwrap_or(&on_demand.default);
        debug!(source = %route.source.name, record = decision.is_record(), "question answered");
        route.metrics.asked();
        Ok(protocol.answer(decision).into())
    }

    async fn ready(&self) -> Answer {
        match self.check.get(self.limits.keep_timeout, self.sink.check()).await {
            Ok(()) => plain("ready\n"),
            Err(kind) => answer::refusal(Reason::of_sink(kind), self.request_ids.next()),
        }
    }

    async fn metrics(&self) -> Answer {
        let depth = self.depth.get(self.limits.keep_timeout, self.sink.depth()).await.unwrap_or(None);
        let Ok(text) = self.metrics.text(depth) else {
            return answer::refusal(Reason::Unavailable, self.request_ids.next());
        };
        let mut answer = plain(text);
        answer.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
        answer
    }
}

/// What a sink said of itself. Anyone may ask for it, so the sink is asked once at a time, and not again for a while.
struct Remembered<T> {
    last: Mutex<Option<(Instant, Result<T, SinkErrorKind>)>>,
    failing: &'static str,
    again: &'static str,
}

impl<T: Copy> Remembered<T> {
    fn new(failing: &'static str, again: &'static str) -> Self {
        Self { last: Mutex::new(None), failing, again }
    }

    /// What was said lately, or what `asking` says. Logged when it is another error than before, or none any more.
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

fn too_slow() -> SinkError {
    SinkError::new(SinkErrorKind::Unavailable, "the sink does not answer")
}

fn plain(text: impl Into<Bytes>) -> Answer {
    let mut answer = Answer::new(Full::new(text.into()));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

/// Ids that differ between requests and, most likely, between processes.
struct RequestIds {
    process: u32,
    last: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        let random = RandomState::new().hash_one(0);
        Self { process: (random >> 32) as u32, last: AtomicU64::new(0) }
    }

    fn next(&self) -> HeaderValue {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:08x}-{number:x}", self.process);
        HeaderValue::from_maybe_shared(Bytes::from(id)).unwrap_or(HeaderValue::from_static("-"))
    }
}
