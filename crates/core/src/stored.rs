use std::fmt;

use jiff::Timestamp;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::callback_url::CallbackUrl;
use crate::config::{CallbackKey, ConfigId, RecordCallbackConfig, RecordCallbackConfigBuilder};
use crate::error::{Field, InvalidConfig};
use crate::event::EventSet;
use crate::signing::{CallbackSigning, SigningKey, SigningScheme, scheme_name};
use crate::text::without_query;

/// A callback config as a cloud reports it.
///
/// Unlike [`RecordCallbackConfig`] it may be incomplete or break our rules: somebody
/// else may have stored it. Serialises without the key, which is `known`, `hidden` or `not_set`.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredCallback {
    /// Domain and app.
    pub key: CallbackKey,
    /// The vendor's id, where it has ids.
    pub id: Option<ConfigId>,
    /// Where events are sent.
    pub notify_url: Option<String>,
    /// Who is asked before recording.
    pub on_demand_url: Option<String>,
    /// The events that are delivered.
    pub events: EventSet,
    /// Whether and how callbacks are signed.
    pub signing: StoredSigning,
    /// When the config was created, where the vendor says.
    pub created_at: Option<Timestamp>,
    /// When the config was last changed, where the vendor says.
    pub updated_at: Option<Timestamp>,
}

/// URLs without their query, which may hold a secret.
impl fmt::Debug for StoredCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, id, notify_url, on_demand_url, events, signing, created_at, updated_at } = self;
        let shown = |url: &Option<String>| url.as_deref().map(without_query);
        f.debug_struct("StoredCallback")
            .field("key", key)
            .field("id", id)
            .field("notify_url", &shown(notify_url))
            .field("on_demand_url", &shown(on_demand_url))
            .field("events", events)
            .field("signing", signing)
            .field("created_at", created_at)
            .field("updated_at", updated_at)
            .finish()
    }
}

/// What a cloud reports about signing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSigning {
    /// The scheme; `None` when callbacks are not signed. With a [`StoredKey::Hidden`]
    /// key a scheme alone does not prove that they are.
    pub scheme: Option<SigningScheme>,
    /// The key, as far as the cloud shows it.
    pub key: StoredKey,
}

/// A stored signing key, as far as the cloud shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredKey {
    /// The cloud showed the key.
    Known(SigningKey),
    /// The cloud never shows keys: there may be one or none.
    Hidden,
    /// The cloud says there is none.
    NotSet,
}

impl fmt::Display for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Known(_) => "known",
            Self::Hidden => "hidden",
            Self::NotSet => "not_set",
        })
    }
}

/// Whether a field is known to differ, or cannot be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DifferenceKind {
    /// The cloud stores something else.
    Changed,
    /// The cloud does not show the field, so nobody can tell.
    CannotBeReadBack,
}

/// One field in which a stored config is not known to equal the wanted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The field concerned.
    pub field: Field,
    /// What the cloud reports; never a secret.
    pub stored: String,
    /// What was wanted; never a secret.
    pub wanted: String,
    /// Whether it differs or cannot be seen.
    pub kind: DifferenceKind,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DifferenceKind::Changed => {
                write!(f, "{}: stored {}, wanted {}", self.field, self.stored, self.wanted)
            }
            DifferenceKind::CannotBeReadBack => {
                write!(f, "{}: cannot be read back, wanted {}", self.field, self.wanted)
            }
        }
    }
}

