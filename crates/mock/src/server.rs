//! The HTTP side both vendors share: listening, counting, recording, going wrong as scripted, stopping.

mod exchange;
mod listening;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::body::Bytes;
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};
use tracing::warn;

pub(crate) use self::listening::Gate;
use crate::{
    admin::Control,
    clock::Clock,
    faults::{Faults, Refusal},
    recorded::{RawRequest, ReceivedRequest, RequestLog},
};

/// How long `shutdown` waits for requests in flight.
pub(crate) const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// One cloud service behind a listener. It gets the raw request because signatures cover the bytes as sent.
pub(crate) trait Service: Send + Sync + 'static {
    const VENDOR: &'static str;

    /// The vendor's name of the operation a request asks for, if it is a known one.
    fn operation(&self, request: &RawRequest) -> Option<&'static str>;

    /// Carries a request out.
    fn answer(&self, request: &RawRequest) -> Answer;

    /// Refuses a request without looking at it.
    fn refuse(&self, request: &RawRequest, refusal: Refusal) -> Answer;

    /// The service's time.
    fn now(&self) -> Timestamp;
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
        let mut answer = Self::empty(status).header("content-type", content_type);
        answer.body = body.into();
        answer
    }

    /// Adds a header, or replaces it; a value that HTTP cannot carry is left out.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Adds the header that says when the answer was made, in whole seconds.
    fn dated(self, now: Timestamp) -> Self {
        match DateTimePrinter::new().timestamp_to_rfc9110_string(&now) {
            Ok(date) => self.header("date", &date),
            Err(_) => self,
        }
    }
}

/// A listening server. It stops listening when dropped; [`Server::shutdown`] also waits until it has stopped.
pub(crate) struct Server {
    addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    log: RequestLog,
    faults: Faults,
    gate: Gate,
    /// Dropping the sender is the signal to stop.
    running: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start<S: Service>(addr: SocketAddr, service: Arc<S>) -> io::Result<Self> {
        listening::start(addr, service).await
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

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// What the admin port controls.
    pub(crate) fn control(&self, name: &'static str, clock: &Clock) -> Control {
        Control {
            name,
            faults: self.faults.clone(),
            log: self.log.clone(),
            clock: clock.clone(),
            gate: self.gate.clone(),
            revoke_tokens: None,
            set_unsafe_hosts: None,
            trigger: None,
        }
    }

    pub(crate) async fn shutdown(self) {
        drop(self.running);
        if timeout(DRAIN_LIMIT, self.task).await.is_err() {
            warn!(addr = %self.addr, "a request was still in flight when the mock server stopped");
        }
    }
}
