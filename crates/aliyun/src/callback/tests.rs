use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderValue;
use jiff::SignedDuration;
use proptest::prelude::*;
use record_callback_core::{
    DedupeKey, EventField, EventKind, RecordEvent, RecordFormat, RecordedFile, RecordingError, Storage,
};
use record_callback_http::hex;
use serde_json::{Value, json};

use super::*;

const HOST: &str = "cb.example.com";
const KEY: &str = "testkeyyourkey12";
const TIME: i64 = 1_767_323_045;

/// MD5 of `host|time|key`, computed with Python's `hashlib`; the first is the example of
/// <https://www.alibabacloud.com/help/en/live/user-guide/usage-notes-for-callback-authentication>, which prints no result.
const VECTORS: [(&str, i64, &str, &str); 4] = [
    ("learn.aliyundoc.com", 1_519_375_990, "yourkey", "9e226fc2c250be266e3657e156f68c12"),
    (HOST, TIME, KEY, VECTOR),
    ("cb.example.com:8443", TIME, KEY, "cd18164fdc8f6064af9f52117866b884"),
    ("127.0.0.1", TIME, "Abcdefgh12345678Abcdefgh12345678", "27e26344fe8bfaedf2310068f0c83d89"),
];
const VECTOR: &str = "e4894ddfebf964bf837d3ef10ef4777d";
/// MD5 of `time|key`, as recordings of RTC are signed.
const VECTOR_RTC: &str = "c6cb40ca4fc734f33a9b5780d3e515da";

fn signed(host: &str, key: &str) -> AliyunCallbacks {
    let policy = SignaturePolicy::signed([SigningKey::reported(key)]).unwrap();
    AliyunCallbacks::new(host, policy).unwrap()
}

fn unsigned() -> AliyunCallbacks {
    AliyunCallbacks::new(HOST, SignaturePolicy::unsigned()).unwrap()
}

fn headers(signature: &str, time: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("ALI-LIVE-SIGNATURE".parse::<http::HeaderName>().unwrap(), signature.parse().unwrap());
    headers.insert("ALI-LIVE-TIMESTAMP".parse::<http::HeaderName>().unwrap(), time.parse().unwrap());
    headers
}

/// The headers of a delivery to `HOST` that is signed at `time`.
fn signed_at(time: i64) -> HeaderMap {
    let (callbacks, key, time) = (signed(HOST, KEY), SigningKey::reported(KEY), time.to_string());
    let digest = callbacks.digests(&time, &key).next().unwrap();
    headers(&hex(digest), &time)
}

fn verify_at(
    callbacks: &AliyunCallbacks,
    headers: &HeaderMap,
    body: impl Into<Vec<u8>>,
    at: i64,
) -> Result<VerifiedEvent, Refusal> {
    let body = Bytes::from(body.into());
    let received_at = Timestamp::from_second(at).unwrap();
    callbacks.verify(&Delivery { headers, body: &body, received_at })
}

fn event(body: &Value) -> RecordEvent {
    verify_at(&unsigned(), &HeaderMap::new(), body.to_string(), TIME).unwrap().into_parts().0
}

fn signed_event(body: &Value, time: i64) -> RecordEvent {
    verify_at(&signed(HOST, KEY), &signed_at(time), body.to_string(), time).unwrap().into_parts().0
}

/// The sample of <https://www.alibabacloud.com/help/en/live/user-guide/callbacks-for-live-stream-recording> with other
/// names.
fn file() -> Value {
    json!({
        "domain": "live.example.com", "app": "app1", "stream": "s1",
        "uri": "app1/s1/0_2017-03-08-23:09:46_2017-03-08-23:10:40.flv",
        "duration": 69.403, "start_time": 1_488_985_786, "stop_time": 1_488_985_840,
        "push_args": {"callback_args1": "value1", "callback_myid": "1231389741"},
    })
}

fn status(event: &str) -> Value {
    json!({"domain": "live.example.com", "app": "app1", "stream": "s1", "event": event})
}

fn with(mut body: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { unreachable!() };
    body.as_object_mut().unwrap().extend(fields);
    body
}

