//! The neutral trait on top of the client.

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use record_callback_core::{
    Applied, CallbackKey, Capabilities, DomainName, Error, ErrorKind, Fidelity, Fitted, RecordCallbackConfig,
    RecordCallbackProvider, Result, StoredCallback, Vendor,
};
use record_callback_http::{Seen, create_settled};

use crate::VENDOR;
use crate::client::AliyunClient;
use crate::translate::{CAPABILITIES, stored, translate};
use crate::wire::{STREAMING, UserDomainsQuery};

/// Largest page of `DescribeLiveUserDomains`.
const PAGE_SIZE: u32 = 50;
/// Configs read at a time while listing; the quota paces them.
const CONCURRENT_READS: usize = 8;

/// Aliyun Live as a [`RecordCallbackProvider`]: one config for each streaming domain.
#[derive(Debug, Clone)]
pub struct AliyunProvider {
    client: AliyunClient,
}

impl AliyunProvider {
    /// A provider that uses `client`.
    pub fn new(client: AliyunClient) -> Self {
        Self { client }
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

    async fn streaming_domains(&self) -> Result<BTreeSet<DomainName>> {
        // A set: a domain added meanwhile may shift the pages.
        let mut names = BTreeSet::new();
        let mut seen = 0;
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
            seen += page.domains().len();
            if page.domains().is_empty()
                || page.total_count.map_or(names.len() == before, |total| seen >= total as usize)
            {
                break;
            }
        }
        Ok(names)
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
        let (mut request, Fitted { effective, deviations }) =
            translate(config, fidelity).map_err(of_vendor)?;
        let current = self.client.describe_live_record_notify_config(config.domain().as_str()).await?;
        // Whether a field that is not sent is cleared is UNVERIFIED; both official SDKs send an empty one.
        if request.on_demand_url.is_none() && current.on_demand_url.is_some_and(|url| !url.is_empty()) {
            request.on_demand_url = Some(String::new());
        }
        self.client.update_live_record_notify_config(&request).await?;
        Ok(Applied { id: None, effective, deviations, unconfirmed: Vec::new() })
    }

    async fn delete(&self, key: &CallbackKey) -> Result<()> {
        Self::check(key)?;
        match self.client.delete_live_record_notify_config(key.domain.as_str()).await {
            // An earlier attempt, whose answer was lost, deleted it.
            Err(error) if error.kind() == ErrorKind::NotFound && error.maybe_applied() => Ok(()),
            result => result.map(drop),
        }
    }
}

fn of_vendor(error: Error) -> Error {
    error.with_vendor(VENDOR)
}
