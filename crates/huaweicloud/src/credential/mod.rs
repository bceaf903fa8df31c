//! Where access keys and tokens come from.

use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;
use record_callback_core::{Error, InvalidConfig, Result};
use record_callback_http::{
    AccessKey, Clock, CredentialChain, CredentialProvider, Endpoint, Env, EnvCredentials, KeyVariables,
    Renewed, SourceContext,
};
use secrecy::SecretString;

use crate::error;
use crate::iam::Iam;

/// The variables of the vendor's SDKs, then those of its Terraform provider.
const VARIABLES: &[KeyVariables] = &[KeyVariables {
    id: "HUAWEICLOUD_SDK_AK",
    secret: "HUAWEICLOUD_SDK_SK",
    security_token: "HUAWEICLOUD_SDK_SECURITY_TOKEN",
    project_id: Some("HUAWEICLOUD_SDK_PROJECT_ID"),
}];
/// Another address of IAM.
pub(crate) const IAM_ENDPOINT: &str = "HUAWEICLOUD_SDK_IAM_ENDPOINT";

/// How long before their end tokens and temporary keys are renewed, as the vendor's SDKs do.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(40);

/// The access key in `HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK` and, for temporary keys,
/// `HUAWEICLOUD_SDK_SECURITY_TOKEN`.
pub fn from_env<E: Env>(env: E) -> EnvCredentials<E> {
    EnvCredentials::new(env, VARIABLES)
}

/// The vendor's default chain; `iam` is where tokens are exchanged for keys.
pub fn default_chain(context: &SourceContext, _iam: &Endpoint) -> CredentialChain {
    CredentialChain::new(vec![Box::new(from_env(Arc::clone(&context.env)))])
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

impl Credential {
    /// The project it is for, as far as is known.
    pub(crate) fn project_id(&self) -> Option<&str> {
        match self {
            Self::AccessKey(key) => key.project_id(),
            Self::Token(token) => token.project_id.as_deref(),
        }
    }
}

/// An IAM token.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) value: SecretString,
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
                tokens.token.discard(token);
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
    token: Renewed<Token>,
}

/// A project by id, or by the name of its region.
#[derive(Debug, Clone)]
pub(crate) enum ProjectRef {
    Id(String),
    Region(String),
}

const PROJECT_RULE: &str = "letters and digits, as the vendor's console shows it; or give a region";

/// Checks a project's id, which goes into paths.
pub(crate) fn check_project_id(id: &str) -> Result<(), InvalidConfig> {
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(InvalidConfig::new("project_id", "is not a project's id", PROJECT_RULE));
    }
    Ok(())
}

pub(crate) fn no_project() -> InvalidConfig {
    InvalidConfig::new("project_id", "is not given, and neither is a region", PROJECT_RULE)
}

impl LoginTokens {
    pub(crate) fn new(iam: Iam, login: Login, project: ProjectRef, clock: Arc<dyn Clock>) -> Self {
        Self { iam, login, project, token: Renewed::new(clock, RENEW_BEFORE) }
    }

    async fn current(&self) -> Result<Arc<Token>> {
        self.token.get(|| self.iam.issue_token(&self.login, &self.project)).await
    }
}
