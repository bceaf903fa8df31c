//! Whether a caller can do here what this crate does. Nothing is changed.

use record_callback_core::{DomainName, ErrorKind};
use record_callback_http::doctor::{
    Check, Finding, Tried, Verdict, account, credentials, endpoint, may_call,
};

use crate::client::HuaweicloudClient;
use crate::credential::{self, Credentials};
use crate::error;
use crate::policy::{SHOW_DOMAIN, action};
use crate::wire::{self, ListQuery, PULL, PUSH, RecordCallbackConfigRequest};

/// An id as the cloud gives them, that no config has.
const NOBODYS_ID: &str = "00000000000000000000000000000000";
/// A domain nobody can own: RFC 2606, section 2.
const NOBODYS: &str = "record-callback-doctor.invalid";

impl HuaweicloudClient {
    /// Looks at credentials, endpoints, clock, project, rights and, if one is given, at a domain.
    ///
    /// Operations that write are called for an id that no config has, `Create` without a domain, so that there is nothing
    /// they could do. What they answer to a caller with rights is UNVERIFIED.
    pub async fn examine(&self, domain: Option<&DomainName>) -> Vec<Finding> {
        let mut findings = self.examine_credentials().await;
        findings.extend(self.examine_endpoints().await);
        if !may_call(&findings) {
            return findings;
        }
        findings.push(account(self.account().await.map(Some)));
        match self.project_id().await {
            Ok(id) => {
                findings.push(Finding::new(Check::Project, id, Verdict::Ok, "is the project of all calls"));
            }
            Err(error) => {
                let failed = Finding::failed(Check::Project, "project", &error);
                findings.push(match error.kind() {
                    ErrorKind::PermissionDenied => {
                        failed.advise("give the project's id, or allow the caller to list projects at IAM")
                    }
                    _ => failed,
                });
                return findings;
            }
        }
        for operation in [wire::LIST, wire::SHOW, wire::CREATE, wire::UPDATE, wire::DELETE] {
            let tried = self.try_out(operation, domain).await;
            let stop = tried.says_it_all();
            findings.push(match &tried.result {
                Err(error) if error::is_about_account(error) => {
                    let failed = Finding::failed(Check::Permission, operation, error);
                    failed.advise(
                        "see to the account and the project in the vendor's console: no policy changes this",
                    )
                }
                _ => tried.finding(),
            });
            if stop {
                return findings;
            }
        }
        if let Some(domain) = domain {
            findings.push(self.examine_domain(domain).await);
        }
        findings
    }

    async fn examine_credentials(&self) -> Vec<Finding> {
        let tokens = match self.credentials() {
            Credentials::AccessKey(provider) => {
                return credentials(provider.examine().await, |key| {
                    credential::looks_like_aliyun_key(key.id())
                        .then(|| "it looks like a key of Aliyun".to_owned())
                });
            }
            Credentials::Token(_) => "a token that was given, which is not renewed",
            Credentials::Login(_) => "a token by password",
        };
        vec![match self.credentials().current().await {
            Ok(_) => Finding::new(Check::Credentials, "token", Verdict::Ok, tokens),
            Err(error) => Finding::failed(Check::Credentials, "token", &error),
        }]
    }

    async fn examine_endpoints(&self) -> Vec<Finding> {
        let mut findings = endpoint(self.endpoint(), self.pipeline().reach(self.endpoint()).await);
        if self.asks_iam().await {
            let iam = self.iam();
            findings.extend(endpoint(&iam.endpoint, iam.pipeline.reach(&iam.endpoint).await));
        }
        findings
    }

    async fn try_out(&self, operation: &'static str, domain: Option<&DomainName>) -> Tried<'static> {
        let nobodys = |domain: &str, app: &str| RecordCallbackConfigRequest {
            publish_domain: domain.into(),
            app: app.into(),
            ..RecordCallbackConfigRequest::default()
        };
        let (with, result) = match operation {
            wire::LIST => {
                let publish_domain = domain.map(ToString::to_string);
                let query = ListQuery { publish_domain, limit: Some(1), ..ListQuery::default() };
                ("one config", self.list_record_callback_configs(&query).await.map(drop))
            }
            wire::SHOW => {
                ("an id no config has", self.show_record_callback_config(NOBODYS_ID).await.map(drop))
            }
            wire::CREATE => {
                ("no domain", self.create_record_callback_config(&nobodys("", "")).await.map(drop))
            }
            wire::UPDATE => {
                let updated = self.update_record_callback_config(NOBODYS_ID, &nobodys(NOBODYS, "*")).await;
                ("an id no config has", updated.map(drop))
            }
            _ => ("an id no config has", self.delete_record_callback_config(NOBODYS_ID).await),
        };
        Tried { operation, action: action(operation), with, result, of_nobody: false }
    }

    /// Callbacks are configured for the ingest domain.
    async fn examine_domain(&self, domain: &DomainName) -> Finding {
        let new = |verdict, detail: &str| Finding::new(Check::Domain, domain.as_str(), verdict, detail);
        let found = match self.show_domain(domain.as_str()).await {
            Ok(answer) => answer.kind_of(domain.as_str()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let detail = format!("of which kind it is may not be asked: {error}");
                return new(Verdict::Open, &detail).advise(format!("allow {SHOW_DOMAIN}"));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Finding::failed(Check::Domain, domain.as_str(), &error),
        };
        match found.as_deref() {
            Some(PUSH) => new(Verdict::Ok, "is an ingest domain of the project"),
            Some(PULL) => new(Verdict::Failed, "is a streaming domain of the project")
                .advise("give the ingest domain it belongs to: Huawei Cloud keeps callbacks there"),
            Some(_) => new(Verdict::Open, "is a domain of the project; the cloud does not say of which kind"),
            None => new(Verdict::Failed, "is not a domain of the project")
                .advise("check its spelling, the region, and whose account the key is of"),
        }
    }
}
