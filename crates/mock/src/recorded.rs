//! What a mock received and how it answered.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex},
};

use axum::{
    body::Bytes,
    http::{HeaderMap, Method, StatusCode},
};

#[cfg(test)]
use axum::http::HeaderName;

use crate::lock::lock;

/// One request a mock received, exactly as it came, with the outcome.
///
/// `Debug` prints only method, path, operation, status, code and fault: the query, the headers and the body hold signatures,
/// tokens and signing keys.
#[derive(Clone)]
pub struct ReceivedRequest {
    pub(crate) raw: Arc<RawRequest>,
    pub(crate) operation: Option<&'static str>,
    pub(crate) status: Option<StatusCode>,
    pub(crate) code: Option<String>,
    pub(crate) fault: Option<&'static str>,
}

/// A request with nothing decoded yet: signatures cover the bytes as they were sent.
#[derive(Clone)]
pub(crate) struct RawRequest {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl RawRequest {
    #[cfg(test)]
    pub(crate) fn new(method: Method, target: &str, headers: &[(&'static str, &str)], body: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
                .collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    /// The first value of a header, when it is readable text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The media type of the body without its parameters, in lower case.
    pub(crate) fn media_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        value.split(';').next().map(|media_type| media_type.trim().to_ascii_lowercase())
    }
}

impl ReceivedRequest {
    /// The HTTP method.
    pub fn method(&self) -> &str {
        self.raw.method.as_str()
    }

    /// The path as sent, not decoded.
    pub fn path(&self) -> &str {
        &self.raw.path
    }

    /// The query as sent, not decoded, without the question mark; empty when there was none.
    pub fn query(&self) -> &str {
        &self.raw.query
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.raw.headers
    }

    /// The first value of a header; `None` also when it is not visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.raw.header(name)
    }

    /// The body as sent.
    pub fn body(&self) -> &[u8] {
        &self.raw.body
    }

    /// The vendor's name of the operation, when the mock recognised one.
    pub fn operation(&self) -> Option<&str> {
        self.operation
    }

    /// The HTTP status the mock answered; 0 when a fault left it without an answer.
    pub fn status(&self) -> u16 {
        self.status.map_or(0, |status| status.as_u16())
    }

    /// The vendor's error code the mock answered; `None` on success.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The name of the [fault](crate::Fault) that struck, as [`FaultKind::name`](crate::FaultKind::name) has it.
    pub fn fault(&self) -> Option<&str> {
        self.fault
    }
}

impl fmt::Debug for ReceivedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedRequest")
            .field("method", &self.method())
            .field("path", &self.path())
            .field("operation", &self.operation)
            .field("status", &self.status())
            .field("code", &self.code)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

/// The newest requests of one listener, in the order they were answered.
#[derive(Clone, Default)]
pub(crate) struct RequestLog(Arc<Mutex<Requests>>);

#[derive(Default)]
struct Requests {
    newest: VecDeque<ReceivedRequest>,
    seen: u64,
}

impl RequestLog {
    /// More than a test looks at; a mock that runs for days must not keep them all.
    const KEPT: usize = 100_000;

    pub(crate) fn push(&self, request: ReceivedRequest) {
        let requests = &mut *lock(&self.0);
        requests.seen += 1;
        if requests.newest.len() == Self::KEPT {
            requests.newest.pop_front();
        }
        requests.newest.push_back(request);
    }

    pub(crate) fn snapshot(&self) -> Vec<ReceivedRequest> {
        lock(&self.0).newest.iter().cloned().collect()
    }

    /// How many there were, forgotten ones included.
    pub(crate) fn seen(&self) -> u64 {
        lock(&self.0).seen
    }
}
