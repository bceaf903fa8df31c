//! Events as comma-separated values (RFC 4180), one a line.

use record_callback::receiver::InboxEvent;

use crate::output::escaped;

pub(super) const HEADER: &str = "event,received_at,source,kind,domain,app,stream,file_url,file_format,duration_seconds,bytes,\
                                 task_id,scheme,key,signature_reused,conflicts_with";

/// One event, a line without its end.
pub(super) fn line(InboxEvent { sequence, record, .. }: &InboxEvent) -> String {
    let event = &record.event;
    let file = event.file.as_ref();
    let text = |text: Option<&str>| cell(text.unwrap_or_default());
    let number = |number: Option<String>| number.unwrap_or_default();
    let cells = [
        sequence.to_string(),
        record.received_at.to_string(),
        cell(&record.source),
        number(event.kind.as_ref().map(|kind| cell(&kind.to_string()))),
        text(event.domain.as_deref()),
        text(event.app.as_deref()),
        text(event.stream.as_deref()),
        text(file.and_then(|file| file.url.as_deref())),
        text(file.and_then(|file| file.format.as_deref())),
        number(file.and_then(|file| file.duration_seconds).map(|seconds| seconds.to_string())),
        number(file.and_then(|file| file.bytes).map(|bytes| bytes.to_string())),
        text(event.task_id.as_deref()),
        number(record.assurance.scheme.map(|scheme| scheme.to_string())),
        text(record.key.as_deref()),
        record.signature_reused.to_string(),
        text(record.conflicts_with.as_deref()),
    ];
    cells.join(",")
}

/// A text from elsewhere. A spreadsheet would compute what begins with one of these characters.
fn cell(text: &str) -> String {
    let mut text = escaped(text);
    if text.starts_with(['=', '+', '-', '@']) {
        text.insert(0, '\'');
    }
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_a_cell_and_no_formula() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("@a", "'@a"),
            ("-1", "'-1"),
            ("two\nlines", "two\\nlines"),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
