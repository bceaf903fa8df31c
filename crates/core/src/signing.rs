use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Error, ErrorKind, Field, InvalidConfig};

const RULE: &str = "16-128 ASCII letters and digits";
const MIN_LENGTH: usize = 16;
const MAX_LENGTH: usize = 128;
/// What serialising writes in place of a key; the charset rule keeps it from being read back as one.
const REDACTED: &str = "[redacted]";

/// The secret a cloud signs callbacks with: 16–128 ASCII letters and digits.
///
/// Vendors take shorter ranges ([`SigningSupport::key_length`](crate::SigningSupport::key_length));
/// exactly 32 characters suit all we know, and [`SigningKey::generate`] makes such a key. It is wiped
/// from memory on drop and never shown by `Debug` or `Serialize`.
#[derive(Clone)]
pub struct SigningKey(SecretString);

impl SigningKey {
    /// Checks `text`. Errors never contain it.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidConfig> {
        let text = SecretString::from(text.into());
        let key = text.expose_secret();
        let refuse = |problem: String| Err(InvalidConfig::new(Field::SigningKey, problem, RULE));
        if key == REDACTED {
            return refuse("was redacted when this config was written; supply the key itself".into());
        }
        if let Some(at) = key.chars().position(|c| !c.is_ascii_alphanumeric()) {
            return refuse(format!("character {} is not a letter or digit", at + 1));
        }
        if !(MIN_LENGTH..=MAX_LENGTH).contains(&key.len()) {
            return refuse(format!("has {} characters", key.len()));
        }
        Ok(Self(text))
    }

    /// Takes a key as a cloud reports it, even one that [`SigningKey::new`] would refuse.
    pub fn reported(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// Makes a random key of 32 lower-case hex digits (128 bits), which all vendors we know take.
    ///
    /// Fails only when the operating system has no randomness to give.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes).map_err(|source| {
            Error::new(ErrorKind::Unavailable, "the operating system gave no random bytes")
                .with_source(source)
        })?;
        Ok(Self(SecretString::from(hex::encode(bytes))))
    }

    /// The key itself.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Length in characters.
    pub fn length(&self) -> usize {
        self.expose().chars().count()
    }
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for SigningKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// The algorithm a cloud signs callbacks with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SigningScheme {
    /// MD5 over a few fields and the key. Proves little; the body is not covered.
    Md5,
    /// HMAC-SHA256 over a few fields of the body.
    HmacSha256,
}

impl fmt::Display for SigningScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(scheme_name(Some(*self)))
    }
}

/// Whether and how callbacks are signed, written `{ scheme = "md5", key = "…" }`.
///
/// `Serialize` writes `[redacted]` for the key; see
/// [`RecordCallbackConfig::with_exposed_key`](crate::RecordCallbackConfig::with_exposed_key).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "RawSigning")]
#[non_exhaustive]
pub enum CallbackSigning {
    /// Callbacks are not signed.
    #[default]
    Disabled,
    /// Signed with [`SigningScheme::Md5`].
    Md5(SigningKey),
    /// Signed with [`SigningScheme::HmacSha256`].
    HmacSha256(SigningKey),
}

impl CallbackSigning {
    /// Signing with `scheme` and `key`.
    pub fn with(scheme: SigningScheme, key: SigningKey) -> Self {
        match scheme {
            SigningScheme::Md5 => Self::Md5(key),
            SigningScheme::HmacSha256 => Self::HmacSha256(key),
        }
    }

    /// The algorithm, if callbacks are signed.
    pub fn scheme(&self) -> Option<SigningScheme> {
        match self {
            Self::Disabled => None,
            Self::Md5(_) => Some(SigningScheme::Md5),
            Self::HmacSha256(_) => Some(SigningScheme::HmacSha256),
        }
    }

    /// The key, if callbacks are signed.
    pub fn key(&self) -> Option<&SigningKey> {
        match self {
            Self::Disabled => None,
            Self::Md5(key) | Self::HmacSha256(key) => Some(key),
        }
    }

