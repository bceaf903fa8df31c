use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use record_callback_core::{DedupeKey, InvalidConfig, Timestamp};
use reqwest::{Client, Response, Url};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::gate::Gate;
use crate::sink::{EventRecord, EventSink, Kept, Received, SinkError, to_json};

/// Below the 5 s that Aliyun waits for an answer.
const DEADLINE: Duration = Duration::from_secs(4);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// How much of an answer's body is read, and how long that may take: a connection can be used again only when the body
/// was read, and nobody needs the body.
const DRAINED: usize = 4096;
const DRAIN_TIMEOUT: Duration = Duration::from_millis(100);
const SECRET_RULE: &str = "whsec_ and then 24 to 64 bytes in base64";

type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Sends each event on as a `POST` of its [`EventRecord`] in JSON, signed after
/// [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks).
///
/// `Ok` means an answer of status 2xx: the event is as durable as its receiver made it before that answer. Failed
/// connections, timeouts and the statuses 429 and 5xx are tried again, signed afresh, until the
/// [deadline](ForwardSinkBuilder::deadline). Every other status is an error at once. Redirects are not followed.
///
/// Does not recognise duplicates, but tells them: `webhook-id` is the same whenever an event of the same source and
/// dedupe key that says the same is sent. One that says something else has another, so that a forged event that comes
/// first hides nothing.
///
/// Goes straight to the host: proxies named in the environment are not used.
pub struct ForwardSink {
    client: Client,
    /// May hold a secret in its path or query.
    url: Url,
    /// Host and port, for messages and for [`check`](EventSink::check).
    host: String,
    port: u16,
    keys: Vec<SecretSlice<u8>>,
    deadline: Duration,
    clock: Clock,
    gate: Gate,
}

impl ForwardSink {
    /// A sink that sends to `url`, signed with `secret`: `whsec_` and then 24 to 64 bytes in base64.
    pub fn builder(url: impl Into<SecretString>, secret: SecretString) -> ForwardSinkBuilder {
        ForwardSinkBuilder {
            url: url.into(),
            secrets: vec![secret],
            allow_http: false,
            deadline: DEADLINE,
            attempt_timeout: ATTEMPT_TIMEOUT,
            clock: Arc::new(Timestamp::now),
        }
    }

    async fn attempt(&self, id: &str, body: &Bytes) -> Result<(), Failed> {
        let timestamp = (self.clock)().as_second();
        let sent = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures(&self.keys, id, timestamp, body))
            .body(body.clone())
            .send()
            .await;
        match sent {
            Ok(response) => {
                let outcome = self.judge(&response);
                let _ = timeout(DRAIN_TIMEOUT, drain(response)).await;
                outcome
            }
            Err(error) => Err(self.unsent(error)),
        }
    }

    fn judge(&self, response: &Response) -> Result<(), Failed> {
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Err(Failed {
            message: format!("`{}` answered {}", self.host, status.as_u16()),
            again: status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
            not_before: seconds.map(Duration::from_secs).unwrap_or_default(),
            source: None,
        })
    }

    fn unsent(&self, error: reqwest::Error) -> Failed {
        let message = if error.is_timeout() {
            format!("no answer from `{}` in time", self.host)
        } else if error.is_connect() {
            format!("no connection to `{}`", self.host)
        } else {
            format!("the connection to `{}` broke", self.host)
        };
        let again = !error.is_builder();
        Failed { message, again, not_before: Duration::ZERO, source: Some(error.without_url()) }
    }

    async fn send(&self, id: &str, body: &Bytes) -> Result<(), SinkError> {
        let started = Instant::now();
        let mut last = None;
        let backoff = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(1))
            .without_max_times()
            .with_jitter();
        let sending = (|| self.attempt(id, body))
            .retry(backoff)
            .sleep(sleep)
            .when(|failed| failed.again)
            .notify(|failed, pause| {
                tracing::debug!(?pause, "{}: will be tried again", failed.message);
                last = Some(failed.message.clone());
            })
            // Waiting beyond the deadline would only keep the caller from the error that is known now.
            .adjust(|failed, pause| {
                let pause = pause?.max(failed.not_before);
                (started.elapsed().saturating_add(pause) < self.deadline).then_some(pause)
            });
        let sent = timeout(self.deadline, sending).await.map_err(|_| {
            let last = last.map(|message| format!("; before that: {message}")).unwrap_or_default();
            SinkError::unavailable(format!("`{}` did not take the event in time{last}", self.host))
        })?;
        sent.map_err(SinkError::from)
    }
}

#[async_trait]
impl EventSink for ForwardSink {
    async fn keep(&self, received: Received) -> Result<Kept, SinkError> {
        let _inside = self.gate.enter().await?;
        let id = message_id(&received);
        let body = to_json(&EventRecord::from(received))?;
        self.send(&id, &Bytes::from(body)).await?;
        Ok(Kept::New)
    }

