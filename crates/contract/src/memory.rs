use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use record_callback_core::{
    AccountId, Applied, CallbackKey, Capabilities, ConfigId, DomainName, DomainRole, Error, ErrorKind,
    EventKind, EventSet, EventSupport, Fidelity, Field, Fitted, OnDemandSupport, RecordCallbackConfig,
    RecordCallbackProvider, Result, SigningScheme, SigningSupport, StoredCallback, StoredKey, StoredSigning,
    Vendor,
};

const MEMORY: Vendor = Vendor::new("memory");
/// Switched together in [`MemoryProvider::narrow`].
const STATUS: [EventKind; 3] =
    [EventKind::RecordingPaused, EventKind::RecordingResumed, EventKind::RecordingFailed];

/// A provider that keeps configs in memory: the reference for implementors, and a
/// fake for the tests of whatever uses a provider.
///
/// It behaves as its [`Capabilities`] say, whichever they are. To see how code copes
/// with a difficult cloud, let it [lag](Self::with_read_lag) or [ignore](Self::ignoring) fields.
///
/// ```
/// use record_callback_contract::{MemoryProvider, NoWait};
/// use record_callback_core::{
///     ErrorKind, Fidelity, Field, ReadBack, RecordCallbackConfig, RecordCallbackProviderExt,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cloud = MemoryProvider::full().with_read_lag(2).ignoring(Field::OnDemandUrl);
/// let config = RecordCallbackConfig::builder("live.example.com", "https://cb.example.com")
///     .on_demand_url("https://od.example.com")
///     .build()?;
///
/// let error = cloud.ensure(&config, Fidelity::Exact, &ReadBack::new(NoWait)).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotApplied);
/// assert_eq!(error.differences()[0].field, Field::OnDemandUrl);
/// # Ok(())
/// # }
/// ```
pub struct MemoryProvider {
    capabilities: Capabilities,
    account: Option<AccountId>,
    read_lag: u32,
    ignored: Vec<Field>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    configs: BTreeMap<CallbackKey, StoredCallback>,
    /// What reads see while they lag behind.
    past: Option<BTreeMap<CallbackKey, StoredCallback>>,
    /// How many reads still see the past.
    past_reads: u32,
    last_id: u64,
}

impl MemoryProvider {
    /// An empty cloud with these abilities.
    pub fn new(capabilities: Capabilities) -> Self {
        Self { capabilities, account: None, read_lag: 0, ignored: Vec::new(), state: Mutex::default() }
    }

    /// An empty cloud that can express the whole model.
    pub fn full() -> Self {
        Self::new(Capabilities {
            domain_role: DomainRole::Ingest,
            named_apps: true,
            events: EventSupport {
                always: EventSet::default(),
                selectable: EventKind::known().collect(),
                groups: Vec::new(),
                vendor_named: true,
            },
            signing: SigningSupport {
                schemes: vec![SigningScheme::Md5, SigningScheme::HmacSha256],
                key_length: 16..=128,
                key_readable: true,
            },
            on_demand_url: OnDemandSupport::Documented,
            ids: true,
            list_page: Some(100),
        })
    }

    /// An empty cloud of few abilities: one config per domain, completed files always sent, some status
    /// events only together, MD5 with 16 to 32 characters, neither on-demand URLs nor ids.
    pub fn narrow() -> Self {
        Self::new(Capabilities {
            domain_role: DomainRole::Streaming,
            named_apps: false,
            events: EventSupport {
                always: EventSet::from([EventKind::FileCompleted]),
                selectable: EventSet::default(),
                groups: vec![EventSet::from(STATUS)],
                vendor_named: false,
            },
            signing: SigningSupport {
                schemes: vec![SigningScheme::Md5],
                key_length: 16..=32,
                key_readable: true,
            },
            on_demand_url: OnDemandSupport::Unsupported,
            ids: false,
            list_page: None,
        })
    }

    /// An empty cloud that never shows a signing key, takes keys of at least 32 characters,
    /// and promises nothing about on-demand URLs.
    pub fn key_hiding() -> Self {
        let mut cloud = Self::full();
        cloud.capabilities.events.vendor_named = false;
        cloud.capabilities.signing.key_length = 32..=128;
        cloud.capabilities.signing.key_readable = false;
        cloud.capabilities.on_demand_url = OnDemandSupport::Undocumented;
        cloud
    }

