//! Text to put into manifests.

use std::ops::Range;

use serde::Serialize;

use super::Declaration;
use super::read::{CALLBACK, ManifestFormat};

/// Writes values into a text in its own style. What cannot be written at all, such as a path that is not text,
/// is `None`.
#[derive(Clone, Copy)]
pub(super) struct Style<'t> {
    text: &'t str,
    format: ManifestFormat,
    newline: &'static str,
}

impl<'t> Style<'t> {
    pub(super) fn of(text: &'t str, format: ManifestFormat) -> Self {
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        Self { text, format, newline }
    }

    /// A value in one line.
    pub(super) fn value(self, value: &impl Serialize) -> Option<String> {
        match self.format {
            ManifestFormat::Toml => Some(toml::Value::try_from(value).ok()?.to_string()),
            ManifestFormat::Json => serde_json::to_string(value).ok(),
        }
    }

    /// A key with its value.
    pub(super) fn pair(self, key: &str, value: &str) -> String {
        match self.format {
            ManifestFormat::Toml => format!("{key} = {value}"),
            ManifestFormat::Json => format!("\"{key}\": {value}"),
        }
    }

    /// A callback in one line.
    pub(super) fn line(self, callback: &Declaration) -> Option<String> {
        match self.format {
            ManifestFormat::Toml => Some(format!("{{ {} }}", toml_pairs(callback)?.join(", "))),
            ManifestFormat::Json => serde_json::to_string(callback).ok(),
        }
    }

    /// The text with callbacks at its end, each under a TOML header.
    pub(super) fn with_blocks(self, callbacks: &[Declaration]) -> Option<String> {
        let mut result = self.text.to_owned();
        if !result.is_empty() && !result.ends_with('\n') {
            result.push_str(self.newline);
        }
        for callback in callbacks {
            if !result.is_empty() {
                result.push_str(self.newline);
            }
            let lines = toml_pairs(callback)?.join(self.newline);
            result.extend(["[[callbacks]]", self.newline, &lines, self.newline]);
        }
        Some(result)
    }

    /// What comes before an item: a line break and the indent, if items have lines of their own.
    pub(super) fn gap(self, indent: Option<&str>) -> String {
        indent.map_or_else(|| " ".to_owned(), |indent| format!("{}{indent}", self.newline))
    }

    /// A callback as an item of an array, over several lines where the text does so.
    pub(super) fn item(self, callback: &Declaration, indent: Option<&str>) -> Option<String> {
        match (self.format, indent) {
            (ManifestFormat::Json, Some(_)) => {
                let pretty = serde_json::to_string_pretty(callback).ok()?;
                Some(pretty.replace('\n', &self.gap(indent)))
            }
            _ => self.line(callback),
        }
    }

    /// An array of callbacks whose key is indented so, if it has a line of its own.
    pub(super) fn array(self, callbacks: &[Declaration], indent: Option<&str>) -> Option<String> {
        let inner = indent.map(|indent| format!("{indent}  "));
        let items: Option<Vec<_>> =
            callbacks.iter().map(|callback| self.item(callback, inner.as_deref())).collect();
        let gap = self.gap(inner.as_deref());
        let items = items?.join(&format!(",{gap}"));
        Some(match indent {
            Some(_) => format!("[{gap}{items}{}]", self.gap(indent)),
            None => format!("[{items}]"),
        })
    }

    /// Whether `prefix` is at `at`.
    pub(super) fn starts_with(self, at: usize, prefix: &str) -> bool {
        self.text.get(at..).is_some_and(|rest| rest.starts_with(prefix))
    }

    /// The indent of what starts at `at`, if it is the first of its line.
    pub(super) fn indent(self, at: usize) -> Option<&'t str> {
        let before = self.text.get(..at)?;
        let start = before.rfind('\n')? + 1;
        before.get(start..).filter(|indent| indent.trim_start().is_empty())
    }

    /// Where the line that has `at` ends.
    pub(super) fn line_end(self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        at + line.trim_end_matches('\r').len()
    }

    /// The text with each range replaced; what goes to the same place keeps its order.
    pub(super) fn patched(self, mut patches: Vec<(Range<usize>, String)>) -> String {
        patches.sort_by_key(|(span, _)| span.start);
        let mut result = String::with_capacity(self.text.len());
        let mut from = 0;
        for (span, new) in patches {
            result.push_str(self.text.get(from..span.start).unwrap_or_default());
            result.push_str(&new);
            from = span.end;
        }
        result.push_str(self.text.get(from..).unwrap_or_default());
        result
    }
}

/// The keys and values of a callback, each in one line, in the order of the documentation.
fn toml_pairs(callback: &Declaration) -> Option<Vec<String>> {
    let values = toml::Table::try_from(callback).ok()?;
    Some(CALLBACK.iter().filter_map(|key| Some(format!("{key} = {}", values.get(*key)?))).collect())
}
