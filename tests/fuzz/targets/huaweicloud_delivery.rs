//! Input: a body; or, after a `0`, the fields of a body.
#![no_main]

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use record_callback::http::header::HeaderMap;
use record_callback::huaweicloud::HuaweicloudCallbacks;
use record_callback::{
    Assurance, EventField, Refusal, SignaturePolicy, SigningScheme, Timestamp, VerifiedEvent,
};
use record_callback_fuzz::{FOREIGN_KEY, KEY, NEXT_KEY, NOW, age, hmac_sha256, md5, signed};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

type Object<'a> = BTreeMap<String, &'a RawValue>;

const SCHEMES: [SigningScheme; 2] = [SigningScheme::Md5, SigningScheme::HmacSha256];
/// In seconds.
const OLDEST: i64 = 600;
const FURTHEST_AHEAD: i64 = 24 * 60 * 60;
/// After the time, in the order they are signed.
const SIGNED: [&str; 6] = ["event_type", "publish_domain", "app", "stream", "download_url", "play_url"];
/// The rest.
const OTHERS: [&str; 15] = [
    "project_id",
    "job_id",
    "task_id",
    "record_format",
    "asset_id",
    "file_size",
    "record_duration",
    "start_time",
    "end_time",
    "width",
    "height",
    "obs_location",
    "obs_bucket",
    "obs_object",
    "error_message",
];
const EVENTS: [&str; 5] =
    ["RECORD_START", "RECORD_NEW_FILE_START", "RECORD_FILE_COMPLETE", "RECORD_OVER", "RECORD_FAILED"];

fuzz_target!(|input: &[u8]| match input {
    [b'0', fields @ ..] => {
        if let Ok(fields) = Fields::arbitrary(&mut Unstructured::new(fields)) {
            fields_signed(&fields);
        }
    }
    body => any_body(body),
});

fn verify(policy: SignaturePolicy, scheme: SigningScheme, body: &[u8]) -> Result<VerifiedEvent, Refusal> {
    record_callback_fuzz::verify(&HuaweicloudCallbacks::new(scheme, policy), &HeaderMap::new(), body)
}

fn sign(scheme: SigningScheme, key: &str, time: &str, signed: &str) -> String {
    match scheme {
        SigningScheme::Md5 => md5(&[key, time]),
        _ => hmac_sha256(key, &format!("{time}{signed}")),
    }
}

fn is_recent(time: &str) -> bool {
    age(time).is_some_and(|age| (-FURTHEST_AHEAD..=OLDEST).contains(&age))
}

fn any_body(body: &[u8]) {
    for scheme in SCHEMES {
        let anybody = verify(SignaturePolicy::unsigned(), scheme, body).unwrap();
        assert_eq!(*anybody.assurance(), Assurance::UNSIGNED);
        let fields = serde_json::from_slice::<Object<'_>>(body).ok();
        if verify(signed(), scheme, body).is_ok() {
            let fields = fields.as_ref().unwrap();
            let (time, signature) = (scalar(fields, "auth_timestamp"), text(fields, "auth_sign"));
            let message = SIGNED.map(|name| text(fields, name)).concat();
            let mut known = [KEY, NEXT_KEY].iter().map(|key| sign(scheme, key, &time, &message));
            assert!(known.any(|known| known.eq_ignore_ascii_case(&signature)) && is_recent(&time));
        }

        // Whatever else is in it: signed by who knows a key, and by who does not.
        let Some(fields) = fields else { continue };
        let message = SIGNED.map(|name| text(&fields, name)).concat();
        let time = NOW.to_string();
        let [good, next, foreign] = [KEY, NEXT_KEY, FOREIGN_KEY].map(|key| {
            let signature = sign(scheme, key, &time, &message);
            verify(signed(), scheme, with_signature(&fields, &signature, &time).as_bytes())
        });
        match (good, next, foreign) {
            (Ok(good), Ok(next), Err(Refusal::BadSignature)) => {
                assert_eq!(good.assurance(), next.assurance());
                assert_same(&good, &next);
                let stands_out =
                    event_stands_out(&text(&fields, "event_type"), &text(&fields, "publish_domain"));
                let is_proven = stands_out && scheme == SigningScheme::HmacSha256;
                assert_eq!(good.assurance().proven.contains(EventField::Kind), is_proven);
            }
            // A surrogate of no pair, a number beyond all bounds: JSON in form only.
            (Err(good), Err(next), Err(foreign)) => {
                assert!(matches!(good, Refusal::Malformed { .. }), "{good}");
                assert_eq!((&good, &good), (&next, &foreign));
                assert!(fields.values().any(|json| serde_json::from_str::<Value>(json.get()).is_err()));
            }
            other => panic!("{other:?}"),
        }
    }
}

fn scalar(fields: &Object<'_>, name: &str) -> String {
    fields.get(name).map(|json| json.get().trim_matches('"').to_owned()).unwrap_or_default()
}

fn text(fields: &Object<'_>, name: &str) -> String {
    fields.get(name).and_then(|json| serde_json::from_str(json.get()).ok()).unwrap_or_default()
}

fn with_signature(fields: &Object<'_>, signature: &str, time: &str) -> String {
    let others = fields.iter().filter(|(name, _)| !["auth_sign", "auth_timestamp"].contains(&name.as_str()));
    let others = others.map(|(name, json)| format!("{}:{},", Value::from(name.as_str()), json.get()));
    format!("{{{}\"auth_sign\":\"{signature}\",\"auth_timestamp\":{time}}}", others.collect::<String>())
}

