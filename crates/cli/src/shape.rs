//! A guess at what a file is that is not what it was given for.

use std::fmt;

use record_callback::fleet::ManifestFormat;

/// The kind and format that a file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    pub(crate) format: ManifestFormat,
}

/// The kinds of file that commands are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Manifest,
    State,
    Receiver,
}

impl Shape {
    /// The shape of `text`, if it is TOML or JSON and has the keys that one of the kinds has.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let json = serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(text).ok();
        let toml = || toml::from_str::<toml::Table>(text).ok();
        let (keys, format): (Vec<String>, _) = match json {
            Some(table) => (table.into_iter().map(|(key, _)| key).collect(), ManifestFormat::Json),
            None => (toml()?.into_iter().map(|(key, _)| key).collect(), ManifestFormat::Toml),
        };
        let has = |key| keys.iter().any(|known| known == key);
        let kind = if has("serial") && has("salt") {
            Kind::State
        } else if has("callbacks") || has("providers") {
            Kind::Manifest
        } else if has("sources") || has("sink") {
            Kind::Receiver
        } else {
            return None;
        };
        Some(Self { kind, format })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Manifest => "a fleet's manifest",
            Kind::State => "a fleet's state",
            Kind::Receiver => "a receiver's configuration",
        })?;
        f.write_str(match self.format {
            ManifestFormat::Toml => " in TOML",
            ManifestFormat::Json => " in JSON",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_keys() {
        for (text, expected) in [
            ("[providers.a]\nvendor = 'aliyun'\n", Some("a fleet's manifest in TOML")),
            (r#"{"callbacks":[]}"#, Some("a fleet's manifest in JSON")),
            (r#"{"serial":1,"salt":"","providers":{},"callbacks":{}}"#, Some("a fleet's state in JSON")),
            ("sink = { kind = 'stdout' }\n", Some("a receiver's configuration in TOML")),
            ("other = 1\n", None),
            ("[1]", None),
            ("{", None),
        ] {
            assert_eq!(Shape::of(text).map(|shape| shape.to_string()).as_deref(), expected, "{text}");
        }
    }
}
