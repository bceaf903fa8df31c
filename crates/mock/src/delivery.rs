//! Sending callbacks: what both clouds share.

use std::{
    error::Error,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{Client, RequestBuilder, Response, redirect};
use tokio::time::sleep;
use tracing::info;

/// How much of an answer's body is kept.
const BODY_LIMIT: usize = 64 * 1024;

/// When a callback is given up, and when it is sent again.
///
/// A callback is sent again when no complete answer came in time or the connection failed, and never because of an
/// answer below 500. Redirects are not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct DeliveryPolicy {
    pub(crate) timeout: Duration,
    retries: u32,
    pause: Duration,
    retry_on_server_errors: bool,
}

impl DeliveryPolicy {
    /// What Aliyun's current page on callbacks says: 5 seconds for an answer, then up to 5 more attempts, 1 second
    /// apart.
    ///
    /// The documents disagree. Older pages say a random 0.1 to 10 seconds between attempts. All of them name timeouts
    /// only; a page on another recording product adds statuses from 500 on, which
    /// [`retry_on_server_errors`](Self::retry_on_server_errors) switches on. That a refused or broken connection is
    /// treated like a timeout is UNVERIFIED.
    pub fn aliyun() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            retries: 5,
            pause: Duration::from_secs(1),
            retry_on_server_errors: false,
        }
    }

    /// Huawei Cloud documents nothing about timeouts and retries, so all of this is UNVERIFIED: Aliyun's numbers, and
    /// a status from 500 on is a reason to send again, so that a receiver meets repetitions.
    pub fn huaweicloud() -> Self {
        Self::aliyun().retry_on_server_errors(true)
    }

    /// How long one attempt may take, from connecting to the end of the answer.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many attempts may follow the first.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The time between the end of an attempt and the next.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Whether a status of 500 or more is a reason to send again.
    pub fn retry_on_server_errors(mut self, on: bool) -> Self {
        self.retry_on_server_errors = on;
        self
    }
}

/// What another attempt at the same callback is signed with. Neither vendor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetrySignature {
    /// The timestamp and signature of the first attempt.
    Kept,
    /// A timestamp and signature of its own.
    Renewed,
}

/// A callback ready to be sent: what a sender puts on the wire. `Debug` prints neither header values nor the body.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Where it goes.
    pub url: String,
    /// The headers, beside those of HTTP itself.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        f.debug_struct("Delivery").field("url", &self.url).field("headers", &names).finish_non_exhaustive()
    }
}

/// What became of one callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Where it was sent.
    pub url: String,
    /// Every attempt, in order; there is at least one.
    pub attempts: Vec<DeliveryAttempt>,
}

impl DeliveryReport {
    /// Whether the last attempt was answered with exactly 200.
    pub fn is_acknowledged(&self) -> bool {
        self.last().is_some_and(DeliveryAttempt::is_acknowledged)
    }

    /// The last attempt.
    pub fn last(&self) -> Option<&DeliveryAttempt> {
        self.attempts.last()
    }
}

/// One request and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// The status, when an answer began to arrive.
    pub status: Option<u16>,
    /// The body as far as it arrived, up to 64 KiB; bytes that are not UTF-8 are replaced.
    pub body: String,
    /// Why there is no complete answer.
    pub problem: Option<String>,
}

impl DeliveryAttempt {
    /// Whether a complete answer came with exactly 200, the one status both clouds name.
    pub fn is_acknowledged(&self) -> bool {
        self.status == Some(200) && self.problem.is_none()
    }
}

/// What a mock did about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TriggerOutcome {
    /// It was sent to the configured URL, whether or not it arrived.
    Delivered(DeliveryReport),
    /// There is a configuration, and it does not ask for this event.
    NotSubscribed,
    /// There is no configuration for the event's domain (Huawei Cloud: and app).
    NoConfig,
}

impl TriggerOutcome {
    /// The report, when something was sent.
    pub fn report(&self) -> Option<&DeliveryReport> {
        match self {
            Self::Delivered(report) => Some(report),
            Self::NotSubscribed | Self::NoConfig => None,
        }
    }

    /// Whether it was sent and acknowledged.
    pub fn is_acknowledged(&self) -> bool {
        self.report().is_some_and(DeliveryReport::is_acknowledged)
    }
}

