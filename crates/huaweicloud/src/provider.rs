//! The neutral trait on top of the client.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use record_callback_core::{
    AccountId, Applied, CallbackKey, Capabilities, ConfigId, DomainName, Error, ErrorKind, Fidelity, Field,
    Fitted, RecordCallbackConfig, RecordCallbackProvider, Result, StoredCallback, Vendor,
};
use record_callback_http::{Seen, Spellings, confirm_dropped, create_settled, delete_settled, read_settled};

use crate::VENDOR;
use crate::client::HuaweicloudClient;
use crate::error;
use crate::listing::Listing;
use crate::translate::{CAPABILITIES, stored, translate};
use crate::wire::{self, Cleared, ListQuery, RecordCallbackConfigRequest};

/// Huawei Cloud Live as a [`RecordCallbackProvider`]: one config for each ingest domain and app.
///
/// Lists end after 672 pages of 100 configs, however many the cloud says there are; each call within its deadline
/// ([`RetryPolicy`](record_callback_http::RetryPolicy)). Clones share the ids that were learnt, and what else was learnt
/// about the cloud.
#[derive(Debug, Clone)]
pub struct HuaweicloudProvider {
    pub(crate) client: HuaweicloudClient,
    pub(crate) learnt: Arc<Learnt>,
}

#[derive(Debug, Default)]
pub(crate) struct Learnt {
    configs: Mutex<HashMap<CallbackKey, Known>>,
    /// The spellings of the domains of configs.
    pub(crate) spellings: Spellings,
    /// The spellings of the project's domains, with configs or without.
    pub(crate) domains: Spellings,
    /// Offsets of lists count pages.
    counts_pages: AtomicBool,
    refuses_empty_url: AtomicBool,
    refuses_empty_key: AtomicBool,
}

/// What is known of a config. Others may have changed it since.
#[derive(Debug)]
struct Known {
    id: ConfigId,
    /// The domain as the cloud spells it.
    domain: String,
    on_demand_url: OnDemandUrl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnDemandUrl {
    Absent,
    Shown,
    /// Sent by us, and not shown since: reads may lag, so one that shows none says nothing.
    Sent,
}

impl HuaweicloudProvider {
    /// A provider that uses `client`.
    pub fn new(client: HuaweicloudClient) -> Self {
        Self { client, learnt: Arc::default() }
    }

    /// The client, for operations the neutral trait does not have.
    pub fn client(&self) -> &HuaweicloudClient {
        &self.client
    }

    fn configs(&self) -> MutexGuard<'_, HashMap<CallbackKey, Known>> {
        self.learnt.configs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id(&self, key: &CallbackKey) -> Option<ConfigId> {
        self.configs().get(key).map(|known| known.id.clone())
    }

    /// Learns from what the cloud shows.
    fn learn(&self, found: &StoredCallback) {
        self.learnt.spellings.learn(&found.key.domain);
        let Some(id) = &found.id else { return };
        let mut configs = self.configs();
        let sent = configs
            .get(&found.key)
            .is_some_and(|known| known.id == *id && known.on_demand_url == OnDemandUrl::Sent);
        let on_demand_url = match found.on_demand_url {
            Some(_) => OnDemandUrl::Shown,
            None if sent => OnDemandUrl::Sent,
            None => OnDemandUrl::Absent,
        };
        let domain = found.key.domain.spelling().to_owned();
        configs.insert(found.key.clone(), Known { id: id.clone(), domain, on_demand_url });
    }

    /// Learns from what we write.
    fn wrote(&self, key: &CallbackKey, id: &ConfigId, on_demand_url: OnDemandUrl) {
        let domain = self.spelling(key);
        self.configs().insert(key.clone(), Known { id: id.clone(), domain, on_demand_url });
    }

    /// The domain of `key` as the cloud spells it, as far as is known.
    fn spelling(&self, key: &CallbackKey) -> String {
        let known = self.configs().get(key).map(|known| known.domain.clone());
        known.unwrap_or_else(|| self.spellings(&key.domain).swap_remove(0))
    }

