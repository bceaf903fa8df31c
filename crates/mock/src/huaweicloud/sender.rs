//! Sends callbacks the way Huawei Cloud does.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::{
    dialect::{AbsentUrls, AuthTimestamp, HuaweicloudDialect},
    event::HuaweicloudEvent,
};
use crate::{
    canonical::{hmac_sha256_hex, md5_hex},
    clock::Clock,
    credentials::{Secret, random_hex},
    delivery::{Delivery, DeliveryPolicy, DeliveryReport, Http, RetrySignature},
};

/// How callbacks are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignType {
    /// `MD5`: of the key and the timestamp.
    Md5,
    /// `HMACSHA256`: of the timestamp and six fields of the body.
    HmacSha256,
}

impl SignType {
    /// The value of a configuration's `sign_type`; the default for any other text.
    pub(super) fn of(text: &str) -> Self {
        if text == "MD5" { Self::Md5 } else { Self::HmacSha256 }
    }
}

/// Sends recording callbacks to one URL as Huawei Cloud does: `POST`, JSON, and with a key the fields `auth_sign` and
/// `auth_timestamp` in the body. That nothing is signed without a key, and that signatures are lower-case hexadecimal
/// digits, is UNVERIFIED.
///
/// Clones share connections. `Debug` does not print the key.
///
/// ```
/// use record_callback_mock::{HuaweicloudEvent, HuaweicloudSender};
///
/// # async fn example() {
/// let sender = HuaweicloudSender::new("http://127.0.0.1:8080/").key("0123456789abcdefghijklmnopqrstuv");
/// let report = sender.send(&HuaweicloudEvent::record_over("push.example.com", "live", "stream")).await;
/// assert!(report.is_acknowledged());
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct HuaweicloudSender {
    http: Http,
    url: String,
    key: Option<Secret>,
    sign_type: SignType,
    project_id: String,
    policy: DeliveryPolicy,
    clock: Clock,
    dialect: HuaweicloudDialect,
}

impl HuaweicloudSender {
    /// A sender of a random project, without a key.
    pub fn new(url: impl Into<String>) -> Self {
        Self::over(Self::http(), url)
    }

    pub(super) fn http() -> Http {
        Http::new(None)
    }

    pub(super) fn over(http: Http, url: impl Into<String>) -> Self {
        Self {
            http,
            url: url.into(),
            key: None,
            sign_type: SignType::HmacSha256,
            project_id: random_hex(),
            policy: DeliveryPolicy::huaweicloud(),
            clock: Clock::system(),
            dialect: HuaweicloudDialect::default(),
        }
    }

