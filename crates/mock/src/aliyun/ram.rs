//! Who may assume which role, which STS and the metadata service share with the Live API.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use super::auth::Authenticator;
use crate::{
    credentials::{AccessKeys, Owner, Secret},
    session::{self, Proofs, Session},
};

/// Ids of temporary keys begin with this.
pub(super) const KEY_PREFIX: &str = "STS.";

pub(super) struct Ram {
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) account_id: String,
    pub(super) other_account_id: String,
    /// The role every key of the account may assume, and every token of the provider.
    pub(super) role_arn: String,
    /// The role of the instance that asks for metadata.
    pub(super) ecs_role: String,
    pub(super) oidc_provider_arn: String,
    /// What the role's trust policy asks for.
    pub(super) external_id: Option<Secret>,
    pub(super) oidc_tokens: Proofs,
}

impl Ram {
    const ISSUER: &str = "https://oidc.example.com";
    const SUBJECT: &str = "system:serviceaccount:default:mock";
    const AUDIENCE: &str = "sts.aliyuncs.com";

    pub(super) fn new(authenticator: Arc<Authenticator>, external_id: Option<Secret>) -> Self {
        let number = fastrand::u64(..999_999_999_999_999);
        // Alike but for the end: as numbers that are not exact they may be the same.
        let [account_id, other_account_id] = [number, number + 1].map(|number| format!("1{number:015}"));
        Self {
            authenticator,
            role_arn: format!("acs:ram::{account_id}:role/mock-role"),
            ecs_role: "mock-ecs-role".to_owned(),
            oidc_provider_arn: format!("acs:ram::{account_id}:oidc-provider/mock-provider"),
            account_id,
            other_account_id,
            external_id,
            oidc_tokens: Proofs::default(),
        }
    }

    pub(super) fn account_of(&self, owner: Owner) -> &str {
        match owner {
            Owner::First => &self.account_id,
            Owner::Other => &self.other_account_id,
        }
    }

    pub(super) fn keys(&self) -> &Mutex<AccessKeys> {
        &self.authenticator.keys
    }

    pub(super) fn issue_oidc_token(&self) -> String {
        self.oidc_tokens.issue_id_token(Self::ISSUER, Self::SUBJECT, Self::AUDIENCE)
    }

    pub(super) fn issue_session(&self, lifetime: SignedDuration, now: Timestamp) -> Session {
        session::issue(self.keys(), KEY_PREFIX, lifetime, now)
    }

    /// What STS says about a token it accepted.
    pub(super) fn token_info() -> serde_json::Value {
        serde_json::json!({ "Subject": Self::SUBJECT, "Issuer": Self::ISSUER, "ClientIds": Self::AUDIENCE })
    }
}
