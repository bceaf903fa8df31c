//! Moving callbacks to another provider: what that changes in the manifest, and what stands against it.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use record_callback_core::{AppSelector, Capabilities, ErrorKind, Fidelity};
use serde::Serialize;

use crate::hint;
use crate::manifest::{Declaration, Edit, Keys, Manifest, PerProvider};
use crate::name::Name;
use crate::plan::Targets;
use crate::slot::Slot;
use crate::state::OpenSwitch;

/// Which callbacks go where, and how.
#[derive(Debug, Clone)]
pub struct SwitchRequest {
    /// The callbacks.
    pub callbacks: Targets,
    /// The provider they go to.
    pub to: Name,
    /// Callbacks whose config takes a whole domain on the target, where it has no room for one app's.
    pub winners: BTreeSet<Name>,
    /// How far the target may stray from what is declared; `None` leaves it to the manifest.
    pub fidelity: Option<Fidelity>,
    /// Leaves the sources where they are.
    pub keep_source: bool,
}

/// A switch that can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedSwitch {
    /// What to note before it begins.
    pub switch: OpenSwitch,
    /// What it changes in the manifest.
    pub edits: Vec<Edit>,
    /// The manifest with these changes.
    pub manifest: Manifest,
    /// Callbacks that were asked for and stay where they are, and why.
    pub staying: Vec<Staying>,
}

/// A callback that stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Staying {
    /// The callback.
    pub name: Name,
    /// Why.
    pub reason: String,
}

/// Why a callback cannot go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct SwitchRefusal {
    /// The callback.
    pub name: Name,
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
    /// Whether the target has no place for it, or cannot do what is declared.
    pub unsupported: bool,
}

/// What the target of a switch can express, and the source's domain role to compare with.
pub type CapabilitiesOf<'a> = &'a dyn Fn(&Name) -> Option<&'a Capabilities>;

impl SwitchRequest {
    /// The request that an open switch was made from, but for callbacks that `manifest` has not got any more.
    pub fn of(open: &OpenSwitch, manifest: &Manifest) -> Self {
        let callbacks = open.declared(manifest);
        Self {
            to: open.to.clone(),
            winners: open.winners.iter().filter(|name| callbacks.contains(*name)).cloned().collect(),
            callbacks: Targets::Only(callbacks),
            fidelity: open.fidelity,
            keep_source: open.keep_source,
        }
    }

