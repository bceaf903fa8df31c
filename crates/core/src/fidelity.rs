use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::config::RecordCallbackConfig;
use crate::error::{Field, InvalidConfig};
use crate::stored::Difference;

/// How far a vendor may stray from what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fidelity {
    /// Nothing but what was asked; any deviation refuses the call.
    #[default]
    Exact,
    /// More events than asked are fine; nothing may be lost.
    Widen,
    /// Loss is accepted, and reported.
    BestEffort,
}

impl Fidelity {
    /// Whether `kind` is accepted.
    pub fn accepts(self, kind: DeviationKind) -> bool {
        match self {
            Self::Exact => false,
            Self::Widen => kind == DeviationKind::Widened,
            Self::BestEffort => true,
        }
    }
}

impl fmt::Display for Fidelity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Widen => "widen",
            Self::BestEffort => "best-effort",
        })
    }
}

impl FromStr for Fidelity {
    type Err = InvalidConfig;

    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        [Self::Exact, Self::Widen, Self::BestEffort].into_iter().find(|f| f.to_string() == text).ok_or_else(
            || {
                let problem = format!("`{}` is not a fidelity", text.escape_debug());
                InvalidConfig::new("fidelity", problem, "one of exact, widen, best-effort")
            },
        )
    }
}

/// How a vendor strays from what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviationKind {
    /// The vendor does what was asked and more.
    Widened,
    /// Part of what was asked is lost.
    Dropped,
}

/// One way in which a vendor's config differs from the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deviation {
    /// The field concerned.
    pub field: Field,
    /// What was asked, in the spelling of configs. Never a secret.
    pub requested: String,
    /// What the vendor does instead.
    pub effective: String,
    /// Whether something is added or lost.
    pub kind: DeviationKind,
}

impl Deviation {
    /// What a cloud that accepted a write ignores of it.
    pub fn ignored(difference: Difference) -> Self {
        Self {
            field: difference.field,
            requested: difference.wanted,
            effective: difference.stored,
            kind: DeviationKind::Dropped,
        }
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DeviationKind::Widened => "widened",
            DeviationKind::Dropped => "dropped",
        };
        write!(f, "{} {kind}: asked for {}, gets {}", self.field, self.requested, self.effective)
    }
}

/// A config cut to what a vendor can do, with every deviation named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    /// What the vendor will be asked to store.
    pub effective: RecordCallbackConfig,
    /// How that differs from what was asked; empty when it does not.
    pub deviations: Vec<Deviation>,
}
