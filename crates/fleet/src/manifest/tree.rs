//! TOML and JSON as one tree that knows where everything is.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use toml::de::{DeTable, DeValue};

use super::problem::{Path, Problems};
use super::read::ManifestFormat;

/// As deep as the TOML parser goes.
const MAX_DEPTH: usize = 80;

/// A value and its place in the text. That of a TOML table with a header is the header.
#[derive(Debug)]
pub(super) struct Node<'t> {
    pub(super) span: Range<usize>,
    pub(super) value: Value<'t>,
}

#[derive(Debug)]
pub(super) enum Value<'t> {
    Null,
    Bool(bool),
    Integer(i64),
    /// Also an integer too large for the other.
    Float(f64),
    String(Cow<'t, str>),
    /// A date or time, as only TOML has it.
    Datetime(String),
    Array(Vec<Node<'t>>),
    Table(Vec<Entry<'t>>),
}

/// A key of a table, with its value.
#[derive(Debug)]
pub(super) struct Entry<'t> {
    pub(super) key: Cow<'t, str>,
    pub(super) key_span: Range<usize>,
    pub(super) value: Node<'t>,
}

impl<'t> Node<'t> {
    /// The entry of `key`, if this is a table that has it.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry<'t>> {
        let Value::Table(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key == key)
    }

    /// The text, if this is a string.
    pub(super) fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = &self.value { Some(text) } else { None }
    }

    /// The items, if this is an array.
    pub(super) fn as_array(&self) -> Option<&[Self]> {
        if let Value::Array(items) = &self.value { Some(items) } else { None }
    }

    /// The last entry, if this is a table that has one.
    pub(super) fn last_entry(&self) -> Option<&Entry<'t>> {
        if let Value::Table(entries) = &self.value { entries.last() } else { None }
    }

    /// What kind of value this is, without the value.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a number",
            Value::String(_) => "a string",
            Value::Datetime(_) => "a date or time",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
        }
    }
}

/// The tree of `text`, or `None` with the problems of its syntax.
pub(super) fn parse<'t>(
    text: &'t str,
    format: ManifestFormat,
    problems: &mut Problems<'_>,
) -> Option<Node<'t>> {
    match format {
        ManifestFormat::Toml => parse_toml(text, problems),
        ManifestFormat::Json => parse_json(text, problems),
    }
}

fn parse_toml<'t>(text: &'t str, problems: &mut Problems<'_>) -> Option<Node<'t>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        problems.add(error.span().map_or(0, |span| span.start), Path::Root, error.message());
    }
    errors.is_empty().then(|| toml_node(root.span(), DeValue::Table(root.into_inner())))
}

fn toml_node(span: Range<usize>, value: DeValue<'_>) -> Node<'_> {
    let value = match value {
        DeValue::String(text) => Value::String(text),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(value) => Value::Integer(value),
            Err(_) => Value::Float(f64::INFINITY),
        },
        DeValue::Float(digits) => Value::Float(digits.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Datetime(value) => Value::Datetime(value.to_string()),
        DeValue::Array(items) => {
            Value::Array(items.into_iter().map(|item| toml_node(item.span(), item.into_inner())).collect())
        }
        DeValue::Table(table) => {
            let mut entries: Vec<_> = table
                .into_iter()
                .map(|(key, value)| Entry {
                    key_span: key.span(),
                    key: key.into_inner(),
                    value: toml_node(value.span(), value.into_inner()),
                })
                .collect();
            // The parser sorts by key.
            entries.sort_by_key(|entry| entry.key_span.start);
            Value::Table(entries)
        }
    };
    Node { span, value }
}

fn parse_json<'t>(text: &'t str, problems: &mut Problems<'_>) -> Option<Node<'t>> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => JsonReader { text, problems, failed: false }.read(raw),
        Err(error) => {
            let at = problems.place(error.line(), error.column());
            let message = error.to_string();
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
            problems.add(at, Path::Root, message);
            None
        }
    }
}

/// Reads level by level: only a raw value tells where it is.
struct JsonReader<'t, 'p, 'q> {
    text: &'t str,
    problems: &'p mut Problems<'q>,
    failed: bool,
}

impl<'t> JsonReader<'t, '_, '_> {
    fn read(mut self, raw: &'t RawValue) -> Option<Node<'t>> {
        let root = self.node(raw, &Path::Root, 0);
        (!self.failed).then_some(root)
    }

    fn span(&self, raw: &RawValue) -> Range<usize> {
        let start = raw.get().as_ptr() as usize - self.text.as_ptr() as usize;
        start..start + raw.get().len()
    }

    fn fail(&mut self, at: usize, path: &Path<'_>, message: &str) {
        self.failed = true;
        self.problems.add(at, path, message);
    }

    fn node(&mut self, raw: &'t RawValue, path: &Path<'_>, depth: usize) -> Node<'t> {
        let span = self.span(raw);
        let source = raw.get();
        let value = match source.as_bytes().first() {
            Some(b'{' | b'[') if depth > MAX_DEPTH => {
                self.fail(span.start, &Path::Root, &format!("is nested more than {MAX_DEPTH} levels deep"));
                Value::Null
            }
            Some(b'{') => {
                let Pairs(pairs) = self.parsed(source, &span, path).unwrap_or_default();
                Value::Table(self.entries(pairs, path, depth))
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = self.parsed(source, &span, path).unwrap_or_default();
                let node = |(i, item)| self.node(item, &path.index(i), depth + 1);
                Value::Array(items.into_iter().enumerate().map(node).collect())
            }
            Some(b'"') => Value::String(self.string(source, &span, path)),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => match source.parse() {
                Ok(value) => Value::Integer(value),
                Err(_) => Value::Float(source.parse().unwrap_or(f64::NAN)),
            },
        };
        Node { span, value }
    }

    fn entries(
        &mut self,
        pairs: Vec<(&'t RawValue, &'t RawValue)>,
        path: &Path<'_>,
        depth: usize,
    ) -> Vec<Entry<'t>> {
        let mut entries = Vec::<Entry<'t>>::with_capacity(pairs.len());
        let mut seen = HashSet::with_capacity(pairs.len());
        for (key, value) in pairs {
            let key_span = self.span(key);
            let key = self.string(key.get(), &key_span, path);
            let path = path.key(&key);
            if !seen.insert(key.clone()) {
                self.fail(key_span.start, &path, "duplicate key");
            }
            let value = self.node(value, &path, depth + 1);
            entries.push(Entry { key: key.clone(), key_span, value });
        }
        entries
    }

    fn string(&mut self, source: &'t str, span: &Range<usize>, path: &Path<'_>) -> Cow<'t, str> {
        if source.contains('\\') {
            Cow::Owned(self.parsed(source, span, path).unwrap_or_default())
        } else {
            Cow::Borrowed(source.trim_matches('"'))
        }
    }

    /// Escapes are all that can be wrong inside a raw value.
    fn parsed<T: Deserialize<'t>>(
        &mut self,
        source: &'t str,
        span: &Range<usize>,
        path: &Path<'_>,
    ) -> Option<T> {
        let parsed = serde_json::from_str(source).ok();
        if parsed.is_none() {
            self.fail(span.start, path, "has an escape sequence that is not a character");
        }
        parsed
    }
}

/// A JSON object, with each of its keys as often as it is there.
#[derive(Default)]
struct Pairs<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}