    /// Signs with this key, by HMAC unless [`sign_type`](Self::sign_type) says otherwise.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(Secret::new(key));
        self
    }

    /// How to sign, once there is a key.
    pub fn sign_type(mut self, sign_type: SignType) -> Self {
        self.sign_type = sign_type;
        self
    }

    /// The project whose events these are.
    pub fn project_id(mut self, id: impl Into<String>) -> Self {
        self.project_id = id.into();
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
    pub fn dialect(mut self, dialect: HuaweicloudDialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The callback as it would be sent now, for tests that change it or send it themselves.
    pub fn prepare(&self, event: &HuaweicloudEvent) -> Delivery {
        self.prepare_at(event, self.clock.now())
    }

    /// Sends an event until it is answered or the policy gives up.
    pub async fn send(&self, event: &HuaweicloudEvent) -> DeliveryReport {
        let first = self.clock.now();
        let prepare = || match self.dialect.retry_signature {
            RetrySignature::Kept => self.prepare_at(event, first),
            RetrySignature::Renewed => self.prepare(event),
        };
        self.http.deliver(&self.policy, ("huaweicloud", event.event_type()), prepare).await
    }

    fn prepare_at(&self, event: &HuaweicloudEvent, at: Timestamp) -> Delivery {
        let mut more = self.signature(event, at).unwrap_or_default();
        if event.in_project && event.text("project_id").is_none() {
            more.insert("project_id".to_owned(), self.project_id.as_str().into());
        }
        Delivery {
            url: self.url.clone(),
            // The pages say JSON and name no media type.
            headers: vec![("Content-Type", "application/json".to_owned())],
            body: event.body_with(more).to_string(),
        }
    }

    fn signature(&self, event: &HuaweicloudEvent, at: Timestamp) -> Option<Map<String, Value>> {
        let key = self.key.as_ref()?.expose();
        let lifetime = SignedDuration::from_secs(self.dialect.auth_lifetime_seconds.into());
        let second = at.saturating_add(lifetime).unwrap_or(at).as_second();
        let timestamp = second.to_string();
        let sign = match self.sign_type {
            SignType::Md5 => md5_hex(format!("{key}{timestamp}")),
            SignType::HmacSha256 => hmac_sha256_hex(key, &self.signed_text(event, &timestamp)),
        };
        let timestamp = match self.dialect.auth_timestamp {
            AuthTimestamp::Number => Value::from(second),
            AuthTimestamp::Text => Value::from(timestamp),
        };
        Some(Map::from_iter([
            ("auth_sign".to_owned(), Value::from(sign)),
            ("auth_timestamp".to_owned(), timestamp),
        ]))
    }

    fn signed_text(&self, event: &HuaweicloudEvent, timestamp: &str) -> String {
        let absent = match self.dialect.absent_urls {
            AbsentUrls::Empty => "",
            AbsentUrls::Null => "null",
        };
        let mut text = timestamp.to_owned();
        for (field, otherwise) in [
            ("event_type", ""),
            ("publish_domain", ""),
            ("app", ""),
            ("stream", ""),
            ("download_url", absent),
            ("play_url", absent),
        ] {
            text.push_str(event.text(field).unwrap_or(otherwise));
        }
        text
    }
}

impl fmt::Debug for HuaweicloudSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HuaweicloudSender")
            .field("url", &self.url)
            .field("key", &self.key)
            .field("sign_type", &self.sign_type)
            .field("project_id", &self.project_id)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWNLOAD: &str = "https://obs.cn-north-4.myhuaweicloud.com/live/record-xxxx-mystream-1589967495/\
        record-push.example.com-live-mystream-1589967495.m3u8";
    const PLAY: &str = "https://2-cn-north-4.cdn-vod.huaweicloud.com/asset/1a0d8e9bfae388cxxxxxx21e62aa1e96/\
        55c634374750cexxxxxxc035a26ecfac.m3u8";

    fn sender() -> HuaweicloudSender {
        HuaweicloudSender::new("http://cb.example.com")
            .key("0123456789abcdefghijklmnopqrstuv")
            .clock(Clock::fixed(Timestamp::from_second(1_583_676_745).unwrap()))
    }

    fn body(sender: &HuaweicloudSender, event: &HuaweicloudEvent) -> Value {
        serde_json::from_str(&sender.prepare(event).body).unwrap()
    }

    #[test]
    fn signatures_are_those_of_another_implementation() {
        let at = ("push.example.com", "live", "mystream");
        let complete =
            HuaweicloudEvent::record_file_complete(at.0, at.1, at.2).with("download_url", DOWNLOAD);
        let over = HuaweicloudEvent::record_over(at.0, at.1, at.2);
        let null = HuaweicloudDialect { absent_urls: AbsentUrls::Null, ..Default::default() };
        for (sender, event, expected) in [
            (sender().sign_type(SignType::Md5), &over, "cf2103e51b6a2a22e9bd1db18997820f"),
            (
                sender(),
                &complete.clone().play_url(PLAY),
                "9fa5e93a561ac54b02313e887dba2d2c49c7e5936043b23cf6ca0cc9fb61a967",
            ),
            (sender(), &complete, "ca15f2a796576f42ca229d9bd202f37453164f720e92ea5789e2a37ae42b3c1b"),
            (sender(), &over, "7e1766cd10a5162579988fd5a3565a8ff436c196ab734b8799de8906070c5575"),
            (
                sender().dialect(null),
                &over,
                "f3e33fe37d9dc2c7bb174a2a95fbdfa5fc2d4a94ee1af7f306280871584bf383",
            ),
            (
                sender(),
                &HuaweicloudEvent::record_new_file_start(at.0, at.1, "直播流"),
                "050d3b6a629b86a95441d1d5b01cd32d3d5ddabc997d0d27d7e62bc6cb9d4921",
            ),
        ] {
            assert_eq!(body(&sender, event)["auth_sign"], expected, "{}", event.event_type());
        }
    }

    #[test]
    fn the_timestamp_is_what_the_dialect_says() {
        let event = HuaweicloudEvent::record_over("push.example.com", "live", "mystream");
        assert_eq!(body(&sender(), &event)["auth_timestamp"], 1_583_676_745);
        let dialect = HuaweicloudDialect {
            auth_timestamp: AuthTimestamp::Text,
            auth_lifetime_seconds: 60,
            ..Default::default()
        };
        assert_eq!(body(&sender().dialect(dialect), &event)["auth_timestamp"], "1583676805");
    }

    #[test]
    fn what_is_added_to_a_body() {
        let unsigned = HuaweicloudSender::new("http://cb.example.com").project_id("p");
        let event = HuaweicloudEvent::record_over("push.example.com", "live", "mystream");
        let mut expected = event.body().clone();
        expected["project_id"] = "p".into();
        assert_eq!(body(&unsigned, &event), expected);
        assert_eq!(body(&unsigned, &event.clone().with("project_id", "q"))["project_id"], "q");
        assert!(body(&unsigned, &event.without("project_id")).get("project_id").is_none());

        let odd = HuaweicloudEvent::custom(serde_json::json!(["not", "an object"]));
        assert_eq!(body(&sender(), &odd), *odd.body());
    }
}
