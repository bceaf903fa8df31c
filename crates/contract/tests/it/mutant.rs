#![expect(clippy::unwrap_used, reason = "a mutant is test code, where a panic is a finding")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use record_callback_contract::{Faults, MemoryProvider};
use record_callback_core::{
    AccountId, AppSelector, Applied, CallbackKey, CallbackSigning, Capabilities, ConfigId, DomainName, Error,
    ErrorKind, EventKind, EventSet, Fidelity, Field, RecordCallbackConfig, RecordCallbackProvider, Result,
    SigningKey, SigningScheme, StoredCallback, StoredKey, StoredSigning, Vendor,
};

/// One way to break the contract, named as what the provider does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    // capabilities, errors
    ChangesCapabilitiesAfterAWrite,
    OmitsVendorAndDomain,
    PutsTheKeyIntoErrors,
    PanicsInUpdate,
    // account
    ChangesTheAccount,
    TakesAnotherAccountForItsOwn,
    ShowsConfigsToOthers,
    LetsOthersChangeConfigs,
    // get
    FailsGetOfMissing,
    FallsBackToWildcardInGet,
    FallsBackToNamedInGet,
    DecodesUrls,
    DecodesAppNames,
    ReadsWildcardForNamed,
    OmitsIds,
    RepeatsIds,
    InventsIds,
    HidesKeys,
    // list
    FailsListOfNothing,
    ListsOnePage,
    ListsSomeTwice,
    ListsEveryDomain,
    ListsOneDomainOnly,
    ListsWithoutSigning,
    // create
    ReplacesInCreate,
    AcceptsIdenticalCreate,
    RacesInCreate,
    DropsWildcardInCreateOfNamed,
    CreatesWildcardForNamed,
    MisreportsCreate,
    ForgetsOnDemandUrl,
    LosesAnswers,
    GivesUpWhenThrottled,
    DoesWhatIsDenied,
    TakesDenialForSomethingElse,
    RepeatsLostCreates,
    RepeatsLostDeletes,
    // fidelity
    DropsSilently,
    NamesOneDeviation,
    StoresWhatItRefuses,
    LosesWhenWidening,
    RefusesToWiden,
    WidensUnasked,
    ReportsNoDeviations,
    PairsPauseAndResume,
    PretendsToDeliver,
    DropsSilentlyInUpdate,
    // signing
    FallsBackToUnsigned,
    TakesAnySigning,
    ConfirmsKeys,
    ConfirmsNothing,
    SignsWithTheStrongestScheme,
    // update
    CreatesInUpdate,
    KeepsOnDemandUrlInUpdate,
    KeepsSigningInUpdate,
    RefusesEqualUpdate,
    MisreportsUpdate,
    UpdatesTheWholeDomain,
    UpdatesEveryDomain,
    FallsBackInUpdate,
    UpdatesWildcardForNamed,
    // delete
    AcceptsDeleteOfMissing,
    DeletesTheWholeDomain,
    DeletesEveryDomain,
    FallsBackInDelete,
    DeletesWildcardForNamed,
    RemembersDeletedConfigs,
}

/// A provider that keeps the contract but for one [`Fault`].
#[derive(Debug)]
pub(crate) struct Mutant {
    cloud: MemoryProvider,
    fault: Fault,
    /// What it says it can do; differs from what `cloud` can where the fault is to take too much.
    claimed: Capabilities,
    changed: Capabilities,
    written: AtomicBool,
    loses_answer: AtomicBool,
    throttles: AtomicBool,
    denies: AtomicBool,
    /// The on-demand URL of the config that was deleted last.
    remembered: Mutex<Option<String>>,
}

impl Mutant {
    pub(crate) fn new(cloud: MemoryProvider, fault: Fault) -> Self {
        let claimed = cloud.capabilities().clone();
        Self::claiming(claimed, cloud, fault)
    }

    /// A provider that claims other abilities than its cloud has.
    pub(crate) fn claiming(claimed: Capabilities, cloud: MemoryProvider, fault: Fault) -> Self {
        let changed = Capabilities { ids: !claimed.ids, ..claimed.clone() };
        Self {
            cloud,
            fault,
            claimed,
            changed,
            written: AtomicBool::default(),
            loses_answer: AtomicBool::default(),
            throttles: AtomicBool::default(),
            denies: AtomicBool::default(),
            remembered: Mutex::default(),
        }
    }

