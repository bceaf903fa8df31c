//! Refused deliveries: the guess of what was meant, the log that keeps them, and those who are told.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;

use jiff::Timestamp;
use record_callback::aliyun::AliyunCallbacks;
use record_callback::huaweicloud::HuaweicloudCallbacks;
use record_callback::{
    Change, Delivery as Arrived, Explanation, Outcome, SignaturePolicy, SigningKey, SigningScheme, Standing,
};
use record_callback_mock::{
    AliyunEvent, AliyunSender, Clock, Delivery, HuaweicloudEvent, HuaweicloudSender, SignType,
};
use record_callback_receiver::{
    AnsweredDelivery, DeliveryLog, DeliveryOutcome, MemorySink, RefusedDelivery, RefusedLog, Source, explain,
};

use super::support::{
    ALIYUN, AT, HUAWEICLOUD, KEY, OTHER_KEY, Server, aliyun, huaweicloud, now, poll, post, request, signed,
};

const HMAC: SigningScheme = SigningScheme::HmacSha256;
const MD5: SigningScheme = SigningScheme::Md5;

fn at(delivery: &Delivery, host: &str, received_at: Timestamp) -> (HeaderMap, Bytes, Timestamp) {
    let mut headers = HeaderMap::new();
    headers.insert("host", host.parse().unwrap());
    for (name, value) in &delivery.headers {
        headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    (headers, Bytes::from(delivery.body.clone()), received_at)
}

fn explained(
    sources: &[Source],
    name: &str,
    (headers, body, received_at): &(HeaderMap, Bytes, Timestamp),
) -> Explanation {
    explain(sources, name, &Arrived { headers, body, received_at: *received_at }, &[]).unwrap()
}

/// The delivery that Aliyun sends to `host`, signed with `key` at `time`.
fn from_aliyun(host: &str, key: &str, time: Timestamp) -> Delivery {
    let sender = AliyunSender::new(format!("http://{host}{ALIYUN}")).key(key).clock(Clock::fixed(time));
    sender.prepare(&AliyunEvent::file(AT.0, AT.1, AT.2))
}

fn from_huaweicloud(key: &str, sign_type: SignType, time: Timestamp) -> Delivery {
    let sender = HuaweicloudSender::new(format!("http://test{HUAWEICLOUD}")).key(key).sign_type(sign_type);
    sender.clock(Clock::fixed(time)).prepare(&HuaweicloudEvent::record_file_complete(AT.0, AT.1, AT.2))
}

/// The first step that failed, and the guesses.
fn verdict(explanation: &Explanation) -> (Option<&str>, &[Change]) {
    let failed = explanation.steps.iter().find(|step| step.outcome == Outcome::Failed);
    (failed.map(|step| step.condition), &explanation.one_change)
}

fn with_line_break() -> SignaturePolicy {
    SignaturePolicy::signed([SigningKey::reported(format!("{KEY}\n"))]).unwrap()
}

fn hour_ago() -> Timestamp {
    now() - Duration::from_secs(3600)
}

#[test]
fn one_wrong_thing_of_aliyun_is_guessed() {
    let (good, wrong_host) = ("cb.example.com", "localhost:17010");
    let source = || aliyun(good, signed(&[KEY]));
    let other = |key| {
        let verifier = AliyunCallbacks::new(good, signed(&[key])).unwrap();
        Source::new("other", "/other", Arc::new(verifier)).unwrap()
    };
    let elsewhere = Source::new(
        "elsewhere",
        "/elsewhere",
        Arc::new(AliyunCallbacks::new("x.example.com", signed(&[OTHER_KEY])).unwrap()),
    );
    let elsewhere = elsewhere.unwrap().with_key_names(["ELSEWHERE"]);
    let of_huaweicloud = huaweicloud(HMAC, signed(&[KEY]));
    let fine = from_aliyun(good, KEY, now());
    let cases = [
        ("fine", vec![source()], fine.clone(), None, vec![]),
        (
            "host",
            vec![source()],
            from_aliyun(wrong_host, KEY, now()),
            Some("a key fits"),
            vec![Change::Host("localhost".to_owned())],
        ),
        ("key", vec![source()], from_aliyun(good, OTHER_KEY, now()), Some("a key fits"), vec![]),
        (
            "key of another source with the same host",
            vec![source(), other(OTHER_KEY)],
            from_aliyun(good, OTHER_KEY, now()),
            Some("a key fits"),
            vec![Change::Source("other".to_owned())],
        ),
        (
            "key of another source with another host",
            vec![source(), elsewhere],
            from_aliyun(good, OTHER_KEY, now()),
            Some("a key fits"),
            vec![Change::Key("ELSEWHERE of source elsewhere".to_owned())],
        ),
        (
            "line break",
            vec![aliyun(good, with_line_break())],
            fine,
            Some("a key fits"),
            vec![Change::TrimmedKey(0)],
        ),
        ("stale", vec![source()], from_aliyun(good, KEY, hour_ago()), Some("its time is near"), vec![]),
        (
            "milliseconds",
            vec![source()],
            of_milliseconds(),
            Some("its time is readable"),
            vec![Change::Milliseconds],
        ),
        (
            "other vendor",
            vec![source(), of_huaweicloud],
            from_huaweicloud(KEY, SignType::HmacSha256, now()),
            Some("it is signed"),
            vec![Change::Source("huaweicloud".to_owned())],
        ),
        (
            "host and key",
            vec![source()],
            from_aliyun(wrong_host, OTHER_KEY, now()),
            Some("a key fits"),
            vec![],
        ),
        (
            "host and time",
            vec![source()],
            from_aliyun(wrong_host, KEY, hour_ago()),
            Some("a key fits"),
            vec![],
        ),
    ];
    for (name, sources, delivery, failed, guesses) in cases {
        let arrived = at(&delivery, if name.contains("host") { wrong_host } else { good }, now());
        let explanation = explained(&sources, "aliyun", &arrived);
        assert_eq!(verdict(&explanation), (failed, &*guesses), "{name}: {explanation:#?}");
        let shown = format!("{explanation:?} {}", serde_json::to_string(&explanation).unwrap());
        assert!(!shown.contains(KEY) && !shown.contains(OTHER_KEY), "{name}");
    }
}

/// MD5 of `cb.example.com|1767323045000|KEY`, computed with Python's `hashlib`.
const OF_MILLISECONDS: &str = "d10c6c2c11b2882e2ce77c9f9daaabbc";

/// The delivery that Aliyun would send if it signed milliseconds.
fn of_milliseconds() -> Delivery {
    let mut delivery = from_aliyun("cb.example.com", KEY, now());
    for (name, value) in &mut delivery.headers {
        if name.eq_ignore_ascii_case("ali-live-timestamp") {
            value.push_str("000");
        } else if name.eq_ignore_ascii_case("ali-live-signature") {
            OF_MILLISECONDS.clone_into(value);
        }
    }
    delivery
}

#[test]
fn one_wrong_thing_of_huaweicloud_is_guessed() {
    let source = |scheme| huaweicloud(scheme, signed(&[KEY]));
    let other =
        Source::new("other", "/other", Arc::new(HuaweicloudCallbacks::new(HMAC, signed(&[OTHER_KEY]))));
    let hmac = |key, time| from_huaweicloud(key, SignType::HmacSha256, time);
    let mut unsigned = hmac(KEY, now());
    unsigned.body = unsigned.body.replace("auth_sign", "auth");
    let mut malformed = hmac(KEY, now());
    malformed.body.pop();
    let mut twice = hmac(KEY, now());
    twice.body.insert_str(1, r#""auth_sign":"00","#);
    let trimmed = huaweicloud(HMAC, with_line_break());
    let cases = [
        ("fine", vec![source(HMAC)], hmac(KEY, now()), None, vec![]),
        ("scheme", vec![source(MD5)], hmac(KEY, now()), Some("a key fits"), vec![Change::Scheme(HMAC)]),
        (
            "other scheme",
            vec![source(HMAC)],
            from_huaweicloud(KEY, SignType::Md5, now()),
            Some("a key fits"),
            vec![Change::Scheme(MD5)],
        ),
        ("key", vec![source(HMAC)], hmac(OTHER_KEY, now()), Some("a key fits"), vec![]),
        (
            "key of another source",
            vec![source(HMAC), other.unwrap()],
            hmac(OTHER_KEY, now()),
            Some("a key fits"),
            vec![Change::Source("other".to_owned())],
        ),
        ("line break", vec![trimmed], hmac(KEY, now()), Some("a key fits"), vec![Change::TrimmedKey(0)]),
        ("stale", vec![source(HMAC)], hmac(KEY, hour_ago()), Some("its time is near"), vec![]),
        ("unsigned", vec![source(HMAC)], unsigned, Some("it is signed"), vec![]),
        ("malformed", vec![source(HMAC)], malformed, Some("its body is readable"), vec![]),
        ("two signatures", vec![source(HMAC)], twice, Some("its body is readable"), vec![]),
        ("scheme and key", vec![source(MD5)], hmac(OTHER_KEY, now()), Some("a key fits"), vec![]),
    ];
    for (name, sources, delivery, failed, guesses) in cases {
        let explanation = explained(&sources, "huaweicloud", &at(&delivery, "test", now()));
        assert_eq!(verdict(&explanation), (failed, &*guesses), "{name}: {explanation:#?}");
    }
}

#[test]
fn the_signed_text_is_told_without_the_key() {
    let delivery = at(&from_aliyun("cb.example.com", KEY, now()), "x", now());
    let explanation = explained(&[aliyun("cb.example.com", signed(&[OTHER_KEY, KEY]))], "aliyun", &delivery);
    assert!(explanation.is_taken());
    let text = |part: &record_callback::SignedPart| part.text.clone().unwrap_or("KEY".to_owned());
    let told: String = explanation.signed_text.iter().map(text).collect();
    assert_eq!(told, format!("cb.example.com|{}|KEY", now().as_second()));
    let step = explanation.steps.iter().find(|step| step.condition == "a key fits").unwrap();
    assert_eq!(step.detail, "key 2 with host cb.example.com");

    let delivery = at(&from_huaweicloud(KEY, SignType::HmacSha256, now()), "x", now());
    let explanation = explained(&[huaweicloud(HMAC, signed(&[KEY]))], "huaweicloud", &delivery);
    let standing = |field| explanation.signed_text.iter().find(|part| part.field == field).unwrap().standing;
    assert_eq!(standing("key"), Standing::Key);
    assert_eq!(standing("event"), Standing::Proven);
    assert_eq!(standing("stream"), Standing::Joined);
}

#[derive(Default)]
struct Told(Mutex<Vec<Answered>>);

/// Status, outcome, reason and stream.
type Answered = (u16, DeliveryOutcome, Option<&'static str>, Option<String>);

impl DeliveryLog for Told {
    fn answered(&self, delivery: &AnsweredDelivery<'_>) {
        let stream = delivery.event.and_then(|event| event.stream.clone());
        self.0.lock().unwrap().push((delivery.status, delivery.outcome, delivery.reason, stream));
    }
}

fn log_at(path: &Path) -> RefusedLog {
    RefusedLog::open(path, RefusedLog::MAX_COUNT, RefusedLog::MAX_BYTES).unwrap()
}

#[tokio::test]
async fn every_answer_is_told_and_refusals_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("refused.jsonl");
    let told = Arc::new(Told::default());
    let (server, receiver) = Server::with_receiver(&Arc::new(MemorySink::new()), |builder, host| {
        let builder = builder.clock(now).delivery_log(Arc::clone(&told) as _).refused_log(log_at(&path));
        builder.source(aliyun(host, signed(&[KEY])))
    })
    .await;
    let good = from_aliyun(&server.addr.to_string(), KEY, now());
    let wrong = from_aliyun(&server.addr.to_string(), OTHER_KEY, now());
    for delivery in [&good, &good, &wrong] {
        server.post(delivery).await;
    }
    server.get("/nowhere").await;
    let stream = Some(AT.2.to_owned());
    assert_eq!(
        *told.0.lock().unwrap(),
        [
            (200, DeliveryOutcome::Kept, None, stream.clone()),
            (200, DeliveryOutcome::Duplicate, None, stream),
            (401, DeliveryOutcome::Refused, Some("bad_signature"), None),
            (404, DeliveryOutcome::Refused, Some("unknown_source"), None),
        ]
    );
    receiver.close().await;
    let kept = RefusedLog::read(&path).unwrap();
    let kinds: Vec<_> = kept.iter().map(|kept| (kept.source.as_deref(), &*kept.reason)).collect();
    assert_eq!(kinds, [(Some("aliyun"), "bad_signature"), (None, "unknown_source")]);
    assert_eq!(str::from_utf8(kept[0].body.as_bytes()).unwrap(), wrong.body);
    // It can be looked into as it arrived.
    let sources = [aliyun(&server.addr.to_string(), signed(&[OTHER_KEY]))];
    let again = kept[0].replayed(|delivery| explain(&sources, "aliyun", delivery, &[]).unwrap());
    assert!(again.is_taken(), "{again:#?}");
}

#[tokio::test]
async fn credentials_of_strangers_are_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("refused.jsonl");
    let (server, receiver) = Server::with_receiver(&Arc::new(MemorySink::new()), |builder, host| {
        builder.refused_log(log_at(&path)).source(aliyun(host, signed(&[KEY])))
    })
    .await;
    let headers = [("authorization", "Bearer c4n4ry"), ("cookie", "session=c4n4ry")];
    server.ask(request("POST", ALIYUN, &headers, "{}")).await.is_refused(401, "not_signed");
    receiver.close().await;
    let written = fs::read_to_string(&path).unwrap();
    assert!(written.contains("not_signed") && !written.contains("c4n4ry"), "{written}");
}

/// Ten thousand forgeries, and good deliveries beside them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_refusals_stays_within_bounds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("refused.jsonl");
    let sink = Arc::new(MemorySink::new());
    let (server, receiver) = Server::with_receiver(&sink, |builder, host| {
        builder.refused_log(log_at(&path)).source(aliyun(host, signed(&[KEY]))).clock(now)
    })
    .await;
    let host = server.addr.to_string();
    server.ask(request("POST", ALIYUN, &[], "{}")).await.is_refused(401, "not_signed");
    let forged = post(&from_aliyun(&host, OTHER_KEY, now()));
    let mut connection = server.connect().await;
    for round in 0..10_000 {
        connection.write(&forged).await;
        connection.answer().await.unwrap().is_refused(401, "bad_signature");
        if round % 1000 == 0 {
            let sender = AliyunSender::new(server.url(ALIYUN)).key(KEY).clock(Clock::fixed(now()));
            let event = AliyunEvent::file(AT.0, AT.1, format!("s{round}"));
            assert!(sender.send(&event).await.is_acknowledged());
        }
    }
    receiver.close().await;
    assert_eq!(sink.records().len(), 10);
    let kept = RefusedLog::read(&path).unwrap();
    assert_eq!(kept[0].reason, "not_signed", "the rare one is still there");
    // Of each minute some.
    assert!((65..=64 * 10).contains(&kept.len()), "{}", kept.len());
}

#[tokio::test]
async fn a_log_goes_on_after_a_restart_and_a_torn_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("refused.jsonl");
    for round in 1..=2 {
        let (server, receiver) = Server::with_receiver(&Arc::new(MemorySink::new()), |builder, host| {
            builder.refused_log(log_at(&path)).source(aliyun(host, signed(&[KEY])))
        })
        .await;
        server.ask(request("POST", ALIYUN, &[], "{}")).await.is_refused(401, "not_signed");
        poll(async || (RefusedLog::read(&path).unwrap().len() == round).then_some(())).await;
        receiver.close().await;
        let mut torn = fs::read(&path).unwrap();
        torn.extend_from_slice(br#"{"id":"torn"#);
        fs::write(&path, torn).unwrap();
    }
    let ids: Vec<String> =
        RefusedLog::read(&path).unwrap().iter().map(|kept: &RefusedDelivery| kept.id.clone()).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
}
