//! Aliyun's callbacks: what is sent, to whom, and what the delivery log says.

use std::time::Duration;

use jiff::SignedDuration;
use md5::{Digest, Md5};
use record_callback_mock::{
    AliyunConfig, AliyunDialect, AliyunEvent, AliyunSender, MockAliyun, OnDemandRequest, RetrySignature,
    SignedHost, TriggerOutcome,
};
use serde_json::json;

use crate::{
    client::{ALIYUN_TIME, Aliyun, clock},
    deliveries::hurried,
    receiver::{Reaction, Received, Receiver},
};

const DOMAIN: &str = "live.example.com";
const KEY: &str = "testkeyyourkey12";
/// [`ALIYUN_TIME`].
const SECOND: &str = "1767323045";

fn file() -> AliyunEvent {
    AliyunEvent::file(DOMAIN, "app", "stream")
}

fn started() -> AliyunEvent {
    AliyunEvent::record_started(DOMAIN, "app", "stream")
}

fn signed(url: impl Into<String>) -> AliyunConfig {
    AliyunConfig {
        need_status_notify: true,
        notify_req_auth: true,
        notify_auth_key: Some(KEY.to_owned()),
        ..AliyunConfig::new(DOMAIN, url)
    }
}

/// Timestamp and signature.
fn signature(request: &Received) -> (&str, &str) {
    (request.header("ALI-LIVE-TIMESTAMP"), request.header("ALI-LIVE-SIGNATURE"))
}

fn md5(text: &str) -> String {
    hex::encode(Md5::digest(text))
}

async fn start() -> MockAliyun {
    MockAliyun::builder().clock(clock(ALIYUN_TIME)).delivery(hurried()).start().await.unwrap()
}

