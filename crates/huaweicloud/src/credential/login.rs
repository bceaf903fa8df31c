//! Tokens by password.

use std::fmt;
use std::sync::Arc;

use record_callback_core::Result;
use record_callback_http::{Clock, Renewed};
use secrecy::SecretString;

use super::{ProjectRef, RENEW_BEFORE, Token};
use crate::iam::Iam;

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

/// Tokens obtained by password: one for all callers, renewed by one of them.
#[derive(Debug)]
pub(crate) struct LoginTokens {
    iam: Iam,
    login: Login,
    project: ProjectRef,
    token: Renewed<Token>,
}

impl LoginTokens {
    pub(crate) fn new(iam: Iam, login: Login, project: ProjectRef, clock: Arc<dyn Clock>) -> Self {
        Self { iam, login, project, token: Renewed::new(clock, RENEW_BEFORE) }
    }

    pub(super) async fn current(&self) -> Result<Arc<Token>> {
        self.token.get(|| self.iam.issue_token(&self.login, &self.project)).await
    }
}
