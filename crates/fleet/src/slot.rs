use std::fmt;

use record_callback_core::{AppSelector, CallbackKey, DomainName};
use serde::{Deserialize, Serialize};

use crate::name::Name;

/// A place for one config: domain and app on one provider of the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "RawSlot", into = "RawSlot")]
pub struct Slot {
    /// The provider, as the manifest calls it.
    pub provider: Name,
    /// Domain and app.
    pub key: CallbackKey,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.provider, self.key)
    }
}

#[derive(Serialize, Deserialize)]
struct RawSlot {
    provider: Name,
    domain: String,
    app: String,
}

impl From<RawSlot> for Slot {
    /// Takes what a cloud once reported, which need not follow our rules.
    fn from(raw: RawSlot) -> Self {
        let key = CallbackKey::new(DomainName::reported(&raw.domain), AppSelector::reported(&raw.app));
        Self { provider: raw.provider, key }
    }
}

impl From<Slot> for RawSlot {
    fn from(slot: Slot) -> Self {
        Self { provider: slot.provider, domain: slot.key.domain.into(), app: slot.key.app.into() }
    }
}