/// Two deliveries of one event. What nobody understands is told from others by all of it, the signature included.
fn assert_same(one: &VerifiedEvent, other: &VerifiedEvent) {
    let mut events = [one, other].map(|verified| verified.event().clone());
    events[0].raw = events[1].raw.clone();
    if events[0].kind.is_none() {
        events[0].dedupe_key = events[1].dedupe_key;
    }
    assert_eq!(events[0], events[1], "the event depends on the signature");
}

/// Whether the characters of event and domain say where the event begins and ends.
fn event_stands_out(event: &str, domain: &str) -> bool {
    event.starts_with(|c: char| c.is_ascii_uppercase())
        && event.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        && domain.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
}

#[derive(Debug, Arbitrary)]
struct Fields {
    is_md5: bool,
    /// One of [`EVENTS`], instead of what is in `signed`.
    event: Option<u8>,
    /// Likewise, a domain.
    good_domain: bool,
    time: Time,
    signed: [Field; SIGNED.len()],
    others: [Field; OTHERS.len()],
    unknown: Option<(String, Field)>,
}

#[derive(Debug, Arbitrary)]
enum Time {
    Now,
    Off(i32),
    OffText(i32),
    Any(String),
}

#[derive(Debug, Arbitrary)]
enum Field {
    Absent,
    Null,
    Text(String),
    Number(i64),
    Decimal(f64),
    Digits(u32),
    Time(i32),
    Nested(Vec<String>),
}

impl Field {
    fn json(&self) -> Option<Value> {
        Some(match self {
            Self::Absent => return None,
            Self::Null => Value::Null,
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => (*number).into(),
            Self::Decimal(number) => (*number).into(),
            Self::Digits(number) => number.to_string().into(),
            Self::Time(seconds) => Timestamp::from_second((*seconds).into()).unwrap().to_string().into(),
            Self::Nested(texts) => Value::Object(texts.iter().map(|name| (name.clone(), 1.into())).collect()),
        })
    }
}

fn fields_signed(fields: &Fields) {
    let scheme = SCHEMES[usize::from(!fields.is_md5)];
    let mut body = Map::new();
    let named = SIGNED.iter().zip(&fields.signed).chain(OTHERS.iter().zip(&fields.others));
    for (name, field) in named {
        body.extend(field.json().map(|json| ((*name).to_owned(), json)));
    }
    if let Some(event) = fields.event {
        body.insert("event_type".to_owned(), EVENTS[usize::from(event) % EVENTS.len()].into());
    }
    if fields.good_domain {
        body.insert("publish_domain".to_owned(), "push.example.com".into());
    }
    if let Some((name, field)) = &fields.unknown
        && !name.starts_with("auth_")
    {
        let json = field.json();
        if let Some(json) =
            json.filter(|_| !SIGNED.contains(&name.as_str()) && !OTHERS.contains(&name.as_str()))
        {
            body.insert(name.clone(), json);
        }
    }
    let (time, json): (String, Value) = match &fields.time {
        Time::Now => (NOW.to_string(), NOW.into()),
        Time::Off(off) => ((NOW + i64::from(*off)).to_string(), (NOW + i64::from(*off)).into()),
        Time::OffText(off) => {
            let text = (NOW + i64::from(*off)).to_string();
            (text.clone(), text.into())
        }
        Time::Any(text) => (text.clone(), text.as_str().into()),
    };
    // A text with escapes is no time.
    let has_time = !time.is_empty() && (json.is_number() || !json.to_string().contains('\\'));
    body.insert("auth_timestamp".to_owned(), json);

    let text = |body: &Map<String, Value>, name: &str| {
        body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let message = SIGNED.map(|name| text(&body, name)).concat();
    let verify = |body: &Map<String, Value>, signature: &str| {
        let mut body = body.clone();
        body.insert("auth_sign".to_owned(), signature.into());
        verify(signed(), scheme, Value::from(body).to_string().as_bytes())
    };
    let signature = sign(scheme, KEY, &time, &message);
    let verified = verify(&body, &signature);
    let expected = match (has_time, age(&time)) {
        (false, _) => "not_signed",
        (true, None) => "bad_signature",
        (true, Some(_)) if !is_recent(&time) => "stale",
        (true, Some(_)) => "",
    };
    assert_eq!(verified.as_ref().err().map_or("", Refusal::reason), expected, "{body:?}");

    let foreign = verify(&body, &sign(scheme, FOREIGN_KEY, &time, &message)).unwrap_err();
    assert_eq!(foreign.reason(), if has_time { "bad_signature" } else { "not_signed" });

    let Ok(verified) = verified else { return };
    let stands_out = event_stands_out(&text(&body, "event_type"), &text(&body, "publish_domain"));
    assert_eq!(verified.assurance().proven.contains(EventField::Kind), stands_out && !fields.is_md5);
    let event = verified.event();
    let seen = [&event.domain, &event.app, &event.stream, &event.job_id, &event.task_id];
    let sent = ["publish_domain", "app", "stream", "job_id", "task_id"].map(|name| text(&body, name));
    assert_eq!(seen.map(|text| text.clone().unwrap_or_default()), sent);
    for again in [signature.to_uppercase(), sign(scheme, NEXT_KEY, &time, &message)] {
        assert_same(&verify(&body, &again).unwrap(), &verified);
    }
    for name in SIGNED {
        let mut other = body.clone();
        other.insert(name.to_owned(), format!("{}x", text(&body, name)).into());
        let changed = verify(&other, &signature);
        assert!(fields.is_md5 || changed == Err(Refusal::BadSignature), "{name} counts");
    }
}
