//! Writing JSON with its fields in another order each time.

use std::fmt::Write;

use serde_json::{Map, Value};
use uuid::Uuid;

/// The order of the fields of JSON objects in answers. Neither vendor promises one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldOrder {
    /// Always the same.
    Fixed,
    /// A new one for each object of each answer.
    Random,
}

impl FieldOrder {
    pub(crate) fn json(self, value: &Value) -> String {
        match self {
            Self::Fixed => value.to_string(),
            Self::Random => {
                let mut text = String::new();
                self.push(&mut text, value);
                text
            }
        }
    }

    /// The fields of an object, ordered.
    pub(crate) fn of(self, fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
        let mut fields: Vec<_> = fields.iter().collect();
        if self == Self::Random {
            shuffle(&mut fields);
        }
        fields
    }

    fn push(self, text: &mut String, value: &Value) {
        match value {
            Value::Object(fields) => {
                text.push('{');
                for (index, (name, value)) in self.of(fields).into_iter().enumerate() {
                    push_separator(text, index);
                    let _ = write!(text, "{}:", Value::from(name.as_str()));
                    self.push(text, value);
                }
                text.push('}');
            }
            Value::Array(items) => {
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    push_separator(text, index);
                    self.push(text, item);
                }
                text.push(']');
            }
            plain => {
                let _ = write!(text, "{plain}");
            }
        }
    }
}

fn push_separator(text: &mut String, index: usize) {
    if index > 0 {
        text.push(',');
    }
}

/// A random order.
pub(crate) fn shuffle<T>(items: &mut [T]) {
    items.sort_by_cached_key(|_| Uuid::new_v4());
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_random_order_changes_only_the_order() {
        let value = json!({ "a\"": [1, { "x": null, "y": true }, []], "b": {}, "c": "\n", "d": 0.1 });
        let texts: HashSet<String> = (0..200).map(|_| FieldOrder::Random.json(&value)).collect();
        assert!(texts.len() > 10, "{}", texts.len());
        for text in texts {
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
        assert_eq!(FieldOrder::Fixed.json(&value), value.to_string());
    }
}
