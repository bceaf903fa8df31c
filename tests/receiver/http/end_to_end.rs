//! From the config a provider writes to the event in the sink, through the mock clouds.

use std::sync::Arc;

use record_callback::http::FixedEnv;
use record_callback::{
    CallbackSigning, EventKind, Fidelity, ProviderConfig, RecordCallbackConfig, RecordCallbackProvider,
    RecordCallbackProviderExt, SigningKey, SigningScheme, SourceConfig,
};
use record_callback_mock::{
    AliyunEvent, AliyunSender, HuaweicloudEvent, HuaweicloudSender, MockAliyun, MockHuaweicloud,
    OnDemandRequest, SignType, TriggerOutcome,
};
use record_callback_receiver::{EventRecord, MemorySink};

use super::support::{ALIYUN, AT, HUAWEICLOUD, KEY, OTHER_KEY, Server, once};

/// The receiver's settings, as an operator writes them.
fn source(settings: &str) -> record_callback_receiver::Source {
    let config: SourceConfig = toml::from_str(settings).unwrap();
    config.source_in("live", &FixedEnv::from_iter([("NEW_KEY", OTHER_KEY), ("OLD_KEY", KEY)])).unwrap()
}

async fn aliyun_receiver(memory: &Arc<MemorySink>, keys: &str) -> Server {
    Server::start(memory, |receiver, host| {
        receiver.source(source(&format!(
            r#"
            vendor = "aliyun"
            path = "{ALIYUN}"
            host = "{host}"
            key_env = {keys}
            on_demand = {{ record = true, formats = ["mp4"] }}
            on_demand_unsigned = true
            "#
        )))
    })
    .await
}

async fn huaweicloud_receiver(memory: &Arc<MemorySink>, scheme: SigningScheme, keys: &str) -> Server {
    Server::start(memory, |receiver, _| {
        receiver.source(source(&format!(
            r#"
            vendor = "huaweicloud"
            path = "{HUAWEICLOUD}"
            scheme = "{scheme}"
            key_env = {keys}
            "#
        )))
    })
    .await
}

async fn aliyun_cloud() -> (MockAliyun, Arc<dyn RecordCallbackProvider>) {
    let mock = MockAliyun::builder().delivery(once()).start().await.unwrap();
    let config: ProviderConfig = toml::from_str(&format!(
        r#"
        vendor = "aliyun"
        endpoint = "{}"
        credentials = {{ source = "access_key", id = "{}", secret = "{}" }}
        "#,
        mock.endpoint(),
        mock.access_key_id(),
        mock.access_key_secret(),
    ))
    .unwrap();
    let provider = config.connect().unwrap();
    (mock, provider)
}

async fn huaweicloud_cloud() -> (MockHuaweicloud, Arc<dyn RecordCallbackProvider>) {
    let mock = MockHuaweicloud::builder().delivery(once()).start().await.unwrap();
    let config: ProviderConfig = toml::from_str(&format!(
        r#"
        vendor = "huaweicloud"
        endpoint = "{}"
        iam_endpoint = "{}"
        region = "{}"
        credentials = {{ source = "access_key", id = "{}", secret = "{}" }}
        "#,
        mock.endpoint(),
        mock.iam_endpoint(),
        mock.region(),
        mock.access_key(),
        mock.secret_key(),
    ))
    .unwrap();
    let provider = config.connect().unwrap();
    (mock, provider)
}

fn config(url: &str, events: &[EventKind], scheme: SigningScheme, key: &str) -> RecordCallbackConfig {
    let config = RecordCallbackConfig::builder(AT.0, url)
        .events(events.iter().cloned())
        .signing(CallbackSigning::with(scheme, SigningKey::new(key).unwrap()));
    config.build().unwrap()
}

fn kinds(records: &[EventRecord]) -> Vec<EventKind> {
    records.iter().map(|record| record.event.kind.clone().unwrap()).collect()
}

fn status(outcome: &TriggerOutcome) -> u16 {
    outcome.report().expect("it was sent").last().unwrap().status.expect("an answer")
}

