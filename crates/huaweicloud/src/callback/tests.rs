use bytes::Bytes;
use http::HeaderMap;
use jiff::SignedDuration;
use jiff::Timestamp;
use proptest::prelude::*;
use record_callback_core::{
    Assurance, DedupeKey, EventKind, RecordEvent, RecordedFile, RecordingError, Storage,
};
use record_callback_http::hex;
use serde_json::{Value, json};

use super::*;

const KEY: &str = "0123456789abcdefghijklmnopqrstuv";
const TIME: i64 = 1_583_676_745;
const DOWNLOAD: &str = "https://obs.cn-north-4.myhuaweicloud.com/live/record-xxxx-mystream-1589967495/record-push.example.com-live-mystream-1589967495.m3u8";
const PLAY: &str = "https://2-cn-north-4.cdn-vod.huaweicloud.com/asset/1a0d8e9bfae388cxxxxxx21e62aa1e96/55c634374750cexxxxxxc035a26ecfac.m3u8";

/// Computed with Python's `hashlib` and `hmac` from the formulas of page `iLive-live/live_01_0011` of 2026-01-08, which
/// prints no results.
const VECTOR_MD5: &str = "cf2103e51b6a2a22e9bd1db18997820f";
const VECTOR_BOTH_URLS: &str = "9fa5e93a561ac54b02313e887dba2d2c49c7e5936043b23cf6ca0cc9fb61a967";
const VECTOR_NO_PLAY_URL: &str = "ca15f2a796576f42ca229d9bd202f37453164f720e92ea5789e2a37ae42b3c1b";
const VECTOR_OVER: &str = "7e1766cd10a5162579988fd5a3565a8ff436c196ab734b8799de8906070c5575";
const VECTOR_UNICODE: &str = "050d3b6a629b86a95441d1d5b01cd32d3d5ddabc997d0d27d7e62bc6cb9d4921";
/// Of the same event as `VECTOR_OVER`, with `null` for each missing URL.
const VECTOR_NULL: &str = "f3e33fe37d9dc2c7bb174a2a95fbdfa5fc2d4a94ee1af7f306280871584bf383";
/// By the formula of May 2021: the key and the time only.
const VECTOR_LEGACY: &str = "570c2a91923f3a768287066e4567f252235d1bf116f2dcdd2687bd8f3dbe7cbc";
const BASE64_BOTH_URLS: &str = "n6XpOlYaxUsCMT6IfbotLEnH5ZNgQ7I89soMyfthqWc=";

fn signed(scheme: SigningScheme) -> HuaweicloudCallbacks {
    let policy = SignaturePolicy::signed([SigningKey::new(KEY).unwrap()]).unwrap();
    HuaweicloudCallbacks::new(scheme, policy)
}

fn hmac_signed() -> HuaweicloudCallbacks {
    signed(SigningScheme::HmacSha256)
}

fn unsigned() -> HuaweicloudCallbacks {
    HuaweicloudCallbacks::new(SigningScheme::HmacSha256, SignaturePolicy::unsigned())
}

fn verify_at(
    callbacks: &HuaweicloudCallbacks,
    body: impl Into<Vec<u8>>,
    at: i64,
) -> Result<VerifiedEvent, Refusal> {
    let (headers, body) = (HeaderMap::new(), Bytes::from(body.into()));
    let received_at = Timestamp::from_second(at).unwrap();
    callbacks.verify(&Delivery { headers: &headers, body: &body, received_at })
}

fn verify(callbacks: &HuaweicloudCallbacks, body: &Value) -> Result<VerifiedEvent, Refusal> {
    verify_at(callbacks, body.to_string(), TIME)
}

fn event(callbacks: &HuaweicloudCallbacks, body: &Value) -> RecordEvent {
    verify(callbacks, body).unwrap().into_parts().0
}

/// The body signed as the documents say, at `time`.
fn sign(mut body: Value, scheme: SigningScheme, time: i64) -> Value {
    let key = SigningKey::new(KEY).unwrap();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let names = ["event_type", "publish_domain", "app", "stream", "download_url", "play_url"];
    let message = time.to_string() + &names.map(text).concat();
    body["auth_sign"] = match scheme {
        SigningScheme::Md5 => hex(md5(&key, &time.to_string())),
        _ => hex(hmac(&key, &[&message])),
    }
    .into();
    body["auth_timestamp"] = time.into();
    body
}

