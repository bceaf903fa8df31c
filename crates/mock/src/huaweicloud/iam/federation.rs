//! Tokens for the token of an identity provider, and temporary keys for a token of either kind.
//!
//! The statuses of refusals are UNVERIFIED.

use std::ops::RangeInclusive;

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::{Iam, Refusal, TokenScope, bad, json_body, unauthorized};
use crate::{
    field_order::FieldOrder,
    huaweicloud::{answer, trust},
    recorded::RawRequest,
    server::Answer,
};

const DEFAULT_SECONDS: i64 = 900;
const SECONDS: RangeInclusive<i64> = 900..=86400;

impl Iam {
    /// Without a scope, the token is for the whole account. Tokens of federated users are those of the first user.
    pub(super) fn create_token_with_id_token(
        &self,
        raw: &RawRequest,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let FederatedRequest { auth } = json_body(raw)?;
        match raw.header("x-idp-id") {
            None => return Err(bad("The header X-Idp-Id is missing.")),
            Some(idp) if idp != self.trust.idp_id => {
                return Err(Refusal::Iam(
                    StatusCode::NOT_FOUND,
                    "Could not find the identity provider.".to_owned(),
                ));
            }
            Some(_) => {}
        }
        if !self.trust.id_tokens.accept(&auth.id_token.id, now) {
            return Err(unauthorized("The id token is invalid."));
        }
        let account = &*self.accounts.first;
        let user = account.users.first().ok_or_else(|| unauthorized("There is no user."))?;
        let project = match auth.scope.and_then(|scope| scope.project) {
            None => None,
            Some(wanted) => Some(Self::find_project(account, &wanted)?),
        };
        Ok(Self::issue_token(account, user, project, "mapped", now))
    }

    pub(super) fn create_temporary_access_key(
        &self,
        raw: &RawRequest,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let KeyRequest { auth: KeyAuth { identity } } = json_body(raw)?;
        if identity.methods != ["token"] {
            return Err(bad("This mock models only the method token."));
        }
        if identity.policy.is_some() {
            return Err(bad("This mock does not model policies of temporary keys."));
        }
        let TokenIdentity { id, duration_seconds } = identity.token.unwrap_or_default();
        let token = id.as_deref().or_else(|| raw.header("x-auth-token"));
        let token = token.ok_or_else(|| unauthorized("The request has no token."))?;
        let found = self.accounts.find_token(token, now);
        let (account, _) = found.ok_or_else(|| unauthorized("The token must be updated."))?;
        let seconds = duration_seconds.unwrap_or(DEFAULT_SECONDS);
        if !SECONDS.contains(&seconds) {
            return Err(bad(&format!("duration_seconds is not {} to {}.", SECONDS.start(), SECONDS.end())));
        }
        let session = trust::issue_session(account, SignedDuration::from_secs(seconds), now);
        let body = trust::iam_credential(&session);
        Ok(answer::write(StatusCode::CREATED, Some(&body), FieldOrder::Fixed, now))
    }
}

#[derive(Deserialize)]
struct FederatedRequest {
    auth: FederatedAuth,
}

#[derive(Deserialize)]
struct FederatedAuth {
    id_token: IdToken,
    scope: Option<TokenScope>,
}

#[derive(Deserialize)]
struct IdToken {
    id: String,
}

#[derive(Deserialize)]
struct KeyRequest {
    auth: KeyAuth,
}

#[derive(Deserialize)]
struct KeyAuth {
    identity: KeyIdentity,
}

#[derive(Deserialize)]
struct KeyIdentity {
    methods: Vec<String>,
    token: Option<TokenIdentity>,
    policy: Option<Value>,
}

#[derive(Deserialize, Default)]
struct TokenIdentity {
    id: Option<String>,
    duration_seconds: Option<i64>,
}