    /// The key the cloud is asked for.
    fn sent(&self, key: &CallbackKey) -> CallbackKey {
        let app = match self.fault {
            Fault::DecodesAppNames => AppSelector::reported(&key.app.as_str().replace("%2B", "+")),
            _ => key.app.clone(),
        };
        CallbackKey::new(key.domain.clone(), app)
    }

    fn shown(&self, mut stored: StoredCallback) -> StoredCallback {
        match self.fault {
            Fault::DecodesUrls => stored.notify_url = stored.notify_url.map(|url| url.replace("%2F", "/")),
            Fault::OmitsIds => stored.id = None,
            Fault::RepeatsIds | Fault::InventsIds => stored.id = Some(ConfigId::new("id")),
            Fault::HidesKeys => stored.signing.key = StoredKey::Hidden,
            _ => {}
        }
        stored
    }

    fn applied(&self, mut applied: Applied) -> Applied {
        match self.fault {
            Fault::OmitsIds => applied.id = None,
            Fault::RepeatsIds | Fault::InventsIds => applied.id = Some(ConfigId::new("id")),
            Fault::ReportsNoDeviations => applied.deviations.clear(),
            Fault::ConfirmsKeys => applied.unconfirmed.clear(),
            Fault::ConfirmsNothing => applied.unconfirmed = vec![Field::SigningKey],
            _ => {}
        }
        applied
    }

    fn failed(&self, error: Error) -> Error {
        match self.fault {
            Fault::OmitsVendorAndDomain => {
                Error::new(error.kind(), error.message()).with_deviations(error.deviations().to_vec())
            }
            Fault::NamesOneDeviation => {
                let first = error.deviations().iter().take(1).cloned().collect();
                error.with_deviations(first)
            }
            _ => error,
        }
    }

    /// What the cloud is asked to store.
    fn wanted(&self, config: &RecordCallbackConfig) -> RecordCallbackConfig {
        let strongest = self.claimed.signing.schemes.last();
        rebuilt(config, |parts| match (self.fault, &parts.signing) {
            (Fault::DecodesAppNames, _) => parts.app = parts.app.replace("%2B", "+"),
            (Fault::ForgetsOnDemandUrl, _) => parts.on_demand_url = None,
            (Fault::RemembersDeletedConfigs, _) => {
                parts.on_demand_url = parts.on_demand_url.take().or(self.remembered.lock().unwrap().take());
            }
            (Fault::SignsWithTheStrongestScheme, CallbackSigning::Md5(key)) => {
                parts.signing = CallbackSigning::with(*strongest.unwrap(), key.clone());
            }
            (Fault::PairsPauseAndResume, _) if parts.events.contains(&EventKind::RecordingPaused) => {
                parts.events = parts.events.union(&EventSet::from([EventKind::RecordingResumed]));
            }
            (Fault::FallsBackToUnsigned, CallbackSigning::HmacSha256(_))
                if strongest != Some(&SigningScheme::HmacSha256) =>
            {
                parts.signing = CallbackSigning::Disabled;
            }
            _ => {}
        })
    }

    async fn try_create(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let wanted = self.wanted(config);
        let any = CallbackKey::any_app(config.domain().clone());
        let named = config.app() != &AppSelector::Any;
        let there = || self.cloud.get(&any);
        let result = self.cloud.create(&wanted, self.fidelity(fidelity)).await;
        match self.fault {
            Fault::ReplacesInCreate if there().await?.is_some() => self.cloud.update(&wanted, fidelity).await,
            Fault::AcceptsIdenticalCreate => match (result, there().await?) {
                (Err(_), Some(stored)) if stored.differences(config).is_empty() => {
                    self.cloud.update(config, fidelity).await
                }
                (result, _) => result,
            },
            Fault::DropsWildcardInCreateOfNamed if named => {
                // There may be none to drop.
                self.cloud.delete(&any).await.ok();
                result
            }
            Fault::CreatesWildcardForNamed if named => self.cloud.create(&for_any(config), fidelity).await,
            Fault::MisreportsCreate => {
                result.map(|applied| Applied { effective: misreported(config), ..applied })
            }
            Fault::StoresWhatItRefuses if result.is_err() && fidelity != Fidelity::BestEffort => {
                self.cloud.create(&wanted, Fidelity::BestEffort).await?;
                result
            }
            Fault::DropsSilently => result.map(|applied| Applied { deviations: Vec::new(), ..applied }),
            Fault::PretendsToDeliver if self.claimed.events.delivered(config.events()).is_empty() => {
                let (effective, none) = (config.clone(), Vec::new());
                Ok(Applied { id: None, effective, deviations: none, unconfirmed: Vec::new() })
            }
            Fault::TakesAnySigning if config.signing().key().is_some() => {
                let unsigned = rebuilt(config, |parts| parts.signing = CallbackSigning::Disabled);
                self.cloud.create(&unsigned, fidelity).await
            }
            Fault::PutsTheKeyIntoErrors => {
                result.map_err(|error| error.with_code(config.signing().key().map_or("", SigningKey::expose)))
            }
            _ => result,
        }
    }

