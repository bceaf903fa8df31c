//! What a run notes, so that the next one knows what this one did.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, PoisonError};

use record_callback_core::{Error, ErrorKind, Field};
use tokio::sync::Mutex as AsyncMutex;

use super::run::Run;
use crate::name::Name;
use crate::plan::{Action, Change, Plan};
use crate::slot::Slot;
use crate::state::{Entry, OwnedConfig, Record, Standing};

/// What the notes of one run have in common.
pub(super) struct Notes {
    /// The callbacks that others take a config from. A record has all of a callback's configs: two that are made of the
    /// same earlier ones would undo each other.
    shared: BTreeMap<Name, AsyncMutex<()>>,
    error: Mutex<Option<io::Error>>,
}

impl Notes {
    pub(super) fn of(plan: &Plan) -> Self {
        let holders = plan.steps.iter().filter_map(|step| match &step.action {
            Action::Create(change) | Action::Update(change) | Action::Replace(change) => {
                change.taken_from.clone()
            }
            Action::Keep(_) | Action::Delete(_) | Action::Blocked(_) => None,
        });
        let shared = holders.map(|holder| (holder, AsyncMutex::new(()))).collect();
        Self { shared, error: Mutex::default() }
    }

    /// Whether something could not be noted.
    pub(super) fn is_broken(&self) -> bool {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn into_error(self) -> Option<io::Error> {
        self.error.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run<'_> {
    /// Notes how the config that `change` is about stands.
    pub(super) async fn note(&self, name: &Name, change: &Change, config: OwnedConfig) -> Result<(), Error> {
        let holder = change.taken_from.as_ref();
        let record = || match holder.filter(|holder| self.owned(holder, &config.slot).is_some()) {
            Some(from) => Record::TakeOver { from: from.clone(), name: name.clone(), config: config.clone() },
            None => self.with(name, config.clone()),
        };
        self.journal(name, holder, record).await
    }

    /// Notes that a write did not happen: the slot is as it was.
    pub(super) async fn unnote(
        &self,
        name: &Name,
        change: &Change,
        before: Option<OwnedConfig>,
    ) -> Result<(), Error> {
        let holder = change.taken_from.as_ref();
        let record = || match (before, holder) {
            (Some(config), Some(holder)) => {
                Record::TakeOver { from: name.clone(), name: holder.clone(), config }
            }
            (Some(config), None) => self.with(name, config),
            (None, _) => self.without(name, std::slice::from_ref(&change.slot)),
        };
        self.journal(name, holder, record).await
    }

    /// Notes what the cloud ignored, so that the next plan does not ask for it again.
    pub(super) async fn note_ignored(
        &self,
        name: &Name,
        change: &Change,
        ignored: Vec<Field>,
    ) -> Result<(), Error> {
        match self.owned(name, &change.slot) {
            Some(owned) => self.note(name, change, OwnedConfig { ignored, ..owned }).await,
            None => Ok(()),
        }
    }

    /// Notes that the config in `slot` stays although its callback has another.
    pub(super) async fn note_kept(&self, name: &Name, slot: &Slot) -> Result<(), Error> {
        let Some(owned) = self.owned(name, slot) else { return Ok(()) };
        let kept = OwnedConfig { standing: Standing::Kept, ..owned };
        self.journal(name, None, || self.with(name, kept)).await
    }

    /// Notes that nothing of `name` is in `slots` any more.
    pub(super) async fn forget(&self, name: &Name, slots: &[Slot]) -> Result<(), Error> {
        if slots.is_empty() {
            return Ok(());
        }
        self.journal(name, None, || self.without(name, slots)).await
    }

    /// Notes a record that changes the entries of `name` and `other`.
    async fn journal(
        &self,
        name: &Name,
        other: Option<&Name>,
        record: impl FnOnce() -> Record,
    ) -> Result<(), Error> {
        // In order of the names, so that no two wait for each other.
        let names: BTreeSet<&Name> = other.into_iter().chain([name]).collect();
        let mut held = Vec::new();
        for entry in names.into_iter().filter_map(|name| self.notes.shared.get(name)) {
            held.push(entry.lock().await);
        }
        self.ledger.note(record()).await.map_err(|error| {
            let message = format!("what is done cannot be noted: {error}");
            self.notes.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            Error::new(ErrorKind::Unavailable, message)
        })
    }

    fn with(&self, name: &Name, config: OwnedConfig) -> Record {
        Record::Entry { name: name.clone(), entry: Some(self.entry(name).with(config)) }
    }

    fn without(&self, name: &Name, slots: &[Slot]) -> Record {
        let entry = slots.iter().fold(self.entry(name), Entry::without);
        Record::Entry { name: name.clone(), entry: Some(entry) }
    }

    fn entry(&self, name: &Name) -> Entry {
        self.ledger.state().entries.get(name).cloned().unwrap_or_default()
    }

    /// What `name` has in `slot`.
    pub(super) fn owned(&self, name: &Name, slot: &Slot) -> Option<OwnedConfig> {
        self.ledger.state().entries.get(name)?.in_slot(slot).cloned()
    }
}
