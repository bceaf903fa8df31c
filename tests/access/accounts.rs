//! Whose account the keys are of, from every source of keys, under every reading of the vendors' pages.

use std::sync::Arc;

use record_callback::aliyun::{self, AliyunClient};
use record_callback::http::{
    AccessKey, CredentialProvider, FixedEnv, RetryPolicy, SourceContext, StaticCredentials,
};
use record_callback::huaweicloud::{HuaweicloudClient, HuaweicloudClientBuilder, Login};
use record_callback::{ErrorKind, Result};
use record_callback_mock::{
    AliyunDialect, AuthDomains, CallerIdentity, CallerIdentityPath, Dialect, Fault, FaultKind,
    HuaweicloudDialect, MockAliyun, MockHuaweicloud,
};

const STS: &str = "RECORD_CALLBACK_ALIYUN_STS_ENDPOINT";
const ROLE: &str = "acs:ram::1:role/r";

fn identities(mock: &MockAliyun) -> usize {
    mock.sts_requests().iter().filter(|one| one.operation() == Some("GetCallerIdentity")).count()
}

fn at_aliyun(mock: &MockAliyun, key: impl CredentialProvider) -> AliyunClient {
    let env = FixedEnv::from_iter([(STS, mock.sts_endpoint())]);
    let client = AliyunClient::builder().endpoint(mock.endpoint()).env(env).credentials(key);
    client.retry(RetryPolicy::none()).build().unwrap()
}

fn key(id: &str, secret: &str) -> StaticCredentials {
    StaticCredentials::new(AccessKey::new(id, secret))
}

fn first(mock: &MockAliyun) -> StaticCredentials {
    key(mock.access_key_id(), mock.access_key_secret())
}

#[tokio::test]
async fn aliyun_tells_the_account_of_every_kind_of_key() {
    let mock = MockAliyun::builder().access_key("user", "s").account_access_key("root", "s");
    let mock = mock.start().await.unwrap();
    let role = mock.issue_temporary_access_key();
    let role = AccessKey::new(&role.id, &role.secret).with_security_token(&role.security_token);
    let other = key(mock.other_access_key_id(), mock.other_access_key_secret());
    for (key, account) in [
        (key("user", "s"), mock.account_id()),
        (key("root", "s"), mock.account_id()),
        (StaticCredentials::new(role), mock.account_id()),
        (other, mock.other_account_id()),
    ] {
        assert_eq!(at_aliyun(&mock, key).account().await.unwrap().as_str(), account);
    }
    assert_ne!(mock.account_id(), mock.other_account_id());
    assert!(mock.requests().is_empty(), "Live is not asked");
}

#[tokio::test]
async fn aliyun_tells_the_account_in_every_dialect() {
    let mut dialects = AliyunDialect::one_by_one();
    dialects.push(("defaults".into(), AliyunDialect::default()));
    for (name, dialect) in dialects {
        let mock = MockAliyun::builder().dialect(dialect).start().await.unwrap();
        let account = at_aliyun(&mock, first(&mock)).account().await;
        assert_eq!(account.unwrap().as_str(), mock.account_id(), "{name}");
    }
}

#[tokio::test]
async fn aliyun_is_asked_by_roles_of_every_source() {
    let mock = MockAliyun::builder().start().await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), mock.issue_oidc_token()).unwrap();
    let file = file.path().to_str().unwrap();
    let uri = mock.credentials_uri();
    let variables = [
        vec![
            ("ALIBABA_CLOUD_ROLE_ARN", mock.role_arn()),
            ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", mock.oidc_provider_arn()),
            ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", file),
        ],
        vec![("ALIBABA_CLOUD_CREDENTIALS_URI", &uri), ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")],
        vec![("RECORD_CALLBACK_ALIYUN_METADATA_ENDPOINT", mock.metadata_endpoint())],
    ];
    for mut variables in variables {
        variables.push((STS, mock.sts_endpoint()));
        let env = Arc::new(variables.iter().copied().collect::<FixedEnv>());
        let context = SourceContext { env, ..SourceContext::default() };
        let client = at_aliyun(&mock, aliyun::default_chain(&context));
        assert_eq!(client.account().await.unwrap().as_str(), mock.account_id(), "{variables:?}");
    }
}