/// The fields every event has since 2024.
fn minimal(event: &str) -> Value {
    json!({
        "project_id": "70b76xxxxxx34253880af501cdxxxxxx", "task_id": "51125b26-45f6-4a8b-a0d3-1f0ba7bfeca7",
        "event_type": event, "publish_domain": "push.example.com", "app": "live", "stream": "mystream",
    })
}

fn with(mut body: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { unreachable!() };
    body.as_object_mut().unwrap().extend(fields);
    body
}

fn without(mut body: Value, names: &[&str]) -> Value {
    body.as_object_mut().unwrap().retain(|name, _| !names.contains(&name.as_str()));
    body
}

/// Every field there is, in the form of the documents' sample (page `iLive-live/live_01_0035`) and with its times.
fn full() -> Value {
    with(
        minimal("RECORD_FILE_COMPLETE"),
        json!({
            "job_id": "dc0a1773-0af0-4a7d-8b0b-2b6e8b4bd6e4", "record_format": "HLS",
            "download_url": DOWNLOAD, "play_url": PLAY, "asset_id": "1a0d8e9bfae388cxxxxxx21e62aa1e96",
            "file_size": 3_957_964, "record_duration": 120,
            "start_time": "2020-03-08T14:10:25Z", "end_time": "2020-03-08T14:12:25Z",
            "width": 1280, "height": 720,
            "obs_location": "https://obs.cn-north-4.myhuaweicloud.com", "obs_bucket": "mybucket",
            "obs_object": "live/record-xxxx-mystream-1589967495/record.m3u8",
            "error_message": "none",
        }),
    )
}

#[test]
fn vectors_verify() {
    let both = json!({"download_url": DOWNLOAD, "play_url": PLAY});
    let hmac = SigningScheme::HmacSha256;
    for (scheme, event, fields, signature) in [
        (SigningScheme::Md5, "RECORD_FILE_COMPLETE", both.clone(), VECTOR_MD5),
        (SigningScheme::Md5, "RECORD_START", json!({}), VECTOR_MD5),
        (hmac, "RECORD_FILE_COMPLETE", both.clone(), VECTOR_BOTH_URLS),
        (hmac, "RECORD_FILE_COMPLETE", both.clone(), &VECTOR_BOTH_URLS.to_uppercase()),
        (hmac, "RECORD_FILE_COMPLETE", json!({"download_url": DOWNLOAD}), VECTOR_NO_PLAY_URL),
        (hmac, "RECORD_OVER", json!({}), VECTOR_OVER),
        (hmac, "RECORD_OVER", json!({"download_url": null, "play_url": ""}), VECTOR_OVER),
        (hmac, "RECORD_NEW_FILE_START", json!({"stream": "直播流"}), VECTOR_UNICODE),
    ] {
        for time in [json!(TIME), json!(TIME.to_string())] {
            let body = with(minimal(event), json!({"auth_sign": signature, "auth_timestamp": time}));
            let verified = verify(&signed(scheme), &with(body, fields.clone())).unwrap();
            let none = EventFields::default();
            let (proven, joined) = if scheme == hmac { (KIND, JOINED) } else { (none, none) };
            let signed_at = Timestamp::from_second(TIME).ok();
            assert_eq!(
                *verified.assurance(),
                Assurance::new(Some(scheme), signed_at, proven, joined),
                "{event}"
            );
        }
    }
}

#[test]
fn other_formulas_and_encodings_are_refused() {
    let both = json!({"download_url": DOWNLOAD, "play_url": PLAY});
    for (event, fields, signature) in [
        ("RECORD_OVER", json!({}), VECTOR_NULL),
        ("RECORD_OVER", json!({}), VECTOR_LEGACY),
        ("RECORD_FILE_COMPLETE", both.clone(), BASE64_BOTH_URLS),
        // The sender does not choose the scheme.
        ("RECORD_OVER", json!({}), VECTOR_MD5),
    ] {
        let body = with(minimal(event), json!({"auth_sign": signature, "auth_timestamp": TIME}));
        assert_eq!(verify(&hmac_signed(), &with(body, fields)).unwrap_err(), Refusal::BadSignature);
    }
    let over = with(minimal("RECORD_OVER"), json!({"auth_sign": VECTOR_OVER, "auth_timestamp": TIME}));
    assert_eq!(verify(&signed(SigningScheme::Md5), &over).unwrap_err(), Refusal::BadSignature);
}

