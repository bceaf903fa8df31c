//! The neutral trait on top of the client.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use record_callback_core::{
    AccountId, Applied, CallbackKey, Capabilities, DomainName, Error, ErrorKind, Fidelity, Fitted,
    RecordCallbackConfig, RecordCallbackProvider, Result, StoredCallback, Vendor,
};
use record_callback_http::{Seen, confirm_dropped, create_settled, delete_settled};

use crate::VENDOR;
use crate::client::AliyunClient;
use crate::error;
use crate::translate::{CAPABILITIES, stored, translate};
use crate::wire::{self, RecordNotifyConfig, STREAMING, UserDomainsQuery};

/// Largest page of `DescribeLiveUserDomains`.
const PAGE_SIZE: u32 = 50;
/// How often all pages are asked for, at most.
const MAX_PASSES: u32 = 16;
/// Configs read at a time while listing; the quota paces them.
const CONCURRENT_READS: usize = 8;

/// Aliyun Live as a [`RecordCallbackProvider`]: one config for each streaming domain.
///
/// Clones share what was learnt about the cloud.
#[derive(Debug, Clone)]
pub struct AliyunProvider {
    client: AliyunClient,
    /// The cloud refuses an empty on-demand URL.
    refuses_empty: Arc<AtomicBool>,
}

impl AliyunProvider {
    /// A provider that uses `client`.
    pub fn new(client: AliyunClient) -> Self {
        Self { client, refuses_empty: Arc::default() }
    }

    /// The client, for operations the neutral trait does not have.
    pub fn client(&self) -> &AliyunClient {
        &self.client
    }

    async fn read(&self, domain: &DomainName) -> Result<Option<StoredCallback>> {
        match self.client.describe_live_record_notify_config(domain.as_str()).await {
            Ok(config) => Ok(Some(stored(config))),
            // No config, or no such domain: the documents do not say which answer means which.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Updates to a config without on-demand URL; true if an earlier one may have stayed.
    ///
    /// Whether a parameter that is not given is cleared is UNVERIFIED; both official SDKs send an empty one.
    async fn update_clearing(&self, request: &RecordNotifyConfig) -> Result<bool> {
        let mut refused = None;
        if !self.refuses_empty.load(Ordering::Relaxed) {
            let empty = RecordNotifyConfig { on_demand_url: Some(String::new()), ..request.clone() };
            match self.client.update_live_record_notify_config(&empty).await {
                Err(error) if error::empty_refused(&error) => refused = Some(error),
                result => return result.map(|_| false),
            }
        }
        let maybe_applied = refused.as_ref().is_some_and(Error::maybe_applied);
        let result = self.client.update_live_record_notify_config(request).await;
        result.map_err(|error| error.with_maybe_applied_if(maybe_applied))?;
        // Only now is it certain what the refusal was for.
        if refused.is_some() {
            self.refuses_empty.store(true, Ordering::Relaxed);
        }
        Ok(true)
    }

    async fn streaming_domains(&self) -> Result<BTreeSet<DomainName>> {
        for _ in 0..MAX_PASSES {
            if let Some(names) = self.streaming_domains_unless_they_change().await? {
                return Ok(names);
            }
        }
        Err(unlisted("the number of domains changed again and again while the cloud listed them"))
    }

    /// All pages; `None` if the number of domains changed: one that goes moves another past the next page.
    async fn streaming_domains_unless_they_change(&self) -> Result<Option<BTreeSet<DomainName>>> {
        let mut names = BTreeSet::new();
        let mut first_total = None;
        let mut query = UserDomainsQuery {
            live_domain_type: Some(STREAMING.into()),
            page_size: Some(PAGE_SIZE),
            ..UserDomainsQuery::default()
        };
        for page in 1.. {
            query.page_number = Some(page);
            let page = self.client.describe_live_user_domains(&query).await?;
            let before = names.len();
            names.extend(page.domains().iter().map(|domain| DomainName::reported(&domain.domain_name)));
            let Some(total) = page.total_count else {
                // A page beyond the last may repeat it.
                if names.len() == before {
                    break;
                }
                continue;
            };
            if *first_total.get_or_insert(total) != total {
                return Ok(None);
            }
            if names.len() >= total as usize {
                break;
            }
            if names.len() == before {
                let seen = names.len();
                return Err(unlisted(format!("the cloud listed only {seen} of {total} domains")));
            }
        }
        Ok(Some(names))
    }

    fn check(key: &CallbackKey) -> Result<()> {
        CAPABILITIES.check_key(key).map_err(of_vendor)
    }
}

#[async_trait]
impl RecordCallbackProvider for AliyunProvider {
    fn vendor(&self) -> Vendor {
        VENDOR
    }

    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    async fn account(&self) -> Result<Option<AccountId>> {
        self.client.account().await.map(Some)
    }

    async fn get(&self, key: &CallbackKey) -> Result<Option<StoredCallback>> {
        Self::check(key)?;
        self.read(&key.domain).await
    }

    async fn list(&self, domain: Option<&DomainName>) -> Result<Vec<StoredCallback>> {
        if let Some(domain) = domain {
            return Ok(self.read(domain).await?.into_iter().collect());
        }
        // The cloud has no list of configs: ask domain by domain.
        let names = self.streaming_domains().await?;
        let reads = names.into_iter().map(|name| async move { self.read(&name).await });
        stream::iter(reads)
            .buffer_unordered(CONCURRENT_READS)
            .try_filter_map(|found| std::future::ready(Ok(found)))
            .try_collect()
            .await
    }

    async fn create(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let (request, Fitted { effective, deviations }) = translate(config, fidelity).map_err(of_vendor)?;
        let create = || async { self.client.add_live_record_notify_config(&request).await.map(drop) };
        let read = || async {
            Ok(match self.read(config.domain()).await? {
                None => Seen::Nothing,
                Some(found) if found.shows(&effective) => Seen::Wanted(()),
                Some(_) => Seen::Other,
            })
        };
        create_settled(self.client.retry(), create, read)
            .await
            .map_err(|error| of_vendor(error).with_domain(config.domain().as_str()))?;
        Ok(Applied { id: None, effective, deviations, unconfirmed: Vec::new() })
    }

    async fn update(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let (request, Fitted { effective, deviations }) = translate(config, fidelity).map_err(of_vendor)?;
        let may_have_stayed = if request.on_demand_url.is_some() {
            self.client.update_live_record_notify_config(&request).await?;
            false
        } else {
            self.update_clearing(&request).await?
        };
        let applied = Applied { id: None, effective, deviations, unconfirmed: Vec::new() };
        if !may_have_stayed {
            return Ok(applied);
        }
        confirm_dropped(self.client.retry(), || self.read(config.domain()), applied, fidelity)
            .await
            .map_err(|error| of_vendor(error).with_operation(wire::UPDATE))
    }

    async fn delete(&self, key: &CallbackKey) -> Result<()> {
        Self::check(key)?;
        delete_settled(self.client.delete_live_record_notify_config(key.domain.as_str()).await)
    }
}

fn unlisted(message: impl Into<String>) -> Error {
    of_vendor(Error::new(ErrorKind::Unavailable, message)).with_operation(wire::USER_DOMAINS)
}

fn of_vendor(error: Error) -> Error {
    error.with_vendor(VENDOR)
}