#[tokio::test]
async fn one_answer_does_for_one_identity() {
    let mock = MockAliyun::builder().start().await.unwrap();
    let client = at_aliyun(&mock, first(&mock));
    let clone = client.clone();
    let (one, two) = tokio::join!(client.account(), clone.account());
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(identities(&mock), 1);

    let rotated = Rotating::default();
    let client = at_aliyun(&mock, rotated.clone());
    rotated.put(mock.access_key_id(), mock.access_key_secret());
    assert_eq!(client.account().await.unwrap().as_str(), mock.account_id());
    rotated.put(mock.other_access_key_id(), mock.other_access_key_secret());
    assert_eq!(client.account().await.unwrap().as_str(), mock.other_account_id());
}

/// A file whose key is exchanged.
#[derive(Debug, Clone, Default)]
struct Rotating(Arc<std::sync::Mutex<Option<Arc<AccessKey>>>>);

impl Rotating {
    fn put(&self, id: &str, secret: &str) {
        *self.0.lock().unwrap() = Some(Arc::new(AccessKey::new(id, secret)));
    }
}

#[async_trait::async_trait]
impl CredentialProvider for Rotating {
    async fn access_key(&self) -> Result<Arc<AccessKey>> {
        Ok(Arc::clone(self.0.lock().unwrap().as_ref().expect("a key")))
    }
}

#[tokio::test]
async fn what_aliyun_does_not_tell_is_an_error_and_not_kept() {
    let mock = MockAliyun::builder().start().await.unwrap();
    let client = at_aliyun(&mock, first(&mock));
    for (kind, expected) in [
        (FaultKind::Denied, ErrorKind::PermissionDenied),
        (FaultKind::Throttled, ErrorKind::Throttled),
        (FaultKind::Unavailable, ErrorKind::Unavailable),
        (FaultKind::Reset, ErrorKind::Timeout),
        (FaultKind::Truncate, ErrorKind::Protocol),
    ] {
        mock.sts_faults().add(Fault::new(kind.clone()));
        let error = client.account().await.unwrap_err();
        let kinds = [expected, ErrorKind::Unavailable, ErrorKind::Protocol];
        assert!(kinds.contains(&error.kind()), "{kind:?}: {error:?}");
        assert!(!format!("{error} {error:?}").contains(mock.access_key_secret()));
    }
    let error = at_aliyun(&mock, key("nobody", "s")).account().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(client.account().await.unwrap().as_str(), mock.account_id());
}

/// A key goes to the vendor, and to whom somebody named.
#[tokio::test]
async fn nobody_is_asked_who_was_not_named() {
    let mock = MockAliyun::builder().start().await.unwrap();
    let env = FixedEnv::from_iter([("ALIBABA_CLOUD_ROLE_ARN", ROLE)]);
    let client = AliyunClient::builder().endpoint(mock.endpoint()).env(env).credentials(first(&mock));
    let error = client.build().unwrap().account().await.unwrap_err();
    assert!(error.message().contains("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT is not set"), "{error}");

    let mock = MockHuaweicloud::builder().start().await.unwrap();
    let named =
        |builder: HuaweicloudClientBuilder| builder.endpoint(mock.endpoint()).project_id(mock.project_id());
    let client = named(HuaweicloudClient::builder().env(FixedEnv::default()));
    let by_key = client.credentials(key(mock.access_key(), mock.secret_key())).build().unwrap();
    let error = by_key.account().await.unwrap_err();
    assert!(error.message().contains("HUAWEICLOUD_SDK_STS_ENDPOINT is not set"), "{error}");
    let client = named(HuaweicloudClient::builder().env(FixedEnv::default()));
    let by_token = client.token(mock.issue_token()).build().unwrap();
    let error = by_token.account().await.unwrap_err();
    assert!(error.message().contains("HUAWEICLOUD_SDK_IAM_ENDPOINT is not set"), "{error}");
    assert!(mock.iam_requests().is_empty());
}

fn at_huaweicloud(mock: &MockHuaweicloud) -> HuaweicloudClientBuilder {
    let env = FixedEnv::from_iter([("HUAWEICLOUD_SDK_STS_ENDPOINT", mock.sts_endpoint())]);
    HuaweicloudClient::builder()
        .endpoint(mock.endpoint())
        .iam_endpoint(mock.iam_endpoint())
        .project_id(mock.project_id())
        .env(env)
        .retry(RetryPolicy::none())
}

