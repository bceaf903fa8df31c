use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::InvalidConfig;

const FIELD: &str = "account";
const RULE: &str = "1-128 letters, digits and `-_.:@`";
const MAX_LENGTH: usize = 128;

/// The account that credentials belong to: Aliyun's account id, the id of Huawei Cloud's account (domain). No secret.
///
/// A text, compared as such: 1–128 letters and digits of ASCII, `-`, `_`, `.`, `:` and `@`. Ids of 16 digits and more
/// are common, and as floating-point numbers two of them may be equal; such numbers are refused.
///
/// ```
/// use record_callback_core::AccountId;
///
/// let account = AccountId::new("1234567890123456")?;
/// assert_eq!(account.to_string(), "1234567890123456");
/// assert!(AccountId::new("two words").is_err());
/// # Ok::<(), record_callback_core::InvalidConfig>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct AccountId(String);

impl AccountId {
    /// Checks `text`.
    pub fn new(text: &str) -> Result<Self, InvalidConfig> {
        let refuse = |problem: String| Err(InvalidConfig::new(FIELD, problem, RULE));
        match text.len() {
            0 => return refuse("is empty".into()),
            length if length > MAX_LENGTH => return refuse(format!("is {length} bytes long")),
            _ => {}
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:@".contains(c);
        match text.chars().find(|c| !is_plain(*c)) {
            Some(other) => refuse(format!("contains `{}`", other.escape_default())),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AccountId {
    /// Reads a text, or a whole number.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Id;

        impl Visitor<'_> for Id {
            type Value = AccountId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an account's id as a text, or as a whole number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AccountId, E> {
                AccountId::new(text).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<AccountId, E> {
                Ok(AccountId(number.to_string()))
            }
        }

        deserializer.deserialize_any(Id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_all_vendors_are_taken_as_they_are() {
        let longest = "a".repeat(MAX_LENGTH);
        for id in ["1234567890123456", "0000000000000001", "d0c1a2b3e4f5", "a-b_c.d:e@f", &longest] {
            let account = AccountId::new(id).unwrap();
            assert_eq!(account.as_str(), id);
            let json = serde_json::to_string(&account).unwrap();
            assert_eq!(json, format!("\"{id}\""));
            assert_eq!(serde_json::from_str::<AccountId>(&json).unwrap(), account);
        }
    }

    #[test]
    fn what_is_no_id_is_refused_on_one_line() {
        let long = "1".repeat(MAX_LENGTH + 1);
        for id in ["", " ", "a b", "a\n", "\u{1b}[2J", "１２３", "1\u{202e}2", "a/b", &long] {
            let error = AccountId::new(id).unwrap_err().to_string();
            assert!(error.starts_with("account: ") && !error.contains(char::is_control), "{error}");
            assert!(serde_json::from_value::<AccountId>(id.into()).is_err(), "{id:?}");
        }
    }

    #[test]
    fn numbers_keep_every_digit_or_are_refused() {
        for (json, expected) in [
            ("1234567890123456789", Some("1234567890123456789")),
            ("18446744073709551615", Some("18446744073709551615")),
            // More than fits would lose digits.
            ("18446744073709551616", None),
            ("1234567890123456.0", None),
            ("1e15", None),
            ("-1", None),
            ("null", None),
            ("true", None),
            ("[1]", None),
        ] {
            let read = serde_json::from_str::<AccountId>(json).ok();
            assert_eq!(read.as_ref().map(AccountId::as_str), expected, "{json}");
        }
    }
}
