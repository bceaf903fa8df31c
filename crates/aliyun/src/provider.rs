//! The neutral trait on top of the client.

use std::collections::BTreeSet;
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
use crate::error;
use crate::translate::{CAPABILITIES, stored, translate};
use crate::wire::{self, FULL_MATCH, RecordNotifyConfig, STREAMING, UserDomainsQuery};

/// Largest page of `DescribeLiveUserDomains`.
pub(crate) const PAGE_SIZE: u32 = 50;
/// How often all pages are asked for, at most.
const MAX_PASSES: u32 = 16;
/// How many pages are asked for, at most, in all passes together: 100 000 domains, where an account has 20 unless the vendor
/// allows it more.
const MAX_PAGES: u32 = 2_000;
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
    spellings: Arc<Spellings>,
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

    /// Runs `action` with the name by which the cloud knows `domain`. `DomainNotFound` if it knows none.
    ///
    /// The documents do not say whether names are compared letter by letter, nor whether a domain that is not in the account is
    /// answered like one without a config: the list of domains decides, where it may be read.
    async fn in_its_spelling<T, F>(&self, domain: &DomainName, action: impl Fn(String) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut missed = of_vendor(Error::new(ErrorKind::NotFound, "there is no config"));
        let (mut has, mut maybe_applied, mut tried) = (None, false, Vec::new());
        for is_looked_up in [false, true] {
            if is_looked_up {
                let unseen = |error: Error| error.with_maybe_applied_if(maybe_applied);
                has = self.has(domain).await.map_err(unseen)?;
            }
            for name in self.spellings.of(domain) {
                if tried.contains(&name) {
                    continue;
                }
                tried.push(name.clone());
                match action(name).await.map_err(|error| error.with_maybe_applied_if(maybe_applied)) {
                    Err(error) if is_missing(&error) => {
                        maybe_applied |= error.maybe_applied();
                        missed = error;
                    }
                    result => return result,
                }
            }
        }
        Err(if has == Some(false) { not_of_the_account(missed) } else { missed })
    }

    /// Whether the account has this streaming domain; `None` if it cannot be told. Learns how it is spelled.
    async fn has(&self, domain: &DomainName) -> Result<Option<bool>> {
        let listed = self.spellings.listed(domain, self.streaming_domains()).await?;
        if listed != Some(false) {
            return Ok(listed);
        }
        // It may be newer than the list.
        let query = UserDomainsQuery {
            live_domain_type: Some(STREAMING.into()),
            domain_name: Some(domain.to_string()),
            domain_search_type: Some(FULL_MATCH.into()),
            ..UserDomainsQuery::default()
        };
        let page = self.client.describe_live_user_domains(&query).await?;
        if !page.lists() {
            return Ok(None);
        }
        let mut found = page.domains().iter().map(|found| DomainName::reported(&found.domain_name));
        let Some(found) = found.find(|found| found == domain) else { return Ok(Some(false)) };
        self.spellings.learn(&found);
        self.spellings.found(&found).await;
        Ok(Some(true))
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

    async fn streaming_domains(&self) -> Result<Vec<DomainName>> {
        let mut pages_left = MAX_PAGES;
        for _ in 0..MAX_PASSES {
            if let Some(names) = self.streaming_domains_unless_they_change(&mut pages_left).await? {
                return Ok(names.iter().map(|name| DomainName::reported(name)).collect());
            }
        }
        Err(unlisted("the number of domains changed again and again while the cloud listed them"))
    }

    /// All pages; `None` if the number of domains changed: one that goes moves another past the next page.
    async fn streaming_domains_unless_they_change(
        &self,
        pages_left: &mut u32,
    ) -> Result<Option<BTreeSet<String>>> {
        let mut names = BTreeSet::new();
        let mut first_total = None;
        let mut query = UserDomainsQuery {
            live_domain_type: Some(STREAMING.into()),
            page_size: Some(PAGE_SIZE),
            ..UserDomainsQuery::default()
        };
        for page in 1.. {
            *pages_left = pages_left.checked_sub(1).ok_or_else(|| {
                unlisted(format!("the cloud listed page after page of domains, {MAX_PAGES} without an end"))
            })?;
            query.page_number = Some(page);
            let page = self.client.describe_live_user_domains(&query).await?;
            if !page.lists() {
                let error = Error::new(ErrorKind::Protocol, "the answer lists no domains");
                return Err(of_vendor(error).with_operation(wire::USER_DOMAINS));
            }
            let before = names.len();
            names.extend(page.domains().iter().map(|domain| domain.domain_name.clone()));
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
        // A cloud that compares names letter by letter would put a second config beside one in another spelling.
        let listed = self.spellings.listed(config.domain(), self.streaming_domains()).await;
        listed.map_err(|error| error.with_nothing_applied().with_domain(config.domain().as_str()))?;
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

/// Whether the cloud says that the config is not there, or the domain.
fn is_missing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DomainNotFound)
}

/// The error for what is missing with the whole domain.
fn not_of_the_account(missed: Error) -> Error {
    match missed.kind() {
        ErrorKind::DomainNotFound => missed,
        _ => missed
            .with_kind(ErrorKind::DomainNotFound)
            .with_advice("the domain is not among the account's streaming domains"),
    }
}

fn unlisted(message: impl Into<String>) -> Error {
    of_vendor(Error::new(ErrorKind::Unavailable, message)).with_operation(wire::USER_DOMAINS)
}

fn of_vendor(error: Error) -> Error {
    error.with_vendor(VENDOR)
}