    fn fidelity(&self, asked: Fidelity) -> Fidelity {
        match (self.fault, asked) {
            (Fault::DropsSilently, _) | (Fault::LosesWhenWidening, Fidelity::Widen) => Fidelity::BestEffort,
            (Fault::RefusesToWiden, Fidelity::Widen) => Fidelity::Exact,
            (Fault::WidensUnasked, Fidelity::Exact) => Fidelity::Widen,
            _ => asked,
        }
    }

    async fn try_update(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        let wanted = self.wanted(config);
        let before = self.cloud.get(&wanted.key()).await.unwrap_or_default();
        let kept = before.as_ref().filter(|_| self.fault == Fault::KeepsOnDemandUrlInUpdate);
        let wanted = rebuilt(&wanted, |parts| {
            if let Some(url) = kept.and_then(|stored| stored.on_demand_url.clone()) {
                parts.on_demand_url.get_or_insert(url);
            }
            if let (Fault::KeepsSigningInUpdate, Some(StoredSigning { scheme: Some(scheme), key })) =
                (self.fault, before.as_ref().map(|stored| stored.signing.clone()))
                && let StoredKey::Known(key) = key
            {
                parts.signing = CallbackSigning::with(scheme, key);
            }
        });
        let result = self.cloud.update(&wanted, self.fidelity(fidelity)).await;
        let missing = before.is_none();
        match self.fault {
            Fault::CreatesInUpdate if missing => self.cloud.create(config, fidelity).await,
            Fault::DropsSilentlyInUpdate => self
                .cloud
                .update(config, Fidelity::BestEffort)
                .await
                .map(|applied| Applied { deviations: Vec::new(), ..applied }),
            Fault::RefusesEqualUpdate
                if before.is_some_and(|stored| stored.differences(config).is_empty()) =>
            {
                Err(Error::new(ErrorKind::InvalidConfig, "nothing to change"))
            }
            Fault::MisreportsUpdate => {
                result.map(|applied| Applied { effective: misreported(config), ..applied })
            }
            Fault::UpdatesTheWholeDomain | Fault::UpdatesEveryDomain if !missing => {
                let domain = (self.fault == Fault::UpdatesTheWholeDomain).then_some(config.domain());
                for other in self.cloud.list(domain).await? {
                    self.cloud.update(&rekeyed(config, &other.key), fidelity).await?;
                }
                result
            }
            Fault::FallsBackInUpdate if missing => match self.neighbour(&config.key()).await? {
                Some(other) => self.cloud.update(&rekeyed(config, &other), fidelity).await,
                None => result,
            },
            Fault::UpdatesWildcardForNamed => self.cloud.update(&for_any(config), fidelity).await,
            _ => result,
        }
    }

    /// Some other config of the domain.
    async fn neighbour(&self, key: &CallbackKey) -> Result<Option<CallbackKey>> {
        let all = self.cloud.list(Some(&key.domain)).await?;
        Ok(all.into_iter().map(|stored| stored.key).find(|other| other != key))
    }

    async fn try_get(&self, key: &CallbackKey) -> Result<Option<StoredCallback>> {
        let any = CallbackKey::any_app(key.domain.clone());
        let pretend = |stored: StoredCallback| StoredCallback { key: key.clone(), ..stored };
        if self.fault == Fault::ReadsWildcardForNamed {
            return Ok(self.cloud.get(&any).await?.map(pretend));
        }
        let found = self.cloud.get(&self.sent(key)).await?;
        match self.fault {
            Fault::FailsGetOfMissing if found.is_none() => {
                Err(Error::new(ErrorKind::NotFound, "no such config"))
            }
            Fault::FallsBackToWildcardInGet if found.is_none() => {
                Ok(self.cloud.get(&any).await?.map(pretend))
            }
            Fault::FallsBackToNamedInGet if found.is_none() && *key == any => {
                let neighbour = self.cloud.list(Some(&key.domain)).await?.into_iter().next();
                Ok(neighbour.map(pretend))
            }
            Fault::DecodesAppNames => Ok(found.map(pretend)),
            _ => Ok(found),
        }
    }
}