impl StoredCallback {
    /// Every field that is not known to equal `wanted`.
    ///
    /// Compares what was asked of the cloud, so pass [`Applied::effective`](crate::Applied) when the
    /// vendor could not do all that was wanted. Domain and app are not compared.
    pub fn differences(&self, wanted: &RecordCallbackConfig) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut changed = |field, stored: &str, wanted: &str| {
            if stored != wanted {
                let (stored, wanted) = (without_query(stored), without_query(wanted));
                found.push(Difference { field, stored, wanted, kind: DifferenceKind::Changed });
            }
        };
        let or_none = |url: Option<&str>| url.unwrap_or("none").to_owned();
        changed(Field::NotifyUrl, &or_none(self.notify_url.as_deref()), wanted.notify_url.as_str());
        changed(
            Field::OnDemandUrl,
            &or_none(self.on_demand_url.as_deref()),
            &or_none(wanted.on_demand_url.as_ref().map(CallbackUrl::as_str)),
        );
        changed(Field::Events, &self.events.to_string(), &wanted.events.to_string());
        // A cloud that hides keys may report a default scheme although nothing is signed.
        if wanted.signing.scheme().is_some() || self.signing.key != StoredKey::Hidden {
            changed(Field::Signing, scheme_name(self.signing.scheme), scheme_name(wanted.signing.scheme()));
        }
        found.extend(self.key_difference(wanted));
        found
    }

    /// The fields the cloud shows, and shows differently; what it hides is not counted.
    pub fn changes(&self, wanted: &RecordCallbackConfig) -> Vec<Difference> {
        let mut differences = self.differences(wanted);
        differences.retain(|difference| difference.kind == DifferenceKind::Changed);
        differences
    }

    /// Whether everything the cloud shows is as `wanted`; what it hides is not counted.
    pub fn shows(&self, wanted: &RecordCallbackConfig) -> bool {
        self.changes(wanted).is_empty()
    }

    /// The config that would store the same, to write it back or move it to another vendor.
    ///
    /// `signing` replaces what is stored, and is needed where the cloud hides the key.
    pub fn to_config(&self, signing: Option<CallbackSigning>) -> Result<RecordCallbackConfig, InvalidConfig> {
        self.to_builder(signing)?.build()
    }

    /// Starts from what is stored, to change some of it: what is not set on the builder stays as the cloud shows it.
    ///
    /// ```
    /// # use record_callback_core::*;
    /// # fn edit(stored: &StoredCallback) -> Result<RecordCallbackConfig, InvalidConfig> {
    /// stored.to_builder(None)?.add_events([EventKind::RecordingFailed]).build()
    /// # }
    /// ```
    ///
    /// `signing` replaces what is stored. Without it the signing stays, key and all.
    ///
    /// # Errors
    /// [`Field::SigningKey`] without `signing` where the cloud hides the key: written back without it, a signed config
    /// may end up unsigned, and nobody can tell a signed config from one that never was.
    pub fn to_builder(
        &self,
        signing: Option<CallbackSigning>,
    ) -> Result<RecordCallbackConfigBuilder, InvalidConfig> {
        let signing = match (signing, self.signing.scheme, &self.signing.key) {
            (Some(signing), _, _) => signing,
            (None, Some(scheme), StoredKey::Known(key)) => CallbackSigning::with(scheme, key.clone()),
            (None, None, StoredKey::Known(_) | StoredKey::NotSet) => CallbackSigning::Disabled,
            (None, _, _) => {
                let rule = "a signing to use instead, or one to disable it";
                return Err(InvalidConfig::new(
                    Field::SigningKey,
                    "cannot be read back from this cloud",
                    rule,
                ));
            }
        };
        let notify_url = self.notify_url.as_deref().unwrap_or_default();
        let mut builder = RecordCallbackConfig::builder(self.key.domain.as_str(), notify_url)
            .app(self.key.app.as_str())
            .events(self.events.clone())
            .signing(signing);
        if let Some(url) = &self.on_demand_url {
            builder = builder.on_demand_url(url);
        }
        Ok(builder)
    }

    fn key_difference(&self, wanted: &RecordCallbackConfig) -> Option<Difference> {
        let kind = match (&self.signing.key, wanted.signing.key()) {
            (StoredKey::Hidden, _) => DifferenceKind::CannotBeReadBack,
            (StoredKey::Known(stored), Some(wanted)) if stored == wanted => return None,
            (_, Some(_)) => DifferenceKind::Changed,
            // Without a scheme a key left behind signs nothing.
            (_, None) => return None,
        };
        let wanted = if wanted.signing.key().is_some() { "the given key" } else { "no key" };
        let stored = match self.signing.key {
            StoredKey::Known(_) => "another key",
            StoredKey::Hidden => "hidden",
            StoredKey::NotSet => "no key",
        };
        Some(Difference { field: Field::SigningKey, stored: stored.into(), wanted: wanted.into(), kind })
    }
}

