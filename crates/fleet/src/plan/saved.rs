//! A plan that is kept, to be carried out later as it was shown, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Plan, PlanInput, Targets};
use crate::name::Name;
use crate::slot::Slot;
use crate::state::{Salt, State};

const VERSION: u32 = 1;
/// Longer than the plan of a million callbacks.
const MAX_LENGTH: u64 = 1 << 30;

/// A plan in a file, with keyed digests of all that it was made from. No secrets.
///
/// It is never carried out itself: a new plan is made from what is there, and has to be the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    version: u32,
    /// True if it is the removal of everything.
    destroys: bool,
    /// The callbacks it is about; all where there are none.
    targets: Option<BTreeSet<Name>>,
    salt: Salt,
    manifest: String,
    keys: String,
    state: String,
    /// A digest of what each provider showed.
    clouds: BTreeMap<Name, String>,
    plan: Value,
}

/// The reason why a file with a plan cannot be written or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SavedPlanError {
    /// The disk or the operating system refuses.
    #[error("the plan {} cannot be {what}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operation that was tried.
        what: &'static str,
        /// The reason why it failed.
        source: io::Error,
    },
    /// Another file is where it is to be written.
    #[error("{} is there already and is no saved plan; give another name", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// It is not what `plan` wrote.
    #[error("{} is no saved plan, or was changed since; make it again with `plan --out`", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Another version of this program wrote it.
    #[error(
        "the plan {} is of version {version}, and this program knows version {VERSION}; make it again with `plan --out`",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
}

/// The fields that the plans of every version have.
#[derive(Deserialize)]
struct Version {
    version: u64,
    #[expect(dead_code, reason = "a state has a version, too, and no plan")]
    plan: serde::de::IgnoredAny,
}

impl SavedPlan {
    /// The parts to keep of `plan`, which was made from `input` and the manifest's `text`.
    ///
    /// # Errors
    /// Fails if the operating system has no randomness to give.
    pub fn new(plan: &Plan, input: &PlanInput<'_>, text: &str, destroys: bool) -> io::Result<Self> {
        Self::salted(Salt::random()?, plan, input, text, destroys)
    }

    fn salted(
        salt: Salt,
        plan: &Plan,
        input: &PlanInput<'_>,
        text: &str,
        destroys: bool,
    ) -> io::Result<Self> {
        let mut slots: BTreeMap<Name, BTreeSet<Slot>> = BTreeMap::new();
        for slot in PlanInput::slots(input.manifest, input.state, input.targets) {
            slots.entry(slot.provider.clone()).or_default().insert(slot);
        }
        let clouds = slots.into_iter().map(|(provider, slots)| {
            let shown: Vec<String> = slots.iter().map(|slot| input.observed.comparable(slot)).collect();
            (provider, salt.digest("clouds", shown.join("\n").as_bytes()))
        });
        let State { salt: _, places, accounts, entries, switch } = input.state;
        let state = (places, accounts, entries, switch);
        Ok(Self {
            version: VERSION,
            destroys,
            targets: match input.targets {
                Targets::All => None,
                Targets::Only(names) => Some(names.clone()),
            },
            salt,
            manifest: salt.digest("manifest", text.as_bytes()),
            keys: salt.digest("keys", input.keys.comparable().as_bytes()),
            state: salt.digest("state", &serde_json::to_vec(&state)?),
            clouds: clouds.collect(),
            plan: serde_json::to_value(plan)?,
        })
    }

    /// The callbacks it is about.
    pub fn targets(&self) -> Targets {
        self.targets.clone().map_or(Targets::All, Targets::Only)
    }

    /// Returns true if it is the removal of everything.
    pub fn destroys(&self) -> bool {
        self.destroys
    }

    /// The names of what changed since this plan was made; none where `plan`, made from `input` and `text` now, is the
    /// same.
    ///
    /// # Errors
    /// Fails if `plan` cannot be written as JSON.
    pub fn outdated_by(&self, plan: &Plan, input: &PlanInput<'_>, text: &str) -> io::Result<Vec<String>> {
        let now = Self::salted(self.salt, plan, input, text, self.destroys)?;
        let mut changed = Vec::new();
        for (what, is_other) in [
            ("the manifest", self.manifest != now.manifest),
            ("a signing key", self.keys != now.keys),
            ("the state", self.state != now.state),
        ] {
            changed.extend(is_other.then(|| what.to_owned()));
        }
        let providers: BTreeSet<&Name> = self.clouds.keys().chain(now.clouds.keys()).collect();
        let others = providers.into_iter().filter(|name| self.clouds.get(*name) != now.clouds.get(*name));
        changed.extend(others.map(|name| format!("what provider `{name}` has")));
        if changed.is_empty() && *self != now {
            changed.push("the plan itself".to_owned());
        }
        Ok(changed)
    }

    /// Writes it to `path`, for its owner only. A saved plan that was there is replaced.
    ///
    /// # Errors
    /// Fails if another file is there, or it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), SavedPlanError> {
        if path.exists() && !matches!(Self::read(path), Ok(_) | Err(SavedPlanError::Version { .. })) {
            return Err(SavedPlanError::Taken { path: path.to_owned() });
        }
        self.try_write(path).map_err(|source| SavedPlanError::Io {
            path: path.to_owned(),
            what: "written",
            source,
        })
    }

    fn try_write(&self, path: &Path) -> io::Result<()> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        // Readable for its owner only from the beginning.
        let mut file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
        serde_json::to_writer_pretty(file.as_file_mut(), self)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// Fails if the file cannot be read, is of another version, or is no saved plan.
    pub fn read(path: &Path) -> Result<Self, SavedPlanError> {
        let text = record_callback_durable::read(path, MAX_LENGTH).map_err(|source| SavedPlanError::Io {
            path: path.to_owned(),
            what: "read",
            source,
        })?;
        let malformed = || SavedPlanError::Malformed { path: path.to_owned() };
        match serde_json::from_slice(&text) {
            Ok(Version { version, .. }) if version != u64::from(VERSION) => {
                Err(SavedPlanError::Version { path: path.to_owned(), version })
            }
            // What is wrong with it may quote it, and it may be a file with secrets.
            Ok(_) => serde_json::from_slice(&text).map_err(|_| malformed()),
            Err(_) => Err(malformed()),
        }
    }
}
