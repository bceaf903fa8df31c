//! One event whole, with what is proven about it in words.

use std::fmt::Write as _;

use record_callback::receiver::InboxEvent;
use record_callback::{EventField, EventFields};
use serde_json::Value;

use super::table::{duration, size};
use crate::output::escaped;

/// The event, a field a line, and then its proof.
pub(super) fn text(event: &InboxEvent) -> serde_json::Result<String> {
    let record = &event.record;
    let value = serde_json::to_value(record)?;
    let mut text = format!("event          {}\n", event.sequence);
    let mut row = |name: &str, value: &str| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{name:<14} {}", escaped(value));
    };
    row("received", &record.received_at.to_string());
    row("source", &record.source);
    for (name, path) in [
        ("vendor", "/vendor"),
        ("kind", "/kind"),
        ("domain", "/domain"),
        ("app", "/app"),
        ("stream", "/stream"),
        ("occurred", "/occurred_at"),
        ("task", "/task_id"),
        ("job", "/job_id"),
        ("error code", "/error/code"),
        ("error", "/error/message"),
        ("file url", "/file/url"),
        ("play url", "/file/play_url"),
        ("file id", "/file/id"),
        ("format", "/file/format"),
        ("started", "/file/started_at"),
        ("ended", "/file/ended_at"),
        ("width", "/file/width"),
        ("height", "/file/height"),
        ("storage", "/file/storage/location"),
        ("bucket", "/file/storage/bucket"),
        ("object", "/file/storage/object"),
        ("arguments", "/push_arguments"),
        ("dedupe key", "/dedupe_key"),
    ] {
        match value.pointer(path) {
            None | Some(Value::Null) => {}
            Some(Value::String(said)) => row(name, said),
            Some(Value::Object(none)) if none.is_empty() => {}
            Some(said) => row(name, &said.to_string()),
        }
    }
    if let Some(file) = &record.event.file {
        if let Some(seconds) = file.duration_seconds {
            row("duration", &format!("{} ({seconds} s)", duration(seconds)));
        }
        if let Some(bytes) = file.bytes {
            row("size", &format!("{} ({bytes} bytes)", size(bytes)));
        }
    }
    // Not the body itself: it may hold a signature that is still valid.
    row("body", &format!("{} bytes; `--output json` has them", record.event.raw.as_bytes().len()));
    Ok(format!("{text}\n{}", proof(event, &value)))
}

fn proof(event: &InboxEvent, value: &Value) -> String {
    let record = &event.record;
    let assurance = &record.assurance;
    // Of the fields this event has.
    let names = |fields: EventFields, between: &str| {
        let there = fields.iter().filter(|field| {
            let found = value.pointer(&format!("/{}", field.as_str().replace('.', "/")));
            found.is_some_and(|said| !said.is_null() && said.as_object().is_none_or(|said| !said.is_empty()))
        });
        there.map(EventField::as_str).collect::<Vec<_>>().join(between)
    };
    let mut lines = Vec::new();
    match assurance.scheme {
        None => lines.push(
            "Unsigned: the source asks for no signature, and anybody who knows its address can have sent this event."
                .to_owned(),
        ),
        Some(scheme) => {
            let key = record.key.as_deref().map(|key| format!(" `{}`", escaped(key))).unwrap_or_default();
            let at = assurance.signed_at.map(|at| format!(" for the time {at}")).unwrap_or_default();
            lines.push(format!("Signed by who knows the key{key}{at} ({scheme})."));
        }
    }
    let (proven, joined) = (names(assurance.proven, ", "), names(assurance.joined, "+"));
    if !proven.is_empty() {
        lines.push(format!("Proven: {proven}. Nobody without the key can have changed these."));
    }
    if !joined.is_empty() {
        lines.push(format!(
            "Joined: {joined}. These are signed as one text without separators; who knows one signed delivery can move \
             the place where one ends and the next begins."
        ));
    }
    let unproven = names(assurance.unproven(), ", ");
    if !unproven.is_empty() {
        let who = if assurance.is_signed() { "Whoever saw one signed delivery" } else { "Anybody" };
        lines.push(format!(
            "Unproven: {unproven}. {who} can send any of these; ask the cloud before you act on them, for example for the \
             file."
        ));
    }
    if let Some(first) = &record.conflicts_with {
        let first = escaped(first);
        lines.push(format!(
            "Conflicts with {first}: event {first} has the same dedupe key and says something else. One of them may be \
             forged; compare both (`events show {first}`) with what the cloud has."
        ));
    }
    if record.signature_reused {
        lines.push(
            "Reused signature: it came before with another body. Clouds that sign no body do so within a second; a \
             forger does so later."
                .to_owned(),
        );
    }
    lines.join("\n")
}
