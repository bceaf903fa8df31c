//! What has to hold once nothing more is to be done.

use std::collections::BTreeSet;

use record_callback_core::RecordCallbackConfig;
use record_callback_fleet::{Action, Blocked, Kept, Name, Plan, Slot, Standing, State};

use crate::generate::Run;
use crate::model::{Model, Ran};
use crate::wishes::{serves, with_another_key};

/// So many runs without faults have to be enough, the last of which changes nothing.
const RUNS: usize = 4;

/// Plans and applies without faults until nothing changes, and judges what that ends in.
pub(crate) async fn settle(model: &Model, drop_kept: bool) {
    for seed in 0..RUNS as u64 {
        let before = progress(model);
        let Ran::Ended(plan) = model.run(&Run { seed, drop_kept, ..Run::default() }).await else {
            return model.world.things().violate("crashed by itself");
        };
        if progress(model) == before {
            return Judge { model, plan: &plan, state: model.state(), drop_kept }.all();
        }
    }
    model.world.things().violate("does not settle");
}

/// How much was written and noted so far.
fn progress(model: &Model) -> (usize, usize) {
    let things = model.world.things();
    (things.writes, things.records.len())
}

struct Judge<'a> {
    model: &'a Model,
    plan: &'a Plan,
    state: State,
    drop_kept: bool,
}

impl Judge<'_> {
    fn all(&self) {
        for name in self.model.manifest.callbacks().keys() {
            let wrong = match self.action(name) {
                Some(Action::Keep(kept)) => self.kept(name, *kept),
                Some(Action::Blocked(blocked)) => self.blocked(name, blocked),
                Some(_) if self.waits_for_blocked(name) => None,
                Some(_) => Some("is neither done nor blocked".to_owned()),
                None => Some("is not planned".to_owned()),
            };
            if let Some(wrong) = wrong {
                self.model.world.things().violate(&format!("{name} {wrong}"));
            }
        }
        self.everything_has_an_owner();
        self.everything_owned_is_wanted();
    }

    fn action(&self, name: &Name) -> Option<&Action> {
        self.plan.steps.iter().find(|step| step.name == *name).map(|step| &step.action)
    }

    fn there(&self, slot: &Slot) -> Option<RecordCallbackConfig> {
        self.model.world.things().configs.get(slot).cloned()
    }

    fn is_foreign(&self, slot: &Slot) -> bool {
        self.model.world.things().foreign.contains(slot)
    }

    fn may_be_foreign(&self, slot: &Slot) -> bool {
        self.is_foreign(slot) || self.model.world.things().disputed.contains(slot)
    }

    fn kept(&self, name: &Name, kept: Kept) -> Option<String> {
        let Some((slot, effective)) = self.model.effective(name) else {
            return Some("is kept, but its provider cannot have it".to_owned());
        };
        let owned = self.state.entries.get(name).and_then(|entry| entry.in_slot(&slot));
        let there = self.there(&slot);
        let as_wanted = there.as_ref() == Some(&effective);
        if kept.not_owned {
            // Nobody can know the key of a config that others wrote.
            let but_for_key = kept.key_unseen
                && there
                    .is_some_and(|there| serves(&with_another_key(&there), &with_another_key(&effective)));
            // The note of ours, which somebody replaced, is no claim: it has another id.
            let no_claim = owned.is_none() || self.model.world.things().disputed.contains(&slot);
            let fine = no_claim && self.may_be_foreign(&slot) && (as_wanted || but_for_key);
            return (!fine).then(|| format!("is kept as not ours, which is wrong of {slot}"));
        }
        let written = self.state.salt.of_config(&effective);
        let current = owned.is_some_and(|one| one.standing == Standing::Current && one.written == written);
        match () {
            () if !as_wanted => Some(format!("is kept, but {slot} is not as wanted")),
            () if self.is_foreign(&slot) => Some(format!("is kept as ours, but {slot} is not")),
            () if !current => Some(format!("is kept, but the note of {slot} is {owned:?}")),
            () => None,
        }
    }

    fn blocked(&self, name: &Name, blocked: &Blocked) -> Option<String> {
        let (slot, _) = self.model.effective(name)?;
        let fine = self.may_be_foreign(&slot) || self.waits_in_a_circle(name);
        (!fine).then(|| format!("is blocked without need: {}", blocked.reason))
    }

    /// The callback that has the place that `name` is to have.
    fn holder(&self, name: &Name) -> Option<Name> {
        let slot = self.model.place(name)?;
        let others = self.state.entries.iter().filter(|(other, _)| *other != name);
        others.filter(|(_, entry)| entry.in_slot(&slot).is_some()).map(|(other, _)| other.clone()).next()
    }

    fn waits_in_a_circle(&self, name: &Name) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = Some(name.clone());
        while let Some(waiting) = next {
            next = self.holder(&waiting);
            if !seen.insert(waiting) {
                return true;
            }
        }
        false
    }

    /// Whether a step waits for one that cannot be done.
    fn waits_for_blocked(&self, name: &Name) -> bool {
        match self.action(name) {
            Some(Action::Create(change) | Action::Update(change) | Action::Replace(change)) => {
                change.after.as_ref().is_some_and(|after| self.waits_for_blocked(after))
            }
            Some(Action::Blocked(_)) => true,
            _ => false,
        }
    }

    fn everything_has_an_owner(&self) {
        let configs: Vec<Slot> = self.model.world.things().configs.keys().cloned().collect();
        for slot in configs {
            let owners = self.state.entries.values().filter(|entry| entry.in_slot(&slot).is_some()).count();
            if owners > 1 || owners == 0 && !self.may_be_foreign(&slot) {
                self.model.world.things().violate(&format!("{slot} has {owners} owners"));
            }
        }
    }

    fn everything_owned_is_wanted(&self) {
        let callbacks = self.model.manifest.callbacks();
        let wanted: BTreeSet<Slot> = callbacks.keys().filter_map(|name| self.model.place(name)).collect();
        for (name, entry) in &self.state.entries {
            for config in &entry.configs {
                let slot = &config.slot;
                let kept =
                    config.standing == Standing::Kept && !self.drop_kept && callbacks.contains_key(name);
                let stays = self.waits_for_blocked(name) || kept || wanted.contains(slot);
                if !stays {
                    self.model.world.things().violate(&format!("{slot} of {name} is not wanted any more"));
                }
            }
        }
    }
}
