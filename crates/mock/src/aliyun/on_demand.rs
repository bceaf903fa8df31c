//! Recording on demand: before recording a stream, the cloud asks whether it should.

use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::{Map, Value};

/// The recorder reads this much of an answer.
pub(super) const ANSWER_LIMIT: usize = 2048;
/// The seconds a slice of a recording may take.
const INTERVALS: std::ops::RangeInclusive<u64> = 5..=21_600;
const FORMATS: [&str; 3] = ["Mp4", "Flv", "M3U8"];

/// A stream that began, which may be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct OnDemandRequest {
    domain: String,
    app: String,
    stream: String,
    codec: &'static str,
    bitrate: u32,
}

impl OnDemandRequest {
    /// A stream in H.264 of 2000 kbit/s.
    pub fn new(domain: impl Into<String>, app: impl Into<String>, stream: impl Into<String>) -> Self {
        Self { domain: domain.into(), app: app.into(), stream: stream.into(), codec: "h264", bitrate: 2000 }
    }

    /// The stream is in H.265.
    pub fn h265(mut self) -> Self {
        self.codec = "h265";
        self
    }

    /// The bitrate of the video in kbit/s.
    pub fn bitrate(mut self, kilobits: u32) -> Self {
        self.bitrate = kilobits;
        self
    }

    pub(super) fn domain(&self) -> &str {
        &self.domain
    }

    /// The parameters are added to those `base` has, in the order of the page's example. A URL that is none stays
    /// what it is.
    pub(super) fn url(&self, base: &str) -> String {
        let Ok(mut url) = Url::parse(base) else { return base.to_owned() };
        url.query_pairs_mut()
            .append_pair("app", &self.app)
            .append_pair("domain", &self.domain)
            .append_pair("stream", &self.stream)
            .append_pair("vbitrate", &self.bitrate.to_string())
            .append_pair("codec", self.codec);
        url.into()
    }
}

/// The answer to an [`OnDemandRequest`], as the recorder understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnDemandReply {
    /// The status, when an answer came.
    pub status: Option<u16>,
    /// The body as far as the recorder reads it: 2048 bytes.
    pub body: String,
    /// Whether the body was longer, and cut off.
    pub truncated: bool,
    /// What was decided, as far as it is readable; `None` when the call failed or the body is not such an object.
    pub decision: Option<OnDemandDecision>,
    /// Everything that is against the documented rules. Whether the cloud ignores such a part or the whole answer is
    /// UNVERIFIED.
    pub problems: Vec<String>,
}

/// What an answer decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnDemandDecision {
    /// `NeedRecord`.
    pub need_record: bool,
    /// `Interval`: seconds by format, `Mp4`, `Flv` or `M3U8`. Empty when there is none.
    pub intervals: BTreeMap<String, u64>,
    /// `Format`: in lower case, `mp4`, `flv` or `m3u8`. `None` when there is none.
    pub formats: Option<Vec<String>>,
}

impl OnDemandReply {
    /// Whether the answer says to record, and nothing in it is against the rules.
    pub fn starts_recording(&self) -> bool {
        self.problems.is_empty() && self.decision.as_ref().is_some_and(|decision| decision.need_record)
    }

    /// Reads an answer of which one byte more than [`ANSWER_LIMIT`] is here, if it is that long.
    pub(super) fn new(status: Option<u16>, mut body: Vec<u8>, problem: Option<String>) -> Self {
        let truncated = body.len() > ANSWER_LIMIT;
        body.truncate(ANSWER_LIMIT);
        let body = String::from_utf8_lossy(&body).into_owned();
        let mut reply = Self { status, body, truncated, decision: None, problems: Vec::from_iter(problem) };
        match reply.status {
            Some(200) if reply.problems.is_empty() => reply.read(),
            Some(200) | None => {}
            Some(status) => reply.problems.push(format!("the status is {status}, not 200")),
        }
        reply
    }

    fn read(&mut self) {
        let problems = &mut self.problems;
        if self.truncated {
            problems.push(format!("the body is over {ANSWER_LIMIT} bytes and was cut off"));
        }
        let body: Map<String, Value> = match serde_json::from_str(&self.body) {
            Ok(body) => body,
            Err(error) => return problems.push(format!("the body is not a JSON object: {error}")),
        };
        if body.get("ApiVersion").is_some_and(|version| version != "1.0") {
            problems.push("ApiVersion is not the text 1.0".to_owned());
        }
        let Some(need_record) = body.get("NeedRecord").and_then(Value::as_bool) else {
            return problems.push("NeedRecord is not a boolean".to_owned());
        };
        let intervals = intervals(body.get("Interval"), problems);
        let formats = body.get("Format").map(|formats| read_formats(formats, problems));
        self.decision = Some(OnDemandDecision { need_record, intervals, formats });
    }
}

