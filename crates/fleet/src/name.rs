use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use record_callback_core::InvalidConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const RULE: &str = "1-400 characters without whitespace or control characters";
const MAX_LENGTH: usize = 400;

/// What a manifest calls a provider or a callback: 1–400 characters, none of them whitespace or a control character.
///
/// Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

impl Name {
    /// Checks `text`.
    pub fn new(text: &str) -> Result<Self, InvalidConfig> {
        let problem = match text.chars().count() {
            0 => "is empty".to_owned(),
            n if n > MAX_LENGTH => format!("has {n} characters"),
            _ if text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                "contains whitespace or a control character".to_owned()
            }
            _ => return Ok(Self(text.into())),
        };
        Err(InvalidConfig::new("name", problem, RULE))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Name {
    type Err = InvalidConfig;

    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        Self::new(text)
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidConfig;

    fn try_from(text: String) -> Result<Self, InvalidConfig> {
        Self::new(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.as_ref().to_owned()
    }
}
