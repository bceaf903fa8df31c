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
