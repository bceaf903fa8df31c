//! Where access keys and tokens come from.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::{AccessKey, CredentialProvider, Env, EnvCredentials};
use secrecy::SecretString;

use crate::error;
use crate::iam::Iam;

const KEY: &str = "HUAWEICLOUD_SDK_AK";
const SECRET: &str = "HUAWEICLOUD_SDK_SK";
const SECURITY_TOKEN: &str = "HUAWEICLOUD_SDK_SECURITY_TOKEN";
/// The project the access key of the environment is used in.
pub(crate) const PROJECT_ID: &str = "HUAWEICLOUD_SDK_PROJECT_ID";
/// Another address of IAM.
pub(crate) const IAM_ENDPOINT: &str = "HUAWEICLOUD_SDK_IAM_ENDPOINT";

/// How long before its end a token is renewed, so that none expires on the way.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);

/// The access key in `HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK` and, for temporary keys,
/// `HUAWEICLOUD_SDK_SECURITY_TOKEN`.
pub fn from_env<E: Env>(env: E) -> EnvCredentials<E> {
    EnvCredentials::new(env, KEY, SECRET, SECURITY_TOKEN)
}

/// An IAM user, to log in by password. HUAWEI IDs and users with MFA cannot.
#[derive(Clone)]
pub struct Login {
    pub(crate) account: String,
    pub(crate) user: String,
    pub(crate) password: SecretString,
}

impl Login {
    /// The user `user` of account (domain) `account`.
    pub fn new(
        account: impl Into<String>,
        user: impl Into<String>,
        password: impl Into<SecretString>,
    ) -> Self {
        Self { account: account.into(), user: user.into(), password: password.into() }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("account", &self.account)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// What one request is authorised with.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    AccessKey(Arc<AccessKey>),
    Token(Arc<Token>),
}

/// An IAM token.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) value: SecretString,
    /// Unknown for tokens we were given.
    pub(crate) expires_at: Option<Timestamp>,
    /// The project the token is for, as far as IAM said.
    pub(crate) project_id: Option<String>,
}

/// Where the credential of each request comes from.
#[derive(Debug)]
pub(crate) enum Credentials {
    AccessKey(Arc<dyn CredentialProvider>),
    Token(Arc<Token>),
    Login(Box<LoginTokens>),
}

impl Credentials {
    /// The credential to use now.
    pub(crate) async fn current(&self) -> Result<Credential> {
        Ok(match self {
            Self::AccessKey(provider) => Credential::AccessKey(provider.access_key().await?),
            Self::Token(token) => Credential::Token(Arc::clone(token)),
            Self::Login(tokens) => Credential::Token(tokens.current().await?),
        })
    }

    /// Which errors may mean that a request's time is wrong: with a token, it has none.
    pub(crate) fn time_refused(&self) -> fn(&Error) -> bool {
        match self {
            Self::AccessKey(_) => error::time_refused,
            Self::Token(_) | Self::Login(_) => |_| false,
        }
    }

    /// Drops a refused token; true when another can be had.
    pub(crate) fn renewable(&self, refused: &Credential) -> bool {
        match (self, refused) {
            (Self::Login(tokens), Credential::Token(token)) => {
                tokens.discard(token);
                true
            }
            _ => false,
        }
    }
}

/// Tokens obtained by password: one for all callers, renewed by one of them.
#[derive(Debug)]
pub(crate) struct LoginTokens {
    iam: Iam,
    login: Login,
    project: ProjectRef,
    token: RwLock<Option<Arc<Token>>>,
    renewing: tokio::sync::Mutex<()>,
    failed: RwLock<Failed>,
}

/// The last login that failed, for the callers that waited for it. Passwords that are wrong again and again
/// lock the account.
#[derive(Debug, Default)]
struct Failed {
    logins: u64,
    last: Option<(ErrorKind, String)>,
}

/// A project by id, or by the name of its region.
#[derive(Debug, Clone)]
pub(crate) enum ProjectRef {
    Id(String),
    Region(String),
}

impl LoginTokens {
    pub(crate) fn new(iam: Iam, login: Login, project: ProjectRef) -> Self {
        Self {
            iam,
            login,
            project,
            token: RwLock::default(),
            renewing: tokio::sync::Mutex::default(),
            failed: RwLock::default(),
        }
    }

    async fn current(&self) -> Result<Arc<Token>> {
        if let Some(token) = self.fresh() {
            return Ok(token);
        }
        let failed_before = self.failed.read().unwrap_or_else(PoisonError::into_inner).logins;
        let _one_at_a_time = self.renewing.lock().await;
        if let Some(token) = self.fresh() {
            return Ok(token);
        }
        self.failed_since(failed_before)?;
        let token = match self.iam.issue_token(&self.login, &self.project).await {
            Ok(token) => Arc::new(token),
            Err(error) => {
                let mut failed = self.failed.write().unwrap_or_else(PoisonError::into_inner);
                failed.logins += 1;
                failed.last = Some((error.kind(), error.to_string()));
                return Err(error);
            }
        };
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&token));
        Ok(token)
    }

    /// The failure of the login this caller waited for, if it failed.
    fn failed_since(&self, logins: u64) -> Result<()> {
        let failed = self.failed.read().unwrap_or_else(PoisonError::into_inner);
        match &failed.last {
            Some((kind, message)) if failed.logins > logins => {
                Err(Error::new(*kind, format!("the login this call waited for failed: {message}")))
            }
            _ => Ok(()),
        }
    }

    fn fresh(&self) -> Option<Arc<Token>> {
        let token = self.token.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let renew_at = token.expires_at? - RENEW_BEFORE;
        (self.iam.now() < renew_at).then_some(token)
    }

    /// Forgets `refused`, unless somebody renewed it already.
    fn discard(&self, refused: &Arc<Token>) {
        let mut token = self.token.write().unwrap_or_else(PoisonError::into_inner);
        if token.as_ref().is_some_and(|current| Arc::ptr_eq(current, refused)) {
            *token = None;
        }
    }
}
