//! The identity service: tokens for a password, and the list of projects.

use jiff::SignedDuration;
use record_callback_mock::MockHuaweicloud;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{HUAWEICLOUD_TIME, Huaweicloud, Reply, clock, http};

async fn start() -> MockHuaweicloud {
    MockHuaweicloud::builder()
        .clock(clock(HUAWEICLOUD_TIME))
        .region("cn-north-4")
        .project_id("default-project")
        .project("cn-north-1", "other-project")
        .user("account", "user", "password")
        .user("account", "second", "other")
        .start()
        .await
        .unwrap()
}

fn credentials(account: &str, user: &str, password: &str, scope: Value) -> Value {
    let user = json!({ "name": user, "password": password, "domain": { "name": account } });
    let mut auth = json!({ "identity": { "methods": ["password"], "password": { "user": user } } });
    if !scope.is_null() {
        auth["scope"] = scope;
    }
    json!({ "auth": auth })
}

async fn token(mock: &MockHuaweicloud, body: &Value) -> Reply {
    let request = http()
        .post(format!("{}/v3/auth/tokens?nocatalog=true", mock.iam_endpoint()))
        .header("Content-Type", "application/json;charset=utf8")
        .body(body.to_string());
    Reply::to(request).await
}

async fn live_status(mock: &MockHuaweicloud, token: &str, project: &str) -> u16 {
    let url = format!("{}/v1/{project}/record/callbacks", mock.endpoint());
    Reply::to(http().get(url).header("X-Auth-Token", token)).await.status
}

#[tokio::test]
async fn a_password_buys_a_token_for_a_project() {
    let mock = start().await;
    assert_eq!((mock.iam_account(), mock.iam_user(), mock.iam_password()), ("account", "user", "password"));
    assert_eq!((mock.region(), mock.project_id()), ("cn-north-4", "default-project"));
    for (scope, project) in [
        (json!({ "project": { "name": "cn-north-4" } }), "default-project"),
        (json!({ "project": { "id": "other-project" } }), "other-project"),
        (json!({ "project": { "name": "cn-north-1" }, "domain": { "name": "account" } }), "other-project"),
    ] {
        let reply = token(&mock, &credentials("account", "user", "password", scope)).await;
        assert_eq!(reply.status, 201);
        assert_eq!(reply.at("/token/project/id"), project);
        assert_eq!(reply.at("/token/user/name"), "user");
        assert_eq!(reply.at("/token/issued_at"), "2024-01-02T03:04:05.000000Z");
        assert_eq!(reply.at("/token/expires_at"), "2024-01-03T03:04:05.000000Z");
        let token = reply.header("x-subject-token");
        for (id, status) in [("default-project", 200), ("other-project", 200)] {
            let expected = if id == project { status } else { 401 };
            assert_eq!(live_status(&mock, token, id).await, expected);
        }
    }
    let log = mock.iam_requests();
    assert_eq!((log[0].operation(), log[0].status()), (Some("KeystoneCreateUserTokenByPassword"), 201));
    assert!(!format!("{log:?}").contains("password\":"));
}

#[tokio::test]
async fn a_token_of_the_whole_account_does_not_work_for_live() {
    let mock = start().await;
    for scope in [Value::Null, json!({ "domain": { "name": "account" } })] {
        let reply = token(&mock, &credentials("account", "user", "password", scope)).await;
        assert_eq!(reply.status, 201);
        assert_eq!(reply.at("/token/domain/name"), "account");
        assert_eq!(live_status(&mock, reply.header("x-subject-token"), "default-project").await, 401);
    }
}

