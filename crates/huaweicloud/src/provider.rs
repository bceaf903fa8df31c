//! The neutral trait on top of the client.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use record_callback_core::{
    Applied, CallbackKey, Capabilities, ConfigId, DomainName, Error, ErrorKind, Fidelity, Field, Fitted,
    RecordCallbackConfig, RecordCallbackProvider, Result, StoredCallback, Vendor,
};
use record_callback_http::{Seen, create_settled};

use crate::VENDOR;
use crate::client::HuaweicloudClient;
use crate::translate::{CAPABILITIES, PAGE_SIZE, stored, translate};
use crate::wire::ListQuery;

/// Largest offset of a list.
const MAX_OFFSET: u32 = 4096;

/// Huawei Cloud Live as a [`RecordCallbackProvider`]: one config for each ingest domain and app.
///
/// Clones share the ids that were learnt.
#[derive(Debug, Clone)]
pub struct HuaweicloudProvider {
    client: HuaweicloudClient,
    ids: Arc<Mutex<HashMap<CallbackKey, ConfigId>>>,
}

impl HuaweicloudProvider {
    /// A provider that uses `client`.
    pub fn new(client: HuaweicloudClient) -> Self {
        Self { client, ids: Arc::default() }
    }

    /// The client, for operations the neutral trait does not have.
    pub fn client(&self) -> &HuaweicloudClient {
        &self.client
    }

    fn ids(&self) -> MutexGuard<'_, HashMap<CallbackKey, ConfigId>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, found: &StoredCallback) {
        if let Some(id) = &found.id {
            self.ids().insert(found.key.clone(), id.clone());
        }
    }

    /// Finds the config of exactly `key` by listing, and learns its id.
    async fn find(&self, key: &CallbackKey) -> Result<Option<StoredCallback>> {
        let query = ListQuery {
            publish_domain: Some(key.domain.as_str().to_owned()),
            app: Some(key.app.as_str().to_owned()),
            ..ListQuery::default()
        };
        let found = self.pages(query).await?.into_iter().find(|stored| stored.key == *key);
        match &found {
            Some(found) => self.learn(found),
            None => drop(self.ids().remove(key)),
        }
        Ok(found)
    }

    async fn pages(&self, mut query: ListQuery) -> Result<Vec<StoredCallback>> {
        let mut seen = HashSet::new();
        let mut configs = Vec::new();
        let mut offset = 0;
        loop {
            query.offset = Some(offset);
            query.limit = Some(PAGE_SIZE);
            let page = self.client.list_record_callback_configs(&query).await?;
            let total = page.total;
            let page = page.into_configs();
            let length = u32::try_from(page.len()).unwrap_or(u32::MAX);
            // A config created meanwhile may shift the pages.
            let new =
                page.into_iter().filter(|config| config.id.as_ref().is_none_or(|id| seen.insert(id.clone())));
            configs.extend(new.map(stored));
            offset += length;
            if length == 0 || total.map_or(length < PAGE_SIZE, |total| offset >= total) {
                return Ok(configs);
            }
            if offset > MAX_OFFSET {
                let message = format!(
                    "there are more configs than the first {offset}, which are all the cloud lists; list domain by domain"
                );
                return Err(of_vendor(Error::new(ErrorKind::Unsupported, message)));
            }
        }
    }

    /// Runs `action` with the config's id: the one we know, or, if the cloud does not know that one, the
    /// one a list shows. `NotFound` when there is none.
    async fn with_id<T, F>(&self, key: &CallbackKey, action: impl Fn(ConfigId) -> F) -> Result<(ConfigId, T)>
    where
        F: Future<Output = Result<T>>,
    {
        let known = self.ids().get(key).cloned();
        if let Some(id) = known {
            match action(id.clone()).await {
                Err(error) if error.kind() == ErrorKind::NotFound && !error.maybe_applied() => {}
                result => return result.map(|value| (id, value)),
            }
        }
        match self.find(key).await? {
            Some(StoredCallback { id: Some(id), .. }) => action(id.clone()).await.map(|value| (id, value)),
            _ => Err(of_vendor(Error::new(ErrorKind::NotFound, format!("there is no config for {key}")))
                .with_domain(key.domain.as_str())),
        }
    }
}

#[async_trait]
impl RecordCallbackProvider for HuaweicloudProvider {
    fn vendor(&self) -> Vendor {
        VENDOR
    }

    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    async fn get(&self, key: &CallbackKey) -> Result<Option<StoredCallback>> {
        let known = self.ids().get(key).cloned();
        if let Some(id) = known {
            match self.client.show_record_callback_config(id.as_str()).await.map(stored) {
                Ok(found) if found.key == *key => return Ok(Some(found)),
                // The id is for another pair by now, or gone: somebody changed it behind our back.
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.with_domain(key.domain.as_str())),
            }
        }
        self.find(key).await
    }

    async fn list(&self, domain: Option<&DomainName>) -> Result<Vec<StoredCallback>> {
        let query = ListQuery {
            publish_domain: domain.map(|domain| domain.as_str().to_owned()),
            ..ListQuery::default()
        };
        let configs = self.pages(query).await?;
        for found in &configs {
            self.learn(found);
        }
        Ok(configs)
    }

    async fn create(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let (request, Fitted { effective, deviations }) = translate(config, fidelity).map_err(of_vendor)?;
        let key = config.key();
        let create = || async {
            let answer = self.client.create_record_callback_config(&request).await?;
            Ok(answer.id.map(ConfigId::new))
        };
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
            None => self.find(&key).await.ok().flatten().and_then(|found| found.id),
        };
        if let Some(id) = &id {
            self.ids().insert(key, id.clone());
        }
        let unconfirmed = effective.signing().key().map(|_| Field::SigningKey).into_iter().collect();
        Ok(Applied { id, effective, deviations, unconfirmed })
    }

    async fn update(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let (request, Fitted { effective, deviations }) = translate(config, fidelity).map_err(of_vendor)?;
        let (id, _) = self
            .with_id(&config.key(), |id| {
                let request = &request;
                async move { self.client.update_record_callback_config(id.as_str(), request).await }
            })
            .await?;
        // With a key: it is never shown. Without: whether an earlier one is dropped is UNVERIFIED, and never shown.
        let unconfirmed = vec![Field::SigningKey];
        Ok(Applied { id: Some(id), effective, deviations, unconfirmed })
    }

    async fn delete(&self, key: &CallbackKey) -> Result<()> {
        let deleted = self
            .with_id(key, async |id: ConfigId| {
                match self.client.delete_record_callback_config(id.as_str()).await {
                    // An earlier attempt, whose answer was lost, deleted it.
                    Err(error) if error.kind() == ErrorKind::NotFound && error.maybe_applied() => Ok(()),
                    result => result,
                }
            })
            .await;
        self.ids().remove(key);
        deleted.map(drop).map_err(|error| error.with_domain(key.domain.as_str()))
    }
}

fn of_vendor(error: Error) -> Error {
    error.with_vendor(VENDOR)
}
