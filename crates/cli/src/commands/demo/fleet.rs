use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use record_callback::fleet::{
    ApplyOptions, Clouds, Fate, KeyReference, Keys, Ledger, Manifest, ManifestFile, ManifestFormat, Name,
    Plan, PlanInput, State, StateFile, SwitchRequest, Targets, apply, plan,
};
use record_callback::http::{OsEnv, TokioTimer};
use record_callback::{
    Error, ErrorKind, ProviderConfig, ReadBack, RecordCallbackProvider, SigningKey, StoredCallback,
    connect_all,
};
use serde::de::IgnoredAny;

use super::CALLBACK;
use crate::failure::Failure;

/// What `plan`, `apply` and `switch` do, without their files and questions.
pub(super) struct Fleet {
    manifest: Manifest,
    keys: Keys,
    clouds: Clouds,
    file: StateFile,
    state: State,
}

impl Fleet {
    /// The fleet of `manifest`, whose providers are `configs`, and whose state is kept in `directory`.
    pub(super) fn new(
        manifest: &str,
        configs: &BTreeMap<Name, ProviderConfig>,
        key: SigningKey,
        directory: &Path,
    ) -> Result<Self, Failure> {
        let parsed = ManifestFile::<IgnoredAny>::parse(manifest, ManifestFormat::Toml);
        let manifest =
            parsed.map_err(|problems| Error::new(ErrorKind::InvalidConfig, problems.to_string()))?.manifest;
        let keys = manifest.keys(&move |_: &KeyReference| Ok(key.clone()));
        let clouds = Clouds::new(connect_all(configs, OsEnv)?);
        let (file, state) = StateFile::open(directory.join("state.json"))?;
        Ok(Self { manifest, keys, clouds, file, state })
    }

    pub(super) async fn plan(&self) -> Plan {
        let Self { manifest, keys, clouds, state, .. } = self;
        let targets = &Targets::All;
        let mut observed = clouds.observe(PlanInput::slots(manifest, state, targets)).await;
        clouds.confirm_missing(&mut observed, state.slots()).await;
        plan(&PlanInput { manifest, keys, observed: &observed, state, targets, drop_kept: false })
    }

    pub(super) async fn apply(&mut self, plan: Plan) -> Result<(), Failure> {
        let ledger = Ledger::new(self.state.clone(), &self.file);
        let options = ApplyOptions::new(ReadBack::new(TokioTimer));
        let report = Box::pin(apply(plan, &self.clouds, &ledger, &options, &())).await;
        self.state = ledger.into_state();
        self.file.checkpoint(&self.state)?;
        match report.outcomes.into_iter().find(|outcome| !matches!(outcome.fate, Fate::Done)) {
            None => Ok(()),
            Some(outcome) => {
                let message = format!("{} did not go as planned: {:?}", outcome.name, outcome.fate);
                Err(Error::new(ErrorKind::NotApplied, message).into())
            }
        }
    }

    /// Declares the callback on another provider.
    pub(super) fn switch(&mut self, to: &str) -> Result<(), Failure> {
        let request = SwitchRequest {
            callbacks: Targets::All,
            to: Name::new(to)?,
            winners: BTreeSet::new(),
            fidelity: None,
            keep_source: false,
        };
        let capabilities = |name: &Name| self.clouds.get(name).map(RecordCallbackProvider::capabilities);
        let prepared = request.prepare(&self.manifest, &self.keys, &capabilities);
        self.manifest = prepared.map_err(Failure::Switch)?.manifest;
        Ok(())
    }

    /// The callback's config as `provider` shows it.
    pub(super) async fn stored(&self, provider: &str) -> Result<StoredCallback, Failure> {
        let (callback, provider) = (Name::new(CALLBACK)?, Name::new(provider)?);
        let missing = || Error::new(ErrorKind::NotFound, format!("{callback} was written and is not there"));
        let slot = self.manifest.callbacks().get(&callback);
        let slot =
            slot.and_then(|callback| self.manifest.slot_on(callback, &provider)).ok_or_else(missing)?;
        let cloud = self.clouds.get(&provider).ok_or_else(missing)?;
        Ok(cloud.get(&slot.key).await?.ok_or_else(missing)?)
    }
}
