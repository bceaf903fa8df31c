//! Temporary keys with an end, and the tokens they are given for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    credentials::{AccessKey, AccessKeys, Secret, TemporaryAccessKey, random_hex},
    lock::lock,
};

/// A temporary key as a service hands it out.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) key: TemporaryAccessKey,
    pub(crate) expires_at: Timestamp,
}

/// Adds a new temporary key to the account. Ends are whole seconds, so that every form of writing them is exact.
pub(crate) fn issue(
    keys: &Mutex<AccessKeys>,
    id_prefix: &str,
    lifetime: SignedDuration,
    now: Timestamp,
) -> Session {
    let end = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
    let expires_at = Timestamp::from_second(end.as_second()).unwrap_or(end);
    let key = TemporaryAccessKey::random(id_prefix);
    lock(keys).add(AccessKey::until(&key, expires_at));
    Session { key, expires_at }
}

pub(crate) fn lifetime(of: Duration) -> SignedDuration {
    SignedDuration::try_from(of).unwrap_or(SignedDuration::MAX)
}

/// The key of a machine: the same for everybody who asks, and a new one when half its life is over.
#[derive(Debug)]
pub(crate) struct MachineKey {
    lifetime: SignedDuration,
    id_prefix: &'static str,
    current: Mutex<Option<(Timestamp, Session)>>,
}

impl MachineKey {
    pub(crate) fn new(id_prefix: &'static str, lifetime: SignedDuration) -> Self {
        Self { lifetime, id_prefix, current: Mutex::new(None) }
    }

    pub(crate) fn get(&self, keys: &Mutex<AccessKeys>, now: Timestamp) -> Session {
        let mut current = lock(&self.current);
        if let Some((renewed_from, session)) = &*current
            && now < *renewed_from
        {
            return session.clone();
        }
        let session = issue(keys, self.id_prefix, self.lifetime, now);
        let renewed_from = now.saturating_add(self.lifetime / 2).unwrap_or(Timestamp::MAX);
        *current = Some((renewed_from, session.clone()));
        session
    }
}

/// Texts that prove something until they are over. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proofs(Arc<Mutex<HashMap<Secret, Timestamp>>>);

impl Proofs {
    pub(crate) fn add(&self, text: &str, until: Timestamp) {
        lock(&self.0).insert(Secret::new(text), until);
    }

    /// Takes `token` as one of a metadata service, for as many seconds as `lifetime` says; `None` if that is not in the range
    /// of both vendors.
    pub(crate) fn issue_for(&self, lifetime: Option<&str>, token: String, now: Timestamp) -> Option<String> {
        let seconds = lifetime?.parse().ok().filter(|seconds| (1..=21_600).contains(seconds))?;
        let until = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
        self.add(&token, until);
        Some(token)
    }

    pub(crate) fn accept(&self, text: &str, now: Timestamp) -> bool {
        lock(&self.0).get(&Secret::new(text)).is_some_and(|until| now < *until)
    }

    /// A token as identity providers issue them, accepted until the mock stops.
    pub(crate) fn issue_id_token(&self, issuer: &str, subject: &str, audience: &str) -> String {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "mock" });
        let claims = json!({ "iss": issuer, "sub": subject, "aud": audience, "jti": random_hex() });
        let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(random_hex() + &random_hex());
        let token = format!("{header}.{claims}.{signature}");
        self.add(&token, Timestamp::MAX);
        token
    }
}
