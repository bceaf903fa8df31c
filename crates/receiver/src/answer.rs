//! What a cloud is answered.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use record_callback_core::Refusal;

use crate::sink::SinkErrorKind;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(crate) type Answer = Response<Full<Bytes>>;

/// Why a delivery is not accepted, as metrics and answers call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    NotSigned,
    BadSignature,
    Stale,
    Malformed,
    NotUnderstood,
    TooLarge,
    TooSlow,
    Broken,
    Overloaded,
    Full,
    Unavailable,
    Closed,
    UnknownSource,
    /// With the methods there are.
    Method(&'static str),
}

impl Reason {
    pub(crate) fn of_refusal(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NotSigned => Self::NotSigned,
            Refusal::BadSignature => Self::BadSignature,
            Refusal::Stale { .. } => Self::Stale,
            _ => Self::Malformed,
        }
    }

    pub(crate) fn of_sink(kind: SinkErrorKind) -> Self {
        match kind {
            SinkErrorKind::Full => Self::Full,
            SinkErrorKind::Unavailable => Self::Unavailable,
            SinkErrorKind::Closed => Self::Closed,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotSigned => "not_signed",
            Self::BadSignature => "bad_signature",
            Self::Stale => "stale",
            Self::Malformed => "malformed",
            Self::NotUnderstood => "not_understood",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Broken => "broken",
            Self::Overloaded => "overloaded",
            Self::Full => "full",
            Self::Unavailable => "unavailable",
            Self::Closed => "closed",
            Self::UnknownSource => "unknown_source",
            Self::Method(_) => "method",
        }
    }

    /// Never 409: to a cloud, an event that was delivered before is delivered.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::NotSigned | Self::BadSignature | Self::Stale => StatusCode::UNAUTHORIZED,
            Self::Malformed | Self::NotUnderstood | Self::Broken => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Overloaded | Self::Full | Self::Unavailable | Self::Closed => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::UnknownSource => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
        }
    }
}

/// Status 200 with a JSON body.
pub(crate) fn ok(body: impl Into<Bytes>, request_id: HeaderValue) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(REQUEST_ID, request_id);
    response
}

/// The status of `reason`, which is also in the body.
pub(crate) fn refusal(reason: Reason, request_id: HeaderValue) -> Answer {
    let mut response = ok(format!(r#"{{"error":"{}"}}"#, reason.as_str()), request_id);
    let status = reason.status();
    *response.status_mut() = status;
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if let Reason::Method(allowed) = reason {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    }
    response
}
