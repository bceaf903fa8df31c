//! What Live sends to the callback URL, and the answer it documents.
//!
//! Pages `iLive-live/live_01_0035` (fields), `iLive-live/live_01_0011` (signature), `bestpractice-live/live_14_0003`
//! (answer). Nothing is required: what is not of its documented type counts as absent, what is not documented is
//! skipped.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The answer of the documents' sample; any body of status 200 will do.
pub(crate) const ACKNOWLEDGEMENT: &str = r#"{"status":1,"result":"success"}"#;

/// The body of a delivery, borrowed from it.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Body<'a> {
    pub(crate) project_id: Text<'a>,
    /// The file, in the events of its beginning and its end.
    pub(crate) job_id: Text<'a>,
    /// The recording; since 2024.
    pub(crate) task_id: Text<'a>,
    pub(crate) event_type: Text<'a>,
    pub(crate) publish_domain: Text<'a>,
    pub(crate) app: Text<'a>,
    pub(crate) stream: Text<'a>,
    /// `HLS`, `FLV` or `MP4`.
    pub(crate) record_format: Text<'a>,
    pub(crate) download_url: Text<'a>,
    pub(crate) asset_id: Text<'a>,
    /// Out of the field tables since 2024, still in the formula of the signature.
    pub(crate) play_url: Text<'a>,
    /// Bytes.
    pub(crate) file_size: Scalar<'a>,
    /// Seconds.
    pub(crate) record_duration: Scalar<'a>,
    /// UTC, `yyyy-mm-ddThh:mm:ssZ`.
    pub(crate) start_time: Text<'a>,
    pub(crate) end_time: Text<'a>,
    pub(crate) width: Scalar<'a>,
    pub(crate) height: Scalar<'a>,
    pub(crate) obs_location: Text<'a>,
    pub(crate) obs_bucket: Text<'a>,
    pub(crate) obs_object: Text<'a>,
    pub(crate) error_message: Text<'a>,
    pub(crate) auth_sign: Text<'a>,
    /// A text in the sample of 2021, a number since.
    pub(crate) auth_timestamp: Scalar<'a>,
}

impl Body<'_> {
    /// What HMAC-SHA256 signs, joined without separators. That an absent field adds nothing is UNVERIFIED.
    pub(crate) fn signed(&self) -> [&str; 7] {
        [
            self.auth_timestamp.get(),
            self.event_type.get(),
            self.publish_domain.get(),
            self.app.get(),
            self.stream.get(),
            self.download_url.get(),
            self.play_url.get(),
        ]
        .map(Option::unwrap_or_default)
    }
}

/// Reads a body. The error says what is wrong without any of the body.
///
/// A field that comes twice is an error: which of the two the sender meant, nobody can say.
pub(crate) fn read(body: &[u8]) -> Result<Body<'_>, String> {
    let text = str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
    // serde would take an array for a struct, too.
    if !text.trim_ascii_start().starts_with('{') {
        return Err("it is not a JSON object".to_owned());
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// A text that is not empty; anything else counts as absent.
#[derive(Default)]
pub(crate) struct Text<'a>(Option<Cow<'a, str>>);

impl Text<'_> {
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    pub(crate) fn into_owned(self) -> Option<String> {
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
#[derive(Default, Clone, Copy)]
pub(crate) struct Scalar<'a>(Option<&'a str>);

impl<'a> Scalar<'a> {
    pub(crate) fn get(self) -> Option<&'a str> {
        self.0
    }

    pub(crate) fn number<T: FromStr>(self) -> Option<T> {
        self.0?.parse().ok()
    }

    /// A time span in seconds.
    pub(crate) fn duration(self) -> Option<f64> {
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

    #[test]
    fn values_of_another_type_are_absent() {
        for odd in ["null", "true", "[1]", "{\"a\":1}", "\"\""] {
            let json = format!(r#"{{"app":{odd},"file_size":{odd},"stream":"s","width":"7"}}"#);
            let body = read(json.as_bytes()).unwrap();
            assert_eq!((body.app.get(), body.file_size.get()), (None, None), "{odd}");
            assert_eq!((body.stream.get(), body.width.number()), (Some("s"), Some(7)), "{odd}");
        }
        let body = read(br#"{"app":1,"width":1e999,"height":-1,"record_duration":"inf"}"#).unwrap();
        assert_eq!(body.app.get(), None);
        assert_eq!((body.width.number::<u32>(), body.height.number::<u32>()), (None, None));
        assert_eq!((body.width.duration(), body.record_duration.duration()), (None, None));
    }

    #[test]
    fn texts_are_borrowed_unless_escaped() {
        let body = read(br#"{"app":"live","stream":"a\/b\u0026"}"#).unwrap();
        assert!(matches!(body.app.0, Some(Cow::Borrowed("live"))));
        assert_eq!(body.stream.get(), Some("a/b&"));
    }

    #[test]
    fn what_is_no_object_or_ambiguous_is_not_read() {
        for (body, problem) in [
            (&b""[..], "it is not a JSON object"),
            (b"[\"p\",\"j\"]", "it is not a JSON object"),
            (b"{\"app\":\"\xff\"}", "it is not UTF-8"),
            (br#"{"app":"\ud800"}"#, "unexpected end of hex escape"),
            (b"{} {}", "trailing characters"),
            (br#"{"app":"a","app":"a"}"#, "duplicate field `app`"),
            (br#"{"app":"a","\u0061pp":"b"}"#, "duplicate field `app`"),
        ] {
            let found = read(body).err().unwrap();
            assert!(found.starts_with(problem), "{found}");
        }
    }
}
