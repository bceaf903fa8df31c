//! Data on stdout, as text or JSON.
//!
//! Whatever is from elsewhere goes through [`one_line`] on its way into a text: tables and details do it cell by cell.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, Write};

use comfy_table::{Table, presets};
use record_callback::receiver::EventRecord;
use record_callback::text::{needs_escaping, one_line};
use record_callback::{Assurance, EventField, EventFields, StoredCallback, StoredKey};
use serde::Serialize;

use crate::args::Format;

/// Prints `data` as one line of JSON, or what `text` makes of it, with its colours where they are seen.
pub(crate) fn print<T: Serialize>(format: Format, data: &T, text: impl Fn(&T) -> String) -> io::Result<()> {
    let line = match format {
        Format::Json => json(data)?,
        Format::Text => text(data),
    };
    writeln!(anstream::stdout(), "{}", line.trim_end())
}

/// One line of JSON in which nothing acts on a terminal either: what a text would have escaped is `\u…` here.
pub(crate) fn json<T: Serialize>(data: &T) -> io::Result<String> {
    let line = serde_json::to_string(data)?;
    if !line.contains(needs_escaping) {
        return Ok(line);
    }
    // Outside of strings JSON is ASCII, and this is one line of it.
    let mut escaped = String::with_capacity(line.len() + 16);
    for c in line.chars() {
        if needs_escaping(c) {
            escaped.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            escaped.push(c);
        }
    }
    Ok(escaped)
}

/// Tells something on stderr that is no data, with its colours where they are seen.
pub(crate) fn complain(line: &str) -> io::Result<()> {
    writeln!(anstream::stderr(), "{line}")
}

/// Something from elsewhere, for a text.
pub(crate) fn escaped<T: fmt::Display + ?Sized>(value: &T) -> String {
    one_line(&value.to_string()).into_owned()
}

/// An error and its causes in one line.
pub(crate) fn causes(error: &dyn StdError) -> String {
    let mut text = escaped(&error);
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {}", escaped(&cause));
        source = cause.source();
    }
    text
}

/// Prints the one line that says a server can be called.
pub(crate) fn ready<T: Serialize>(line: &T) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", json(line)?)?;
    stdout.flush()
}

/// A borderless table under `header`; without one if it is empty.
pub(crate) fn table<R>(header: &[&str], rows: impl IntoIterator<Item = R>) -> String
where
    R: IntoIterator<Item = String>,
{
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if !header.is_empty() {
        // An empty one would be an empty line.
        table.set_header(header.iter().copied());
    }
    for row in rows {
        table.add_row(row.into_iter().map(|cell| one_line(&cell).into_owned()));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// One config, a field a line.
pub(crate) fn details(stored: &StoredCallback) -> String {
    let optional = |value: Option<&dyn fmt::Display>| value.map_or("-".to_owned(), ToString::to_string);
    let rows = [
        ("domain", stored.key.domain.to_string()),
        ("app", stored.key.app.to_string()),
        ("id", optional(stored.id.as_ref().map(|id| id as _))),
        ("notify url", optional(stored.notify_url.as_ref().map(|url| url as _))),
        ("on-demand url", optional(stored.on_demand_url.as_ref().map(|url| url as _))),
        ("events", stored.events.to_string()),
        ("signing", signing(stored)),
        ("created", optional(stored.created_at.as_ref().map(|time| time as _))),
        ("updated", optional(stored.updated_at.as_ref().map(|time| time as _))),
    ];
    rows.map(|(name, value)| format!("{name:<14} {}", one_line(&value))).join("\n")
}

/// Scheme and what is known of the key.
pub(crate) fn signing(stored: &StoredCallback) -> String {
    let scheme = stored.signing.scheme.map_or("disabled".to_owned(), |scheme| scheme.to_string());
    match stored.signing.key {
        // Of a config that was never signed, the cloud says the same.
        StoredKey::Hidden => format!("{scheme} or unsigned (key hidden)"),
        StoredKey::Known(_) | StoredKey::NotSet => format!("{scheme} (key {})", stored.signing.key),
    }
}

/// Over the columns of [`event`].
pub(crate) const EVENT_HEADER: [&str; 8] =
    ["EVENT", "RECEIVED", "SOURCE", "KIND", "DOMAIN", "APP", "STREAM", "PROVEN"];

/// One event, a row.
pub(crate) fn event(number: u64, record: &EventRecord) -> [String; 8] {
    let event = &record.event;
    let optional = |text: &Option<String>| text.as_deref().unwrap_or("-").to_owned();
    [
        number.to_string(),
        record.received_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        record.source.clone(),
        event.kind.as_ref().map_or("-".to_owned(), ToString::to_string),
        optional(&event.domain),
        optional(&event.app),
        optional(&event.stream),
        proven(&record.assurance),
    ]
}

/// Fields that are only proven joined have a `+` between them.
pub(crate) fn proven(assurance: &Assurance) -> String {
    let Some(scheme) = assurance.scheme else { return "nothing (unsigned)".to_owned() };
    let names = |fields: EventFields| fields.iter().map(EventField::as_str).collect::<Vec<_>>();
    let mut proven = names(assurance.proven);
    let joined = names(assurance.joined).join("+");
    proven.extend((!joined.is_empty()).then_some(joined.as_str()));
    if proven.is_empty() {
        proven.push("sender");
    }
    format!("{} ({scheme})", proven.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_acts_on_no_terminal_and_reads_back_the_same() {
        let odd = serde_json::json!({ "a\u{202e}": "\u{e0041}\u{9b}\u{2028}\n😀é" });
        let line = json(&odd).unwrap();
        assert_eq!(line, r#"{"a\u202e":"\udb40\udc41\u009b\u2028\n😀é"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), odd);
    }

    #[test]
    fn a_cell_is_a_cell_whatever_is_in_it() {
        let table = table(&["A", "B"], [["a\nb  c".to_owned(), "\u{1b}[31m".to_owned()]]);
        assert_eq!(table.lines().count(), 2, "{table}");
        assert!(table.contains(r"a\nb  c") && table.contains(r"\u{1b}[31m"), "{table}");
    }
}
