//! One program, two vendors, chosen by configuration; and what a move between them loses.

use record_callback::http::TokioTimer;
use record_callback::{
    CallbackSigning, DeviationKind, ErrorKind, EventKind, Fidelity, Field, ProviderConfig, PutAction,
    ReadBack, RecordCallbackConfig, RecordCallbackProvider, RecordCallbackProviderExt, SigningKey,
};
use record_callback_mock::{MockAliyun, MockHuaweicloud};

const KEY: &str = "Abcdefgh12345678Abcdefgh12345678";

/// What a platform keeps in its settings for each vendor.
fn settings(aliyun: &MockAliyun, huaweicloud: &MockHuaweicloud) -> [String; 2] {
    [
        format!(
            r#"
            vendor = "aliyun"
            endpoint = "{}"
            signature = "acs3"
            credentials = {{ source = "access_key", id = "{}", secret = "{}" }}
            "#,
            aliyun.endpoint(),
            aliyun.access_key_id(),
            aliyun.access_key_secret(),
        ),
        format!(
            r#"
            vendor = "huaweicloud"
            endpoint = "{}"
            iam_endpoint = "{}"
            region = "cn-north-4"
            credentials = {{ source = "password", account = "{}", user = "{}", password = "{}" }}
            "#,
            huaweicloud.endpoint(),
            huaweicloud.iam_endpoint(),
            huaweicloud.iam_account(),
            huaweicloud.iam_user(),
            huaweicloud.iam_password(),
        ),
    ]
}

async fn clouds() -> (MockAliyun, MockHuaweicloud) {
    (MockAliyun::builder().start().await.unwrap(), MockHuaweicloud::builder().start().await.unwrap())
}

fn read_back() -> ReadBack {
    ReadBack::new(TokioTimer)
}

/// A program that knows no vendor.
async fn program(provider: &dyn RecordCallbackProvider, domain: &str) {
    let config = |url: &str| {
        RecordCallbackConfig::builder(domain, url)
            .signing(CallbackSigning::Md5(SigningKey::new(KEY).unwrap()))
            .build()
            .unwrap()
    };
    let first = config("https://cb.example.com/one");
    let ensured = provider.ensure(&first, Fidelity::Exact, &read_back()).await.unwrap();
    assert_eq!(ensured.action, PutAction::Created);
    let second = config("https://cb.example.com/two");
    let ensured = provider.ensure(&second, Fidelity::Exact, &read_back()).await.unwrap();
    assert_eq!(ensured.action, PutAction::Replaced);
    assert!(ensured.stored.shows(&second));
    assert_eq!(provider.list(None).await.unwrap().len(), 1);
    assert!(provider.ensure_absent(&second.key(), &read_back()).await.unwrap());
    assert!(!provider.ensure_absent(&second.key(), &read_back()).await.unwrap());
}

#[tokio::test]
async fn the_same_program_runs_on_either_vendor() {
    let (aliyun, huaweicloud) = clouds().await;
    for settings in settings(&aliyun, &huaweicloud) {
        let config: ProviderConfig = toml::from_str(&settings).unwrap();
        let provider = config.connect().unwrap();
        program(&*provider, "stream.example.com").await;
    }
    assert!(!aliyun.requests().is_empty() && !huaweicloud.requests().is_empty());
}

#[tokio::test]
async fn json_chooses_as_toml_does() {
    let (aliyun, huaweicloud) = clouds().await;
    for settings in settings(&aliyun, &huaweicloud) {
        let value: toml::Value = toml::from_str(&settings).unwrap();
        let json = serde_json::to_string(&value).unwrap();
        let config: ProviderConfig = serde_json::from_str(&json).unwrap();
        program(&*config.connect().unwrap(), "stream.example.com").await;
    }
}

#[tokio::test]
async fn a_move_to_huaweicloud_names_the_status_events_it_has_not() {
    let (aliyun, huaweicloud) = clouds().await;
    let [source, target] = settings(&aliyun, &huaweicloud)
        .map(|settings| toml::from_str::<ProviderConfig>(&settings).unwrap().connect().unwrap());
    let status = [
        EventKind::FileCompleted,
        EventKind::RecordingStarted,
        EventKind::RecordingPaused,
        EventKind::RecordingResumed,
        EventKind::RecordingFailed,
        EventKind::TranscodeFailed,
    ];
    let config = RecordCallbackConfig::builder("live.example.com", "https://cb.example.com/recorded")
        .events(status)
        .signing(CallbackSigning::Md5(SigningKey::new(KEY).unwrap()))
        .build()
        .unwrap();
    source.create(&config, Fidelity::Exact).await.unwrap();

    // Aliyun shows the key, so the whole config can be carried to the stream's other domain.
    let stored = source.get(&config.key()).await.unwrap().unwrap();
    let moved = stored.to_config(None).unwrap().on_domain("push.example.com").unwrap();
    let error = target.create(&moved, Fidelity::Widen).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let [lost] = error.deviations() else { panic!("{error}") };
    assert_eq!((lost.field, lost.kind), (Field::Events, DeviationKind::Dropped));
    assert_eq!(lost.requested, "recording_paused, recording_resumed, transcode_failed");
    assert!(huaweicloud.configs().is_empty());

    let ensured = target.ensure(&moved, Fidelity::BestEffort, &read_back()).await.unwrap();
    assert_eq!(ensured.deviations, std::slice::from_ref(lost));
    assert_eq!(ensured.unconfirmed, [Field::SigningKey]);
    assert_eq!(huaweicloud.configs()[0].key.as_deref(), Some(KEY));
}

