use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::routing::any;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use prometheus_client::metrics::counter::Counter;
use record_callback_core::{Delivery, InvalidConfig, OnDemandProtocol, Timestamp};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
use tokio::time::{self, timeout, timeout_at};
use tracing::{debug, field, info, warn};
use uuid::Uuid;

use crate::admin::Remembered;
use crate::answer::{self, Answer, Reason};
use crate::contradictions::Contradictions;
use crate::delivery_log::{AnsweredDelivery, DeliveryLog, DeliveryOutcome, Told, problem};
use crate::limits::Limits;
use crate::metrics::{Metrics, SourceMetrics};
use crate::peer::Proxies;
use crate::refusals::Refusals;
use crate::refused_log::RefusedLog;
use crate::silence::Silence;
use crate::sink::{EventSink, Kept, Received, SinkError, SinkErrorKind};
use crate::source::{NotUnderstood, OnDemand, Source, check_distinct};
use crate::used_signatures::UsedSignatures;

/// Thirty years. Timeouts are added to the time of the day, which overflows with the longest ones there are.
pub(crate) const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

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
///
/// Which key signed an event, and whether its signature came before with another body, is kept with it
/// ([`EventRecord`](crate::EventRecord)) and counted. The last 65 536 signatures that are still valid are remembered, in
/// memory: a restart forgets them.
#[derive(Clone)]
pub struct Receiver(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) sink: Arc<dyn EventSink>,
    /// Never held while anybody is waited for.
    routes: RwLock<Arc<Routes>>,
    pub(crate) limits: Limits,
    logs: Vec<Arc<dyn DeliveryLog>>,
    refusals: Refusals,
    requests: Semaphore,
    pub(crate) check: Remembered<()>,
    pub(crate) depth: Remembered<Option<u64>>,
    /// `/healthz` and its like are served where callbacks come in, too.
    has_admin_paths: bool,
    pub(crate) proxies: Proxies,
    pub(crate) metrics: Arc<Metrics>,
    contradictions: Contradictions,
    used_signatures: UsedSignatures,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

type BoxFuture = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// By path.
pub(crate) type Routes = HashMap<String, Route>;

pub(crate) struct Route {
    pub(crate) source: Source,
    metrics: SourceMetrics,
    /// The source's keys by their places, and their counters.
    keys: Vec<(Arc<str>, Counter)>,
    silence: Arc<Silence>,
}

impl Receiver {
    /// A receiver that keeps events in `sink`.
    pub fn builder(sink: Arc<dyn EventSink>) -> ReceiverBuilder {
        ReceiverBuilder {
            sink,
            sources: Vec::new(),
            limits: Limits::default(),
            logs: Vec::new(),
            refused_log: None,
            has_admin_paths: false,
            proxies: Proxies::default(),
            now: Box::new(Timestamp::now),
        }
    }

    /// A route for each source there is now, to merge into a router of your own. Its paths are fixed: of sources that
    /// come [later](Self::replace_sources), those with other paths need [`app`](Self::app), and a path whose source is
    /// gone is answered with 404.
    ///
    /// Your server bounds connections and how long headers may take: each connection may hold a body of
    /// [`Limits::body`](crate::Limits::body) bytes for as long as it arrives and waits to be kept.
    pub fn router(&self) -> Router {
        let routes = self.0.routes();
        routes.keys().fold(Router::new(), |router, path| router.route(path, any(self.handler())))
    }

    /// [`router`](Self::router), also for sources that come later; 404 for everything else.
    pub fn app(&self) -> Router {
        Router::new().fallback(self.handler())
    }

    fn handler(&self) -> impl Fn(Request<Body>) -> BoxFuture + Clone + use<> {
        let shared = Arc::clone(&self.0);
        move |request| {
            let shared = Arc::clone(&shared);
            // There with `into_make_service_with_connect_info`.
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
            Box::pin(async move { shared.respond(request, peer).await.map(Body::new) })
        }
    }

