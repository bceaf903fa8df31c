//! The callbacks Huawei Cloud sends about recordings.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    canonical::encode,
    clock::{self, Clock},
    credentials::random_hex,
};

/// How long a recording is unless the test says otherwise.
const LENGTH: Duration = Duration::from_secs(60);
const OBS_LOCATION: &str = "https://obs.cn-north-4.myhuaweicloud.com";
/// 2 Mbit/s.
const BYTES_PER_SECOND: u64 = 250_000;

/// The body of one recording callback, without the fields of its signature.
///
/// Every event made by a constructor has ids of its own; events about the same file share a [`job_id`](Self::job_id),
/// and those about the same recording a [`task_id`](Self::task_id).
///
/// ```
/// use record_callback_mock::HuaweicloudEvent;
///
/// let event = HuaweicloudEvent::record_over("push.example.com", "live", "stream").task_id("1");
/// assert_eq!(event.body()["event_type"], "RECORD_OVER");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct HuaweicloudEvent {
    body: Value,
    /// Whether the sender adds its project.
    pub(super) in_project: bool,
}

impl HuaweicloudEvent {
    /// `RECORD_START`: a stream began, and so did its recording.
    pub fn record_start(
        domain: impl Into<String>,
        app: impl Into<String>,
        stream: impl Into<String>,
    ) -> Self {
        Self::new("RECORD_START", domain, app, stream)
    }

    /// `RECORD_NEW_FILE_START`: a file was begun.
    pub fn record_new_file_start(
        domain: impl Into<String>,
        app: impl Into<String>,
        stream: impl Into<String>,
    ) -> Self {
        Self::new("RECORD_NEW_FILE_START", domain, app, stream).job_id(Uuid::new_v4().to_string())
    }

    /// `RECORD_FILE_COMPLETE`: a file was written, a minute that ended just now.
    pub fn record_file_complete(
        domain: impl Into<String>,
        app: impl Into<String>,
        stream: impl Into<String>,
    ) -> Self {
        let now = Clock::system().now();
        let start = now.saturating_sub(SignedDuration::from_secs(60)).unwrap_or(now);
        Self::new("RECORD_FILE_COMPLETE", domain, app, stream)
            .job_id(Uuid::new_v4().to_string())
            .with("record_format", "HLS")
            .with("asset_id", random_hex())
            .with("width", 1280)
            .with("height", 720)
            .with("obs_location", OBS_LOCATION)
            .with("obs_bucket", "mock-recordings")
            .recorded(start, LENGTH)
    }

    /// `RECORD_OVER`: the stream was away for too long, and its recording ended.
    pub fn record_over(domain: impl Into<String>, app: impl Into<String>, stream: impl Into<String>) -> Self {
        Self::new("RECORD_OVER", domain, app, stream)
    }

    /// `RECORD_FAILED`: pulling the stream, storing the file or something else failed.
    pub fn record_failed(
        domain: impl Into<String>,
        app: impl Into<String>,
        stream: impl Into<String>,
        error_message: impl Into<String>,
    ) -> Self {
        Self::new("RECORD_FAILED", domain, app, stream).with("error_message", error_message.into())
    }

    /// Any body: a shape no constructor has, or one the vendor would never send. What the mock wants to know of an
    /// event it reads from the texts of the body; signed bodies get the fields of a signature, if they are objects,
    /// and nothing else is added.
    pub fn custom(body: Value) -> Self {
        Self { body, in_project: false }
    }

    fn new(
        event_type: &str,
        domain: impl Into<String>,
        app: impl Into<String>,
        stream: impl Into<String>,
    ) -> Self {
        let body = json!({
            "event_type": event_type,
            "publish_domain": domain.into(),
            "app": app.into(),
            "stream": stream.into(),
        });
        Self { body, in_project: true }.task_id(Uuid::new_v4().to_string())
    }

    /// When and how long was recorded: sets `start_time`, `end_time`, `record_duration`, `file_size`, `obs_object`
    /// and `download_url`.
    pub fn recorded(self, start: Timestamp, length: Duration) -> Self {
        let end = start.saturating_add(length).unwrap_or(start);
        let [domain, app, stream] =
            ["publish_domain", "app", "stream"].map(|field| self.text(field).unwrap_or_default());
        let second = start.as_second();
        let folder = format!("record-{domain}-{stream}-{second}");
        let file = format!("record-{domain}-{app}-{stream}-{second}.m3u8");
        let download_url = [app, &folder, &file].map(encode).join("/");
        let object = format!("{app}/{folder}/{file}");
        self.with("start_time", clock::format(start, clock::EXTENDED))
            .with("end_time", clock::format(end, clock::EXTENDED))
            .with("record_duration", length.as_secs())
            .with("file_size", length.as_secs().saturating_mul(BYTES_PER_SECOND))
            .with("obs_object", object)
            .with("download_url", format!("{OBS_LOCATION}/{download_url}"))
    }

