//! Secrets and the access keys a mock accepts.

use std::fmt;

use jiff::Timestamp;
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

/// Which of a cloud's two accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Owner {
    /// The one that tests are about.
    #[default]
    First,
    /// One that has nothing of the first's.
    Other,
}

/// Whom of its account a permanent key is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Holder {
    #[default]
    User,
    /// The account itself.
    Account,
}

#[derive(Debug, Clone)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) owner: Owner,
    pub(crate) holder: Holder,
    pub(crate) secret: Secret,
    /// Temporary keys work only together with this token.
    pub(crate) token: Option<Secret>,
    /// From this moment on, the key is refused.
    pub(crate) expires_at: Option<Timestamp>,
}

impl AccessKey {
    pub(crate) fn permanent(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            owner: Owner::First,
            holder: Holder::User,
            secret: Secret::new(secret),
            token: None,
            expires_at: None,
        }
    }

    pub(crate) fn temporary(
        id: impl Into<String>,
        secret: impl Into<String>,
        token: impl Into<String>,
    ) -> Self {
        Self { token: Some(Secret::new(token)), ..Self::permanent(id, secret) }
    }

    /// A new permanent key of the other account, whose id starts with `id_prefix`.
    pub(crate) fn of_other_account(id_prefix: &str) -> Self {
        let id = format!("{id_prefix}{:.14}", random_hex().to_uppercase());
        Self { owner: Owner::Other, ..Self::permanent(id, random_hex()) }
    }

    /// A temporary key with an end.
    pub(crate) fn until(key: &TemporaryAccessKey, expires_at: Timestamp) -> Self {
        Self { expires_at: Some(expires_at), ..Self::from(key) }
    }

    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// A temporary access key, as the clouds' token services issue them. `Debug` prints only the id.
#[derive(Clone)]
pub struct TemporaryAccessKey {
    /// The id.
    pub id: String,
    /// The secret requests are signed with.
    pub secret: String,
    /// What every request has to carry besides.
    pub security_token: String,
}

impl TemporaryAccessKey {
    /// A new one whose id starts with `id_prefix`.
    pub(crate) fn random(id_prefix: &str) -> Self {
        let id = format!("{id_prefix}{:.16}", random_hex().to_uppercase());
        Self { id, secret: random_hex(), security_token: random_hex() + &random_hex() }
    }
}

impl fmt::Debug for TemporaryAccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemporaryAccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl From<&TemporaryAccessKey> for AccessKey {
    fn from(key: &TemporaryAccessKey) -> Self {
        Self::temporary(&key.id, &key.secret, &key.security_token)
    }
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

    pub(crate) fn find(&self, id: &str) -> Option<AccessKey> {
        self.0.iter().find(|key| key.id == id).cloned()
    }

    /// Takes a key away; `false` when there is none with this id.
    pub(crate) fn remove(&mut self, id: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|key| key.id != id);
        self.0.len() < before
    }

    /// The first permanent key; when there is none, one is made with an id that starts with `id_prefix`.
    pub(crate) fn permanent_or_new(&mut self, id_prefix: &str) -> AccessKey {
        if let Some(key) = self.0.iter().find(|key| key.token.is_none() && key.owner == Owner::First) {
            return key.clone();
        }
        let id = format!("{id_prefix}{:.14}", random_hex().to_uppercase());
        let key = AccessKey::permanent(id, random_hex());
        self.0.push(key.clone());
        key
    }
}

/// 32 lower-case hexadecimal digits: keys, ids and passwords.
pub(crate) fn random_hex() -> String {
    Uuid::new_v4().simple().to_string()
}
