//! The one call of STS that needs no key: an agency assumed with the token of an identity provider.
//!
//! Its errors are UNVERIFIED: that they have the shape of other v5 APIs is assumed, and their codes are the mock's own.

use std::ops::RangeInclusive;

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Iam;
use crate::{
    field_order::FieldOrder,
    huaweicloud::{
        answer,
        error::ApiError,
        trust::{self, Trust},
    },
    recorded::RawRequest,
    server::Answer,
};

const DEFAULT_SECONDS: i64 = 3600;
const SECONDS: RangeInclusive<i64> = 900..=43200;

impl Iam {
    pub(super) fn assume_agency_with_oidc(
        &self,
        raw: &RawRequest,
        now: Timestamp,
    ) -> Result<Answer, ApiError> {
        if raw.media_type().as_deref() != Some("application/json") {
            return Err(invalid("the Content-Type is not application/json"));
        }
        // Without the parser's own message, which may quote the token.
        let wanted: AssumeRequest =
            serde_json::from_slice(&raw.body).map_err(|_| invalid("the body is not understood"))?;
        let name = wanted.agency_session_name.as_str();
        if !(2..=128).contains(&name.chars().count()) {
            return Err(invalid("agency_session_name has not 2 to 128 characters"));
        }
        let seconds = wanted.duration_seconds.unwrap_or(DEFAULT_SECONDS);
        if !SECONDS.contains(&seconds) {
            let (least, most) = (SECONDS.start(), SECONDS.end());
            return Err(invalid(&format!("duration_seconds is not {least} to {most}")));
        }
        let is_policy = |text: &str| serde_json::from_str::<Value>(text).is_ok_and(|json| json.is_object());
        if wanted.policy.is_some_and(|policy| !is_policy(&policy)) {
            return Err(invalid("policy is not a JSON object"));
        }
        if wanted.provider_urn != self.trust.oidc_provider_urn {
            return Err(ApiError::sts(StatusCode::NOT_FOUND, "STS5.1404", "the provider does not exist"));
        }
        if wanted.agency_urn != self.trust.agency_urn {
            return Err(ApiError::sts(StatusCode::NOT_FOUND, "STS5.1404", "the agency does not exist"));
        }
        if !self.trust.id_tokens.accept(&wanted.id_token, now) {
            return Err(ApiError::sts(StatusCode::UNAUTHORIZED, "STS5.1401", "the id token is invalid"));
        }
        let session = trust::issue_session(&self.accounts.first, SignedDuration::from_secs(seconds), now);
        let mut body = trust::sts_credentials(&session);
        body["assumed_agency"] = json!({
            "urn": format!("sts::{}:assumed-agency:{}/{name}", self.accounts.first.id, Trust::AGENCY),
            "id": format!("{}:{name}", self.accounts.first.id),
        });
        body["subject"] = json!(Trust::SUBJECT);
        Ok(answer::write(StatusCode::OK, Some(&body), FieldOrder::Fixed, now))
    }
}

fn invalid(problem: &str) -> ApiError {
    ApiError::sts(StatusCode::BAD_REQUEST, "STS5.1400", &format!("Invalid request: {problem}"))
}

/// Policies that narrow the key down are taken, and do nothing: every key may do everything.
#[derive(Deserialize)]
struct AssumeRequest {
    provider_urn: String,
    agency_urn: String,
    agency_session_name: String,
    id_token: String,
    duration_seconds: Option<i64>,
    policy: Option<String>,
    #[serde(rename = "policy_ids")]
    _policy_ids: Option<Vec<String>>,
}
