use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use record_callback_core::{Error, ErrorKind, Result, Vendor};
use reqwest::{Method, Request, StatusCode};
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span, field, info, info_span};

use crate::credential::of_credentials;
use crate::effects::Clock;
use crate::endpoint::Endpoint;
use crate::network::Network;
use crate::quota::Quotas;
use crate::retry::{RetryPolicy, after, is_transient};
use crate::transport::{self, Answer, Client, Secrets, Signed};
use crate::turns;

/// The headers vendors send the request id in, in success as in failure.
const REQUEST_ID: [&str; 2] = ["x-acs-request-id", "x-request-id"];

/// What a call is, for quotas, retries, errors and logs.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The vendor.
    pub vendor: Vendor,
    /// The vendor's name of the operation.
    pub operation: &'static str,
    /// The limiter of [`Quotas`] this call counts against.
    pub quota: &'static str,
    /// The domain it is for, if it is for one.
    pub domain: Option<&'a str>,
    /// Whether it may be sent again.
    pub safety: Safety,
    /// Whether this refusal may be because the time in the request is wrong. If the answer's `Date` says so too, the
    /// call goes on at once with the cloud's time; see [`Pipeline::now`]. Not with plain HTTP to another machine: whoever
    /// writes a `Date` on the way would have requests signed for a time of their choice.
    pub time_refused: fn(&Error) -> bool,
}

/// Whether a call may be sent again after the cloud may have carried it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// Reads, full replacements, deletes: twice is as good as once.
    Repeatable,
    /// Creates: sent again only when the first was certainly not carried out.
    /// See [`create_settled`](crate::create_settled) for what to do otherwise.
    Once,
}

/// Seconds by which the cloud's time must differ from ours to be why a request was refused: vendors allow a quarter of
/// an hour, and a `Date` is never exact.
const SKEW: i64 = 60;

/// What an address answered to nobody in particular.
#[derive(Debug, Clone, Copy)]
pub struct Reached {
    /// HTTP status.
    pub status: StatusCode,
    /// How far its time is ahead of ours, if it said it.
    pub ahead: Option<SignedDuration>,
}

/// An attempt that failed.
struct Failed {
    error: Error,
    /// The cloud's time, if it answered and said it.
    date: Option<Timestamp>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, date: None }
    }
}

/// The way every request takes: `retry(quota → sign → send → classify)`.
///
/// Clones share connections, quotas and what was learnt about the cloud's time.
#[derive(Debug, Clone)]
pub struct Pipeline {
    client: Client,
    quotas: Quotas,
    retry: RetryPolicy,
    clock: Arc<dyn Clock>,
    /// Whether what an answer says of the time is the cloud's own word.
    trusts_dates: bool,
    /// Seconds the cloud's time is ahead of the clock.
    ahead: Arc<AtomicI64>,
}

impl Pipeline {
    /// A pipeline to `endpoint`, reached by `network`.
    pub fn new(
        endpoint: &Endpoint,
        network: &Network,
        quotas: Quotas,
        retry: RetryPolicy,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let client = transport::client(endpoint, network)?;
        let trusts_dates = endpoint.is_out_of_reach();
        Ok(Self { client, quotas, retry, clock, trusts_dates, ahead: Arc::default() })
    }

    /// The same connections and policy with other quotas, for a vendor's second service.
    #[must_use]
    pub fn with_quotas(&self, quotas: Quotas) -> Self {
        Self { quotas, ..self.clone() }
    }

    /// The same connections and quotas with another policy, for calls that matter less.
    #[must_use]
    pub fn with_retry(&self, retry: RetryPolicy) -> Self {
        Self { retry, ..self.clone() }
    }

    /// The time to sign requests with: the clock's, corrected by what was learnt from refusals of the cloud.
    pub fn now(&self) -> Timestamp {
        let now = self.clock.now();
        let ahead = SignedDuration::from_secs(self.ahead.load(Ordering::Relaxed));
        now.checked_add(ahead).unwrap_or(now)
    }

