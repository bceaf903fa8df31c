//! What each reading of Huawei Cloud's pages changes.

use std::{collections::HashSet, time::Duration};

use jiff::SignedDuration;
use record_callback_mock::{
    AppWildcardFilter, ConfigIds, CreateAnswer, DeleteOfMissing, Dialect, DuplicateStatus, FieldOrder,
    HuaweicloudConfig, HuaweicloudDialect, HuaweicloudOmitted, HuaweicloudThrottling, ListOffset, ListOrder,
    MissingId, MockHuaweicloud, QueryOnWire, Times, UpdateAnswer,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{HUAWEICLOUD_TIME, Huaweicloud, Reply, clock};

const KEY: &str = "0123456789abcdefghijklmnopqrstuv";

async fn with(dialect: HuaweicloudDialect) -> MockHuaweicloud {
    MockHuaweicloud::builder().clock(clock(HUAWEICLOUD_TIME)).dialect(dialect).start().await.unwrap()
}

/// A valid body with some fields replaced or added.
fn body(more: Value) -> Value {
    let mut body = json!({ "publish_domain": "push.example.com", "app": "*" });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

/// A configuration with a value other than the default in every field.
fn full() -> HuaweicloudConfig {
    HuaweicloudConfig {
        notify_callback_url: Some("http://old.example.com".to_owned()),
        on_demand_callback_url: Some("http://old.example.com/od".to_owned()),
        notify_event_subscription: vec!["RECORD_OVER".to_owned()],
        sign_type: "MD5".to_owned(),
        key: Some(KEY.to_owned()),
        ..HuaweicloudConfig::new("push.example.com", "*")
    }
}

async fn update(caller: &Huaweicloud<'_>, id: &str, body: &Value) -> Reply {
    caller.call(Method::PUT, &caller.callbacks(&format!("/{id}")), &body.to_string()).await
}

async fn delete(caller: &Huaweicloud<'_>, id: &str) -> Reply {
    caller.call(Method::DELETE, &caller.callbacks(&format!("/{id}")), "").await
}

/// The apps of a listed page.
async fn apps(caller: &Huaweicloud<'_>, query: &str) -> String {
    let page = caller.get(query).await;
    let configs = page.json["callback_config"].as_array().unwrap();
    configs.iter().map(|config| config["app"].as_str().unwrap()).collect()
}

/// The vendor's SDK for Node signs `%2A` and sends `*`.
#[tokio::test]
async fn a_query_may_have_to_be_sent_as_it_is_signed() {
    for (query_on_wire, outcome) in
        [(QueryOnWire::Decoded, (200, "")), (QueryOnWire::AsSigned, (401, "APIGW.0301"))]
    {
        let mock = with(HuaweicloudDialect { query_on_wire, ..Default::default() }).await;
        let caller = Huaweicloud::new(&mock);
        assert_eq!(caller.get("?app=*").await.outcome(), outcome);
        assert_eq!(caller.get("?app=%2A").await.outcome(), (200, ""));
    }
}

#[tokio::test]
async fn updates_may_answer_nothing() {
    let mock = with(HuaweicloudDialect { update_answer: UpdateAnswer::Empty, ..Default::default() }).await;
    let config = full();
    mock.put_config(config.clone());
    let updated = update(&Huaweicloud::new(&mock), &config.id, &body(json!({}))).await;
    assert_eq!((updated.status, updated.text.as_str()), (200, ""));
    assert_eq!(mock.configs()[0].key, None);
}

#[tokio::test]
async fn updates_reset_or_keep_what_they_leave_out() {
    let empty = json!({ "key": "", "on_demand_callback_url": "" });
    for (omitted_on_update, kept, empties_status) in [
        (HuaweicloudOmitted::Reset, false, 400),
        (HuaweicloudOmitted::ResetEmptyClears, false, 200),
        (HuaweicloudOmitted::Kept, true, 200),
    ] {
        let mock = with(HuaweicloudDialect { omitted_on_update, ..Default::default() }).await;
        let caller = Huaweicloud::new(&mock);
        let config = full();
        mock.put_config(config.clone());
        let updated = update(&caller, &config.id, &body(json!({ "sign_type": "HMACSHA256" }))).await;
        assert_eq!(updated.status, 200);
        let stored = mock.configs().remove(0);
        let expected = HuaweicloudConfig {
            id: config.id.clone(),
            sign_type: "HMACSHA256".to_owned(),
            create_time: stored.create_time,
            update_time: stored.update_time,
            ..if kept { full() } else { HuaweicloudConfig::new("push.example.com", "*") }
        };
        assert_eq!(stored, expected, "{omitted_on_update:?}");

        mock.put_config(config.clone());
        assert_eq!(update(&caller, &config.id, &body(empty.clone())).await.status, empties_status);
        let stored = mock.configs().remove(0);
        assert_eq!(stored.key.is_none(), empties_status == 200);
        assert_eq!(stored.on_demand_callback_url.is_none(), empties_status == 200);
        assert_eq!(stored.notify_callback_url.is_some(), kept || empties_status == 400);
        let created = caller.create(&body(json!({ "app": "live", "key": "" }))).await;
        assert_eq!(created.outcome(), (400, "LIVE.100011001"), "only in updates");
    }
}

#[tokio::test]
async fn a_duplicate_may_be_a_conflict() {
    let dialect = HuaweicloudDialect { duplicate_status: DuplicateStatus::Conflict, ..Default::default() };
    let mock = with(dialect).await;
    mock.put_config(full());
    let reply = Huaweicloud::new(&mock).create(&body(json!({}))).await;
    assert_eq!(reply.outcome(), (409, "LIVE.103011018"));
}

#[tokio::test]
async fn a_missing_id_is_answered_as_the_dialect_says() {
    for (missing_id, outcome) in [
        (MissingId::NotFound, (404, "LIVE.103011019")),
        (MissingId::BadRequest, (400, "LIVE.103011019")),
        (MissingId::Illegal, (400, "LIVE.100011001")),
    ] {
        let mock = with(HuaweicloudDialect { missing_id, ..Default::default() }).await;
        let caller = Huaweicloud::new(&mock);
        for reply in [
            caller.get("/none").await,
            update(&caller, "none", &body(json!({}))).await,
            delete(&caller, "none").await,
        ] {
            assert_eq!(reply.outcome(), outcome);
        }

        let delete_of_missing = DeleteOfMissing::NoContent;
        let mock = with(HuaweicloudDialect { missing_id, delete_of_missing, ..Default::default() }).await;
        let caller = Huaweicloud::new(&mock);
        assert_eq!(delete(&caller, "none").await.status, 204);
        assert_eq!(caller.get("/none").await.outcome(), outcome);
    }
}

#[tokio::test]
async fn the_filter_for_any_app_is_literal_or_not() {
    for (app_wildcard_filter, found) in [(AppWildcardFilter::Literal, "*"), (AppWildcardFilter::AnyApp, "a*")]
    {
        let mock = with(HuaweicloudDialect { app_wildcard_filter, ..Default::default() }).await;
        for app in ["a", "*"] {
            mock.put_config(HuaweicloudConfig::new("push.example.com", app));
        }
        let caller = Huaweicloud::new(&mock);
        assert_eq!(apps(&caller, "?app=%2A").await, found);
        assert_eq!(apps(&caller, "?app=a").await, "a");
    }
}

#[tokio::test]
async fn lists_may_come_in_another_order_each_time() {
    let mock = with(HuaweicloudDialect { list_order: ListOrder::Unstable, ..Default::default() }).await;
    for app in ["a", "b", "c", "d"] {
        mock.put_config(HuaweicloudConfig::new("push.example.com", app));
    }
    let caller = Huaweicloud::new(&mock);
    let (mut lists, mut pages) = (HashSet::new(), HashSet::new());
    for _ in 0..40 {
        lists.insert(apps(&caller, "").await);
        pages.insert(apps(&caller, "?limit=1").await);
    }
    assert!(lists.len() > 3 && pages.len() > 1, "{lists:?} {pages:?}");
    assert!(lists.iter().all(|list| list.chars().collect::<HashSet<_>>().len() == 4));
}

#[tokio::test]
async fn offsets_may_count_pages() {
    let mock = with(HuaweicloudDialect { list_offset: ListOffset::Pages, ..Default::default() }).await;
    for app in ["a", "b", "c", "d", "e"] {
        mock.put_config(HuaweicloudConfig::new("push.example.com", app));
    }
    let caller = Huaweicloud::new(&mock);
    for (query, found) in [
        ("?limit=2&offset=0", "ab"),
        ("?limit=2&offset=1", "cd"),
        ("?limit=2&offset=2", "e"),
        ("?limit=100&offset=4096", ""),
    ] {
        assert_eq!(apps(&caller, query).await, found, "{query}");
    }
}

#[tokio::test]
async fn times_are_written_as_the_dialect_says() {
    for (times, expected) in [
        (Times::Seconds, json!("2024-01-02T03:04:05Z")),
        (Times::Milliseconds, json!("2024-01-02T03:04:05.123Z")),
        (Times::Absent, Value::Null),
    ] {
        let clock = clock(HUAWEICLOUD_TIME);
        clock.advance(SignedDuration::from_millis(123));
        let dialect = HuaweicloudDialect { times, ..Default::default() };
        let mock = MockHuaweicloud::builder().clock(clock).dialect(dialect).start().await.unwrap();
        let caller = Huaweicloud::new(&mock);
        let created = caller.create(&body(json!({}))).await;
        let shown = caller.get(&format!("/{}", created.at("/id"))).await;
        for reply in [created, shown] {
            assert_eq!(reply.json["create_time"], expected);
            assert_eq!(reply.json["update_time"], expected);
        }
    }
}

#[tokio::test]
async fn ids_may_be_uuids() {
    let mock = with(HuaweicloudDialect { ids: ConfigIds::Uuid, ..Default::default() }).await;
    let caller = Huaweicloud::new(&mock);
    let id = caller.create(&body(json!({}))).await.at("/id").to_owned();
    assert_eq!((id.len(), id.matches('-').count()), (36, 4));
    assert_eq!(caller.get(&format!("/{id}")).await.status, 200);
}

#[tokio::test]
async fn the_service_may_throttle_instead_of_the_gateway() {
    let throttling = HuaweicloudThrottling::Service;
    let mock = MockHuaweicloud::builder()
        .clock(clock(HUAWEICLOUD_TIME))
        .quota(0, Duration::from_secs(1))
        .dialect(HuaweicloudDialect { throttling, ..Default::default() })
        .start()
        .await
        .unwrap();
    let reply = Huaweicloud::new(&mock).get("").await;
    assert_eq!(reply.outcome(), (500, "LIVE.100011007"));
    assert_eq!(reply.header("server"), "");
}

#[tokio::test]
async fn fields_may_come_in_any_order() {
    let mock = with(HuaweicloudDialect { field_order: FieldOrder::Random, ..Default::default() }).await;
    let config = full();
    mock.put_config(config.clone());
    let caller = Huaweicloud::new(&mock);
    let mut orders = HashSet::new();
    for _ in 0..40 {
        let text = caller.get(&format!("/{}", config.id)).await.text;
        let mut names = ["id", "app", "publish_domain", "sign_type"];
        names.sort_by_key(|name| text.find(&format!("\"{name}\":")).unwrap());
        orders.insert(names);
    }
    assert!(orders.len() > 3, "{}", orders.len());
}

#[tokio::test]
async fn show_and_list_see_changes_late() {
    let clock = clock(HUAWEICLOUD_TIME);
    let dialect = HuaweicloudDialect { read_lag_milliseconds: 40, ..Default::default() };
    let mock = MockHuaweicloud::builder().clock(clock.clone()).dialect(dialect).start().await.unwrap();
    let caller = Huaweicloud::new(&mock);
    let wait = |milliseconds| clock.advance(SignedDuration::from_millis(milliseconds));

    let id = caller.create(&body(json!({}))).await.at("/id").to_owned();
    let seen = async || {
        let listed = caller.get("").await;
        (caller.get(&format!("/{id}")).await.status, listed.json["total"].as_u64().unwrap())
    };
    assert_eq!(seen().await, (404, 0));
    assert_eq!(mock.configs().len(), 1, "the test sees it at once");
    assert_eq!(caller.create(&body(json!({}))).await.outcome(), (400, "LIVE.103011018"));
    assert_eq!(update(&caller, &id, &body(json!({ "sign_type": "MD5" }))).await.at("/sign_type"), "MD5");
    wait(39);
    assert_eq!(seen().await, (404, 0));
    wait(1);
    assert_eq!(seen().await, (200, 1));

    mock.put_config(HuaweicloudConfig::new("other.example.com", "*"));
    assert_eq!(seen().await, (200, 1), "changes from outside come late as well");
    wait(40);
    assert_eq!(seen().await, (200, 2));
    assert_eq!(delete(&caller, &id).await.status, 204);
    assert_eq!(seen().await, (200, 2));
    assert_eq!(delete(&caller, &id).await.status, 404);
    assert_eq!(update(&caller, &id, &body(json!({}))).await.status, 404);
}

#[tokio::test]
async fn a_configuration_lives_in_every_dialect() {
    for (name, dialect) in HuaweicloudDialect::pairwise() {
        let clock = clock(HUAWEICLOUD_TIME);
        let answers = dialect.create_answer != CreateAnswer::Empty;
        let mock = MockHuaweicloud::builder().clock(clock.clone()).dialect(dialect).start().await.unwrap();
        let caller = Huaweicloud::new(&mock);
        let created = caller.create(&body(json!({ "key": KEY }))).await;
        assert_eq!(created.status, 201, "{name}");
        clock.advance(SignedDuration::from_millis(40));
        let id = caller.get("").await.at("/callback_config/0/id").to_owned();
        assert!(!answers || created.at("/id") == id, "{name}");
        assert_eq!(update(&caller, &id, &body(json!({}))).await.status, 200, "{name}");
        assert_eq!(caller.get(&format!("/{id}")).await.at("/id"), id, "{name}");
        assert_eq!(delete(&caller, &id).await.status, 204, "{name}");
    }
}