#[test]
fn vectors_verify_for_their_host_only() {
    for (host, time, key, signature) in VECTORS {
        for signature in [signature.to_owned(), signature.to_uppercase()] {
            let headers = headers(&signature, &time.to_string());
            let verified = verify_at(&signed(host, key), &headers, file().to_string(), time).unwrap();
            let signed_at = Timestamp::from_second(time).ok();
            let expected = Assurance::new(
                Some(SigningScheme::Md5),
                signed_at,
                EventFields::default(),
                EventFields::default(),
            );
            assert_eq!(*verified.assurance(), expected);
            for (host, key) in [("other.example.com", key), (host, "anotherKey012345")] {
                let refused = verify_at(&signed(host, key), &headers, file().to_string(), time).unwrap_err();
                assert_eq!(refused, Refusal::BadSignature);
            }
        }
    }
    let rtc = headers(VECTOR_RTC, &TIME.to_string());
    let refused = verify_at(&signed(HOST, KEY), &rtc, "{}", TIME).unwrap_err();
    assert_eq!(refused, Refusal::BadSignature);
}

#[test]
fn the_host_counts_with_and_without_its_port_and_in_lower_case() {
    let with_port = headers(VECTORS[2].3, &TIME.to_string());
    let without_port = headers(VECTOR, &TIME.to_string());
    for (host, port_fine) in [("cb.example.com:8443", true), ("CB.Example.com:8443", true), (HOST, false)] {
        let callbacks = signed(host, KEY);
        assert_eq!(verify_at(&callbacks, &with_port, "{}", TIME).is_ok(), port_fine, "{host}");
        assert!(verify_at(&callbacks, &without_port, "{}", TIME).is_ok(), "{host}");
    }
    // As written, too.
    let upper = signed("CB.Example.com", KEY);
    let digest = hex(upper.digests(&TIME.to_string(), &SigningKey::reported(KEY)).next().unwrap());
    assert_ne!(digest, VECTOR);
    assert!(verify_at(&upper, &headers(&digest, &TIME.to_string()), "{}", TIME).is_ok());
    assert_eq!(signed("CB.Example.com:1", KEY).hosts.len(), 4);
    assert_eq!(signed("[::1]:8443", KEY).hosts, ["[::1]:8443", "[::1]"]);
    assert_eq!(signed(HOST, KEY).hosts, [HOST]);
}

/// The digests of an internationalised host, in Unicode and in A-labels, and of both with port 8443; and of another host.
const IDN: [&str; 5] = [
    "eff5c56a2c52b5df98b04b66cea31b6a",
    "f7e76b65e17c516b5c40cc62d8cbd58e",
    "fd299aa551731b1beaa32186f13a7533",
    "1b2f832857ea60687366b14271516acb",
    "a6f1357801d703d69ff74269cbf5ad43",
];

#[test]
fn an_internationalised_host_counts_in_unicode_and_in_a_labels() {
    for (host, with_port) in [
        ("回调.example.com", false),
        ("xn--zbss05j.example.com", false),
        ("回调.EXAMPLE.com.", false),
        ("XN--ZBSS05J.example.com", false),
        ("回调.example.com:8443", true),
        ("xn--zbss05j.example.com:8443", true),
    ] {
        let callbacks = signed(host, KEY);
        let verified =
            IDN.map(|digest| verify_at(&callbacks, &headers(digest, &TIME.to_string()), "{}", TIME).is_ok());
        assert_eq!(verified, [true, true, with_port, with_port, false], "{host}");
        assert!(callbacks.hosts.len() <= 6, "{:?}", callbacks.hosts);
    }
}

#[test]
fn what_the_request_says_about_its_host_is_not_asked() {
    let mut headers = headers(VECTOR, &TIME.to_string());
    headers.insert(http::header::HOST, HeaderValue::from_static(HOST));
    let refused = verify_at(&signed("other.example.com", KEY), &headers, "{}", TIME).unwrap_err();
    assert_eq!(refused, Refusal::BadSignature);
}

#[test]
fn what_is_no_host_is_refused() {
    for host in [
        "",
        " ",
        "cb.example.com ",
        "https://cb.example.com",
        "cb.example.com/n",
        "user@cb.example.com",
        ":8443",
        "cb.example.com:",
        "cb.example.com:+80",
        "cb.example.com:99999",
        "::1",
        "a|b",
    ] {
        let refused = AliyunCallbacks::new(host, SignaturePolicy::unsigned()).unwrap_err();
        assert_eq!(refused.field(), "host", "{host}");
    }
}