    /// Asks `endpoint` for `/`, without a signature: any answer will do.
    ///
    /// # Errors
    /// When there is none: no address for the name, no connection, a certificate that is not trusted, no answer in time.
    pub async fn reach(&self, endpoint: &Endpoint) -> Result<Reached> {
        let request = Request::new(Method::GET, endpoint.url().clone());
        let signed = Signed { request, secrets: Secrets::default() };
        let answer = timeout_at(self.retry.attempt_until(), transport::exchange(&self.client, signed)).await;
        let answer = answer.unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, "no answer in time")))?;
        let ahead = answer.date().map(|date| date.duration_since(self.clock.now()));
        Ok(Reached { status: answer.status, ahead })
    }

    /// The policy calls are tried by.
    pub fn retry(&self) -> &RetryPolicy {
        &self.retry
    }

    /// Sends what `sign` makes, until `classify` finds a result, nothing more may be tried, or the
    /// deadline is over.
    ///
    /// `sign` is asked for a fresh request before every attempt. `classify` turns an answer into
    /// a value or an error, and is the only judge of what an answer means.
    ///
    /// A request refused for its time is signed and sent once more with the cloud's, besides the policy's attempts.
    pub async fn send<T, F>(
        &self,
        call: Call<'_>,
        sign: impl Fn() -> F,
        classify: impl Fn(&Answer) -> Result<T>,
    ) -> Result<T>
    where
        F: Future<Output = Result<Signed>>,
    {
        let Call { vendor, operation, domain, .. } = call;
        let span = info_span!("call", %vendor, operation, domain);
        self.attempts(&span, call, sign, classify).await.map_err(|error| {
            let error = error.with_vendor(vendor).with_operation(operation);
            match domain {
                Some(domain) => error.with_domain(domain),
                None => error,
            }
        })
    }

    async fn attempts<T, F>(
        &self,
        call_span: &Span,
        call: Call<'_>,
        sign: impl Fn() -> F,
        classify: impl Fn(&Answer) -> Result<T>,
    ) -> Result<T>
    where
        F: Future<Output = Result<Signed>>,
    {
        let deadline = self.retry.until();
        let mut delays = self.retry.backoff();
        let mut maybe_applied = false;
        let mut attempt = 0_u32;
        let mut learnt = None;
        loop {
            attempt += 1;
            let span = info_span!(
                parent: call_span,
                "attempt",
                attempt,
                status = field::Empty,
                code = field::Empty,
                request_id = field::Empty,
                elapsed_ms = field::Empty,
            );
            // Who cannot sign now will not sign better a moment later: credentials retry on their own.
            let prepared = self.prepare(call, deadline, &sign).instrument(span.clone()).await;
            let (ahead, result) = match prepared {
                Ok((request, ahead)) => {
                    (Some(ahead), self.attempt(request, deadline, &classify).instrument(span).await)
                }
                Err(error) => (None, Err(error.into())),
            };
            let Failed { error, date } = match result {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            maybe_applied |= error.maybe_applied();
            if maybe_applied {
                turns::commit(None);
            }
            let error = error.with_maybe_applied_if(maybe_applied);
            let may_repeat = call.safety == Safety::Repeatable || !error.maybe_applied();
            if let Some(ahead) = ahead.filter(|_| self.trusts_dates && (call.time_refused)(&error)) {
                match learnt {
                    None if may_repeat => {
                        if let Some(now_ahead) = date.and_then(|date| self.skew(ahead, date)) {
                            learnt = Some((ahead, now_ahead));
                            self.ahead.store(now_ahead, Ordering::Relaxed);
                            info!(parent: call_span, difference_s = now_ahead - ahead, "took the cloud's time");
                            continue;
                        }
                    }
                    // It was not for the time, or the answer's time was wrong too.
                    Some((before, now_ahead)) => self.unlearn(now_ahead, before),
                    None => {}
                }
            }
            let delay = delays.next().filter(|_| ahead.is_some() && may_repeat && is_transient(&error)).map(
                |delay| {
                    let asked = error.retry_after().unwrap_or_default();
                    delay.max(asked)
                },
            );
            match delay {
                Some(delay) if after(delay) < deadline => {
                    info!(parent: call_span, attempt, delay_ms = millis(delay), kind = %error.kind(), "trying again");
                    tokio::time::sleep(delay).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// How far the cloud is ahead by its `date`, if that is why it refused what was signed `ahead` of the clock.
    fn skew(&self, ahead: i64, date: Timestamp) -> Option<i64> {
        let found = date.duration_since(self.clock.now()).as_secs();
        (found.abs_diff(ahead) > SKEW.unsigned_abs()).then_some(found)
    }

    /// Takes back what was learnt, unless another call has learnt something else.
    fn unlearn(&self, learnt: i64, before: i64) {
        let _ = self.ahead.compare_exchange(learnt, before, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Waits for the call's turn in the quota, then signs; with how far ahead of the clock that was.
    async fn prepare<F>(
        &self,
        call: Call<'_>,
        deadline: Instant,
        sign: impl Fn() -> F,
    ) -> Result<(Signed, i64)>
    where
        F: Future<Output = Result<Signed>>,
    {
        let late =
            |what: &str| Error::new(ErrorKind::Timeout, format!("the deadline was over before {what}"));
        let turn = timeout_at(deadline, turns::wait(self.quotas.turn(call.quota))).await;
        turn.map_err(|_| late("the call's turn in the quota"))??;
        let ahead = self.ahead.load(Ordering::Relaxed);
        // Getting a token is a call of its own.
        let signed = timeout_at(deadline, sign()).await;
        let signed = signed.unwrap_or_else(|_| Err(late("there were credentials to sign with")));
        Ok((signed.map_err(of_credentials)?, ahead))
    }

    async fn attempt<T>(
        &self,
        request: Signed,
        deadline: Instant,
        classify: impl Fn(&Answer) -> Result<T>,
    ) -> Result<T, Failed> {
        turns::commit(Some(request.request.method()));
        let sent = Instant::now();
        let until = deadline.min(self.retry.attempt_until());
        let answer = timeout_at(until, transport::exchange(&self.client, request)).await;
        let answer = answer.unwrap_or_else(|_| {
            let waited = until - sent;
            let message = format!("no answer within {} ms", waited.as_millis());
            Err(Error::new(ErrorKind::Timeout, message).with_maybe_applied())
        });
        let span = Span::current();
        span.record("elapsed_ms", millis(sent.elapsed()));
        let result = answer.map_err(Failed::from).and_then(|answer| {
            span.record("status", answer.status.as_u16());
            span.record("request_id", REQUEST_ID.iter().find_map(|name| answer.harmless_header(name)));
            classify(&answer).map_err(|error| self.complete(error, &answer))
        });
        if let Err(Failed { error, .. }) = &result {
            // An answer that broke off has a status too.
            span.record("status", error.status());
            span.record("code", error.code());
            if let Some(id) = error.request_id() {
                span.record("request_id", id);
            }
            info!(kind = %error.kind(), maybe_applied = error.maybe_applied(), "attempt failed");
        } else {
            info!("attempt succeeded");
        }
        result
    }

    /// Adds to a classified error what the answer says regardless of vendor.
    fn complete(&self, error: Error, answer: &Answer) -> Failed {
        let status = answer.status;
        let date = answer.date();
        let mut error = error.with_status(status.as_u16());
        if error.retry_after().is_none()
            && let Some(wait) = answer.retry_after(date.unwrap_or_else(|| self.now()))
        {
            error = error.with_retry_after(wait);
        }
        // A refusal was not carried out; a server's failure or a success nobody understands may have been, and so
        // may, with any status, what is answered in words nobody understands: `not_understood` says so. So may
        // what is answered with a redirect: proxies send to a page of theirs when they lose the cloud's answer.
        let failed = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
        let refused = is_refusal(error.kind()) || (status.is_client_error() && !failed);
        Failed { error: error.with_maybe_applied_if(!refused), date }
    }
}

/// Whether an error of this kind is a cloud's refusal to carry the call out. No status but 4xx is taken for one of these
/// kinds: with any other, the cloud's own code said so.
fn is_refusal(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidConfig
            | ErrorKind::NotFound
            | ErrorKind::DomainNotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::Conflict
            | ErrorKind::Unauthenticated
            | ErrorKind::PermissionDenied
            | ErrorKind::Throttled
    )
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