    /// Sets `task_id`, which names a recording.
    pub fn task_id(self, id: impl Into<String>) -> Self {
        self.with("task_id", id.into())
    }

    /// Removes `task_id`, which the pages of 2021 do not have.
    pub fn without_task_id(self) -> Self {
        self.without("task_id")
    }

    /// Sets `job_id`, which names a file.
    pub fn job_id(self, id: impl Into<String>) -> Self {
        self.with("job_id", id.into())
    }

    /// Adds `play_url`, which later pages no longer list, though they sign it.
    pub fn play_url(self, url: impl Into<String>) -> Self {
        self.with("play_url", url.into())
    }

    /// Sets a field of the body, replacing what it was.
    pub fn with(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        if let Some(body) = self.body.as_object_mut() {
            body.insert(field.into(), value.into());
        }
        self
    }

    /// Removes a field of the body; without `project_id`, none is added when the event is sent.
    pub fn without(mut self, field: &str) -> Self {
        self.in_project &= field != "project_id";
        if let Some(body) = self.body.as_object_mut() {
            body.remove(field);
        }
        self
    }

    /// The body as far as it is known before it is sent: `project_id` and the fields of the signature are added then.
    pub fn body(&self) -> &Value {
        &self.body
    }

    /// `event_type`, empty in a body that has none.
    pub fn event_type(&self) -> &str {
        self.text("event_type").unwrap_or_default()
    }

    /// A text of the body.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field)?.as_str()
    }

    /// The body, with `more` added if it is an object.
    pub(super) fn body_with(&self, more: Map<String, Value>) -> Value {
        let mut body = self.body.clone();
        if let Some(body) = body.as_object_mut() {
            body.extend(more);
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: (&str, &str, &str) = ("push.example.com", "live", "直播流");

    #[test]
    fn a_complete_file_has_the_documented_fields() {
        let event = HuaweicloudEvent::record_file_complete(AT.0, AT.1, AT.2)
            .recorded("2020-03-08T14:10:25Z".parse().unwrap(), Duration::from_secs(120))
            .with("asset_id", "1a0d")
            .job_id("dc0a")
            .task_id("5112");
        assert_eq!(
            *event.body(),
            json!({
                "event_type": "RECORD_FILE_COMPLETE", "publish_domain": AT.0, "app": AT.1, "stream": AT.2,
                "job_id": "dc0a", "task_id": "5112", "record_format": "HLS", "asset_id": "1a0d",
                "file_size": 30_000_000, "record_duration": 120,
                "start_time": "2020-03-08T14:10:25Z", "end_time": "2020-03-08T14:12:25Z",
                "width": 1280, "height": 720,
                "obs_location": "https://obs.cn-north-4.myhuaweicloud.com", "obs_bucket": "mock-recordings",
                "obs_object": "live/record-push.example.com-直播流-1583676625/\
                    record-push.example.com-live-直播流-1583676625.m3u8",
                "download_url": "https://obs.cn-north-4.myhuaweicloud.com/live/\
                    record-push.example.com-%E7%9B%B4%E6%92%AD%E6%B5%81-1583676625/\
                    record-push.example.com-live-%E7%9B%B4%E6%92%AD%E6%B5%81-1583676625.m3u8",
            })
        );
    }

    #[test]
    fn other_events_have_what_they_are_documented_with() {
        let event = |event: HuaweicloudEvent| {
            let fields = event.body().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            (event.event_type().to_owned(), fields.join(" "))
        };
        let expected = |name: &str, fields: &str| (name.to_owned(), fields.to_owned());
        assert_eq!(
            event(HuaweicloudEvent::record_start(AT.0, AT.1, AT.2)),
            expected("RECORD_START", "app event_type publish_domain stream task_id")
        );
        assert_eq!(
            event(HuaweicloudEvent::record_new_file_start(AT.0, AT.1, AT.2)),
            expected("RECORD_NEW_FILE_START", "app event_type job_id publish_domain stream task_id")
        );
        assert_eq!(
            event(HuaweicloudEvent::record_over(AT.0, AT.1, AT.2).without_task_id()),
            expected("RECORD_OVER", "app event_type publish_domain stream")
        );
        assert_eq!(
            event(HuaweicloudEvent::record_failed(AT.0, AT.1, AT.2, "pull failed")),
            expected("RECORD_FAILED", "app error_message event_type publish_domain stream task_id")
        );
    }

    #[test]
    fn events_do_not_share_ids_by_themselves() {
        let event = || HuaweicloudEvent::record_new_file_start(AT.0, AT.1, AT.2);
        let (one, two) = (event(), event());
        for field in ["job_id", "task_id"] {
            assert_ne!(one.body()[field], two.body()[field], "{field}");
        }
    }
}