#[test]
fn the_signed_time_must_be_near_now_and_signed() {
    let callbacks = signed(HOST, KEY);
    for (late, fine) in [(0, true), (300, true), (301, false), (-300, true), (-301, false)] {
        let result = verify_at(&callbacks, &signed_at(TIME), "{}", TIME + late);
        let stale = Err(Refusal::Stale { age: SignedDuration::from_secs(late) });
        assert_eq!(result.map(|_| ()), if fine { Ok(()) } else { stale }, "{late}");
    }
    let later = headers(VECTOR, &(TIME + 1).to_string());
    assert_eq!(verify_at(&callbacks, &later, "{}", TIME).unwrap_err(), Refusal::BadSignature);
    for name in ["ali-live-signature", "ali-live-timestamp"] {
        let mut headers = signed_at(TIME);
        headers.remove(name);
        assert_eq!(verify_at(&callbacks, &headers, "{}", TIME).unwrap_err(), Refusal::NotSigned);
        assert!(verify_at(&unsigned(), &headers, "{}", TIME).is_ok());
    }
}

#[test]
fn each_of_several_keys_counts_and_none_is_shown() {
    let keys = ["anotherKey012345", KEY].map(SigningKey::reported);
    let callbacks = AliyunCallbacks::new(HOST, SignaturePolicy::signed(keys).unwrap()).unwrap();
    assert!(verify_at(&callbacks, &headers(VECTOR, &TIME.to_string()), "{}", TIME).is_ok());
    let shown = format!("{callbacks:?}");
    assert!(!shown.contains(KEY) && !shown.contains("anotherKey") && shown.contains(HOST), "{shown}");
}

fn at(event: &Value, field: EventField) -> Value {
    event.pointer(&format!("/{}", field.as_str().replace('.', "/"))).cloned().unwrap_or_default()
}

/// Nothing of the body is covered: each field, changed alone, verifies, changes the event, and is said to be unproven.
#[test]
fn every_field_of_the_body_can_be_changed_and_is_not_proven() {
    let original = with(
        file(),
        json!({"event": "record_error", "time": "2017-03-08T15:10:40Z", "error_info": {"code": "c", "message": "m"}}),
    );
    let before = serde_json::to_value(event(&original)).unwrap();
    let mut touched = Vec::new();
    for name in original.as_object().unwrap().keys() {
        let changed = match name.as_str() {
            "event" => json!("record_started"),
            "uri" => json!("app1/s1/1.mp4"),
            "duration" => json!(1),
            "start_time" | "stop_time" | "time" => json!(1_488_985_800),
            "push_args" => json!({"callback_args1": "value2"}),
            "error_info" => json!({"code": "c", "message": "n"}),
            _ => json!("changed"),
        };
        let body = with(original.clone(), json!({ name: changed }));
        let verified = verify_at(&signed(HOST, KEY), &signed_at(TIME), body.to_string(), TIME).unwrap();
        let after = serde_json::to_value(verified.event()).unwrap();
        let fields =
            EventField::ALL.iter().copied().filter(|field| at(&before, *field) != at(&after, *field));
        let fields: Vec<_> = fields.collect();
        assert!(!fields.is_empty(), "{name}");
        assert!(fields.iter().all(|field| verified.assurance().unproven().contains(*field)), "{name}");
        touched.extend(fields);
    }
    // No event of Live has these.
    let never = EventFields::of(&[
        EventField::TaskId,
        EventField::JobId,
        EventField::FileUrl,
        EventField::FilePlayUrl,
        EventField::FileId,
        EventField::FileBytes,
        EventField::FileWidth,
        EventField::FileHeight,
    ]);
    assert_eq!(EventFields::of(&touched), never.complement());
}

fn recorded(uri: &str, format: &str, started: i64, ended: i64) -> RecordedFile {
    let mut storage = Storage::default();
    storage.object = Some(uri.into());
    let mut file = RecordedFile::default();
    file.format = Some(format.into());
    file.started_at = Timestamp::from_second(started).ok();
    file.ended_at = Timestamp::from_second(ended).ok();
    file.storage = Some(storage);
    file
}

