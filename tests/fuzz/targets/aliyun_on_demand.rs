//! Input: a line, the query of a question, and a decision.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use record_callback::aliyun::AliyunCallbacks;
use record_callback::http::header::{HeaderMap, HeaderValue};
use record_callback::{
    Assurance, CallbackVerifier, OnDemandDecision, OnDemandProtocol, RecordFormat, Refusal, SignaturePolicy,
    Timestamp,
};
use record_callback_fuzz::{FOREIGN_KEY, HOST, KEY, NOW, md5, signed};
use serde_json::{Map, Value};
use url::form_urlencoded;

/// In bytes; the vendor cuts off the rest.
const LONGEST_ANSWER: usize = 2048;
const FORMATS: [(RecordFormat, &str, &str); 3] = [
    (RecordFormat::Mp4, "mp4", "Mp4"),
    (RecordFormat::Flv, "flv", "Flv"),
    (RecordFormat::Hls, "m3u8", "M3U8"),
];

#[derive(Debug, Arbitrary)]
struct Decision {
    record: bool,
    formats: [bool; FORMATS.len()],
    intervals: [Option<u16>; FORMATS.len()],
}

fuzz_target!(|input: &[u8]| {
    let (query, decision) = match input.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&input[..at], &input[at + 1..]),
        None => (input, &[][..]),
    };
    let verifiers = [SignaturePolicy::unsigned(), signed()].map(|policy| AliyunCallbacks::new(HOST, policy));
    let [unsigned, signed] = verifiers.map(|verifier| verifier.unwrap().with_unsigned_questions());

    if let Ok(query) = str::from_utf8(query) {
        let asked = ask(&unsigned, query, &HeaderMap::new());
        assert_eq!(asked, ask(&signed, query, &HeaderMap::new()), "anybody may ask where that is declared");
        match &asked {
            Ok(asked) => {
                assert_eq!(asked.assurance, Assurance::UNSIGNED);
                let text = |name: &str| {
                    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
                    let value = values.next().map(|(_, value)| value.into_owned());
                    assert_eq!(values.next(), None, "{name} twice");
                    value.filter(|value| !value.is_empty())
                };
                let found = ["domain", "app", "stream", "codec"].map(text);
                let [domain, app, stream] =
                    [&asked.domain, &asked.app, &asked.stream].map(|text| Some(text.clone()));
                assert_eq!(found, [domain, app, stream, asked.codec.clone()]);
                assert!(found.iter().flatten().all(|text| !text.contains(char::REPLACEMENT_CHARACTER)));
                let kbps = asked.video_kbps.map(|kbps| kbps.to_string());
                let written = text("vbitrate");
                let written = written.as_deref().map(|text| text.trim_start_matches('0'));
                assert!(kbps.is_none_or(|kbps| written == Some(kbps.trim_start_matches('0'))));
            }
            Err(refusal) => assert!(matches!(refusal, Refusal::Malformed { .. }), "{refusal}"),
        }
        let mut proven = ask(&signed, query, &headers(KEY));
        assert_eq!(ask(&signed, query, &headers(FOREIGN_KEY)), Err(Refusal::BadSignature));
        if let Ok(proven) = &mut proven {
            assert!(proven.assurance.is_signed());
            proven.assurance = Assurance::UNSIGNED;
        }
        assert_eq!(proven, asked, "a signature changes nothing but the assurance");
    }

    if let Ok(decision) = Decision::arbitrary(&mut Unstructured::new(decision)) {
        answer(&unsigned, &decision);
    }
});

fn ask(
    verifier: &AliyunCallbacks,
    query: &str,
    headers: &HeaderMap,
) -> Result<record_callback::OnDemandRequest, Refusal> {
    verifier.on_demand().unwrap().parse(query, headers, Timestamp::from_second(NOW).unwrap())
}

fn headers(key: &str) -> HeaderMap {
    let now = NOW.to_string();
    let signature = md5(&[HOST, "|", &now, "|", key]);
    let values = [("ali-live-signature", signature), ("ali-live-timestamp", now)];
    values
        .into_iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::try_from(value).unwrap()))
        .collect()
}

fn answer(verifier: &AliyunCallbacks, wanted: &Decision) {
    let mut decision = if wanted.record { OnDemandDecision::record() } else { OnDemandDecision::skip() };
    let (mut formats, mut intervals) = (Vec::new(), Map::new());
    for (i, (format, name, key)) in FORMATS.into_iter().enumerate() {
        if wanted.formats[i] {
            decision = decision.with_format(format);
            formats.push(Value::from(name));
        }
        if let Some(seconds) = wanted.intervals[i]
            && let Ok(with) = decision.clone().with_interval(format, seconds.into())
        {
            decision = with;
            intervals.insert(key.to_owned(), seconds.into());
        }
    }
    let answer = OnDemandProtocol::answer(verifier, &decision);
    assert!(answer.len() < LONGEST_ANSWER, "{answer}");
    let mut answer: Map<String, Value> = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer.remove("ApiVersion"), Some("1.0".into()));
    assert_eq!(answer.remove("NeedRecord"), Some(wanted.record.into()));
    assert_eq!(answer.remove("Format"), (!formats.is_empty()).then(|| formats.into()));
    assert_eq!(answer.remove("Interval"), (!intervals.is_empty()).then(|| intervals.into()));
    assert!(answer.is_empty(), "{answer:?}");
}
