//! Carries out a plan: within quota, verified, and so that whatever dies when, the same command goes on from there.

mod notes;
mod retire;
mod run;
mod verify;

use std::fmt;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use record_callback_core::{Applied, Error, ErrorKind, Field, ReadBack};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use tokio::sync::watch;

pub use run::apply;

use crate::name::Name;
use crate::plan::{Retirement, Write};
use crate::slot::Slot;

/// How a plan is carried out.
#[derive(Debug, Clone)]
pub struct ApplyOptions {
    /// How long to wait for a write to show.
    pub read_back: ReadBack,
    /// After so many failures nothing more is begun. Default: failures of some do not stop the others.
    pub max_failures: Option<usize>,
    /// Leaves the configs of callbacks that move to another provider where they are, too.
    pub keep_source: bool,
    /// Asked before the config of a callback that moved to another provider is retired.
    pub confirmation: Option<Arc<dyn Confirmation>>,
    /// Tells when to begin nothing more.
    pub stop: Stop,
    /// Every write goes through it. Without one a write that waits for its turn in a quota counts as begun.
    pub gate: Option<Arc<dyn Gate>>,
}

impl ApplyOptions {
    /// All defaults, waiting as `read_back` says.
    pub fn new(read_back: ReadBack) -> Self {
        Self {
            read_back,
            max_failures: None,
            keep_source: false,
            confirmation: None,
            stop: Stop::never(),
            gate: None,
        }
    }
}

/// A write under way, and what it answers; nothing where it was a delete.
pub type Writing<'a> = BoxFuture<'a, Result<Option<Applied>, Error>>;

/// Lets writes begin, or not any more.
#[async_trait]
pub trait Gate: fmt::Debug + Send + Sync {
    /// Carries `write` out; `None` if certainly nothing of it was.
    async fn pass(&self, write: Writing<'_>) -> Option<Result<Option<Applied>, Error>>;
}

/// Says whether a callback works in its new place.
#[async_trait]
pub trait Confirmation: fmt::Debug + Send + Sync {
    /// Returns once it is confirmed that callbacks arrive from `to`; an error says why it is not.
    async fn confirm(&self, name: &Name, from: &[Slot], to: &Slot) -> Result<(), String>;
}

/// Told what becomes of each callback, as it happens.
pub trait Progress: Send + Sync {
    /// The callback is as planned, or will not be in this run. `action` is what the plan had for it, as in [`Outcome`].
    fn ended(&self, name: &Name, action: &str, fate: &Fate);
}

/// Nobody watches.
impl Progress for () {
    fn ended(&self, _name: &Name, _action: &str, _fate: &Fate) {}
}

/// Tells an apply to finish what is under way and begin nothing more.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// Stops what has the [`Stop`] of the same pair.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Stop {
    /// Something to stop with, and what to watch it by.
    pub fn pair() -> (Stopper, Self) {
        let (sender, receiver) = watch::channel(false);
        (Stopper(sender), Self(receiver))
    }

    /// One that never says stop.
    pub fn never() -> Self {
        Self::pair().1
    }

    /// Whether to stop.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it says stop.
    pub async fn wait(&self) {
        if self.0.clone().wait_for(|stop| *stop).await.is_err() {
            // Nobody is left who could.
            std::future::pending::<()>().await;
        }
    }
}

impl Stopper {
    /// Says stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// What became of one callback.
#[derive(Debug)]
pub enum Fate {
    /// It is as planned, and was read back.
    Done,
    /// It is not, and this is why.
    Failed(Failure),
    /// The plan could not do anything for it.
    Blocked {
        /// Why.
        reason: String,
        /// What to do about it.
        hint: String,
    },
    /// It was not begun, or not finished, because the run was to stop.
    Unfinished,
}

/// Where a callback failed.
#[derive(Debug)]
pub struct Failure {
    /// How far it came.
    pub stage: Stage,
    /// What went wrong.
    pub error: Error,
}

impl Failure {
    /// What the person who gets it can do.
    pub fn hint(&self) -> &'static str {
        let kind = self.error.kind();
        match (self.stage, kind) {
            (Stage::Confirm, _) => "both configs are in place, nothing is lost: run it again, or go back",
            (Stage::Write, ErrorKind::NotFound) => {
                "see that the account has this domain; if it has, plan again: its config went since the plan was made"
            }
            (Stage::Write, ErrorKind::AlreadyExists) => {
                "plan again: somebody created a config there since the plan was made"
            }
            (Stage::Verify, ErrorKind::NotApplied) => match self.error.differences() {
                [one] if one.field == Field::OnDemandUrl => {
                    "leave out what the cloud ignores, or accept that with the fidelity `best-effort`"
                }
                [] => "run it again: it looks at what is there first",
                _ => {
                    "run it again; if it ends like this again, the cloud ignores that, or somebody else changes it"
                }
            },
            (_, ErrorKind::NotApplied | ErrorKind::Timeout) => {
                "run it again: it looks at what is there first"
            }
            _ => self.error.hint(),
        }
    }
}

