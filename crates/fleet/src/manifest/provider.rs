//! Reads what a manifest says of a provider, in whatever type its program has for that.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::problem::{Path, Problems, unknown_key};
use super::tree::{Entry, Node, Value};

/// Reads a `P` from `node`, whose values no problem quotes.
pub(super) fn read<P: DeserializeOwned>(
    node: &Node<'_>,
    path: &Path<'_>,
    problems: &mut Problems<'_>,
) -> Option<P> {
    match P::deserialize(node) {
        Ok(value) => Some(value),
        Err(error) => {
            let message = if error.own_words && quotes(node, &error.message) {
                "is not valid"
            } else {
                error.message.as_str()
            };
            let mut places = Vec::new();
            if let Some(culprit) = &error.culprit {
                find(node, path, culprit, &mut places);
            }
            // Enums forget where they read a value: what is there twice may be either.
            match places.as_slice() {
                [(at, place)] => problems.add(*at, place, message),
                _ => problems.add(node.span.start, path, message),
            }
            None
        }
    }
}

/// Whether `message` contains a value from below `node`.
fn quotes(node: &Node<'_>, message: &str) -> bool {
    match &node.value {
        Value::Null | Value::Bool(_) => false,
        Value::Integer(value) => message.contains(&value.to_string()),
        Value::Float(value) => message.contains(&value.to_string()),
        Value::String(text) => !text.is_empty() && message.contains(&**text),
        Value::Datetime(text) => message.contains(text),
        Value::Array(items) => items.iter().any(|item| quotes(item, message)),
        Value::Table(entries) => entries.iter().any(|entry| quotes(&entry.value, message)),
    }
}

/// The places below `node` that have `culprit`.
fn find(node: &Node<'_>, path: &Path<'_>, culprit: &Culprit, places: &mut Vec<(usize, String)>) {
    let found = match (&node.value, culprit) {
        (Value::Bool(value), Culprit::Bool(culprit)) => value == culprit,
        (Value::Integer(value), Culprit::Integer(culprit)) => value == culprit,
        (Value::String(value), Culprit::Text(culprit)) => value == culprit,
        _ => false,
    };
    if found {
        places.push((node.span.start, path.to_string()));
    }
    match &node.value {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                find(item, &path.index(i), culprit, places);
            }
        }
        Value::Table(entries) => {
            for entry in entries {
                let path = path.key(&entry.key);
                if matches!(culprit, Culprit::Key(key) if *key == entry.key) {
                    places.push((entry.key_span.start, path.to_string()));
                }
                find(&entry.value, &path, culprit, places);
            }
        }
        _ => {}
    }
}

/// Why a value could not be read, without the value.
#[derive(Debug)]
pub(super) struct ReadError {
    message: String,
    /// The message is the type's own, which may quote anything.
    own_words: bool,
    culprit: Option<Culprit>,
}

/// What the problem is about, to find it by.
#[derive(Debug)]
enum Culprit {
    Key(String),
    Text(String),
    Integer(i64),
    Bool(bool),
}

impl ReadError {
    fn about(unexpected: &Unexpected<'_>, expected: &dyn Expected) -> Self {
        let (kind, culprit) = match unexpected {
            Unexpected::Bool(value) => ("a boolean", Some(Culprit::Bool(*value))),
            Unexpected::Signed(value) => ("an integer", Some(Culprit::Integer(*value))),
            Unexpected::Unsigned(value) => ("an integer", i64::try_from(*value).ok().map(Culprit::Integer)),
            Unexpected::Float(_) => ("a number", None),
            Unexpected::Str(text) => ("a string", Some(Culprit::Text((*text).to_owned()))),
            Unexpected::Unit => ("null", None),
            Unexpected::Seq => ("an array", None),
            Unexpected::Map => ("a table", None),
            _ => ("another kind of value", None),
        };
        Self { message: format!("is {kind} (rule: {expected})"), own_words: false, culprit }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), own_words: true, culprit: None }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::about(&unexpected, expected)
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let error = Self::about(&unexpected, expected);
        Self { message: format!("is not valid (rule: {expected})"), ..error }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let message = unknown_key(variant, expected);
        Self { message, own_words: false, culprit: Some(Culprit::Text(variant.to_owned())) }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let message = unknown_key(field, expected);
        Self { message, own_words: false, culprit: Some(Culprit::Key(field.to_owned())) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { message: format!("has no `{field}`"), own_words: false, culprit: None }
    }
}

impl IntoDeserializer<'_, ReadError> for &Node<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The entries of a table as serde reads them.
fn entries<'n>(entries: &'n [Entry<'_>]) -> impl Iterator<Item = (&'n str, &'n Node<'n>)> {
    entries.iter().map(|entry| (&*entry.key, &entry.value))
}

impl<'de> Deserializer<'de> for &Node<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::String(text) => visitor.visit_str(text),
            Value::Datetime(text) => visitor.visit_str(text),
            Value::Array(items) => SeqDeserializer::new(items.iter()).deserialize_any(visitor),
            Value::Table(table) => MapDeserializer::new(entries(table)).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match &self.value {
            Value::String(text) => {
                text.as_ref().into_deserializer().deserialize_enum(name, variants, visitor)
            }
            Value::Table(table) => MapAccessDeserializer::new(MapDeserializer::new(entries(table)))
                .deserialize_enum(name, variants, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}