    /// Finds the config of exactly `key` by listing, and learns its id.
    async fn find(&self, key: &CallbackKey) -> Result<Option<StoredCallback>> {
        let query = ListQuery { app: Some(key.app.as_str().to_owned()), ..ListQuery::default() };
        let wanted = |stored: &StoredCallback| stored.key == *key;
        let mut found = Box::pin(self.list_domain(&key.domain, &query, wanted)).await?;
        found.retain(wanted);
        let found = found.into_iter().next();
        match &found {
            Some(found) => self.learn(found),
            None => drop(self.configs().remove(key)),
        }
        Ok(found)
    }

    /// The configs `query` lists, or, once one of them is `wanted`, those listed until then.
    pub(crate) async fn pages(
        &self,
        mut query: ListQuery,
        wanted: impl Fn(&StoredCallback) -> bool,
    ) -> Result<Vec<StoredCallback>> {
        let mut listing = Listing::new(self.learnt.counts_pages.load(Ordering::Relaxed));
        while let Some((offset, limit)) = listing.next().map_err(of_vendor)? {
            query.offset = Some(offset);
            query.limit = Some(limit);
            let page = self.client.list_record_callback_configs(&query).await?;
            let total = page.total;
            if listing.take(page.into_configs().into_iter().map(stored), total).iter().any(&wanted) {
                break;
            }
        }
        if let Some(counts_pages) = listing.counts_pages() {
            self.learnt.counts_pages.store(counts_pages, Ordering::Relaxed);
        }
        Ok(listing.into_configs())
    }

    /// Finds the config of exactly `key`, also where lists lag behind a create of ours.
    async fn look_up(&self, key: &CallbackKey) -> Result<Option<StoredCallback>> {
        let remembered = self.id(key);
        match (self.find(key).await?, remembered) {
            (None, Some(id)) => Ok(self.show(&id).await?.filter(|found| found.key == *key)),
            (found, _) => Ok(found),
        }
    }

    /// Runs `action` with the config's id: the `known` one, or, without one or if the cloud does not take it, the
    /// one a list shows. `NotFound` when there is none.
    ///
    /// Clouds may call an unknown id an invalid request, and an earlier attempt, whose answer was lost, may be why it is
    /// unknown: the list decides.
    async fn with_id<T, F>(
        &self,
        key: &CallbackKey,
        known: Option<ConfigId>,
        action: impl Fn(ConfigId) -> F,
    ) -> Result<(ConfigId, T)>
    where
        F: Future<Output = Result<T>>,
    {
        // Whatever became of the answers to a list, the action was not called.
        let find = async || self.find(key).await.map_err(Error::with_nothing_applied);
        let mut just_found = known.is_none();
        let mut id = match known {
            Some(id) => id,
            None => self
                .look_up(key)
                .await
                .map_err(Error::with_nothing_applied)?
                .and_then(|found| found.id)
                .ok_or_else(|| none(key))?,
        };
        let mut maybe_applied = false;
        loop {
            let error = match action(id.clone()).await {
                Ok(value) => return Ok((id, value)),
                Err(error) => error,
            };
            maybe_applied |= error.maybe_applied();
            let error = error.with_maybe_applied_if(maybe_applied);
            // Of an id that was just found, only an invalid request after a lost answer says nothing certain.
            let certain = just_found && (!maybe_applied || error.kind() == ErrorKind::NotFound);
            if !may_be_gone(&error) || certain {
                return Err(error);
            }
            let found = if maybe_applied {
                // What is gone may show for a while.
                let other = |found: &Option<StoredCallback>| {
                    found.as_ref().and_then(|found| found.id.as_ref()) != Some(&id)
                };
                read_settled(self.client.retry(), &find, other).await
            } else {
                find().await
            };
            let found = match found {
                Ok(found) => found,
                Err(unseen) if maybe_applied && error.kind() != ErrorKind::NotFound => {
                    return Err(unseen.with_maybe_applied());
                }
                Err(_) if maybe_applied => return Err(error),
                Err(unseen) => return Err(unseen),
            };
            match found.and_then(|found| found.id) {
                Some(other) if other != id && !just_found => id = other,
                Some(_) => return Err(error),
                None => {
                    return Err(none(key).with_source(error).with_maybe_applied_if(maybe_applied));
                }
            }
            just_found = true;
        }
    }

