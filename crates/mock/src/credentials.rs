//! Secrets and the access keys a mock accepts.

use std::fmt;

use uuid::Uuid;

/// Text that `Debug` never prints.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[derive(Debug, Clone)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) secret: Secret,
    /// Temporary keys work only together with this token.
    pub(crate) token: Option<Secret>,
}

/// The access keys of the mock's account.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccessKeys(Vec<AccessKey>);

impl AccessKeys {
    /// Adds a key, replacing one with the same id.
    pub(crate) fn add(&mut self, key: AccessKey) {
        self.0.retain(|other| other.id != key.id);
        self.0.push(key);
    }

    pub(crate) fn find(&self, id: &str) -> Option<&AccessKey> {
        self.0.iter().find(|key| key.id == id)
    }

    /// The first permanent key; when there is none, one is made with an id that starts with `id_prefix`.
    pub(crate) fn permanent_or_new(&mut self, id_prefix: &str) -> AccessKey {
        if let Some(key) = self.0.iter().find(|key| key.token.is_none()) {
            return key.clone();
        }
        let id = format!("{id_prefix}{:.14}", random_hex().to_uppercase());
        let key = AccessKey { id, secret: Secret::new(random_hex()), token: None };
        self.0.push(key.clone());
        key
    }
}

/// 32 lower-case hexadecimal digits: keys, ids and passwords.
pub(crate) fn random_hex() -> String {
    Uuid::new_v4().simple().to_string()
}