/// `\/` and `\u0026` are JSON's, not the URL's.
#[test]
fn texts_are_signed_as_they_are_meant_not_as_they_are_escaped() {
    let fields = json!({"download_url": "https://obs.example.com/a.m3u8?x=1&y=2"});
    let body =
        sign(with(minimal("RECORD_FILE_COMPLETE"), fields), SigningScheme::HmacSha256, TIME).to_string();
    let escaped = body.replace('/', r"\/").replace('&', r"\u0026").replace("push", r"\u0070ush");
    assert_ne!(body, escaped);
    let verified = verify_at(&hmac_signed(), escaped, TIME).unwrap();
    let (event, _) = verified.into_parts();
    assert_eq!(event.file.unwrap().url.as_deref(), Some("https://obs.example.com/a.m3u8?x=1&y=2"));
    assert_eq!(event.domain.as_deref(), Some("push.example.com"));
}

#[test]
fn the_time_must_be_a_plain_number_near_now() {
    let body = sign(minimal("RECORD_OVER"), SigningScheme::HmacSha256, TIME);
    for (late, fine) in [(0, true), (600, true), (601, false), (-86_400, true), (-86_401, false)] {
        let result = verify_at(&hmac_signed(), body.to_string(), TIME + late);
        let stale = Err(Refusal::Stale { age: SignedDuration::from_secs(late) });
        assert_eq!(result.map(|_| ()), if fine { Ok(()) } else { stale }, "{late}");
    }
    for (time, refusal) in [
        (json!(-1_583_676_745), Refusal::BadSignature),
        (json!(1_583_676_745.0), Refusal::BadSignature),
        (json!(true), Refusal::NotSigned),
        (json!(null), Refusal::NotSigned),
        (json!([TIME]), Refusal::NotSigned),
    ] {
        let key = SigningKey::new(KEY).unwrap();
        for scheme in [SigningScheme::Md5, SigningScheme::HmacSha256] {
            let mut body = with(minimal("RECORD_OVER"), json!({"auth_timestamp": time}));
            body["auth_sign"] = match scheme {
                SigningScheme::Md5 => hex(md5(&key, &time.to_string())),
                _ => hex(hmac(&key, &[&time.to_string(), "RECORD_OVERpush.example.comlivemystream"])),
            }
            .into();
            assert_eq!(verify(&signed(scheme), &body).unwrap_err(), refusal, "{time}");
        }
    }
}

#[test]
fn each_of_several_keys_counts_and_no_other() {
    let body = sign(minimal("RECORD_OVER"), SigningScheme::HmacSha256, TIME);
    for (keys, fine) in [
        (vec!["anotherKey0123456789anotherKey01", KEY], true),
        (vec!["anotherKey0123456789anotherKey01", "thirdKey0123456789thirdKey012345"], false),
    ] {
        let keys = keys.into_iter().map(|key| SigningKey::new(key).unwrap());
        let policy = SignaturePolicy::signed(keys).unwrap();
        let callbacks = HuaweicloudCallbacks::new(SigningScheme::HmacSha256, policy);
        assert_eq!(verify(&callbacks, &body).is_ok(), fine);
        assert!(!format!("{callbacks:?}").contains("Key0123"));
    }
}

fn at(event: &Value, field: EventField) -> Value {
    event.pointer(&format!("/{}", field.as_str().replace('.', "/"))).cloned().unwrap_or_default()
}