fn intervals(value: Option<&Value>, problems: &mut Vec<String>) -> BTreeMap<String, u64> {
    let Some(value) = value else { return BTreeMap::new() };
    let Some(object) = value.as_object() else {
        problems.push("Interval is not an object".to_owned());
        return BTreeMap::new();
    };
    let mut intervals = BTreeMap::new();
    for (format, seconds) in object {
        match seconds.as_u64() {
            _ if !FORMATS.contains(&format.as_str()) => {
                problems.push(format!("Interval has {format}, which is not one of {FORMATS:?}"));
            }
            Some(seconds) if INTERVALS.contains(&seconds) => {
                intervals.insert(format.clone(), seconds);
            }
            _ => problems.push(format!("the Interval of {format} is {seconds}, not 5 to 21600 seconds")),
        }
    }
    intervals
}

fn read_formats(value: &Value, problems: &mut Vec<String>) -> Vec<String> {
    let Some(array) = value.as_array() else {
        problems.push("Format is not an array".to_owned());
        return Vec::new();
    };
    let mut formats = Vec::new();
    for format in array {
        match format.as_str() {
            // The table writes them in upper case, the example in lower case.
            Some(name) if FORMATS.iter().any(|known| known.eq_ignore_ascii_case(name)) => {
                formats.push(name.to_ascii_lowercase());
            }
            _ => problems.push(format!("Format has {format}, which is not one of {FORMATS:?}")),
        }
    }
    formats
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(body: &str) -> OnDemandReply {
        OnDemandReply::new(Some(200), body.into(), None)
    }

    #[test]
    fn the_documented_answer_is_read() {
        let reply = reply(
            r#"{"ApiVersion":"1.0","NeedRecord":true,"Interval":{"Mp4":300,"Flv":120,"M3U8":180},"Format":["mp4","FLV"]}"#,
        );
        let decision = reply.decision.as_ref().unwrap();
        let intervals = [("Flv", 120), ("M3U8", 180), ("Mp4", 300)].map(|(f, s)| (f.to_owned(), s));
        assert_eq!(decision.intervals, BTreeMap::from(intervals));
        assert_eq!(decision.formats.as_deref(), Some(["mp4".to_owned(), "flv".to_owned()].as_slice()));
        assert!(reply.starts_recording());
        assert_eq!((reply.truncated, reply.problems), (false, vec![]));
    }

    #[test]
    fn what_is_against_the_rules_is_a_problem() {
        for (body, problem) in [
            ("", "not a JSON object"),
            ("[true]", "not a JSON object"),
            ("{}", "NeedRecord"),
            (r#"{"NeedRecord":"true"}"#, "NeedRecord"),
            (r#"{"NeedRecord":true,"ApiVersion":"2.0"}"#, "ApiVersion"),
            (r#"{"NeedRecord":true,"Interval":300}"#, "Interval"),
            (r#"{"NeedRecord":true,"Interval":{"Mp4":4}}"#, "Mp4 is 4"),
            (r#"{"NeedRecord":true,"Interval":{"Mp4":21601}}"#, "Mp4 is 21601"),
            (r#"{"NeedRecord":true,"Interval":{"Mp4":"300"}}"#, "Mp4 is \"300\""),
            (r#"{"NeedRecord":true,"Interval":{"mp4":300}}"#, "Interval has mp4"),
            (r#"{"NeedRecord":true,"Format":"mp4"}"#, "Format is not an array"),
            (r#"{"NeedRecord":true,"Format":["mkv"]}"#, "Format has \"mkv\""),
        ] {
            let reply = reply(body);
            assert!(reply.problems.iter().any(|found| found.contains(problem)), "{body}: {reply:?}");
            assert!(!reply.starts_recording(), "{body}");
        }
        for seconds in [5, 21_600] {
            let body = format!(r#"{{"NeedRecord":true,"Interval":{{"Flv":{seconds}}}}}"#);
            assert!(reply(&body).starts_recording(), "{body}");
        }
        assert_eq!(reply(r#"{"NeedRecord":false}"#).problems, Vec::<String>::new());
        assert!(!reply(r#"{"NeedRecord":false}"#).starts_recording());
    }

    #[test]
    fn an_answer_is_cut_off_after_2048_bytes() {
        let answer = |length: usize| format!(r#"{{"NeedRecord":true,"Note":"{:1$}"}}"#, "", length - 29);
        assert_eq!(answer(2048).len(), 2048);
        assert!(reply(&answer(2048)).starts_recording());
        let over = reply(&answer(2049));
        assert_eq!((over.truncated, over.body.len(), over.decision), (true, 2048, None));
        assert_eq!(over.problems.len(), 2, "{:?}", over.problems);
    }

    #[test]
    fn the_parameters_follow_those_of_the_url() {
        let request = OnDemandRequest::new("d.example.com", "a", "直播 &1").h265().bitrate(800);
        assert_eq!(
            request.url("http://cb.example.com/ask?token=1"),
            "http://cb.example.com/ask?token=1&app=a&domain=d.example.com\
             &stream=%E7%9B%B4%E6%92%AD+%261&vbitrate=800&codec=h265"
        );
        assert_eq!(request.url("nonsense"), "nonsense");
    }
}
