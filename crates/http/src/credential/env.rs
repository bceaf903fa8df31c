use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::{Error, ErrorKind, InvalidConfig, Result};
use secrecy::SecretString;

use super::{AccessKey, CredentialProvider, CredentialSource, Miss, warn_once};
use crate::effects::Env;

/// The variables an access key is in.
#[derive(Debug, Clone, Copy)]
pub struct KeyVariables {
    /// The id.
    pub id: &'static str,
    /// The secret.
    pub secret: &'static str,
    /// For temporary keys.
    pub security_token: &'static str,
    /// On clouds that have projects, the project the key is used in: the first that is set.
    pub project_ids: &'static [&'static str],
}

/// Variables by which tools of the vendor choose a caller that cannot be had here.
///
/// Going on as if they were not there would be acting as somebody else.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    /// One that is set is enough.
    pub variables: &'static [&'static str],
    /// Their meaning to the vendor's tools, and what to do here.
    pub advice: &'static str,
}

impl Refusal {
    /// Refuses if a variable of one of `refusals` is set, by its name.
    pub fn check<'a>(env: &dyn Env, refusals: impl IntoIterator<Item = &'a Self>) -> Result<(), Miss> {
        for Self { variables, advice } in refusals {
            let is_set = |name: &&&str| env.var(name).is_some_and(|value| !value.trim().is_empty());
            if let Some(name) = variables.iter().find(is_set) {
                let problem = format!("{name} is set: {advice}");
                return Err(Miss::Refused(Error::new(ErrorKind::Unauthenticated, problem)));
            }
        }
        Ok(())
    }
}

/// An access key from environment variables, read anew each time.
#[derive(Debug)]
pub struct EnvCredentials<E> {
    env: E,
    sets: &'static [KeyVariables],
    refusals: &'static [Refusal],
}

impl<E: Env> EnvCredentials<E> {
    /// Reads the first of `sets` that has an id or a secret. No key is put together from two; that another has another key
    /// is logged, once.
    pub fn new(env: E, sets: &'static [KeyVariables]) -> Self {
        Self { env, sets, refusals: &[] }
    }

    /// Refuses to read a key where one of these says that it is not the caller.
    #[must_use]
    pub fn refusing(self, refusals: &'static [Refusal]) -> Self {
        Self { refusals, ..self }
    }

    fn key(&self) -> Result<AccessKey, Miss> {
        Refusal::check(&self.env, self.refusals)?;
        let value = |name: &str| self.env.var(name).filter(|value| !value.trim().is_empty());
        let given = |set: &&KeyVariables| value(set.id).is_some() || value(set.secret).is_some();
        let Some(set) = self.sets.iter().find(given) else {
            let names: Vec<_> = self.sets.iter().map(|set| set.id).collect();
            return Err(Miss::NotConfigured(match names.as_slice() {
                [one] => format!("{one} is not set"),
                several => format!("none of {} is set", several.join(", ")),
            }));
        };
        let required = |name, other| {
            let message = format!("{name} is not set, though {other} is");
            let text = value(name).ok_or_else(|| Error::new(ErrorKind::Unauthenticated, message))?;
            plain(name, text)
        };
        let key = AccessKey::new(required(set.id, set.secret)?, required(set.secret, set.id)?);
        for other in self.sets.iter().filter(|other| value(other.id).is_some_and(|id| id.trim() != key.id()))
        {
            warn_once(&format!("{} has another access key than {}, and is not used", other.id, set.id));
        }
        let mut key = key.from_origin(format!("environment variable {}", set.id));
        if let Some(token) = value(set.security_token) {
            key = key.with_security_token(plain(set.security_token, token)?);
        }
        if let Some(project) = set.project_ids.iter().find_map(|name| value(name)) {
            key = key.with_project_id(project);
        }
        Ok(key)
    }
}

#[async_trait]
impl<E: Env> CredentialProvider for EnvCredentials<E> {
    async fn access_key(&self) -> Result<Arc<AccessKey>> {
        self.key().map(Arc::new).map_err(|miss| match miss {
            Miss::NotConfigured(problem) => Error::new(ErrorKind::Unauthenticated, problem),
            Miss::Failed(error) | Miss::Refused(error) => error,
        })
    }
}

