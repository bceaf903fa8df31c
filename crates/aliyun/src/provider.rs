//! The neutral trait on top of the client.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use record_callback_core::{
    AccountId, Applied, CallbackKey, Capabilities, DomainName, Error, ErrorKind, Fidelity, Fitted,
    RecordCallbackConfig, RecordCallbackProvider, Result, StoredCallback, Vendor,
};
use record_callback_http::{Seen, Spellings, confirm_dropped, create_settled, delete_settled};

use crate::VENDOR;
use crate::client::AliyunClient;
use crate::domains::is_missing;
use crate::error;
use crate::translate::{CAPABILITIES, stored, translate};
use crate::wire::{self, RecordNotifyConfig};

/// Configs read at a time while listing; the quota paces them.
const CONCURRENT_READS: usize = 8;

/// Aliyun Live as a [`RecordCallbackProvider`]: one config for each streaming domain.
///
/// Lists end after 2 000 pages of 50 domains, however many the cloud says there are; each call within its deadline
/// ([`RetryPolicy`](record_callback_http::RetryPolicy)). Clones share what was learnt about the cloud.
#[derive(Debug, Clone)]
pub struct AliyunProvider {
    pub(crate) client: AliyunClient,
    /// The cloud refuses an empty on-demand URL.
    refuses_empty: Arc<AtomicBool>,
    pub(crate) spellings: Arc<Spellings>,
}

impl AliyunProvider {
    /// A provider that uses `client`.
    pub fn new(client: AliyunClient) -> Self {
        Self { client, refuses_empty: Arc::default(), spellings: Arc::default() }
    }

    /// The client, for operations the neutral trait does not have.
    pub fn client(&self) -> &AliyunClient {
        &self.client
    }

    async fn read(&self, domain: &DomainName) -> Result<Option<StoredCallback>> {
        let describe = |name: String| async move { self.describe(&name).await };
        match self.in_its_spelling(domain, describe).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn describe(&self, name: &str) -> Result<StoredCallback> {
        let found = stored(self.client.describe_live_record_notify_config(name).await?);
        self.spellings.learn(&found.key.domain);
        Ok(found)
    }

    /// Reads what a domain has that was just listed; nothing if it is not in the list any more.
    async fn read_listed(&self, domain: DomainName) -> Result<Option<StoredCallback>> {
        match self.describe(domain.spelling()).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::DomainNotFound => {
                let names = self.streaming_domains().await?;
                if names.contains(&domain) { Err(error) } else { Ok(None) }
            }
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
        self.spellings.learn_all(names.clone()).await;
        let reads = names.into_iter().map(|name| self.read_listed(name));
        stream::iter(reads)
            .buffer_unordered(CONCURRENT_READS)
            .try_filter_map(|found| ready(Ok(found)))
            .try_collect()
            .await
    }

    async fn create(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let (mut request, Fitted { effective, deviations }) =
            translate(config, fidelity).map_err(of_vendor)?;
        // A cloud that compares names letter by letter would put a second config beside one in another spelling. Where the
        // list fails, the create itself says what is wrong.
        let _ = self.spellings.listed(config.domain(), self.streaming_domains()).await;
        request.domain_name = self.spellings.best(config.domain());
        let create = || async { self.client.add_live_record_notify_config(&request).await.map(drop) };
        let read = || async {
            Ok(match self.read(config.domain()).await? {
                None => Seen::Nothing,
                Some(found) if found.shows(&effective) => Seen::Wanted(()),
                Some(_) => Seen::Other,
            })
        };
        create_settled(self.client.retry(), create, read).await.map_err(|error| {
            // Nothing but a domain can be missing.
            let error = if is_missing(&error) { error.with_kind(ErrorKind::DomainNotFound) } else { error };
            of_vendor(error).with_domain(config.domain().as_str())
        })?;
        Ok(Applied { id: None, effective, deviations, unconfirmed: Vec::new() })
    }

    async fn update(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let (request, Fitted { effective, deviations }) = translate(config, fidelity).map_err(of_vendor)?;
        let update = |domain_name: String| {
            let request = RecordNotifyConfig { domain_name, ..request.clone() };
            async move {
                if request.on_demand_url.is_none() {
                    return self.update_clearing(&request).await;
                }
                self.client.update_live_record_notify_config(&request).await?;
                Ok(false)
            }
        };
        let may_have_stayed = self.in_its_spelling(config.domain(), update).await?;
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
        let delete = |name: String| async move { self.client.delete_live_record_notify_config(&name).await };
        delete_settled(self.in_its_spelling(&key.domain, delete).await)
    }
}

pub(crate) fn of_vendor(error: Error) -> Error {
    error.with_vendor(VENDOR)
}
