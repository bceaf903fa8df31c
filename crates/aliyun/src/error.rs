//! What the vendor's error codes mean. The code decides, the status only where the code says nothing:
//! documents give the same code different statuses.

use record_callback_core::{Error, ErrorKind};
use record_callback_http::{Answer, Failure};

use crate::wire;

/// Where signature errors begin to echo the string to sign, which holds the signing key.
const ECHO: &str = "server string to sign";

/// What is answered to a key nobody knows.
const UNKNOWN_KEY: &str = "InvalidAccessKeyId.NotFound";

/// Codes, or prefixes of codes ending in `*`; the first match counts.
///
/// `help.aliyun.com/document_detail/434846` (gateway), the operations' own pages, and
/// the Live-wide list.
const KINDS: &[(&str, ErrorKind)] = &[
    ("ConfigAlreadyExists", ErrorKind::AlreadyExists),
    ("InvalidConfig.NotFound", ErrorKind::NotFound),
    ("InvalidDomain.NotFound", ErrorKind::DomainNotFound),
    ("InvalidNotifyUrl.*", ErrorKind::InvalidConfig),
    ("InvalidOnDemandUrl.*", ErrorKind::InvalidConfig),
    ("InvalidParameter*", ErrorKind::InvalidConfig),
    ("InvalidProtocol.NeedSsl", ErrorKind::InvalidConfig),
    ("MissingSecurityToken", ErrorKind::Unauthenticated),
    ("Missing*", ErrorKind::InvalidConfig),
    ("Forbidden*", ErrorKind::PermissionDenied),
    ("NoPermission", ErrorKind::PermissionDenied),
    ("IllegalOperation", ErrorKind::PermissionDenied),
    ("InvalidIdentity.*", ErrorKind::PermissionDenied),
    ("SignatureDoesNotMatch", ErrorKind::Unauthenticated),
    ("SignatureNonceUsed", ErrorKind::Unauthenticated),
    ("IncompleteSignature", ErrorKind::Unauthenticated),
    ("InvalidTimeStamp.*", ErrorKind::Unauthenticated),
    ("IllegalTimestamp", ErrorKind::Unauthenticated),
    ("InvalidAccessKey*", ErrorKind::Unauthenticated),
    ("InvalidSecurityToken.*", ErrorKind::Unauthenticated),
    // Of the token service; for it a role is part of the credentials.
    ("EntityNotExist.*", ErrorKind::Unauthenticated),
    ("AuthenticationFail.NoPermission", ErrorKind::PermissionDenied),
    ("AuthenticationFail.*", ErrorKind::Unauthenticated),
    ("Throttling*", ErrorKind::Throttled),
    ("Rejected.Throttling", ErrorKind::Throttled),
    ("ServiceUnavailable*", ErrorKind::Unavailable),
    ("InternalError", ErrorKind::Unavailable),
    // We asked for an operation of a product that is not there: this is not the Live endpoint.
    ("InvalidAction.NotFound", ErrorKind::Protocol),
    ("InvalidApi.NotFound", ErrorKind::Protocol),
    ("InvalidProduct.NotFound", ErrorKind::Protocol),
    ("InvalidVersion", ErrorKind::Protocol),
    ("NoSuchVersion", ErrorKind::Protocol),
];