async fn account(client: HuaweicloudClientBuilder) -> Result<String> {
    Ok(client.build().unwrap().account().await?.to_string())
}

fn iam_operations(mock: &MockHuaweicloud) -> Vec<String> {
    mock.iam_requests().iter().filter_map(|one| Some(one.operation()?.to_owned())).collect()
}

#[tokio::test]
async fn huaweicloud_tells_the_account_of_keys_tokens_and_passwords() {
    let mock = MockHuaweicloud::builder().start().await.unwrap();
    let session = mock.issue_temporary_access_key();
    let session = AccessKey::new(&session.id, &session.secret).with_security_token(&session.security_token);
    let clients = [
        at_huaweicloud(&mock).credentials(key(mock.access_key(), mock.secret_key())),
        at_huaweicloud(&mock).credentials(StaticCredentials::new(session)),
        at_huaweicloud(&mock).token(mock.issue_token()),
        at_huaweicloud(&mock).login(Login::new(mock.iam_account(), mock.iam_user(), mock.iam_password())),
    ];
    for client in clients {
        assert_eq!(account(client).await.unwrap(), mock.account_id());
    }
    let other = at_huaweicloud(&mock).credentials(key(mock.other_access_key(), mock.other_secret_key()));
    assert_eq!(account(other).await.unwrap(), mock.other_account_id());
    let other = at_huaweicloud(&mock).token(mock.issue_other_token());
    assert_eq!(account(other).await.unwrap(), mock.other_account_id());
    assert!(mock.requests().is_empty(), "Live is not asked");
    let asked = iam_operations(&mock);
    let by_password = asked.iter().filter(|one| *one == "KeystoneCreateUserTokenByPassword").count();
    assert_eq!((by_password, asked.len()), (1, 6), "a password needs no further call: {asked:?}");
}

#[tokio::test]
async fn huaweicloud_is_asked_elsewhere_where_sts_does_not_tell() {
    for (caller_identity_path, auth_domains, last) in [
        (CallerIdentityPath::There, AuthDomains::Listed, "GetCallerIdentity"),
        (CallerIdentityPath::Missing, AuthDomains::Listed, "KeystoneListAuthDomains"),
        (CallerIdentityPath::Missing, AuthDomains::Empty, "KeystoneListProjects"),
    ] {
        let dialect = HuaweicloudDialect { caller_identity_path, auth_domains, ..Default::default() };
        let mock =
            MockHuaweicloud::builder().dialect(dialect).project("cn-north-1", "p2").start().await.unwrap();
        let client = || at_huaweicloud(&mock).credentials(key(mock.access_key(), mock.secret_key()));
        assert_eq!(account(client()).await.unwrap(), mock.account_id());
        assert_eq!(iam_operations(&mock).last().unwrap(), last);
        // Only the region's projects are asked for where there is one.
        assert_eq!(account(client().region(mock.region())).await.unwrap(), mock.account_id());
    }
}

#[tokio::test]
async fn what_huaweicloud_does_not_tell_is_an_error() {
    let mock = MockHuaweicloud::builder().start().await.unwrap();
    let client = || at_huaweicloud(&mock).credentials(key(mock.access_key(), mock.secret_key()));
    mock.iam_faults().add(Fault::new(FaultKind::Denied).until_cleared());
    let error = account(client()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(error.message().contains("nor does IAM tell"), "{error}");
    mock.iam_faults().clear();
    mock.iam_faults().add(Fault::new(FaultKind::Unavailable).until_cleared());
    assert_eq!(account(client()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let token = mock.issue_token();
    let error = account(at_huaweicloud(&mock).token(token.clone())).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&token));
    mock.iam_faults().clear();
    mock.revoke_tokens();
    let error = account(at_huaweicloud(&mock).token(token)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn every_form_of_an_identity_is_understood() {
    for caller_identity in [
        CallerIdentity::Current,
        CallerIdentity::RamUser,
        CallerIdentity::UserWithRoleId,
        CallerIdentity::Bare,
    ] {
        let dialect = AliyunDialect { caller_identity, ..Default::default() };
        let mock =
            MockAliyun::builder().dialect(dialect).account_access_key("root", "s").start().await.unwrap();
        let account = at_aliyun(&mock, key("root", "s")).account().await.unwrap();
        assert_eq!(account.as_str(), mock.account_id(), "{caller_identity:?}");
    }
}