fn expected(found: &RecordEvent, kind: Option<EventKind>) -> RecordEvent {
    let mut expected = RecordEvent::new(VENDOR, found.raw.clone());
    expected.kind = kind;
    expected.domain = Some("live.example.com".into());
    expected.app = Some("app1".into());
    expected.stream = Some("s1".into());
    expected.dedupe_key = found.dedupe_key;
    expected
}

#[test]
fn a_complete_file_is_read_field_by_field() {
    let found = event(&file());
    let mut wanted = expected(&found, Some(EventKind::FileCompleted));
    let mut file_wanted = recorded(
        "app1/s1/0_2017-03-08-23:09:46_2017-03-08-23:10:40.flv",
        "flv",
        1_488_985_786,
        1_488_985_840,
    );
    file_wanted.duration_seconds = Some(69.403);
    wanted.file = Some(file_wanted);
    wanted.push_arguments = BTreeMap::from([
        ("callback_args1".to_owned(), "value1".to_owned()),
        ("callback_myid".to_owned(), "1231389741".to_owned()),
    ]);
    assert_eq!(found, wanted);
    assert!(found.dedupe_key.is_some());

    let texts = json!({
        "duration": "69.403", "start_time": "1488985786", "stop_time": "1488985840", "unknown": {"a": [1]},
        "event": null,
    });
    let mut body = with(file(), texts);
    let domain = body.as_object_mut().unwrap().remove("domain").unwrap();
    let escaped = with(body, json!({"Domain": domain})).to_string().replace('/', r"\/");
    let lenient = verify_at(&unsigned(), &HeaderMap::new(), escaped, TIME).unwrap();
    let (mut lenient, _) = lenient.into_parts();
    lenient.raw = found.raw.clone();
    assert_eq!(lenient, found);
}

#[test]
fn status_events_are_read_with_their_errors() {
    for (name, kind) in [
        ("record_started", Some(EventKind::RecordingStarted)),
        ("record_paused", Some(EventKind::RecordingPaused)),
        ("record_resumed", Some(EventKind::RecordingResumed)),
        ("record_error", Some(EventKind::RecordingFailed)),
        ("transformat_error", Some(EventKind::TranscodeFailed)),
        ("record_force_transcode_fail", Some(EventKind::TranscodeFailed)),
        ("record_new_thing", Some(EventKind::Vendor("record_new_thing".into()))),
        ("no name", None),
    ] {
        let found = event(&status(name));
        assert_eq!(found, expected(&found, kind), "{name}");
    }
    let found = event(&with(
        status("transformat_error"),
        json!({
            "time": "2026-05-01T08:00:00Z",
            "error_info": {"code": "BucketNotFound", "message": "Bucket not found"},
            "file_info": {"uri": "app1/s1/a.M3U8", "start_time": 1_488_985_786, "stop_time": "2017-03-08T15:10:40Z"},
        }),
    ));
    let mut wanted = expected(&found, Some(EventKind::TranscodeFailed));
    wanted.occurred_at = "2026-05-01T08:00:00Z".parse().ok();
    let mut error = RecordingError::default();
    error.code = Some("BucketNotFound".into());
    error.message = Some("Bucket not found".into());
    wanted.error = Some(error);
    wanted.file = Some(recorded("app1/s1/a.M3U8", "hls", 1_488_985_786, 1_488_985_840));
    assert_eq!(found, wanted);
}

#[test]
fn what_nobody_understands_is_an_event_of_no_kind_if_its_sender_is_proven() {
    let bodies: [&[u8]; 7] =
        [b"", b"[]", b"\xff", b"{\"uri\":", b"{}", b"{\"uri\":1}", b"{\"uri\":\"a\",\"uri\":\"b\"}"];
    for body in bodies {
        for (callbacks, headers) in
            [(unsigned(), HeaderMap::new()), (signed(HOST, KEY), headers(VECTOR, &TIME.to_string()))]
        {
            let (found, _) = verify_at(&callbacks, &headers, body, TIME).unwrap().into_parts();
            let mut wanted = RecordEvent::new(VENDOR, RawBody::from(Bytes::copy_from_slice(body)));
            wanted.dedupe_key = found.dedupe_key;
            assert_eq!(found, wanted);
        }
        let refused = verify_at(&signed(HOST, KEY), &HeaderMap::new(), body, TIME).unwrap_err();
        assert_eq!(refused, Refusal::NotSigned);
    }
}

