//! The caller's identity, and what the second account sees of the first.

use record_callback_mock::{
    AliyunConfig, AliyunDialect, CallerIdentity, CallerIdentityPath, ForeignDomain, ForeignProject,
    HuaweicloudConfig, HuaweicloudDialect, MockAliyun, MockAliyunBuilder, MockHuaweicloud,
};
use reqwest::Method;
use serde_json::json;

use crate::client::{ALIYUN_TIME, Aliyun, HUAWEICLOUD_TIME, Huaweicloud, Reply, clock, http};

const VERSION: (&str, &str) = ("Version", "2015-04-01");
const DOMAIN: (&str, &str) = ("DomainName", "live.example.com");

async fn aliyun(builder: MockAliyunBuilder) -> MockAliyun {
    builder.clock(clock(ALIYUN_TIME)).start().await.unwrap()
}

async fn huaweicloud(dialect: HuaweicloudDialect) -> MockHuaweicloud {
    let builder = MockHuaweicloud::builder().clock(clock(HUAWEICLOUD_TIME)).dialect(dialect);
    builder.other_domain("other.example.com").start().await.unwrap()
}

fn other_at_aliyun(mock: &MockAliyun) -> Aliyun<'_> {
    let (id, secret) = (mock.other_access_key_id().to_owned(), mock.other_access_key_secret().to_owned());
    Aliyun { id, secret, ..Aliyun::new(mock) }
}

async fn identity(caller: Aliyun<'_>, mock: &MockAliyun, more: &[(&str, &str)]) -> Reply {
    let caller = Aliyun { endpoint: mock.sts_endpoint(), ..caller };
    caller.rpc("GetCallerIdentity", &[&[VERSION], more].concat()).await
}

#[tokio::test]
async fn users_roles_and_the_account_itself_have_the_samples_forms() {
    let mock = aliyun(MockAliyun::builder().access_key("user", "s").account_access_key("root", "s")).await;
    let account = mock.account_id();
    let of = |id: &str| Aliyun { id: id.to_owned(), secret: "s".to_owned(), ..Aliyun::new(&mock) };
    let user = identity(of("user"), &mock, &[]).await;
    assert_eq!((user.at("/AccountId"), user.at("/IdentityType")), (account, "RAMUser"));
    assert_eq!(user.at("/Arn"), format!("acs:ram::{account}:user/mock-user"));
    assert_eq!(user.at("/PrincipalId"), user.at("/UserId"));
    let root = identity(of("root"), &mock, &[]).await;
    assert_eq!((root.at("/IdentityType"), root.at("/UserId")), ("Account", account));
    let key = mock.issue_temporary_access_key();
    let token = ("SecurityToken", key.security_token.as_str());
    let caller = Aliyun { id: key.id.clone(), secret: key.secret.clone(), ..Aliyun::new(&mock) };
    let role = identity(caller, &mock, &[token]).await;
    assert_eq!((role.at("/AccountId"), role.at("/IdentityType")), (account, "AssumedRoleUser"));
    assert_eq!(role.at("/PrincipalId"), format!("{}:mock-session", role.at("/RoleId")));
    assert!(role.json.get("UserId").is_none());
    let other = identity(other_at_aliyun(&mock), &mock, &[]).await;
    assert_eq!(other.at("/AccountId"), mock.other_account_id());
    let forged = Aliyun { secret: "wrong".to_owned(), ..of("user") };
    assert_eq!(identity(forged, &mock, &[]).await.outcome(), (400, "SignatureDoesNotMatch"));
    assert_eq!(mock.sts_requests()[0].operation(), Some("GetCallerIdentity"));
}

#[tokio::test]
async fn old_and_odd_identities_have_the_account_all_the_same() {
    for (caller_identity, kind, has_role) in [
        (CallerIdentity::RamUser, Some("RamUser"), false),
        (CallerIdentity::UserWithRoleId, Some("RAMUser"), true),
        (CallerIdentity::Bare, None, false),
    ] {
        let dialect = AliyunDialect { caller_identity, ..Default::default() };
        let mock = aliyun(MockAliyun::builder().dialect(dialect)).await;
        let reply = identity(Aliyun::new(&mock), &mock, &[]).await;
        assert_eq!(reply.at("/AccountId"), mock.account_id());
        assert_eq!(reply.json.get("IdentityType").and_then(|kind| kind.as_str()), kind);
        assert_eq!(reply.json.get("RoleId").is_some(), has_role);
        assert_eq!(reply.json.get("PrincipalId").is_some(), kind.is_some());
    }
}

#[tokio::test]
async fn the_other_account_of_aliyun_has_nothing_of_the_first() {
    for (foreign_domain, found) in [
        (ForeignDomain::AsMissing, (404, "InvalidDomain.NotFound")),
        (ForeignDomain::Forbidden, (400, "Forbidden")),
        (ForeignDomain::IllegalOperation, (403, "IllegalOperation")),
    ] {
        let dialect = AliyunDialect { foreign_domain, ..Default::default() };
        let mock = aliyun(MockAliyun::builder().dialect(dialect).other_domain("other.example.com")).await;
        let config = AliyunConfig::new("live.example.com", "https://cb.example.com");
        mock.put_config(config.clone());
        let other = other_at_aliyun(&mock);
        let url = ("NotifyUrl", "https://evil.example.com");
        for (action, more) in [
            ("DescribeLiveRecordNotifyConfig", &[DOMAIN][..]),
            ("AddLiveRecordNotifyConfig", &[DOMAIN, url]),
            ("DeleteLiveRecordNotifyConfig", &[DOMAIN]),
        ] {
            assert_eq!(other.rpc(action, more).await.outcome(), found, "{action}");
        }
        let updated = other.rpc("UpdateLiveRecordNotifyConfig", &[DOMAIN, url]).await;
        let on_update = match foreign_domain {
            ForeignDomain::AsMissing => (400, "InvalidDomain.NotFound"),
            _ => found,
        };
        assert_eq!(updated.outcome(), on_update);
        let listed = other.rpc("DescribeLiveUserDomains", &[]).await;
        assert_eq!(listed.json["TotalCount"], json!(1));
        assert_eq!(mock.configs(), [config]);
        // And the other way round.
        let theirs = [("DomainName", "other.example.com"), url];
        assert_eq!(other.rpc("AddLiveRecordNotifyConfig", &theirs).await.status, 200);
        let ours = Aliyun::new(&mock).rpc("DeleteLiveRecordNotifyConfig", &theirs[..1]).await;
        assert_eq!(ours.outcome(), found);
        assert_eq!((mock.configs().len(), mock.other_configs().len()), (1, 1));
    }
}

