//! What a doctor says about each cloud, and that asking it changes nothing.

use jiff::SignedDuration;
use record_callback::http::FixedEnv;
use record_callback::http::doctor::{Check, Finding, Verdict};
use record_callback::{
    AliyunConfig, CredentialsConfig, Diagnosis, DomainName, HuaweicloudConfig, ProviderConfig,
};
use record_callback_mock::{
    AliyunDialect, Denial, Dialect, Fault, FaultKind, HuaweicloudDialect, MockAliyun, MockHuaweicloud,
    UnknownDomain,
};
use record_callback_tests::NOBODY;

const STREAMING: &str = "live.example.com";
const INGEST: &str = "push.example.com";

/// A mock cloud and the settings to reach it.
enum Cloud {
    Aliyun(MockAliyun),
    Huaweicloud(MockHuaweicloud),
}

impl Cloud {
    async fn aliyun(dialect: AliyunDialect) -> Self {
        let mock = MockAliyun::builder().domain(STREAMING).ingest_domain(INGEST).dialect(dialect);
        Self::Aliyun(mock.start().await.unwrap())
    }

    async fn huaweicloud(dialect: HuaweicloudDialect) -> Self {
        let mock = MockHuaweicloud::builder().domain(INGEST).streaming_domain(STREAMING).dialect(dialect);
        Self::Huaweicloud(mock.start().await.unwrap())
    }

    async fn both() -> [Self; 2] {
        [Self::aliyun(AliyunDialect::default()).await, Self::huaweicloud(HuaweicloudDialect::default()).await]
    }

    fn config(&self) -> ProviderConfig {
        match self {
            Self::Aliyun(mock) => ProviderConfig::Aliyun(AliyunConfig {
                endpoint: Some(mock.endpoint().into()),
                ..AliyunConfig::default()
            }),
            Self::Huaweicloud(mock) => ProviderConfig::Huaweicloud(HuaweicloudConfig {
                endpoint: Some(mock.endpoint().into()),
                iam_endpoint: Some(mock.iam_endpoint().into()),
                project_id: Some(mock.project_id().into()),
                ..HuaweicloudConfig::default()
            }),
        }
    }

    /// The variables with its key, and no machine to have a role.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let (id, secret) = match self {
            Self::Aliyun(mock) => (mock.access_key_id(), mock.access_key_secret()),
            Self::Huaweicloud(mock) => (mock.access_key(), mock.secret_key()),
        };
        [no_machine(), self.key(id, secret)].concat()
    }

    fn key(&self, id: &str, secret: &str) -> Vec<(&'static str, String)> {
        let names = match self {
            Self::Aliyun(_) => ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
            Self::Huaweicloud(_) => ["HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"],
        };
        names.into_iter().zip([id.to_owned(), secret.to_owned()]).collect()
    }

    async fn examine(&self, domain: Option<&str>) -> Diagnosis {
        self.examine_with(self.variables(), domain).await
    }

    async fn examine_with(&self, variables: Vec<(&'static str, String)>, domain: Option<&str>) -> Diagnosis {
        let domain = domain.map(|domain| DomainName::new(domain).unwrap());
        let diagnosis = self.config().examine_in(FixedEnv::from_iter(variables), domain.as_ref()).await;
        let shown = format!("{diagnosis:#?} {}", serde_json::to_string(&diagnosis).unwrap());
        let secret = match self {
            Self::Aliyun(mock) => mock.access_key_secret(),
            Self::Huaweicloud(mock) => mock.secret_key(),
        };
        assert!(!shown.contains(secret), "a secret is shown: {shown}");
        diagnosis
    }

    fn configs(&self) -> usize {
        match self {
            Self::Aliyun(mock) => mock.configs().len(),
            Self::Huaweicloud(mock) => mock.configs().len(),
        }
    }

    /// Every operation, with what a policy has to allow for it.
    fn operations(&self) -> [(&'static str, &'static str); 5] {
        match self {
            Self::Aliyun(_) => [
                ("DescribeLiveUserDomains", "live:DescribeLiveUserDomains"),
                ("DescribeLiveRecordNotifyConfig", "live:DescribeLiveRecordNotifyConfig"),
                ("AddLiveRecordNotifyConfig", "live:AddLiveRecordNotifyConfig"),
                ("UpdateLiveRecordNotifyConfig", "live:UpdateLiveRecordNotifyConfig"),
                ("DeleteLiveRecordNotifyConfig", "live:DeleteLiveRecordNotifyConfig"),
            ],
            Self::Huaweicloud(_) => [
                ("ListRecordCallbackConfigs", "live:record:listCallbacks"),
                ("ShowRecordCallbackConfig", "live:record:getCallback"),
                ("CreateRecordCallbackConfig", "live:record:createCallback"),
                ("UpdateRecordCallbackConfig", "live:record:updateCallback"),
                ("DeleteRecordCallbackConfig", "live:record:deleteCallback"),
            ],
        }
    }

    fn deny(&self, operation: &str) {
        let fault = Fault::new(FaultKind::Denied).operation(operation).until_cleared();
        match self {
            Self::Aliyun(mock) => mock.faults().add(fault),
            Self::Huaweicloud(mock) => mock.faults().add(fault),
        }
    }
}

