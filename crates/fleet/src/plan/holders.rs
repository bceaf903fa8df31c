//! Who has which slot, and who waits for whom.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::manifest::{Declaration, Manifest};
use crate::name::Name;
use crate::slot::Slot;
use crate::state::{OwnedConfig, Standing, State};

/// The callbacks by the slots they own, and by the slots they are to have.
pub(super) struct Holders<'a> {
    owners: HashMap<&'a Slot, &'a Name>,
    /// By the hash of the slot they are to have: a million slots of their own would take more room than the rest.
    wanting: Vec<(u64, &'a Declaration)>,
    manifest: &'a Manifest,
    state: &'a State,
}

/// How a slot that somebody else has comes to a callback.
pub(super) enum Handover<'a> {
    /// At once: who had it has no use for it.
    Now(&'a Name, &'a OwnedConfig),
    /// When who has it has moved.
    After(&'a Name, &'a OwnedConfig),
    /// Never: each waits for the other.
    Exchange(&'a Name),
}

impl<'a> Holders<'a> {
    pub(super) fn new(manifest: &'a Manifest, state: &'a State) -> Self {
        let wanting = manifest
            .callbacks()
            .values()
            .filter_map(|callback| Some((hash(&manifest.slot_of(callback)?), callback)));
        let mut wanting: Vec<_> = wanting.collect();
        wanting.sort_unstable_by_key(|(hash, _)| *hash);
        Self {
            owners: state.configs().map(|(name, config)| (&config.slot, name)).collect(),
            wanting,
            manifest,
            state,
        }
    }

    /// The callback that is to have `slot`.
    pub(super) fn wanting(&self, slot: &Slot) -> Option<&'a Name> {
        let hash = hash(slot);
        let first = self.wanting.partition_point(|(other, _)| *other < hash);
        let same_hash = self.wanting[first..].iter().take_while(|(other, _)| *other == hash);
        let mut callbacks = same_hash.map(|(_, callback)| &callback.name);
        callbacks.find(|name| self.wanted_slot(name).as_ref() == Some(slot))
    }

    /// How `slot` comes to `name`, if another callback has it.
    pub(super) fn handover(&self, name: &Name, slot: &Slot) -> Option<Handover<'a>> {
        let (holder, config) = self.holder(name, slot)?;
        if !self.moves_away(holder, config) {
            return Some(Handover::Now(holder, config));
        }
        let mut seen = HashSet::from([name]);
        let mut next = Some(holder);
        while let Some(waiting) = next {
            if !seen.insert(waiting) {
                return Some(Handover::Exchange(holder));
            }
            next = self.wanted_slot(waiting).and_then(|slot| {
                let (holder, config) = self.holder(waiting, &slot)?;
                self.moves_away(holder, config).then_some(holder)
            });
        }
        Some(Handover::After(holder, config))
    }

    fn holder(&self, name: &Name, slot: &Slot) -> Option<(&'a Name, &'a OwnedConfig)> {
        let holder = self.owners.get(slot).copied().filter(|holder| *holder != name)?;
        Some((holder, self.state.entries.get(holder)?.in_slot(slot)?))
    }

    /// Whether `holder` is to have a place elsewhere, and has only this one until then.
    fn moves_away(&self, holder: &Name, config: &OwnedConfig) -> bool {
        config.standing != Standing::Kept && self.manifest.callbacks().contains_key(holder)
    }

    fn wanted_slot(&self, name: &Name) -> Option<Slot> {
        self.manifest.slot_of(self.manifest.callbacks().get(name)?)
    }
}

fn hash(slot: &Slot) -> u64 {
    let mut hasher = DefaultHasher::new();
    slot.hash(&mut hasher);
    hasher.finish()
}