    /// Whether the host accepts a connection. Whether it would take an event, only an event could tell.
    async fn check(&self) -> Result<(), SinkError> {
        let _inside = self.gate.enter().await?;
        let host = bare(self.url.host_str().unwrap_or_default());
        let connected = timeout(CHECK_TIMEOUT, TcpStream::connect((host, self.port))).await;
        let failed = || SinkError::unavailable(format!("no connection to `{}`", self.host));
        connected.map_err(|_| failed())?.map_err(|error| failed().with_source(error))?;
        Ok(())
    }

    async fn depth(&self) -> Result<Option<u64>, SinkError> {
        Ok(None)
    }

    fn recognises_duplicates(&self) -> bool {
        false
    }

    async fn close(&self) {
        self.gate.close().await;
    }
}

impl fmt::Debug for ForwardSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardSink")
            .field("host", &self.host)
            .field("secrets", &self.keys.len())
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Makes a [`ForwardSink`].
pub struct ForwardSinkBuilder {
    url: SecretString,
    secrets: Vec<SecretString>,
    allow_http: bool,
    deadline: Duration,
    attempt_timeout: Duration,
    clock: Clock,
}

impl ForwardSinkBuilder {
    /// Signs with `secret` too, while the receiver changes from one to the other.
    #[must_use]
    pub fn and_secret(mut self, secret: SecretString) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Whether the URL may be plain `http` to another machine. Whoever is on the way reads the events then.
    #[must_use]
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = allow;
        self
    }

    /// How long all attempts together may take. 4 seconds if not set: Aliyun waits 5 for the receiver's answer.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long one attempt may take. 2 seconds if not set.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// Takes the time that is signed from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The sink. Nothing is sent yet.
    ///
    /// # Errors
    /// When the URL or a secret is not of the right form. The error contains nothing of either but the URL's host.
    pub fn build(self) -> Result<ForwardSink, InvalidConfig> {
        const URL_RULE: &str = "https://…, or http://… on loopback or where plain HTTP is allowed";
        let refuse = |problem: String| InvalidConfig::new("url", problem, URL_RULE);
        let url =
            Url::parse(self.url.expose_secret()).map_err(|error| refuse(format!("is not a URL: {error}")))?;
        let host = url.host_str().ok_or_else(|| refuse("has no host".to_owned()))?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http || is_loopback(host) => {}
            "http" => return Err(refuse(format!("is plain http to `{host}`"))),
            _ => return Err(refuse("is neither http nor https".to_owned())),
        }
        let port = url.port_or_known_default().unwrap_or(443);
        let host = format!("{host}:{port}");
        let keys = self.secrets.iter().map(key).collect::<Result<_, _>>()?;
        let client = Client::builder()
            // A signature must not travel to another host.
            .redirect(reqwest::redirect::Policy::none())
            // The sink retries, with a fresh signature; nothing below it does.
            .retry(reqwest::retry::never().max_retries_per_request(0))
            .no_proxy()
            .timeout(self.attempt_timeout)
            .user_agent(concat!("record-callback/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| refuse("is right, but the HTTP client could not be set up".to_owned()))?;
        let (deadline, clock) = (self.deadline, self.clock);
        Ok(ForwardSink { client, url, host, port, keys, deadline, clock, gate: Gate::new() })
    }
}

impl fmt::Debug for ForwardSinkBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardSinkBuilder")
            .field("url", &self.url)
            .field("secrets", &self.secrets.len())
            .field("allow_http", &self.allow_http)
            .field("deadline", &self.deadline)
            .field("attempt_timeout", &self.attempt_timeout)
            .finish_non_exhaustive()
    }
}

/// An attempt that failed. Contains nothing of the URL but its host.
struct Failed {
    message: String,
    again: bool,
    not_before: Duration,
    source: Option<reqwest::Error>,
}

impl From<Failed> for SinkError {
    fn from(failed: Failed) -> Self {
        let error = SinkError::unavailable(failed.message);
        match failed.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

/// Host without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || bare(host).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn key(secret: &SecretString) -> Result<SecretSlice<u8>, InvalidConfig> {
    let refuse = |problem| InvalidConfig::new("secret", problem, SECRET_RULE);
    let text = secret.expose_secret().strip_prefix("whsec_");
    let text = text.ok_or_else(|| refuse("does not begin with `whsec_`"))?;
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| refuse("is not base64"))?;
    match bytes.len() {
        24..=64 => Ok(bytes.into()),
        _ => Err(refuse("is of the wrong length")),
    }
}

