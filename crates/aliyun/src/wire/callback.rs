//! What Live sends to the callback URL and asks at the on-demand URL, and the answers.
//!
//! <https://www.alibabacloud.com/help/en/live/user-guide/callbacks-for-live-stream-recording> and
//! <https://www.alibabacloud.com/help/en/live/on-demand-recording>. Nothing is required: what is not of its documented
//! type counts as absent, what is not documented is skipped.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use record_callback_core::{OnDemandDecision, RecordFormat};
use record_callback_http::lenient::{Scalar, Text};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use url::form_urlencoded;

/// The headers of signed deliveries.
pub(crate) const SIGNATURE: &str = "ali-live-signature";
pub(crate) const TIMESTAMP: &str = "ali-live-timestamp";

pub(crate) const STARTED: &str = "record_started";
pub(crate) const PAUSED: &str = "record_paused";
pub(crate) const RESUMED: &str = "record_resumed";
pub(crate) const ERROR: &str = "record_error";
/// This one and the next are in the list of the delivery log only.
pub(crate) const TRANSFORMAT_ERROR: &str = "transformat_error";
pub(crate) const FORCE_TRANSCODE_FAIL: &str = "record_force_transcode_fail";

/// The answer recordings of RTC need. For the others any body of status 200 will do.
pub(crate) const ACKNOWLEDGEMENT: &str = r#"{"Code":0,"Msg":"Success"}"#;

/// The body of a delivery, borrowed from it.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Body<'a> {
    /// A Japanese page has it with a capital.
    #[serde(alias = "Domain")]
    pub(crate) domain: Text<'a>,
    pub(crate) app: Text<'a>,
    pub(crate) stream: Text<'a>,
    /// The object's path in the bucket.
    pub(crate) uri: Text<'a>,
    /// Seconds, with a fraction.
    pub(crate) duration: Scalar<'a>,
    /// Unix seconds.
    pub(crate) start_time: Scalar<'a>,
    pub(crate) stop_time: Scalar<'a>,
    /// The parameters of the ingest URL whose names begin with `callback_`.
    pub(crate) push_args: Object<Pairs>,
    /// In status events only.
    pub(crate) event: Text<'a>,
    /// This and the next two are in examples of a diagnosis tool only. ISO 8601.
    pub(crate) time: Scalar<'a>,
    pub(crate) error_info: Object<ErrorInfo<'a>>,
    pub(crate) file_info: Object<FileInfo<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct ErrorInfo<'a> {
    pub(crate) code: Scalar<'a>,
    pub(crate) message: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct FileInfo<'a> {
    pub(crate) uri: Text<'a>,
    pub(crate) start_time: Scalar<'a>,
    pub(crate) stop_time: Scalar<'a>,
}

/// A time in Unix seconds or as ISO 8601.
pub(crate) fn time(scalar: Scalar<'_>) -> Option<Timestamp> {
    match scalar.number() {
        Some(seconds) => Timestamp::from_second(seconds).ok(),
        None => scalar.number(),
    }
}

/// An object; anything else counts as absent.
#[derive(Default)]
pub(crate) struct Object<T>(T);

impl<T> Object<T> {
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Default + Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Option::<&RawValue>::deserialize(deserializer)?.map(RawValue::get) {
            Some(json) if json.starts_with('{') => {
                serde_json::from_str(json).map(Self).map_err(de::Error::custom)
            }
            _ => Ok(Self::default()),
        }
    }
}

/// The texts of an object, by name.
#[derive(Default)]
pub(crate) struct Pairs(pub(crate) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    let value = unquoted(value.get()).map(Cow::into_owned);
                    if pairs.insert(name, value).is_some() {
                        return Err(de::Error::custom("duplicate name in an object"));
                    }
                }
                Ok(Pairs(pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()))
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}

fn unquoted(json: &str) -> Option<Cow<'_, str>> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    if text.contains('\\') {
        serde_json::from_str(json).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(text))
    }
}

/// The on-demand question, from the query of a GET.
#[derive(Default)]
pub(crate) struct Question<'a> {
    pub(crate) domain: Option<Cow<'a, str>>,
    pub(crate) app: Option<Cow<'a, str>>,
    pub(crate) stream: Option<Cow<'a, str>>,
    pub(crate) codec: Option<Cow<'a, str>>,
    /// kbit/s
    pub(crate) vbitrate: Option<Cow<'a, str>>,
}

