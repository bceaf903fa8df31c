use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What tells one event from another, whenever and however often it is delivered: 16 bytes, written as hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DedupeKey([u8; 16]);

impl DedupeKey {
    /// The key of an event that is identified by `parts`, in this order. A missing part differs from an empty one.
    pub fn of<'a>(parts: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // Lengths keep `ab` + `c` and `a` + `bc` apart.
            let length = part.map_or(u64::MAX, |text| text.len() as u64);
            hash.update(length.to_be_bytes());
            hash.update(part.unwrap_or_default());
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Self(key)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<[u8; 16]> for DedupeKey {
    fn from(key: [u8; 16]) -> Self {
        Self(key)
    }
}

impl fmt::Display for DedupeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for DedupeKey {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, hex::FromHexError> {
        let mut key = [0; 16];
        hex::decode_to_slice(text, &mut key)?;
        Ok(Self(key))
    }
}

impl TryFrom<String> for DedupeKey {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        text.parse()
    }
}

impl From<DedupeKey> for String {
    fn from(key: DedupeKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let keys = [
            DedupeKey::of([Some("ab"), Some("c")]),
            DedupeKey::of([Some("a"), Some("bc")]),
            DedupeKey::of([Some("abc")]),
            DedupeKey::of([Some("abc"), None]),
            DedupeKey::of([Some("abc"), Some("")]),
        ];
        for (i, one) in keys.iter().enumerate() {
            for other in &keys[i + 1..] {
                assert_ne!(one, other);
            }
        }
    }

    #[test]
    fn the_text_reads_back() {
        let key = DedupeKey::of([Some("a")]);
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(serde_json::from_str::<DedupeKey>(&serde_json::to_string(&key).unwrap()).unwrap(), key);
        assert!("00".parse::<DedupeKey>().is_err());
        assert!("zz".repeat(16).parse::<DedupeKey>().is_err());
    }
}