    /// Takes `sources` instead of those there are, all at once.
    ///
    /// Deliveries in flight finish with the source they began with. Counters of sources whose names stay go on.
    ///
    /// # Errors
    /// Those of [`ReceiverBuilder::build`]; then nothing changes.
    pub fn replace_sources(&self, sources: Vec<Source>) -> Result<(), InvalidConfig> {
        check_distinct(&sources)?;
        let shared = &self.0;
        let now = (shared.now)();
        let mut routes = shared.routes.write().unwrap_or_else(PoisonError::into_inner);
        let new = sources.into_iter().map(|source| Route::new(source, &shared.metrics, &routes, now));
        let new: Routes = new.map(|route| (route.source.path.clone(), route)).collect();
        let gone = routes.values().filter(|old| new.values().all(|new| new.source.name != old.source.name));
        gone.for_each(|route| route.metrics.silent(None));
        *routes = Arc::new(new);
        Ok(())
    }

    /// Finishes what the sink and the log of refused deliveries began. Deliveries are answered with 503 from now on.
    pub async fn close(&self) {
        self.0.sink.close().await;
        let shared = Arc::clone(&self.0);
        // A thread is waited for, which has a file to write.
        if spawn_blocking(move || shared.refusals.end()).await.is_err() {
            warn!("the log of refused deliveries did not close");
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.0.routes();
        let sources: Vec<_> = routes.values().map(|route| &route.source).collect();
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
    logs: Vec<Arc<dyn DeliveryLog>>,
    refused_log: Option<RefusedLog>,
    has_admin_paths: bool,
    proxies: Proxies,
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

    /// Adds one that is told of each answered delivery.
    pub fn delivery_log(mut self, log: Arc<dyn DeliveryLog>) -> Self {
        self.logs.push(log);
        self
    }

    /// Sets the file that refused deliveries are kept in: of those of one source and reason 64 a minute. Without one they
    /// are warned of, but not kept.
    pub fn refused_log(mut self, log: RefusedLog) -> Self {
        self.refused_log = Some(log);
        self
    }

    /// Trusts proxies to name the sender. Default: nobody.
    pub fn proxies(mut self, proxies: Proxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Has [`app`](Receiver::app) and [`serve`](Receiver::serve) answer `/healthz`, `/readyz` and `/metrics`, too, for
    /// everybody who reaches them. Default: only [`admin_router`](Receiver::admin_router) and
    /// [`serve_admin`](Receiver::serve_admin) do.
    pub fn with_admin_paths(mut self) -> Self {
        self.has_admin_paths = true;
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
    /// Fails when there is no source, two of them have one name or one path, or two of them accept the same deliveries
    /// and neither [says so](Source::shares_keys_with).
    pub fn build(self) -> Result<Receiver, InvalidConfig> {
        check_distinct(&self.sources)?;
        let metrics = Arc::new(Metrics::new());
        let (before, now) = (Routes::new(), (self.now)());
        let routes = self.sources.into_iter().map(|source| Route::new(source, &metrics, &before, now));
        let routes: Routes = routes.map(|route| (route.source.path.clone(), route)).collect();
        Ok(Receiver(Arc::new(Shared {
            routes: RwLock::new(Arc::new(routes)),
            sink: self.sink,
            requests: Semaphore::new(self.limits.requests.min(Semaphore::MAX_PERMITS)),
            check: Remembered::new("not ready", "ready again"),
            depth: Remembered::new("the sink's depth is not known", "the sink's depth is known again"),
            limits: self.limits,
            logs: self.logs,
            refusals: Refusals::new(self.refused_log),
            has_admin_paths: self.has_admin_paths,
            proxies: self.proxies,
            contradictions: Contradictions::default(),
            metrics,
            used_signatures: UsedSignatures::default(),
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

impl Route {
    /// A route of `source`, whose silence goes on if there was a source of its name before.
    fn new(source: Source, metrics: &Arc<Metrics>, before: &Routes, now: Timestamp) -> Self {
        let before = before.values().find(|route| route.source.name == source.name);
        let silence = before.map(|route| Arc::clone(&route.silence));
        let silence = silence.unwrap_or_else(|| Arc::new(Silence::new(Arc::clone(&source.name), now)));
        let metrics = metrics.of_source(&source.name);
        let keys = (0..source.verifier.keys().len()).map(|index| {
            let name = source.shown_key_name(index);
            let counter = metrics.keyed(&name);
            (name, counter)
        });
        Self { keys: keys.collect(), metrics, source, silence }
    }

    /// The name of the key at a place, which is counted.
    fn signed_by(&self, index: usize) -> Arc<str> {
        let Some((name, counter)) = self.keys.get(index) else {
            // A verifier that does not tell its keys.
            let name = self.source.shown_key_name(index);
            self.metrics.keyed(&name).inc();
            return name;
        };
        counter.inc();
        Arc::clone(name)
    }

    fn check_silence(&self, now: Timestamp) {
        let expected = self.source.expected_interval;
        self.metrics.silent(expected.map(|expected| self.silence.check(expected, now)));
    }
}

impl Shared {
    fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells of sources that are silent for longer than is expected.
    pub(crate) fn check_silence(&self) {
        let now = (self.now)();
        // Not of a clone: it would give a metric back to a source that is just removed.
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.values().for_each(|route| route.check_silence(now));
    }

    /// Answers any request. `peer` is the other end of its connection, if that is known.
    pub(crate) async fn respond<B>(&self, request: Request<B>, peer: Option<IpAddr>) -> Answer
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let routes = self.routes();
        if let Some(route) = routes.get(head.uri.path()) {
            let sender = peer.map(|peer| self.proxies.sender(peer, &head.headers));
            return self.handle(&routes, route, &head, body, sender).await;
        }
        if self.has_admin_paths
            && let Some(answer) = self.respond_admin(&head.method, head.uri.path()).await
        {
            return answer;
        }
        self.metrics.unknown_source();
        let request_id = request_id();
        let refused = Some(Reason::UnknownSource);
        let sender = peer.map(|peer| self.proxies.sender(peer, &head.headers));
        let told = Told::new((self.now)(), sender);
        self.tell(&routes, None, &head, &request_id, refused, Duration::ZERO, &told);
        answer::refusal(Reason::UnknownSource, request_id)
    }

    /// Answers a request to no path there is.
    pub(crate) fn unknown(&self) -> Answer {
        self.metrics.unknown_source();
        answer::refusal(Reason::UnknownSource, request_id())
    }

    async fn handle<B>(
        &self,
        routes: &Arc<Routes>,
        route: &Route,
        head: &Parts,
        body: B,
        sender: Option<IpAddr>,
    ) -> Answer
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let started = Instant::now();
        let request_id = request_id();
        let mut told = Told::new((self.now)(), sender);
        if head.method == Method::POST {
            route.metrics.received();
        }
        let handled = match (&head.method, &route.source.on_demand, route.source.verifier.on_demand()) {
            (&Method::POST, ..) => self.deliver(route, head, body, &request_id, &mut told).await,
            (&Method::GET, Some(on_demand), Some(protocol)) => {
                self.decide(route, on_demand, protocol, head, &request_id, &mut told).await
            }
            (_, Some(_), Some(_)) => Err(Reason::Method("GET, POST")),
            _ => Err(Reason::Method("POST")),
        };
        let took = started.elapsed();
        let refused = handled.as_ref().err().copied();
        self.tell(routes, Some(&route.source.name), head, &request_id, refused, took, &told);
        let response = match handled {
            Ok(body) => answer::ok(body, request_id),
            Err(reason) => {
                route.metrics.refused(reason);
                answer::refusal(reason, request_id)
            }
        };
        route.metrics.handled_in(took);
        response
    }

    /// Tells those who want to know of an answer. Nothing is made for nobody.
    #[expect(clippy::too_many_arguments, reason = "all there is to know of a delivery")]
    fn tell(
        &self,
        routes: &Arc<Routes>,
        source: Option<&Arc<str>>,
        head: &Parts,
        request_id: &HeaderValue,
        refused: Option<Reason>,
        took: Duration,
        told: &Told,
    ) {
        if refused.is_none() && self.logs.is_empty() {
            return;
        }
        let delivery = AnsweredDelivery {
            request_id: request_id.to_str().unwrap_or_default(),
            source: source.map(|name| &**name),
            received_at: told.received_at,
            sender: told.sender,
            method: &head.method,
            path: head.uri.path(),
            status: refused.map_or(StatusCode::OK, Reason::status).as_u16(),
            outcome: if refused.is_some() { DeliveryOutcome::Refused } else { told.outcome },
            reason: refused.map(Reason::as_str),
            problem: &told.problem,
            took,
            headers: &head.headers,
            body: &told.body,
            event: told.event.as_ref(),
        };
        if refused.is_some() {
            self.refusals.note(source, &delivery, routes);
        }
        for log in &self.logs {
            log.answered(&delivery);
        }
    }

    /// Verifies an event and keeps it, and only then gives the acknowledgement.
    async fn deliver<B>(
        &self,
        route: &Route,
        head: &Parts,
        body: B,
        request_id: &HeaderValue,
        told: &mut Told,
    ) -> Result<Bytes, Reason>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let source = &route.source;
        let body = self.read(body).await?;
        let received_at = (self.now)();
        (told.received_at, told.body) = (received_at, body.clone());
        let deadline = time::Instant::now() + self.limits.keep_timeout.min(FAR);
        // Not before: who sends half a body would keep the place from others.
        let _place = self.place(deadline).await?;
        let delivery = Delivery { headers: &head.headers, body: &body, received_at };
        let event = source.verifier.verify(&delivery).map_err(|refusal| {
            let sender = told.sender.map(field::display);
            info!(source = %source.name, sender, ?request_id, %refusal, "delivery refused");
            told.problem = problem(&refusal);
            Reason::of_refusal(&refusal)
        })?;
        route.metrics.verified();
        if !self.logs.is_empty() {
            told.event = Some(event.event().clone());
        }
        let understood = event.event().kind.is_some();

        let key = event.dedupe_key();
        let mut received = Received::new(Arc::clone(&source.name), received_at, event);
        received.key = received.event.signed_by().map(|index| route.signed_by(index));
        received.signature_reused =
            self.used_signatures.is_reused(&source.name, &received.event, received_at);
        if received.signature_reused {
            route.metrics.signature_reused();
        }
        let kept = timeout_at(deadline, self.sink.keep(received)).await;
        match kept.unwrap_or_else(|_| Err(too_slow())) {
            Ok(Kept::New) => route.metrics.kept(),
            Ok(Kept::Duplicate) => {
                route.metrics.duplicate();
                told.outcome = DeliveryOutcome::Duplicate;
            }
            Ok(kept @ (Kept::Conflicting | Kept::TooManyConflicts)) => {
                route.metrics.conflicting_duplicate();
                told.outcome = DeliveryOutcome::Conflicting;
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
        route.silence.end(received_at);
        route.metrics.event_at(received_at);
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
        told: &mut Told,
    ) -> Result<Bytes, Reason> {
        told.outcome = DeliveryOutcome::Asked;
        let _place = self.place(time::Instant::now() + self.limits.keep_timeout.min(FAR)).await?;
        let query = head.uri.query().unwrap_or_default();
        let asked = protocol.parse(query, &head.headers, (self.now)()).map_err(|refusal| {
            info!(source = %route.source.name, ?request_id, %refusal, "question refused");
            told.problem = problem(&refusal);
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
}

pub(crate) fn too_slow() -> SinkError {
    SinkError::new(SinkErrorKind::Unavailable, "the sink does not answer")
}

/// An id that nobody can guess or count.
pub(crate) fn request_id() -> HeaderValue {
    let id = Uuid::new_v4().simple().to_string();
    HeaderValue::from_maybe_shared(Bytes::from(id)).unwrap_or(HeaderValue::from_static("-"))
}
