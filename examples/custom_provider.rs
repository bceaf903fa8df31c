//! A provider of your own: implement the trait, then let the contract suite judge it.
//!
//! Run with `cargo run -p record-callback-examples --example custom_provider`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use record_callback::{
    AccountId, Applied, CallbackKey, Capabilities, DomainName, DomainRole, Error, ErrorKind, EventKind,
    EventSet, EventSupport, Fidelity, Fitted, OnDemandSupport, RecordCallbackConfig, RecordCallbackProvider,
    Result, SigningScheme, SigningSupport, StoredCallback, StoredKey, StoredSigning, Timer, Vendor,
};
use record_callback_contract::{Harness, NoWait, run};

/// An imaginary cloud that keeps its configs in this process.
#[derive(Debug)]
struct Acme {
    capabilities: Capabilities,
    configs: Mutex<HashMap<CallbackKey, RecordCallbackConfig>>,
}

impl Acme {
    fn new() -> Self {
        let capabilities = Capabilities {
            domain_role: DomainRole::Ingest,
            named_apps: true,
            events: EventSupport {
                always: EventSet::from([EventKind::FileCompleted]),
                selectable: EventSet::from([EventKind::RecordingStarted, EventKind::RecordingFailed]),
                groups: Vec::new(),
                vendor_named: false,
            },
            signing: SigningSupport {
                schemes: vec![SigningScheme::HmacSha256],
                key_length: 32..=64,
                key_readable: true,
            },
            on_demand_url: OnDemandSupport::Unsupported,
            ids: false,
            list_page: None,
        };
        Self { capabilities, configs: Mutex::default() }
    }

    fn with_configs<T>(&self, act: impl FnOnce(&mut HashMap<CallbackKey, RecordCallbackConfig>) -> T) -> T {
        act(&mut self.configs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stores `config` if there is one already, or there is none, as `replace` says.
    fn write(&self, config: &RecordCallbackConfig, fidelity: Fidelity, replace: bool) -> Result<Applied> {
        // Everything the vendor cannot do is refused or reported here, by data.
        let Fitted { effective, deviations } = self.capabilities.fit(config, fidelity)?;
        self.with_configs(|configs| match (configs.contains_key(&config.key()), replace) {
            (true, false) => Err(Error::new(ErrorKind::AlreadyExists, "there is a config already")),
            (false, true) => Err(Error::new(ErrorKind::NotFound, "there is no config")),
            _ => {
                configs.insert(config.key(), effective.clone());
                Ok(Applied { id: None, effective, deviations, unconfirmed: Vec::new() })
            }
        })
    }
}

/// Says whose error it is, and about which domain.
fn in_context(error: Error, domain: &DomainName) -> Error {
    error.with_vendor(Vendor::new("acme")).with_domain(domain.as_str())
}

fn as_stored(config: &RecordCallbackConfig) -> StoredCallback {
    StoredCallback {
        key: config.key(),
        id: None,
        notify_url: Some(config.notify_url().to_string()),
        on_demand_url: config.on_demand_url().map(ToString::to_string),
        events: config.events().clone(),
        signing: StoredSigning {
            scheme: config.signing().scheme(),
            key: config.signing().key().cloned().map_or(StoredKey::NotSet, StoredKey::Known),
        },
        created_at: None,
        updated_at: None,
    }
}

#[async_trait]
impl RecordCallbackProvider for Acme {
    fn vendor(&self) -> Vendor {
        Vendor::new("acme")
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn account(&self) -> Result<Option<AccountId>> {
        // Acme has one account for all, and nothing that tells whose a key is.
        Ok(None)
    }

    async fn get(&self, key: &CallbackKey) -> Result<Option<StoredCallback>> {
        self.capabilities.check_key(key).map_err(|error| in_context(error, &key.domain))?;
        Ok(self.with_configs(|configs| configs.get(key).map(as_stored)))
    }

    async fn list(&self, domain: Option<&DomainName>) -> Result<Vec<StoredCallback>> {
        let wanted = |config: &&RecordCallbackConfig| domain.is_none_or(|domain| domain == config.domain());
        Ok(self.with_configs(|configs| configs.values().filter(wanted).map(as_stored).collect()))
    }

    async fn create(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        self.write(config, fidelity, false).map_err(|error| in_context(error, config.domain()))
    }

    async fn update(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        self.write(config, fidelity, true).map_err(|error| in_context(error, config.domain()))
    }

    async fn delete(&self, key: &CallbackKey) -> Result<()> {
        self.capabilities.check_key(key).map_err(|error| in_context(error, &key.domain))?;
        let deleted = self.with_configs(|configs| configs.remove(key));
        let missing = || in_context(Error::new(ErrorKind::NotFound, "there is no config"), &key.domain);
        deleted.map(drop).ok_or_else(missing)
    }
}

/// Tells the suite how to test it.
struct AcmeHarness;

#[async_trait]
impl Harness for AcmeHarness {
    async fn provider(&self) -> Arc<dyn RecordCallbackProvider> {
        Arc::new(Acme::new())
    }

    fn domains(&self) -> [DomainName; 2] {
        ["one.example.com", "two.example.com"].map(DomainName::reported)
    }

    fn timer(&self) -> Arc<dyn Timer> {
        // What is written shows at once. For a real cloud, sleep for real.
        Arc::new(NoWait)
    }
}

#[tokio::main]
async fn main() {
    let report = run(&AcmeHarness).await;
    println!("{report}");
    report.assert_passed();
}