/// No metadata service.
fn no_machine() -> Vec<(&'static str, String)> {
    vec![
        ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true".into()),
        ("RECORD_CALLBACK_HUAWEICLOUD_METADATA_ENDPOINT", NOBODY.into()),
    ]
}

fn of(diagnosis: &Diagnosis, check: Check) -> Vec<&Finding> {
    diagnosis.findings.iter().filter(|finding| finding.check == check).collect()
}

fn one(diagnosis: &Diagnosis, check: Check) -> &Finding {
    let found = of(diagnosis, check);
    assert_eq!(found.len(), 1, "{diagnosis:#?}");
    found[0]
}

#[tokio::test]
async fn the_account_is_shown_and_not_knowing_it_is_no_failure() {
    for cloud in Cloud::both().await {
        let (account, sts) = match &cloud {
            Cloud::Aliyun(mock) => {
                (mock.account_id(), ("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT", mock.sts_endpoint().to_owned()))
            }
            Cloud::Huaweicloud(mock) => {
                (mock.account_id(), ("HUAWEICLOUD_SDK_STS_ENDPOINT", mock.sts_endpoint().to_owned()))
            }
        };
        let named = cloud.examine_with([cloud.variables(), vec![sts]].concat(), None).await;
        let finding = one(&named, Check::Account);
        assert_eq!((finding.verdict, finding.subject.as_str()), (Verdict::Ok, account));
        let json = serde_json::to_value(&named).unwrap();
        let findings = json["findings"].as_array().unwrap().iter();
        let shown: Vec<_> = findings.filter(|finding| finding["check"] == "account").collect();
        assert_eq!((shown.len(), &shown[0]["subject"]), (1, &serde_json::json!(account)));
        // Of Huawei Cloud, IAM is named.
        if let Cloud::Aliyun(_) = &cloud {
            let unnamed = cloud.examine(None).await;
            assert_eq!(one(&unnamed, Check::Account).verdict, Verdict::Warning);
            assert!(unnamed.is_well(), "{unnamed:#?}");
        }
    }
}

