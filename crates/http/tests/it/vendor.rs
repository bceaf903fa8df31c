//! A made-up vendor: how it signs and what its answers mean.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use record_callback_core::{Error, ErrorKind, Result, Vendor};
use record_callback_http::{
    Answer, Call, Clock, Endpoint, Method, Network, Nonce, Pipeline, Quotas, Request, RetryPolicy, Safety,
    Secrets, Signed, Url, UuidNonce, header::HeaderValue,
};
use tokio::time::Instant;

use crate::logs;
use crate::server::Server;

/// In the query and in a header of every request; must not show anywhere.
pub(crate) const SECRET: &str = "s3cr3t";
pub(crate) const PATH: &str = "/acme-path";
pub(crate) const DOMAIN: &str = "live.example.com";
/// The code of refusals that may be for the time.
pub(crate) const WRONG_TIME: &str = "Time.Wrong";

/// Retries at once: real sockets do not go with paused time.
pub(crate) fn quick() -> RetryPolicy {
    RetryPolicy::default().delays(Duration::from_millis(1), Duration::from_millis(1))
}

/// 2026-01-01 00:00:00 UTC.
#[derive(Debug)]
pub(crate) struct NewYear;

impl Clock for NewYear {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_767_225_600).unwrap()
    }
}

/// Calls the vendor, and keeps count.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) pipeline: Pipeline,
    url: Url,
    signed: Arc<Mutex<Vec<Instant>>>,
}

impl Caller {
    pub(crate) fn new(port: u16, quotas: Quotas, retry: RetryPolicy) -> Self {
        Self::to_host("127.0.0.1", port, quotas, retry)
    }

    pub(crate) fn to_host(host: &str, port: u16, quotas: Quotas, retry: RetryPolicy) -> Self {
        let endpoint = format!("http://{host}:{port}");
        Self::through(&Network::default(), &endpoint, quotas, retry).unwrap()
    }

    /// To an endpoint that is reached by `network`.
    pub(crate) fn through(
        network: &Network,
        endpoint: &str,
        quotas: Quotas,
        retry: RetryPolicy,
    ) -> Result<Self> {
        logs::capture();
        let endpoint = Endpoint::parse("endpoint", endpoint, true).unwrap();
        let mut url = endpoint.url().join(PATH).unwrap();
        url.query_pairs_mut().append_pair("signature", SECRET);
        let pipeline = Pipeline::new(&endpoint, network, quotas, retry, Arc::new(NewYear))?;
        Ok(Self { pipeline, url, signed: Arc::default() })
    }

    pub(crate) fn to(server: &Server, retry: RetryPolicy) -> Self {
        Self::new(server.port(), Quotas::unlimited(), retry)
    }

    pub(crate) async fn call(&self, safety: Safety) -> Result<String> {
        self.pipeline.send(call(safety), async || Ok(self.sign()), classify).await
    }

    /// Signs one attempt.
    pub(crate) fn sign(&self) -> Signed {
        self.signed.lock().unwrap().push(Instant::now());
        let mut request = Request::new(Method::GET, self.url.clone());
        let nonce = HeaderValue::try_from(UuidNonce.nonce()).unwrap();
        request.headers_mut().insert("x-nonce", nonce);
        let time = HeaderValue::try_from(self.pipeline.now().to_string()).unwrap();
        request.headers_mut().insert("x-time", time);
        request.headers_mut().insert("authorization", HeaderValue::from_static(SECRET));
        Signed { request, secrets: Secrets::default() }
    }

    /// When each attempt was signed.
    pub(crate) fn signed(&self) -> Vec<Instant> {
        self.signed.lock().unwrap().clone()
    }

    /// How many attempts were signed.
    pub(crate) fn attempts(&self) -> usize {
        self.signed().len()
    }
}

pub(crate) fn call(safety: Safety) -> Call<'static> {
    let time_refused = |error: &Error| error.code() == Some(WRONG_TIME);
    Call {
        vendor: Vendor::new("acme"),
        operation: "DoThing",
        quota: "things",
        domain: Some(DOMAIN),
        safety,
        time_refused,
    }
}

pub(crate) fn classify(answer: &Answer) -> Result<String> {
    let body = String::from_utf8_lossy(&answer.body);
    let kind = match answer.status.as_u16() {
        200 => return Ok(body.into_owned()),
        _ if body == "throttled" => ErrorKind::Throttled,
        400 => ErrorKind::InvalidConfig,
        404 => ErrorKind::NotFound,
        429 => ErrorKind::Throttled,
        500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Protocol,
    };
    let mut error = Error::new(kind, "not what was wanted");
    if let Some(code) = answer.header("x-code") {
        error = error.with_code(code);
    }
    if let Some(id) = answer.header("x-request-id") {
        error = error.with_request_id(id);
    }
    if let Some(wait) = answer.millis("x-wait-ms") {
        error = error.with_retry_after(wait);
    }
    Err(error)
}
