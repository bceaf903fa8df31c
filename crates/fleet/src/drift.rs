//! What somebody else changed in the clouds since it was written.

use std::collections::BTreeSet;

use record_callback_core::{Field, StoredCallback};
use serde::Serialize;

use crate::name::Name;
use crate::observe::{Observed, Sight};
use crate::plan::Targets;
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
        /// The fields, and how they are now.
        fields: Vec<DriftedField>,
    },
    /// It cannot be read, so nobody can tell.
    Unreadable {
        /// Why.
        reason: String,
    },
}

/// A field that somebody changed. What it was is not known: a state has no values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriftedField {
    /// The field.
    pub field: Field,
    /// How it is now. Never a secret; URLs without their query.
    pub now: String,
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
            let changed = state.salt.changed(&config.written, stored).into_iter();
            let fields = changed.filter(|field| !config.ignored.contains(field));
            let fields: Vec<_> =
                fields.map(|field| DriftedField { field, now: now(field, stored) }).collect();
            (!fields.is_empty()).then_some(DriftKind::Changed { fields })
        }
    }
}

fn now(field: Field, stored: &StoredCallback) -> String {
    let url = |url: &Option<String>| match url {
        Some(url) => url.split_once('?').map_or_else(|| url.clone(), |(before, _)| format!("{before}?…")),
        None => "none".to_owned(),
    };
    match field {
        Field::NotifyUrl => url(&stored.notify_url),
        Field::OnDemandUrl => url(&stored.on_demand_url),
        Field::Events => stored.events.to_string(),
        Field::Signing => {
            stored.signing.scheme.map_or_else(|| "disabled".to_owned(), |scheme| scheme.to_string())
        }
        _ => "another key".to_owned(),
    }
}
