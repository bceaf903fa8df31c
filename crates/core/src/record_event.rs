use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dedupe::DedupeKey;
use crate::event::EventKind;
use crate::provider::Vendor;

/// One event of a recording, the same for every cloud.
///
/// A field is `None` when the cloud did not send it, or sent something that makes no sense; [`raw`](Self::raw) has
/// everything as it came. Names are the cloud's, unchecked. Which fields are proven to be the cloud's own is in
/// [`Assurance`](crate::Assurance).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordEvent {
    /// The vendor whose cloud sent it, as configs spell it.
    pub vendor: Cow<'static, str>,
    /// What happened. `None`: nobody knows, the body is of no shape this version understands.
    pub kind: Option<EventKind>,
    /// The domain, streaming or ingest ([`Capabilities::domain_role`](crate::Capabilities::domain_role)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// When it happened, by the cloud's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// The recording task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// The file within the task, the same when it is begun and when it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RecordingError>,
    /// The recorded file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<RecordedFile>,
    /// What the publisher put into the ingest URL for callbacks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub push_arguments: BTreeMap<String, String>,
    /// What tells this event from others. `None` when nothing in the delivery does: such an event is new each time it
    /// comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe_key: Option<DedupeKey>,
    /// The body as it was received.
    pub raw: RawBody,
}

impl RecordEvent {
    /// An event of which nothing but the body is known.
    pub fn new(vendor: Vendor, raw: RawBody) -> Self {
        Self {
            vendor: Cow::Borrowed(vendor.as_str()),
            kind: None,
            domain: None,
            app: None,
            stream: None,
            occurred_at: None,
            task_id: None,
            job_id: None,
            error: None,
            file: None,
            push_arguments: BTreeMap::new(),
            dedupe_key: None,
            raw,
        }
    }
}

/// Why a recording or its conversion failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordingError {
    /// The vendor's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The vendor's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A recorded file, as far as the cloud describes it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedFile {
    /// Where it can be downloaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where it can be played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub play_url: Option<String>,
    /// The vendor's id of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The container: `flv`, `mp4`, `hls`; another word of the vendor in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Length of the recording in seconds. Need not be the time between start and end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// When the recording of this file began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Width of the picture in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height of the picture in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Where it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
}

/// A place in the vendor's object storage.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Storage {
    /// The storage service's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// The object's path in the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}

/// A body as it was received.
///
/// Serialised as text, or as `{"base64": "…"}` when it is not UTF-8.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RawBody(Bytes);

impl RawBody {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Bytes> for RawBody {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for RawBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawForm {
    Text(String),
    Binary { base64: String },
}

impl Serialize for RawBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Binary {
            base64: String,
        }
        match str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Binary { base64: BASE64_STANDARD.encode(&self.0) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for RawBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = match RawForm::deserialize(deserializer)? {
            RawForm::Text(text) => text.into_bytes(),
            RawForm::Binary { base64 } => BASE64_STANDARD.decode(base64).map_err(serde::de::Error::custom)?,
        };
        Ok(Self(bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_body_is_written_and_read_back_byte_for_byte() {
        for body in [&b""[..], b"{\"a\": \"\\u0026\"}", "录制".as_bytes(), &[0xff, 0, 0x80]] {
            let mut event =
                RecordEvent::new(Vendor::new("acme"), RawBody::from(Bytes::copy_from_slice(body)));
            event.dedupe_key = Some(DedupeKey::of([Some("x")]));
            event.file = Some(RecordedFile { duration_seconds: Some(69.403), ..RecordedFile::default() });
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<RecordEvent>(&json).unwrap(), event, "{json}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_written_but_the_kind() {
        let event = RecordEvent::new(Vendor::new("acme"), RawBody::from(Bytes::from_static(b"?")));
        assert_eq!(serde_json::to_string(&event).unwrap(), r#"{"vendor":"acme","kind":null,"raw":"?"}"#);
    }
}
