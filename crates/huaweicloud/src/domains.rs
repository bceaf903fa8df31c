//! The domains of the project, under whichever names the cloud has them.

use std::collections::HashSet;

use record_callback_core::{DomainName, Error, ErrorKind, Result, StoredCallback};

use crate::provider::{HuaweicloudProvider, of_domain, of_vendor};
use crate::wire::{self, ListQuery};

impl HuaweicloudProvider {
    /// The spellings in which configs of `domain` may be found, the likeliest first.
    pub(crate) fn spellings(&self, domain: &DomainName) -> Vec<String> {
        let of_configs = self.learnt.spellings.of(domain);
        // Nothing but the canonical form is known of the configs.
        if of_configs.len() == 1 && of_configs[0] == domain.as_str() {
            return self.learnt.domains.of(domain);
        }
        of_configs
    }

    /// The configs of `domain` that `query` lists, in whichever spelling the cloud has the domain, or, once one of them is
    /// `wanted`, those listed until then. `DomainNotFound` if the cloud says so.
    ///
    /// It is not documented if names are compared letter by letter. Where the canonical form finds nothing, all configs
    /// are listed once in a while to see how their domains are spelled.
    pub(crate) async fn list_domain(
        &self,
        domain: &DomainName,
        query: &ListQuery,
        wanted: impl Fn(&StoredCallback) -> bool,
    ) -> Result<Vec<StoredCallback>> {
        let (mut found, mut tried, mut missed) = (Vec::new(), Vec::new(), None);
        for is_looked_up in [false, true] {
            if is_looked_up {
                self.look_at_all(domain).await?;
            }
            for name in self.spellings(domain) {
                if tried.contains(&name) {
                    continue;
                }
                tried.push(name.clone());
                let query = ListQuery { publish_domain: Some(name), ..query.clone() };
                match self.pages(query, &wanted).await {
                    Ok(listed) => found.extend(listed),
                    Err(error) if error.kind() == ErrorKind::DomainNotFound => missed = Some(error),
                    Err(error) => return Err(error),
                }
            }
            if !found.is_empty() {
                // The same, from a cloud that does not regard case.
                let mut ids = HashSet::new();
                found.retain(|found| found.id.as_ref().is_none_or(|id| ids.insert(id.clone())));
                return Ok(found);
            }
        }
        missed.map_or(Ok(found), Err)
    }

    /// Sees how the domains of all configs are spelled, if that was not seen lately.
    pub(crate) async fn look_at_all(&self, domain: &DomainName) -> Result<()> {
        let list = async {
            let all = self.pages(ListQuery::default(), |_| false).await?;
            Ok(all.into_iter().map(|found| found.key.domain).collect())
        };
        self.learnt.spellings.listed(domain, list).await.map(drop)
    }

    /// Tells if the project has this domain; `None` if it cannot be told. Learns how it is spelled.
    pub(crate) async fn has(&self, domain: &DomainName) -> Result<Option<bool>> {
        let no_list = || of_vendor(Error::new(ErrorKind::Protocol, "the answer lists no domains"));
        let list = async { self.client.show_domain(None).await?.ingest_domains().ok_or_else(no_list) };
        let listed = self.learnt.domains.listed(domain, list).await?;
        if listed != Some(false) {
            return Ok(listed);
        }
        // It may be newer than the list.
        match self.client.show_domain(Some(domain.as_str())).await {
            Ok(answer) => {
                let Some(found) = answer.ingest_domains() else { return Ok(None) };
                let Some(found) = found.into_iter().find(|found| found == domain) else {
                    return Ok(Some(false));
                };
                self.learnt.domains.learn(&found);
                self.learnt.domains.found(&found).await;
                Ok(Some(true))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(false)),
            Err(error) => Err(error),
        }
    }

    /// Refuses to call it nothing that a domain has no config, or not this one, when the project does not have the domain.
    pub(crate) async fn check_domain(&self, domain: &DomainName) -> Result<()> {
        if self.has(domain).await? != Some(false) {
            return Ok(());
        }
        let message = "the domain is not among the project's ingest domains";
        Err(of_vendor(Error::new(ErrorKind::DomainNotFound, message)).with_operation(wire::SHOW_DOMAIN))
    }

    /// `result`, but `DomainNotFound` where there is no config because there is no domain.
    pub(crate) async fn unless_without_domain<T>(&self, domain: &DomainName, result: Result<T>) -> Result<T> {
        match result {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let maybe_applied = error.maybe_applied();
                let checked = self.check_domain(domain).await;
                Err(checked.map_or_else(|other| other.with_maybe_applied_if(maybe_applied), |()| error))
            }
            result => result,
        }
        .map_err(of_domain(domain))
    }
}
