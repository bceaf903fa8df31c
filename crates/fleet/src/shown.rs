//! The fields of a config as a cloud shows them to people: never a secret, URLs without their query.

use record_callback_core::text::without_query;
use record_callback_core::{Field, StoredCallback, StoredKey};
use serde::Serialize;

use crate::state::OwnedConfig;

/// A field of a config as a cloud shows it. Never a secret; URLs without their query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownField {
    /// The field.
    pub field: Field,
    /// Its value.
    pub now: String,
}

impl ShownField {
    /// One field of a config of ours.
    pub(crate) fn now(field: Field, stored: &StoredCallback, ours: &OwnedConfig) -> Self {
        let url = |url: &Option<String>| url.as_deref().map_or_else(|| "none".to_owned(), without_query);
        let now = match field {
            Field::NotifyUrl => url(&stored.notify_url),
            Field::OnDemandUrl => url(&stored.on_demand_url),
            Field::Events => stored.events.to_string(),
            Field::Signing => signing(stored, ours),
            _ => match &stored.signing.key {
                StoredKey::Known(_) => "another key".to_owned(),
                StoredKey::NotSet => "no key".to_owned(),
                StoredKey::Hidden => "hidden".to_owned(),
            },
        };
        Self { field, now }
    }

    /// All that tells which config it is.
    pub(crate) fn all(stored: &StoredCallback, ours: &OwnedConfig) -> Vec<Self> {
        let on_demand = stored.on_demand_url.as_ref().map(|_| Field::OnDemandUrl);
        let fields = [Field::NotifyUrl].into_iter().chain(on_demand).chain([Field::Events, Field::Signing]);
        fields.map(|field| Self::now(field, stored, ours)).collect()
    }
}

/// The scheme, and what is known of the key.
fn signing(stored: &StoredCallback, ours: &OwnedConfig) -> String {
    let Some(scheme) = stored.signing.scheme else { return "disabled".to_owned() };
    match stored.signing.key {
        StoredKey::Known(_) => scheme.to_string(),
        StoredKey::NotSet => format!("{scheme} (no key)"),
        // A cloud that hides keys may report a default scheme although nothing is signed.
        StoredKey::Hidden if ours.is_written() && ours.written.scheme.is_none() => {
            "disabled, as written".to_owned()
        }
        StoredKey::Hidden => format!("{scheme} (key hidden)"),
    }
}