    /// Serialises the signing, with the key in clear text when `exposed`.
    pub(crate) fn serialize_key<S: Serializer>(
        &self,
        exposed: bool,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("CallbackSigning", 2)?;
        fields.serialize_field("scheme", scheme_name(self.scheme()))?;
        match self.key() {
            Some(key) => fields.serialize_field("key", if exposed { key.expose() } else { REDACTED })?,
            None => fields.skip_field("key")?,
        }
        fields.end()
    }
}

/// The name of a scheme as configs spell it, `disabled` for none.
pub(crate) fn scheme_name(scheme: Option<SigningScheme>) -> &'static str {
    match scheme {
        None => "disabled",
        Some(SigningScheme::Md5) => "md5",
        Some(SigningScheme::HmacSha256) => "hmac_sha256",
    }
}

impl Serialize for CallbackSigning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize_key(false, serializer)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawScheme {
    Disabled,
    Md5,
    HmacSha256,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSigning {
    scheme: RawScheme,
    key: Option<SecretString>,
}

impl TryFrom<RawSigning> for CallbackSigning {
    type Error = InvalidConfig;

    fn try_from(raw: RawSigning) -> Result<Self, InvalidConfig> {
        let key = raw.key.map(|key| SigningKey::new(key.expose_secret())).transpose()?;
        let refuse = |problem: &str| {
            let rule = "a key with every scheme, none with `disabled`";
            Err(InvalidConfig::new(Field::SigningKey, problem.to_owned(), rule))
        };
        match (raw.scheme, key) {
            (RawScheme::Disabled, None) => Ok(Self::Disabled),
            (RawScheme::Disabled, Some(_)) => refuse("is given although signing is disabled"),
            (RawScheme::Md5, Some(key)) => Ok(Self::Md5(key)),
            (RawScheme::HmacSha256, Some(key)) => Ok(Self::HmacSha256(key)),
            (_, None) => refuse("is missing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "Abcdefgh12345678Abcdefgh12345678";

    #[test]
    fn a_generated_key_is_valid_and_new_each_time() {
        let (one, two) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        assert_eq!(one.length(), 32);
        assert!(SigningKey::new(one.expose()).is_ok());
        assert_ne!(one, two);
    }

    #[test]
    fn refusals_say_where_but_never_what() {
        for (text, problem) in [
            ("short", "has 5 characters"),
            ("Abcdefgh1234567é", "character 16 is not a letter or digit"),
            ("Abcdefgh12345678 ", "character 17"),
            ("[redacted]", "was redacted"),
        ] {
            let error = SigningKey::new(text).unwrap_err().to_string();
            assert!(error.starts_with("signing.key: "), "{error}");
            assert!(error.contains(problem), "{error}");
            assert!(!error.contains("Abcdefgh") && !error.contains("short"), "{error}");
        }
        assert!(SigningKey::new("a".repeat(128)).is_ok());
        assert!(SigningKey::new("a".repeat(129)).is_err());
    }

    #[test]
    fn neither_debug_nor_serialize_shows_the_key() {
        let signing = CallbackSigning::HmacSha256(SigningKey::new(KEY).unwrap());
        assert_eq!(format!("{signing:?}"), "HmacSha256([redacted])");
        let json = serde_json::to_string(&signing).unwrap();
        assert_eq!(json, r#"{"scheme":"hmac_sha256","key":"[redacted]"}"#);
        let error = serde_json::from_str::<CallbackSigning>(&json).unwrap_err().to_string();
        assert!(error.contains("was redacted when this config was written"), "{error}");
    }

    #[test]
    fn a_scheme_needs_a_key_and_disabled_takes_none() {
        for (json, problem) in [
            (r#"{"scheme":"md5"}"#, "signing.key: is missing"),
            (r#"{"scheme":"disabled","key":"Abcdefgh12345678"}"#, "although signing is disabled"),
            (r#"{"scheme":"sha512","key":"Abcdefgh12345678"}"#, "unknown variant"),
            (r#"{"scheme":"md5","key":"Abcdefgh12345678","salt":1}"#, "unknown field"),
        ] {
            let error = serde_json::from_str::<CallbackSigning>(json).unwrap_err().to_string();
            assert!(error.contains(problem), "{json}: {error}");
            assert!(!error.contains("Abcdefgh"), "{error}");
        }
    }
}
