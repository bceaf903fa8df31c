//! What the vendor's error codes mean. The code decides, the status only where the code says nothing:
//! Live answers most errors with 400, throttling even with 500.

use record_callback_core::{Error, ErrorKind};
use record_callback_http::Answer;

use crate::wire;

/// Where signature errors begin to echo the canonical request, which holds the security token.
const ECHO: &str = "canonicalRequest";

/// Error codes of Live (`LIVE.`), the API gateway (`APIGW.`) and IAM.
///
/// The Live API reference's error code page of 2021-06-30 (newer codes may exist), and
/// <https://support.huaweicloud.com/en-us/devg-apisign/api-sign-errorcode.html>
const KINDS: &[(&str, ErrorKind)] = &[
    ("LIVE.100011000", ErrorKind::Unavailable),
    ("LIVE.100011001", ErrorKind::InvalidConfig),
    ("LIVE.100011002", ErrorKind::Unauthenticated),
    ("LIVE.100011003", ErrorKind::PermissionDenied),
    ("LIVE.100011004", ErrorKind::InvalidConfig),
    ("LIVE.100011005", ErrorKind::Unavailable),
    ("LIVE.100011006", ErrorKind::Unavailable),
    ("LIVE.100011007", ErrorKind::Throttled),
    ("LIVE.100011008", ErrorKind::Unavailable),
    ("LIVE.100011009", ErrorKind::Unauthenticated),
    ("LIVE.100011011", ErrorKind::Protocol),
    ("LIVE.100011012", ErrorKind::Protocol),
    ("LIVE.100011013", ErrorKind::PermissionDenied),
    ("LIVE.100011014", ErrorKind::PermissionDenied),
    ("LIVE.100011015", ErrorKind::Unauthenticated),
    ("LIVE.103011016", ErrorKind::InvalidConfig),
    ("LIVE.103011017", ErrorKind::Unavailable),
    ("LIVE.103011018", ErrorKind::AlreadyExists),
    ("LIVE.103011019", ErrorKind::NotFound),
    ("LIVE.103011021", ErrorKind::Unavailable),
    ("LIVE.103011022", ErrorKind::Conflict),
    ("LIVE.103011023", ErrorKind::Unavailable),
    ("LIVE.103011026", ErrorKind::PermissionDenied),
    ("LIVE.103011027", ErrorKind::PermissionDenied),
    ("LIVE.103011028", ErrorKind::Unavailable),
    // The API does not exist or is not published: this is not the Live endpoint.
    ("APIGW.0101", ErrorKind::Protocol),
    ("APIGW.0103", ErrorKind::Protocol),
    ("APIGW.0301", ErrorKind::Unauthenticated),
    ("APIGW.0302", ErrorKind::PermissionDenied),
    ("APIGW.0303", ErrorKind::Unauthenticated),
    ("APIGW.0304", ErrorKind::PermissionDenied),
    ("APIGW.0305", ErrorKind::Unauthenticated),
    ("APIGW.0306", ErrorKind::PermissionDenied),
    ("APIGW.0307", ErrorKind::Unauthenticated),
    ("APIGW.0308", ErrorKind::Throttled),
    ("APIGW.0310", ErrorKind::PermissionDenied),
];

/// Codes of which one is the answer where a project is another account's. Which is UNVERIFIED.
const WRONG_PROJECT: [&str; 2] = ["LIVE.100011015", "APIGW.0310"];

/// Turns an answer that is not a success into an error.
pub(crate) fn classify(answer: &Answer) -> Error {
    let error = match wire::failure(&answer.body) {
        Some(failure) if WRONG_PROJECT.contains(&failure.code.as_str()) => {
            let error = answer.failed(&failure, ECHO, kind);
            error.with_advice("wrong project or account: the project is not one these credentials may use")
        }
        Some(failure) => answer.failed(&failure, ECHO, kind),
        None => answer.not_understood("a JSON error"),
    };
    match answer.header(wire::header::REQUEST_ID) {
        Some(id) => answer.with_request_id(error, id),
        None => error,
    }
}

/// Whether a signed request may have been refused for its time: all refused signatures have this code.
pub(crate) fn time_refused(error: &Error) -> bool {
    error.code() == Some("APIGW.0301")
}