/// The same whenever an event of this source and key that says the same is sent; without a key always another. One that
/// says something else has another id: the service would drop it as known, and a forged one may have come first.
fn message_id(received: &Received) -> String {
    match received.event.dedupe_key() {
        // Hashed, not joined: a source may have characters that no header can carry, or the signature's full stop.
        Some(key) => {
            let content = DedupeKey::from(*received.event.content().as_bytes());
            let said = [&*received.source, &*key.to_string(), &*content.to_string()];
            DedupeKey::of(said.map(Some)).to_string()
        }
        None => uuid::Uuid::new_v4().simple().to_string(),
    }
}

fn signatures(keys: &[SecretSlice<u8>], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signatures = keys.iter().filter_map(|key| {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret()).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

async fn drain(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > DRAINED {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use record_callback_core::{
        EventFields, RawBody, RecordEvent, SignatureClaim, SignaturePolicy, SigningScheme, Tolerance, Vendor,
        VerifiedEvent,
    };

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn build(url: &str, secret: &str) -> Result<ForwardSink, InvalidConfig> {
        ForwardSink::builder(url, secret.into()).build()
    }

    #[test]
    fn signs_like_the_published_example() {
        let keys = [key(&SECRET.into()).unwrap()];
        let body = br#"{"test": 2432232314}"#;
        let signature = signatures(&keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_of_another_form_are_refused_without_being_shown() {
        let of = |bytes: usize| format!("whsec_{}", BASE64_STANDARD.encode(vec![7; bytes]));
        for bytes in [24, 32, 64] {
            key(&of(bytes).into()).unwrap();
        }
        for secret in ["", "whsec_", &SECRET[6..], "whsec_???", "whsec_MfKQ9r8", &of(23), &of(65)] {
            let error = build("https://h", secret).unwrap_err().to_string();
            assert!(error.starts_with("secret: ") && error.ends_with(&format!("(rule: {SECRET_RULE})")));
            assert!(!error.contains("MfKQ9r8") && !error.contains("BwcH"), "{error}");
        }
    }

    #[test]
    fn plain_http_needs_loopback_or_permission() {
        for url in ["https://h", "http://127.0.0.1:1", "http://[::1]/x", "http://localhost"] {
            build(url, SECRET).unwrap();
        }
        for url in ["http://h", "http://127.0.0.1.example.com", "ftp://h", "h", "", "https://"] {
            assert!(build(url, SECRET).is_err(), "{url}");
        }
        ForwardSink::builder("http://h", SECRET.into()).allow_http(true).build().unwrap();
        assert!(ForwardSink::builder("ftp://h", SECRET.into()).allow_http(true).build().is_err());
    }

    #[test]
    fn nothing_shows_the_url_or_the_secret() {
        let builder = ForwardSink::builder("https://u:hush@h:8443/hush?token=hush", SECRET.into());
        let shown = [format!("{builder:?}"), format!("{:?}", builder.build().unwrap())].concat();
        assert!(shown.contains("h:8443") && !shown.contains("hush") && !shown.contains("MfKQ"), "{shown}");
        let error = build("http://u:hush@h/hush?token=hush", SECRET).unwrap_err().to_string();
        assert!(error.contains("`h`") && !error.contains("hush"), "{error}");
    }

    #[test]
    fn the_id_is_of_source_key_and_content() {
        let id = |source: &str, key: Option<&str>, body: &'static str| {
            let mut event =
                RecordEvent::new(Vendor::new("acme"), RawBody::from(Bytes::from_static(body.as_bytes())));
            event.dedupe_key = key.map(|key| DedupeKey::of([Some(key)]));
            let claim = SignatureClaim {
                signature: None,
                time: None,
                scheme: SigningScheme::HmacSha256,
                proven: EventFields::of(&[]),
                joined: EventFields::of(&[]),
                default_tolerance: Tolerance { past: SignedDuration::ZERO, future: SignedDuration::ZERO },
            };
            let proof =
                SignaturePolicy::unsigned().prove(&claim, Timestamp::UNIX_EPOCH, |_| [Vec::new()]).unwrap();
            let event = VerifiedEvent::new(event, proof).with_signature_members(&["sign"]);
            message_id(&Received::new(source, Timestamp::UNIX_EPOCH, event))
        };
        assert_eq!(
            id("直播.", Some("k"), r#"{"a":1,"sign":1}"#),
            id("直播.", Some("k"), r#"{"sign":2,"a":1}"#)
        );
        assert_ne!(id("a", Some("k"), "{}"), id("b", Some("k"), "{}"));
        assert_ne!(id("a", Some("k"), "{}"), id("a", Some("l"), "{}"));
        assert_ne!(id("a", Some("k"), r#"{"a":1}"#), id("a", Some("k"), r#"{"a":2}"#));
        assert_ne!(id("a", None, "{}"), id("a", None, "{}"));
        for id in [id("直播.", Some("k"), "{}"), id("直播.", None, "{}")] {
            assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        }
    }
}