/// How far a callback comes, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Writing the config to its place.
    Write,
    /// Reading it back.
    Verify,
    /// Confirming that callbacks arrive.
    Confirm,
    /// Deleting the configs it leaves behind.
    Retire,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Write => "write",
            Self::Verify => "verify",
            Self::Confirm => "confirm",
            Self::Retire => "retire",
        })
    }
}

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Report {
    /// What became of each callback that something was to be done for, by name.
    pub outcomes: Vec<Outcome>,
    /// Why the run ended early, if it could not note what it does.
    pub journal_error: Option<io::Error>,
}

/// What became of one step of a plan.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The callback.
    pub name: Name,
    /// The action that the plan had for it: `create`, `update`, `replace`, `delete`, `forget` or `blocked`.
    pub action: &'static str,
    /// What became of it.
    #[serde(flatten)]
    pub fate: Fate,
    /// The write of its config, also where the rest failed.
    pub wrote: Write,
    /// Configs that were to be deleted and were found changed by somebody else: they stay, and are not ours any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Retirement>,
}

/// The number of callbacks by what an apply has done with them. Each counts once, and also as failed, blocked or
/// unfinished where its config was written and the rest was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Whose config was created.
    pub created: usize,
    /// Whose config was changed in place, or the note of it corrected.
    pub updated: usize,
    /// That moved.
    pub replaced: usize,
    /// That are gone.
    pub deleted: usize,
    /// That are not ours any more, with nothing deleted.
    pub forgotten: usize,
    /// That failed.
    pub failed: usize,
    /// That nothing could be done for.
    pub blocked: usize,
    /// That were not begun or not finished.
    pub unfinished: usize,
}

impl Report {
    /// Whether everything is as planned.
    pub fn is_done(&self) -> bool {
        self.journal_error.is_none() && self.outcomes.iter().all(|outcome| matches!(outcome.fate, Fate::Done))
    }

    /// Counts the callbacks by what was done with them.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for Outcome { action, fate, wrote, .. } in &self.outcomes {
            match (fate, *action) {
                (Fate::Done, "create") => tally.created += 1,
                (Fate::Done, "update") => tally.updated += 1,
                (Fate::Done, "replace") => tally.replaced += 1,
                (Fate::Done, "forget") => tally.forgotten += 1,
                (Fate::Done, _) => tally.deleted += 1,
                (Fate::Failed(_), _) => tally.failed += 1,
                (Fate::Blocked { .. }, _) => tally.blocked += 1,
                (Fate::Unfinished, _) => tally.unfinished += 1,
            }
            match wrote {
                _ if matches!(fate, Fate::Done) => {}
                Write::Create => tally.created += 1,
                Write::Update => tally.updated += 1,
                Write::Nothing => {}
            }
        }
        tally
    }

    /// Counts the callbacks that are as planned.
    pub fn done(&self) -> usize {
        self.outcomes.iter().filter(|outcome| matches!(outcome.fate, Fate::Done)).count()
    }

    /// Configs that were ours and stay as they are, because they are somebody else's now; with their callbacks.
    pub fn left(&self) -> impl Iterator<Item = (&Name, &Retirement)> {
        self.outcomes.iter().flat_map(|outcome| outcome.left.iter().map(|left| (&outcome.name, left)))
    }
}

impl Serialize for Fate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Fate", 4)?;
        match self {
            Self::Done => fields.serialize_field("result", "done")?,
            Self::Unfinished => fields.serialize_field("result", "unfinished")?,
            Self::Blocked { reason, hint } => {
                fields.serialize_field("result", "blocked")?;
                fields.serialize_field("reason", reason)?;
                fields.serialize_field("hint", hint)?;
            }
            Self::Failed(failure) => {
                fields.serialize_field("result", "failed")?;
                fields.serialize_field("stage", &failure.stage)?;
                fields.serialize_field("reason", &failure.error.to_string())?;
                fields.serialize_field("hint", failure.hint())?;
            }
        }
        fields.end()
    }
}
