//! What has to be done for the clouds to be as declared: a pure function of manifest, sight and state.

mod decide;
mod deletions;
mod holders;
mod retire;
mod saved;

use std::collections::BTreeSet;
use std::fmt;

use record_callback_core::{ConfigId, Deviation, Field, InvalidConfig, RecordCallbackConfig};
use serde::Serialize;

pub use decide::{PlanInput, plan, plan_destruction};
pub use deletions::Deletions;
pub use saved::{SavedPlan, SavedPlanError};

use crate::manifest::Wanted;
use crate::name::Name;
use crate::shown::ShownField;
use crate::slot::Slot;

/// What is to be done, a callback a step, by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Plan {
    /// The steps, by the callback's name.
    pub steps: Vec<Step>,
}

/// What is to be done for one callback.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The callback.
    pub name: Name,
    /// What to do.
    #[serde(flatten)]
    pub action: Action,
}

/// What to do for one callback.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Nothing: it is as declared, as far as can be seen.
    Keep(Kept),
    /// Create its config.
    Create(Box<Change>),
    /// Change its config in place.
    Update(Box<Change>),
    /// Have its config in another place first, then retire what is in the earlier one.
    Replace(Box<Change>),
    /// Delete what is ours of a callback that is not declared any more.
    Delete(Box<Removal>),
    /// Delete nothing, and note that nothing of a callback is ours any more.
    Forget(Box<Removal>),
    /// Nothing can be done.
    Blocked(Box<Blocked>),
}

/// What a plan says of a callback it leaves alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Kept {
    /// The cloud hides the signing key: that it is as declared is known only from what was written.
    pub key_unseen: bool,
    /// The config is as declared, and not ours: it is never deleted.
    pub not_owned: bool,
    /// A source of an earlier switch is kept beside it.
    pub source_kept: bool,
}

/// A config to be written, and what goes when it is there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Where the config belongs.
    #[serde(flatten)]
    pub slot: Slot,
    /// How it is written into its slot.
    pub write: Write,
    /// Field by field, how it is and how it will be.
    pub fields: Vec<FieldChange>,
    /// What the cloud cannot do as asked, and does instead.
    pub deviations: Vec<Deviation>,
    /// What the cloud will not show again, so that nobody can verify it.
    pub unseen: Vec<Field>,
    /// Our other configs of this callback, which go when this one is there.
    pub retire: Vec<Retirement>,
    /// The callback that has the slot until it has moved away itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Name>,
    /// Where the config is noted, under another name of the same provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<Slot>,
    /// The callback that the config in the slot belonged to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<Name>,
    /// The protection it has from now on, where that changes: true if it is protected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protect: Option<bool>,
    /// The id of the config that is there and ours, if the cloud has told one.
    #[serde(skip)]
    pub(crate) id: Option<ConfigId>,
    /// What to ask for.
    #[serde(skip)]
    pub(crate) wanted: Wanted,
    /// What the cloud will store of it.
    #[serde(skip)]
    pub(crate) effective: RecordCallbackConfig,
}

/// How a config is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// There is none in its slot.
    Create,
    /// Ours is in its slot and differs.
    Update,
    /// It is there already.
    Nothing,
}

/// How one field is and will be. Never a secret; URLs without their query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// The field.
    pub field: Field,
    /// How it is; `None` where there is no config yet.
    pub from: Option<String>,
    /// How it will be.
    pub to: String,
}

/// Configs that a callback gives up, with nothing in their place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// The configs.
    pub retire: Vec<Retirement>,
}

/// A config that a callback gives up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retirement {
    /// Where it is.
    #[serde(flatten)]
    pub slot: Slot,
    /// What becomes of it.
    pub end: End,
    /// The reason why the callback gives it up.
    #[serde(flatten)]
    pub reason: Reason,
    /// The reason why the cloud's part of it is left alone; set with [`End::Forget`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Left>,
    /// The fields that somebody else changed since they were written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Field>,
    /// The fields that the cloud shows in the slot. Never a secret; URLs without their query.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shows: Vec<ShownField>,
    /// True if a plan had it deleted, and what the cloud showed later was not ours.
    #[serde(skip)]
    pub(crate) unplanned: bool,
}

/// The end of a config that a callback gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It is deleted.
    Delete,
    /// Only the note of it goes.
    Forget,
}