/// Each field of the body is changed alone. What it changes in the event is either proven, and the change refused; or
/// not, and the event says so. A field that is covered and not declared, or the other way round, fails.
#[test]
fn what_is_proven_cannot_be_changed_and_what_can_is_not_proven() {
    let original = full();
    let before = serde_json::to_value(event(&unsigned(), &original)).unwrap();
    for scheme in [SigningScheme::HmacSha256, SigningScheme::Md5] {
        let original = sign(original.clone(), scheme, TIME);
        let assurance = *verify(&signed(scheme), &original).unwrap().assurance();
        let covered = assurance.proven.union(assurance.joined);
        let mut touched = Vec::new();
        for (name, value) in original.as_object().unwrap() {
            let changed = match value {
                Value::Number(number) => json!(number.as_i64().unwrap() + 1),
                _ if name == "event_type" => json!("RECORD_OVER"),
                _ if name.ends_with("_time") => json!("2020-03-08T14:11:00Z"),
                Value::String(text) => json!(format!("{text}0")),
                _ => unreachable!(),
            };
            let body = with(original.clone(), json!({ name: changed }));
            let after = serde_json::to_value(event(&unsigned(), &body)).unwrap();
            let fields =
                EventField::ALL.iter().copied().filter(|field| at(&before, *field) != at(&after, *field));
            let fields: Vec<_> = fields.collect();
            let result = verify(&signed(scheme), &body);
            if name.starts_with("auth_") || fields.iter().any(|field| covered.contains(*field)) {
                assert_eq!(result.unwrap_err(), Refusal::BadSignature, "{name}");
            } else {
                let verified = result.unwrap();
                assert!(
                    fields.iter().all(|field| verified.assurance().unproven().contains(*field)),
                    "{name}"
                );
            }
            assert_eq!(fields.is_empty(), name.starts_with("auth_") || name == "project_id", "{name}");
            touched.extend(fields);
        }
        // No event of Live has these.
        let never = EventFields::of(&[EventField::OccurredAt, EventField::PushArguments]);
        assert_eq!(EventFields::of(&touched), never.complement());
    }
}

/// The price of joining without separators. Consumers must take app and stream for what they are: one text in two
/// parts, cut where the sender says.
#[test]
fn where_app_ends_and_stream_begins_is_not_proven() {
    let body = sign(full(), SigningScheme::HmacSha256, TIME);
    for moved in [
        json!({"app": "livem", "stream": "ystream"}),
        json!({"publish_domain": "push.example.comlive", "app": null}),
        json!({"download_url": "", "play_url": format!("{DOWNLOAD}{PLAY}")}),
    ] {
        let verified = verify(&hmac_signed(), &with(body.clone(), moved.clone())).unwrap();
        let joined = verified.assurance().joined;
        for (name, field) in [
            ("app", EventField::App),
            ("publish_domain", EventField::Domain),
            ("download_url", EventField::FileUrl),
        ] {
            assert!(moved.get(name).is_none() || joined.contains(field), "{name}");
        }
        let app = moved["app"].as_str().or(if moved.get("app").is_some() { None } else { Some("live") });
        assert_eq!(verified.event().app.as_deref(), app);
    }
}

/// Kept, as the sender is proven, but nothing says any more which of the joined text is the event.
#[test]
fn an_event_that_does_not_stand_out_is_only_joined() {
    for (event, domain) in [
        ("", "RECORD_OVERpush.example.com"),
        ("RECORD_OVERpush", ".example.com"),
        ("RECORD_OVE", "Rpush.example.com"),
        ("RECORD_OVERpush.example.com", ""),
        ("5RECORD_OVER", "push.example.com"),
        ("RECORD_V2", "push.example.com"),
        ("RECORD_OVER", "Push.example.com"),
    ] {
        let body = with(minimal(event), json!({"publish_domain": domain}));
        let body = sign(body, SigningScheme::HmacSha256, TIME);
        let verified = verify(&hmac_signed(), &body).unwrap();
        let assurance = verified.assurance();
        assert!(
            assurance.proven.is_empty() && assurance.joined.contains(EventField::Kind),
            "{event}|{domain}"
        );
        assert_eq!(verified.event().raw.as_bytes(), body.to_string().as_bytes());
    }
}