/// A part of a key without white space around it, if it can be one. Quotes are there where a file of variables is read by
/// something that is no shell: sent along, they make a key nobody knows.
fn plain(name: &str, text: String) -> Result<String, Miss> {
    let odd = |c: char| matches!(c, '"' | '\'' | '`') || !c.is_ascii_graphic();
    if text.trim().contains(odd) {
        let problem =
            format!("{name} has quotes, blanks or other characters that no key has: take them away");
        return Err(Miss::Refused(Error::new(ErrorKind::Unauthenticated, problem)));
    }
    Ok(text)
}

#[async_trait]
impl<E: Env> CredentialSource for EnvCredentials<E> {
    fn name(&self) -> String {
        "environment".into()
    }

    async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        self.key().map(Arc::new)
    }
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
    use secrecy::ExposeSecret;

    use super::*;
    use crate::effects::FixedEnv;

    const SETS: &[KeyVariables] = &[
        KeyVariables { id: "ID", secret: "SECRET", security_token: "TOKEN", project_ids: &[] },
        KeyVariables {
            id: "OLD_ID",
            secret: "OLD_SECRET",
            security_token: "OLD_TOKEN",
            project_ids: &["OLD_PROJECT", "OLDER_PROJECT"],
        },
    ];

    async fn key(variables: &[(&str, &str)]) -> Result<Arc<AccessKey>> {
        let env: FixedEnv = variables.iter().copied().collect();
        EnvCredentials::new(env, SETS).access_key().await
    }

    #[tokio::test]
    async fn the_first_set_of_variables_gives_a_trimmed_key() {
        let found = key(&[("ID", " ak\n"), ("SECRET", "s3cr3t\r\n"), ("TOKEN", "tok")]).await.unwrap();
        assert_eq!((found.id(), found.expose_secret()), ("ak", "s3cr3t"));
        assert_eq!(found.expose_security_token(), Some("tok"));
        assert_eq!(found.origin(), Some("environment variable ID"));

        let older = [("OLD_ID", "old"), ("OLD_SECRET", "s3cr3t"), ("TOKEN", "tok"), ("OLD_PROJECT", "p")];
        let found = key(&older).await.unwrap();
        assert_eq!((found.id(), found.expose_security_token(), found.project_id()), ("old", None, Some("p")));
        let both = [older.as_slice(), &[("ID", "new"), ("SECRET", "s3cr3t")]].concat();
        assert_eq!(key(&both).await.unwrap().id(), "new");
    }

    #[tokio::test]
    async fn what_is_missing_is_named_and_nothing_is_mixed() {
        for (variables, problem) in [
            (vec![], "none of ID, OLD_ID is set"),
            (vec![("ID", " \n")], "none of ID, OLD_ID is set"),
            (vec![("ID", "ak"), ("SECRET", "")], "SECRET is not set, though ID is"),
            (vec![("ID", "ak"), ("OLD_SECRET", "s3cr3t")], "SECRET is not set, though ID is"),
            (vec![("SECRET", "s3cr3t")], "ID is not set, though SECRET is"),
        ] {
            let error = key(&variables).await.unwrap_err();
            assert_eq!((error.kind(), error.message()), (ErrorKind::Unauthenticated, problem));
        }
    }

    #[tokio::test]
    async fn what_no_key_has_is_refused_and_not_sent() {
        for (variables, name) in [
            ([("ID", "\"ak\""), ("SECRET", "s3cr3t")], "ID"),
            ([("ID", "ak"), ("SECRET", "'s3cr3t'")], "SECRET"),
            ([("ID", "ak # mine"), ("SECRET", "s3cr3t")], "ID"),
            ([("ID", "ak"), ("SECRET", "s3cr3t\u{200b}")], "SECRET"),
        ] {
            let error = key(&variables).await.unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name} has quotes, blanks")), "{error}");
            assert!(!error.contains("s3cr3t"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_variable_that_chooses_another_caller_is_refused_by_name() {
        const REFUSALS: &[Refusal] = &[Refusal { variables: &["ROLE", "OTHER_ROLE"], advice: "unset it" }];
        let find = async |value: &str| {
            let env = FixedEnv::from_iter([("ID", "ak"), ("SECRET", "s3cr3t"), ("OTHER_ROLE", value)]);
            EnvCredentials::new(env, SETS).refusing(REFUSALS).find().await
        };
        let Err(Miss::Refused(error)) = find("r").await else { panic!("not refused") };
        assert_eq!(error.message(), "OTHER_ROLE is set: unset it");
        assert_eq!(find(" ").await.unwrap().id(), "ak");
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