#[tokio::test]
async fn an_event_arrives_signed_at_the_configured_url() {
    let (mock, receiver) = (start().await, Receiver::start().await);
    mock.put_config(signed(receiver.url("/hook?a=b")));
    let event = file().push_arg("callback_user", "42");
    let outcome = mock.trigger(event.clone()).await;
    assert!(outcome.is_acknowledged(), "{outcome:?}");

    let request = receiver.only();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/hook?a=b"));
    assert_eq!(request.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(request.json(), *event.body());
    assert_eq!(signature(&request), (SECOND, md5(&format!("127.0.0.1|{SECOND}|{KEY}")).as_str()));
}

#[tokio::test]
async fn a_dialect_signs_the_port() {
    let receiver = Receiver::start().await;
    let dialect = AliyunDialect { signed_host: SignedHost::WithPort, ..Default::default() };
    let mock = MockAliyun::builder()
        .clock(clock(ALIYUN_TIME))
        .delivery(hurried())
        .dialect(dialect)
        .start()
        .await
        .unwrap();
    mock.put_config(signed(receiver.url("/")));
    mock.trigger(file()).await;
    let expected = md5(&format!("{}|{SECOND}|{KEY}", receiver.addr()));
    assert_eq!(signature(&receiver.only()), (SECOND, expected.as_str()));
}

#[tokio::test]
async fn only_what_is_asked_for_is_sent() {
    let (mock, receiver) = (start().await, Receiver::start().await);
    for event in [file(), AliyunEvent::custom(json!(["without a domain"]))] {
        assert_eq!(mock.trigger(event).await, TriggerOutcome::NoConfig);
    }
    mock.put_config(AliyunConfig { notify_auth_key: Some(KEY.to_owned()), ..signed(receiver.url("/other")) });
    mock.put_config(AliyunConfig {
        notify_auth_key: Some(KEY.to_owned()),
        ..AliyunConfig::new("plain.example.com", receiver.url("/plain"))
    });
    let plain = |event: AliyunEvent| event.with("domain", "plain.example.com");
    assert_eq!(mock.trigger(plain(started())).await, TriggerOutcome::NotSubscribed);
    let custom = AliyunEvent::custom(json!({ "domain": "plain.example.com", "event": "brand_new" }));
    assert_eq!(mock.trigger(custom).await, TriggerOutcome::NotSubscribed);
    mock.put_config(AliyunConfig::new("silent.example.com", ""));
    assert_eq!(
        mock.trigger(file().with("domain", "silent.example.com")).await,
        TriggerOutcome::NotSubscribed
    );
    assert!(receiver.received().is_empty());

    assert!(mock.trigger(plain(file())).await.is_acknowledged());
    assert!(mock.trigger(started()).await.is_acknowledged());
    assert!(mock.trigger(file()).await.is_acknowledged());
    let requests = receiver.received();
    let targets: Vec<&str> = requests.iter().map(|request| request.target.as_str()).collect();
    assert_eq!(targets, ["/plain", "/other", "/other"]);
    assert_eq!(signature(&requests[0]), ("", ""), "authentication is off");
    assert_eq!(requests[1].json()["event"], "record_started");
    assert_ne!(signature(&requests[1]), ("", ""));
}

#[tokio::test]
async fn a_configuration_made_through_the_api_is_used() {
    let (mock, receiver) = (start().await, Receiver::start().await);
    let caller = Aliyun::new(&mock);
    let url = receiver.url("/");
    let parameters = [("DomainName", DOMAIN), ("NotifyUrl", &url), ("NotifyReqAuth", "true")];
    let parameters = [parameters.as_slice(), &[("NotifyAuthKey", KEY)]].concat();
    assert_eq!(caller.rpc("AddLiveRecordNotifyConfig", &parameters).await.status, 200);
    assert!(mock.trigger(file()).await.is_acknowledged());
    assert_eq!(signature(&receiver.only()).0, SECOND);
}

#[tokio::test]
async fn deliveries_are_listed() {
    let mock = start().await;
    let receiver = Receiver::reacting(|before, _| Reaction::status([200, 403][before])).await;
    mock.put_config(signed(receiver.url("/hook")));
    let event = file();
    mock.trigger(event.clone()).await;
    mock.trigger(AliyunEvent::record_paused(DOMAIN, "other", "stream2")).await;
    mock.remove_config(DOMAIN);
    mock.trigger(file()).await;

    let parameters = [
        ("DomainName", DOMAIN),
        ("StartTime", "2026-01-02T00:00:00Z"),
        ("EndTime", ALIYUN_TIME),
        ("PageNumber", "1"),
        ("PageSize", "20"),
    ];
    let reply = Aliyun::new(&mock).rpc("DescribeLiveRecordNotifyRecords", &parameters).await;
    let entry = |app: &str, stream: &str, event: &str, content: String, result: &str, description: &str| {
        json!({
            "DomainName": DOMAIN, "AppName": app, "StreamName": stream, "NotifyUrl": receiver.url("/hook"),
            "NotifyTime": ALIYUN_TIME, "NotifyType": event, "NotifyContent": content,
            "NotifyHeader": r#"{"Content-Type":["application/json; charset=utf-8"]}"#,
            "NotifyResponse": r#"{"Code":0,"Msg":"Success"}"#, "NotifyResult": result,
            "Description": description,
        })
    };
    let paused = receiver.received()[1].body.clone();
    assert_eq!(
        reply.json["CallbackList"],
        json!([
            entry("app", "stream", "file_created", event.body().to_string(), "success", "success"),
            entry("other", "stream2", "record_paused", paused, "failed", "the status is 403, not 200"),
        ])
    );
}

#[tokio::test]
async fn a_delivery_nobody_answers_is_listed_as_failed() {
    let receiver = Receiver::reacting(|_, _| Reaction::Hold).await;
    let policy = hurried().timeout(Duration::from_millis(30)).retries(1);
    let mock = MockAliyun::builder().clock(clock(ALIYUN_TIME)).delivery(policy).start().await.unwrap();
    mock.put_config(AliyunConfig::new(DOMAIN, receiver.url("/")));
    assert_eq!(mock.trigger(file()).await.report().unwrap().attempts.len(), 2);
    let parameters = [
        ("DomainName", DOMAIN),
        ("StartTime", "2026-01-02T00:00:00Z"),
        ("EndTime", ALIYUN_TIME),
        ("PageNumber", "1"),
        ("PageSize", "20"),
        ("Status", "failed"),
    ];
    let reply = Aliyun::new(&mock).rpc("DescribeLiveRecordNotifyRecords", &parameters).await;
    assert_eq!(reply.json["TotalNum"], 1, "one entry for all attempts");
    assert_eq!(reply.at("/CallbackList/0/Description"), "timeout");
    assert_eq!(reply.at("/CallbackList/0/NotifyResponse"), "");
}

#[tokio::test]
async fn a_pending_delivery_does_not_block_the_api() {
    let receiver = Receiver::reacting(|_, _| Reaction::Hold).await;
    let mock = start().await;
    mock.put_config(AliyunConfig::new(DOMAIN, receiver.url("/")));
    let caller = Aliyun::new(&mock);
    let describing = async {
        while receiver.received().is_empty() {
            tokio::task::yield_now().await;
        }
        caller.rpc("DescribeLiveRecordNotifyConfig", &[("DomainName", DOMAIN)]).await
    };
    tokio::select! {
        outcome = mock.trigger(file()) => panic!("nobody answered: {outcome:?}"),
        reply = describing => assert_eq!(reply.status, 200),
    }
}

#[tokio::test]
async fn a_repeated_callback_keeps_its_signature_or_gets_a_new_one() {
    for (retry_signature, last) in
        [(RetrySignature::Kept, "1767323045"), (RetrySignature::Renewed, "1767323105")]
    {
        let clock = clock(ALIYUN_TIME);
        let moved = clock.clone();
        let receiver = Receiver::reacting(move |before, request| {
            if before == 0 {
                moved.advance(SignedDuration::from_secs(60));
            }
            // A slow computer may send more than once before the clock has moved.
            if before == 0 || retry_signature == RetrySignature::Renewed && signature(request).0 == SECOND {
                Reaction::Hold
            } else {
                Reaction::status(200)
            }
        })
        .await;
        let sender = AliyunSender::new(receiver.url("/"))
            .key(KEY)
            .clock(clock)
            .policy(hurried().timeout(Duration::from_millis(200)).retries(50))
            .dialect(AliyunDialect { retry_signature, ..Default::default() });
        let report = sender.send(&file()).await;
        assert!(report.is_acknowledged(), "{report:?}");
        assert!(report.attempts.len() >= 2);
        let requests = receiver.received();
        for (request, second) in [(&requests[0], SECOND), (&requests[requests.len() - 1], last)] {
            let expected = md5(&format!("127.0.0.1|{second}|{KEY}"));
            assert_eq!(signature(request), (second, expected.as_str()), "{retry_signature:?}");
        }
        assert!(requests.iter().all(|request| request.body == requests[0].body));
    }
}

#[tokio::test]
async fn a_stream_is_asked_about_at_the_on_demand_url() {
    let answer = r#"{"ApiVersion":"1.0","NeedRecord":true,"Interval":{"Mp4":300},"Format":["mp4","flv"]}"#;
    let receiver = Receiver::reacting(|_, _| Reaction::Answer(200, answer.to_owned())).await;
    let mock = start().await;
    let request = OnDemandRequest::new(DOMAIN, "app", "stream").bitrate(800);
    assert_eq!(mock.ask_on_demand(&request).await, None);
    mock.put_config(signed(receiver.url("/notify")));
    assert_eq!(mock.ask_on_demand(&request).await, None);
    mock.put_config(AliyunConfig {
        on_demand_url: Some(receiver.url("/ask")),
        ..signed(receiver.url("/notify"))
    });

    let reply = mock.ask_on_demand(&request).await.unwrap();
    assert!(reply.starts_recording(), "{reply:?}");
    assert_eq!((reply.status, reply.body.as_str()), (Some(200), answer));
    let decision = reply.decision.unwrap();
    assert_eq!(decision.intervals["Mp4"], 300);
    assert_eq!(decision.formats.unwrap(), ["mp4", "flv"]);

    let request = receiver.only();
    assert_eq!(request.method, "GET");
    assert_eq!(request.target, "/ask?app=app&domain=live.example.com&stream=stream&vbitrate=800&codec=h264");
    assert_eq!(request.header("user-agent"), "Go-http-client/1.1");
    assert_eq!(signature(&request), ("", ""));
}

#[tokio::test]
async fn a_dialect_signs_on_demand_questions() {
    let receiver = Receiver::start().await;
    let sender = AliyunSender::new(receiver.url("/"))
        .key(KEY)
        .clock(clock(ALIYUN_TIME))
        .dialect(AliyunDialect { on_demand_signed: true, ..Default::default() });
    let reply = sender.ask_on_demand(&OnDemandRequest::new(DOMAIN, "app", "stream")).await;
    assert_eq!((reply.decision, reply.problems.len()), (None, 1), "no NeedRecord");
    assert_eq!(signature(&receiver.only()).1, md5(&format!("127.0.0.1|{SECOND}|{KEY}")));
}

#[tokio::test]
async fn a_failed_or_overlong_answer_starts_no_recording() {
    let long = format!(r#"{{"NeedRecord":true,"Note":"{}"}}"#, "é".repeat(1100));
    let receiver = Receiver::reacting(move |before, _| match before {
        0 => Reaction::Answer(200, long.clone()),
        1 => Reaction::Answer(500, r#"{"NeedRecord":true}"#.to_owned()),
        _ => Reaction::Hold,
    })
    .await;
    let sender = AliyunSender::new(receiver.url("/")).policy(hurried().retry_on_server_errors(true));
    let request = OnDemandRequest::new(DOMAIN, "app", "stream");

    let reply = sender.ask_on_demand(&request).await;
    assert!(reply.truncated && !reply.starts_recording(), "{reply:?}");
    assert_eq!(reply.decision, None);

    let reply = sender.ask_on_demand(&request).await;
    assert_eq!((reply.status, reply.decision.as_ref(), reply.starts_recording()), (Some(500), None, false));
    assert_eq!(reply.problems, ["the status is 500, not 200"]);

    let hasty = sender.policy(hurried().timeout(Duration::from_millis(30)));
    let reply = hasty.ask_on_demand(&request).await;
    assert_eq!((reply.status, reply.problems.as_slice()), (None, ["timeout".to_owned()].as_slice()));
    assert!(receiver.received().len() <= 3, "asked once each");
}

#[tokio::test]
async fn debug_shows_no_key_and_no_signature() {
    let receiver = Receiver::start().await;
    let sender = AliyunSender::new(receiver.url("/")).key(KEY).clock(clock(ALIYUN_TIME)).policy(hurried());
    let delivery = sender.prepare(&file());
    let report = sender.send(&file()).await;
    let printed = format!("{sender:?} {delivery:?} {report:?} {:?}", file());
    assert!(printed.contains("ALI-LIVE-SIGNATURE") && printed.contains("redacted"));
    for secret in [KEY, &md5(&format!("127.0.0.1|{SECOND}|{KEY}"))] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
