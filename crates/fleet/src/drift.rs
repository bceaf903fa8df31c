//! What somebody else changed in the clouds since it was written.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::name::Name;
use crate::observe::{Observed, Sight};
use crate::plan::Targets;
use crate::shown::ShownField;
use crate::slot::Slot;
use crate::state::{OwnedConfig, State};

/// A config of ours that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The callback.
    pub name: Name,
    /// Where its config is.
    #[serde(flatten)]
    pub slot: Slot,
    /// What happened to it.
    #[serde(flatten)]
    pub kind: DriftKind,
}

/// What happened to a config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "drift", rename_all = "snake_case")]
pub enum DriftKind {
    /// It is gone; somebody else's may be in its place.
    Missing,
    /// Fields of it changed.
    Changed {
        /// The fields as they are now. How they were is not known: a state has no values.
        fields: Vec<ShownField>,
    },
    /// It cannot be read, so nobody can tell.
    Unreadable {
        /// Why.
        reason: String,
    },
}

/// The places that [`drift`] needs to see.
pub fn drift_slots(state: &State, targets: &Targets) -> BTreeSet<Slot> {
    written(state, targets).map(|(_, config)| config.slot.clone()).collect()
}

fn written<'a>(state: &'a State, targets: &'a Targets) -> impl Iterator<Item = (&'a Name, &'a OwnedConfig)> {
    state.configs().filter(|(name, config)| targets.contains(name) && config.is_written())
}

/// What drifted of the owned configs that `observed` shows, by callback.
///
/// The slots that it lacks are to be [confirmed](crate::Clouds::confirm_missing) first.
/// A signing key that the cloud hides is not compared. Neither is a config whose write was interrupted.
pub fn drift(state: &State, observed: &Observed, targets: &Targets) -> Vec<Drift> {
    let drifted = written(state, targets).filter_map(|(name, config)| {
        let kind = kind(state, config, &observed.sight(&config.slot))?;
        Some(Drift { name: name.clone(), slot: config.slot.clone(), kind })
    });
    drifted.collect()
}

fn kind(state: &State, config: &OwnedConfig, sight: &Sight<'_>) -> Option<DriftKind> {
    match sight {
        Sight::Nothing => Some(DriftKind::Missing),
        Sight::Config(stored) if config.is_replaced_by(stored) => Some(DriftKind::Missing),
        Sight::Unreadable(error) => Some(DriftKind::Unreadable { reason: error.to_string() }),
        Sight::UnknownProvider => Some(DriftKind::Unreadable {
            reason: format!("the manifest has no provider `{}`", config.slot.provider),
        }),
        Sight::Config(stored) => {
            let changed = config.changed(&state.salt, stored);
            let fields: Vec<_> =
                changed.into_iter().map(|field| ShownField::now(field, stored, config)).collect();
            (!fields.is_empty()).then_some(DriftKind::Changed { fields })
        }
    }
}