#[tokio::test]
async fn a_move_to_aliyun_names_the_app_the_events_and_the_scheme_it_has_not() {
    let (aliyun, huaweicloud) = clouds().await;
    let [target, source] = settings(&aliyun, &huaweicloud)
        .map(|settings| toml::from_str::<ProviderConfig>(&settings).unwrap().connect().unwrap());
    let signing = CallbackSigning::HmacSha256(SigningKey::new(KEY).unwrap());
    let config = |app: &str| {
        RecordCallbackConfig::builder("push.example.com", "https://cb.example.com/recorded")
            .app(app)
            .events([EventKind::FileStarted, EventKind::RecordingEnded])
            .signing(signing.clone())
            .build()
            .unwrap()
    };
    for app in ["live", "*"] {
        source.create(&config(app), Fidelity::Exact).await.unwrap();
    }
    // Huawei Cloud hides the key: it must be supplied for the move.
    let stored = source.get(&config("*").key()).await.unwrap().unwrap();
    assert!(stored.to_config(None).unwrap_err().to_string().contains("cannot be read back"));

    let named = target.create(&config("live"), Fidelity::BestEffort).await.unwrap_err();
    assert_eq!(named.kind(), ErrorKind::Unsupported);
    assert!(named.to_string().contains("app: `live` cannot have a config of its own"), "{named}");

    let moved = stored.to_config(Some(signing)).unwrap();
    let error = target.create(&moved, Fidelity::Exact).await.unwrap_err().to_string();
    for lost in [
        "events dropped: asked for recording_ended, file_started",
        "events widened",
        "signing dropped: asked for hmac_sha256, gets md5",
    ] {
        assert!(error.contains(lost), "{error}");
    }
    assert!(aliyun.configs().is_empty());
}

#[tokio::test]
async fn what_the_cloud_ignores_is_not_applied_and_named() {
    let dialect = record_callback_mock::HuaweicloudDialect {
        on_demand_url: record_callback_mock::OnDemandUrl::Ignored,
        ..Default::default()
    };
    let aliyun = MockAliyun::builder().start().await.unwrap();
    let huaweicloud = MockHuaweicloud::builder().dialect(dialect).start().await.unwrap();
    let [_, target] = settings(&aliyun, &huaweicloud);
    let provider = toml::from_str::<ProviderConfig>(&target).unwrap().connect().unwrap();
    let config = RecordCallbackConfig::builder("push.example.com", "https://cb.example.com/recorded")
        .on_demand_url("https://cb.example.com/wanted")
        .build()
        .unwrap();
    let twice = read_back().reads(2).first_pause(std::time::Duration::from_millis(1));
    let error = provider.ensure(&config, Fidelity::Exact, &twice).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotApplied);
    assert_eq!(error.differences().iter().map(|d| d.field).collect::<Vec<_>>(), [Field::OnDemandUrl]);
    let ensured = provider.ensure(&config, Fidelity::BestEffort, &twice).await.unwrap();
    assert_eq!(ensured.deviations.iter().map(|d| d.field).collect::<Vec<_>>(), [Field::OnDemandUrl]);
}

#[tokio::test]
async fn ids_are_found_by_listing_when_create_gives_none() {
    use record_callback_mock::CreateAnswer;
    for create_answer in [CreateAnswer::Object, CreateAnswer::IdOnly, CreateAnswer::Empty] {
        let dialect = record_callback_mock::HuaweicloudDialect { create_answer, ..Default::default() };
        let aliyun = MockAliyun::builder().start().await.unwrap();
        let huaweicloud = MockHuaweicloud::builder().dialect(dialect).start().await.unwrap();
        let [_, target] = settings(&aliyun, &huaweicloud);
        let provider = toml::from_str::<ProviderConfig>(&target).unwrap().connect().unwrap();
        let config =
            RecordCallbackConfig::builder("push.example.com", "https://cb.example.com/n").build().unwrap();
        let applied = provider.create(&config, Fidelity::Exact).await.unwrap();
        let expected = huaweicloud.configs()[0].id.clone();
        assert_eq!(applied.id.unwrap().as_str(), expected);

        // The id is known by now, and after one more update, that this cloud takes no empty key: an update is one call.
        provider.update(&config, Fidelity::Exact).await.unwrap();
        let before = huaweicloud.requests().len();
        provider.update(&config, Fidelity::Exact).await.unwrap();
        assert_eq!(huaweicloud.requests().len(), before + 1);

        // Somebody deletes it and creates another: the known id is stale, and a list finds the new one.
        huaweicloud.remove_config(&expected).unwrap();
        huaweicloud.put_config(record_callback_mock::HuaweicloudConfig::new("push.example.com", "*"));
        provider.update(&config, Fidelity::Exact).await.unwrap();
        assert!(provider.get(&config.key()).await.unwrap().unwrap().shows(&config));
    }
}