#[test]
fn a_complete_file_is_read_field_by_field() {
    let found = event(&hmac_signed(), &sign(full(), SigningScheme::HmacSha256, TIME));
    let mut storage = Storage::default();
    storage.location = Some("https://obs.cn-north-4.myhuaweicloud.com".into());
    storage.bucket = Some("mybucket".into());
    storage.object = Some("live/record-xxxx-mystream-1589967495/record.m3u8".into());
    let mut file = RecordedFile::default();
    file.url = Some(DOWNLOAD.into());
    file.play_url = Some(PLAY.into());
    file.id = Some("1a0d8e9bfae388cxxxxxx21e62aa1e96".into());
    file.format = Some("hls".into());
    file.bytes = Some(3_957_964);
    file.duration_seconds = Some(120.0);
    file.started_at = Some("2020-03-08T14:10:25Z".parse().unwrap());
    file.ended_at = Some("2020-03-08T14:12:25Z".parse().unwrap());
    (file.width, file.height) = (Some(1280), Some(720));
    file.storage = Some(storage);
    let mut error = RecordingError::default();
    error.message = Some("none".into());
    let mut expected = RecordEvent::new(VENDOR, found.raw.clone());
    expected.kind = Some(EventKind::FileCompleted);
    expected.domain = Some("push.example.com".into());
    expected.app = Some("live".into());
    expected.stream = Some("mystream".into());
    expected.task_id = Some("51125b26-45f6-4a8b-a0d3-1f0ba7bfeca7".into());
    expected.job_id = Some("dc0a1773-0af0-4a7d-8b0b-2b6e8b4bd6e4".into());
    expected.error = Some(error);
    expected.file = Some(file);
    expected.dedupe_key = found.dedupe_key;
    assert!(found.dedupe_key.is_some());
    assert_eq!(found, expected);

    let texts = json!({
        "file_size": "3957964", "record_duration": "120", "width": "1280", "height": "720", "unknown": {"a": [1]},
    });
    let mut lenient = event(&unsigned(), &with(full(), texts));
    lenient.raw = found.raw.clone();
    assert_eq!(lenient, found);
}

#[test]
fn events_have_their_neutral_kind_and_no_file_unless_there_is_one() {
    for (name, kind) in [
        ("RECORD_START", Some(EventKind::RecordingStarted)),
        ("RECORD_OVER", Some(EventKind::RecordingEnded)),
        ("RECORD_FAILED", Some(EventKind::RecordingFailed)),
        ("RECORD_NEW_FILE_START", Some(EventKind::FileStarted)),
        ("RECORD_FILE_COMPLETE", Some(EventKind::FileCompleted)),
        ("RECORD_NEW_THING", Some(EventKind::Vendor("RECORD_NEW_THING".into()))),
        ("no name", None),
        ("", None),
    ] {
        let found = event(&unsigned(), &minimal(name));
        assert_eq!((found.kind, found.file, found.error), (kind, None, None), "{name}");
    }
    let nonsense = json!({"record_duration": -1, "width": -1, "file_size": 1.5, "start_time": "yesterday"});
    assert_eq!(event(&unsigned(), &with(minimal("RECORD_OVER"), nonsense)).file, None);
}

#[test]
fn what_is_no_json_object_is_an_event_of_unsigned_sources_only() {
    for body in ["", "[]", "null", "{\"app\":", "{\"app\":\"a\",\"app\":\"b\"}"] {
        let found = verify_at(&unsigned(), body, TIME).unwrap();
        assert_eq!(found.assurance(), &Assurance::UNSIGNED);
        assert_eq!((&found.event().kind, found.event().raw.as_bytes()), (&None, body.as_bytes()));
        let refused = verify_at(&hmac_signed(), body, TIME).unwrap_err();
        assert_eq!(refused.reason(), "malformed", "{body}");
    }
    assert_eq!(verify(&hmac_signed(), &minimal("RECORD_OVER")).unwrap_err(), Refusal::NotSigned);
}

