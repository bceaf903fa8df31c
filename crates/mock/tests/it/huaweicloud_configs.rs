//! The five operations on Huawei Cloud's recording-callback configurations.

use jiff::SignedDuration;
use record_callback_mock::{
    CreateAnswer, HuaweicloudConfig, HuaweicloudDialect, MockHuaweicloud, OnDemandUrl, RecordStart,
    Uniqueness, UrlQuery,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{HUAWEICLOUD_TIME, Huaweicloud, Reply, clock, http};

const KEY: &str = "0123456789abcdefghijklmnopqrstuv";

async fn with(dialect: HuaweicloudDialect) -> MockHuaweicloud {
    MockHuaweicloud::builder().clock(clock(HUAWEICLOUD_TIME)).dialect(dialect).start().await.unwrap()
}

async fn start() -> MockHuaweicloud {
    with(HuaweicloudDialect::default()).await
}

/// A valid body with some fields replaced or added.
fn body(more: Value) -> Value {
    let mut body = json!({ "publish_domain": "push.example.com", "app": "*" });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

async fn update(caller: &Huaweicloud<'_>, id: &str, body: &Value) -> Reply {
    caller.call(Method::PUT, &caller.callbacks(&format!("/{id}")), &body.to_string()).await
}

async fn delete(caller: &Huaweicloud<'_>, id: &str) -> Reply {
    caller.call(Method::DELETE, &caller.callbacks(&format!("/{id}")), "").await
}

#[tokio::test]
async fn a_configuration_lives_from_create_to_delete() {
    let clock = clock(HUAWEICLOUD_TIME);
    let mock = MockHuaweicloud::builder().clock(clock.clone()).start().await.unwrap();
    let caller = Huaweicloud::new(&mock);
    let wanted = body(json!({
        "notify_callback_url": "https://cb.example.com/notify?a=1",
        "on_demand_callback_url": "http://cb.example.com/od",
        "notify_event_subscription": [
            "RECORD_START", "RECORD_NEW_FILE_START", "RECORD_FILE_COMPLETE", "RECORD_OVER", "RECORD_FAILED"
        ],
        "sign_type": "MD5",
        "key": KEY,
    }));
    let created = caller.create(&wanted).await;
    assert_eq!(created.status, 201);
    let id = created.at("/id").to_owned();
    assert!(id.len() == 32 && id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')));

    let mut expected = wanted.clone();
    expected["id"] = json!(id);
    expected["create_time"] = json!(HUAWEICLOUD_TIME);
    expected["update_time"] = json!(HUAWEICLOUD_TIME);
    expected.as_object_mut().unwrap().remove("key");
    assert_eq!(created.json, expected);
    assert_eq!(caller.get(&format!("/{id}")).await.json, expected);
    assert_eq!(mock.config("push.example.com", "*").unwrap().key.as_deref(), Some(KEY));

    clock.advance(SignedDuration::from_mins(1));
    let updated =
        update(&caller, &id, &body(json!({ "notify_callback_url": "http://new.example.com" }))).await;
    assert_eq!(updated.status, 200);
    assert_eq!(
        updated.json,
        json!({
            "id": id,
            "publish_domain": "push.example.com",
            "app": "*",
            "notify_callback_url": "http://new.example.com",
            "notify_event_subscription": ["RECORD_FILE_COMPLETE"],
            "sign_type": "HMACSHA256",
            "create_time": "2024-01-02T03:04:05Z",
            "update_time": "2024-01-02T03:05:05Z",
        }),
        "what is left out goes back to its default"
    );
    assert_eq!(mock.configs()[0].key, None);

    let deleted = delete(&caller, &id).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    for reply in
        [caller.get(&format!("/{id}")).await, update(&caller, &id, &wanted).await, delete(&caller, &id).await]
    {
        assert_eq!(reply.outcome(), (404, "LIVE.103011019"));
    }
    let operations: Vec<_> =
        mock.requests().iter().map(|request| request.operation().unwrap().to_owned()).collect();
    assert_eq!(
        operations[..4],
        [
            "CreateRecordCallbackConfig",
            "ShowRecordCallbackConfig",
            "UpdateRecordCallbackConfig",
            "DeleteRecordCallbackConfig"
        ]
    );
}

#[tokio::test]
async fn defaults_are_filled_in() {
    let mock = start().await;
    let created = Huaweicloud::new(&mock).create(&body(json!({ "key": null, "unknown": 1 }))).await;
    assert_eq!(created.json["notify_event_subscription"], json!(["RECORD_FILE_COMPLETE"]));
    assert_eq!(created.json["sign_type"], "HMACSHA256");
    assert!(created.json.get("notify_callback_url").is_none());
}

#[tokio::test]
async fn bodies_are_checked() {
    let mock = start().await;
    let caller = Huaweicloud::new(&mock);
    for (more, parameter) in [
        (json!({ "publish_domain": null }), "publish_domain"),
        (json!({ "publish_domain": "" }), "publish_domain"),
        (json!({ "publish_domain": "d".repeat(256) }), "publish_domain"),
        (json!({ "app": null }), "app"),
        (json!({ "app": "a".repeat(129) }), "app"),
        (json!({ "app": 1 }), "body"),
        (json!({ "notify_callback_url": "" }), "notify_callback_url"),
        (json!({ "notify_callback_url": "ftp://cb.example.com" }), "notify_callback_url"),
        (json!({ "notify_callback_url": "http://cb.example.com/a b" }), "notify_callback_url"),
        (json!({ "notify_callback_url": "http://" }), "notify_callback_url"),
        (json!({ "on_demand_callback_url": "od" }), "on_demand_callback_url"),
        (json!({ "notify_event_subscription": [] }), "notify_event_subscription"),
        (json!({ "notify_event_subscription": ["RECORD_PAUSED"] }), "notify_event_subscription"),
        (json!({ "notify_event_subscription": ["RECORD_OVER", "RECORD_OVER"] }), "notify_event_subscription"),
        (json!({ "notify_event_subscription": "RECORD_OVER" }), "body"),
        (json!({ "sign_type": "hmacsha256" }), "sign_type"),
        (json!({ "key": "0123456789abcdefghijklmnopqrstu" }), "key"),
        (json!({ "key": "0123456789abcdefghijklmnopqrstu-" }), "key"),
    ] {
        let reply = caller.create(&body(more.clone())).await;
        assert_eq!(reply.outcome(), (400, "LIVE.100011001"), "{more}");
        assert_eq!(reply.at("/error_msg"), format!("Invalid request parameter: {parameter}"));
    }
    let garbage = caller.call(Method::POST, &caller.callbacks(""), r#"{"key": "secret""#).await;
    assert_eq!(garbage.outcome(), (400, "LIVE.100011001"));
    assert!(!garbage.text.contains("secret"));
    assert!(mock.configs().is_empty());
    assert_eq!(
        caller.create(&body(json!({ "key": format!("{KEY}{KEY}") }))).await.status,
        201,
        "a longer key"
    );
}

#[tokio::test]
async fn bodies_have_to_be_json() {
    let mock = start().await;
    let url = format!("{}/v1/{}/record/callbacks", mock.endpoint(), mock.project_id());
    let token = mock.issue_token();
    for (content_type, outcome) in [
        (Some("application/json"), (201, "")),
        (Some("text/plain"), (400, "LIVE.100011012")),
        (None, (400, "LIVE.100011012")),
        (Some("application/json; charset=utf-8"), (400, "LIVE.103011018")),
    ] {
        let mut request = http().post(&url).header("X-Auth-Token", &token).body(body(json!({})).to_string());
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        assert_eq!(Reply::to(request).await.outcome(), outcome, "{content_type:?}");
    }
}

#[tokio::test]
async fn a_pair_of_domain_and_app_exists_once() {
    let mock = start().await;
    let caller = Huaweicloud::new(&mock);
    assert_eq!(caller.create(&body(json!({}))).await.status, 201);
    let again = caller.create(&body(json!({}))).await;
    assert_eq!(again.outcome(), (400, "LIVE.103011018"));
    assert_eq!(again.at("/error_msg"), "The resource already exists.");
    assert_eq!(caller.create(&body(json!({ "app": "live" }))).await.status, 201);
    assert_eq!(caller.create(&body(json!({ "publish_domain": "other.example.com" }))).await.status, 201);

    let mock = with(HuaweicloudDialect { uniqueness: Uniqueness::PerDomain, ..Default::default() }).await;
    let caller = Huaweicloud::new(&mock);
    assert_eq!(caller.create(&body(json!({}))).await.status, 201);
    assert_eq!(caller.create(&body(json!({ "app": "live" }))).await.outcome(), (400, "LIVE.103011018"));
    assert_eq!(caller.create(&body(json!({ "publish_domain": "other.example.com" }))).await.status, 201);
}

#[tokio::test]
async fn an_update_cannot_change_domain_and_app() {
    let mock = start().await;
    let caller = Huaweicloud::new(&mock);
    let id = caller.create(&body(json!({}))).await.at("/id").to_owned();
    for (more, parameter) in [
        (json!({ "publish_domain": "other.example.com" }), "publish_domain"),
        (json!({ "app": "live" }), "app"),
    ] {
        let reply = update(&caller, &id, &body(more)).await;
        assert_eq!(reply.outcome(), (400, "LIVE.100011001"));
        assert_eq!(reply.at("/error_msg"), format!("Invalid request parameter: {parameter}"));
    }
}

#[tokio::test]
async fn once_a_domain_is_registered_there_are_no_others() {
    let mock = MockHuaweicloud::builder()
        .clock(clock(HUAWEICLOUD_TIME))
        .domain("push.example.com")
        .start()
        .await
        .unwrap();
    let caller = Huaweicloud::new(&mock);
    assert_eq!(caller.create(&body(json!({}))).await.status, 201);
    let reply = caller.create(&body(json!({ "publish_domain": "other.example.com" }))).await;
    assert_eq!(reply.outcome(), (400, "LIVE.103011019"));
}

#[tokio::test]
async fn lists_are_filtered_and_come_in_pages() {
    let mock = start().await;
    let caller = Huaweicloud::new(&mock);
    for index in 0..12 {
        mock.put_config(HuaweicloudConfig::new(format!("d{index}.example.com"), "*"));
    }
    mock.put_config(HuaweicloudConfig::new("d0.example.com", "live"));
    for (query, total, found) in [
        ("", 13, "0* 1* 2* 3* 4* 5* 6* 7* 8* 9*"),
        ("?limit=100", 13, "0* 1* 2* 3* 4* 5* 6* 7* 8* 9* 10* 11* 0live"),
        ("?offset=10", 13, "10* 11* 0live"),
        ("?limit=2&offset=1", 13, "1* 2*"),
        ("?offset=4096", 13, ""),
        ("?publish_domain=d0.example.com", 2, "0* 0live"),
        ("?app=%2A&publish_domain=d0.example.com", 1, "0*"),
        ("?app=live", 1, "0live"),
        ("?publish_domain=none.example.com", 0, ""),
    ] {
        let reply = caller.get(query).await;
        let configs = reply.json["callback_config"].as_array().unwrap();
        let names: Vec<String> = configs
            .iter()
            .map(|config| {
                let domain = config["publish_domain"].as_str().unwrap();
                format!("{}{}", &domain[1..domain.find('.').unwrap()], config["app"].as_str().unwrap())
            })
            .collect();
        assert_eq!((reply.json["total"].clone(), names.join(" ").as_str()), (json!(total), found), "{query}");
    }
    for query in
        ["?limit=0", "?limit=101", "?limit=x", "?offset=4097", "?offset=-1", "?app=", "?publish_domain="]
    {
        assert_eq!(caller.get(query).await.outcome(), (400, "LIVE.100011001"), "{query}");
    }
}

#[tokio::test]
async fn configurations_can_change_from_outside() {
    let mock = start().await;
    let caller = Huaweicloud::new(&mock);
    let mut config = HuaweicloudConfig::new("push.example.com", "*");
    mock.put_config(config.clone());
    config.sign_type = "MD5".to_owned();
    mock.put_config(config.clone());
    assert_eq!(caller.get(&format!("/{}", config.id)).await.at("/sign_type"), "MD5");
    assert_eq!(mock.configs().len(), 1);
    assert_eq!(mock.remove_config(&config.id).unwrap().sign_type, "MD5");
    assert_eq!(mock.remove_config(&config.id), None);
    assert_eq!(caller.get(&format!("/{}", config.id)).await.status, 404);
}

#[tokio::test]
async fn create_answers_what_the_dialect_says() {
    for (create_answer, expected) in
        [(CreateAnswer::IdOnly, json!(["id"])), (CreateAnswer::Empty, Value::Null)]
    {
        let mock = with(HuaweicloudDialect { create_answer, ..Default::default() }).await;
        let created = Huaweicloud::new(&mock).create(&body(json!({}))).await;
        assert_eq!(created.status, 201);
        let fields = created.json.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
        assert_eq!(json!(fields), expected);
        assert_eq!(created.text.is_empty(), create_answer == CreateAnswer::Empty);
        assert_eq!(mock.configs().len(), 1);
    }
}

#[tokio::test]
async fn answers_contain_the_key_if_the_dialect_says_so() {
    let mock = with(HuaweicloudDialect { key_in_answers: true, ..Default::default() }).await;
    let caller = Huaweicloud::new(&mock);
    assert_eq!(caller.create(&body(json!({ "key": KEY }))).await.at("/key"), KEY);
    assert_eq!(caller.get("").await.at("/callback_config/0/key"), KEY);
    assert!(caller.create(&body(json!({ "app": "live" }))).await.json.get("key").is_none(), "there is none");
}

#[tokio::test]
async fn on_demand_urls_are_ignored_if_the_dialect_says_so() {
    let mock = with(HuaweicloudDialect { on_demand_url: OnDemandUrl::Ignored, ..Default::default() }).await;
    let created =
        Huaweicloud::new(&mock).create(&body(json!({ "on_demand_callback_url": "http://x" }))).await;
    assert_eq!(created.status, 201);
    assert!(created.json.get("on_demand_callback_url").is_none());
    assert_eq!(mock.configs()[0].on_demand_callback_url, None);
}

#[tokio::test]
async fn record_start_and_queries_are_refused_if_the_dialect_says_so() {
    let dialect = HuaweicloudDialect {
        record_start: RecordStart::Refused,
        url_query: UrlQuery::Refused,
        ..Default::default()
    };
    let mock = with(dialect).await;
    let caller = Huaweicloud::new(&mock);
    for more in [
        json!({ "notify_event_subscription": ["RECORD_START"] }),
        json!({ "notify_callback_url": "http://cb.example.com/?a=1" }),
        json!({ "on_demand_callback_url": "http://cb.example.com/?" }),
    ] {
        assert_eq!(caller.create(&body(more)).await.outcome(), (400, "LIVE.100011001"));
    }
}
