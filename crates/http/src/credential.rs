use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::{Error, ErrorKind, InvalidConfig, Result};
use secrecy::{ExposeSecret, SecretString};

use crate::effects::Env;

/// An access key: a public id, its secret and, for temporary keys, a security token.
///
/// Surrounding whitespace is trimmed: a newline pasted along with a key is the
/// most common cause of a signature mismatch. `Debug` shows the id only.
#[derive(Clone)]
pub struct AccessKey {
    id: String,
    secret: SecretString,
    security_token: Option<SecretString>,
}

impl AccessKey {
    /// A permanent key.
    pub fn new(id: impl AsRef<str>, secret: impl AsRef<str>) -> Self {
        Self {
            id: id.as_ref().trim().to_owned(),
            secret: secret.as_ref().trim().into(),
            security_token: None,
        }
    }

    /// Makes it a temporary key.
    #[must_use]
    pub fn with_security_token(mut self, token: impl AsRef<str>) -> Self {
        self.security_token = Some(token.as_ref().trim().into());
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
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id)
            .field("temporary", &self.security_token.is_some())
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

/// An access key from environment variables, read anew each time.
#[derive(Debug)]
pub struct EnvCredentials<E> {
    env: E,
    names: EnvNames,
}

#[derive(Debug, Clone, Copy)]
struct EnvNames {
    id: &'static str,
    secret: &'static str,
    security_token: &'static str,
}

impl<E: Env> EnvCredentials<E> {
    /// Reads the id, the secret and, if set, the security token from the named variables.
    pub fn new(env: E, id: &'static str, secret: &'static str, security_token: &'static str) -> Self {
        Self { env, names: EnvNames { id, secret, security_token } }
    }
}

#[async_trait]
impl<E: Env> CredentialProvider for EnvCredentials<E> {
    async fn access_key(&self) -> Result<Arc<AccessKey>> {
        let unauthenticated =
            |missing: InvalidConfig| Error::new(ErrorKind::Unauthenticated, missing.to_string());
        let id = required_variable(&self.env, self.names.id).map_err(unauthenticated)?;
        let secret = required_variable(&self.env, self.names.secret).map_err(unauthenticated)?;
        let key = AccessKey::new(id, secret);
        Ok(Arc::new(match self.env.var(self.names.security_token) {
            Some(token) => key.with_security_token(token),
            None => key,
        }))
    }
}

/// The value of an environment variable that must be set.
pub fn required_variable(env: &dyn Env, name: &'static str) -> Result<String, InvalidConfig> {
    env.var(name).ok_or_else(|| InvalidConfig::new(name, "is not set", "an environment variable that is set"))
}

/// The value of the environment variable that a config's `field` names, without white space around it.
///
/// # Errors
/// When it is not set. The name is shown only if it is one: what stands in its place may be the secret itself.
pub fn named_variable(env: &dyn Env, field: &'static str, name: &str) -> Result<SecretString, InvalidConfig> {
    const RULE: &str = "the name of an environment variable that is set";
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name || name.len() > MAX_NAME {
        let problem = "is not the name of an environment variable: letters, digits and `_`";
        return Err(InvalidConfig::new(field, problem, RULE));
    }
    match env.var(name) {
        Some(value) => Ok(value.trim().into()),
        None => Err(InvalidConfig::new(field, format!("{name} is not set"), RULE)),
    }
}

/// Longer than names are, so that keys are not taken for one.
const MAX_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::FixedEnv;

    #[tokio::test]
    async fn environment_gives_trimmed_keys_and_names_what_is_missing() {
        let env = FixedEnv::from_iter([("ID", " ak\n"), ("SECRET", "s3cr3t\r\n"), ("TOKEN", "tok")]);
        let key = EnvCredentials::new(env, "ID", "SECRET", "TOKEN").access_key().await.unwrap();
        assert_eq!((key.id(), key.expose_secret()), ("ak", "s3cr3t"));
        assert_eq!(key.expose_security_token(), Some("tok"));

        let env = FixedEnv::from_iter([("ID", "ak"), ("SECRET", "")]);
        let error = EnvCredentials::new(env, "ID", "SECRET", "TOKEN").access_key().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        assert!(error.to_string().contains("SECRET: is not set"), "{error}");
    }

    #[test]
    fn debug_shows_the_id_only() {
        let key = AccessKey::new("ak", "s3cr3t").with_security_token("t0ken");
        let env = FixedEnv::from_iter([("SECRET", "s3cr3t")]);
        let shown = format!("{key:?} {:?} {env:?}", StaticCredentials::new(key.clone()));
        assert!(shown.contains("ak") && !shown.contains("s3cr3t") && !shown.contains("t0ken"), "{shown}");
    }

    #[test]
    fn what_is_no_variables_name_is_not_shown() {
        let env = FixedEnv::from_iter([("KEY", " s3cr3t\n")]);
        assert_eq!(named_variable(&env, "key_env", "KEY").unwrap().expose_secret(), "s3cr3t");
        let unset = named_variable(&env, "key_env", "OTHER_KEY").unwrap_err();
        assert!(unset.to_string().starts_with("key_env: OTHER_KEY is not set"), "{unset}");
        for secret in ["redis://:passw0rd@h", "", &"Abcdefgh12345678".repeat(5)] {
            let refused = named_variable(&env, "key_env", secret).unwrap_err().to_string();
            assert!(refused.starts_with("key_env: is not the name"), "{refused}");
            assert!(secret.is_empty() || !refused.contains(secret), "{refused}");
        }
    }
}
