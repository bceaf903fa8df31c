//! Whether a caller can do here what this crate does. Nothing is changed.

use record_callback_core::{DomainName, Error, ErrorKind, Result};
use record_callback_http::doctor::{Check, Finding, Tried, Verdict, credentials, endpoint, may_call};

use crate::client::AliyunClient;
use crate::credential;
use crate::policy::action;
use crate::wire::{self, FULL_MATCH, INGEST, RecordNotifyConfig, STREAMING, UserDomainsQuery};

/// A domain nobody can own: RFC 2606, section 2.
const NOBODYS: &str = "record-callback-doctor.invalid";

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
        let domains = self.try_out(wire::USER_DOMAINS, domain).await;
        if domains.result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unauthenticated) {
            // The others would say the same.
            findings.push(domains.finding());
            return findings;
        }
        let mut tried = Vec::new();
        for operation in [wire::DESCRIBE, wire::ADD, wire::UPDATE, wire::DELETE] {
            tried.push(self.try_out(operation, domain).await);
        }
        // The documents do not agree on the answer for an unknown domain. Where it is never that something is missing, a denial
        // may be for the domain. (`Update` has an answer of its own, and `Add` does not get that far.)
        let of_nobody = [&self.described(NOBODYS).await, &tried[3].result];
        let tells = of_nobody
            .iter()
            .any(|result| result.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound));
        for tried in &mut tried {
            let of_domain = tried.operation == wire::DESCRIBE && domain.is_some();
            tried.ambiguous = !tells && !of_domain && tried.result.as_ref().is_err_and(may_mean_the_domain);
        }
        findings.push(domains.finding());
        findings.extend(tried.into_iter().map(Tried::finding));
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
                None => ("a domain nobody owns", self.described(NOBODYS).await),
            },
            wire::ADD => {
                let added = self.add_live_record_notify_config(&nobodys(None)).await;
                ("a domain nobody owns, without a URL", added.map(drop))
            }
            wire::UPDATE => {
                let url = format!("https://{NOBODYS}");
                let updated = self.update_live_record_notify_config(&nobodys(Some(url))).await;
                ("a domain nobody owns", updated.map(drop))
            }
            _ => ("a domain nobody owns", self.delete_live_record_notify_config(NOBODYS).await.map(drop)),
        };
        Tried { operation, action: action(operation), with, result, ambiguous: false }
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

/// Whether a denial does not say that it is RAM's.
fn may_mean_the_domain(error: &Error) -> bool {
    error.kind() == ErrorKind::PermissionDenied && error.code() != Some("Forbidden.RAM")
}