#[tokio::test]
async fn aliyun_sends_files_always_and_the_status_once_it_is_asked_for() {
    let memory = Arc::new(MemorySink::new());
    let server = aliyun_receiver(&memory, r#""OLD_KEY""#).await;
    let (cloud, provider) = aliyun_cloud().await;
    let file = || AliyunEvent::file(AT.0, AT.1, AT.2);
    let paused = || AliyunEvent::record_paused(AT.0, AT.1, AT.2);
    assert_eq!(cloud.trigger(file()).await, TriggerOutcome::NoConfig);

    let url = server.url(ALIYUN);
    let files = config(&url, &[EventKind::FileCompleted], SigningScheme::Md5, KEY);
    provider.put(&files, Fidelity::Exact).await.unwrap();
    assert_eq!(cloud.trigger(paused()).await, TriggerOutcome::NotSubscribed);
    assert!(cloud.trigger(file()).await.is_acknowledged());
    assert_eq!(kinds(&memory.records()), [EventKind::FileCompleted]);

    let events = [EventKind::FileCompleted, EventKind::RecordingPaused];
    let more = config(&url, &events, SigningScheme::Md5, KEY);
    provider.put(&more, Fidelity::Widen).await.unwrap();
    assert!(cloud.trigger(paused()).await.is_acknowledged());
    assert_eq!(kinds(&memory.records()), events);
    assert!(memory.records().iter().all(|record| record.assurance.is_signed()));

    provider.delete(&more.key()).await.unwrap();
    assert_eq!(cloud.trigger(file()).await, TriggerOutcome::NoConfig);
    assert_eq!(memory.records().len(), 2);
}

#[tokio::test]
async fn huaweicloud_sends_what_is_subscribed_to() {
    for scheme in [SigningScheme::Md5, SigningScheme::HmacSha256] {
        let memory = Arc::new(MemorySink::new());
        let server = huaweicloud_receiver(&memory, scheme, r#""OLD_KEY""#).await;
        let (cloud, provider) = huaweicloud_cloud().await;
        let subscribed = [EventKind::RecordingFailed, EventKind::FileCompleted];
        let wanted = config(&server.url(HUAWEICLOUD), &subscribed, scheme, KEY);
        provider.put(&wanted, Fidelity::Exact).await.unwrap();

        for event in [
            HuaweicloudEvent::record_start(AT.0, AT.1, AT.2),
            HuaweicloudEvent::record_new_file_start(AT.0, AT.1, AT.2),
            HuaweicloudEvent::record_over(AT.0, AT.1, AT.2),
        ] {
            assert_eq!(cloud.trigger(event).await, TriggerOutcome::NotSubscribed);
        }
        let failed = HuaweicloudEvent::record_failed(AT.0, AT.1, AT.2, "pull failed");
        assert!(cloud.trigger(failed).await.is_acknowledged());
        let file = HuaweicloudEvent::record_file_complete(AT.0, AT.1, AT.2);
        assert!(cloud.trigger(file).await.is_acknowledged());
        let elsewhere = HuaweicloudEvent::record_file_complete("other.example.com", AT.1, AT.2);
        assert_eq!(cloud.trigger(elsewhere).await, TriggerOutcome::NoConfig);

        let records = memory.records();
        assert_eq!(kinds(&records), subscribed);
        assert!(records.iter().all(|record| record.assurance.scheme == Some(scheme)));
    }
}

#[tokio::test]
async fn aliyun_asks_at_the_configured_url_whether_to_record() {
    let memory = Arc::new(MemorySink::new());
    let server = aliyun_receiver(&memory, r#""OLD_KEY""#).await;
    let (cloud, provider) = aliyun_cloud().await;
    let url = server.url(ALIYUN);
    let wanted = RecordCallbackConfig::builder(AT.0, &url)
        .on_demand_url(&url)
        .signing(CallbackSigning::Md5(SigningKey::new(KEY).unwrap()))
        .build()
        .unwrap();
    provider.put(&wanted, Fidelity::Exact).await.unwrap();
    let reply = cloud.ask_on_demand(&OnDemandRequest::new(AT.0, AT.1, AT.2)).await.unwrap();
    assert!(reply.starts_recording(), "{reply:?}");
    assert_eq!(reply.decision.unwrap().formats, Some(vec!["mp4".to_owned()]));
}

#[tokio::test]
async fn a_key_of_aliyun_is_changed_without_losing_an_event() {
    let memory = Arc::new(MemorySink::new());
    let server = aliyun_receiver(&memory, r#"["NEW_KEY", "OLD_KEY"]"#).await;
    let (cloud, provider) = aliyun_cloud().await;
    let file = || AliyunEvent::file(AT.0, AT.1, AT.2);
    let put = async |server: &Server, key: &str| {
        let wanted = config(&server.url(ALIYUN), &[EventKind::FileCompleted], SigningScheme::Md5, key);
        provider.put(&wanted, Fidelity::Exact).await.unwrap();
    };
    for key in [KEY, OTHER_KEY] {
        put(&server, key).await;
        assert_eq!(status(&cloud.trigger(file()).await), 200);
    }
    // A stream that was published before the change.
    let before = AliyunSender::new(server.url(ALIYUN)).key(KEY).policy(once());
    assert!(before.send(&file()).await.is_acknowledged());
    assert_eq!(memory.records().len(), 3);

    let server = aliyun_receiver(&memory, r#""NEW_KEY""#).await;
    put(&server, OTHER_KEY).await;
    assert_eq!(status(&cloud.trigger(file()).await), 200);
    put(&server, KEY).await;
    assert_eq!(status(&cloud.trigger(file()).await), 401);
    assert_eq!(memory.records().len(), 4);
}

#[tokio::test]
async fn a_key_of_huaweicloud_is_changed_without_losing_an_event() {
    for scheme in [SigningScheme::Md5, SigningScheme::HmacSha256] {
        let memory = Arc::new(MemorySink::new());
        let server = huaweicloud_receiver(&memory, scheme, r#"["NEW_KEY", "OLD_KEY"]"#).await;
        let (cloud, provider) = huaweicloud_cloud().await;
        let over = || HuaweicloudEvent::record_over(AT.0, AT.1, AT.2);
        let put = async |server: &Server, key: &str| {
            let wanted = config(&server.url(HUAWEICLOUD), &[EventKind::RecordingEnded], scheme, key);
            provider.put(&wanted, Fidelity::Exact).await.unwrap();
        };
        for key in [KEY, OTHER_KEY] {
            put(&server, key).await;
            assert_eq!(status(&cloud.trigger(over()).await), 200);
        }

        let server = huaweicloud_receiver(&memory, scheme, r#""NEW_KEY""#).await;
        put(&server, OTHER_KEY).await;
        assert_eq!(status(&cloud.trigger(over()).await), 200);
        let sign_type = if scheme == SigningScheme::Md5 { SignType::Md5 } else { SignType::HmacSha256 };
        let before = HuaweicloudSender::new(server.url(HUAWEICLOUD)).key(KEY).sign_type(sign_type);
        server.post(&before.prepare(&over())).await.is_refused(401, "bad_signature");
        assert_eq!(memory.records().len(), 3);
    }
}
