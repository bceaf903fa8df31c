use std::sync::Arc;

use async_trait::async_trait;
use record_callback::{
    AccountId, Applied, CallbackKey, Capabilities, DomainName, EventKind, Fidelity, Field, Fitted,
    OnDemandSupport, RecordCallbackConfig, RecordCallbackProvider, Result, StoredCallback, Vendor,
};
use record_callback_mock::{AliyunOmitted, EmptyOnDemandUrl, RecordStart, Uniqueness};
use record_callback_tests::Dialects;

/// A provider that is asked only for what its cloud has in a dialect.
///
/// What the vendor's capabilities promise and a dialect's cloud refuses, users are told by an error of the cloud; then they
/// ask for less. The suite asks for less from the beginning.
#[derive(Debug)]
pub(crate) struct Limited {
    inner: Arc<dyn RecordCallbackProvider>,
    capabilities: Capabilities,
}

impl Limited {
    pub(crate) fn new(inner: Arc<dyn RecordCallbackProvider>, dialects: &Dialects) -> Self {
        let mut capabilities = inner.capabilities().clone();
        let (aliyun, huaweicloud) = (&dialects.aliyun, &dialects.huaweicloud);
        if huaweicloud.record_start == RecordStart::Refused {
            let refused = EventKind::RecordingStarted;
            let events = &mut capabilities.events;
            events.selectable = events.selectable.iter().filter(|kind| **kind != refused).cloned().collect();
        }
        if huaweicloud.uniqueness == Uniqueness::PerDomain {
            capabilities.named_apps = false;
        }
        capabilities.signing.key_readable |= huaweicloud.key_in_answers;
        // No update can drop an on-demand URL then; a test of its own has what is told instead.
        if aliyun.omitted_on_update == AliyunOmitted::Kept
            && aliyun.empty_on_demand_url == EmptyOnDemandUrl::Refused
        {
            capabilities.on_demand_url = OnDemandSupport::Unsupported;
        }
        Self { inner, capabilities }
    }

    fn applied(&self, applied: Applied, fitted: Fitted) -> Applied {
        let mut unconfirmed = applied.unconfirmed;
        if self.capabilities.signing.key_readable {
            unconfirmed.retain(|field| *field != Field::SigningKey);
        }
        Applied { deviations: fitted.deviations, unconfirmed, ..applied }
    }
}

#[async_trait]
impl RecordCallbackProvider for Limited {
    fn vendor(&self) -> Vendor {
        self.inner.vendor()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn account(&self) -> Result<Option<AccountId>> {
        self.inner.account().await
    }

    async fn get(&self, key: &CallbackKey) -> Result<Option<StoredCallback>> {
        self.check(self.capabilities.check_key(key))?;
        self.inner.get(key).await
    }

    async fn list(&self, domain: Option<&DomainName>) -> Result<Vec<StoredCallback>> {
        self.inner.list(domain).await
    }

    async fn create(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let fitted = self.check(self.capabilities.fit(config, fidelity))?;
        let applied = self.inner.create(&fitted.effective, Fidelity::Exact).await?;
        Ok(self.applied(applied, fitted))
    }

    async fn update(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let fitted = self.check(self.capabilities.fit(config, fidelity))?;
        let applied = self.inner.update(&fitted.effective, Fidelity::Exact).await?;
        Ok(self.applied(applied, fitted))
    }

    async fn delete(&self, key: &CallbackKey) -> Result<()> {
        self.check(self.capabilities.check_key(key))?;
        self.inner.delete(key).await
    }
}

impl Limited {
    fn check<T>(&self, checked: Result<T>) -> Result<T> {
        checked.map_err(|error| error.with_vendor(self.vendor()))
    }
}
