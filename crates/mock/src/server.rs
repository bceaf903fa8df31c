//! The HTTP side both vendors share: listening, counting, recording, stopping.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::Response,
    serve::ListenerExt,
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};
use tracing::{info, warn};

use crate::recorded::{RawRequest, ReceivedRequest, RequestLog};

const BODY_LIMIT: usize = 1024 * 1024;
/// How long `shutdown` waits for requests in flight.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// One cloud service behind a listener. It gets the raw request because signatures cover the bytes as sent.
pub(crate) trait Service: Send + Sync + 'static {
    const VENDOR: &'static str;

    fn answer(&self, request: &RawRequest) -> Answer;
}

/// A response, and what the log says about it.
pub(crate) struct Answer {
    pub(crate) operation: Option<&'static str>,
    pub(crate) code: Option<String>,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { operation: None, code: None, status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub(crate) fn with_body(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut answer = Self::empty(status);
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        answer.body = body.into();
        answer
    }

    /// Adds a header; a value that HTTP cannot carry is left out.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// A listening server. It stops listening when dropped; [`Server::shutdown`] also waits until it has stopped.
pub(crate) struct Server {
    addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    log: RequestLog,
    /// Dropping the sender is the signal to stop.
    running: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start<S: Service>(addr: SocketAddr, service: Arc<S>) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await.map_err(|error| {
            io::Error::new(error.kind(), format!("the mock cannot listen on {addr}: {error}"))
        })?;
        let addr = listener.local_addr()?;
        let connections = Arc::new(AtomicUsize::new(0));
        let accepted = Arc::clone(&connections);
        let listener = listener.tap_io(move |stream| {
            accepted.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = stream.set_nodelay(true) {
                warn!(%error, "TCP_NODELAY could not be set");
            }
        });

        let log = RequestLog::default();
        let recorder = log.clone();
        let router = Router::new().fallback(move |request: Request| {
            let (service, recorder) = (Arc::clone(&service), recorder.clone());
            async move { exchange(&*service, &recorder, request).await }
        });

        let (running, dropped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stopped = async move {
                let _ = dropped.await;
            };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
                warn!(%error, vendor = S::VENDOR, "mock server failed");
            }
        });
        Ok(Self { addr, connections, log, running, task })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.log.snapshot()
    }

    pub(crate) async fn shutdown(self) {
        drop(self.running);
        if timeout(DRAIN_LIMIT, self.task).await.is_err() {
            warn!(addr = %self.addr, "a request was still in flight when the mock server stopped");
        }
    }
}

async fn exchange<S: Service>(service: &S, log: &RequestLog, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await;
    let raw = Arc::new(RawRequest {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.as_ref().cloned().unwrap_or_default(),
    });
    let answer = match body {
        Ok(_) => service.answer(&raw),
        // A limit of the mock; both clouds allow more.
        Err(_) => Answer::with_body(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", "the body is over 1 MiB"),
    };
    info!(
        vendor = S::VENDOR,
        operation = answer.operation,
        status = answer.status.as_u16(),
        code = answer.code.as_deref(),
        "answered"
    );
    log.push(ReceivedRequest {
        raw,
        operation: answer.operation,
        status: answer.status,
        code: answer.code.clone(),
    });
    answer.into_response()
}
