//! Refusals, with the codes, messages and statuses of the vendor's error tables.

use std::time::Duration;

use axum::http::StatusCode;

use super::dialect::{
    AliyunDialect, AliyunThrottling, Denial, ForeignDomain, NotFoundStatus, RetryAfter, UnknownDomain,
};

/// How long who is throttled by a script is asked to wait, where the dialect asks at all.
pub(super) const SCRIPTED_WAIT: Duration = Duration::from_millis(20);

/// An error answer before it is written as JSON or XML.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
    /// Errors of the gateway in front of the service carry a `Recommend` link.
    pub(super) from_gateway: bool,
    /// For the header `x-acs-retry-after`.
    pub(super) retry_after: Option<Duration>,
}

pub(super) type Result<T> = std::result::Result<T, ApiError>;

impl ApiError {
    fn gateway(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), from_gateway: true, retry_after: None }
    }

    pub(super) fn service(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { from_gateway: false, ..Self::gateway(status, code, message) }
    }

    pub(super) fn unknown_action() -> Self {
        let message = "Specified api is not found, please check your url and method.";
        Self::gateway(StatusCode::NOT_FOUND, "InvalidAction.NotFound", message)
    }

    pub(super) fn invalid_version() -> Self {
        Self::gateway(StatusCode::BAD_REQUEST, "InvalidVersion", "Specified parameter Version is not valid.")
    }

    pub(super) fn missing(parameter: &str) -> Self {
        let message = format!("{parameter} is mandatory for this action.");
        Self::gateway(StatusCode::BAD_REQUEST, &format!("Missing{parameter}"), message)
    }

    pub(super) fn missing_timestamp() -> Self {
        let message = r#"The input parameter "Timestamp" that is mandatory for processing this request is not supplied."#;
        Self::gateway(StatusCode::BAD_REQUEST, "IllegalTimestamp", message)
    }

    pub(super) fn incomplete_signature(detail: &str) -> Self {
        let message = format!("The request signature does not conform to Aliyun standards. {detail}.");
        Self::gateway(StatusCode::BAD_REQUEST, "IncompleteSignature", message)
    }

    pub(super) fn unknown_access_key() -> Self {
        Self::gateway(
            StatusCode::NOT_FOUND,
            "InvalidAccessKeyId.NotFound",
            "Specified access key is not found.",
        )
    }

    pub(super) fn wrong_security_token() -> Self {
        let message = "Specified SecurityToken mismatches the AccessKey.";
        Self::gateway(StatusCode::BAD_REQUEST, "InvalidSecurityToken.MismatchWithAccessKey", message)
    }

    pub(super) fn malformed_timestamp() -> Self {
        let message = "Specified time stamp or date value is not well formatted.";
        Self::gateway(StatusCode::BAD_REQUEST, "InvalidTimeStamp.Format", message)
    }

    pub(super) fn expired_timestamp() -> Self {
        let message = "Specified time stamp or date value is expired.";
        Self::gateway(StatusCode::BAD_REQUEST, "InvalidTimeStamp.Expired", message)
    }

    /// The legacy SDK splits this message at the first colon and compares the rest with its own string to sign.
    pub(super) fn signature_mismatch(calculation: &str) -> Self {
        let message = format!(
            "Specified signature is not matched with our calculation. server string to sign is:{calculation}"
        );
        Self::gateway(StatusCode::BAD_REQUEST, "SignatureDoesNotMatch", message)
    }

    pub(super) fn nonce_used() -> Self {
        let message = "Specified signature nonce was used already.";
        Self::gateway(StatusCode::BAD_REQUEST, "SignatureNonceUsed", message)
    }

    /// `wait` is how long the quota stays used up.
    pub(super) fn throttled(dialect: &AliyunDialect, wait: Duration) -> Self {
        let status = match dialect.throttling {
            AliyunThrottling::BadRequest => StatusCode::BAD_REQUEST,
            AliyunThrottling::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            AliyunThrottling::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let message = "Request was denied due to user flow control.";
        let retry_after = (dialect.retry_after == RetryAfter::Sent).then_some(wait);
        Self { retry_after, ..Self::gateway(status, "Throttling.User", message) }
    }

    /// The caller lacks the permission.
    pub(super) fn denied(dialect: &AliyunDialect) -> Self {
        match dialect.denial {
            Denial::BadRequest => {
                Self::service(StatusCode::BAD_REQUEST, "Forbidden", "Ram Permission is forbidden.")
            }
            Denial::Unauthorized => {
                let message = "User not authorized to operate on the specified resource.";
                Self::service(StatusCode::UNAUTHORIZED, "Forbidden", message)
            }
            Denial::ForbiddenRam => {
                let message = "User not authorized to operate on the specified resource, or this API doesn't support RAM.";
                Self::gateway(StatusCode::FORBIDDEN, "Forbidden.RAM", message)
            }
        }
    }

    pub(super) fn unavailable() -> Self {
        let message = "The request has failed due to a temporary failure of the server.";
        Self::gateway(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
    }

    /// The status is UNVERIFIED.
    pub(super) fn expired_security_token() -> Self {
        let message = "Specified SecurityToken is expired.";
        Self::gateway(StatusCode::BAD_REQUEST, "InvalidSecurityToken.Expired", message)
    }

    /// For values no vendor page assigns a code of its own.
    pub(super) fn invalid_parameter(parameter: &str, rule: &str) -> Self {
        let message = format!("Specified parameter {parameter} is not valid: {rule}.");
        Self::service(StatusCode::BAD_REQUEST, "InvalidParameter", message)
    }

    pub(super) fn not_modelled(what: &str) -> Self {
        let message = format!("This mock does not model {what}.");
        Self::service(StatusCode::BAD_REQUEST, "NotModelledByMock", message)
    }

    /// `parameter` is `NotifyUrl` or `OnDemandUrl`.
    pub(super) fn malformed_url(parameter: &str) -> Self {
        let message = format!("Specified {parameter} is invalid.");
        Self::service(StatusCode::BAD_REQUEST, &format!("Invalid{parameter}.Malformed"), message)
    }

    pub(super) fn config_exists() -> Self {
        Self::service(StatusCode::BAD_REQUEST, "ConfigAlreadyExists", "Config has already exist.")
    }

    pub(super) fn config_not_found(dialect: &AliyunDialect) -> Self {
        let status = match dialect.not_found_status {
            NotFoundStatus::NotFound => StatusCode::NOT_FOUND,
            NotFoundStatus::BadRequest => StatusCode::BAD_REQUEST,
        };
        Self::service(status, "InvalidConfig.NotFound", "Config does not exist.")
    }

    /// The domain is not in the account.
    pub(super) fn unknown_domain(dialect: &AliyunDialect) -> Self {
        match dialect.unknown_domain {
            UnknownDomain::DomainNotFound => Self::domain_not_found(),
            UnknownDomain::ConfigNotFound => Self::config_not_found(dialect),
            UnknownDomain::Forbidden => Self::denied(dialect),
        }
    }

    /// The domain is in another account; `missing` is the answer for one that is nowhere.
    pub(super) fn foreign_domain(dialect: &AliyunDialect, missing: Self) -> Self {
        match dialect.foreign_domain {
            ForeignDomain::AsMissing => missing,
            ForeignDomain::Forbidden => Self::denied(dialect),
            ForeignDomain::IllegalOperation => {
                let message = "Illegal domain operate is not permitted.";
                Self::service(StatusCode::FORBIDDEN, "IllegalOperation", message)
            }
        }
    }

    /// As the table of codes common to the Live API has it.
    fn domain_not_found() -> Self {
        let message = "The domain provided does not exist in our records.";
        Self::service(StatusCode::NOT_FOUND, "InvalidDomain.NotFound", message)
    }

    /// As the page of `UpdateLiveRecordNotifyConfig` has it.
    pub(super) fn domain_not_found_on_update() -> Self {
        Self::service(StatusCode::BAD_REQUEST, "InvalidDomain.NotFound", "Specified Domain is invalid.")
    }
}