/// The HTTP client of a sender; clones share connections. It is made when it is first used, because that loads the
/// certificates of the system, and most mocks never deliver anything.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    user_agent: Option<&'static str>,
    client: Arc<OnceLock<Result<Client, String>>>,
}

impl Http {
    pub(crate) fn new(user_agent: Option<&'static str>) -> Self {
        Self { user_agent, client: Arc::default() }
    }

    fn client(&self) -> Result<&Client, String> {
        let client = self.client.get_or_init(|| {
            let mut builder = Client::builder()
                .no_proxy()
                .redirect(redirect::Policy::none())
                // One attempt is one request, also on a connection that turns out to be dead.
                .retry(reqwest::retry::never());
            if let Some(user_agent) = self.user_agent {
                builder = builder.user_agent(user_agent);
            }
            builder.build().map_err(|error| describe(&error))
        });
        client.as_ref().map_err(Clone::clone)
    }

    /// Sends what `prepare` makes for each attempt until it is answered or the policy gives up.
    pub(crate) async fn deliver(
        &self,
        policy: &DeliveryPolicy,
        (vendor, event): (&'static str, &str),
        prepare: impl Fn() -> Delivery + Send + Sync,
    ) -> DeliveryReport {
        let mut attempts = Vec::new();
        loop {
            let delivery = prepare();
            let post = |client: &Client| {
                let request = client.post(&delivery.url).body(delivery.body.clone());
                delivery.headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
            };
            let exchange = self.ask(post, policy.timeout, BODY_LIMIT).await;
            let (number, outcome) = (attempts.len() + 1, exchange.outcome);
            info!(vendor, event, attempt = number, status = exchange.status, ?outcome, "callback sent");
            let again = match outcome {
                Outcome::Answered => policy.retry_on_server_errors && exchange.status >= Some(500),
                Outcome::Unanswered => true,
                Outcome::Unsendable => false,
            };
            attempts.push(exchange.into());
            if !again || u32::try_from(number).is_ok_and(|sent| sent > policy.retries) {
                return DeliveryReport { url: delivery.url, attempts };
            }
            sleep(policy.pause).await;
        }
    }

    /// Makes one request and reads up to `limit` bytes of the answer.
    pub(crate) async fn ask(
        &self,
        request: impl FnOnce(&Client) -> RequestBuilder + Send,
        timeout: Duration,
        limit: usize,
    ) -> Exchange {
        let client = match self.client() {
            Ok(client) => client,
            Err(problem) => {
                let problem = Some(problem);
                return Exchange { status: None, body: Vec::new(), problem, outcome: Outcome::Unsendable };
            }
        };
        let (status, body, error) = match request(client).timeout(timeout).send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let (body, error) = read(response, limit).await;
                (Some(status), body, error)
            }
            Err(error) => (None, Vec::new(), Some(error)),
        };
        let outcome = match &error {
            None => Outcome::Answered,
            Some(error) if error.is_builder() => Outcome::Unsendable,
            Some(_) => Outcome::Unanswered,
        };
        Exchange { status, body, problem: error.as_ref().map(describe), outcome }
    }
}

/// One request and what came back, not decoded.
pub(crate) struct Exchange {
    pub(crate) status: Option<u16>,
    pub(crate) body: Vec<u8>,
    pub(crate) problem: Option<String>,
    outcome: Outcome,
}

/// Why an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Answered,
    Unanswered,
    /// There is nothing to be sent, such as to a URL that is none.
    Unsendable,
}

impl From<Exchange> for DeliveryAttempt {
    fn from(exchange: Exchange) -> Self {
        let Exchange { status, body, problem, outcome: _ } = exchange;
        Self { status, body: String::from_utf8_lossy(&body).into_owned(), problem }
    }
}

async fn read(mut response: Response, limit: usize) -> (Vec<u8>, Option<reqwest::Error>) {
    let mut body = Vec::new();
    while body.len() < limit {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return (body, None),
            Err(error) => return (body, Some(error)),
        }
    }
    body.truncate(limit);
    (body, None)
}

/// An error with its causes, without the URL, which is somebody's secret now and then.
fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "timeout".to_owned();
    }
    let text = if error.is_builder() {
        "the request cannot be built"
    } else if error.is_connect() {
        "the connection failed"
    } else {
        "the connection broke"
    };
    let mut text = text.to_owned();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