fn other_at_huaweicloud(mock: &MockHuaweicloud) -> Huaweicloud<'_> {
    let (access_key, secret_key) = (mock.other_access_key().to_owned(), mock.other_secret_key().to_owned());
    Huaweicloud { access_key, secret_key, ..Huaweicloud::new(mock) }
}

async fn at_iam(caller: Huaweicloud<'_>, mock: &MockHuaweicloud, target: &str) -> Reply {
    Huaweicloud { endpoint: mock.iam_endpoint(), ..caller }.call(Method::GET, target, "").await
}

#[tokio::test]
async fn sts_and_iam_of_huawei_cloud_tell_the_account() {
    let mock = huaweicloud(HuaweicloudDialect::default()).await;
    for (is_other, account) in [(false, mock.account_id()), (true, mock.other_account_id())] {
        let caller = || if is_other { other_at_huaweicloud(&mock) } else { Huaweicloud::new(&mock) };
        let identity = at_iam(caller(), &mock, "/v5/caller-identity").await;
        assert_eq!(identity.at("/account_id"), account);
        assert_eq!(identity.at("/principal_urn"), format!("iam::{account}:user:mock-user"));
        assert_eq!(at_iam(caller(), &mock, "/v3/auth/domains").await.at("/domains/0/id"), account);
        assert_eq!(at_iam(caller(), &mock, "/v3/projects").await.at("/projects/0/domain_id"), account);
    }
    let key = mock.issue_temporary_access_key();
    let session = Huaweicloud {
        access_key: key.id.clone(),
        secret_key: key.secret.clone(),
        headers: vec![("X-Security-Token", key.security_token.clone())],
        ..Huaweicloud::new(&mock)
    };
    let identity = at_iam(session, &mock, "/v5/caller-identity").await;
    assert!(
        identity.at("/principal_urn").starts_with(&format!("sts::{}:assumed-agency:", mock.account_id()))
    );
    let missing = HuaweicloudDialect {
        caller_identity_path: CallerIdentityPath::Missing,
        ..HuaweicloudDialect::default()
    };
    let mock = huaweicloud(missing).await;
    let reply = at_iam(Huaweicloud::new(&mock), &mock, "/v5/caller-identity").await;
    assert_eq!(reply.outcome(), (404, "APIGW.0101"));
}

#[tokio::test]
async fn a_token_may_validate_itself_and_no_other() {
    let mock = huaweicloud(HuaweicloudDialect::default()).await;
    let validate = async |asks: &str, subject: &str| {
        let request = http().get(format!("{}/v3/auth/tokens", mock.iam_endpoint()));
        Reply::to(request.header("X-Auth-Token", asks).header("X-Subject-Token", subject)).await
    };
    for (token, account) in
        [(mock.issue_token(), mock.account_id()), (mock.issue_other_token(), mock.other_account_id())]
    {
        let reply = validate(&token, &token).await;
        assert_eq!(reply.at("/token/project/domain/id"), account);
        assert_eq!(reply.at("/token/user/domain/id"), account);
        assert_eq!(reply.header("x-subject-token"), token);
    }
    assert_eq!(validate(&mock.issue_token(), &mock.issue_token()).await.status, 403);
    assert_eq!(validate("t", "t").await.status, 401);
}

#[tokio::test]
async fn the_other_account_of_huawei_cloud_has_nothing_of_the_first() {
    for (foreign_project, found) in [
        (ForeignProject::NotVerified, (401, "LIVE.100011015")),
        (ForeignProject::Unavailable, (403, "APIGW.0310")),
        (ForeignProject::NotAuthenticated, (401, "APIGW.0301")),
    ] {
        let mock = huaweicloud(HuaweicloudDialect { foreign_project, ..Default::default() }).await;
        mock.put_config(HuaweicloudConfig::new("push.example.com", "*"));
        let other = other_at_huaweicloud(&mock);
        let body = json!({ "publish_domain": "push.example.com", "app": "live" });
        assert_eq!(other.get("").await.outcome(), found);
        assert_eq!(other.create(&body).await.outcome(), found);
        let own = format!("/v1/{}/record/callbacks", mock.other_project_id());
        let listed = other.call(Method::GET, &own, "").await;
        assert_eq!((listed.status, &listed.json["total"]), (200, &json!(0)));
        let foreign = other.call(Method::POST, &own, &body.to_string()).await;
        assert_eq!(foreign.outcome(), (400, "LIVE.103011019"));
        let body = json!({ "publish_domain": "other.example.com", "app": "live" });
        assert_eq!(other.call(Method::POST, &own, &body.to_string()).await.status, 201);
        assert_eq!(Huaweicloud::new(&mock).call(Method::GET, &own, "").await.outcome(), found);
        assert_eq!((mock.configs().len(), mock.configs_of(mock.other_project_id()).len()), (1, 1));
    }
}