    /// Finds out what the switch changes, or everything that stands against it.
    ///
    /// Makes no call. `capabilities` are those of a provider of the manifest.
    pub fn prepare(
        &self,
        manifest: &Manifest,
        keys: &Keys,
        capabilities: CapabilitiesOf<'_>,
    ) -> Result<PreparedSwitch, Vec<SwitchRefusal>> {
        let mut refusals = self.wrong_names(manifest);
        let Some(target) = capabilities(&self.to) else {
            refusals.push(SwitchRefusal {
                name: self.to.clone(),
                reason: "is not a provider of the manifest".to_owned(),
                hint: "declare it under [providers]".to_owned(),
                unsupported: false,
            });
            return Err(refusals);
        };
        let mut staying = Vec::new();
        let mut moving: BTreeMap<Slot, Vec<&Declaration>> = BTreeMap::new();
        for callback in manifest.callbacks().values().filter(|one| self.callbacks.contains(&one.name)) {
            match self.place(manifest, callback, target, capabilities) {
                Ok(None) => staying.push(Staying {
                    name: callback.name.clone(),
                    reason: format!("already on `{}`", self.to),
                }),
                Ok(Some(slot)) => moving.entry(slot).or_default().push(callback),
                Err(refusal) => refusals.push(refusal),
            }
        }
        let mut movers = Vec::new();
        for (slot, callbacks) in moving {
            match self.winner(manifest, &slot, &callbacks, target) {
                Ok(winner) => {
                    let others = callbacks.into_iter().filter(|one| one.name != winner.name);
                    staying.extend(others.map(|one| Staying {
                        name: one.name.clone(),
                        reason: format!("`{}` has {slot}", winner.name),
                    }));
                    if manifest.provider_of(winner) != Some(&self.to) {
                        movers.push((winner, slot));
                    }
                }
                Err(mut refused) => refusals.append(&mut refused),
            }
        }
        let edits: Vec<Edit> =
            movers.iter().flat_map(|(callback, slot)| self.edits(manifest, callback, slot)).collect();
        let edited = manifest.edited(&edits);
        for (callback, _) in &movers {
            refusals.extend(self.unfit(&edited, &callback.name, keys, target));
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        staying.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let from = |callback: &Declaration| manifest.provider_of(callback).cloned();
        let callbacks =
            movers.iter().filter_map(|(callback, _)| Some((callback.name.clone(), from(callback)?)));
        let other_fidelity = edits.iter().filter_map(|edit| match edit {
            Edit::Fidelity { callback, .. } => manifest.callbacks().get(callback),
            _ => None,
        });
        let earlier = other_fidelity.map(|one| (one.name.clone(), manifest.fidelity_of(one)));
        let switch = OpenSwitch {
            to: self.to.clone(),
            callbacks: callbacks.collect(),
            earlier_fidelity: earlier.collect(),
            winners: self.winners.iter().cloned().collect(),
            fidelity: self.fidelity,
            keep_source: self.keep_source,
        };
        Ok(PreparedSwitch { switch, edits, manifest: edited, staying })
    }

    fn wrong_names(&self, manifest: &Manifest) -> Vec<SwitchRefusal> {
        let named = match &self.callbacks {
            Targets::All => BTreeSet::new(),
            Targets::Only(names) => names.clone(),
        };
        let refusals = named.union(&self.winners).filter_map(|name| {
            let (reason, hint) = if !manifest.callbacks().contains_key(name) {
                ("is not a callback of the manifest", "give a name the manifest has")
            } else if !self.callbacks.contains(name) {
                ("is to win, and is not among the callbacks to move", "name it among these, too")
            } else {
                return None;
            };
            let (reason, hint) = (reason.to_owned(), hint.to_owned());
            Some(SwitchRefusal { name: name.clone(), reason, hint, unsupported: false })
        });
        refusals.collect()
    }

    /// Where `callback` goes; nowhere if it is there already.
    fn place(
        &self,
        manifest: &Manifest,
        callback: &Declaration,
        target: &Capabilities,
        capabilities: CapabilitiesOf<'_>,
    ) -> Result<Option<Slot>, SwitchRefusal> {
        let refuse = |reason: String| SwitchRefusal {
            name: callback.name.clone(),
            reason,
            hint: format!("write `domain = {{ …, {} = \"…\" }}` in the manifest", self.to),
            unsupported: false,
        };
        let from = manifest.provider_of(callback);
        if from == Some(&self.to) {
            return Ok(None);
        }
        let Some(mut slot) = manifest.slot_on(callback, &self.to) else {
            return Err(refuse(format!("domain: has no value for provider `{}`", self.to)));
        };
        let role = from.and_then(capabilities).map(|capabilities| capabilities.domain_role);
        if matches!(callback.domain, PerProvider::Same(_))
            && role.is_some_and(|role| role != target.domain_role)
        {
            let problem = "one of the clouds keys by streaming domains, the other by ingest domains, and only one \
                           domain is given";
            return Err(refuse(format!("domain: {problem}")));
        }
        if !target.named_apps {
            slot.key.app = AppSelector::Any;
        }
        Ok(Some(slot))
    }

    /// The callback that gets `slot`, or has it already.
    fn winner<'a>(
        &self,
        manifest: &'a Manifest,
        slot: &Slot,
        callbacks: &[&'a Declaration],
        target: &Capabilities,
    ) -> Result<&'a Declaration, Vec<SwitchRefusal>> {
        let holder = manifest.callbacks().values().find(|callback| {
            let there = manifest.provider_of(callback) == Some(&self.to);
            there && manifest.slot_on(callback, &self.to).as_ref() == Some(slot)
        });
        let refuse = |unsupported: bool, reason: String, hint: &str| {
            let refusal = |callback: &&Declaration| SwitchRefusal {
                name: callback.name.clone(),
                reason: reason.clone(),
                hint: hint.to_owned(),
                unsupported,
            };
            Err(callbacks.iter().map(refusal).collect())
        };
        if let Some(holder) = holder {
            if self.winners.contains(&holder.name) {
                return Ok(holder);
            }
            let hint = format!("leave it out, or name `{}` as the winner", holder.name);
            return refuse(false, format!("{slot} is the place of callback `{}`", holder.name), &hint);
        }
        let winners: Vec<_> = callbacks.iter().filter(|one| self.winners.contains(&one.name)).collect();
        let names = callbacks.iter().map(|one| format!("`{}`", one.name)).collect::<Vec<_>>().join(", ");
        match (callbacks, winners.as_slice()) {
            (_, [winner]) => Ok(winner),
            ([one], []) if !self.loses_app(manifest, one, target) => Ok(one),
            ([_], []) => refuse(
                true,
                format!(
                    "an app cannot have a config of its own on `{}`; it would be for all of {slot}",
                    self.to
                ),
                "if that is wanted, name it as a winner",
            ),
            (_, []) => refuse(
                true,
                format!("{names} would share {slot}, and there is room for one"),
                "name the one to move as the winner; the others stay where they are",
            ),
            _ => refuse(false, format!("more than one of {names} is to win {slot}"), "name one winner"),
        }
    }

