//! What a run notes, so that the next one knows what this one did.

use record_callback_core::{Error, ErrorKind, Field};

use super::run::Run;
use crate::name::Name;
use crate::plan::Change;
use crate::slot::Slot;
use crate::state::{OwnedConfig, Record, Standing};

impl Run<'_> {
    /// Notes how the config that `change` is about stands.
    pub(super) async fn note(&self, name: &Name, change: &Change, config: OwnedConfig) -> Result<(), Error> {
        let holder = change.taken_from.as_ref().filter(|holder| self.owned(holder, &config.slot).is_some());
        self.journal(match holder {
            Some(from) => Record::TakeOver { from: from.clone(), name: name.clone(), config },
            None => Record::Config { name: name.clone(), config },
        })
        .await
    }

    /// Notes that a write did not happen: the slot is as it was.
    pub(super) async fn unnote(
        &self,
        name: &Name,
        change: &Change,
        before: Option<OwnedConfig>,
    ) -> Result<(), Error> {
        let name = name.clone();
        self.journal(match (before, &change.taken_from) {
            (Some(config), Some(holder)) => Record::TakeOver { from: name, name: holder.clone(), config },
            (Some(config), None) => Record::Config { name, config },
            (None, _) => Record::Gone { name, slots: vec![change.slot.clone()] },
        })
        .await
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
        let config = OwnedConfig { standing: Standing::Kept, ..owned };
        self.journal(Record::Config { name: name.clone(), config }).await
    }

    /// Notes that nothing of `name` is in `slots` any more.
    pub(super) async fn forget(&self, name: &Name, slots: Vec<Slot>) -> Result<(), Error> {
        if slots.is_empty() {
            return Ok(());
        }
        self.journal(Record::Gone { name: name.clone(), slots }).await
    }

    async fn journal(&self, record: Record) -> Result<(), Error> {
        self.ledger.note(record).await.map_err(|error| {
            let message = format!("what is done cannot be noted: {error}");
            self.broken(error);
            Error::new(ErrorKind::Unavailable, message)
        })
    }

    /// What `name` has in `slot`.
    pub(super) fn owned(&self, name: &Name, slot: &Slot) -> Option<OwnedConfig> {
        self.ledger.state().entries.get(name)?.in_slot(slot).cloned()
    }
}
