//! STS, version `2015-04-01`: temporary keys for a role, by a key of the account or by a token of an identity provider; and
//! who the caller is.
//!
//! UNVERIFIED are the statuses of its errors, the code for an identity provider there is not, and that a missing or wrong
//! external id is answered like a missing permission.

use std::{ops::RangeInclusive, sync::Arc};

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    answer,
    dialect::AliyunDialect,
    error::{ApiError, Result, SCRIPTED_WAIT},
    identity,
    operations::Fields,
    ram::Ram,
    request::{Api, ApiRequest},
};
use crate::{
    canonical::sha256_hex,
    clock::{self, Clock},
    credentials::Owner,
    faults::Refusal,
    recorded::RawRequest,
    server::{Answer, Service},
    session::Session,
};

const STS: Api = Api { product: "Sts", host: "sts.aliyuncs.com", version: "2015-04-01" };

const ASSUME_ROLE: &str = "AssumeRole";
const ASSUME_ROLE_WITH_OIDC: &str = "AssumeRoleWithOIDC";
const GET_CALLER_IDENTITY: &str = "GetCallerIdentity";

const DEFAULT_SECONDS: i64 = 3600;
/// The longest is a setting of the role; this is the longest that can be set.
const SECONDS: RangeInclusive<i64> = 900..=43200;

pub(super) struct Sts {
    pub(super) ram: Arc<Ram>,
    pub(super) clock: Clock,
    pub(super) dialect: AliyunDialect,
}

fn named(action: &str) -> Option<&'static str> {
    [ASSUME_ROLE, ASSUME_ROLE_WITH_OIDC, GET_CALLER_IDENTITY].into_iter().find(|name| *name == action)
}

impl Service for Sts {
    const VENDOR: &'static str = "aliyun-sts";

