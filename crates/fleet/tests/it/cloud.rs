//! A cloud in memory whose every call can be lost, and which notes what is really written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use record_callback_contract::MemoryProvider;
use record_callback_core::{
    AccountId, Applied, CallbackKey, Capabilities, ConfigId, DomainName, Error, ErrorKind, Fidelity,
    RecordCallbackConfig, RecordCallbackProvider, Result, StoredCallback, Vendor,
};
use record_callback_fleet::{Name, Slot};

use crate::wishes::PROVIDERS;
use crate::world::{Fault, World};

#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) name: Name,
    pub(crate) inner: MemoryProvider,
    /// The configs of another account, and if the keys are of that one now.
    pub(crate) other: MemoryProvider,
    pub(crate) exchanged: AtomicBool,
    pub(crate) world: Arc<World>,
}

fn account(id: &str) -> AccountId {
    AccountId::new(id).unwrap()
}

impl Cloud {
    /// A cloud with an account of ours, which is `inner`, and an empty one that is not.
    pub(crate) fn new(name: &str, inner: MemoryProvider, world: &Arc<World>) -> Arc<Self> {
        let other = MemoryProvider::new(inner.capabilities().clone()).with_account(account("theirs"));
        let (name, inner) = (Name::new(name).unwrap(), inner.with_account(account("ours")));
        Arc::new(Self { name, inner, other, exchanged: AtomicBool::new(false), world: Arc::clone(world) })
    }

    pub(crate) fn slot(&self, key: &CallbackKey) -> Slot {
        Slot { provider: self.name.clone(), key: key.clone() }
    }

    /// The account that the keys show.
    fn shown(&self) -> &MemoryProvider {
        if self.exchanged.load(Ordering::Relaxed) { &self.other } else { &self.inner }
    }

    /// No write is ever to be made with the keys of another account.
    fn written(&self) -> &MemoryProvider {
        if self.exchanged.load(Ordering::Relaxed) {
            self.world.things().violate("another account is written to");
        }
        &self.inner
    }

    /// Calls `effect`; a cloud that ignores the call answers `unheard`.
    async fn call<T>(
        &self,
        what: &str,
        effect: impl Future<Output = Result<T>> + Send,
        unheard: Option<T>,
    ) -> Result<T> {
        if let Some((slot, config)) = self.world.is_meddled_with(&self.name) {
            let changed = config.notifying(&format!("https://meddled.example.com/{}", slot.key.app)).unwrap();
            if self.inner.update(&changed, Fidelity::BestEffort).await.is_ok() {
                self.world.meddled_with(slot, changed);
            }
        }
        let fault = self.world.arrive(what).await;
        let result = match (fault, unheard) {
            (Some(Fault::FailBefore), _) => return Err(Error::new(ErrorKind::Unavailable, "injected")),
            (Some(Fault::Ignored), Some(answer)) => Ok(answer),
            _ => effect.await,
        };
        self.world.leave(fault).await;
        match fault {
            Some(Fault::FailAfter) => Err(Error::new(ErrorKind::Timeout, "injected").with_maybe_applied()),
            _ => result,
        }
    }

    fn has(&self, key: &CallbackKey) -> bool {
        self.world.things().configs.contains_key(&self.slot(key))
    }

    /// What a create answers, if it could be made.
    fn created(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Option<Applied> {
        let fitted = self.capabilities().fit(config, fidelity).ok().filter(|_| !self.has(&config.key()))?;
        let (effective, deviations) = (fitted.effective, fitted.deviations);
        let id = self.capabilities().ids.then(|| ConfigId::new("ignored"));
        Some(Applied { id, effective, deviations, unconfirmed: Vec::new() })
    }
}

#[async_trait]
impl RecordCallbackProvider for Cloud {
    fn vendor(&self) -> Vendor {
        // Three clouds that have nothing to do with each other, whose ids may be the same.
        PROVIDERS
            .into_iter()
            .find(|name| *name == self.name.as_str())
            .map_or_else(|| self.inner.vendor(), Vendor::new)
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn account(&self) -> Result<Option<AccountId>> {
        self.shown().account().await
    }

    async fn get(&self, key: &CallbackKey) -> Result<Option<StoredCallback>> {
        let stored = self.call("get", self.shown().get(key), None).await?;
        self.world.read(&self.name, stored.as_slice());
        Ok(stored)
    }

    async fn list(&self, domain: Option<&DomainName>) -> Result<Vec<StoredCallback>> {
        let stored = self.call("list", self.shown().list(domain), None).await?;
        self.world.read(&self.name, &stored);
        Ok(stored)
    }

    async fn create(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let effect = async {
            let applied = self.written().create(config, fidelity).await?;
            self.world.wrote("create", self.slot(&config.key()), Some(applied.effective.clone()));
            Ok(applied)
        };
        self.call("create", effect, self.created(config, fidelity)).await
    }

    async fn update(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let effect = async {
            let applied = self.written().update(config, fidelity).await?;
            self.world.wrote("update", self.slot(&config.key()), Some(applied.effective.clone()));
            Ok(applied)
        };
        self.call("update", effect, None).await
    }

    async fn delete(&self, key: &CallbackKey) -> Result<()> {
        let effect = async {
            self.written().delete(key).await?;
            self.world.wrote("delete", self.slot(key), None);
            Ok(())
        };
        self.call("delete", effect, self.has(key).then_some(())).await
    }
}