#[async_trait]
impl RecordCallbackProvider for Mutant {
    fn vendor(&self) -> Vendor {
        self.cloud.vendor()
    }

    fn capabilities(&self) -> &Capabilities {
        let changed =
            self.fault == Fault::ChangesCapabilitiesAfterAWrite && self.written.load(Ordering::Relaxed);
        if changed { &self.changed } else { &self.claimed }
    }

    async fn account(&self) -> Result<Option<AccountId>> {
        let changed = self.fault == Fault::ChangesTheAccount && self.written.load(Ordering::Relaxed);
        Ok(Some(AccountId::new(if changed { "changed" } else { "ours" }).unwrap()))
    }

    async fn get(&self, key: &CallbackKey) -> Result<Option<StoredCallback>> {
        Ok(self.try_get(key).await.map_err(|error| self.failed(error))?.map(|stored| self.shown(stored)))
    }

    async fn list(&self, domain: Option<&DomainName>) -> Result<Vec<StoredCallback>> {
        let scope = domain.filter(|_| self.fault != Fault::ListsEveryDomain);
        let mut listed: Vec<_> =
            self.cloud.list(scope).await?.into_iter().map(|stored| self.shown(stored)).collect();
        match self.fault {
            Fault::FailsListOfNothing if listed.is_empty() => {
                return Err(Error::new(ErrorKind::NotFound, "no configs"));
            }
            Fault::ListsOnePage => listed.truncate(10),
            Fault::ListsSomeTwice => listed.extend(listed.get(10).cloned()),
            Fault::ListsOneDomainOnly if domain.is_none() => {
                let first = listed.first().map(|stored| stored.key.domain.clone());
                listed.retain(|stored| Some(&stored.key.domain) == first.as_ref());
            }
            Fault::ListsWithoutSigning => {
                for stored in &mut listed {
                    stored.signing.key = StoredKey::Hidden;
                }
            }
            _ => {}
        }
        Ok(listed)
    }

    async fn create(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        if self.fault == Fault::RacesInCreate {
            let there = self.cloud.get(&config.key()).await?.is_some();
            tokio::task::yield_now().await;
            if !there && self.cloud.get(&config.key()).await?.is_some() {
                return self.cloud.update(config, fidelity).await;
            }
        }
        if self.throttles.swap(false, Ordering::Relaxed) && self.fault == Fault::GivesUpWhenThrottled {
            return Err(self.failed(Error::new(ErrorKind::Throttled, "too many calls")));
        }
        if self.denies.swap(false, Ordering::Relaxed) {
            if self.fault == Fault::DoesWhatIsDenied {
                self.try_create(config, fidelity).await?;
            }
            let kind = match self.fault {
                Fault::TakesDenialForSomethingElse => ErrorKind::InvalidConfig,
                _ => ErrorKind::PermissionDenied,
            };
            return Err(self.failed(Error::new(kind, "not yours")));
        }
        let result = self.try_create(config, fidelity).await;
        self.written.store(true, Ordering::Relaxed);
        if !self.loses_answer.swap(false, Ordering::Relaxed) {
            return result.map(|applied| self.applied(applied)).map_err(|error| self.failed(error));
        }
        match self.fault {
            Fault::LosesAnswers => Err(Error::new(ErrorKind::Timeout, "no answer").with_maybe_applied()),
            Fault::RepeatsLostCreates => self.cloud.create(config, fidelity).await,
            // The answer is lost, so what happened has to be read.
            _ => {
                let id = self.cloud.get(&config.key()).await?.and_then(|stored| stored.id);
                Ok(Applied { id, effective: config.clone(), deviations: Vec::new(), unconfirmed: Vec::new() })
            }
        }
    }

    async fn update(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        assert!(self.fault != Fault::PanicsInUpdate, "a bug in the provider");
        let result = self.try_update(config, fidelity).await;
        result.map(|applied| self.applied(applied)).map_err(|error| self.failed(error))
    }

