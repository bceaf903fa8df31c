//! Everything Huawei Cloud checks before an operation: route, caller, time, signature, project, quota, method.

use std::time::Duration;

use jiff::SignedDuration;
use record_callback_mock::MockHuaweicloud;
use reqwest::Method;
use serde_json::json;

use crate::client::{HUAWEICLOUD_TIME, Huaweicloud, Reply, basic, clock, http};

const PROJECT: &str = "0123456789abcdef0123456789abcdef";

async fn start() -> MockHuaweicloud {
    MockHuaweicloud::builder().clock(clock(HUAWEICLOUD_TIME)).start().await.unwrap()
}

/// A mock with the key of the recorded calls.
async fn recorded() -> MockHuaweicloud {
    MockHuaweicloud::builder()
        .clock(clock(HUAWEICLOUD_TIME))
        .access_key("AKEXAMPLE0000000001", "SKexampleSecretKey000000000000000000000001")
        .project_id(PROJECT)
        .start()
        .await
        .unwrap()
}

fn authorization(signed: &str, signature: &str) -> String {
    format!("SDK-HMAC-SHA256 Access=AKEXAMPLE0000000001, SignedHeaders={signed}, Signature={signature}")
}

#[tokio::test]
async fn calls_recorded_with_the_official_sdk_pass() {
    let mock = recorded().await;
    let query =
        "app=%2A&limit=10&offset=0&publish_domain=push.example.com&x=%E7%9B%B4%E6%92%AD%20a%2Bb%2Fc~d";
    let list = http()
        .get(format!("{}/v1/{PROJECT}/record/callbacks?{query}", mock.endpoint()))
        .header("Content-Type", "application/json")
        .header("Host", "live.cn-north-4.myhuaweicloud.com")
        .header("User-Agent", "hw-rec-callback/0.1")
        .header("X-Project-Id", PROJECT)
        .header("X-Sdk-Date", "20240102T030405Z")
        .header(
            "Authorization",
            authorization(
                "content-type;host;user-agent;x-project-id;x-sdk-date",
                "97a647d319f88ab7bdb9f1a17062e1f67655ad7d46a885177f7f743e8ae24a09",
            ),
        );
    let reply = Reply::to(list).await;
    assert_eq!((reply.status, &reply.json), (200, &json!({ "total": 0, "callback_config": [] })));

    let create = http()
        .post(format!("{}/v1/{PROJECT}/record/callbacks", mock.endpoint()))
        .header("Content-Type", "application/json")
        .header("Host", "127.0.0.1:18080")
        .header("X-Sdk-Date", "20240102T030405Z")
        .header(
            "Authorization",
            authorization(
                "host;x-sdk-date",
                "55977fece556cbb9c8b5f49ddbf92664c7b27d375f0f2c4850d72784ebdd8fe4",
            ),
        )
        .body(r#"{"publish_domain":"push.example.com","app":"*"}"#);
    assert_eq!(Reply::to(create).await.status, 201);
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_gateway_errors_say_who_they_are() {
    let mock = start().await;
    let caller = Huaweicloud::new(&mock);
    let found = caller.get("").await;
    let missing = caller.get("/none").await;
    assert_eq!(
        missing.json,
        json!({ "error_code": "LIVE.103011019", "error_msg": "The resource does not exist." })
    );
    for reply in [&found, &missing] {
        assert!(reply.header("x-request-id").ends_with("-1704164645000-record-callback-mock"));
        assert_eq!(reply.header("server"), "");
    }
    let unknown = Reply::to(http().get(format!("{}/v2/nothing", mock.endpoint()))).await;
    assert_eq!(unknown.outcome(), (404, "APIGW.0101"));
    assert_eq!(unknown.header("server"), "api-gateway");
    let id = unknown.at("/request_id");
    assert_eq!(id.len(), 32);
    assert!(unknown.header("x-request-id").replace('-', "").starts_with(id));
}

#[tokio::test]
async fn only_the_documented_paths_exist() {
    let mock = start().await;
    let caller = Huaweicloud::new(&mock);
    for path in [
        "/v1//record/callbacks",
        "/v1/p/record/callback/id",
        "/v1/p/record/callbacks/",
        "/v1/p/record/callbacks/a/b",
    ] {
        assert_eq!(caller.call(Method::GET, path, "").await.outcome(), (404, "APIGW.0101"), "{path}");
    }
}

#[tokio::test]
async fn a_method_an_existing_path_does_not_have_is_refused_by_live() {
    let mock = start().await;
    let caller = Huaweicloud::new(&mock);
    for (method, rest) in
        [(Method::PUT, ""), (Method::DELETE, ""), (Method::POST, "/id"), (Method::PATCH, "/id")]
    {
        let reply = caller.call(method, &caller.callbacks(rest), "").await;
        assert_eq!(reply.outcome(), (400, "LIVE.100011011"));
    }
}

#[tokio::test]
async fn a_wrong_signature_is_told_the_canonical_request() {
    let mock = start().await;
    let mut caller = Huaweicloud::new(&mock);
    "wrong".clone_into(&mut caller.secret_key);
    let reply = caller.get("?app=%2A").await;
    assert_eq!(reply.outcome(), (401, "APIGW.0301"));
    let host = mock.endpoint().trim_start_matches("http://");
    let expected = format!(
        "Incorrect IAM authentication information: verify aksk signature fail, canonicalRequest:GET|/v1/{}/record/callbacks/\
         |app=%2A|host:{host}|x-sdk-date:20240102T030405Z||host;x-sdk-date|\
         e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        mock.project_id()
    );
    assert_eq!(reply.at("/error_msg"), expected);
}

#[tokio::test]
async fn an_unknown_access_key_is_named() {
    let mock = start().await;
    let mut caller = Huaweicloud::new(&mock);
    "LTAI5tEXAMPLE".clone_into(&mut caller.access_key);
    let reply = caller.get("").await;
    assert_eq!(reply.outcome(), (401, "APIGW.0301"));
    assert_eq!(
        reply.at("/error_msg"),
        "Incorrect IAM authentication information: ak LTAI5tEXAMPLE not exist"
    );
}

#[tokio::test]
async fn signatures_are_good_for_fifteen_minutes_either_way() {
    let clock = clock(HUAWEICLOUD_TIME);
    let mock = MockHuaweicloud::builder().clock(clock.clone()).start().await.unwrap();
    let caller = Huaweicloud::new(&mock);
    let start = clock.now();
    for sign in [1, -1] {
        clock.set(start.checked_add(SignedDuration::from_mins(15 * sign)).unwrap());
        assert_eq!(caller.get("").await.status, 200);
        clock.advance(SignedDuration::from_secs(sign));
        let reply = caller.get("").await;
        assert_eq!(reply.outcome(), (401, "APIGW.0301"));
        let expected = format!(
            "Incorrect IAM authentication information: calc aksk signature fail:signature expired, \
             signature time:20240102T030405Z,server time:{}",
            basic(clock.now())
        );
        assert_eq!(reply.at("/error_msg"), expected);
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_authorization_is_said() {
    let mock = start().await;
    let url = format!("{}/v1/{}/record/callbacks", mock.endpoint(), mock.project_id());
    let signed = |names: &str| {
        format!("SDK-HMAC-SHA256 Access={}, SignedHeaders={names}, Signature=00", mock.access_key())
    };
    let date = "20240102T030405Z";
    for (authorization, date, problem) in [
        ("V11-HMAC-SHA256 Credential=a".to_owned(), date, "Authorization is not"),
        (signed("x-sdk-date"), date, "host is not signed"),
        (signed("host"), date, "x-sdk-date is not signed"),
        (signed("x-sdk-date;host"), date, "not a sorted list"),
        (signed("Host;x-sdk-date"), date, "host is not signed"),
        (signed("host;x-nothing;x-sdk-date"), date, "x-nothing is not in the request"),
        (signed("host;x-sdk-date"), "2024-01-02T03:04:05Z", "X-Sdk-Date is not written"),
    ] {
        let request = http().get(&url).header("Authorization", authorization).header("X-Sdk-Date", date);
        let reply = Reply::to(request).await;
        assert_eq!(reply.outcome(), (401, "APIGW.0301"));
        assert!(reply.at("/error_msg").contains(problem), "{}", reply.text);
    }
    let nothing = Reply::to(http().get(&url)).await;
    assert_eq!(nothing.outcome(), (401, "APIGW.0301"));
}

#[tokio::test]
async fn temporary_keys_need_their_own_token() {
    let mock = MockHuaweicloud::builder()
        .clock(clock(HUAWEICLOUD_TIME))
        .temporary_access_key("TMP", "secret", "token+/=")
        .start()
        .await
        .unwrap();
    for (access_key, token, status) in [
        ("TMP", Some("token+/="), 200),
        ("TMP", Some("other"), 401),
        ("TMP", None, 401),
        (mock.access_key(), None, 200),
        (mock.access_key(), Some("token+/="), 401),
    ] {
        let mut caller = Huaweicloud::new(&mock);
        access_key.clone_into(&mut caller.access_key);
        if access_key == "TMP" {
            "secret".clone_into(&mut caller.secret_key);
        }
        caller.headers.extend(token.map(|token| ("X-Security-Token", token.to_owned())));
        let reply = caller.get("").await;
        assert_eq!(reply.status, status, "{access_key} {token:?}");
        if status == 401 {
            assert!(reply.at("/error_msg").contains("X-Security-Token"), "{}", reply.text);
        }
    }
}

#[tokio::test]
async fn the_project_has_to_exist_and_to_be_confirmed() {
    let mock = MockHuaweicloud::builder()
        .clock(clock(HUAWEICLOUD_TIME))
        .project("cn-north-1", "other-project")
        .start()
        .await
        .unwrap();
    let mut caller = Huaweicloud::new(&mock);
    let unknown = caller.call(Method::GET, "/v1/nobody/record/callbacks", "").await;
    assert_eq!(unknown.outcome(), (401, "LIVE.100011015"));
    assert_eq!(unknown.at("/error_msg"), "Project ID verification failed.");

    caller.headers.push(("X-Project-Id", mock.project_id().to_owned()));
    assert_eq!(caller.create(&json!({ "publish_domain": "push.example.com", "app": "*" })).await.status, 201);
    let other = "/v1/other-project/record/callbacks";
    assert_eq!(caller.call(Method::GET, other, "").await.outcome(), (401, "LIVE.100011015"));
    caller.headers.clear();
    let separate = caller.call(Method::GET, other, "").await;
    assert_eq!((separate.status, &separate.json["total"]), (200, &json!(0)), "projects are separate");
    assert_eq!((mock.configs().len(), mock.configs_of("other-project").len()), (1, 0));
}

#[tokio::test]
async fn a_token_is_good_for_its_project_until_it_expires_or_is_revoked() {
    let clock = clock(HUAWEICLOUD_TIME);
    let mock = MockHuaweicloud::builder()
        .clock(clock.clone())
        .project("cn-north-1", "other-project")
        .token_lifetime(Duration::from_secs(3600))
        .start()
        .await
        .unwrap();
    let with = async |token: &str, project: &str| {
        let url = format!("{}/v1/{project}/record/callbacks", mock.endpoint());
        Reply::to(http().get(url).header("X-Auth-Token", token)).await
    };
    let token = mock.issue_token();
    assert!(token.len() > 4000, "as long as in the cloud");
    assert_eq!(with(&token, mock.project_id()).await.status, 200);
    let refused = with("unknown", mock.project_id()).await;
    assert_eq!(refused.outcome(), (401, "APIGW.0307"));
    assert_eq!(refused.at("/error_msg"), "The token must be updated");
    assert_eq!(with(&token, "other-project").await.outcome(), (401, "APIGW.0307"));

    clock.advance(SignedDuration::from_secs(3599));
    assert_eq!(with(&token, mock.project_id()).await.status, 200);
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(with(&token, mock.project_id()).await.outcome(), (401, "APIGW.0307"));

    let token = mock.issue_token();
    assert_eq!(with(&token, mock.project_id()).await.status, 200);
    mock.revoke_tokens();
    assert_eq!(with(&token, mock.project_id()).await.outcome(), (401, "APIGW.0307"));
}

#[tokio::test]
async fn a_signature_counts_when_there_is_a_token_too() {
    let mock = start().await;
    let mut caller = Huaweicloud::new(&mock);
    caller.headers.push(("X-Auth-Token", "unknown".to_owned()));
    assert_eq!(caller.get("").await.status, 200);
}

#[tokio::test]
async fn quotas_are_off_unless_asked_for() {
    let mock = start().await;
    let caller = Huaweicloud::new(&mock);
    for _ in 0..310 {
        assert_eq!(caller.get("").await.status, 200);
    }
}

#[tokio::test]
async fn the_documented_quota_is_shared_by_all_operations_of_a_user() {
    let clock = clock(HUAWEICLOUD_TIME);
    let mock = MockHuaweicloud::builder()
        .clock(clock.clone())
        .access_key("one", "secret")
        .access_key("two", "secret")
        .quotas(true)
        .start()
        .await
        .unwrap();
    let mut caller = Huaweicloud::new(&mock);
    for _ in 0..299 {
        assert_eq!(caller.get("").await.status, 200);
    }
    assert_eq!(caller.get("/none").await.status, 404);
    let reply = caller.call(Method::DELETE, &caller.callbacks("/none"), "").await;
    assert_eq!(reply.outcome(), (429, "APIGW.0308"));
    assert_eq!(
        reply.at("/error_msg"),
        "The throttling threshold has been reached: policy user over ratelimit,limit:300,time:1 minute"
    );
    "two".clone_into(&mut caller.access_key);
    assert_eq!(caller.get("").await.status, 200, "another user");
    "one".clone_into(&mut caller.access_key);
    clock.advance(SignedDuration::from_secs(60));
    assert_eq!(caller.get("").await.status, 200, "another minute");
}

#[tokio::test]
async fn the_quota_can_be_scaled() {
    let mock = MockHuaweicloud::builder()
        .clock(clock(HUAWEICLOUD_TIME))
        .quota(1, Duration::from_secs(1))
        .start()
        .await
        .unwrap();
    let caller = Huaweicloud::new(&mock);
    assert_eq!(caller.get("").await.status, 200);
    let reply = caller.get("").await;
    assert_eq!(reply.status, 429);
    assert!(reply.at("/error_msg").ends_with("limit:1,time:1 second"), "{}", reply.text);
}
