//! The callbacks Aliyun sends about recordings.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, tz::Offset};
use serde_json::{Map, Value, json};

use crate::clock::{self, Clock};

/// How long a recording is unless the test says otherwise.
const LENGTH: Duration = Duration::from_secs(60);

/// The body of one recording callback.
///
/// ```
/// use record_callback_mock::AliyunEvent;
///
/// let event = AliyunEvent::file("live.example.com", "app", "stream").push_arg("callback_user", "42");
/// assert_eq!(event.body()["push_args"]["callback_user"], "42");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct AliyunEvent(Value);

impl AliyunEvent {
    /// A file was written: a minute that ended just now, in a file of its own. This is the one event without a name
    /// in its body.
    pub fn file(domain: impl Into<String>, app: impl Into<String>, stream: impl Into<String>) -> Self {
        Self(identity(domain, app, stream)).recorded(a_minute_ago(), LENGTH)
    }

    /// Recording began.
    pub fn record_started(
        domain: impl Into<String>,
        app: impl Into<String>,
        stream: impl Into<String>,
    ) -> Self {
        Self::status("record_started", domain, app, stream)
    }

    /// Recording paused.
    pub fn record_paused(
        domain: impl Into<String>,
        app: impl Into<String>,
        stream: impl Into<String>,
    ) -> Self {
        Self::status("record_paused", domain, app, stream)
    }

    /// Recording went on.
    pub fn record_resumed(
        domain: impl Into<String>,
        app: impl Into<String>,
        stream: impl Into<String>,
    ) -> Self {
        Self::status("record_resumed", domain, app, stream)
    }

    /// Recording failed. The shape of `error_info` is from the vendor's diagnosis tool, not from its reference.
    pub fn record_error(
        domain: impl Into<String>,
        app: impl Into<String>,
        stream: impl Into<String>,
        code: &str,
        message: &str,
    ) -> Self {
        Self::status("record_error", domain, app, stream)
            .with("error_info", json!({ "code": code, "message": message }))
    }

    /// A file could not be converted. The shapes of `error_info` and `file_info` are from the vendor's diagnosis
    /// tool, not from its reference; that the times are numbers as in file events is UNVERIFIED.
    pub fn transformat_error(
        domain: impl Into<String>,
        app: impl Into<String>,
        stream: impl Into<String>,
        code: &str,
        message: &str,
    ) -> Self {
        let event = Self::status("transformat_error", domain, app, stream);
        let (start, stop) = span(a_minute_ago(), LENGTH);
        let file = json!({
            "uri": event.uri(start, stop),
            "start_time": start.as_second(),
            "stop_time": stop.as_second(),
        });
        event.with("error_info", json!({ "code": code, "message": message })).with("file_info", file)
    }

    /// Forced transcoding of a recording failed.
    pub fn record_force_transcode_fail(
        domain: impl Into<String>,
        app: impl Into<String>,
        stream: impl Into<String>,
    ) -> Self {
        Self::status("record_force_transcode_fail", domain, app, stream)
    }

    /// A status event of any name.
    pub fn status(
        event: impl Into<String>,
        domain: impl Into<String>,
        app: impl Into<String>,
        stream: impl Into<String>,
    ) -> Self {
        Self(identity(domain, app, stream)).with("event", event.into())
    }

    /// Any body: a shape no constructor has, or one the vendor would never send. What the mock wants to know of an
    /// event it reads from the texts `domain`, `app`, `stream` and `event` of the body.
    pub fn custom(body: Value) -> Self {
        Self(body)
    }

    /// When and how long was recorded: sets `start_time`, `stop_time`, `duration` and a new `uri`, whose name has
    /// the times as China's clocks show them.
    pub fn recorded(self, start: Timestamp, length: Duration) -> Self {
        let (start, stop) = span(start, length);
        let uri = self.uri(start, stop);
        self.with("uri", uri)
            .with("duration", length.as_secs_f64())
            .with("start_time", start.as_second())
            .with("stop_time", stop.as_second())
    }

    /// A parameter of the URL the stream is ingested with. As in the cloud, only names that start with `callback_`
    /// reach the body, and only the first value of each.
    pub fn push_arg(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        if name.starts_with("callback_")
            && let Some(body) = self.0.as_object_mut()
        {
            let args = body.entry("push_args").or_insert_with(|| json!({}));
            if let Some(args) = args.as_object_mut() {
                args.entry(name).or_insert_with(|| Value::String(value.into()));
            }
        }
        self
    }

    /// Adds `time`, which the vendor's diagnosis tool shows in status events and the reference does not.
    pub fn time(self, at: Timestamp) -> Self {
        self.with("time", clock::format(at, clock::EXTENDED))
    }

    /// Sets a field of the body, replacing what it was.
    pub fn with(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        if let Some(body) = self.0.as_object_mut() {
            body.insert(field.into(), value.into());
        }
        self
    }