/// The reason why a callback gives a config up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// The manifest does not declare the callback any more.
    NotDeclared,
    /// Everything is to go; see [`plan_destruction`].
    Destroyed,
    /// The callback has its config elsewhere.
    Moved {
        /// The other place.
        to: Slot,
    },
}

/// The reason why a config is forgotten and not deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Left {
    /// There is none any more.
    Gone,
    /// Somebody deleted ours and created another: it has another id.
    Replaced,
    /// Somebody changed it since it was written, and no id proves that it is still ours.
    Changed,
    /// A run that was interrupted began to create it, and what is there is not what it was to write.
    NotWritten,
    /// Another manifest of the directory took it over.
    TakenOver,
    /// It stays the callback's, or another's, under another name of the same provider.
    Renamed {
        /// The other name.
        to: Slot,
    },
}

impl Retirement {
    /// Tells if it was found only when the plan was carried out: the plan said something else.
    pub fn is_unplanned(&self) -> bool {
        self.unplanned
    }

    /// Returns true if a config stays in the cloud that was ours and is not any more.
    pub fn abandons(&self) -> bool {
        matches!(self.left, Some(Left::Replaced | Left::Changed | Left::NotWritten | Left::TakenOver))
    }
}

/// Why nothing can be done for a callback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// Where its config belongs, if that much is known.
    pub slot: Option<Slot>,
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

/// How many callbacks a plan does what with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// To create.
    pub create: usize,
    /// To change in place.
    pub update: usize,
    /// To move.
    pub replace: usize,
    /// To delete.
    pub delete: usize,
    /// To forget, with nothing deleted.
    pub forget: usize,
    /// As declared.
    pub keep: usize,
    /// That nothing can be done for.
    pub blocked: usize,
}

impl Counts {
    /// How many callbacks something is done for.
    pub fn changes(self) -> usize {
        self.create + self.update + self.replace + self.delete + self.forget
    }
}

impl Plan {
    /// How many callbacks it does what with.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for step in &self.steps {
            *match step.action {
                Action::Keep(_) => &mut counts.keep,
                Action::Create(_) => &mut counts.create,
                Action::Update(_) => &mut counts.update,
                Action::Replace(_) => &mut counts.replace,
                Action::Delete(_) => &mut counts.delete,
                Action::Forget(_) => &mut counts.forget,
                Action::Blocked(_) => &mut counts.blocked,
            } += 1;
        }
        counts
    }

    /// The configs that callbacks give up.
    pub fn retirements(&self) -> impl Iterator<Item = (&Name, &Retirement)> {
        self.steps.iter().flat_map(|step| {
            let retire: &[Retirement] = match &step.action {
                Action::Create(change) | Action::Update(change) | Action::Replace(change) => &change.retire,
                Action::Delete(removal) | Action::Forget(removal) => &removal.retire,
                Action::Keep(_) | Action::Blocked(_) => &[],
            };
            retire.iter().map(|retirement| (&step.name, retirement))
        })
    }

    /// Whether nothing is to be done and nothing blocked.
    pub fn is_clean(&self) -> bool {
        let counts = self.counts();
        counts.changes() == 0 && counts.blocked == 0
    }
}

/// Which callbacks a plan is about.
#[derive(Debug, Clone, Default)]
pub enum Targets {
    /// All that are declared or owned.
    #[default]
    All,
    /// These.
    Only(BTreeSet<Name>),
}

impl Targets {
    /// Whether `name` is one of them.
    pub fn contains(&self, name: &Name) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { create, update, replace, delete, forget, keep, blocked } = self;
        write!(f, "{create} to create, {update} to update, {replace} to replace, {delete} to delete, ")?;
        if *forget > 0 {
            write!(f, "{forget} to forget, ")?;
        }
        write!(f, "{keep} unchanged, {blocked} blocked")
    }
}

impl Blocked {
    fn by(slot: Option<Slot>, reason: impl Into<String>, hint: impl Into<String>) -> Action {
        Action::Blocked(Box::new(Self { slot, reason: reason.into(), hint: hint.into() }))
    }

    fn invalid(slot: Option<Slot>, problem: &InvalidConfig) -> Action {
        Self::by(slot, problem.to_string(), "correct the manifest, or set what it refers to")
    }
}