    /// Replaces the config of `key`, with this id, and clears what `request` does not have; true if an earlier on-demand
    /// URL may have stayed.
    ///
    /// There is nothing to clear where the cloud showed no on-demand URL, and an empty text it may refuse is a further
    /// request. That it showed none is known from this process only, and others may have set one since: `ensure` and
    /// whoever else needs to be certain reads back. Of a key nothing is ever shown.
    async fn update_clearing(
        &self,
        key: &CallbackKey,
        id: &ConfigId,
        request: &RecordCallbackConfigRequest,
    ) -> Result<bool> {
        let (absent, learnt) = (request.absent(), &*self.learnt);
        if !absent.on_demand_url {
            // Before the answer, which may be lost.
            self.wrote(key, id, OnDemandUrl::Sent);
        }
        let known = self.configs().get(key).filter(|known| known.id == *id).map(|known| known.on_demand_url);
        let clears_url = absent.on_demand_url && known != Some(OnDemandUrl::Absent);
        let all = Cleared {
            on_demand_url: clears_url && !learnt.refuses_empty_url.load(Ordering::Relaxed),
            key: absent.key && !learnt.refuses_empty_key.load(Ordering::Relaxed),
        };
        let nothing = Cleared { on_demand_url: false, key: false };
        // Each may be refused on its own.
        let mut ways = vec![all, Cleared { key: false, ..all }, Cleared { on_demand_url: false, ..all }];
        ways.retain(|way| *way != nothing);
        ways.dedup();
        let mut maybe_applied = false;
        let request = RecordCallbackConfigRequest { publish_domain: self.spelling(key), ..request.clone() };
        let update = async |way: Cleared| {
            let request = request.clearing(way);
            let result = self.client.update_record_callback_config(id.as_str(), &request).await;
            if result.is_ok() && way != all {
                let (url, key) = (way.on_demand_url != all.on_demand_url, way.key != all.key);
                learnt.refuses_empty_url.fetch_or(url, Ordering::Relaxed);
                learnt.refuses_empty_key.fetch_or(key, Ordering::Relaxed);
            }
            if result.is_ok() && way.on_demand_url {
                self.wrote(key, id, OnDemandUrl::Absent);
            }
            result.map(|_| clears_url && !way.on_demand_url)
        };
        for way in ways {
            match update(way).await {
                Err(error) if error::empty_refused(&error) => {
                    maybe_applied |= error.maybe_applied();
                }
                result => return result.map_err(|error| error.with_maybe_applied_if(maybe_applied)),
            }
        }
        // What is refused now is refused for something else.
        update(nothing).await.map_err(|error| error.with_maybe_applied_if(maybe_applied))
    }

    /// Creates the config on the domain as the cloud spells it. `DomainNotFound` if it knows none.
    async fn create_in_its_spelling(
        &self,
        key: &CallbackKey,
        request: &RecordCallbackConfigRequest,
    ) -> Result<Option<ConfigId>> {
        let create = async |publish_domain: String| {
            let request = RecordCallbackConfigRequest { publish_domain, ..request.clone() };
            let answer = self.client.create_record_callback_config(&request).await?;
            Ok::<_, Error>(answer.id.map(ConfigId::new))
        };
        let name = self.spelling(key);
        let error = match create(name.clone()).await {
            Err(error) if error.kind() == ErrorKind::DomainNotFound => error,
            result => return result,
        };
        // It says so itself; how the domain is spelled is all there is to learn.
        let _ = self.has(&key.domain).await;
        match self.spelling(key) {
            other if other != name => create(other).await,
            _ => Err(error),
        }
    }

