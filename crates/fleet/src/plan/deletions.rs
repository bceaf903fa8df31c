//! The number of configs that a plan takes away.

use std::collections::BTreeMap;

use super::{Action, End, Plan};
use crate::name::Name;
use crate::state::State;

/// One config may always go without being asked about, however few there are.
const FEW: usize = 1;
/// The part of what is owned that is much to lose at once: a tenth.
const PART: usize = 10;

/// The configs that a plan deletes with nothing in their place. What a move leaves behind is not counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deletions {
    /// The number of those configs.
    pub count: usize,
    /// The number of configs that are owned before it.
    pub owned: usize,
    /// Providers that lose their last configs by it.
    pub emptied: Vec<Name>,
}

impl Deletions {
    /// Tells if they are so many that a mistake is likely: more than one config and more than 10 % of all that are
    /// owned, or the last of a provider.
    pub fn are_many(&self) -> bool {
        self.count > FEW && self.count * PART > self.owned || !self.emptied.is_empty()
    }
}

impl Plan {
    /// Counts what it deletes of what `state` owns.
    pub fn deletions(&self, state: &State) -> Deletions {
        let mut left: BTreeMap<&Name, usize> = BTreeMap::new();
        for (_, config) in state.configs() {
            *left.entry(&config.slot.provider).or_default() += 1;
        }
        for (_, retirement) in self.retirements() {
            if let Some(left) = left.get_mut(&retirement.slot.provider) {
                *left = left.saturating_sub(1);
            }
        }
        let mut deletions = Deletions { owned: state.configs().count(), ..Deletions::default() };
        for step in &self.steps {
            match &step.action {
                Action::Delete(removal) => {
                    for retirement in removal.retire.iter().filter(|one| one.end == End::Delete) {
                        deletions.count += 1;
                        deletions.emptied.push(retirement.slot.provider.clone());
                    }
                }
                Action::Create(change) | Action::Update(change) | Action::Replace(change) => {
                    *left.entry(&change.slot.provider).or_default() += 1;
                }
                Action::Keep(_) | Action::Forget(_) | Action::Blocked(_) => {}
            }
        }
        deletions.emptied.retain(|provider| left.get(provider).is_none_or(|left| *left == 0));
        deletions.emptied.sort_unstable();
        deletions.emptied.dedup();
        deletions
    }
}
