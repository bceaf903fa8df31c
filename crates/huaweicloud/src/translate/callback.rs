//! What Live sends, in neutral words.

use record_callback_core::{
    DedupeKey, EventKind, RawBody, RecordEvent, RecordedFile, RecordingError, Storage,
};

use super::delivered_kind;
use record_callback_http::lenient::Text;

use crate::VENDOR;
use crate::wire::callback::Body;

/// The event `body` tells of. `signed_time` is the signed time as written, if it is proven.
pub(crate) fn event(body: Body<'_>, raw: RawBody, signed_time: Option<&str>) -> RecordEvent {
    let mut event = RecordEvent::new(VENDOR, raw);
    event.kind = body.event_type.get().and_then(delivered_kind);
    event.dedupe_key = match &event.kind {
        Some(kind) => dedupe_key(&body, kind, signed_time),
        None => raw_key(&event.raw, signed_time),
    };

    let mut file = RecordedFile::default();
    file.format = body.record_format.into_owned().map(|mut format| {
        format.make_ascii_lowercase();
        format
    });
    file.url = body.download_url.into_owned();
    file.play_url = body.play_url.into_owned();
    file.id = body.asset_id.into_owned();
    file.bytes = body.file_size.number();
    file.duration_seconds = body.record_duration.duration();
    file.started_at = time(&body.start_time);
    file.ended_at = time(&body.end_time);
    file.width = body.width.number();
    file.height = body.height.number();
    let mut storage = Storage::default();
    storage.location = body.obs_location.into_owned();
    storage.bucket = body.obs_bucket.into_owned();
    storage.object = body.obs_object.into_owned();
    file.storage = (storage != Storage::default()).then_some(storage);
    event.file = (file != RecordedFile::default()).then_some(file);

    event.domain = body.publish_domain.into_owned();
    event.app = body.app.into_owned();
    event.stream = body.stream.into_owned();
    event.task_id = body.task_id.into_owned();
    event.job_id = body.job_id.into_owned();
    event.error = body.error_message.into_owned().map(|message| {
        let mut error = RecordingError::default();
        error.message = Some(message);
        error
    });
    event
}

/// What nobody understands is told from others by all of it.
fn raw_key(raw: &RawBody, signed_time: Option<&str>) -> Option<DedupeKey> {
    let raw = str::from_utf8(raw.as_bytes()).ok()?;
    signed_time?;
    Some(DedupeKey::of([Some(VENDOR.as_str()), Some("raw"), Some(raw), signed_time]))
}

fn time(text: &Text<'_>) -> Option<jiff::Timestamp> {
    text.get()?.parse().ok()
}

/// What tells the event from others: ids where they tell enough, else all there is and the signed time. Whether a
/// delivery that is tried again is signed anew is UNVERIFIED: better one event twice than two as one.
fn dedupe_key(body: &Body<'_>, kind: &EventKind, signed_time: Option<&str>) -> Option<DedupeKey> {
    // The vendor's name: a later version may know a neutral one for it, and the key must stay.
    let name = body.event_type.get();
    let (project, task, job) = (body.project_id.get(), body.task_id.get(), body.job_id.get());
    let (domain, app, stream) = (body.publish_domain.get(), body.app.get(), body.stream.get());
    let vendor = Some(VENDOR.as_str());
    let is_file = matches!(kind, EventKind::FileStarted | EventKind::FileCompleted);
    let is_task = matches!(kind, EventKind::RecordingStarted | EventKind::RecordingEnded);
    let (url, play_url, error) = (body.download_url.get(), body.play_url.get(), body.error_message.get());
    // A file begins once and is completed once. The ids are not signed: what is has to be the same, too.
    if is_file && job.is_some() {
        let parts = [project, task, job, domain, app, stream, url, play_url];
        return Some(DedupeKey::of([vendor, Some("job"), name].into_iter().chain(parts)));
    }
    // That a task begins once and ends once is UNVERIFIED.
    if is_task && task.is_some() {
        return Some(DedupeKey::of([vendor, Some("task"), name, project, task, domain, app, stream]));
    }
    let (started, ended) = (body.start_time.get(), body.end_time.get());
    // A file's times tell it from others. A failure has none and may come again, with the same text.
    let by_times = is_file && started.is_some();
    (by_times || signed_time.is_some()).then(|| {
        let parts =
            [project, task, job, domain, app, stream, url, play_url, started, ended, error, signed_time];
        DedupeKey::of([vendor, Some("all"), name].into_iter().chain(parts))
    })
}
