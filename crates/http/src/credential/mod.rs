//! Where access keys come from: fixed, the environment, files, services; one after the other, kept until they end.

mod account;
mod chain;
mod context;
mod env;
mod file;
mod ini;
mod renewed;
mod used;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use record_callback_core::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};

pub use self::account::{KnownAccount, account_retry};
pub use self::chain::{CredentialChain, CredentialSource, Miss, SourceReport};
pub use self::context::SourceContext;
pub use self::env::{EnvCredentials, KeyVariables, Refusal, named_variable};
pub use self::file::{CredentialFile, is_open_to_all};
pub use self::ini::{Ini, IniSection};
pub use self::renewed::{Lease, Refusable, Renewed};
pub use self::used::Used;

/// An access key: a public id, its secret and, for temporary keys, a security token.
///
/// Surrounding whitespace is trimmed: a newline pasted along with a key is the
/// most common cause of a signature mismatch. `Debug` shows no secret.
#[derive(Clone)]
pub struct AccessKey {
    id: String,
    secret: SecretString,
    security_token: Option<SecretString>,
    expires_at: Option<Timestamp>,
    project_id: Option<String>,
    origin: Option<Arc<str>>,
    refused: Arc<AtomicBool>,
}

impl AccessKey {
    /// A permanent key.
    pub fn new(id: impl AsRef<str>, secret: impl AsRef<str>) -> Self {
        Self {
            id: id.as_ref().trim().to_owned(),
            secret: secret.as_ref().trim().into(),
            security_token: None,
            expires_at: None,
            project_id: None,
            origin: None,
            refused: Arc::default(),
        }
    }

    /// Makes it a temporary key.
    #[must_use]
    pub fn with_security_token(mut self, token: impl AsRef<str>) -> Self {
        self.security_token = Some(token.as_ref().trim().into());
        self
    }

    /// Says when it ends, by the clock of who issued it.
    #[must_use]
    pub fn with_expiry(mut self, expires_at: Timestamp) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    /// Says which project it is for, on clouds that have projects.
    #[must_use]
    pub fn with_project_id(mut self, project_id: impl AsRef<str>) -> Self {
        self.project_id = Some(project_id.as_ref().trim().to_owned());
        self
    }

    /// Says where it is from, for reports.
    #[must_use]
    pub fn from_origin(mut self, origin: impl Into<Arc<str>>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// The public id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The secret. Only signers call this.
    pub fn expose_secret(&self) -> &str {
        self.secret.expose_secret()
    }

    /// The security token of a temporary key. Only signers call this.
    pub fn expose_security_token(&self) -> Option<&str> {
        self.security_token.as_ref().map(ExposeSecret::expose_secret)
    }

    /// When it ends, as far as its issuer said.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// The project it is for, as far as its source said.
    pub fn project_id(&self) -> Option<&str> {
        self.project_id.as_deref()
    }

    /// Returns true if it is `other`, or another key that the same source issued for a time: of the same identity.
    pub fn is_same_identity(&self, other: &Self) -> bool {
        // By address: a source that is set up anew may say the same of itself and be of another account.
        let one_source =
            matches!((&self.origin, &other.origin), (Some(one), Some(two)) if Arc::ptr_eq(one, two));
        let same_key = self.id == other.id && self.secret.expose_secret() == other.secret.expose_secret();
        same_key || (one_source && self.expires_at.is_some() && other.expires_at.is_some())
    }

    /// Where it is from, as far as its source said.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }
}

impl Refusable for AccessKey {
    fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id)
            .field("temporary", &self.security_token.is_some())
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// Where access keys come from: fixed, the environment, profile files, metadata services.
///
/// Asked before every attempt, so implementations cache what is costly. They must keep
/// secrets out of `Debug` and of errors.
#[async_trait]
pub trait CredentialProvider: fmt::Debug + Send + Sync + 'static {
    /// The key to sign with now.
    async fn access_key(&self) -> Result<Arc<AccessKey>>;

    /// What each source says, for a doctor: as many as there are, in the order they are asked.
    async fn examine(&self) -> Vec<SourceReport> {
        let result = self.access_key().await.map_err(Miss::Failed);
        vec![SourceReport { name: "given".into(), result: Some(result) }]
    }
}

/// One access key that never changes.
#[derive(Debug, Clone)]
pub struct StaticCredentials(Arc<AccessKey>);

impl StaticCredentials {
    /// Always `key`.
    pub fn new(key: AccessKey) -> Self {
        Self(Arc::new(key))
    }
}

