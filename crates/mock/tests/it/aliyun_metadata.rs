//! The metadata of an instance, and the URI that gives out keys.

use std::time::Duration;

use jiff::SignedDuration;
use record_callback_mock::{Clock, Imds, MockAliyun, MockAliyunBuilder};
use reqwest::Method;

use crate::client::{ALIYUN_TIME, Aliyun, Reply, clock, http};

const ROLES: &str = "/latest/meta-data/ram/security-credentials/";
const TTL: &str = "X-aliyun-ecs-metadata-token-ttl-seconds";
const TOKEN: &str = "X-aliyun-ecs-metadata-token";

async fn start(builder: MockAliyunBuilder) -> (MockAliyun, Clock) {
    let clock = clock(ALIYUN_TIME);
    (builder.clock(clock.clone()).start().await.unwrap(), clock)
}

async fn ask(mock: &MockAliyun, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = http().request(method, format!("{}{path}", mock.metadata_endpoint()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::to(request).await
}

async fn token(mock: &MockAliyun, ttl: &str) -> String {
    let reply = ask(mock, Method::PUT, "/latest/api/token", &[(TTL, ttl)]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.text
}

async fn credentials(mock: &MockAliyun, headers: &[(&str, &str)]) -> Reply {
    ask(mock, Method::GET, &format!("{ROLES}{}", mock.ecs_role()), headers).await
}

/// What Live answers, now, to a call signed with the key of an answer.
async fn live(mock: &MockAliyun, answer: &Reply) -> (u16, String) {
    let caller = Aliyun {
        id: answer.at("/AccessKeyId").to_owned(),
        secret: answer.at("/AccessKeySecret").to_owned(),
        time: mock.clock().now().to_string(),
        ..Aliyun::new(mock)
    };
    let token = ("SecurityToken", answer.at("/SecurityToken"));
    let reply = caller.rpc("DescribeLiveUserDomains", &[token]).await;
    (reply.status, reply.outcome().1.to_owned())
}

#[tokio::test]
async fn with_a_token_an_instance_tells_its_role_and_a_key_that_signs_live_calls() {
    for imds in [Imds::V1AndV2, Imds::V2Only] {
        let (mock, _) = start(MockAliyun::builder().imds(imds)).await;
        let token = token(&mock, "21600").await;
        let headers = [(TOKEN, token.as_str())];
        for path in [ROLES, ROLES.trim_end_matches('/')] {
            assert_eq!(ask(&mock, Method::GET, path, &headers).await.text, mock.ecs_role());
        }
        let answer = credentials(&mock, &headers).await;
        assert_eq!((answer.status, answer.at("/Code")), (200, "Success"));
        assert!(answer.at("/AccessKeyId").starts_with("STS."));
        assert_eq!(answer.at("/Expiration"), "2026-01-02T09:04:05Z", "six hours");
        assert_eq!(live(&mock, &answer).await.0, 200);
        let operations = ["CreateMetadataToken", "GetMetadataRole", "GetMetadataRole"];
        let log = mock.metadata_requests();
        let asked: Vec<_> = log.iter().filter_map(|request| request.operation()).collect();
        assert_eq!(asked, [&operations[..], &["GetMetadataRoleCredentials"]].concat());
    }
}

#[tokio::test]
async fn without_a_token_only_the_first_version_answers() {
    for (imds, status) in [(Imds::V1AndV2, 200), (Imds::V1Only, 200), (Imds::V2Only, 403)] {
        let (mock, _) = start(MockAliyun::builder().imds(imds)).await;
        assert_eq!(ask(&mock, Method::GET, ROLES, &[]).await.status, status, "{imds:?}");
        assert_eq!(credentials(&mock, &[]).await.status, status, "{imds:?}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused_but_where_there_are_none() {
    for (imds, status) in [(Imds::V1AndV2, 401), (Imds::V2Only, 401), (Imds::V1Only, 200)] {
        let (mock, _) = start(MockAliyun::builder().imds(imds)).await;
        assert_eq!(credentials(&mock, &[(TOKEN, "TOPSECRET")]).await.status, status, "{imds:?}");
        assert!(!format!("{:?}", mock.metadata_requests()).contains("TOPSECRET"));
    }
}

#[tokio::test]
async fn tokens_end_when_they_were_said_to() {
    let (mock, clock) = start(MockAliyun::builder().imds(Imds::V2Only)).await;
    let token = token(&mock, "60").await;
    clock.advance(SignedDuration::from_secs(59));
    assert_eq!(credentials(&mock, &[(TOKEN, &token)]).await.status, 200);
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(credentials(&mock, &[(TOKEN, &token)]).await.status, 401);
}

#[tokio::test]
async fn a_token_needs_a_lifetime_within_its_limits_and_no_proxy() {
    let (mock, _) = start(MockAliyun::builder()).await;
    for (headers, status) in [
        (&[][..], 400),
        (&[(TTL, "0")], 400),
        (&[(TTL, "21601")], 400),
        (&[(TTL, "long")], 400),
        (&[(TTL, "1")], 200),
        (&[(TTL, "21600"), ("X-Forwarded-For", "10.0.0.1")], 403),
    ] {
        let reply = ask(&mock, Method::PUT, "/latest/api/token", headers).await;
        assert_eq!(reply.status, status, "{headers:?}");
    }
    assert_eq!(ask(&mock, Method::GET, "/latest/api/token", &[(TTL, "60")]).await.status, 405);
    let (mock, _) = start(MockAliyun::builder().imds(Imds::V1Only)).await;
    assert_eq!(ask(&mock, Method::PUT, "/latest/api/token", &[(TTL, "60")]).await.status, 404);
}

#[tokio::test]
async fn an_instance_without_a_role_and_other_paths_are_not_found() {
    let (mock, _) = start(MockAliyun::builder()).await;
    for path in [&format!("{ROLES}other"), "/latest/meta-data/instance-id", "/latest/meta-data/", "/"] {
        let reply = ask(&mock, Method::GET, path, &[]).await;
        assert_eq!((reply.status, reply.header("content-type")), (404, "text/html"), "{path}");
    }
    assert_eq!(ask(&mock, Method::POST, ROLES, &[]).await.status, 405);
    let (mock, _) = start(MockAliyun::builder().without_ecs_role()).await;
    assert_eq!(ask(&mock, Method::GET, ROLES, &[]).await.status, 404);
    assert_eq!(credentials(&mock, &[]).await.status, 404);
    assert_eq!(token(&mock, "60").await.len(), 32, "a token proves nothing about the role");
}

#[tokio::test]
async fn the_key_stays_until_half_its_life_is_over_and_ends_for_live_with_its_life() {
    let builder = MockAliyun::builder().session_lifetime(Duration::from_secs(1000));
    let (mock, clock) = start(builder).await;
    let first = credentials(&mock, &[]).await;
    assert_eq!(first.at("/Expiration"), "2026-01-02T03:20:45Z");
    clock.advance(SignedDuration::from_secs(499));
    assert_eq!(credentials(&mock, &[]).await.json, first.json);
    clock.advance(SignedDuration::from_secs(1));
    let second = credentials(&mock, &[]).await;
    assert_ne!(second.at("/AccessKeyId"), first.at("/AccessKeyId"));
    assert_eq!(second.at("/Expiration"), "2026-01-02T03:29:05Z");
    clock.advance(SignedDuration::from_secs(499));
    assert_eq!(live(&mock, &first).await.0, 200, "the old one is good to its end");
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(live(&mock, &first).await, (400, "InvalidSecurityToken.Expired".to_owned()));
    assert_eq!(live(&mock, &second).await.0, 200);
}

#[tokio::test]
async fn the_uri_gives_a_key_of_its_own_to_whoever_asks() {
    let (mock, _) = start(MockAliyun::builder().imds(Imds::V2Only).without_ecs_role()).await;
    let answer = Reply::to(http().get(mock.credentials_uri())).await;
    assert_eq!((answer.status, answer.at("/Code")), (200, "Success"));
    assert_eq!(answer.json.as_object().unwrap().len(), 5);
    assert_eq!(answer.at("/Expiration"), "2026-01-02T09:04:05Z");
    assert_eq!(live(&mock, &answer).await.0, 200);
    assert_eq!(Reply::to(http().post(mock.credentials_uri())).await.status, 405);
    let (mock, _) = start(MockAliyun::builder()).await;
    let answer = Reply::to(http().get(mock.credentials_uri())).await;
    assert_ne!(answer.at("/AccessKeyId"), credentials(&mock, &[]).await.at("/AccessKeyId"));
}

#[tokio::test]
async fn connections_can_be_refused_as_where_there_is_no_metadata_service() {
    let (mock, _) = start(MockAliyun::builder()).await;
    mock.refuse_metadata_connections().await.unwrap();
    assert!(http().get(mock.credentials_uri()).send().await.unwrap_err().is_connect());
    mock.accept_metadata_connections().await.unwrap();
    assert_eq!(credentials(&mock, &[]).await.status, 200);
    assert_eq!((mock.metadata_connections(), mock.metadata_requests().len()), (1, 1));
}
