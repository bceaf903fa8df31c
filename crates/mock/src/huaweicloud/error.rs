//! Refusals, with the codes, messages and statuses of the vendor's error tables.

use axum::http::StatusCode;
use jiff::Timestamp;

use super::dialect::{DuplicateStatus, ForeignProject, HuaweicloudDialect, HuaweicloudThrottling, MissingId};
use crate::{clock, quota::Quota};

/// An error answer of the Live service or of the API gateway in front of it.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// Gateway errors carry a `server` header and the request id in the body.
    pub(super) from_gateway: bool,
}

pub(super) type Result<T> = std::result::Result<T, ApiError>;

impl ApiError {
    fn gateway(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), from_gateway: true }
    }

    fn live(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { from_gateway: false, ..Self::gateway(status, code, message) }
    }

    pub(super) fn sts(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self::live(status, code, message)
    }

    pub(super) fn unknown_api() -> Self {
        let message = "The API does not exist or has not been published in the environment";
        Self::gateway(StatusCode::NOT_FOUND, "APIGW.0101", message)
    }

    pub(super) fn unauthenticated(detail: &str) -> Self {
        let message = format!("Incorrect IAM authentication information: {detail}");
        Self::gateway(StatusCode::UNAUTHORIZED, "APIGW.0301", message)
    }

    pub(super) fn unknown_access_key(id: &str) -> Self {
        Self::unauthenticated(&format!("ak {id} not exist"))
    }

    /// A temporary key is over. That this is how the gateway says so is UNVERIFIED.
    pub(super) fn security_token_expired() -> Self {
        Self::unauthenticated("decrypt token fail")
    }

    pub(super) fn signature_expired(signed: &str, now: Timestamp) -> Self {
        let now = clock::format(now, clock::BASIC);
        Self::unauthenticated(&format!(
            "calc aksk signature fail:signature expired, signature time:{signed},server time:{now}"
        ))
    }

    pub(super) fn signature_mismatch(canonical_request: &str) -> Self {
        let canonical_request = canonical_request.replace('\n', "|");
        Self::unauthenticated(&format!("verify aksk signature fail, canonicalRequest:{canonical_request}"))
    }

    pub(super) fn token_not_valid() -> Self {
        Self::gateway(StatusCode::UNAUTHORIZED, "APIGW.0307", "The token must be updated")
    }

    pub(super) fn throttled(dialect: &HuaweicloudDialect, Quota { limit, window }: Quota) -> Self {
        if dialect.throttling == HuaweicloudThrottling::Service {
            let message = "The number of concurrent API requests exceeds the upper limit.";
            return Self::live(StatusCode::INTERNAL_SERVER_ERROR, "LIVE.100011007", message);
        }
        let time = match window.as_secs() {
            seconds if seconds % 60 == 0 => format!("{} minute", seconds / 60),
            seconds => format!("{seconds} second"),
        };
        let message = format!(
            "The throttling threshold has been reached: policy user over ratelimit,limit:{limit},time:{time}"
        );
        Self::gateway(StatusCode::TOO_MANY_REQUESTS, "APIGW.0308", message)
    }

    /// The caller lacks the permission.
    pub(super) fn denied() -> Self {
        let message = "You do not have permission to access the API.";
        Self::live(StatusCode::UNAUTHORIZED, "LIVE.100011003", message)
    }

    pub(super) fn unavailable() -> Self {
        Self::live(StatusCode::INTERNAL_SERVER_ERROR, "LIVE.100011005", "Internal server error.")
    }

    pub(super) fn wrong_project() -> Self {
        Self::live(StatusCode::UNAUTHORIZED, "LIVE.100011015", "Project ID verification failed.")
    }

    /// The project is in another account.
    pub(super) fn foreign_project(dialect: ForeignProject) -> Self {
        match dialect {
            ForeignProject::NotVerified => Self::wrong_project(),
            ForeignProject::Unavailable => {
                let message = "The project is unavailable.";
                Self::gateway(StatusCode::FORBIDDEN, "APIGW.0310", message)
            }
            ForeignProject::NotAuthenticated => Self::unauthenticated("project_id is not of the ak"),
        }
    }

    pub(super) fn method_not_supported() -> Self {
        let message = "The method specified in the request is not supported.";
        Self::live(StatusCode::BAD_REQUEST, "LIVE.100011011", message)
    }

    pub(super) fn media_type_not_supported() -> Self {
        Self::live(StatusCode::BAD_REQUEST, "LIVE.100011012", "Unsupported media type.")
    }

    pub(super) fn invalid_parameter(parameter: &str) -> Self {
        let message = format!("Invalid request parameter: {parameter}");
        Self::live(StatusCode::BAD_REQUEST, "LIVE.100011001", message)
    }

    pub(super) fn already_exists(dialect: &HuaweicloudDialect) -> Self {
        let status = match dialect.duplicate_status {
            DuplicateStatus::BadRequest => StatusCode::BAD_REQUEST,
            DuplicateStatus::Conflict => StatusCode::CONFLICT,
        };
        Self::live(status, "LIVE.103011018", "The resource already exists.")
    }

    pub(super) fn missing_id(dialect: &HuaweicloudDialect) -> Self {
        match dialect.missing_id {
            MissingId::NotFound => Self::not_found(StatusCode::NOT_FOUND),
            MissingId::BadRequest => Self::not_found(StatusCode::BAD_REQUEST),
            MissingId::Illegal => Self::live(StatusCode::BAD_REQUEST, "LIVE.100011001", "Request Illegal"),
        }
    }

    /// The table of codes has 404; the Terraform provider meets 400 for domains.
    pub(super) fn domain_not_found() -> Self {
        Self::not_found(StatusCode::BAD_REQUEST)
    }

    fn not_found(status: StatusCode) -> Self {
        Self::live(status, "LIVE.103011019", "The resource does not exist.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_permission_has_a_code_of_its_own() {
        let ApiError { status, code, .. } = ApiError::denied();
        assert_eq!((status, code), (StatusCode::UNAUTHORIZED, "LIVE.100011003"));
    }
}