    fn loses_app(&self, manifest: &Manifest, callback: &Declaration, target: &Capabilities) -> bool {
        let slot = manifest.slot_on(callback, &self.to);
        !target.named_apps && slot.is_some_and(|slot| slot.key.app != AppSelector::Any)
    }

    fn edits(&self, manifest: &Manifest, callback: &Declaration, slot: &Slot) -> Vec<Edit> {
        let name = || callback.name.clone();
        let mut edits = vec![Edit::Provider { callback: name(), provider: self.to.clone() }];
        let app_on = |provider: &Name| Some(manifest.slot_on(callback, provider)?.key.app);
        if app_on(&self.to).is_some_and(|declared| declared != slot.key.app) {
            // On every other provider it stays as it is.
            let others = manifest.providers().iter().filter_map(|one| Some((one.clone(), app_on(one)?)));
            let each = others.chain([(self.to.clone(), slot.key.app.clone())]).collect();
            edits.push(Edit::App { callback: name(), app: PerProvider::Each(each) });
        }
        if let Some(fidelity) = self.fidelity.filter(|fidelity| manifest.fidelity_of(callback) != *fidelity) {
            edits.push(Edit::Fidelity { callback: name(), fidelity });
        }
        edits
    }

    fn unfit(
        &self,
        edited: &Manifest,
        name: &Name,
        keys: &Keys,
        target: &Capabilities,
    ) -> Option<SwitchRefusal> {
        let callback = edited.callbacks().get(name)?;
        let refuse = |reason: String, hint: &str, unsupported| {
            Some(SwitchRefusal { name: name.clone(), reason, hint: hint.to_owned(), unsupported })
        };
        let wanted = match edited.wanted(callback, &self.to, keys) {
            Ok(wanted) => wanted,
            Err(problem) => {
                let hint = "correct the manifest, or set what it refers to";
                return refuse(problem.to_string(), hint, false);
            }
        };
        let error = target.fit(&wanted.config, wanted.fidelity).err()?;
        let unsupported = error.kind() == ErrorKind::Unsupported;
        refuse(error.message().to_owned(), &hint::of_unfit(target, &wanted.config), unsupported)
    }
}

impl OpenSwitch {
    /// Its callbacks that `manifest` has still got.
    pub fn declared(&self, manifest: &Manifest) -> BTreeSet<Name> {
        self.callbacks.keys().filter(|name| manifest.callbacks().contains_key(*name)).cloned().collect()
    }

    /// What undoing the switch changes in a manifest that has it, or part of it.
    ///
    /// The apps are left as they are: on the providers that the callbacks come from they say what they said.
    pub fn undo(&self, manifest: &Manifest) -> Vec<Edit> {
        let mut edits = Vec::new();
        for (name, from) in &self.callbacks {
            let Some(callback) = manifest.callbacks().get(name) else { continue };
            if manifest.provider_of(callback) != Some(&self.to) {
                continue;
            }
            edits.push(Edit::Provider { callback: name.clone(), provider: from.clone() });
            let earlier = self.earlier_fidelity.get(name).copied();
            if let Some(fidelity) = earlier.filter(|_| self.fidelity == Some(manifest.fidelity_of(callback)))
            {
                edits.push(Edit::Fidelity { callback: name.clone(), fidelity });
            }
        }
        edits
    }
}