    fn operation(&self, raw: &RawRequest) -> Option<&'static str> {
        ApiRequest::new(raw).action().and_then(named)
    }

    fn answer(&self, raw: &RawRequest) -> Answer {
        let request = ApiRequest::new(raw);
        self.write(&request, self.call(&request))
    }

    fn refuse(&self, raw: &RawRequest, refusal: Refusal) -> Answer {
        let error = match refusal {
            Refusal::Throttled => ApiError::throttled(&self.dialect, SCRIPTED_WAIT),
            Refusal::Denied => no_permission(),
            Refusal::Unavailable => ApiError::unavailable(&self.dialect),
            Refusal::TokenExpired => ApiError::expired_security_token(),
        };
        self.write(&ApiRequest::new(raw), Err(error))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Sts {
    fn write(&self, request: &ApiRequest<'_>, outcome: Result<Fields>) -> Answer {
        answer::write(&STS, request, request.action().and_then(named), outcome, &self.dialect)
    }

    fn call(&self, request: &ApiRequest<'_>) -> Result<Fields> {
        let now = self.clock.now();
        match request.operation(&STS, named)? {
            ASSUME_ROLE => {
                let key = self.ram.authenticator.check(request, now)?;
                // The role trusts the account it is in, and no other.
                if key.owner != Owner::First {
                    return Err(no_permission());
                }
                self.assume_role(request, now)
            }
            GET_CALLER_IDENTITY => {
                let key = self.ram.authenticator.check(request, now)?;
                Ok(identity::of(&self.ram, &key, self.dialect.caller_identity))
            }
            _ => self.assume_role_with_oidc(request, now),
        }
    }

    fn assume_role(&self, request: &ApiRequest<'_>, now: Timestamp) -> Result<Fields> {
        let wanted = self.wanted(request)?;
        if self.ram.external_id.as_ref().is_some_and(|id| request.text("ExternalId") != Some(id.expose())) {
            return Err(no_permission());
        }
        Ok(self.assumed(&wanted, now))
    }

    /// Not signed: the token is the proof.
    fn assume_role_with_oidc(&self, request: &ApiRequest<'_>, now: Timestamp) -> Result<Fields> {
        let wanted = self.wanted(request)?;
        let (provider, token) = (request.required("OIDCProviderArn")?, request.required("OIDCToken")?);
        if provider != self.ram.oidc_provider_arn {
            return Err(not_found("OIDCProvider", "The specified OIDC provider does not exist."));
        }
        if !self.ram.oidc_tokens.accept(token, now) {
            let message = "This JsonWebToken is invalid.";
            let code = "AuthenticationFail.OIDCToken.Invalid";
            return Err(ApiError::service(StatusCode::BAD_REQUEST, code, message));
        }
        let mut fields = self.assumed(&wanted, now);
        fields.insert("OIDCTokenInfo".to_owned(), Ram::token_info());
        Ok(fields)
    }

    /// What both actions take, checked.
    fn wanted<'a>(&self, request: &'a ApiRequest<'_>) -> Result<Wanted<'a>> {
        let (role, session) = (request.required("RoleArn")?, request.required("RoleSessionName")?);
        let is_arn = role.strip_prefix("acs:ram::").is_some_and(|rest| rest.contains(":role/"));
        if !is_arn {
            return Err(wrong("RoleArn", "The parameter RoleArn is wrongly formed."));
        }
        let is_ok = |c: char| c.is_ascii_alphanumeric() || ".@-_".contains(c);
        if !(2..=64).contains(&session.len()) || !session.chars().all(is_ok) {
            return Err(wrong("RoleSessionName", "The parameter RoleSessionName is wrongly formed."));
        }
        let seconds = match request.text("DurationSeconds") {
            None => DEFAULT_SECONDS,
            Some(text) => text.parse().ok().filter(|seconds| SECONDS.contains(seconds)).ok_or_else(|| {
                let (least, most) = (SECONDS.start(), SECONDS.end());
                let message = format!("The Min/Max value of DurationSeconds is {least}/{most}.");
                wrong("DurationSeconds", &message)
            })?,
        };
        let is_policy = |text: &str| serde_json::from_str::<Value>(text).is_ok_and(|json| json.is_object());
        if request.text("Policy").is_some_and(|policy| !is_policy(policy)) {
            return Err(wrong("PolicyGrammar", "The parameter Policy has not passed grammar check."));
        }
        if role != self.ram.role_arn {
            return Err(not_found("Role", "The specified Role does not exist."));
        }
        Ok(Wanted { session, lifetime: SignedDuration::from_secs(seconds) })
    }

    fn assumed(&self, wanted: &Wanted<'_>, now: Timestamp) -> Fields {
        let session = self.ram.issue_session(wanted.lifetime, now);
        let role_id: String = sha256_hex(&self.ram.role_arn).chars().take(18).collect();
        let name = wanted.session;
        Fields::from_iter([
            ("Credentials".to_owned(), credentials(&session)),
            (
                "AssumedRoleUser".to_owned(),
                json!({
                    "AssumedRoleId": format!("{role_id}:{name}"),
                    "Arn": format!("acs:ram::{}:assumed-role/mock-role/{name}", self.ram.account_id),
                }),
            ),
        ])
    }
}

struct Wanted<'a> {
    session: &'a str,
    lifetime: SignedDuration,
}

/// The four fields of a temporary key.
pub(super) fn credentials(session: &Session) -> Value {
    json!({
        "AccessKeyId": session.key.id,
        "AccessKeySecret": session.key.secret,
        "SecurityToken": session.key.security_token,
        "Expiration": clock::format(session.expires_at, clock::EXTENDED),
    })
}

fn wrong(parameter: &str, message: &str) -> ApiError {
    ApiError::service(StatusCode::BAD_REQUEST, &format!("InvalidParameter.{parameter}"), message)
}

fn not_found(entity: &str, message: &str) -> ApiError {
    ApiError::service(StatusCode::NOT_FOUND, &format!("EntityNotExist.{entity}"), message)
}

fn no_permission() -> ApiError {
    let message = "You are not authorized to do this action. You should be authorized by RAM.";
    ApiError::service(StatusCode::FORBIDDEN, "NoPermission", message)
}
