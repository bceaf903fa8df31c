//! Huawei Cloud's callbacks: what is sent, and to whom.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::SignedDuration;
use md5::{Digest, Md5};
use record_callback_mock::{
    AuthTimestamp, DeliveryPolicy, HuaweicloudConfig, HuaweicloudDialect, HuaweicloudEvent,
    HuaweicloudSender, MockHuaweicloud, RetrySignature, SignType, TriggerOutcome,
};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    client::{HUAWEICLOUD_TIME, Huaweicloud, clock},
    receiver::{Reaction, Receiver},
};

const DOMAIN: &str = "push.example.com";
const KEY: &str = "0123456789abcdefghijklmnopqrstuv";
/// [`HUAWEICLOUD_TIME`].
const SECOND: i64 = 1_704_164_645;
const ALL: [&str; 5] =
    ["RECORD_START", "RECORD_NEW_FILE_START", "RECORD_FILE_COMPLETE", "RECORD_OVER", "RECORD_FAILED"];

fn hurried() -> DeliveryPolicy {
    DeliveryPolicy::huaweicloud().pause(Duration::ZERO).timeout(Duration::from_secs(60))
}

fn complete() -> HuaweicloudEvent {
    HuaweicloudEvent::record_file_complete(DOMAIN, "live", "stream")
}

fn over() -> HuaweicloudEvent {
    HuaweicloudEvent::record_over(DOMAIN, "live", "stream")
}

fn config(app: &str, url: impl Into<String>, events: &[&str]) -> HuaweicloudConfig {
    HuaweicloudConfig {
        notify_callback_url: Some(url.into()),
        notify_event_subscription: events.iter().map(|&event| event.to_owned()).collect(),
        ..HuaweicloudConfig::new(DOMAIN, app)
    }
}

fn hmac(text: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    hex::encode(mac.chain_update(text).finalize().into_bytes())
}

async fn with(dialect: HuaweicloudDialect) -> MockHuaweicloud {
    let builder = MockHuaweicloud::builder().clock(clock(HUAWEICLOUD_TIME)).delivery(hurried());
    builder.dialect(dialect).start().await.unwrap()
}

#[tokio::test]
async fn an_event_arrives_signed_at_the_configured_url() {
    let receiver = Receiver::start().await;
    let mock = with(HuaweicloudDialect::default()).await;
    mock.put_config(HuaweicloudConfig {
        key: Some(KEY.to_owned()),
        ..config("*", receiver.url("/hook"), &["RECORD_FILE_COMPLETE"])
    });
    let event = complete().play_url("https://vod.example.com/p.m3u8");
    let outcome = mock.trigger(event.clone()).await;
    assert!(outcome.is_acknowledged(), "{outcome:?}");

    let request = receiver.only();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/hook"));
    assert_eq!(request.header("content-type"), "application/json");
    let download_url = event.body()["download_url"].as_str().unwrap();
    let sign = hmac(&format!(
        "{SECOND}RECORD_FILE_COMPLETE{DOMAIN}livestream{download_url}https://vod.example.com/p.m3u8"
    ));
    let mut expected = event.body().clone();
    for (field, value) in [
        ("project_id", json!(mock.project_id())),
        ("auth_sign", json!(sign)),
        ("auth_timestamp", json!(SECOND)),
    ] {
        expected[field] = value;
    }
    assert_eq!(request.json(), expected);
}

#[tokio::test]
async fn md5_and_a_timestamp_as_text() {
    let receiver = Receiver::start().await;
    let mock = with(HuaweicloudDialect { auth_timestamp: AuthTimestamp::Text, ..Default::default() }).await;
    mock.put_config(HuaweicloudConfig {
        key: Some(KEY.to_owned()),
        sign_type: "MD5".to_owned(),
        ..config("live", receiver.url("/"), &ALL)
    });
    assert!(mock.trigger(over().without_task_id()).await.is_acknowledged());
    let body = receiver.only().json();
    assert_eq!(body["auth_sign"], hex::encode(Md5::digest(format!("{KEY}{SECOND}"))));
    assert_eq!(body["auth_timestamp"], SECOND.to_string());
    assert_eq!(body.get("task_id"), None);
}

