//! Users, projects and tokens, which the Live API and IAM share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::{
    credentials::{AccessKey, AccessKeys, Secret, random_hex},
    lock::lock,
};

/// Tokens of the cloud are several kilobytes long.
const TOKEN_BYTES: usize = 3 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Project {
    pub(super) name: String,
    pub(super) id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) account: String,
    pub(super) name: String,
    pub(super) password: Secret,
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) user: String,
    /// The id of the project the token is for; `None` for a token of the whole account.
    pub(super) project: Option<String>,
    pub(super) expires_at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) keys: Mutex<AccessKeys>,
    pub(super) users: Vec<User>,
    pub(super) projects: Vec<Project>,
    pub(super) token_lifetime: SignedDuration,
    pub(super) tokens: Mutex<HashMap<Secret, Token>>,
}

/// The accounts of the cloud.
#[derive(Debug, Clone)]
pub(super) struct Accounts {
    /// The one that tests are about.
    pub(super) first: Arc<Account>,
    /// One that has nothing of the first's.
    pub(super) other: Arc<Account>,
}

impl Accounts {
    pub(super) fn all(&self) -> [&Account; 2] {
        [&*self.first, &*self.other]
    }

    pub(super) fn find_key(&self, id: &str) -> Option<(&Account, AccessKey)> {
        self.all().into_iter().find_map(|account| Some((account, lock(&account.keys).find(id)?)))
    }

    /// The token, unless it is unknown or expired.
    pub(super) fn find_token(&self, text: &str, now: Timestamp) -> Option<(&Account, Token)> {
        self.all().into_iter().find_map(|account| Some((account, account.find_token(text, now)?)))
    }

    /// The account that has a project.
    pub(super) fn of_project(&self, id: &str) -> Option<&Account> {
        self.all().into_iter().find(|account| account.projects.iter().any(|project| project.id == id))
    }
}

impl Account {
    /// The name: that of its first user.
    pub(super) fn name(&self) -> &str {
        self.users.first().map_or("", |user| user.account.as_str())
    }

    pub(super) fn find_user(&self, account: &str, name: &str, password: &str) -> Option<&User> {
        let password = Secret::new(password);
        self.users
            .iter()
            .find(|user| user.account == account && user.name == name && user.password == password)
    }

    pub(super) fn issue_token(
        &self,
        user: &User,
        project: Option<&Project>,
        now: Timestamp,
    ) -> (String, Token) {
        let random: Vec<u8> =
            std::iter::repeat_with(|| Uuid::new_v4().into_bytes()).take(TOKEN_BYTES / 16).flatten().collect();
        let text = format!("MII{}", BASE64_STANDARD.encode(random));
        let token = Token {
            user: user.name.clone(),
            project: project.map(|project| project.id.clone()),
            expires_at: now.saturating_add(self.token_lifetime).unwrap_or(now),
        };
        lock(&self.tokens).insert(Secret::new(text.as_str()), token.clone());
        (text, token)
    }

    /// The token, unless it is unknown or expired.
    pub(super) fn find_token(&self, text: &str, now: Timestamp) -> Option<Token> {
        let token = lock(&self.tokens).get(&Secret::new(text)).cloned();
        token.filter(|token| now < token.expires_at)
    }

    pub(super) fn revoke_tokens(&self) {
        lock(&self.tokens).clear();
    }
}

impl Project {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), id: random_hex() }
    }
}
