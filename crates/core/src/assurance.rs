use std::fmt;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::signing::SigningScheme;

macro_rules! event_fields {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A field of [`RecordEvent`](crate::RecordEvent) that a cloud can prove, in the spelling of its JSON.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum EventField {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl EventField {
            /// Every field.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The field's path in the event's JSON.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

event_fields! {
    Kind = "kind",
    Domain = "domain",
    App = "app",
    Stream = "stream",
    OccurredAt = "occurred_at",
    TaskId = "task_id",
    JobId = "job_id",
    Error = "error",
    FileUrl = "file.url",
    FilePlayUrl = "file.play_url",
    FileId = "file.id",
    FileFormat = "file.format",
    FileBytes = "file.bytes",
    FileDuration = "file.duration_seconds",
    FileStartedAt = "file.started_at",
    FileEndedAt = "file.ended_at",
    FileWidth = "file.width",
    FileHeight = "file.height",
    FileStorage = "file.storage",
    PushArguments = "push_arguments",
}

impl fmt::Display for EventField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of [`EventField`]s, written as a list of their names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct EventFields(u32);

impl EventFields {
    /// The set of `fields`.
    pub const fn of(fields: &[EventField]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < fields.len() {
            bits |= 1 << fields[i] as u32;
            i += 1;
        }
        Self(bits)
    }

    /// Whether `field` is in the set.
    pub fn contains(self, field: EventField) -> bool {
        self.0 & (1 << field as u32) != 0
    }

    /// Whether the set has no fields.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The fields, in the order of [`EventField::ALL`].
    pub fn iter(self) -> impl Iterator<Item = EventField> {
        EventField::ALL.iter().copied().filter(move |field| self.contains(*field))
    }

    /// The fields of both sets.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The fields that are not in the set.
    #[must_use]
    pub fn complement(self) -> Self {
        Self(Self::of(EventField::ALL).0 & !self.0)
    }
}

impl fmt::Debug for EventFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(EventField::as_str)).finish()
    }
}

impl Serialize for EventFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(EventField::as_str))
    }
}

impl<'de> Deserialize<'de> for EventFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<String>::deserialize(deserializer)?.into_iter().try_fold(Self::default(), |set, name| {
            let field = EventField::ALL.iter().find(|field| field.as_str() == name);
            let field = field.ok_or_else(|| D::Error::custom(format!("`{name}` is no field of an event")))?;
            Ok(Self(set.0 | Self::of(&[*field]).0))
        })
    }
}

/// What a verified event is verified for.
///
/// The clouds sign little: who received an event may believe its [`proven`](Self::proven) fields, and should check the
/// [`joined`](Self::joined) and the [unproven](Self::unproven) ones where it matters, for example by asking the cloud
/// for the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Assurance {
    /// The scheme of the signature. `None`: the source is declared unsigned, and anybody may have sent the event.
    pub scheme: Option<SigningScheme>,
    /// The time that was signed.
    pub signed_at: Option<Timestamp>,
    /// The fields nobody without the key can change.
    pub proven: EventFields,
    /// The fields that are signed as one text, without separators: the text is proven, but not where one of them ends
    /// and the next begins. Who knows one signed delivery can move these places, as from app `live` and stream `one` to
    /// `liveo` and `ne`.
    #[serde(default)]
    pub joined: EventFields,
}

impl Assurance {
    /// The assurance of an event that anybody may have sent.
    pub const UNSIGNED: Self =
        Self { scheme: None, signed_at: None, proven: EventFields::of(&[]), joined: EventFields::of(&[]) };

    /// An assurance with these parts, as read back from where an event was kept.
    pub fn new(
        scheme: Option<SigningScheme>,
        signed_at: Option<Timestamp>,
        proven: EventFields,
        joined: EventFields,
    ) -> Self {
        Self { scheme, signed_at, proven, joined }
    }

    /// Whether the sender knew the key.
    pub fn is_signed(&self) -> bool {
        self.scheme.is_some()
    }

    /// The fields that are not signed: whoever knows one signed delivery can send any of them.
    pub fn unproven(&self) -> EventFields {
        self.proven.union(self.joined).complement()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_proven_or_not() {
        let proven = EventFields::of(&[EventField::Kind, EventField::PushArguments]);
        assert_eq!(proven.iter().count() + proven.complement().iter().count(), EventField::ALL.len());
        assert!(!proven.complement().contains(EventField::Kind));
        assert_eq!(Assurance::UNSIGNED.unproven(), EventFields::of(EventField::ALL));
    }

    #[test]
    fn fields_are_written_by_name_and_read_back() {
        let assurance = Assurance::new(
            Some(SigningScheme::HmacSha256),
            Some(Timestamp::UNIX_EPOCH),
            EventFields::of(&[EventField::Kind]),
            EventFields::of(&[EventField::Domain, EventField::FileUrl]),
        );
        let json = serde_json::to_string(&assurance).unwrap();
        let expected = r#"{"scheme":"hmac_sha256","signed_at":"1970-01-01T00:00:00Z","proven":["kind"],"joined":["domain","file.url"]}"#;
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Assurance>(&json).unwrap(), assurance);
        assert!(serde_json::from_str::<EventFields>(r#"["file"]"#).is_err());
    }
}
