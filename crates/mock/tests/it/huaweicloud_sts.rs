//! STS: an agency assumed with a token of an identity provider.

use jiff::SignedDuration;
use record_callback_mock::{Clock, Fault, FaultKind, MockHuaweicloud};
use serde_json::{Value, json};

use crate::client::{HUAWEICLOUD_TIME, Huaweicloud, Reply, basic, clock, http};

async fn start() -> (MockHuaweicloud, Clock) {
    let clock = clock(HUAWEICLOUD_TIME);
    (MockHuaweicloud::builder().clock(clock.clone()).start().await.unwrap(), clock)
}

/// What a good request says, with one field put in the place of its own, or taken away by `null`.
async fn assume(mock: &MockHuaweicloud, name: &str, value: Value) -> Reply {
    let mut body = json!({
        "provider_urn": mock.oidc_provider_urn(),
        "agency_urn": mock.agency_urn(),
        "agency_session_name": "session",
        "id_token": mock.issue_id_token(),
    });
    body[name] = value;
    let request = http()
        .post(format!("{}/v5/agencies/assume-with-oidc", mock.sts_endpoint()))
        .header("Content-Type", "application/json;charset=UTF-8")
        .body(body.to_string());
    Reply::to(request).await
}

/// What Live answers, now, to a call signed with the key of an answer.
async fn live(mock: &MockHuaweicloud, answer: &Reply) -> Reply {
    let at = |name: &str| answer.at(&format!("/credentials/{name}")).to_owned();
    let caller = Huaweicloud {
        access_key: at("access_key_id"),
        secret_key: at("secret_access_key"),
        date: basic(mock.clock().now()),
        headers: vec![("X-Security-Token", at("security_token"))],
        ..Huaweicloud::new(mock)
    };
    caller.get("").await
}

#[tokio::test]
async fn an_id_token_assumes_the_agency_and_what_it_gets_signs_live_calls_until_it_is_over() {
    let (mock, clock) = start().await;
    let answer = assume(&mock, "policy", json!("{}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.at("/credentials/expiration"), "2024-01-02T04:04:05.000Z");
    assert!(answer.at("/assumed_agency/urn").ends_with(":assumed-agency:mock-agency/session"));
    assert_eq!(mock.iam_requests()[0].operation(), Some("AssumeAgencyWithOIDC"));
    clock.advance(SignedDuration::from_secs(3599));
    assert_eq!(live(&mock, &answer).await.status, 200);
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(live(&mock, &answer).await.outcome(), (401, "APIGW.0301"));
}

#[tokio::test]
async fn what_sts_does_not_take_is_refused() {
    let (mock, _) = start().await;
    for (name, value, status, problem) in [
        ("provider_urn", json!("iam::0:oidcProvider:other"), 404, "the provider does not exist"),
        ("agency_urn", json!("iam::0:agency:other"), 404, "the agency does not exist"),
        ("id_token", json!("TOPSECRET"), 401, "the id token is invalid"),
        ("id_token", Value::Null, 400, "the body is not understood"),
        ("agency_session_name", json!("x"), 400, "agency_session_name"),
        ("duration_seconds", json!(899), 400, "duration_seconds is not 900 to 43200"),
        ("duration_seconds", json!(43201), 400, "duration_seconds is not 900 to 43200"),
        ("policy", json!("{"), 400, "policy is not a JSON object"),
        ("policy_ids", json!("one"), 400, "the body is not understood"),
    ] {
        let reply = assume(&mock, name, value.clone()).await;
        assert_eq!(reply.status, status, "{name}={value}");
        assert!(reply.at("/error_msg").contains(problem), "{}", reply.text);
        assert!(!reply.text.contains("TOPSECRET") && reply.outcome().1.starts_with("STS5."));
    }
    let url = format!("{}/v5/agencies/assume-with-oidc", mock.sts_endpoint());
    assert_eq!(Reply::to(http().post(&url).body("{}")).await.status, 400, "no media type");
    assert_eq!(Reply::to(http().get(url)).await.outcome(), (404, "APIGW.0101"));
    for (name, value) in [("duration_seconds", json!(43200)), ("policy_ids", json!(["one"]))] {
        assert_eq!(assume(&mock, name, value).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn faults_of_iam_are_those_of_sts() {
    let (mock, _) = start().await;
    mock.iam_faults().add(Fault::new(FaultKind::Unavailable).operation("AssumeAgencyWithOIDC"));
    assert_eq!(assume(&mock, "policy", Value::Null).await.status, 503);
    assert_eq!(assume(&mock, "policy", Value::Null).await.status, 200);
}