impl Serialize for StoredCallback {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("StoredCallback", 7)?;
        fields.serialize_field("domain", &self.key.domain)?;
        fields.serialize_field("app", &self.key.app)?;
        fields.serialize_field("notify_url", &self.notify_url)?;
        fields.serialize_field("on_demand_url", &self.on_demand_url)?;
        fields.serialize_field("events", &self.events)?;
        fields.serialize_field("signing", &self.signing)?;
        fields.serialize_field("id", &self.id)?;
        fields.end()
    }
}

impl Serialize for StoredSigning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("StoredSigning", 2)?;
        fields.serialize_field("scheme", scheme_name(self.scheme))?;
        fields.serialize_field("key", &self.key.to_string())?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    const KEY: &str = "Abcdefgh12345678Abcdefgh12345678";

    fn wanted(signing: CallbackSigning) -> RecordCallbackConfig {
        RecordCallbackConfig::builder("live.example.com", "http://cb.example.com")
            .signing(signing)
            .build()
            .unwrap()
    }

    fn stored(signing: StoredSigning) -> StoredCallback {
        StoredCallback {
            key: wanted(CallbackSigning::Disabled).key(),
            id: Some(ConfigId::new("id-1")),
            notify_url: Some("http://cb.example.com".into()),
            on_demand_url: None,
            events: EventSet::from([EventKind::FileCompleted]),
            signing,
            created_at: None,
            updated_at: None,
        }
    }

    fn fields(differences: &[Difference]) -> Vec<(Field, DifferenceKind)> {
        differences.iter().map(|d| (d.field, d.kind)).collect()
    }

    #[test]
    fn what_equals_has_no_differences() {
        let key = SigningKey::new(KEY).unwrap();
        let signed = StoredSigning { scheme: Some(SigningScheme::Md5), key: StoredKey::Known(key.clone()) };
        assert_eq!(stored(signed).differences(&wanted(CallbackSigning::Md5(key))), []);
        let unsigned = StoredSigning { scheme: None, key: StoredKey::NotSet };
        assert_eq!(stored(unsigned).differences(&wanted(CallbackSigning::Disabled)), []);
    }

    #[test]
    fn a_hidden_key_is_never_called_unchanged() {
        let hidden = StoredSigning { scheme: Some(SigningScheme::HmacSha256), key: StoredKey::Hidden };
        let unseen = [(Field::SigningKey, DifferenceKind::CannotBeReadBack)];
        let key = CallbackSigning::HmacSha256(SigningKey::new(KEY).unwrap());
        assert_eq!(fields(&stored(hidden.clone()).differences(&wanted(key))), unseen);
        assert_eq!(fields(&stored(hidden).differences(&wanted(CallbackSigning::Disabled))), unseen);
    }

    #[test]
    fn each_field_that_differs_is_named_and_no_key_is_shown() {
        let other = SigningKey::new("x".repeat(32)).unwrap();
        let mut reported =
            stored(StoredSigning { scheme: Some(SigningScheme::Md5), key: StoredKey::Known(other) });
        reported.notify_url = None;
        reported.on_demand_url = Some("http://od.example.com".into());
        reported.events = EventSet::default();
        let differences =
            reported.differences(&wanted(CallbackSigning::HmacSha256(SigningKey::new(KEY).unwrap())));
        let named: Vec<_> = differences.iter().map(|d| d.field).collect();
        let all = [Field::NotifyUrl, Field::OnDemandUrl, Field::Events, Field::Signing, Field::SigningKey];
        assert_eq!(named, all);
        assert!(!format!("{differences:?}").contains(KEY));
    }

    #[test]
    fn what_is_stored_can_be_written_back_unless_the_key_is_hidden() {
        let key = SigningKey::new(KEY).unwrap();
        let config = wanted(CallbackSigning::Md5(key.clone()));
        let known = stored(StoredSigning { scheme: Some(SigningScheme::Md5), key: StoredKey::Known(key) });
        assert_eq!(known.to_config(None).unwrap(), config);
        let hidden = stored(StoredSigning { scheme: Some(SigningScheme::Md5), key: StoredKey::Hidden });
        let error = hidden.to_config(None).unwrap_err().to_string();
        assert!(error.starts_with("signing.key: cannot be read back"), "{error}");
        assert_eq!(hidden.to_config(Some(config.signing().clone())).unwrap(), config);
        let unsigned = hidden.to_config(Some(CallbackSigning::Disabled)).unwrap();
        assert_eq!(unsigned, wanted(CallbackSigning::Disabled));
    }

    #[test]
    fn an_edit_changes_what_is_named_and_keeps_the_rest() {
        let key = SigningKey::new(KEY).unwrap();
        let mut before =
            stored(StoredSigning { scheme: Some(SigningScheme::Md5), key: StoredKey::Known(key.clone()) });
        before.on_demand_url = Some("http://od.example.com".into());
        before.events = EventSet::from([EventKind::FileCompleted, EventKind::Vendor("odd".into())]);
        let edit = || before.to_builder(None).unwrap();
        assert_eq!(before.differences(&edit().build().unwrap()), []);

        let more = edit().add_events([EventKind::RecordingFailed, EventKind::FileCompleted]).build().unwrap();
        assert_eq!(more.events().to_string(), "recording_failed, file_completed, vendor:odd");
        assert_eq!(more.signing(), &CallbackSigning::Md5(key));
        assert_eq!(fields(&before.differences(&more)), [(Field::Events, DifferenceKind::Changed)]);

        let less = edit().remove_events([EventKind::Vendor("odd".into())]).no_on_demand_url();
        let changed = [Field::OnDemandUrl, Field::Events].map(|field| (field, DifferenceKind::Changed));
        assert_eq!(fields(&before.differences(&less.build().unwrap())), changed);

        let moved = more.to_builder().notify_url("http://new.example.com").build().unwrap();
        assert_eq!(moved.on_demand_url(), more.on_demand_url());
        assert_eq!(moved, more.notifying("http://new.example.com").unwrap());

        let nothing = edit().remove_events(before.events.iter().cloned().collect::<Vec<_>>()).build();
        assert_eq!(nothing.unwrap_err().field(), "events");
    }

    #[test]
    fn what_breaks_our_rules_can_be_edited_away() {
        let mut odd = stored(StoredSigning { scheme: None, key: StoredKey::NotSet });
        odd.notify_url = Some("ftp://cb.example.com".into());
        let edited = odd.to_builder(None).unwrap().notify_url("http://cb.example.com").build().unwrap();
        assert_eq!(edited, wanted(CallbackSigning::Disabled));
    }

    #[test]
    fn serialises_without_the_key() {
        let key = StoredKey::Known(SigningKey::new(KEY).unwrap());
        let json =
            serde_json::to_value(stored(StoredSigning { scheme: Some(SigningScheme::Md5), key })).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "domain": "live.example.com",
                "app": "*",
                "notify_url": "http://cb.example.com",
                "on_demand_url": null,
                "events": ["file_completed"],
                "signing": { "scheme": "md5", "key": "known" },
                "id": "id-1",
            })
        );
    }
}