#[test]
fn an_event_that_comes_again_has_its_key_again_and_no_other_has() {
    let key = |body: &Value, time| -> Option<DedupeKey> { signed_event(body, time).dedupe_key };
    let timed = |time: &str| with(status("record_started"), json!({"time": time}));
    assert_eq!(key(&file(), TIME), key(&file(), TIME + 5));
    assert_eq!(key(&file(), TIME), event(&file()).dedupe_key);
    let started = timed("2026-05-01T08:00:00Z");
    assert_eq!(key(&started, TIME), key(&started, TIME + 5));
    assert_eq!(key(&status("record_started"), TIME), key(&status("record_started"), TIME));
    let keys = [
        key(&file(), TIME),
        key(&with(file(), json!({"uri": "app1/s1/other.flv"})), TIME),
        key(&with(file(), json!({"start_time": 1_489_072_186})), TIME),
        key(&started, TIME),
        key(&timed("2026-05-02T08:00:00Z"), TIME),
        key(&with(started.clone(), json!({"event": "record_error"})), TIME),
        key(&with(started.clone(), json!({"event": "record_error", "error_info": {"code": "c"}})), TIME),
        key(&status("record_started"), TIME),
        key(&status("record_started"), TIME + 86_400),
        key(&status("record_force_transcode_fail"), TIME),
        key(&status("transformat_error"), TIME),
        // In one second, told apart by a field nobody knows.
        key(&with(status("transformat_error"), json!({"reason": "another"})), TIME),
        key(&json!({"new": 1}), TIME),
        key(&json!({"new": 1}), TIME + 1),
        key(&json!({"new": 2}), TIME),
    ];
    for (i, one) in keys.iter().enumerate() {
        assert!(one.is_some(), "{i}");
        assert!(!keys[..i].contains(one), "{i}");
    }
    // Nothing would tell these from the next of their kind.
    for body in [status("record_started"), status("no name"), json!({"new": 1})] {
        assert_eq!(event(&body).dedupe_key, None);
    }
}

