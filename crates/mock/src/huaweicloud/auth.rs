//! Who is calling: by token, or by access key, security token, time window and signature.

use jiff::{SignedDuration, Timestamp};

use super::{
    account::{Account, Accounts},
    dialect::{ForeignProject, QueryOnWire},
    error::{ApiError, Result},
    verify::{self, Authorization},
};
use crate::{
    canonical::{is_signed, same},
    clock,
    recorded::RawRequest,
};

const WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// An authenticated caller.
pub(super) struct Caller<'a> {
    pub(super) account: &'a Account,
    /// The IAM user, or the access key standing for one. Quotas count per caller.
    pub(super) name: String,
    pub(super) scope: Scope,
    /// True if the access key is a temporary one.
    pub(super) is_session: bool,
}

/// Where a caller may act.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Access keys: every project of the account.
    Account,
    /// Tokens: one project; none when the token is for the whole account, which regional services do not take.
    Token { project: Option<String> },
}

/// Authenticates a request. A request with both an `Authorization` and an `X-Auth-Token` header is judged by the
/// former; which one the cloud prefers is not documented.
pub(super) fn authenticate<'a>(
    accounts: &'a Accounts,
    query: QueryOnWire,
    raw: &RawRequest,
    now: Timestamp,
) -> Result<Caller<'a>> {
    if let Some(authorization) = raw.header("authorization") {
        return by_signature(accounts, query, raw, authorization, now);
    }
    let text = raw.header("x-auth-token").ok_or_else(|| ApiError::unauthenticated("no credentials"))?;
    let (account, token) = accounts.find_token(text, now).ok_or_else(ApiError::token_not_valid)?;
    Ok(Caller {
        account,
        name: token.user,
        scope: Scope::Token { project: token.project },
        is_session: false,
    })
}

/// Checks that the caller may act in the project a path names.
pub(super) fn check_project(
    accounts: &Accounts,
    caller: &Caller<'_>,
    raw: &RawRequest,
    project: &str,
    dialect: ForeignProject,
) -> Result<()> {
    match &caller.scope {
        Scope::Token { project: scope } if scope.as_deref() != Some(project) => {
            return Err(ApiError::token_not_valid());
        }
        Scope::Token { .. } | Scope::Account => {}
    }
    let confirmed = raw.header("x-project-id").is_none_or(|header| header == project);
    match accounts.of_project(project) {
        Some(account) if account.id != caller.account.id => Err(ApiError::foreign_project(dialect)),
        Some(_) if confirmed => Ok(()),
        _ => Err(ApiError::wrong_project()),
    }
}

fn by_signature<'a>(
    accounts: &'a Accounts,
    query: QueryOnWire,
    raw: &RawRequest,
    authorization: &str,
    now: Timestamp,
) -> Result<Caller<'a>> {
    let Authorization { access_key, signed_headers, signature } = Authorization::parse(authorization)
        .ok_or_else(|| {
            ApiError::unauthenticated(
                "Authorization is not `SDK-HMAC-SHA256 Access=<ak>, SignedHeaders=<names>, Signature=<hex>`",
            )
        })?;
    let (account, key) =
        accounts.find_key(access_key).ok_or_else(|| ApiError::unknown_access_key(access_key))?;

    let security_token = raw.header("x-security-token");
    let token_right = match (&key.token, security_token) {
        (None, None) => true,
        (Some(token), Some(given)) => same(token.expose(), given),
        (None, Some(_)) | (Some(_), None) => false,
    };
    if !token_right {
        return Err(ApiError::unauthenticated("X-Security-Token does not belong to the access key"));
    }
    if key.is_over(now) {
        return Err(ApiError::security_token_expired());
    }

    let date = raw.header("x-sdk-date").unwrap_or_default();
    let at = clock::parse(date, clock::BASIC)
        .ok_or_else(|| ApiError::unauthenticated("X-Sdk-Date is not written as YYYYMMDDTHHMMSSZ"))?;
    if now.duration_since(at).abs() > WINDOW {
        return Err(ApiError::signature_expired(date, now));
    }

    // The vendor asks only for the date; without the host, a signed request could be sent anywhere.
    if let Some(header) = ["host", "x-sdk-date"].into_iter().find(|header| !is_signed(signed_headers, header))
    {
        return Err(ApiError::unauthenticated(&format!("the header {header} is not signed")));
    }
    let canonical_request = verify::canonical_request(raw, signed_headers)
        .map_err(|problem| ApiError::unauthenticated(&problem))?;
    if query == QueryOnWire::AsSigned && !verify::query_is_canonical(&raw.query) {
        return Err(ApiError::unauthenticated("the query is not encoded the way it is signed"));
    }
    let expected = verify::signature(&canonical_request, date, key.secret.expose());
    if same(&expected, signature) {
        Ok(Caller { account, is_session: key.token.is_some(), name: key.id, scope: Scope::Account })
    } else {
        Err(ApiError::signature_mismatch(&canonical_request))
    }
}
