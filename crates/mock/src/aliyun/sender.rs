//! Sends callbacks the way Aliyun does.

use std::fmt;

use jiff::Timestamp;
use reqwest::Url;

use super::{
    dialect::{AliyunDialect, SignedHost},
    event::AliyunEvent,
    on_demand::{ANSWER_LIMIT, OnDemandReply, OnDemandRequest},
};
use crate::{
    canonical::md5_hex,
    clock::Clock,
    credentials::Secret,
    delivery::{Delivery, DeliveryPolicy, DeliveryReport, Exchange, Http, RetrySignature},
};

pub(super) const CONTENT_TYPE: &str = "application/json; charset=utf-8";
/// From the page on recording on demand; that callbacks say the same is UNVERIFIED.
const USER_AGENT: &str = "Go-http-client/1.1";

/// Sends recording callbacks to one URL as Aliyun does: `POST`, JSON, and with a key the headers
/// `ALI-LIVE-TIMESTAMP` and `ALI-LIVE-SIGNATURE`, the MD5 of `host|timestamp|key`.
///
/// Clones share connections. `Debug` does not print the key.
///
/// ```
/// use record_callback_mock::{AliyunEvent, AliyunSender};
///
/// # async fn example() {
/// let sender = AliyunSender::new("http://127.0.0.1:8080/callback").key("testkeyyourkey12");
/// let report = sender.send(&AliyunEvent::file("live.example.com", "app", "stream")).await;
/// assert!(report.is_acknowledged());
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct AliyunSender {
    http: Http,
    url: String,
    key: Option<Secret>,
    policy: DeliveryPolicy,
    clock: Clock,
    dialect: AliyunDialect,
}

impl AliyunSender {
    /// A sender without a key, with the documented timeout and retries.
    pub fn new(url: impl Into<String>) -> Self {
        Self::over(Self::http(), url)
    }

    pub(super) fn http() -> Http {
        Http::new(Some(USER_AGENT))
    }

    pub(super) fn over(http: Http, url: impl Into<String>) -> Self {
        Self {
            http,
            url: url.into(),
            key: None,
            policy: DeliveryPolicy::aliyun(),
            clock: Clock::system(),
            dialect: AliyunDialect::default(),
        }
    }

    /// Signs with this key.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(Secret::new(key));
        self
    }

    /// The timeout, the number of attempts and so on.
    pub fn policy(mut self, policy: DeliveryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The clock signatures are dated by.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Which reading of the documentation to follow.
    pub fn dialect(mut self, dialect: AliyunDialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The callback as it would be sent now, for tests that change it or send it themselves.
    pub fn prepare(&self, event: &AliyunEvent) -> Delivery {
        self.prepare_at(event, self.clock.now())
    }

    /// Sends an event until it is answered or the policy gives up.
    pub async fn send(&self, event: &AliyunEvent) -> DeliveryReport {
        let first = self.clock.now();
        let prepare = || match self.dialect.retry_signature {
            RetrySignature::Kept => self.prepare_at(event, first),
            RetrySignature::Renewed => self.prepare(event),
        };
        self.http.deliver(&self.policy, ("aliyun", event.notify_type()), prepare).await
    }

    /// Asks this sender's URL whether a stream is to be recorded: one `GET`, never repeated. Whether the cloud
    /// repeats it, and how long it waits, is UNVERIFIED.
    pub async fn ask_on_demand(&self, request: &OnDemandRequest) -> OnDemandReply {
        let signature = if self.dialect.on_demand_signed { self.signature(self.clock.now()) } else { None };
        let get = |client: &reqwest::Client| {
            let get = client.get(request.url(&self.url));
            signature.into_iter().flatten().fold(get, |get, (name, value)| get.header(name, value))
        };
        // One byte more tells whether anything was cut off.
        let Exchange { status, body, problem, .. } =
            self.http.ask(get, self.policy.timeout, ANSWER_LIMIT + 1).await;
        OnDemandReply::new(status, body, problem)
    }

    fn prepare_at(&self, event: &AliyunEvent, at: Timestamp) -> Delivery {
        let mut headers = vec![("Content-Type", CONTENT_TYPE.to_owned())];
        headers.extend(self.signature(at).into_iter().flatten());
        Delivery { url: self.url.clone(), headers, body: event.body().to_string() }
    }

    fn signature(&self, at: Timestamp) -> Option<[(&'static str, String); 2]> {
        let key = self.key.as_ref()?;
        let host = host(&self.url, self.dialect.signed_host)?;
        let timestamp = at.as_second().to_string();
        let signature = md5_hex(format!("{host}|{timestamp}|{}", key.expose()));
        Some([("ALI-LIVE-TIMESTAMP", timestamp), ("ALI-LIVE-SIGNATURE", signature)])
    }
}

impl fmt::Debug for AliyunSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AliyunSender")
            .field("url", &self.url)
            .field("key", &self.key)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

fn host(url: &str, form: SignedHost) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    let port = url.port().filter(|_| form == SignedHost::WithPort);
    Some(port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(url: &str, key: &str, at: i64, signed_host: SignedHost) -> String {
        let dialect = AliyunDialect { signed_host, ..Default::default() };
        let clock = Clock::fixed(Timestamp::from_second(at).unwrap());
        let sender = AliyunSender::new(url).key(key).dialect(dialect).clock(clock);
        let headers = sender.prepare(&AliyunEvent::file("d", "a", "s")).headers;
        assert_eq!(headers[1], ("ALI-LIVE-TIMESTAMP", at.to_string()));
        assert_eq!(headers[2].0, "ALI-LIVE-SIGNATURE");
        headers[2].1.clone()
    }

    #[test]
    fn signatures_are_those_of_other_implementations() {
        use SignedHost::{WithPort, WithoutPort};
        const KEY: &str = "testkeyyourkey12";
        const AT: i64 = 1_767_323_045;
        for (url, key, at, form, expected) in [
            // The page's example; it prints the text, not the digest.
            (
                "https://learn.aliyundoc.com/callback",
                "yourkey",
                1_519_375_990,
                WithoutPort,
                "9e226fc2c250be266e3657e156f68c12",
            ),
            ("https://CB.example.com:8443/a?b=c", KEY, AT, WithoutPort, "e4894ddfebf964bf837d3ef10ef4777d"),
            ("https://cb.example.com:443", KEY, AT, WithPort, "e4894ddfebf964bf837d3ef10ef4777d"),
            ("https://cb.example.com:8443/a?b=c", KEY, AT, WithPort, "cd18164fdc8f6064af9f52117866b884"),
            (
                "http://127.0.0.1:8080/",
                "Abcdefgh12345678Abcdefgh12345678",
                AT,
                WithoutPort,
                "27e26344fe8bfaedf2310068f0c83d89",
            ),
        ] {
            assert_eq!(signature(url, key, at, form), expected, "{url}");
        }
    }

    #[test]
    fn without_a_key_nothing_is_signed() {
        let delivery = AliyunSender::new("http://cb.example.com").prepare(&AliyunEvent::file("d", "a", "s"));
        assert_eq!(delivery.headers, [("Content-Type", CONTENT_TYPE.to_owned())]);
    }
}
