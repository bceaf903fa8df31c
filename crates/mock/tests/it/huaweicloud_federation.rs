//! Tokens of IAM for those of an identity provider, and temporary keys for tokens of IAM.

use jiff::SignedDuration;
use record_callback_mock::{Clock, MockHuaweicloud};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{HUAWEICLOUD_TIME, Huaweicloud, Reply, basic, clock, http};

async fn start() -> (MockHuaweicloud, Clock) {
    let clock = clock(HUAWEICLOUD_TIME);
    (MockHuaweicloud::builder().clock(clock.clone()).start().await.unwrap(), clock)
}

async fn post(mock: &MockHuaweicloud, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
    let mut request = http()
        .post(format!("{}{path}", mock.iam_endpoint()))
        .header("Content-Type", "application/json;charset=UTF-8")
        .body(body.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::to(request).await
}

async fn federated(mock: &MockHuaweicloud, idp: &[(&str, &str)], id_token: &str, scope: &Value) -> Reply {
    let mut body = json!({ "auth": { "id_token": { "id": id_token } } });
    if !scope.is_null() {
        body["auth"]["scope"] = scope.clone();
    }
    post(mock, "/v3.0/OS-AUTH/id-token/tokens", idp, &body).await
}

async fn key(mock: &MockHuaweicloud, headers: &[(&str, &str)], token: Value) -> Reply {
    let body = json!({ "auth": { "identity": { "methods": ["token"], "token": token } } });
    post(mock, "/v3.0/OS-CREDENTIAL/securitytokens", headers, &body).await
}

/// A caller of Live, now, with the key of an answer of IAM.
fn live<'a>(mock: &'a MockHuaweicloud, answer: &Reply) -> Huaweicloud<'a> {
    let at = |name: &str| answer.at(&format!("/credential/{name}")).to_owned();
    Huaweicloud {
        access_key: at("access"),
        secret_key: at("secret"),
        date: basic(mock.clock().now()),
        headers: vec![("X-Security-Token", at("securitytoken"))],
        ..Huaweicloud::new(mock)
    }
}

