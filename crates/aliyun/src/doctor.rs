//! Whether a caller can do here what this crate does. Nothing is changed.

use record_callback_core::{DomainName, Error, Result};
use record_callback_http::doctor::{
    Check, Finding, Tried, Verdict, account, credentials, endpoint, may_call,
};

use crate::client::AliyunClient;
use crate::credential;
use crate::policy::action;
use crate::wire::{self, FULL_MATCH, INGEST, RecordNotifyConfig, STREAMING, UserDomainsQuery};

/// A domain nobody can own: RFC 2606, section 2.
const NOBODYS: &str = "record-callback-doctor.invalid";
const OF_NOBODY: &str = "a domain nobody owns";

impl AliyunClient {
    /// Looks at credentials, endpoint, clock, rights and, if one is given, at a domain.
    ///
    /// Operations that write are called for a domain that nobody can own, and `Add` without its URL besides, so that
    /// there is nothing they could do. What they answer to a caller with rights is UNVERIFIED.
    pub async fn examine(&self, domain: Option<&DomainName>) -> Vec<Finding> {
        let mut findings = credentials(self.credentials.examine().await, |key| {
            credential::looks_like_huaweicloud_key(key.id())
                .then(|| "it looks like a key of Huawei Cloud".to_owned())
        });
        findings.extend(endpoint(&self.endpoint, self.pipeline.reach(&self.endpoint).await));
        if !may_call(&findings) {
            return findings;
        }
        findings.push(account(self.account().await.map(Some)));
        for operation in [wire::USER_DOMAINS, wire::DESCRIBE, wire::ADD, wire::UPDATE, wire::DELETE] {
            let tried = self.try_out(operation, domain).await;
            let stop = tried.says_it_all();
            findings.push(tried.finding());
            if stop {
                return findings;
            }
        }
        if let Some(domain) = domain {
            findings.push(self.examine_domain(domain).await);
        }
        findings
    }

    async fn try_out(&self, operation: &'static str, domain: Option<&DomainName>) -> Tried<'static> {
        let nobodys = |notify_url| RecordNotifyConfig {
            domain_name: NOBODYS.into(),
            notify_url,
            ..RecordNotifyConfig::default()
        };
        let (with, result) = match operation {
            wire::USER_DOMAINS => {
                let query = UserDomainsQuery { page_size: Some(1), ..UserDomainsQuery::default() };
                ("one domain of the account", self.describe_live_user_domains(&query).await.map(drop))
            }
            wire::DESCRIBE => match domain {
                Some(domain) => ("the domain", self.described(domain.as_str()).await),
                None => (OF_NOBODY, self.described(NOBODYS).await),
            },
            wire::ADD => {
                let added = self.add_live_record_notify_config(&nobodys(None)).await;
                ("a domain nobody owns, without a URL", added.map(drop))
            }
            wire::UPDATE => {
                let url = format!("https://{NOBODYS}");
                let updated = self.update_live_record_notify_config(&nobodys(Some(url))).await;
                (OF_NOBODY, updated.map(drop))
            }
            _ => (OF_NOBODY, self.delete_live_record_notify_config(NOBODYS).await.map(drop)),
        };
        let of_nobody = match operation {
            wire::USER_DOMAINS => false,
            // This right cannot be given for single domains; but an unknown one may be denied in words that are not RAM's.
            wire::DESCRIBE => domain.is_none() && !result.as_ref().is_err_and(is_of_ram),
            _ => true,
        };
        Tried { operation, action: action(operation), with, result, of_nobody }
    }

    async fn described(&self, domain: &str) -> Result<()> {
        self.describe_live_record_notify_config(domain).await.map(drop)
    }

    /// Callbacks are configured for the streaming domain.
    async fn examine_domain(&self, domain: &DomainName) -> Finding {
        let new = |verdict, detail: String| Finding::new(Check::Domain, domain.as_str(), verdict, detail);
        let query = UserDomainsQuery {
            domain_name: Some(domain.to_string()),
            domain_search_type: Some(FULL_MATCH.into()),
            ..UserDomainsQuery::default()
        };
        let page = match self.describe_live_user_domains(&query).await {
            Ok(page) => page,
            Err(error) => return Finding::failed(Check::Domain, domain.as_str(), &error),
        };
        let found = page.domains().iter().find(|found| found.domain_name == domain.as_str());
        match found.map(|found| found.live_domain_type.as_deref()) {
            Some(Some(STREAMING)) => new(Verdict::Ok, "is a streaming domain of the account".into()),
            Some(Some(INGEST)) => new(Verdict::Failed, "is an ingest domain of the account".into())
                .advise("give the streaming domain it belongs to: Aliyun keeps callbacks there"),
            Some(_) => {
                new(Verdict::Open, "is a domain of the account; the cloud does not say of which kind".into())
            }
            None => new(Verdict::Failed, "is not a domain of the account".into())
                .advise("check its spelling, and whose account the key is of"),
        }
    }
}

/// Whether a denial says that it is RAM's.
fn is_of_ram(error: &Error) -> bool {
    error.code() == Some("Forbidden.RAM")
}