#[test]
fn answers_are_those_of_the_documents() {
    let callbacks = unsigned();
    assert_eq!(callbacks.acknowledgement(), r#"{"Code":0,"Msg":"Success"}"#);
    assert_eq!(callbacks.vendor(), VENDOR);

    let protocol = callbacks.on_demand().unwrap();
    let every = [(RecordFormat::Mp4, 300), (RecordFormat::Flv, 120), (RecordFormat::Hls, 180)];
    let sample = every.into_iter().fold(OnDemandDecision::record(), |decision, (format, seconds)| {
        decision.with_interval(format, seconds).unwrap()
    });
    let sample = sample.with_format(RecordFormat::Flv).with_format(RecordFormat::Mp4);
    assert_eq!(
        protocol.answer(&sample),
        r#"{"ApiVersion":"1.0","NeedRecord":true,"Interval":{"Mp4":300,"Flv":120,"M3U8":180},"Format":["mp4","flv"]}"#
    );
    assert_eq!(protocol.answer(&OnDemandDecision::skip()), r#"{"ApiVersion":"1.0","NeedRecord":false}"#);
    let one = OnDemandDecision::record().with_interval(RecordFormat::Hls, 5).unwrap();
    assert_eq!(
        protocol.answer(&one.with_format(RecordFormat::Hls)),
        r#"{"ApiVersion":"1.0","NeedRecord":true,"Interval":{"M3U8":5},"Format":["m3u8"]}"#
    );
    let longest = every.into_iter().fold(OnDemandDecision::skip(), |decision, (format, _)| {
        decision.with_format(format).with_interval(format, 21_600).unwrap()
    });
    assert!(protocol.answer(&longest).len() < 2048);
}

fn ask(callbacks: &AliyunCallbacks, query: &str, headers: &HeaderMap) -> Result<OnDemandRequest, Refusal> {
    callbacks.on_demand().unwrap().parse(query, headers, Timestamp::from_second(TIME).unwrap())
}

#[test]
fn questions_are_decoded() {
    let none = HeaderMap::new();
    // The sample of the documents with other names.
    let query =
        "app=app1&domain=live.example.com&stream=on+demand%2B%E7%9B%B4&vbitrate=2000&codec=h264&new=1&new=2";
    let mut expected = OnDemandRequest::new("live.example.com", "app1", "on demand+直", Assurance::UNSIGNED);
    (expected.codec, expected.video_kbps) = (Some("h264".into()), Some(2000));
    assert_eq!(ask(&unsigned(), query, &none).unwrap(), expected);
    let odd = ask(&unsigned(), "app=a&domain=d&stream=s&vbitrate=%2B1&codec=", &none).unwrap();
    assert_eq!((odd.codec, odd.video_kbps), (None, None));
    for query in [
        "",
        "app=a&domain=d",
        "app=a&domain=d&stream=",
        "app=a&domain=d&stream=s&app=a",
        "app=a&domain=d&stream=s&%61pp=b",
        "app=a&domain=d&stream=%ff",
    ] {
        assert_eq!(ask(&unsigned(), query, &none).unwrap_err().reason(), "malformed", "{query}");
    }
}

#[test]
fn questions_need_a_signature_unless_anybody_may_ask_and_if_they_have_one_it_must_be_right() {
    let query = "app=a&domain=d&stream=s";
    assert_eq!(ask(&signed(HOST, KEY), query, &HeaderMap::new()).unwrap_err(), Refusal::NotSigned);
    let callbacks = signed(HOST, KEY).with_unsigned_questions();
    let right = headers(VECTOR, &TIME.to_string());
    assert!(ask(&callbacks, query, &right).unwrap().assurance.is_signed());
    assert_eq!(ask(&callbacks, query, &HeaderMap::new()).unwrap().assurance, Assurance::UNSIGNED);
    assert_eq!(ask(&unsigned(), query, &right).unwrap().assurance, Assurance::UNSIGNED);
    let wrong = headers(VECTOR_RTC, &TIME.to_string());
    assert_eq!(ask(&callbacks, query, &wrong).unwrap_err(), Refusal::BadSignature);
    assert!(ask(&unsigned(), query, &wrong).is_ok());
    let mut half = right;
    half.remove("ali-live-timestamp");
    assert_eq!(ask(&callbacks, query, &half).unwrap_err(), Refusal::NotSigned);
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        prop::sample::select(vec![
            "\"", "{", "}", "[", ",", ":", "null", "\\u", "\\ud800", "1e999", "-", "\"uri\":"
        ])
        .prop_map(|token| token.as_bytes().to_vec()),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0..8_usize, token), 1..5).prop_map(|edits| {
        let mut body = file().to_string().into_bytes();
        for (at, length, token) in edits {
            let at = at.index(body.len());
            let end = body.len().min(at + length);
            body.splice(at..end, token);
        }
        body
    })
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in prop_oneof![prop::collection::vec(any::<u8>(), 0..300), mutated()]) {
        let (event, _) = verify_at(&signed(HOST, KEY), &signed_at(TIME), body.clone(), TIME).unwrap().into_parts();
        prop_assert_eq!(event.raw.as_bytes(), &body);
        prop_assert!(verify_at(&unsigned(), &HeaderMap::new(), body, TIME).is_ok());
    }

    #[test]
    fn no_headers_or_query_make_it_panic(
        signature in prop::collection::vec(any::<u8>(), 0..70),
        time in prop::collection::vec(any::<u8>(), 0..20),
        query in any::<String>(),
        host in any::<String>(),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in [("ali-live-signature", signature), ("ali-live-timestamp", time)] {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.insert(name, value);
            }
        }
        let refused = verify_at(&signed(HOST, KEY), &headers, "{}", TIME);
        prop_assert!(refused.is_err());
        let _ = ask(&unsigned(), &query, &headers);
        let _ = AliyunCallbacks::new(&host, SignaturePolicy::unsigned());
    }

    #[test]
    fn the_order_of_fields_does_not_matter(
        fields in Just(Vec::from_iter(file().as_object().unwrap().clone())).prop_shuffle()
    ) {
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{}: {value}", json!(name))).collect();
        let body = format!("{{ {} }}", fields.join(" ,\n"));
        let (mut found, _) = verify_at(&unsigned(), &HeaderMap::new(), body, TIME).unwrap().into_parts();
        let expected = event(&file());
        found.raw = expected.raw.clone();
        prop_assert_eq!(found, expected);
    }
}
