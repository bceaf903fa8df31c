//! The other fleets of a directory: what they own is not claimed by mistake.
//!
//! The clouds have no room for an owner's mark. Fleets whose states are elsewhere nobody can know of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use record_callback::AccountId;
use record_callback::fleet::{
    Action, Blocked, End, Journal, Left, Name, OwnedConfig, Plan, Record, Retirement, Slot, Standing, State,
    StateFile, Write,
};

use super::{Fleet, directory, is_state, of_state};
use crate::failure::Failure;

/// The configs that the other fleets own.
#[derive(Debug, Default)]
pub(crate) struct Siblings {
    owners: Vec<Owner>,
}

/// Whose a config is.
#[derive(Debug, Clone)]
struct Owner {
    /// The file of the fleet's state.
    state: PathBuf,
    callback: Name,
    slot: Slot,
    place: String,
    /// As its state notes it.
    account: Option<AccountId>,
}

impl Owner {
    /// Tells if `provider` of `fleet` is the cloud that the config is in.
    ///
    /// A cloud without ids has one config for a domain, whichever address it is asked at.
    fn is_at(&self, fleet: &Fleet, provider: &Name) -> bool {
        let place = fleet.places.get(provider).map(String::as_str).unwrap_or_default();
        let vendor = |place: &str| place.split(' ').next().map(str::to_owned);
        let account = fleet.accounts.get().and_then(|accounts| accounts.get(provider));
        let has_ids = || fleet.clouds.get(provider).is_none_or(|cloud| cloud.capabilities().ids);
        match (&self.account, account) {
            (Some(ours), Some(theirs)) if ours != theirs => false,
            (Some(_), Some(_)) if vendor(&self.place) == vendor(place) && !has_ids() => true,
            _ => self.place == place,
        }
    }

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
        let mut owners = Vec::new();
        for path in directories.into_iter().flat_map(states_in).collect::<BTreeSet<_>>() {
            if path == own {
                continue;
            }
            let state = StateFile::read(&path).map_err(of_state)?;
            for (callback, config) in state.configs().filter(|(_, config)| config.standing != Standing::Lost)
            {
                let provider = &config.slot.provider;
                if let Some(place) = state.places.get(provider) {
                    owners.push(Owner {
                        state: path.clone(),
                        callback: callback.clone(),
                        slot: config.slot.clone(),
                        place: place.clone(),
                        account: state.accounts.get(provider).cloned(),
                    });
                }
            }
        }
        Ok(Self { owners })
    }

    /// The configs they own that `fleet` could own, and in words whose they are.
    pub(crate) fn owned(&self, fleet: &Fleet) -> BTreeMap<Slot, String> {
        let owned = self.owners.iter().flat_map(|owner| {
            let providers = fleet.places.keys().filter(|provider| owner.is_at(fleet, provider));
            providers.map(|provider| {
                (Slot { provider: provider.clone(), key: owner.slot.key.clone() }, owner.shown())
            })
        });
        owned.collect()
    }

    /// Tells what `fleet` lost, and to whom, a sentence each.
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
            let owners = self.owners.iter().filter(|owner| owner.slot.key == slot.key);
            for owner in owners.filter(|owner| owner.is_at(fleet, &slot.provider)) {
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

    /// Keeps `plan` from what other fleets own: their configs are neither created again nor deleted, not even where this
    /// fleet's state has them, too, because it was restored or is from a time when nobody looked.
    pub(crate) fn block(fleet: &Fleet, state: &State, plan: &mut Plan) -> Result<(), Failure> {
        let ours = state.configs().filter(|(_, config)| config.standing != Standing::Lost);
        let ours: BTreeSet<&Slot> = ours.map(|(_, config)| &config.slot).collect();
        let claim = |action: &Action| match action {
            Action::Create(change) | Action::Replace(change) if change.write == Write::Create => {
                Some(change.slot.clone()).filter(|slot| !ours.contains(slot))
            }
            _ => None,
        };
        let is_blocked = |action: &Action| matches!(action, Action::Blocked(_));
        let deletes = plan.retirements().any(|(_, one)| one.end == End::Delete);
        // Most plans claim and delete nothing: the other states may be large.
        let claims = |action: &Action| claim(action).is_some() || is_blocked(action);
        if !deletes && !plan.steps.iter().any(|step| claims(&step.action)) {
            return Ok(());
        }
        let owned = Self::of(fleet)?.owned(fleet);
        let noted: BTreeSet<&Slot> = state.slots().collect();
        for step in &mut plan.steps {
            let claimed = claim(&step.action).and_then(|slot| Some((owned.get(&slot)?, slot)));
            if let Some((owner, slot)) = claimed {
                step.action = Action::Blocked(Box::new(belongs_to(owner, slot)));
                continue;
            }
            if let Action::Blocked(blocked) = &mut step.action
                // Of what was lost the plan itself says so.
                && let Some(slot) = blocked.slot.clone().filter(|slot| !noted.contains(slot))
                && let Some(owner) = owned.get(&slot)
            {
                **blocked = belongs_to(owner, slot);
            }
            leave(&mut step.action, &owned);
        }
        Ok(())
    }
}

fn belongs_to(owner: &str, slot: Slot) -> Blocked {
    let hint = "declare it in one manifest only: take it out here, or take it over with `import --take-over`";
    Blocked { slot: Some(slot), reason: format!("it belongs to {owner}"), hint: hint.to_owned() }
}

/// Turns the deletion of what is `owned` by others into forgetting it.
fn leave(action: &mut Action, owned: &BTreeMap<Slot, String>) {
    let retire: &mut [Retirement] = match action {
        Action::Create(change) | Action::Update(change) | Action::Replace(change) => &mut change.retire,
        Action::Delete(removal) => &mut removal.retire,
        Action::Keep(_) | Action::Forget(_) | Action::Blocked(_) => return,
    };
    for one in retire.iter_mut().filter(|one| one.end == End::Delete && owned.contains_key(&one.slot)) {
        (one.end, one.left) = (End::Forget, Some(Left::TakenOver));
    }
    let deletes = retire.iter().any(|one| one.end == End::Delete);
    if let Action::Delete(removal) = action
        && !deletes
    {
        *action = Action::Forget(removal.clone());
    }
}

/// The states of fleets in `directory`; none if that cannot be listed.
fn states_in(directory: &Path) -> Vec<PathBuf> {
    let is_state = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(is_state);
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(is_state)
        .filter_map(|path| fs::canonicalize(path).ok())
        .collect()
}
