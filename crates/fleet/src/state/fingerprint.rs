use std::fmt;
use std::io;

use hmac::{Hmac, KeyInit, Mac};
use record_callback_core::{
    CallbackUrl, Field, RecordCallbackConfig, SigningKey, SigningScheme, StoredCallback, StoredKey,
    StoredSigning,
};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Random bytes that key the fingerprints of one state file.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Salt([u8; 32]);

impl Salt {
    /// A new salt.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(bytes))
    }

    /// A keyed digest of what `label` names.
    pub(crate) fn digest(&self, label: &str, bytes: &[u8]) -> String {
        hex::encode(self.mac(label, bytes))
    }

    fn mac(&self, label: &str, bytes: &[u8]) -> [u8; 32] {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).ok().map(|mut mac| {
            mac.update(label.as_bytes());
            mac.update(&[0]);
            mac.update(bytes);
            mac.finalize().into_bytes().into()
        });
        mac.unwrap_or_default()
    }

    fn fingerprint(&self, field: Field, text: &str) -> Fingerprint {
        let mut first = [0; 8];
        first.copy_from_slice(&self.mac(field.as_str(), text.as_bytes())[..8]);
        Fingerprint(u64::from_be_bytes(first))
    }

    /// The fingerprint of a signing key.
    pub fn of_key(&self, key: &SigningKey) -> Fingerprint {
        self.fingerprint(Field::SigningKey, key.expose())
    }

    /// The fingerprints of what a cloud was asked to store.
    pub fn of_config(&self, config: &RecordCallbackConfig) -> Written {
        Written {
            notify_url: self.fingerprint(Field::NotifyUrl, config.notify_url().as_str()),
            on_demand_url: self
                .fingerprint(Field::OnDemandUrl, config.on_demand_url().map_or("", CallbackUrl::as_str)),
            events: self.fingerprint(Field::Events, &config.events().to_string()),
            scheme: config.signing().scheme(),
            key: config.signing().key().map(|key| self.of_key(key)),
        }
    }

    /// The fields in which what a cloud shows is not what was written. What it hides is not counted.
    pub fn changed(&self, written: &Written, stored: &StoredCallback) -> Vec<Field> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let texts = [
            (Field::NotifyUrl, text(&stored.notify_url), written.notify_url),
            (Field::OnDemandUrl, text(&stored.on_demand_url), written.on_demand_url),
            (Field::Events, stored.events.to_string(), written.events),
        ];
        let changed = texts.into_iter().filter(|(field, text, was)| self.fingerprint(*field, text) != *was);
        let mut changed: Vec<_> = changed.map(|(field, ..)| field).collect();
        let StoredSigning { scheme, key } = &stored.signing;
        // A cloud that hides keys may report a default scheme although nothing is signed.
        if (written.scheme.is_some() || *key != StoredKey::Hidden) && *scheme != written.scheme {
            changed.push(Field::Signing);
        }
        let key = match key {
            StoredKey::Known(key) => Some(self.of_key(key)),
            StoredKey::NotSet => None,
            StoredKey::Hidden => written.key,
        };
        // Without a scheme a key left behind signs nothing.
        if written.key.is_some() && key != written.key {
            changed.push(Field::SigningKey);
        }
        changed
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}

impl From<Salt> for String {
    fn from(salt: Salt) -> Self {
        hex::encode(salt.0)
    }
}

impl TryFrom<String> for Salt {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

/// A keyed digest of a value, cut to 64 bits: enough to see that the value changed, of no use to learn it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(u64);

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        format!("{:016x}", fingerprint.0)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u64::from_str_radix(&text, 16).map(Self)
    }
}

/// The fingerprints of a config that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Of the URL.
    pub notify_url: Fingerprint,
    /// Of the URL; of the empty text when there is none.
    pub on_demand_url: Fingerprint,
    /// Of the events.
    pub events: Fingerprint,
    /// The signing scheme itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<SigningScheme>,
    /// Of the signing key, when callbacks are signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Fingerprint>,
}