#[test]
fn an_event_that_comes_again_has_its_key_again_and_no_other_has() {
    let key = |body: &Value, time| -> Option<DedupeKey> {
        let body = sign(body.clone(), SigningScheme::HmacSha256, time);
        event(&hmac_signed(), &body).dedupe_key
    };
    let changed = |fields| with(full(), fields);
    let file = key(&full(), TIME).unwrap();
    assert_eq!(key(&full(), TIME + 5), Some(file));
    assert_eq!(event(&unsigned(), &full()).dedupe_key, Some(file));
    let start = key(&minimal("RECORD_START"), TIME).unwrap();
    assert_eq!(key(&minimal("RECORD_START"), TIME + 5), Some(start));
    let failed = with(minimal("RECORD_FAILED"), json!({"error_message": "obs upload failed"}));
    // Files of before 2024, without ids.
    let old = without(full(), &["task_id", "job_id", "project_id"]);
    let keys = [
        Some(file),
        Some(start),
        key(&changed(json!({"job_id": "another"})), TIME),
        // The ids are anybody's word: the same ones with another stream are another event.
        key(&changed(json!({"stream": "another"})), TIME),
        key(&changed(json!({"publish_domain": "another.example.com"})), TIME),
        key(&changed(json!({"app": "another"})), TIME),
        key(&changed(json!({"download_url": "https://obs.example.com/another"})), TIME),
        key(&minimal("no name"), TIME),
        key(&minimal("no name"), TIME + 1),
        key(&changed(json!({"event_type": "RECORD_NEW_FILE_START"})), TIME),
        key(&with(minimal("RECORD_START"), json!({"task_id": "of another day"})), TIME),
        key(&minimal("RECORD_OVER"), TIME),
        key(&failed, TIME),
        key(&failed, TIME + 5),
        key(&old, TIME),
        event(&unsigned(), &old).dedupe_key,
        event(&unsigned(), &with(old.clone(), json!({"start_time": "2020-03-09T14:10:25Z"}))).dedupe_key,
        key(&without(minimal("RECORD_START"), &["task_id"]), TIME),
        key(&without(minimal("RECORD_START"), &["task_id"]), TIME + 86_400 - 1),
    ];
    for (i, one) in keys.iter().enumerate() {
        assert!(one.is_some(), "{i}");
        assert!(!keys[..i].contains(one), "{i}");
    }
    // Nothing but an unproven time would tell these from the next of their kind.
    for body in [failed, without(minimal("RECORD_START"), &["task_id"]), minimal("no name")] {
        let body = sign(body, SigningScheme::HmacSha256, TIME);
        assert_eq!(event(&unsigned(), &body).dedupe_key, None);
    }
}

#[test]
fn answers_are_those_of_the_documents() {
    let callbacks = unsigned();
    assert_eq!(callbacks.acknowledgement(), r#"{"status":1,"result":"success"}"#);
    assert!(callbacks.on_demand().is_none());
    assert_eq!(callbacks.vendor(), VENDOR);
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        prop::sample::select(vec![
            "\"", "{", "}", "[", ",", ":", "null", "\\u", "\\ud800", "1e999", "-", "\"app\":"
        ])
        .prop_map(|token| token.as_bytes().to_vec()),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0..8_usize, token), 1..5).prop_map(|edits| {
        let mut body = sign(full(), SigningScheme::HmacSha256, TIME).to_string().into_bytes();
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
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(verify_at(&hmac_signed(), body.clone(), TIME).is_err());
        prop_assert!(verify_at(&unsigned(), body, TIME).is_ok());
    }

    #[test]
    fn whatever_is_done_to_a_signed_body_what_is_proven_stays(body in mutated()) {
        let joined = |event: &RecordEvent| {
            let file = event.file.clone().unwrap_or_default();
            let parts = [event.domain.clone(), event.app.clone(), event.stream.clone(), file.url, file.play_url];
            (event.kind.clone(), parts.map(Option::unwrap_or_default).concat())
        };
        prop_assert!(verify_at(&unsigned(), body.clone(), TIME).is_ok());
        if let Ok(verified) = verify_at(&hmac_signed(), body, TIME) {
            prop_assert_eq!(joined(verified.event()), joined(&event(&unsigned(), &full())));
        }
    }

    #[test]
    fn the_order_of_fields_does_not_matter(
        fields in Just(Vec::from_iter(sign(full(), SigningScheme::HmacSha256, TIME).as_object().unwrap().clone()))
            .prop_shuffle()
    ) {
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{}: {value}", json!(name))).collect();
        let found = verify_at(&hmac_signed(), format!("{{ {} }}", fields.join(" ,\n")), TIME).unwrap();
        let (mut found, _) = found.into_parts();
        let expected = event(&hmac_signed(), &sign(full(), SigningScheme::HmacSha256, TIME));
        found.raw = expected.raw.clone();
        prop_assert_eq!(found, expected);
    }
}
