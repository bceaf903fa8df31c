//! STS: temporary keys for a role.

use jiff::SignedDuration;
use record_callback_mock::{Fault, FaultKind, MockAliyun, MockAliyunBuilder};
use serde_json::Value;

use crate::client::{ALIYUN_TIME, Aliyun, Reply, clock, encode, http};

const VERSION: (&str, &str) = ("Version", "2015-04-01");
const SESSION: (&str, &str) = ("RoleSessionName", "session@mock-1.test_");

async fn start(builder: MockAliyunBuilder) -> MockAliyun {
    builder.clock(clock(ALIYUN_TIME)).start().await.unwrap()
}

fn at_sts(mock: &MockAliyun) -> Aliyun<'_> {
    Aliyun { endpoint: mock.sts_endpoint(), ..Aliyun::new(mock) }
}

/// The common parameters of `AssumeRole`, with others added or put in their place.
async fn assume(caller: &Aliyun<'_>, role: &str, more: &[(&str, &str)]) -> Reply {
    let mut parameters = vec![VERSION, ("RoleArn", role), SESSION];
    parameters.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    caller.rpc("AssumeRole", &[&parameters, more].concat()).await
}

async fn assume_with_oidc(mock: &MockAliyun, more: &[(&str, &str)]) -> Reply {
    let token = mock.issue_oidc_token();
    let given = [
        ("Action", "AssumeRoleWithOIDC"),
        VERSION,
        ("Format", "JSON"),
        ("RoleArn", mock.role_arn()),
        ("OIDCProviderArn", mock.oidc_provider_arn()),
        ("OIDCToken", &token),
        SESSION,
    ];
    let replaced = |name: &str| more.iter().any(|(other, _)| *other == name);
    let pairs = given.iter().filter(|(name, _)| !replaced(name)).chain(more);
    let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let request = http()
        .post(mock.sts_endpoint())
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(pairs.join("&"));
    Reply::to(request).await
}

/// What Live answers to a call signed with the key of an answer.
async fn live(mock: &MockAliyun, answer: &Reply, time: &str) -> (u16, String) {
    let at = |name: &str| answer.at(&format!("/Credentials/{name}")).to_owned();
    let caller = Aliyun {
        id: at("AccessKeyId"),
        secret: at("AccessKeySecret"),
        time: time.to_owned(),
        ..Aliyun::new(mock)
    };
    let token = at("SecurityToken");
    let reply = caller.rpc("DescribeLiveUserDomains", &[("SecurityToken", &token)]).await;
    (reply.status, reply.outcome().1.to_owned())
}