    async fn delete(&self, key: &CallbackKey) -> Result<()> {
        let sent = self.sent(key);
        if self.fault == Fault::RemembersDeletedConfigs {
            *self.remembered.lock().unwrap() =
                self.cloud.get(key).await?.and_then(|stored| stored.on_demand_url);
        }
        let result = self.cloud.delete(&sent).await.map_err(|error| self.failed(error));
        let lost = self.loses_answer.swap(false, Ordering::Relaxed);
        match self.fault {
            Fault::RepeatsLostDeletes if lost => self.cloud.delete(&sent).await,
            Fault::AcceptsDeleteOfMissing => Ok(()),
            Fault::DeletesTheWholeDomain | Fault::DeletesEveryDomain if result.is_ok() => {
                let domain = (self.fault == Fault::DeletesTheWholeDomain).then_some(&key.domain);
                for other in self.cloud.list(domain).await? {
                    self.cloud.delete(&other.key).await?;
                }
                result
            }
            Fault::FallsBackInDelete if result.is_err() => match self.neighbour(key).await? {
                Some(other) => self.cloud.delete(&other).await,
                None => result,
            },
            Fault::DeletesWildcardForNamed if key.app != AppSelector::Any => {
                self.cloud.delete(&CallbackKey::any_app(key.domain.clone())).await
            }
            _ => result,
        }
    }
}

/// The same cloud with the credentials of another account.
#[derive(Debug)]
pub(crate) struct Stranger {
    ours: Arc<Mutant>,
    own: MemoryProvider,
}

impl Stranger {
    pub(crate) fn of(ours: &Arc<Mutant>) -> Self {
        Self { ours: Arc::clone(ours), own: MemoryProvider::full() }
    }

    fn with(&self, fault: Fault) -> &dyn RecordCallbackProvider {
        if self.ours.fault == fault { &*self.ours } else { &self.own }
    }
}

#[async_trait]
impl RecordCallbackProvider for Stranger {
    fn vendor(&self) -> Vendor {
        self.ours.vendor()
    }

    fn capabilities(&self) -> &Capabilities {
        self.ours.capabilities()
    }

    async fn account(&self) -> Result<Option<AccountId>> {
        match self.ours.fault {
            Fault::TakesAnotherAccountForItsOwn => self.ours.account().await,
            _ => Ok(Some(AccountId::new("theirs").unwrap())),
        }
    }

    async fn get(&self, key: &CallbackKey) -> Result<Option<StoredCallback>> {
        self.with(Fault::ShowsConfigsToOthers).get(key).await
    }

    async fn list(&self, domain: Option<&DomainName>) -> Result<Vec<StoredCallback>> {
        self.with(Fault::ShowsConfigsToOthers).list(domain).await
    }

    async fn create(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        self.with(Fault::LetsOthersChangeConfigs).create(config, fidelity).await
    }

    async fn update(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        self.with(Fault::LetsOthersChangeConfigs).update(config, fidelity).await
    }

    async fn delete(&self, key: &CallbackKey) -> Result<()> {
        self.with(Fault::LetsOthersChangeConfigs).delete(key).await
    }
}

#[async_trait]
impl Faults for Mutant {
    async fn lose_next_answer(&self) {
        self.loses_answer.store(true, Ordering::Relaxed);
    }

    async fn throttle_next_call(&self) {
        self.throttles.store(true, Ordering::Relaxed);
    }

    async fn deny_next_call(&self) {
        self.denies.store(true, Ordering::Relaxed);
    }
}

/// The fields a mutant tampers with.
struct Parts {
    domain: DomainName,
    app: String,
    notify_url: String,
    on_demand_url: Option<String>,
    events: EventSet,
    signing: CallbackSigning,
}

fn rebuilt(config: &RecordCallbackConfig, tamper: impl FnOnce(&mut Parts)) -> RecordCallbackConfig {
    let mut parts = Parts {
        domain: config.domain().clone(),
        app: config.app().to_string(),
        notify_url: config.notify_url().to_string(),
        on_demand_url: config.on_demand_url().map(ToString::to_string),
        events: config.events().clone(),
        signing: config.signing().clone(),
    };
    tamper(&mut parts);
    let mut builder = RecordCallbackConfig::builder(parts.domain, parts.notify_url)
        .app(parts.app)
        .events(parts.events.iter().cloned())
        .signing(parts.signing);
    if let Some(url) = parts.on_demand_url {
        builder = builder.on_demand_url(url);
    }
    builder.build().unwrap()
}

fn for_any(config: &RecordCallbackConfig) -> RecordCallbackConfig {
    rebuilt(config, |parts| parts.app = "*".into())
}

fn rekeyed(config: &RecordCallbackConfig, key: &CallbackKey) -> RecordCallbackConfig {
    rebuilt(config, |parts| (parts.domain, parts.app) = (key.domain.clone(), key.app.to_string()))
}

fn misreported(config: &RecordCallbackConfig) -> RecordCallbackConfig {
    rebuilt(config, |parts| parts.notify_url = "https://elsewhere.example.com".into())
}