#[tokio::test]
async fn a_new_token_leaves_the_old_one_valid() {
    let clock = clock(HUAWEICLOUD_TIME);
    let mock = MockHuaweicloud::builder().clock(clock.clone()).start().await.unwrap();
    let old = mock.issue_token();
    clock.advance(SignedDuration::from_hours(23));
    let scope = json!({ "project": { "name": mock.region() } });
    let body = credentials(mock.iam_account(), mock.iam_user(), mock.iam_password(), scope);
    let new = token(&mock, &body).await.header("x-subject-token").to_owned();
    for (token, status) in [(&old, 200), (&new, 200)] {
        assert_eq!(live_status(&mock, token, mock.project_id()).await, status);
    }
    clock.advance(SignedDuration::from_hours(1));
    for (token, status) in [(&old, 401), (&new, 200)] {
        assert_eq!(live_status(&mock, token, mock.project_id()).await, status);
    }
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let mock = start().await;
    let scope = json!({ "project": { "name": "cn-north-4" } });
    for (account, user, password) in [
        ("account", "user", "wrong"),
        ("account", "nobody", "password"),
        ("other", "user", "password"),
        ("account", "second", "password"),
    ] {
        let reply = token(&mock, &credentials(account, user, password, scope.clone())).await;
        assert_eq!(reply.status, 401);
        assert_eq!(
            reply.json,
            json!({ "error": { "code": 401, "message": "The username or password is wrong.", "title": "Unauthorized" } })
        );
    }
    let scope = json!({ "project": { "name": "nowhere" } });
    let reply = token(&mock, &credentials("account", "user", "password", scope)).await;
    assert_eq!((reply.status, reply.at("/error/title")), (404, "Not Found"));
}

#[tokio::test]
async fn bad_token_requests_are_refused() {
    let mock = start().await;
    let mut totp = credentials("account", "user", "password", Value::Null);
    totp["auth"]["identity"]["methods"] = json!(["password", "totp"]);
    for body in [json!({}), json!({ "auth": { "identity": { "methods": ["password"] } } }), totp] {
        let reply = token(&mock, &body).await;
        assert_eq!((reply.status, reply.at("/error/title")), (400, "Bad Request"), "{body}");
    }
    let body = credentials("account", "user", "password", Value::Null).to_string();
    let plain = http().post(format!("{}/v3/auth/tokens", mock.iam_endpoint())).body(body);
    assert_eq!(Reply::to(plain).await.status, 400);
}

#[tokio::test]
async fn projects_are_found_by_name() {
    let mock = start().await;
    let caller = Huaweicloud { endpoint: mock.iam_endpoint(), ..Huaweicloud::new(&mock) };
    let reply = caller.call(Method::GET, "/v3/projects?name=cn-north-4", "").await;
    assert_eq!(reply.status, 200);
    let projects = reply.json["projects"].as_array().unwrap();
    assert_eq!(projects.len(), 1);
    assert_eq!((&projects[0]["id"], &projects[0]["name"]), (&json!("default-project"), &json!("cn-north-4")));
    assert_eq!((&projects[0]["is_domain"], &projects[0]["enabled"]), (&json!(false), &json!(true)));
    assert_eq!(projects[0]["domain_id"], projects[0]["parent_id"]);
    assert!(reply.at("/links/self").starts_with(mock.iam_endpoint()));

    let count = async |query: &str| {
        let url = format!("{}/v3/projects{query}", mock.iam_endpoint());
        let reply = Reply::to(http().get(url).header("X-Auth-Token", mock.issue_token())).await;
        reply.json["projects"].as_array().map(Vec::len)
    };
    assert_eq!(count("").await, Some(2), "with a token, too");
    assert_eq!(count("?name=nowhere").await, Some(0));
    assert_eq!(count("?enabled=true").await, None, "not modelled");
}

#[tokio::test]
async fn the_project_list_needs_credentials() {
    let mock = start().await;
    let url = format!("{}/v3/projects?name=cn-north-4", mock.iam_endpoint());
    assert_eq!(Reply::to(http().get(&url)).await.outcome(), (401, "APIGW.0301"));
    assert_eq!(Reply::to(http().get(&url).header("X-Auth-Token", "x")).await.outcome(), (401, "APIGW.0307"));
    let mut caller = Huaweicloud { endpoint: mock.iam_endpoint(), ..Huaweicloud::new(&mock) };
    "wrong".clone_into(&mut caller.secret_key);
    let reply = caller.call(Method::GET, "/v3/projects?name=cn-north-4", "").await;
    assert_eq!(reply.outcome(), (401, "APIGW.0301"));
}

#[tokio::test]
async fn other_identity_calls_do_not_exist() {
    let mock = start().await;
    let url = format!("{}/v3.0/OS-CREDENTIAL/credentials", mock.iam_endpoint());
    assert_eq!(Reply::to(http().post(url).body("{}")).await.outcome(), (404, "APIGW.0101"));
}