#[tokio::test]
async fn a_key_of_the_account_assumes_the_role_and_what_it_gets_signs_live_calls() {
    let mock = start(MockAliyun::builder()).await;
    let reply = assume(&at_sts(&mock), mock.role_arn(), &[("DurationSeconds", "900")]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(reply.at("/Credentials/AccessKeyId").starts_with("STS."));
    assert_eq!(reply.at("/Credentials/Expiration"), "2026-01-02T03:19:05Z");
    assert!(reply.at("/AssumedRoleUser/Arn").ends_with(":assumed-role/mock-role/session@mock-1.test_"));
    assert!(reply.at("/AssumedRoleUser/AssumedRoleId").ends_with(":session@mock-1.test_"));
    assert_eq!(reply.header("x-acs-request-id"), reply.at("/RequestId"));
    assert_eq!(live(&mock, &reply, ALIYUN_TIME).await, (200, String::new()));
    assert_eq!((mock.requests().len(), mock.sts_requests().len(), mock.sts_connections()), (1, 1, 1));
    assert_eq!(mock.sts_requests()[0].operation(), Some("AssumeRole"));
}

#[tokio::test]
async fn without_a_duration_a_key_lasts_an_hour_and_then_live_and_sts_refuse_it() {
    let clock = clock(ALIYUN_TIME);
    let mock = MockAliyun::builder().clock(clock.clone()).start().await.unwrap();
    let answer = assume(&at_sts(&mock), mock.role_arn(), &[]).await;
    assert_eq!(answer.at("/Credentials/Expiration"), "2026-01-02T04:04:05Z");
    clock.advance(SignedDuration::from_secs(3599));
    assert_eq!(live(&mock, &answer, "2026-01-02T04:04:04Z").await.0, 200);
    clock.advance(SignedDuration::from_secs(1));
    let over = (400, "InvalidSecurityToken.Expired");
    let (status, code) = live(&mock, &answer, "2026-01-02T04:04:05Z").await;
    assert_eq!((status, code.as_str()), over);
    let caller = Aliyun {
        id: answer.at("/Credentials/AccessKeyId").to_owned(),
        secret: answer.at("/Credentials/AccessKeySecret").to_owned(),
        time: "2026-01-02T04:04:05Z".to_owned(),
        ..at_sts(&mock)
    };
    let token = ("SecurityToken", answer.at("/Credentials/SecurityToken"));
    assert_eq!(assume(&caller, mock.role_arn(), &[token]).await.outcome(), over);
}

#[tokio::test]
async fn a_temporary_key_can_assume_the_role_in_its_turn() {
    let mock = start(MockAliyun::builder()).await;
    let key = mock.issue_temporary_access_key();
    let caller = Aliyun { id: key.id, secret: key.secret, ..at_sts(&mock) };
    let reply = assume(&caller, mock.role_arn(), &[("SecurityToken", &key.security_token)]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(assume(&caller, mock.role_arn(), &[]).await.outcome(), (400, "MissingSecurityToken"));
}

#[tokio::test]
async fn an_acs3_call_assumes_the_role_as_well() {
    let mock = start(MockAliyun::builder()).await;
    let parameters = [("RoleArn", mock.role_arn()), SESSION];
    let headers = [("x-acs-version", "2015-04-01")];
    let reply = at_sts(&mock).acs3("AssumeRole", &parameters, &headers, &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

#[tokio::test]
async fn answers_are_xml_unless_json_is_asked_for() {
    let mock = start(MockAliyun::builder()).await;
    let reply = assume(&at_sts(&mock), mock.role_arn(), &[("Format", "")]).await;
    assert_eq!(reply.status, 200);
    let parts = ["<AssumeRoleResponse>", "<Credentials><AccessKeyId>STS.", "</Expiration>"];
    assert!(parts.iter().all(|part| reply.text.contains(part)), "{}", reply.text);
    let reply = assume(&at_sts(&mock), "nonsense", &[("Format", "XML")]).await;
    assert!(reply.text.contains("<Code>InvalidParameter.RoleArn</Code>"), "{}", reply.text);
}

#[tokio::test]
async fn what_assume_role_does_not_take_is_refused_by_name() {
    let mock = start(MockAliyun::builder()).await;
    let other = mock.role_arn().replace("mock-role", "other");
    let bad = |name: &'static str| (400, format!("InvalidParameter.{name}"));
    let missing = |name: &'static str| (400, format!("Missing{name}"));
    let long = "x".repeat(65);
    for (parameter, value, expected) in [
        ("RoleArn", "", missing("RoleArn")),
        ("RoleArn", "mock-role", bad("RoleArn")),
        ("RoleArn", &other, (404, "EntityNotExist.Role".to_owned())),
        ("RoleSessionName", "", missing("RoleSessionName")),
        ("RoleSessionName", "x", bad("RoleSessionName")),
        ("RoleSessionName", "a b", bad("RoleSessionName")),
        ("RoleSessionName", &long, bad("RoleSessionName")),
        ("DurationSeconds", "899", bad("DurationSeconds")),
        ("DurationSeconds", "43201", bad("DurationSeconds")),
        ("DurationSeconds", "soon", bad("DurationSeconds")),
        ("Policy", "{", bad("PolicyGrammar")),
        ("Version", "2016-11-01", (400, "InvalidVersion".to_owned())),
        ("Version", "", missing("Version")),
    ] {
        let reply = assume(&at_sts(&mock), mock.role_arn(), &[(parameter, value)]).await;
        let (status, code) = reply.outcome();
        assert_eq!((status, code.to_owned()), expected, "{parameter}={value}");
        assert_eq!(reply.json.get("Credentials"), None);
    }
    for (parameter, value) in [("DurationSeconds", "43200"), ("Policy", "{}"), ("ExternalId", "any")] {
        let reply = assume(&at_sts(&mock), mock.role_arn(), &[(parameter, value)]).await;
        assert_eq!(reply.status, 200, "{parameter}={value}: {}", reply.text);
    }
}

#[tokio::test]
async fn assume_role_is_for_who_signs_with_a_key_of_the_account() {
    let mock = start(MockAliyun::builder()).await;
    let mut caller = at_sts(&mock);
    "wrong".clone_into(&mut caller.secret);
    assert_eq!(assume(&caller, mock.role_arn(), &[]).await.outcome(), (400, "SignatureDoesNotMatch"));
    "nobody".clone_into(&mut caller.id);
    assert_eq!(assume(&caller, mock.role_arn(), &[]).await.outcome(), (404, "InvalidAccessKeyId.NotFound"));
    let caller = Aliyun { time: "2026-01-02T02:04:05Z".to_owned(), ..at_sts(&mock) };
    assert_eq!(assume(&caller, mock.role_arn(), &[]).await.outcome(), (400, "InvalidTimeStamp.Expired"));
    let caller = Aliyun { nonce: Some("twice"), ..at_sts(&mock) };
    assert_eq!(assume(&caller, mock.role_arn(), &[]).await.status, 200);
    assert_eq!(assume(&caller, mock.role_arn(), &[]).await.outcome(), (400, "SignatureNonceUsed"));
}

#[tokio::test]
async fn only_known_actions_exist_and_live_has_none_of_them() {
    let mock = start(MockAliyun::builder()).await;
    let unknown = (404, "InvalidAction.NotFound");
    assert_eq!(at_sts(&mock).rpc("GetSessionAccessKey", &[VERSION]).await.outcome(), unknown);
    let live = [("RoleArn", mock.role_arn()), SESSION];
    assert_eq!(Aliyun::new(&mock).rpc("AssumeRole", &live).await.outcome(), unknown);
    let url = at_sts(&mock).rpc_url("AssumeRole", &[VERSION]);
    assert_eq!(Reply::to(http().put(url)).await.outcome(), unknown);
}

#[tokio::test]
async fn an_external_id_has_to_be_given_where_the_role_asks_for_one() {
    let mock = start(MockAliyun::builder().external_id("outside")).await;
    for (more, status) in
        [(&[("ExternalId", "outside")][..], 200), (&[("ExternalId", "other")], 403), (&[], 403)]
    {
        let reply = assume(&at_sts(&mock), mock.role_arn(), more).await;
        let code = if status == 200 { "" } else { "NoPermission" };
        assert_eq!(reply.outcome(), (status, code));
    }
    assert_eq!(assume_with_oidc(&mock, &[]).await.status, 200, "there it is no parameter");
}

#[tokio::test]
async fn a_token_of_the_provider_assumes_the_role_without_a_signature() {
    let mock = start(MockAliyun::builder()).await;
    let earlier = mock.issue_oidc_token();
    let reply = assume_with_oidc(&mock, &[("DurationSeconds", "1000")]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.at("/Credentials/Expiration"), "2026-01-02T03:20:45Z");
    assert_ne!(reply.at("/OIDCTokenInfo/Subject"), "");
    assert_eq!(live(&mock, &reply, ALIYUN_TIME).await.0, 200);
    assert_eq!(assume_with_oidc(&mock, &[("OIDCToken", &earlier)]).await.status, 200);
}

#[tokio::test]
async fn what_assume_role_with_oidc_does_not_take_is_refused_by_name() {
    let mock = start(MockAliyun::builder()).await;
    let other_role = mock.role_arn().replace("mock-role", "other");
    let invalid = (400, "AuthenticationFail.OIDCToken.Invalid");
    for (parameter, value, expected) in [
        ("OIDCToken", "", (400, "MissingOIDCToken")),
        ("OIDCToken", "TOPSECRET", invalid),
        ("OIDCProviderArn", "", (400, "MissingOIDCProviderArn")),
        ("OIDCProviderArn", "acs:ram::1:oidc-provider/p", (404, "EntityNotExist.OIDCProvider")),
        ("RoleArn", &other_role, (404, "EntityNotExist.Role")),
        ("RoleSessionName", "", (400, "MissingRoleSessionName")),
        ("DurationSeconds", "1", (400, "InvalidParameter.DurationSeconds")),
    ] {
        let reply = assume_with_oidc(&mock, &[(parameter, value)]).await;
        assert_eq!(reply.outcome(), expected, "{parameter}={value}");
        assert!(!reply.text.contains("TOPSECRET"));
    }
    // A token of one mock is nothing to another.
    let other = start(MockAliyun::builder()).await;
    let foreign = other.issue_oidc_token();
    assert_eq!(assume_with_oidc(&mock, &[("OIDCToken", &foreign)]).await.outcome(), invalid);
}

#[tokio::test]
async fn scripted_refusals_are_in_the_words_of_sts() {
    let mock = start(MockAliyun::builder()).await;
    for (kind, expected) in [
        (FaultKind::Throttled, (400, "Throttling.User")),
        (FaultKind::Denied, (403, "NoPermission")),
        (FaultKind::Unavailable, (503, "ServiceUnavailable")),
        (FaultKind::TokenExpired, (400, "InvalidSecurityToken.Expired")),
    ] {
        mock.sts_faults().add(Fault::new(kind).operation("AssumeRole"));
        assert_eq!(assume_with_oidc(&mock, &[]).await.status, 200, "the fault is for the other action");
        let reply = assume(&at_sts(&mock), mock.role_arn(), &[]).await;
        assert_eq!(reply.outcome(), expected);
        let link = reply.json.get("Recommend").and_then(Value::as_str);
        assert!(link.is_none_or(|link| link.contains("product=Sts")), "{link:?}");
    }
}
