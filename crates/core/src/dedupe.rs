use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
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
        Self(first_half(hash))
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

/// Everything an event says, in 16 bytes: two deliveries with the same digest say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentDigest([u8; 16]);

impl ContentDigest {
    /// The digest of a body. The order of members and white space do not count, nor do the members of the object that
    /// are called `signature_members`: they differ each time an event is delivered.
    pub fn of(body: &[u8], signature_members: &[&str]) -> Self {
        let mut hash = Sha256::new();
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => {
                let said = members.iter().filter(|(name, _)| !signature_members.contains(&name.as_str()));
                feed_object(&mut hash, said);
            }
            Ok(value) => feed(&mut hash, &value),
            Err(_) => hash.update(body),
        }
        Self(first_half(hash))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<[u8; 16]> for ContentDigest {
    fn from(digest: [u8; 16]) -> Self {
        Self(digest)
    }
}

fn first_half(hash: Sha256) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}

fn feed_text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
}

fn feed_object<'a>(hash: &mut Sha256, members: impl Iterator<Item = (&'a String, &'a Value)>) {
    let mut members: Vec<_> = members.collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    hash.update(b"{");
    hash.update((members.len() as u64).to_be_bytes());
    for (name, value) in members {
        feed_text(hash, name);
        feed(hash, value);
    }
}

fn feed(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Object(members) => feed_object(hash, members.iter()),
        Value::Array(values) => {
            hash.update(b"[");
            hash.update((values.len() as u64).to_be_bytes());
            for value in values {
                feed(hash, value);
            }
        }
        Value::String(text) => {
            hash.update(b"\"");
            feed_text(hash, text);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            hash.update(b"#");
            feed_text(hash, &value.to_string());
        }
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

    #[test]
    fn content_is_what_a_body_says() {
        let of = |body: &str| ContentDigest::of(body.as_bytes(), &["sign", "time"]);
        let one = of(r#"{"a":1,"b":{"c":[1,"x"],"d":null},"sign":"s","time":"1"}"#);
        let same = r#" {"time":"2", "b":{"d":null,"c":[1,"x"]}, "a":1} "#;
        assert_eq!(of(same), one);
        for other in [
            r#"{"a":1,"b":{"c":[1,"x"]}}"#,
            r#"{"a":"1","b":{"c":[1,"x"],"d":null}}"#,
            r#"{"a":1,"b":{"c":["x",1],"d":null}}"#,
            r#"{"a":1,"b":{"c":[1,"x"],"d":null,"sign":"s"}}"#,
            r#"{"a":1,"b":{"c":[1],"x":null}}"#,
            "no JSON",
        ] {
            assert_ne!(of(other), one, "{other}");
        }
    }
}