/// Whether a denial is for the state of the account or the project, and not for a right.
pub(crate) fn is_about_account(error: &Error) -> bool {
    // Not identified, frozen or in debt; a project that is not available.
    matches!(error.code(), Some("LIVE.100011013" | "LIVE.100011014" | "LIVE.100011015" | "APIGW.0310"))
}

/// Whether an update may have been refused for an empty text, in words we understand or not.
pub(crate) fn empty_refused(error: &Error) -> bool {
    let not_understood = error.kind() == ErrorKind::Protocol && error.code().and_then(kind).is_none();
    error.kind() == ErrorKind::InvalidConfig || (not_understood && error.status() == Some(400))
}

fn kind(code: &str) -> Option<ErrorKind> {
    KINDS.iter().find(|(known, _)| *known == code).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use record_callback_http::header::{HeaderMap, HeaderValue};
    use record_callback_http::{Secrets, StatusCode};

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("X-request-id", HeaderValue::from_static("id-1"));
        let status = StatusCode::from_u16(status).unwrap();
        Answer::new(status, headers, body.to_owned(), Secrets::default())
    }

    fn live(status: u16, code: &str) -> Error {
        classify(&answer(status, &format!(r#"{{"error_code":"{code}","error_msg":"M"}}"#)))
    }

    /// Every documented code under every status some page or provider saw it with.
    #[test]
    fn codes_decide_whatever_the_status() {
        for (code, statuses, kind) in [
            ("LIVE.103011019", &[404, 400][..], ErrorKind::NotFound),
            ("LIVE.103011018", &[400, 409], ErrorKind::AlreadyExists),
            ("LIVE.100011001", &[400, 403], ErrorKind::InvalidConfig),
            ("LIVE.100011002", &[401], ErrorKind::Unauthenticated),
            ("LIVE.100011003", &[401], ErrorKind::PermissionDenied),
            ("LIVE.100011007", &[500], ErrorKind::Throttled),
            ("LIVE.100011005", &[500], ErrorKind::Unavailable),
            ("APIGW.0101", &[404], ErrorKind::Protocol),
            ("APIGW.0301", &[401], ErrorKind::Unauthenticated),
            ("APIGW.0302", &[403], ErrorKind::PermissionDenied),
            ("APIGW.0307", &[401], ErrorKind::Unauthenticated),
            ("APIGW.0308", &[429], ErrorKind::Throttled),
            ("LIVE.103011022", &[400, 409], ErrorKind::Conflict),
            ("LIVE.999999999", &[400, 404, 405, 422], ErrorKind::Protocol),
            ("LIVE.999999999", &[409], ErrorKind::Conflict),
            ("LIVE.999999999", &[520], ErrorKind::Unavailable),
        ] {
            for status in statuses {
                let error = live(*status, code);
                assert_eq!(error.kind(), kind, "{code} {status}");
                assert_eq!((error.code(), error.request_id()), (Some(code), Some("id-1")));
            }
        }
    }

    #[test]
    fn a_project_of_another_account_is_told_as_such() {
        for (status, code) in [(401, "LIVE.100011015"), (403, "APIGW.0310")] {
            let error = live(status, code);
            assert!(error.message().contains("wrong project or account"), "{error}");
            let kinds = [ErrorKind::Unauthenticated, ErrorKind::PermissionDenied];
            assert!(kinds.contains(&error.kind()), "{error:?}");
        }
    }

    #[test]
    fn what_is_not_the_vendors_says_so_and_is_judged_by_few_statuses() {
        for body in ["", "<html>502</html>", r#"{"hello":"world"}"#] {
            let error = classify(&answer(502, body));
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{body}");
            assert_eq!(classify(&answer(404, body)).kind(), ErrorKind::Protocol, "{body}");
            assert_eq!(classify(&answer(429, body)).kind(), ErrorKind::Throttled, "{body}");
            assert!(error.message().starts_with("answered 502 with "), "{error}");
            assert_eq!(error.request_id(), Some("id-1"));
        }
    }

    #[test]
    fn the_echoed_canonical_request_stays_out() {
        let body = r#"{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information: verify aksk signature fail, canonicalRequest:GET|/v1/|x-security-token:s3cr3t|"}"#;
        let error = classify(&answer(401, body));
        assert!(!format!("{error} {error:?}").contains("s3cr3t"));
        assert_eq!(error.message(), "Incorrect IAM authentication information: verify aksk signature fail");
    }
}