    /// Removes a field of the body.
    pub fn without(mut self, field: &str) -> Self {
        if let Some(body) = self.0.as_object_mut() {
            body.remove(field);
        }
        self
    }

    /// The body as it is sent.
    pub fn body(&self) -> &Value {
        &self.0
    }

    /// What the delivery log calls the event: its name, or `file_created`.
    pub fn notify_type(&self) -> &str {
        self.text("event").unwrap_or("file_created")
    }

    pub(super) fn is_status(&self) -> bool {
        self.text("event").is_some()
    }

    /// A text of the body.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.as_str()
    }

    /// An object path no other event of this process has.
    fn uri(&self, start: Timestamp, stop: Timestamp) -> String {
        static FILES: AtomicU64 = AtomicU64::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let (app, stream) = (self.text("app").unwrap_or_default(), self.text("stream").unwrap_or_default());
        let shown = |at| Offset::constant(8).to_datetime(at).strftime("%Y-%m-%d-%H:%M:%S").to_string();
        format!("record/{app}/{stream}/{number}_{}_{}.flv", shown(start), shown(stop))
    }
}

fn identity(domain: impl Into<String>, app: impl Into<String>, stream: impl Into<String>) -> Value {
    let fields = [("domain", domain.into()), ("app", app.into()), ("stream", stream.into())];
    Value::Object(Map::from_iter(fields.map(|(name, value)| (name.to_owned(), Value::String(value)))))
}

fn a_minute_ago() -> Timestamp {
    let now = Clock::system().now();
    now.saturating_sub(SignedDuration::from_secs(60)).unwrap_or(now)
}

fn span(start: Timestamp, length: Duration) -> (Timestamp, Timestamp) {
    (start, start.saturating_add(length).unwrap_or(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> AliyunEvent {
        AliyunEvent::file("live.example.com", "app1", "s1")
            .recorded(Timestamp::from_second(1_488_985_786).unwrap(), Duration::from_millis(54_403))
    }

    #[test]
    fn a_file_event_has_the_documented_fields_and_no_name() {
        let event = file()
            .push_arg("callback_myid", "1231389741")
            .push_arg("callback_myid", "the second value is not sent")
            .push_arg("other", "nor are other names");
        let mut body = event.body().clone();
        let uri = body["uri"].take();
        let uri = uri.as_str().unwrap();
        assert!(uri.starts_with("record/app1/s1/"), "{uri}");
        assert!(uri.ends_with("_2017-03-08-23:09:46_2017-03-08-23:10:40.flv"), "{uri}");
        assert_eq!(
            body,
            json!({
                "domain": "live.example.com", "app": "app1", "stream": "s1", "uri": null, "duration": 54.403,
                "start_time": 1_488_985_786, "stop_time": 1_488_985_840,
                "push_args": { "callback_myid": "1231389741" },
            })
        );
        assert_eq!((event.notify_type(), event.is_status()), ("file_created", false));
        assert_ne!(file().body()["uri"], uri);
    }

    #[test]
    fn status_events_are_named() {
        let at = ("live.example.com", "app1", "s1");
        let event = AliyunEvent::record_error(at.0, at.1, at.2, "BucketNotFound", "Bucket not found")
            .time("2026-01-02T03:04:05Z".parse().unwrap());
        assert_eq!(
            *event.body(),
            json!({
                "domain": at.0, "app": at.1, "stream": at.2, "event": "record_error",
                "time": "2026-01-02T03:04:05Z",
                "error_info": { "code": "BucketNotFound", "message": "Bucket not found" },
            })
        );
        for (event, name) in [
            (AliyunEvent::record_started(at.0, at.1, at.2), "record_started"),
            (AliyunEvent::record_paused(at.0, at.1, at.2), "record_paused"),
            (AliyunEvent::record_resumed(at.0, at.1, at.2), "record_resumed"),
            (AliyunEvent::transformat_error(at.0, at.1, at.2, "c", "m"), "transformat_error"),
            (AliyunEvent::record_force_transcode_fail(at.0, at.1, at.2), "record_force_transcode_fail"),
        ] {
            assert_eq!((event.notify_type(), event.is_status()), (name, true));
            let file_info = &event.body()["file_info"];
            assert_eq!(file_info["uri"].is_string(), name == "transformat_error");
        }
    }

    #[test]
    fn a_custom_body_stays_as_it_is() {
        for body in [json!([1, "two"]), json!({ "Domain": "d" })] {
            assert_eq!(*AliyunEvent::custom(body.clone()).without("absent").body(), body);
        }
        assert_eq!(
            *AliyunEvent::custom(json!("text")).with("a", 1).push_arg("callback_a", "b").body(),
            "text"
        );
    }
}
