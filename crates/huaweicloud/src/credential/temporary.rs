//! Temporary keys as services issue them.

use record_callback_core::Result;
use record_callback_http::{AccessKey, Answer, Lease};
use secrecy::ExposeSecret;

use crate::error;
use crate::wire::credential::{IssuedKey, issued_key};

/// Reads the answer of a service that issues temporary keys.
pub(crate) fn issued(answer: &Answer) -> Result<Lease<AccessKey>> {
    if !answer.status.is_success() {
        return Err(error::classify(answer));
    }
    let key = issued_key(&answer.body);
    let key = key.map_err(|missing| answer.not_understood(&format!("a temporary key {missing}")))?;
    let IssuedKey { id, secret, security_token, expires_at } = key;
    let value = AccessKey::new(id, secret.expose_secret())
        .with_security_token(security_token.expose_secret())
        .with_expiry(expires_at);
    Ok(Lease { value, expires_at: Some(expires_at), issued_at: answer.date() })
}

/// What a source adds to the keys it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    /// Where they are from.
    pub(super) origin: String,
    /// The project they are used in, if it is known.
    pub(super) project_id: Option<String>,
}

impl Label {
    /// The key with the label on it.
    pub(super) fn on(&self, lease: Lease<AccessKey>) -> Lease<AccessKey> {
        let mut value = lease.value.from_origin(self.origin.as_str());
        if let Some(id) = &self.project_id {
            value = value.with_project_id(id);
        }
        Lease { value, ..lease }
    }
}
