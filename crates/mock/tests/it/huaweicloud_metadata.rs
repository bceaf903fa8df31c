//! The metadata of a server, and the service that gives keys to pods.

use std::time::Duration;

use jiff::SignedDuration;
use record_callback_mock::{
    Clock, Fault, FaultKind, MetadataTokens, MockHuaweicloud, MockHuaweicloudBuilder,
};
use reqwest::Method;

use crate::client::{HUAWEICLOUD_TIME, Huaweicloud, Reply, basic, clock, http};

const TTL: &str = "X-Metadata-Token-Ttl-Seconds";
const TOKEN: &str = "X-Metadata-Token";
const SECURITY_KEY: &str = "/openstack/latest/securitykey";

async fn start(builder: MockHuaweicloudBuilder) -> (MockHuaweicloud, Clock) {
    let clock = clock(HUAWEICLOUD_TIME);
    (builder.clock(clock.clone()).start().await.unwrap(), clock)
}

async fn ask(mock: &MockHuaweicloud, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = http().request(method, format!("{}{path}", mock.metadata_endpoint()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::to(request).await
}

async fn token(mock: &MockHuaweicloud, ttl: &str) -> Reply {
    ask(mock, Method::PUT, "/meta-data/latest/api/token", &[(TTL, ttl)]).await
}

async fn security_key(mock: &MockHuaweicloud, headers: &[(&str, &str)]) -> Reply {
    ask(mock, Method::GET, SECURITY_KEY, headers).await
}

async fn pod(mock: &MockHuaweicloud, token: Option<&str>, body: &'static str) -> Reply {
    let mut request = http().post(mock.pod_identity_uri()).body(body);
    if let Some(token) = token {
        request = request.header("Authorization", token);
    }
    Reply::to(request).await
}

/// What Live answers, now, to a call signed with a key.
async fn live(mock: &MockHuaweicloud, [access_key, secret_key, token]: [&str; 3]) -> (u16, String) {
    let caller = Huaweicloud {
        access_key: access_key.to_owned(),
        secret_key: secret_key.to_owned(),
        date: basic(mock.clock().now()),
        headers: vec![("X-Security-Token", token.to_owned())],
        ..Huaweicloud::new(mock)
    };
    let reply = caller.get("").await;
    (reply.status, reply.outcome().1.to_owned())
}

fn key(answer: &Reply) -> [&str; 3] {
    ["/credential/access", "/credential/secret", "/credential/securitytoken"].map(|at| answer.at(at))
}

#[tokio::test]
async fn with_a_token_a_server_has_a_key_that_signs_live_calls() {
    for tokens in [MetadataTokens::Required, MetadataTokens::Optional] {
        let (mock, _) = start(MockHuaweicloud::builder().metadata_tokens(tokens)).await;
        let token = token(&mock, "21600").await;
        assert_eq!((token.status, token.header("content-type")), (200, "text/plain"));
        let answer = security_key(&mock, &[(TOKEN, &token.text)]).await;
        assert_eq!(answer.at("/credential/expires_at"), "2024-01-03T03:04:05.000000Z", "{}", answer.text);
        assert_eq!(live(&mock, key(&answer)).await.0, 200);
        let log = mock.metadata_requests();
        let operations: Vec<_> = log.iter().filter_map(|request| request.operation()).collect();
        assert_eq!(operations, ["CreateMetadataToken", "GetSecurityKey"]);
    }
}

#[tokio::test]
async fn a_token_missing_or_wrong_matters_as_the_server_is_set_up() {
    for (tokens, missing, wrong, asked) in [
        (MetadataTokens::Required, 401, 401, 200),
        (MetadataTokens::Optional, 200, 401, 200),
        (MetadataTokens::Unsupported, 200, 200, 404),
    ] {
        let (mock, _) = start(MockHuaweicloud::builder().metadata_tokens(tokens)).await;
        assert_eq!(security_key(&mock, &[]).await.status, missing, "{tokens:?}");
        let reply = security_key(&mock, &[(TOKEN, "TOPSECRET")]).await;
        assert_eq!(reply.status, wrong, "{tokens:?}");
        assert!(!reply.text.contains("Cloud Service Agency"), "a new token may help");
        assert_eq!(token(&mock, "60").await.status, asked, "{tokens:?}");
        assert!(!format!("{:?}", mock.metadata_requests()).contains("TOPSECRET"));
    }
}

#[tokio::test]
async fn tokens_end_when_they_were_said_to_and_need_a_lifetime_within_its_limits() {
    let (mock, clock) = start(MockHuaweicloud::builder().metadata_tokens(MetadataTokens::Required)).await;
    for (ttl, status) in [("0", 400), ("21601", 400), ("long", 400), ("1", 200)] {
        assert_eq!(token(&mock, ttl).await.status, status, "{ttl}");
    }
    assert_eq!(ask(&mock, Method::PUT, "/meta-data/latest/api/token", &[]).await.status, 400);
    let token = token(&mock, "60").await.text;
    clock.advance(SignedDuration::from_secs(59));
    assert_eq!(security_key(&mock, &[(TOKEN, &token)]).await.status, 200);
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(security_key(&mock, &[(TOKEN, &token)]).await.status, 401);
}

#[tokio::test]
async fn a_server_without_an_agency_says_so() {
    let (mock, _) = start(MockHuaweicloud::builder().without_agency()).await;
    let reply = security_key(&mock, &[]).await;
    assert_eq!(reply.status, 401);
    assert!(reply.text.contains("Please configure Cloud Service Agency first"), "{}", reply.text);
    assert_eq!(pod(&mock, Some(&mock.issue_pod_token()), "{}").await.status, 200, "pods have their own");
}

#[tokio::test]
async fn other_paths_and_methods_are_not_found() {
    let (mock, _) = start(MockHuaweicloud::builder()).await;
    for (method, path) in [
        (Method::GET, "/openstack/latest/meta_data.json"),
        (Method::POST, SECURITY_KEY),
        (Method::GET, "/meta-data/latest/api/token"),
        (Method::GET, "/pod-identity"),
    ] {
        let reply = ask(&mock, method.clone(), path, &[]).await;
        assert_eq!((reply.status, reply.at("/error/title")), (404, "Not Found"), "{method} {path}");
    }
}

#[tokio::test]
async fn the_key_stays_until_half_its_life_is_over_and_ends_for_live_with_its_life() {
    let builder = MockHuaweicloud::builder().session_lifetime(Duration::from_secs(1000));
    let (mock, clock) = start(builder).await;
    let first = security_key(&mock, &[]).await;
    assert_eq!(first.at("/credential/expires_at"), "2024-01-02T03:20:45.000000Z");
    clock.advance(SignedDuration::from_secs(499));
    assert_eq!(security_key(&mock, &[]).await.json, first.json);
    clock.advance(SignedDuration::from_secs(1));
    let second = security_key(&mock, &[]).await;
    assert_ne!(key(&second), key(&first));
    clock.advance(SignedDuration::from_secs(499));
    assert_eq!(live(&mock, key(&first)).await.0, 200, "the old one is good to its end");
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(live(&mock, key(&first)).await, (401, "APIGW.0301".to_owned()));
    assert_eq!(live(&mock, key(&second)).await.0, 200);
}

#[tokio::test]
async fn a_pod_has_a_key_of_its_own_for_its_token() {
    let (mock, _) = start(MockHuaweicloud::builder().metadata_tokens(MetadataTokens::Required)).await;
    let (earlier, later) = (mock.issue_pod_token(), mock.issue_pod_token());
    let answer = pod(&mock, Some(&later), "{}").await;
    let names = ["accessKeyId", "secretAccessKey", "securityToken"];
    let key = names.map(|name| answer.at(&format!("/credentials/{name}")));
    assert_eq!(live(&mock, key).await.0, 200, "{}", answer.text);
    assert_eq!(answer.at("/credentials/expiration"), "2024-01-03T03:04:05.000000Z");
    assert_eq!(pod(&mock, Some(&earlier), "{}").await.json, answer.json);
    for (token, body, status) in [
        (None, "{}", 401),
        (Some("TOPSECRET"), "{}", 401),
        (Some(mock.issue_id_token().as_str()), "{}", 401),
        (Some(&later), "", 400),
        (Some(&later), "[]", 400),
    ] {
        let reply = pod(&mock, token, body).await;
        assert_eq!(reply.status, status, "{body:?}");
        assert!(!reply.text.contains("TOPSECRET"));
    }
}

#[tokio::test]
async fn it_can_fail_and_refuse_connections() {
    let (mock, _) = start(MockHuaweicloud::builder()).await;
    for (kind, status) in [
        (FaultKind::Throttled, 429),
        (FaultKind::Denied, 403),
        (FaultKind::Unavailable, 503),
        (FaultKind::TokenExpired, 401),
    ] {
        mock.metadata_faults().add(Fault::new(kind).operation("GetSecurityKey"));
        assert_eq!(token(&mock, "60").await.status, 200, "the fault is for the other operation");
        assert_eq!(security_key(&mock, &[]).await.status, status);
    }
    mock.refuse_metadata_connections().await.unwrap();
    assert!(http().get(mock.metadata_endpoint()).send().await.unwrap_err().is_connect());
    mock.accept_metadata_connections().await.unwrap();
    assert_eq!(security_key(&mock, &[]).await.status, 200);
    assert_eq!(mock.metadata_connections(), 9);
}
