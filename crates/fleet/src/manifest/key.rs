use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use record_callback_core::{Field, InvalidConfig, SigningKey};
use schemars::JsonSchema;
use serde::Serialize;

/// Where a signing key is: `{ env = "NAME" }` or `{ file = "PATH" }`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyReference {
    /// An environment variable.
    Env(String),
    /// A file, relative to the manifest's directory, with the key and at most one line break after it.
    File(PathBuf),
}

impl fmt::Display for KeyReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable `{name}`"),
            Self::File(path) => write!(f, "file `{}`", path.display()),
        }
    }
}

/// Gives the keys that a manifest refers to; a function may.
pub trait KeySource {
    /// The key itself. An error says what is wrong, without the key.
    fn key(&self, reference: &KeyReference) -> Result<SigningKey, InvalidConfig>;
}

impl<F: Fn(&KeyReference) -> Result<SigningKey, InvalidConfig>> KeySource for F {
    fn key(&self, reference: &KeyReference) -> Result<SigningKey, InvalidConfig> {
        self(reference)
    }
}

/// The keys a manifest refers to, or why one cannot be had.
#[derive(Debug, Clone, Default)]
pub struct Keys(BTreeMap<KeyReference, Result<SigningKey, InvalidConfig>>);

impl Keys {
    /// Asks `source` for each of `references` once.
    pub(super) fn resolve<'a>(
        references: impl Iterator<Item = &'a KeyReference>,
        source: &dyn KeySource,
    ) -> Self {
        let mut keys = Self::default();
        for reference in references {
            if !keys.0.contains_key(reference) {
                keys.0.insert(reference.clone(), source.key(reference));
            }
        }
        keys
    }

    /// All of them, to be compared by a digest and never shown.
    pub(crate) fn comparable(&self) -> String {
        let one = |(reference, key): (&KeyReference, &Result<SigningKey, InvalidConfig>)| match key {
            Ok(key) => format!("{reference}\0{}\n", key.expose()),
            Err(_) => format!("{reference}\n"),
        };
        self.0.iter().map(one).collect()
    }

    /// The key, or why there is none.
    pub fn get(&self, reference: &KeyReference) -> Result<SigningKey, InvalidConfig> {
        let unknown = || InvalidConfig::new(Field::SigningKey, format!("{reference} was not asked for"), "");
        self.0.get(reference).cloned().unwrap_or_else(|| Err(unknown()))
    }
}