/// Turns an answer that is not a success into an error.
pub(crate) fn classify(answer: &Answer) -> Error {
    let Some(failure) = wire::failure(&answer.body) else {
        return answer.not_understood("a JSON or XML error");
    };
    let error = described(answer, &failure);
    match answer.millis(wire::header::RETRY_AFTER) {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

/// [`classify`], where the access key may be one of another cloud by its looks: says so if nobody knows it.
pub(crate) fn classify_for(answer: &Answer, foreign_key: bool) -> Error {
    match wire::failure(&answer.body) {
        Some(Failure { code, message, request_id }) if foreign_key && code.starts_with(UNKNOWN_KEY) => {
            let message = format!("the access key looks like one of Huawei Cloud: {message}");
            described(answer, &Failure { code, message, request_id })
        }
        _ => classify(answer),
    }
}

/// The error for a failure the cloud describes.
pub(crate) fn described(answer: &Answer, failure: &Failure) -> Error {
    answer.failed(failure, ECHO, kind)
}

/// Whether a request may have been refused for its time.
pub(crate) fn time_refused(error: &Error) -> bool {
    matches!(error.code(), Some("InvalidTimeStamp.Expired" | "IllegalTimestamp"))
}

/// Whether an update may have been refused for an empty on-demand URL, in words we understand or not. No page says with
/// which code that would be, so that it may be any that does not name something else.
pub(crate) fn empty_refused(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::InvalidConfig => !error.code().is_some_and(names_another),
        ErrorKind::Protocol => error.status() == Some(400) && error.code().and_then(kind).is_none(),
        _ => false,
    }
}

/// Whether a refusal with this code is for something other than the on-demand URL.
fn names_another(code: &str) -> bool {
    let missing_another = code.strip_prefix("Missing").is_some_and(|missing| {
        !["", "OnDemandUrl", "Parameter"].contains(&missing.split('.').next().unwrap_or_default())
    });
    missing_another || code.starts_with("InvalidNotifyUrl") || code == "InvalidProtocol.NeedSsl"
}

fn kind(code: &str) -> Option<ErrorKind> {
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => code.starts_with(prefix),
        None => code == pattern,
    };
    KINDS.iter().find(|(pattern, _)| matches(pattern)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use record_callback_http::header::{HeaderMap, HeaderValue};
    use record_callback_http::{Secrets, StatusCode};

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer::new(status, HeaderMap::new(), body.to_owned(), Secrets::default())
    }

    fn json(status: u16, code: &str) -> Answer {
        answer(
            status,
            &format!(r#"{{"RequestId":"R-1","HostId":"live.aliyuncs.com","Code":"{code}","Message":"M."}}"#),
        )
    }

    /// Every documented code under every status some page gives it.
    #[test]
    fn codes_decide_whatever_the_status() {
        for (code, statuses, kind) in [
            ("InvalidConfig.NotFound", &[404, 400][..], ErrorKind::NotFound),
            ("InvalidDomain.NotFound", &[404, 400], ErrorKind::DomainNotFound),
            ("ConfigAlreadyExists", &[400, 409], ErrorKind::AlreadyExists),
            ("InvalidNotifyUrl.Unsafe", &[400], ErrorKind::InvalidConfig),
            ("InvalidOnDemandUrl.Malformed", &[400], ErrorKind::InvalidConfig),
            ("Forbidden", &[400, 401, 403], ErrorKind::PermissionDenied),
            ("Forbidden.RAM", &[400, 403], ErrorKind::PermissionDenied),
            ("Throttling", &[400, 429, 503], ErrorKind::Throttled),
            ("Throttling.User", &[400, 429, 503], ErrorKind::Throttled),
            ("SignatureDoesNotMatch", &[400], ErrorKind::Unauthenticated),
            ("InvalidAccessKeyId.NotFound", &[400, 404], ErrorKind::Unauthenticated),
            ("InvalidTimeStamp.Expired", &[400], ErrorKind::Unauthenticated),
            ("MissingDomainName", &[400], ErrorKind::InvalidConfig),
            ("MissingSecurityToken", &[400], ErrorKind::Unauthenticated),
            ("ServiceUnavailable", &[503], ErrorKind::Unavailable),
            ("InternalError", &[500], ErrorKind::Unavailable),
            ("EntityNotExist.Role", &[404], ErrorKind::Unauthenticated),
            ("AuthenticationFail.NoPermission", &[400, 403], ErrorKind::PermissionDenied),
            ("AuthenticationFail.OIDCToken.Expired", &[400, 401], ErrorKind::Unauthenticated),
            ("InvalidAction.NotFound", &[404], ErrorKind::Protocol),
            ("Brand.New", &[400, 402, 404, 405, 422], ErrorKind::Protocol),
            ("Brand.New", &[401], ErrorKind::Unauthenticated),
            ("Brand.New", &[403], ErrorKind::PermissionDenied),
            ("Brand.New", &[409], ErrorKind::Conflict),
            ("Brand.New", &[500], ErrorKind::Unavailable),
        ] {
            for status in statuses {
                let error = classify(&json(*status, code));
                assert_eq!(error.kind(), kind, "{code} {status}");
                assert_eq!((error.code(), error.request_id()), (Some(code), Some("R-1")));
            }
        }
    }

    #[test]
    fn xml_and_lower_case_json_errors_are_understood() {
        let xml = "<?xml version='1.0' encoding='UTF-8'?><Error><RequestId>R-2</RequestId>\
            <HostId>live.aliyuncs.com</HostId><Code>InvalidConfig.NotFound</Code>\
            <Message>Config &lt;x&gt; does not exist.</Message></Error>";
        let error = classify(&answer(404, xml));
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!((error.message(), error.request_id()), ("Config <x> does not exist.", Some("R-2")));
        let error = classify(&answer(400, r#"{"code":"Throttling","message":"slow","requestId":"R-3"}"#));
        assert_eq!((error.kind(), error.request_id()), (ErrorKind::Throttled, Some("R-3")));
    }

    #[test]
    fn what_is_not_the_vendors_says_so_and_is_judged_by_few_statuses() {
        let error = classify(&answer(502, "<html><body>Bad Gateway</body></html>"));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().starts_with("answered 502 with 37 bytes of"), "{error}");
        assert_eq!(
            classify(&answer(503, "")).message(),
            "answered 503 with an empty body instead of a JSON or XML error"
        );
        for (status, kind) in [
            (404, ErrorKind::Protocol),
            (403, ErrorKind::Protocol),
            (302, ErrorKind::Protocol),
            (429, ErrorKind::Throttled),
            (500, ErrorKind::Unavailable),
        ] {
            assert_eq!(classify(&answer(status, r#"{"Message":"no code"}"#)).kind(), kind, "{status}");
        }
    }

    #[test]
    fn any_refusal_of_a_value_may_be_for_the_empty_url_unless_it_names_another() {
        for (code, expected) in [
            ("InvalidOnDemandUrl.Malformed", true),
            ("MissingOnDemandUrl", true),
            ("MissingParameter", true),
            ("InvalidParameter", true),
            ("InvalidUrl.Empty", true),
            ("Brand.New", true),
            ("not a word", true),
            ("InvalidNotifyUrl.Malformed", false),
            ("InvalidProtocol.NeedSsl", false),
            ("MissingNotifyUrl", false),
            ("MissingSecurityToken", false),
            ("InvalidConfig.NotFound", false),
            ("Forbidden", false),
            ("InvalidAction.NotFound", false),
        ] {
            let error = classify(&json(400, code)).with_status(400);
            assert_eq!(empty_refused(&error), expected, "{code}");
        }
    }

    #[test]
    fn the_echoed_string_to_sign_stays_out() {
        let body = r#"{"Code":"SignatureDoesNotMatch","Message":"Specified signature is not matched with our calculation. server string to sign is:POST&%2F&NotifyAuthKey%3Ds3cr3t"}"#;
        let error = classify(&answer(400, body));
        assert!(!format!("{error} {error:?}").contains("s3cr3t"));
        assert_eq!(error.message(), "Specified signature is not matched with our calculation.");
    }

    #[test]
    fn a_key_that_looks_like_another_clouds_is_said_to_if_nobody_knows_it() {
        let message = |code: &str, foreign| classify_for(&json(404, code), foreign).message().to_owned();
        let unknown = "InvalidAccessKeyId.NotFound";
        assert_eq!(message(unknown, true), "the access key looks like one of Huawei Cloud: M.");
        for (code, foreign) in [(unknown, false), ("SignatureDoesNotMatch", true)] {
            assert_eq!(message(code, foreign), "M.", "{code}");
        }
        assert_eq!(classify_for(&json(404, unknown), true).kind(), ErrorKind::Unauthenticated);
    }

    #[test]
    fn the_gateways_wait_is_in_milliseconds() {
        let mut throttled = json(400, "Throttling.User");
        throttled.headers.insert("x-acs-retry-after", HeaderValue::from_static("1500"));
        assert_eq!(classify(&throttled).retry_after(), Some(Duration::from_millis(1500)));
    }
}