/// Reads a question. An empty value counts as absent. The error says what is wrong without any of the query.
pub(crate) fn read_question(query: &str) -> Result<Question<'_>, String> {
    let mut question = Question::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let field = match &*name {
            "domain" => &mut question.domain,
            "app" => &mut question.app,
            "stream" => &mut question.stream,
            "codec" => &mut question.codec,
            "vbitrate" => &mut question.vbitrate,
            _ => continue,
        };
        // What is no UTF-8 is decoded to this character, whatever it was.
        if value.contains(char::REPLACEMENT_CHARACTER) {
            return Err(format!("its `{name}` is not UTF-8"));
        }
        if field.replace(value).is_some() {
            return Err(format!("it has `{name}` twice"));
        }
    }
    for field in [&mut question.domain, &mut question.app, &mut question.stream, &mut question.codec] {
        field.take_if(|value| value.is_empty());
    }
    Ok(question)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    api_version: &'static str,
    need_record: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<Interval>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    format: Vec<&'static str>,
}

/// Seconds.
#[derive(Serialize)]
struct Interval {
    #[serde(rename = "Mp4", skip_serializing_if = "Option::is_none")]
    mp4: Option<u32>,
    #[serde(rename = "Flv", skip_serializing_if = "Option::is_none")]
    flv: Option<u32>,
    #[serde(rename = "M3U8", skip_serializing_if = "Option::is_none")]
    m3u8: Option<u32>,
}

/// The answer to a question. The vendor cuts off what is longer than 2048 bytes; with every field set it has not a
/// tenth of them.
pub(crate) fn answer(decision: &OnDemandDecision) -> String {
    let seconds = |format| decision.intervals().get(&format).copied();
    let interval = Interval {
        mp4: seconds(RecordFormat::Mp4),
        flv: seconds(RecordFormat::Flv),
        m3u8: seconds(RecordFormat::Hls),
    };
    let answer = Answer {
        api_version: "1.0",
        need_record: decision.is_record(),
        interval: (!decision.intervals().is_empty()).then_some(interval),
        format: decision.formats().iter().filter_map(|format| format_name(*format)).collect(),
    };
    // Nothing in it can fail to be written.
    serde_json::to_string(&answer).unwrap_or_default()
}

/// As the documents' sample spells it, in lower case.
fn format_name(format: RecordFormat) -> Option<&'static str> {
    match format {
        RecordFormat::Mp4 => Some("mp4"),
        RecordFormat::Flv => Some("flv"),
        RecordFormat::Hls => Some("m3u8"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use record_callback_http::lenient::read_object;

    use super::*;

    fn read(body: &[u8]) -> Result<Body<'_>, String> {
        read_object(body)
    }

    #[test]
    fn values_of_another_type_are_absent() {
        for odd in ["null", "true", "[1]", "-1.5", "\"\""] {
            let json = format!(
                r#"{{"app":{odd},"push_args":{odd},"error_info":{odd},"duration":{odd},"stream":"s","stop_time":"7"}}"#
            );
            let body = read(json.as_bytes()).unwrap();
            assert_eq!(
                (body.app.get(), body.error_info.code.get(), body.duration.duration()),
                (None, None, None)
            );
            assert!(body.push_args.0.0.is_empty(), "{odd}");
            assert_eq!((body.stream.get(), body.stop_time.get()), (Some("s"), Some("7")), "{odd}");
        }
    }

    #[test]
    fn push_arguments_that_are_no_texts_are_left_out() {
        let body = read(br#"{"push_args":{"a":"","b":"\u5f55","c":1,"d":{},"e":null}}"#).unwrap();
        let expected = BTreeMap::from([("a".into(), String::new()), ("b".into(), "录".into())]);
        assert_eq!(body.push_args.0.0, expected);
    }

    #[test]
    fn what_is_ambiguous_is_not_read() {
        for (body, problem) in [
            (&br#"{"domain":"a","Domain":"b"}"#[..], "duplicate field `domain`"),
            (br#"{"error_info":{"code":"a","code":"b"}}"#, "duplicate field `code`"),
            (br#"{"push_args":{"a":"1","a":2}}"#, "duplicate name in an object"),
        ] {
            let found = read(body).err().unwrap();
            assert!(found.starts_with(problem), "{found}");
        }
    }

    #[test]
    fn times_are_unix_seconds_or_iso() {
        let body =
            read(br#"{"start_time":1488985786,"stop_time":"1488985786","time":"2017-03-08T15:09:46Z"}"#);
        let body = body.unwrap();
        let expected = Timestamp::from_second(1_488_985_786).ok();
        assert_eq!(
            (time(body.start_time), time(body.stop_time), time(body.time)),
            (expected, expected, expected)
        );
        let odd = read(br#"{"start_time":1.5,"stop_time":99999999999999999,"time":"7 March"}"#).unwrap();
        assert_eq!((time(odd.start_time), time(odd.stop_time), time(odd.time)), (None, None, None));
    }
}
