use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Field, InvalidConfig};

const RULE: &str =
    "`*` for any app, or a name of 1-128 characters without `*`, whitespace or control characters";
const MAX_LENGTH: usize = 128;
const ANY: &str = "*";

/// The name of one live application: 1–128 characters, none of them `*`,
/// whitespace or a control character.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppName(String);

impl AppName {
    /// Checks `text`.
    pub fn new(text: &str) -> Result<Self, InvalidConfig> {
        let refuse = |problem: String| Err(InvalidConfig::new(Field::App, problem, RULE));
        match text.chars().count() {
            0 => return refuse("is empty".into()),
            n if n > MAX_LENGTH => return refuse(format!("has {n} characters")),
            _ => {}
        }
        // First: what follows quotes the text.
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return refuse("contains whitespace or a control character".into());
        }
        if text.bytes().all(|b| b == b'*') {
            return refuse(format!("is `{text}`; write a single `*` to match any app"));
        }
        if text.contains('*') {
            return refuse(format!("`{text}` contains `*`, which matches nothing inside a name"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which applications of a domain a config is for, written `*` or as the name.
///
/// For a stream the config of its exact app is used, else the one for `*`; the
/// two are never merged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AppSelector {
    /// Every application without a config of its own, written `*`.
    #[default]
    Any,
    /// One application.
    Named(AppName),
}

impl AppSelector {
    /// Takes a selector as a cloud reports it, even one that parsing would refuse (such as
    /// the `**` of a vendor's old example), so that whatever is stored can be listed and deleted.
    pub fn reported(text: &str) -> Self {
        if text == ANY { Self::Any } else { Self::Named(AppName(text.to_owned())) }
    }

    /// The selector as written: `*` or the name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Any => ANY,
            Self::Named(name) => name.as_str(),
        }
    }
}

impl fmt::Display for AppSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AppSelector {
    type Err = InvalidConfig;

    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        if text == ANY { Ok(Self::Any) } else { AppName::new(text).map(Self::Named) }
    }
}

impl TryFrom<String> for AppSelector {
    type Error = InvalidConfig;

    fn try_from(text: String) -> Result<Self, InvalidConfig> {
        text.parse()
    }
}

impl From<AppSelector> for String {
    fn from(app: AppSelector) -> Self {
        app.as_str().to_owned()
    }
}

impl From<AppName> for AppSelector {
    fn from(name: AppName) -> Self {
        Self::Named(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_star_is_the_wildcard_and_the_only_use_of_it() {
        assert_eq!("*".parse::<AppSelector>().unwrap(), AppSelector::Any);
        let hint = "**".parse::<AppSelector>().unwrap_err().to_string();
        assert!(hint.contains("write a single `*` to match any app"), "{hint}");
        let inner = "live*".parse::<AppSelector>().unwrap_err().to_string();
        assert!(inner.contains("matches nothing inside a name"), "{inner}");
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!(AppName::new(&"直".repeat(128)).is_ok());
        let error = AppName::new(&"a".repeat(129)).unwrap_err().to_string();
        assert!(error.starts_with("app: has 129 characters"), "{error}");
        assert!(AppName::new("").unwrap_err().to_string().contains("is empty"));
        assert!(AppName::new("a b").is_err());
        assert!(AppName::new("a\nb").is_err());
    }

    #[test]
    fn stars_do_not_bring_control_characters_into_the_problem() {
        for text in ["x\n*\u{1b}[2J", "*\u{7}*"] {
            let error = AppName::new(text).unwrap_err();
            assert_eq!(error.problem(), "contains whitespace or a control character");
        }
    }

    #[test]
    fn what_a_cloud_reports_is_kept() {
        assert_eq!(AppSelector::reported("**").as_str(), "**");
        assert_eq!(AppSelector::reported("*"), AppSelector::Any);
    }
}
