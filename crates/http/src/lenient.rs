//! JSON as clouds send it: a field that is not of its documented type counts as absent.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Reads a JSON object, borrowing from `body`. The error says what is wrong without any of the body.
///
/// A known field that comes twice is an error: which of the two the sender meant, nobody can say.
pub fn read_object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    let text = str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
    // serde would take an array for a struct, too.
    if !text.trim_ascii_start().starts_with('{') {
        return Err("it is not a JSON object".to_owned());
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// A text that is not empty; anything else counts as absent. Borrowed unless it has escapes.
#[derive(Debug, Default)]
pub struct Text<'a>(Option<Cow<'a, str>>);

impl Text<'_> {
    /// The text.
    pub fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The text, on its own.
    pub fn into_owned(self) -> Option<String> {
        self.0.map(Cow::into_owned)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

/// Unlike [`RawValue`], without a second look at what is read: most fields are texts.
struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text((!text.is_empty()).then_some(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text((!text.is_empty()).then(|| Cow::Owned(text.to_owned()))))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_unit<E>(self) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Text<'de>, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text<'de>, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Text(None))
    }
}

/// A number, or a text without escapes that may be one, as it is written; anything else counts as absent.
#[derive(Debug, Default, Clone, Copy)]
pub struct Scalar<'a>(Option<&'a str>);

impl<'a> Scalar<'a> {
    /// As it is written, without quotes.
    pub fn get(self) -> Option<&'a str> {
        self.0
    }

    /// The number, if it is one that `T` can be.
    pub fn number<T: FromStr>(self) -> Option<T> {
        self.0?.parse().ok()
    }

    /// The number as a span of time: finite and not negative.
    pub fn duration(self) -> Option<f64> {
        self.number().filter(|seconds: &f64| seconds.is_finite() && seconds.is_sign_positive())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Option::<&RawValue>::deserialize(deserializer)?.map(RawValue::get).unwrap_or_default();
        let text = json.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        Ok(Self(match text {
            Some(text) => Some(text).filter(|text| !text.is_empty() && !text.contains('\\')),
            None => Some(json).filter(|json| json.starts_with(|c: char| c == '-' || c.is_ascii_digit())),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Deserialize)]
    #[serde(default, bound(deserialize = "'de: 'a"))]
    struct Thing<'a> {
        text: Text<'a>,
        number: Scalar<'a>,
    }

    fn read(json: &str) -> Thing<'_> {
        read_object(json.as_bytes()).unwrap()
    }

    #[test]
    fn values_of_another_type_are_absent() {
        for odd in ["null", "true", "[1]", "{\"a\":1}", "\"\""] {
            let json = format!(r#"{{"text":{odd},"number":{odd}}}"#);
            let thing = read(&json);
            assert_eq!((thing.text.get(), thing.number.get()), (None, None), "{odd}");
        }
        assert_eq!(read(r#"{"text":1}"#).text.get(), None);
    }

    #[test]
    fn numbers_may_be_texts_and_must_fit() {
        for json in [r#"{"number":7}"#, r#"{"number":"7"}"#] {
            assert_eq!((read(json).number.number(), read(json).number.get()), (Some(7), Some("7")));
        }
        for json in
            [r#"{"number":1e999}"#, r#"{"number":-1}"#, r#"{"number":"inf"}"#, r#"{"number":"\u0037"}"#]
        {
            assert_eq!(
                (read(json).number.number::<u32>(), read(json).number.duration()),
                (None, None),
                "{json}"
            );
        }
        assert_eq!(read(r#"{"number":69.403}"#).number.duration(), Some(69.403));
    }

    #[test]
    fn texts_are_borrowed_unless_escaped() {
        assert!(matches!(read(r#"{"text":"live"}"#).text.0, Some(Cow::Borrowed("live"))));
        assert_eq!(read(r#"{"text":"a\/b\u0026"}"#).text.into_owned().as_deref(), Some("a/b&"));
    }

    #[test]
    fn what_is_no_object_or_ambiguous_is_not_read() {
        for (body, problem) in [
            (&b""[..], "it is not a JSON object"),
            (b"[\"p\",\"j\"]", "it is not a JSON object"),
            (b"{\"text\":\"\xff\"}", "it is not UTF-8"),
            (br#"{"text":"\ud800"}"#, "unexpected end of hex escape"),
            (b"{} {}", "trailing characters"),
            (br#"{"text":"a","text":"a"}"#, "duplicate field `text`"),
            (br#"{"text":"a","\u0074ext":"b"}"#, "duplicate field `text`"),
        ] {
            let found = read_object::<Thing<'_>>(body).err().unwrap();
            assert!(found.starts_with(problem), "{found}");
        }
    }
}
