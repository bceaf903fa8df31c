//! Data on stdout, as text or JSON.

use std::fmt;
use std::io::{self, Write};

use comfy_table::{Table, presets};
use record_callback::StoredCallback;
use serde::Serialize;

use crate::args::Format;

/// Prints `data` as one line of JSON, or what `text` makes of it.
pub(crate) fn print<T: Serialize>(format: Format, data: &T, text: impl Fn(&T) -> String) -> io::Result<()> {
    let line = match format {
        Format::Json => serde_json::to_string(data)?,
        Format::Text => text(data),
    };
    writeln!(io::stdout(), "{}", line.trim_end())
}

/// A borderless table under `header`.
pub(crate) fn table<R>(header: &[&str], rows: impl IntoIterator<Item = R>) -> String
where
    R: IntoIterator<Item = String>,
{
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().copied());
    for row in rows {
        table.add_row(row);
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
    rows.map(|(name, value)| format!("{name:<14} {value}")).join("\n")
}

/// Scheme and what is known of the key.
pub(crate) fn signing(stored: &StoredCallback) -> String {
    let scheme = stored.signing.scheme.map_or("disabled".to_owned(), |scheme| scheme.to_string());
    format!("{scheme} (key {})", stored.signing.key)
}