#[async_trait]
impl CredentialProvider for StaticCredentials {
    async fn access_key(&self) -> Result<Arc<AccessKey>> {
        Ok(Arc::clone(&self.0))
    }
}

/// Whether there is another key than one the cloud refused, which then is not used again. Only a key that was issued for a
/// time can have ended before it: its role was taken away, or was changed.
pub async fn replaces(provider: &dyn CredentialProvider, refused: &AccessKey) -> bool {
    if refused.expires_at().is_none() {
        return false;
    }
    refused.refuse();
    provider.access_key().await.is_ok_and(|key| key.id() != refused.id())
}

/// The kind `error` has as one of getting credentials: none that says something about a config. Who refuses to give a key
/// with a code of its own does not know the caller, whichever code that is.
pub fn kind_of_credentials(error: &Error) -> ErrorKind {
    match error.kind() {
        ErrorKind::Protocol if error.code().is_some() => ErrorKind::Unauthenticated,
        kind @ (ErrorKind::PermissionDenied
        | ErrorKind::Throttled
        | ErrorKind::Unavailable
        | ErrorKind::Timeout
        | ErrorKind::Protocol) => kind,
        _ => ErrorKind::Unauthenticated,
    }
}

/// An error of getting credentials, such that nobody takes it for one of the call they are for: of a
/// [kind](kind_of_credentials) that says nothing about a config, and nothing was carried out.
pub fn of_credentials(error: Error) -> Error {
    let kind = kind_of_credentials(&error);
    match error.vendor() {
        _ if kind == error.kind() => error.with_nothing_applied(),
        // The same in words, with what the cloud said of it.
        Some(_) => Error::new(kind, error.to_string()),
        None => Error::new(kind, error.message()),
    }
}

/// Tells if this warning is given for the first time in the life of this process: variables and files are read before
/// every attempt, by every chain.
fn is_first(warning: &str) -> bool {
    static GIVEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(warning.to_owned())
}

/// Logs a warning, once.
pub fn warn_once(warning: &str) {
    if is_first(warning) {
        tracing::warn!("{warning}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::FixedEnv;

    /// A provider that reads `NotFound` creates; one that reads `InvalidConfig` may send less.
    #[test]
    fn no_error_of_credentials_is_taken_for_one_of_the_call() {
        for kind in [
            ErrorKind::NotFound,
            ErrorKind::DomainNotFound,
            ErrorKind::AlreadyExists,
            ErrorKind::Conflict,
            ErrorKind::InvalidConfig,
            ErrorKind::NotApplied,
        ] {
            let error = of_credentials(Error::new(kind, "is wrong").with_status(404).with_maybe_applied());
            assert_eq!((error.kind(), error.status()), (ErrorKind::Unauthenticated, None));
            assert_eq!((error.message(), error.maybe_applied()), ("is wrong", false));
        }
        let error =
            of_credentials(Error::new(ErrorKind::Timeout, "is late").with_status(408).with_maybe_applied());
        assert_eq!(
            (error.kind(), error.status(), error.maybe_applied()),
            (ErrorKind::Timeout, Some(408), false)
        );
    }

    #[test]
    fn a_renewed_key_is_the_same_identity() {
        let (end, origin): (Timestamp, Arc<str>) = ("2026-01-02T03:04:05Z".parse().unwrap(), "a role".into());
        let issued = |id: &str, origin: &Arc<str>| {
            AccessKey::new(id, "s").with_expiry(end).from_origin(Arc::clone(origin))
        };
        let first = issued("a", &origin);
        assert!(first.is_same_identity(&first.clone()) && first.is_same_identity(&issued("b", &origin)));
        assert!(!first.is_same_identity(&issued("b", &"a role".into())));
        let in_a_file = |id: &str| AccessKey::new(id, "s").from_origin(Arc::clone(&origin));
        assert!(in_a_file("a").is_same_identity(&in_a_file("a")));
        assert!(!in_a_file("a").is_same_identity(&in_a_file("b")));
        assert!(!AccessKey::new("a", "s").is_same_identity(&AccessKey::new("a", "t")));
    }

    #[test]
    fn debug_shows_the_id_only() {
        let key = AccessKey::new("ak", "s3cr3t").with_security_token("t0ken");
        let env = FixedEnv::from_iter([("SECRET", "s3cr3t")]);
        let shown = format!("{key:?} {:?} {env:?}", StaticCredentials::new(key.clone()));
        assert!(shown.contains("ak") && !shown.contains("s3cr3t") && !shown.contains("t0ken"), "{shown}");
    }
}