#[tokio::test]
async fn only_subscribed_events_are_sent() {
    let receiver = Receiver::start().await;
    let mock = with(HuaweicloudDialect::default()).await;
    let events = || {
        [
            HuaweicloudEvent::record_start(DOMAIN, "live", "stream"),
            HuaweicloudEvent::record_new_file_start(DOMAIN, "live", "stream"),
            complete(),
            over(),
            HuaweicloudEvent::record_failed(DOMAIN, "live", "stream", "pull failed"),
        ]
    };
    for subscribed in ALL {
        let mut stored = config("*", receiver.url("/"), &[subscribed]);
        stored.id = "0123456789abcdef0123456789abcdef".to_owned();
        mock.put_config(stored);
        for event in events() {
            let asked_for = event.event_type() == subscribed;
            let outcome = mock.trigger(event).await;
            assert_eq!(outcome != TriggerOutcome::NotSubscribed, asked_for, "{outcome:?}");
        }
    }
    let requests = receiver.received();
    let sent: Vec<Value> = requests.iter().map(|request| request.json()["event_type"].clone()).collect();
    assert_eq!(sent, ALL);
    assert!(requests.iter().all(|request| request.json().get("auth_sign").is_none()), "there is no key");
}

#[tokio::test]
async fn the_exact_app_comes_first_and_is_not_merged_with_any() {
    let receiver = Receiver::start().await;
    let mock = with(HuaweicloudDialect::default()).await;
    assert_eq!(mock.trigger(over()).await, TriggerOutcome::NoConfig);
    assert_eq!(mock.trigger(HuaweicloudEvent::custom(json!(1))).await, TriggerOutcome::NoConfig);
    mock.put_config(config("*", receiver.url("/any"), &ALL));
    mock.put_config(config("live", receiver.url("/live"), &["RECORD_FILE_COMPLETE"]));
    mock.put_config(HuaweicloudConfig {
        notify_callback_url: None,
        ..config("without-url", "", &["RECORD_OVER"])
    });

    assert!(mock.trigger(complete()).await.is_acknowledged());
    assert_eq!(mock.trigger(over()).await, TriggerOutcome::NotSubscribed);
    assert_eq!(mock.trigger(over().with("app", "without-url")).await, TriggerOutcome::NotSubscribed);
    assert!(mock.trigger(over().with("app", "vod")).await.is_acknowledged());
    assert_eq!(
        mock.trigger(over().with("publish_domain", "other.example.com")).await,
        TriggerOutcome::NoConfig
    );
    let targets: Vec<String> = receiver.received().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/live", "/any"]);
}

#[tokio::test]
async fn a_configuration_made_through_the_api_is_used() {
    let receiver = Receiver::start().await;
    let mock = with(HuaweicloudDialect::default()).await;
    let body = json!({
        "publish_domain": DOMAIN, "app": "*", "notify_callback_url": receiver.url("/"), "sign_type": "HMACSHA256",
        "key": KEY, "notify_event_subscription": ["RECORD_OVER"],
    });
    assert_eq!(Huaweicloud::new(&mock).create(&body).await.status, 201);
    assert!(mock.trigger(over()).await.is_acknowledged());
    let sign = hmac(&format!("{SECOND}RECORD_OVER{DOMAIN}livestream"));
    assert_eq!(receiver.only().json()["auth_sign"], sign);
}

#[tokio::test]
async fn a_repeated_callback_keeps_its_signature_or_gets_a_new_one() {
    for (retry_signature, last) in [(RetrySignature::Kept, SECOND), (RetrySignature::Renewed, SECOND + 60)] {
        let clock = clock(HUAWEICLOUD_TIME);
        let moved = clock.clone();
        let receiver = Receiver::reacting(move |before, _| {
            if before == 0 {
                moved.advance(SignedDuration::from_secs(60));
            }
            Reaction::status([503, 200][before])
        })
        .await;
        let sender = HuaweicloudSender::new(receiver.url("/"))
            .key(KEY)
            .sign_type(SignType::HmacSha256)
            .project_id("project")
            .clock(clock)
            .policy(hurried())
            .dialect(HuaweicloudDialect { retry_signature, ..Default::default() });
        assert_eq!(sender.send(&over()).await.attempts.len(), 2);
        let requests = receiver.received();
        for (request, second) in requests.iter().zip([SECOND, last]) {
            let body = request.json();
            assert_eq!(body["auth_timestamp"], second, "{retry_signature:?}");
            assert_eq!(body["auth_sign"], hmac(&format!("{second}RECORD_OVER{DOMAIN}livestream")));
            assert_eq!(body["project_id"], "project");
        }
    }
}

#[tokio::test]
async fn debug_shows_no_key_and_no_signature() {
    let receiver = Receiver::start().await;
    let sender = HuaweicloudSender::new(receiver.url("/")).key(KEY).clock(clock(HUAWEICLOUD_TIME));
    let delivery = sender.prepare(&over());
    let report = sender.send(&over()).await;
    let printed = format!("{sender:?} {delivery:?} {report:?} {:?}", over());
    assert!(printed.contains("redacted"));
    for secret in [KEY, &hmac(&format!("{SECOND}RECORD_OVER{DOMAIN}livestream"))] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