    /// Says that the configs are of this account. Without it nobody can tell whose they are.
    #[must_use]
    pub fn with_account(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    /// Lets each write show only after `reads` more reads, of whatever kind.
    #[must_use]
    pub fn with_read_lag(mut self, reads: u32) -> Self {
        self.read_lag = reads;
        self
    }

    /// Accepts `field` in every write, and does not store it: it stays as it was.
    #[must_use]
    pub fn ignoring(mut self, field: Field) -> Self {
        self.ignored.push(field);
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_key(&self, key: &CallbackKey) -> Result<()> {
        self.capabilities.check_key(key).map_err(|error| error.with_vendor(MEMORY))
    }

    fn fit(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Fitted> {
        self.capabilities.fit(config, fidelity).map_err(|error| error.with_vendor(MEMORY))
    }

    /// Stores what was asked, except the fields to ignore, which stay as they were in `before`.
    fn store(&self, state: &mut State, fitted: Fitted, before: &StoredCallback) -> Applied {
        let Fitted { effective, deviations } = fitted;
        let mut stored = as_stored(&effective, before.id.clone());
        for field in &self.ignored {
            match field {
                Field::NotifyUrl => stored.notify_url.clone_from(&before.notify_url),
                Field::OnDemandUrl => stored.on_demand_url.clone_from(&before.on_demand_url),
                Field::Events => stored.events.clone_from(&before.events),
                Field::Signing => stored.signing.clone_from(&before.signing),
                Field::SigningKey => stored.signing.key.clone_from(&before.signing.key),
                // Domain and app are the config's identity, not something it stores.
                _ => {}
            }
        }
        state.remember_past(self.read_lag);
        state.configs.insert(effective.key(), stored);
        let hidden = (!self.capabilities.signing.key_readable).then_some(Field::SigningKey);
        Applied { id: before.id.clone(), effective, deviations, unconfirmed: hidden.into_iter().collect() }
    }

    /// A config as this cloud reports it.
    fn report(&self, stored: &StoredCallback) -> StoredCallback {
        let mut reported = stored.clone();
        if !self.capabilities.signing.key_readable {
            reported.signing.key = StoredKey::Hidden;
        }
        reported
    }
}

impl State {
    /// Called before each write.
    fn remember_past(&mut self, reads: u32) {
        if reads > 0 && self.past.is_none() {
            self.past = Some(self.configs.clone());
        }
        self.past_reads = reads;
    }

    /// What a read sees now.
    fn read(&mut self) -> &BTreeMap<CallbackKey, StoredCallback> {
        if self.past_reads == 0 {
            self.past = None;
        } else {
            self.past_reads -= 1;
        }
        self.past.as_ref().unwrap_or(&self.configs)
    }
}

/// A config with every field stored.
fn as_stored(config: &RecordCallbackConfig, id: Option<ConfigId>) -> StoredCallback {
    StoredCallback {
        notify_url: Some(config.notify_url().to_string()),
        on_demand_url: config.on_demand_url().map(ToString::to_string),
        events: config.events().clone(),
        signing: StoredSigning {
            scheme: config.signing().scheme(),
            key: config.signing().key().cloned().map_or(StoredKey::NotSet, StoredKey::Known),
        },
        ..blank(config.key(), id)
    }
}

/// A config with nothing stored yet.
fn blank(key: CallbackKey, id: Option<ConfigId>) -> StoredCallback {
    StoredCallback {
        key,
        id,
        notify_url: None,
        on_demand_url: None,
        events: EventSet::default(),
        signing: StoredSigning { scheme: None, key: StoredKey::NotSet },
        created_at: None,
        updated_at: None,
    }
}

fn refusal(kind: ErrorKind, key: &CallbackKey, problem: &str) -> Error {
    Error::new(kind, format!("the config of app `{}` {problem}", key.app))
        .with_vendor(MEMORY)
        .with_domain(key.domain.as_str())
}

/// Shows neither keys nor URLs.
impl fmt::Debug for MemoryProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryProvider")
            .field("capabilities", &self.capabilities)
            .field("account", &self.account)
            .field("read_lag", &self.read_lag)
            .field("ignored", &self.ignored)
            .field("configs", &self.state().configs.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl RecordCallbackProvider for MemoryProvider {
    fn vendor(&self) -> Vendor {
        MEMORY
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn account(&self) -> Result<Option<AccountId>> {
        Ok(self.account.clone())
    }

    async fn get(&self, key: &CallbackKey) -> Result<Option<StoredCallback>> {
        self.check_key(key)?;
        Ok(self.state().read().get(key).map(|stored| self.report(stored)))
    }

    async fn list(&self, domain: Option<&DomainName>) -> Result<Vec<StoredCallback>> {
        let wanted = |stored: &&StoredCallback| domain.is_none_or(|domain| stored.key.domain == *domain);
        Ok(self.state().read().values().filter(wanted).map(|stored| self.report(stored)).collect())
    }

    async fn create(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let fitted = self.fit(config, fidelity)?;
        let mut state = self.state();
        if state.configs.contains_key(&config.key()) {
            return Err(refusal(ErrorKind::AlreadyExists, &config.key(), "exists already"));
        }
        state.last_id += 1;
        let id = self.capabilities.ids.then(|| ConfigId::new(format!("memory-{}", state.last_id)));
        Ok(self.store(&mut state, fitted, &blank(config.key(), id)))
    }

    async fn update(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let fitted = self.fit(config, fidelity)?;
        let mut state = self.state();
        let Some(before) = state.configs.get(&config.key()).cloned() else {
            return Err(refusal(ErrorKind::NotFound, &config.key(), "does not exist"));
        };
        Ok(self.store(&mut state, fitted, &before))
    }

    async fn delete(&self, key: &CallbackKey) -> Result<()> {
        self.check_key(key)?;
        let mut state = self.state();
        if !state.configs.contains_key(key) {
            return Err(refusal(ErrorKind::NotFound, key, "does not exist"));
        }
        state.remember_past(self.read_lag);
        state.configs.remove(key);
        Ok(())
    }
}
