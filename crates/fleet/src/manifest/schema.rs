use std::borrow::Cow;

use record_callback_core::{EventKind, Fidelity};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{Declaration, Settings};

/// A JSON Schema (draft 2020-12) of manifests whose providers are each a `P`, for editors.
///
/// It does not know what [`ManifestFile::parse`](super::ManifestFile::parse) checks beyond the shape.
pub fn schema<P: JsonSchema>() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let provider = generator.subschema_for::<P>();
    let defaults = generator.subschema_for::<Settings>();
    let callback = generator.subschema_for::<Declaration>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Fleet of recording callbacks",
        "type": "object",
        "properties": {
            "$schema": { "description": "Where this schema is, for editors.", "type": "string" },
            "providers": {
                "description": "The clouds, by the names that the rest of the manifest uses.",
                "type": "object",
                "additionalProperties": provider,
            },
            "defaults": { "description": "What callbacks leave out.", "allOf": [defaults] },
            "callbacks": { "description": "The callbacks.", "type": "array", "items": callback },
        },
        "additionalProperties": false,
        "$defs": generator.take_definitions(true),
    })
}

/// A URL, in the schema.
pub(super) enum UrlText {}

impl JsonSchema for UrlText {
    fn schema_name() -> Cow<'static, str> {
        "Url".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^https?://[^/?#]" })
    }
}

/// The name of an event, in the schema.
pub(super) enum EventText {}

impl JsonSchema for EventText {
    fn schema_name() -> Cow<'static, str> {
        "Event".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let known: Vec<_> = EventKind::known().map(|kind| kind.to_string()).collect();
        json_schema!({
            "anyOf": [
                { "enum": known },
                { "description": "An event that only its vendor knows.", "type": "string", "pattern": "^vendor:" },
            ],
        })
    }
}

/// A fidelity, in the schema.
pub(super) enum FidelityText {}

impl JsonSchema for FidelityText {
    fn schema_name() -> Cow<'static, str> {
        "Fidelity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": [Fidelity::Exact, Fidelity::Widen, Fidelity::BestEffort] })
    }
}

#[cfg(test)]
mod tests {
    use crate::manifest::tests::{Cloud, lines, toml};

    #[test]
    fn the_schema_has_the_keys_that_are_read() {
        let schema = super::schema::<Cloud>();
        let resolved = |mut at: &serde_json::Value| {
            at = at["allOf"].get(0).unwrap_or(at);
            match at["$ref"].as_str() {
                Some(reference) => schema.pointer(&reference[1..]).unwrap().clone(),
                None => at.clone(),
            }
        };
        let properties = schema["properties"].clone();
        let callback = resolved(&properties["callbacks"]["items"]);
        let signing = resolved(&callback["properties"]["signing"]);
        let keys: Vec<_> = resolved(&signing["properties"]["key"])["oneOf"].as_array().unwrap().clone();
        assert_eq!(callback["required"], serde_json::json!(["name", "domain"]));
        let some = |text: &str| {
            lines(toml(text))
                .iter()
                .find(|line| line.contains("is not known here"))
                .cloned()
                .unwrap_or_default()
        };
        for (object, text) in [
            (schema.clone(), "x = 1"),
            (callback, "callbacks = [{ x = 1 }]"),
            (resolved(&properties["defaults"]), "defaults = { x = 1 }"),
            (signing, "defaults = { signing = { x = 1 } }"),
        ] {
            let rule = some(text);
            assert_eq!(object["additionalProperties"], false, "{text}");
            let properties = object["properties"].as_object().unwrap();
            assert_eq!(rule.matches('`').count() / 2, properties.len(), "{rule}\n{object:#}");
            for (key, property) in properties {
                assert!(rule.contains(&format!("`{key}`")), "{key}: {rule}");
                assert!(
                    key == "$schema" || property.to_string().contains("description"),
                    "{key}: {property}"
                );
            }
        }
        let keys: Vec<_> =
            keys.iter().flat_map(|key| key["properties"].as_object().unwrap().keys()).collect();
        assert_eq!(keys, ["env", "file"]);
        // Nothing is `null`.
        assert!(!super::schema::<bool>().to_string().contains("null"));
    }
}