#[tokio::test]
async fn all_is_well_and_nothing_is_changed_in_any_dialect() {
    let mut clouds = Vec::new();
    for (name, dialect) in AliyunDialect::one_by_one() {
        clouds.push((name, Cloud::aliyun(dialect).await));
    }
    for (name, dialect) in HuaweicloudDialect::one_by_one() {
        clouds.push((name, Cloud::huaweicloud(dialect).await));
    }
    for (name, cloud) in clouds {
        let domain = if matches!(cloud, Cloud::Aliyun(_)) { STREAMING } else { INGEST };
        let diagnosis = cloud.examine(Some(domain)).await;
        assert!(diagnosis.is_well(), "{name}: {diagnosis:#?}");
        assert_eq!(cloud.configs(), 0, "{name}");
        let tried: Vec<_> = of(&diagnosis, Check::Permission).iter().map(|one| one.subject.clone()).collect();
        assert_eq!(tried, cloud.operations().map(|(operation, _)| operation), "{name}");
        assert_eq!(one(&diagnosis, Check::Domain).verdict, Verdict::Ok, "{name}");
        assert_eq!(one(&diagnosis, Check::Clock).verdict, Verdict::Ok, "{name}");
    }
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_and_no_other() {
    for at in 0..5 {
        for cloud in Cloud::both().await {
            let (operation, action) = cloud.operations()[at];
            cloud.deny(operation);
            let domain = if matches!(cloud, Cloud::Aliyun(_)) { STREAMING } else { INGEST };
            let diagnosis = cloud.examine(Some(domain)).await;
            // What was tried with a domain nobody owns may be allowed for single domains.
            let single = matches!(cloud, Cloud::Aliyun(_)) && at > 1;
            let unless = if single { ", unless it is allowed for single domains" } else { "" };
            for finding in of(&diagnosis, Check::Permission) {
                if finding.subject == operation {
                    assert_eq!(finding.advice, Some(format!("allow {action}{unless}")));
                    let verdict = if single { Verdict::Warning } else { Verdict::Failed };
                    assert_eq!(finding.verdict, verdict, "{finding:?}");
                } else {
                    assert_eq!(finding.advice, None, "{finding:?}");
                }
            }
            assert_eq!(of(&diagnosis, Check::Permission).len(), 5);
        }
    }
}

#[tokio::test]
async fn a_denial_for_a_domain_nobody_owns_is_a_warning_unless_it_says_that_it_is_for_the_right() {
    let warned = |diagnosis: &Diagnosis| -> Vec<String> {
        let warned =
            of(diagnosis, Check::Permission).into_iter().filter(|one| one.verdict == Verdict::Warning);
        warned.map(|one| one.subject.clone()).collect()
    };
    let default = AliyunDialect::default;
    // Every right is there, and unknown domains are denied.
    let cloud = Cloud::aliyun(AliyunDialect { unknown_domain: UnknownDomain::Forbidden, ..default() }).await;
    let diagnosis = cloud.examine(None).await;
    assert_eq!(warned(&diagnosis), ["DescribeLiveRecordNotifyConfig", "DeleteLiveRecordNotifyConfig"]);
    let diagnosis = cloud.examine(Some(STREAMING)).await;
    assert_eq!(warned(&diagnosis), ["DeleteLiveRecordNotifyConfig"]);

    // Reading cannot be allowed for single domains.
    let cloud = Cloud::aliyun(AliyunDialect { denial: Denial::ForbiddenRam, ..default() }).await;
    cloud.deny("DescribeLiveRecordNotifyConfig");
    assert!(!cloud.examine(None).await.is_well());
}

#[tokio::test]
async fn a_cloud_that_does_not_answer_is_asked_no_further() {
    for cloud in Cloud::both().await {
        let first = cloud.operations()[0].0;
        let busy = Fault::new(FaultKind::Unavailable).operation(first).until_cleared();
        match &cloud {
            Cloud::Aliyun(mock) => mock.faults().add(busy),
            Cloud::Huaweicloud(mock) => mock.faults().add(busy),
        }
        let diagnosis = cloud.examine(None).await;
        let finding = one(&diagnosis, Check::Permission);
        assert_eq!((finding.subject.as_str(), finding.verdict), (first, Verdict::Failed));
    }
}

#[tokio::test]
async fn a_key_the_cloud_does_not_know_is_said_once() {
    for cloud in Cloud::both().await {
        let variables = [no_machine(), cloud.key("unknown", "s3cr3t")].concat();
        let diagnosis = cloud.examine_with(variables, Some(STREAMING)).await;
        let refused = one(&diagnosis, Check::Permission);
        assert_eq!(refused.verdict, Verdict::Failed, "{refused:?}");
        assert!(refused.detail.contains("unauthenticated"), "{refused:?}");
        assert!(of(&diagnosis, Check::Domain).is_empty());
    }
}

#[tokio::test]
async fn a_key_of_the_other_cloud_is_recognised() {
    for cloud in Cloud::both().await {
        let (id, words) = match cloud {
            Cloud::Aliyun(_) => ("QTWAOYTTINDUT2QVKYUC", "a key of Huawei Cloud"),
            Cloud::Huaweicloud(_) => ("LTAI5tAbCdEfGhIjKlMnOpQr", "a key of Aliyun"),
        };
        let diagnosis = cloud.examine_with([no_machine(), cloud.key(id, "s3cr3t")].concat(), None).await;
        let key = of(&diagnosis, Check::Credentials).into_iter().find(|one| one.detail.contains(id)).unwrap();
        assert!(key.advice.as_deref().unwrap().contains(words), "{key:#?}");
        // Its looks do not decide: the cloud is asked, and says it too.
        let refused = one(&diagnosis, Check::Permission);
        assert!(!diagnosis.is_well() && refused.detail.contains("looks"), "{refused:#?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_a_warning_and_the_rest_is_examined() {
    for (cloud, wrong) in Cloud::both().await.into_iter().zip([20 * 60, -86_400]) {
        let clock = match &cloud {
            Cloud::Aliyun(mock) => mock.clock(),
            Cloud::Huaweicloud(mock) => mock.clock(),
        };
        clock.run_ahead(SignedDuration::from_secs(wrong));
        let diagnosis = cloud.examine(None).await;
        assert_eq!(one(&diagnosis, Check::Clock).verdict, Verdict::Warning);
        assert!(diagnosis.is_well(), "{diagnosis:#?}");
        assert_eq!(of(&diagnosis, Check::Permission).len(), 5);
    }
}

#[tokio::test]
async fn an_endpoint_nobody_listens_at_is_a_failure() {
    for cloud in Cloud::both().await {
        match &cloud {
            Cloud::Aliyun(mock) => mock.refuse_connections().await.unwrap(),
            Cloud::Huaweicloud(mock) => mock.refuse_connections().await.unwrap(),
        }
        let diagnosis = cloud.examine(None).await;
        let endpoint = &of(&diagnosis, Check::Endpoint)[0];
        assert_eq!(endpoint.verdict, Verdict::Failed, "{endpoint:?}");
        assert!(of(&diagnosis, Check::Permission).is_empty(), "{diagnosis:#?}");
    }
}

#[tokio::test]
async fn a_domain_of_the_wrong_kind_or_nobodys_is_a_failure() {
    for cloud in Cloud::both().await {
        let wrong = if matches!(cloud, Cloud::Aliyun(_)) { INGEST } else { STREAMING };
        for (domain, words) in [(wrong, "it belongs to"), ("other.example.com", "check its spelling")] {
            let diagnosis = cloud.examine(Some(domain)).await;
            let finding = one(&diagnosis, Check::Domain);
            assert_eq!((finding.verdict, finding.subject.as_str()), (Verdict::Failed, domain));
            assert!(finding.advice.as_deref().unwrap().contains(words), "{finding:?}");
        }
    }
}

#[tokio::test]
async fn without_credentials_each_source_says_why_and_no_call_is_signed() {
    for cloud in Cloud::both().await {
        let diagnosis = cloud.examine_with(no_machine(), None).await;
        let credentials = of(&diagnosis, Check::Credentials);
        let (last, sources) = credentials.split_last().unwrap();
        assert_eq!((last.verdict, last.detail.as_str()), (Verdict::Failed, "no credentials were found"));
        assert!(sources.iter().all(|source| source.verdict == Verdict::Open), "{sources:#?}");
        assert!(!diagnosis.is_set_up() && of(&diagnosis, Check::Permission).is_empty());
    }
}

#[tokio::test]
async fn a_broken_source_before_the_one_that_is_used_is_a_warning() {
    for cloud in Cloud::both().await {
        let home = tempfile::tempdir().unwrap();
        let (path, mut variables) = match &cloud {
            Cloud::Aliyun(mock) => {
                let uri = vec![("ALIBABA_CLOUD_CREDENTIALS_URI", mock.credentials_uri())];
                (".aliyun/config.json", [no_machine(), uri].concat())
            }
            Cloud::Huaweicloud(mock) => {
                let metadata =
                    ("RECORD_CALLBACK_HUAWEICLOUD_METADATA_ENDPOINT", mock.metadata_endpoint().to_owned());
                (".huaweicloud/credentials", vec![metadata])
            }
        };
        let path = home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "broken").unwrap();
        variables.push(("HOME", home.path().display().to_string()));
        let diagnosis = cloud.examine_with(variables, None).await;
        assert!(diagnosis.is_well() && diagnosis.is_set_up(), "{diagnosis:#?}");
        let broken = of(&diagnosis, Check::Credentials);
        let broken = broken.iter().find(|source| source.verdict == Verdict::Warning).expect("a warning");
        assert!(broken.detail.contains("line 1: expected"), "{broken:?}");
    }
}

#[tokio::test]
async fn tokens_and_logins_are_examined_too() {
    let mock = MockHuaweicloud::builder().start().await.unwrap();
    let settings = |credentials| {
        ProviderConfig::Huaweicloud(HuaweicloudConfig {
            endpoint: Some(mock.endpoint().into()),
            iam_endpoint: Some(mock.iam_endpoint().into()),
            project_id: Some(mock.project_id().into()),
            credentials,
            ..HuaweicloudConfig::default()
        })
    };
    let login = |password: &str| CredentialsConfig::Password {
        account: mock.iam_account().into(),
        user: mock.iam_user().into(),
        password: password.into(),
    };
    let token = CredentialsConfig::Token { token: mock.issue_token().into() };
    for (credentials, well) in [(token, true), (login(mock.iam_password()), true), (login("wr0ng"), false)] {
        let diagnosis = settings(credentials).examine_in(FixedEnv::default(), None).await;
        assert_eq!(diagnosis.is_well(), well, "{diagnosis:#?}");
        assert!(!format!("{diagnosis:?}").contains("wr0ng"));
    }
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_the_only_finding() {
    let config = ProviderConfig::Huaweicloud(HuaweicloudConfig::default());
    let diagnosis = config.examine_in(FixedEnv::default(), None).await;
    let finding = one(&diagnosis, Check::Config);
    assert!(finding.detail.starts_with("endpoint: is not given"), "{finding:?}");
    assert!(!diagnosis.is_well() && !diagnosis.is_set_up());
}
