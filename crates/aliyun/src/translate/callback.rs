//! What Live sends, in neutral words.

use jiff::Timestamp;
use record_callback_core::{
    DedupeKey, EventKind, RawBody, RecordEvent, RecordedFile, RecordingError, Storage,
};

use super::delivered_kind;
use crate::VENDOR;
use crate::wire::callback::{Body, time};

/// The event `body` tells of, which was signed at `signed_at`, if it is proven.
pub(crate) fn event(body: Body<'_>, raw: RawBody, signed_at: Option<Timestamp>) -> RecordEvent {
    let kind = match body.event.get() {
        Some(name) => delivered_kind(name),
        None => body.uri.get().map(|_| EventKind::FileCompleted),
    };
    let dedupe_key = dedupe_key(&body, kind.as_ref(), &raw, signed_at);
    let mut event = RecordEvent::new(VENDOR, raw);
    event.kind = kind;
    event.dedupe_key = dedupe_key;

    let file_info = body.file_info.into_inner();
    let mut file = RecordedFile::default();
    if let Some(uri) = body.uri.into_owned().or(file_info.uri.into_owned()) {
        file.format = format(&uri);
        let mut storage = Storage::default();
        storage.object = Some(uri);
        file.storage = Some(storage);
    }
    file.duration_seconds = body.duration.duration();
    file.started_at = time(body.start_time).or(time(file_info.start_time));
    file.ended_at = time(body.stop_time).or(time(file_info.stop_time));
    event.file = (file != RecordedFile::default()).then_some(file);

    let error_info = body.error_info.into_inner();
    let mut error = RecordingError::default();
    error.code = error_info.code.get().map(str::to_owned);
    error.message = error_info.message.into_owned();
    event.error = (error != RecordingError::default()).then_some(error);

    event.domain = body.domain.into_owned();
    event.app = body.app.into_owned();
    event.stream = body.stream.into_owned();
    event.occurred_at = time(body.time);
    event.push_arguments = body.push_args.into_inner().0;
    event
}

/// The container, by the extension of the object's name.
fn format(uri: &str) -> Option<String> {
    let (_, extension) = uri.rsplit('/').next()?.rsplit_once('.')?;
    let is_word = !extension.is_empty() && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let extension = is_word.then(|| extension.to_ascii_lowercase())?;
    Some(if extension == "m3u8" { "hls".to_owned() } else { extension })
}

/// What tells the event from others. The vendor has no ids. Whether a delivery that is tried again is signed anew is
/// UNVERIFIED: the signed time counts only where there is nothing better, and better one event twice than two as one.
fn dedupe_key(
    body: &Body<'_>,
    kind: Option<&EventKind>,
    raw: &RawBody,
    signed_at: Option<Timestamp>,
) -> Option<DedupeKey> {
    let vendor = Some(VENDOR.as_str());
    let signed_at = signed_at.map(|time| time.as_second().to_string());
    let signed_at = signed_at.as_deref();
    let (domain, app, stream, uri) = (body.domain.get(), body.app.get(), body.stream.get(), body.uri.get());
    let (started, stopped) = (body.start_time.get(), body.stop_time.get());
    match (kind, body.event.get(), body.time.get()) {
        (Some(_), None, _) => {
            uri?;
            Some(DedupeKey::of([vendor, Some("file"), domain, app, stream, uri, started, stopped]))
        }
        (Some(_), Some(name), Some(time)) => {
            // Two files or errors of one moment are two events.
            let (error, file) = (&*body.error_info, &*body.file_info);
            Some(DedupeKey::of([
                vendor,
                Some("status"),
                Some(name),
                domain,
                app,
                stream,
                Some(time),
                error.code.get(),
                error.message.get(),
                uri.or(file.uri.get()),
                started.or(file.start_time.get()),
                stopped.or(file.stop_time.get()),
            ]))
        }
        // Signed times are whole seconds: all of the body has to tell two events of one second from each other.
        (None, ..) | (Some(_), Some(_), None) => {
            let raw = str::from_utf8(raw.as_bytes()).ok()?;
            signed_at?;
            Some(DedupeKey::of([vendor, Some("raw"), Some(raw), signed_at]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_extension_if_there_is_one() {
        for (uri, expected) in [
            ("app1/s1/0_2017-03-08-23:09:46.flv", Some("flv")),
            ("app1/s.1/A.MP4", Some("mp4")),
            ("a/b.m3u8", Some("hls")),
            ("app.1/s1", None),
            ("a/b.", None),
            ("a/b.c d", None),
        ] {
            assert_eq!(format(uri).as_deref(), expected, "{uri}");
        }
    }
}
