//! The caller's identity: by STS v5, and by what IAM knows of tokens and accounts.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Iam, Refusal, unauthorized};
use crate::{
    canonical::sha256_hex,
    field_order::FieldOrder,
    huaweicloud::{
        account::Account,
        answer,
        auth::{Caller, authenticate},
        dialect::{AuthDomains, CallerIdentityPath, QueryOnWire},
        error::ApiError,
        trust::Trust,
    },
    recorded::RawRequest,
    server::Answer,
};

const SESSION: &str = "mock-session";

impl Iam {
    /// `GET /v5/caller-identity`. Whether it takes tokens is not documented: here it does not.
    pub(super) fn caller_identity(&self, raw: &RawRequest, now: Timestamp) -> Result<Answer, ApiError> {
        if self.dialect.caller_identity_path == CallerIdentityPath::Missing {
            return Err(ApiError::unknown_api());
        }
        if raw.header("authorization").is_none() {
            return Err(ApiError::unauthenticated("no signature"));
        }
        let Caller { account, name, is_session, .. } =
            authenticate(&self.accounts, QueryOnWire::Decoded, raw, now)?;
        let id = &account.id;
        let (urn, principal) = if is_session {
            let agency = format!("{}/{SESSION}", Trust::AGENCY);
            (format!("sts::{id}:assumed-agency:{agency}"), format!("{}:{SESSION}", &sha256_hex(id)[..32]))
        } else {
            (format!("iam::{id}:user:mock-user"), sha256_hex(&name)[..32].to_owned())
        };
        let body = json!({ "account_id": id, "principal_urn": urn, "principal_id": principal });
        Ok(answer::write(StatusCode::OK, Some(&body), FieldOrder::Fixed, now))
    }

    /// `GET /v3/auth/domains`, signed or with a token.
    pub(super) fn auth_domains(&self, raw: &RawRequest, now: Timestamp) -> Result<Answer, Refusal> {
        let caller = authenticate(&self.accounts, QueryOnWire::Decoded, raw, now)?;
        let domains = match self.dialect.auth_domains {
            AuthDomains::Listed => vec![domain(caller.account)],
            AuthDomains::Empty => Vec::new(),
        };
        let link = format!("http://{}/v3/auth/domains", raw.header("host").unwrap_or_default());
        let body = json!({ "domains": domains, "links": { "self": link, "previous": null, "next": null } });
        Ok(answer::write(StatusCode::OK, Some(&body), FieldOrder::Fixed, now))
    }

    /// `GET /v3/auth/tokens`: a token may ask about itself, and here about no other.
    pub(super) fn validate_token(&self, raw: &RawRequest, now: Timestamp) -> Result<Answer, Refusal> {
        let [asks, subject] = ["x-auth-token", "x-subject-token"].map(|name| raw.header(name));
        let Some(asks) = asks else { return Err(unauthorized("The request has no token.")) };
        let found = self.accounts.find_token(asks, now);
        let (account, token) = found.ok_or_else(|| unauthorized("The token must be updated."))?;
        if subject != Some(asks) {
            return Err(Refusal::Iam(
                StatusCode::FORBIDDEN,
                "You are not authorized to perform the requested action.".to_owned(),
            ));
        }
        let user = account.users.iter().find(|user| user.name == token.user);
        let user = user.ok_or_else(|| unauthorized("There is no user."))?;
        let project = account.projects.iter().find(|project| Some(&project.id) == token.project.as_ref());
        let body = Self::token_body(account, user, project, "password", now, token.expires_at);
        let answer = answer::write(StatusCode::OK, Some(&body), FieldOrder::Fixed, now);
        Ok(answer.header("x-subject-token", asks))
    }
}

fn domain(account: &Account) -> Value {
    json!({ "id": account.id, "name": account.name(), "enabled": true, "description": "" })
}
