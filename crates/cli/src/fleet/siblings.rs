//! The other fleets of a directory: what they own is not claimed by mistake.
//!
//! The clouds have no room for an owner's mark. Fleets whose states are elsewhere nobody can know of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use record_callback::CallbackKey;
use record_callback::fleet::{
    Action, Blocked, Journal, Name, OwnedConfig, Plan, Record, Slot, Standing, State, StateFile, Write,
};

use super::{Fleet, STATE, directory, of_state};
use crate::failure::Failure;

/// What the other fleets own, by the cloud and what it is for.
#[derive(Debug, Default)]
pub(crate) struct Siblings {
    owners: BTreeMap<(String, CallbackKey), Owner>,
}

/// Whose a config is.
#[derive(Debug, Clone)]
struct Owner {
    /// The file of the fleet's state.
    state: PathBuf,
    callback: Name,
    slot: Slot,
}

impl Owner {
    fn shown(&self) -> String {
        let file = self.state.file_name().unwrap_or_default().to_string_lossy();
        format!("callback `{}` of the fleet in {file}", self.callback)
    }
}

impl Siblings {
    /// Reads the states beside the manifest and beside its own state.
    pub(crate) fn of(fleet: &Fleet) -> Result<Self, Failure> {
        let own = fs::canonicalize(fleet.state_path()).unwrap_or_else(|_| fleet.state_path().to_owned());
        let directories = BTreeSet::from([fleet.directory(), directory(fleet.state_path())]);
        let mut owners = BTreeMap::new();
        for path in directories.into_iter().flat_map(states_in).collect::<BTreeSet<_>>() {
            if path == own {
                continue;
            }
            let state = StateFile::read(&path).map_err(of_state)?;
            for (callback, config) in state.configs().filter(|(_, config)| config.standing != Standing::Lost)
            {
                if let Some(place) = state.places.get(&config.slot.provider) {
                    let owner =
                        Owner { state: path.clone(), callback: callback.clone(), slot: config.slot.clone() };
                    owners.insert((place.clone(), config.slot.key.clone()), owner);
                }
            }
        }
        Ok(Self { owners })
    }

    /// What they own that `fleet` could own, and in words whose it is.
    pub(crate) fn owned(&self, fleet: &Fleet) -> BTreeMap<Slot, String> {
        let same = |place: &str| {
            let providers = fleet.places.iter().filter(move |(_, ours)| *ours == place);
            providers.map(|(provider, _)| provider.clone()).collect::<Vec<_>>()
        };
        let owned = self.owners.iter().flat_map(|((place, key), owner)| {
            let slot = |provider| (Slot { provider, key: key.clone() }, owner.shown());
            same(place).into_iter().map(slot).collect::<Vec<_>>()
        });
        owned.collect()
    }

    /// What `fleet` lost, and to whom, a sentence each.
    pub(crate) fn lost(fleet: &Fleet, state: &State) -> Result<Vec<String>, Failure> {
        let lost = state.configs().filter(|(_, config)| config.standing == Standing::Lost);
        let lost: Vec<_> = lost.collect();
        if lost.is_empty() {
            return Ok(Vec::new());
        }
        let owned = Self::of(fleet)?.owned(fleet);
        let sentence = |(name, config): (&Name, &OwnedConfig)| {
            let to = owned.get(&config.slot).map_or("another fleet", String::as_str);
            format!("`{name}` is lost to {to}: its config in {} is neither changed nor deleted", config.slot)
        };
        Ok(lost.into_iter().map(sentence).collect())
    }

    /// Notes in the states of those who own them that `slots` are theirs no more, before they become ours: whatever dies
    /// when, two never own one config.
    pub(crate) async fn take_over(
        &self,
        fleet: &Fleet,
        slots: impl Iterator<Item = &Slot>,
    ) -> Result<(), Failure> {
        let mut taken: BTreeMap<&Path, Vec<&Owner>> = BTreeMap::new();
        for slot in slots {
            let owner = fleet
                .places
                .get(&slot.provider)
                .and_then(|place| self.owners.get(&(place.clone(), slot.key.clone())));
            if let Some(owner) = owner {
                taken.entry(&owner.state).or_default().push(owner);
            }
        }
        for (path, owners) in taken {
            let (file, mut state) = StateFile::open(path)?;
            for Owner { callback, slot, .. } in owners {
                if let Some(config) = state.entries.get(callback).and_then(|entry| entry.in_slot(slot)) {
                    let config = OwnedConfig { standing: Standing::Lost, ..config.clone() };
                    let record = Record::Config { name: callback.clone(), config };
                    file.append(&record).await?;
                    state.take(record);
                }
            }
            file.checkpoint(&state)?;
        }
        Ok(())
    }

    /// Blocks the steps of `plan` that would create what another fleet owns.
    pub(crate) fn block(fleet: &Fleet, state: &State, plan: &mut Plan) -> Result<(), Failure> {
        let claims = |action: &Action| match action {
            Action::Create(change) | Action::Replace(change) if change.write == Write::Create => {
                Some(change.slot.clone())
            }
            _ => None,
        };
        let ours = state.configs().filter(|(_, config)| config.standing != Standing::Lost);
        let ours: BTreeSet<&Slot> = ours.map(|(_, config)| &config.slot).collect();
        let mut steps = plan.steps.iter_mut().filter_map(|step| {
            let slot = claims(&step.action).filter(|slot| !ours.contains(slot))?;
            Some((step, slot))
        });
        // Most plans claim nothing: the other states may be large.
        let Some(first) = steps.next() else { return Ok(()) };
        let owned = Self::of(fleet)?.owned(fleet);
        for (step, slot) in std::iter::once(first).chain(steps) {
            if let Some(owner) = owned.get(&slot) {
                let reason = format!("it belongs to {owner}");
                let hint = "declare it in one manifest only, and apply the other one first".to_owned();
                step.action = Action::Blocked(Box::new(Blocked { slot: Some(slot), reason, hint }));
            }
        }
        Ok(())
    }
}

/// The states of fleets in `directory`; none if that cannot be listed.
fn states_in(directory: &Path) -> Vec<PathBuf> {
    let is_state = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| {
            name == STATE || name.strip_suffix(STATE).is_some_and(|stem| stem.ends_with('.'))
        })
    };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(is_state)
        .filter_map(|path| fs::canonicalize(path).ok())
        .collect()
}