    /// The config with this id; `None` if the cloud does not take the id.
    async fn show(&self, id: &ConfigId) -> Result<Option<StoredCallback>> {
        match self.client.show_record_callback_config(id.as_str()).await {
            Ok(answer) => {
                let found = stored(answer);
                self.learn(&found);
                Ok(Some(found))
            }
            Err(error) if may_be_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether the cloud says that the config may not be there: it may call an unknown id an invalid request.
fn may_be_gone(error: &Error) -> bool {
    error.status().is_some() && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidConfig)
}

fn none(key: &CallbackKey) -> Error {
    of_vendor(Error::new(ErrorKind::NotFound, format!("there is no config for {key}")))
        .with_domain(key.domain.as_str())
}

#[async_trait]
impl RecordCallbackProvider for HuaweicloudProvider {
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
        if let Some(id) = self.id(key) {
            // If not, the id is for another pair by now, or gone: somebody changed it behind our back.
            let shown = self.show(&id).await.map_err(of_domain(&key.domain))?;
            if let Some(found) = shown.filter(|found| found.key == *key) {
                return Ok(Some(found));
            }
        }
        let found = self.find(key).await.map_err(of_domain(&key.domain))?;
        if found.is_none() {
            self.check_domain(&key.domain).await.map_err(of_domain(&key.domain))?;
        }
        Ok(found)
    }

    async fn list(&self, domain: Option<&DomainName>) -> Result<Vec<StoredCallback>> {
        let query = ListQuery::default();
        let Some(domain) = domain else {
            let configs = self.pages(query, |_| false).await?;
            self.learnt
                .spellings
                .learn_all(configs.iter().map(|found| found.key.domain.clone()).collect())
                .await;
            for found in &configs {
                self.learn(found);
            }
            return Ok(configs);
        };
        let configs = self.list_domain(domain, &query, |_| false).await.map_err(of_domain(domain))?;
        if configs.is_empty() {
            self.check_domain(domain).await.map_err(of_domain(domain))?;
        }
        for found in &configs {
            self.learn(found);
        }
        Ok(configs)
    }

    async fn create(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let (request, Fitted { effective, deviations }) = translate(config, fidelity).map_err(of_vendor)?;
        let key = config.key();
        // A cloud that compares names letter by letter would put a second config beside one in another spelling. Where the
        // list fails, the create itself says what is wrong.
        let _ = self.look_at_all(&key.domain).await;
        let create = || self.create_in_its_spelling(&key, &request);
        let read = || async {
            Ok(match self.find(&key).await? {
                None => Seen::Nothing,
                Some(found) if found.shows(&effective) => Seen::Wanted(found.id),
                Some(_) => Seen::Other,
            })
        };
        let created = create_settled(self.client.retry(), create, read)
            .await
            .map_err(|error| of_vendor(error).with_domain(config.domain().as_str()))?;
        let id = match created {
            Some(id) => Some(id),
            // Some documents show an answer without a body. It is created all the same if looking it up fails.
            None => read_settled(self.client.retry(), || self.find(&key), Option::is_some)
                .await
                .ok()
                .flatten()
                .and_then(|found| found.id),
        };
        if let Some(id) = &id {
            let sent = effective.on_demand_url().is_some();
            self.wrote(&key, id, if sent { OnDemandUrl::Sent } else { OnDemandUrl::Absent });
        }
        let unconfirmed = effective.signing().key().map(|_| Field::SigningKey).into_iter().collect();
        Ok(Applied { id, effective, deviations, unconfirmed })
    }

    async fn update(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let (request, Fitted { effective, deviations }) = translate(config, fidelity).map_err(of_vendor)?;
        let key = config.key();
        let updated = self
            .with_id(&key, self.id(&key), |id| {
                let (key, request) = (&key, &request);
                async move { self.update_clearing(key, &id, request).await }
            })
            .await;
        let (id, may_have_stayed) = self.unless_without_domain(&key.domain, updated).await?;
        // With a key: it is never shown. Without: whether an earlier one is dropped is UNVERIFIED, and never shown.
        let unconfirmed = vec![Field::SigningKey];
        let applied = Applied { id: Some(id.clone()), effective, deviations, unconfirmed };
        if !may_have_stayed {
            return Ok(applied);
        }
        confirm_dropped(self.client.retry(), || self.show(&id), applied, fidelity)
            .await
            .map_err(|error| of_vendor(error).with_operation(wire::UPDATE))
    }

    async fn delete(&self, key: &CallbackKey) -> Result<()> {
        let delete = async |id: ConfigId| self.client.delete_record_callback_config(id.as_str()).await;
        // Not by an id we remember: it may be gone, which some clouds answer with a success, or another pair's.
        let deleted = self.with_id(key, None, delete).await;
        self.configs().remove(key);
        delete_settled(self.unless_without_domain(&key.domain, deleted).await)
    }
}

/// Errors of IAM, and of calls by id, do not name the domain by themselves.
pub(crate) fn of_domain(domain: &DomainName) -> impl Fn(Error) -> Error + '_ {
    |error| error.with_domain(domain.as_str())
}

pub(crate) fn of_vendor(error: Error) -> Error {
    error.with_vendor(VENDOR)
}
