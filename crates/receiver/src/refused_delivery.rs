//! A delivery that was refused, as it is kept for people to look at.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use record_callback_core::{Delivery, RawBody, Timestamp};
use serde::{Deserialize, Serialize};

use crate::delivery_log::AnsweredDelivery;

/// Paths are strangers' text.
const MAX_PATH: usize = 256;
/// Nothing needs them to explain a delivery.
const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// A delivery that was refused. `Debug` shows neither the values of headers nor the body: both may have a signature that
/// is still accepted.
#[derive(Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RefusedDelivery {
    /// The id in the answer.
    pub id: String,
    /// The time at which it arrived.
    pub received_at: Timestamp,
    /// The name of the source it came to. `None`: no source has its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The address of the sender, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<IpAddr>,
    /// The request's method.
    pub method: String,
    /// The request's path, at most 256 characters of it.
    pub path: String,
    /// The status it was answered with.
    pub status: u16,
    /// The word in the answer's body.
    pub reason: String,
    /// More about it, in a sentence.
    #[serde(default)]
    pub problem: String,
    /// The time from its headers to its answer, in microseconds.
    pub took_us: u64,
    /// The request's headers, as they came; without credentials.
    pub headers: Vec<(String, String)>,
    /// The request's body, as it came. Empty where it was not read to its end.
    pub body: RawBody,
}

impl RefusedDelivery {
    pub(crate) fn of(delivery: &AnsweredDelivery<'_>) -> Self {
        let value = |name: &HeaderName, value: &HeaderValue| {
            let is_credential = CREDENTIALS.contains(&name.as_str());
            let shown = String::from_utf8_lossy(value.as_bytes());
            (
                name.as_str().to_owned(),
                if is_credential { "[redacted]".to_owned() } else { shown.into_owned() },
            )
        };
        Self {
            id: delivery.request_id.to_owned(),
            received_at: delivery.received_at,
            source: delivery.source.map(str::to_owned),
            sender: delivery.sender,
            method: delivery.method.to_string(),
            path: delivery.path.chars().take(MAX_PATH).collect(),
            status: delivery.status,
            reason: delivery.reason.unwrap_or_default().to_owned(),
            problem: delivery.problem.to_owned(),
            took_us: u64::try_from(delivery.took.as_micros()).unwrap_or(u64::MAX),
            headers: delivery.headers.iter().map(|(name, held)| value(name, held)).collect(),
            body: RawBody::from(delivery.body.clone()),
        }
    }

    /// Hands it to `look` as it arrived, to be verified again.
    pub fn replayed<T>(&self, look: impl FnOnce(&Delivery<'_>) -> T) -> T {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        }
        let body = Bytes::copy_from_slice(self.body.as_bytes());
        look(&Delivery { headers: &headers, body: &body, received_at: self.received_at })
    }
}

impl fmt::Debug for RefusedDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefusedDelivery")
            .field("id", &self.id)
            .field("received_at", &self.received_at)
            .field("source", &self.source)
            .field("status", &self.status)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