#[tokio::test]
async fn an_id_token_buys_a_token_and_that_a_key_which_signs_live_calls() {
    let (mock, _) = start().await;
    let idp = [("X-Idp-Id", mock.idp_id())];
    let reply = federated(&mock, &idp, &mock.issue_id_token(), &Value::Null).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert_eq!(reply.json["token"]["methods"], json!(["mapped"]));
    assert_eq!(reply.at("/token/expires_at"), "2024-01-03T03:04:05.000000Z");
    let token = reply.header("x-subject-token");
    // As the vendor's page has it, and as its SDKs send it.
    for (headers, body) in [
        (&[("X-Auth-Token", token)][..], json!({ "duration_seconds": 21600 })),
        (&[], json!({ "id": token, "duration_seconds": 21600 })),
    ] {
        let answer = key(&mock, headers, body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert!(answer.at("/credential/access").starts_with("HST"));
        assert_eq!(answer.at("/credential/expires_at"), "2024-01-02T09:04:05.000000Z");
        assert_eq!(live(&mock, &answer).get("").await.status, 200);
        let iam = Huaweicloud { endpoint: mock.iam_endpoint(), ..live(&mock, &answer) };
        assert_eq!(iam.call(Method::GET, "/v3/projects", "").await.status, 200);
    }
    let log = mock.iam_requests();
    let operations: Vec<_> = log.iter().filter_map(|request| request.operation()).collect();
    let expected = ["CreateTokenWithIdToken", "CreateTemporaryAccessKeyByToken", "KeystoneListProjects"];
    assert_eq!(operations[..3], expected);
}

#[tokio::test]
async fn a_federated_token_is_for_a_project_only_if_it_was_asked_for() {
    let (mock, _) = start().await;
    let idp = [("X-Idp-Id", mock.idp_id())];
    let project = json!({ "project": { "name": mock.region() } });
    for (scope, status) in [(project, 200), (Value::Null, 401)] {
        let reply = federated(&mock, &idp, &mock.issue_id_token(), &scope).await;
        let url = format!("{}/v1/{}/record/callbacks", mock.endpoint(), mock.project_id());
        let request = http().get(url).header("X-Auth-Token", reply.header("x-subject-token"));
        assert_eq!(Reply::to(request).await.status, status, "{scope}");
    }
    let nowhere = json!({ "project": { "name": "nowhere" } });
    assert_eq!(federated(&mock, &idp, &mock.issue_id_token(), &nowhere).await.status, 404);
}

#[tokio::test]
async fn what_the_identity_provider_did_not_say_buys_no_token() {
    let (mock, _) = start().await;
    let right = [("X-Idp-Id", mock.idp_id())];
    let good = mock.issue_id_token();
    for (idp, token, status) in [
        (&right[..], "TOPSECRET", 401),
        (&[("X-Idp-Id", "other")], &good, 404),
        (&[], &good, 400),
        (&right, &mock.issue_pod_token(), 401),
    ] {
        let reply = federated(&mock, idp, token, &Value::Null).await;
        assert_eq!((reply.status, reply.json["error"]["code"].as_u64()), (status, Some(status.into())));
        assert!(!reply.text.contains("TOPSECRET"));
    }
    for body in [json!({}), json!({ "auth": {} }), json!({ "auth": { "id_token": "TOPSECRET" } })] {
        let reply = post(&mock, "/v3.0/OS-AUTH/id-token/tokens", &right, &body).await;
        assert_eq!(reply.at("/error/message"), "The request body is invalid.");
    }
}

#[tokio::test]
async fn without_a_duration_a_key_lasts_a_quarter_of_an_hour_and_then_it_is_refused() {
    let (mock, clock) = start().await;
    let token = mock.issue_token();
    let answer = key(&mock, &[("X-Auth-Token", &token)], json!({})).await;
    assert_eq!(answer.at("/credential/expires_at"), "2024-01-02T03:19:05.000000Z");
    clock.advance(SignedDuration::from_secs(899));
    assert_eq!(live(&mock, &answer).get("").await.status, 200);
    clock.advance(SignedDuration::from_secs(1));
    let reply = live(&mock, &answer).get("").await;
    assert_eq!(reply.outcome(), (401, "APIGW.0301"));
    assert!(reply.at("/error_msg").contains("decrypt token fail"), "{}", reply.text);
}

#[tokio::test]
async fn a_key_needs_a_token_that_is_good_and_a_duration_within_its_limits() {
    let (mock, clock) = start().await;
    let token = mock.issue_token();
    let with_token = [("X-Auth-Token", token.as_str())];
    for (headers, body, status) in [
        (&[][..], json!({}), 401),
        (&[("X-Auth-Token", "TOPSECRET")], json!({}), 401),
        (&with_token, json!({ "id": "TOPSECRET" }), 401),
        (&with_token, json!({ "duration_seconds": 899 }), 400),
        (&with_token, json!({ "duration_seconds": 86401 }), 400),
        (&with_token, json!({ "duration_seconds": "long" }), 400),
        (&with_token, json!({ "duration_seconds": 86400 }), 201),
        (&with_token, Value::Null, 201),
    ] {
        let reply = key(&mock, headers, body.clone()).await;
        assert_eq!(reply.status, status, "{body}: {}", reply.text);
        assert!(!reply.text.contains("TOPSECRET"));
    }
    for identity in [json!({ "methods": ["assume_role"] }), json!({ "methods": ["token"], "policy": {} })] {
        let body = json!({ "auth": { "identity": identity } });
        let reply = post(&mock, "/v3.0/OS-CREDENTIAL/securitytokens", &with_token, &body).await;
        assert_eq!(reply.status, 400);
        assert!(reply.at("/error/message").starts_with("This mock"), "{}", reply.text);
    }
    clock.advance(SignedDuration::from_hours(24));
    assert_eq!(key(&mock, &with_token, json!({})).await.status, 401, "the token is over");
}
