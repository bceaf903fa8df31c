//! What a doctor finds out about the way to a cloud, whichever cloud it is.

use std::error::Error as _;
use std::fmt;

use jiff::SignedDuration;
use record_callback_core::text::one_line;
use record_callback_core::{AccountId, Error, ErrorKind, Result};
use serde::Serialize;

use crate::credential::{AccessKey, Miss, SourceReport};
use crate::endpoint::Endpoint;
use crate::pipeline::Reached;

/// Clouds refuse requests whose time differs by more.
const REFUSED_BEYOND: SignedDuration = SignedDuration::from_mins(15);
/// An answer's `Date` is in seconds, and the answer took its time.
const NEGLIGIBLE: SignedDuration = SignedDuration::from_secs(5);

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Check {
    /// The settings, before anybody is asked.
    Config,
    /// One source of credentials.
    Credentials,
    /// Whether an address answers.
    Endpoint,
    /// This machine's clock against the cloud's.
    Clock,
    /// The account the credentials are of.
    Account,
    /// The project calls are made in.
    Project,
    /// Whether the caller may use an operation.
    Permission,
    /// Whether a domain is of the kind callbacks are configured for.
    Domain,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// All is well.
    Ok,
    /// Nothing speaks against it, and nothing is proven.
    Open,
    /// It works, and should not stay so.
    Warning,
    /// It does not work.
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One thing that was found. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// Which of them: a source, an address, an operation, a domain.
    pub subject: String,
    /// What was found.
    pub verdict: Verdict,
    /// The same in words.
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    /// A finding without advice.
    pub fn new(
        check: Check,
        subject: impl Into<String>,
        verdict: Verdict,
        detail: impl Into<String>,
    ) -> Self {
        let [subject, detail] =
            [subject.into(), detail.into()].map(|text: String| one_line(&text).into_owned());
        Self { check, subject, verdict, detail, advice: None }
    }

    /// Something that went wrong, with what can be done about errors of its kind.
    pub fn failed(check: Check, subject: impl Into<String>, error: &Error) -> Self {
        let advice = match error.kind() {
            // Nothing a doctor asks for has to be looked after.
            ErrorKind::Timeout => ErrorKind::Unavailable.hint(),
            _ => error.hint(),
        };
        Self::new(check, subject, Verdict::Failed, with_causes(error)).advise(advice)
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// An error and what it is because of.
fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(because) = cause {
        text = format!("{text}: {because}");
        cause = because.source();
    }
    text
}

/// What the sources of credentials said: the one that has a key is well, and those that fail before it are not.
pub fn credentials(
    reports: Vec<SourceReport>,
    elsewhere: impl Fn(&AccessKey) -> Option<String>,
) -> Vec<Finding> {
    let found = reports.iter().any(|report| matches!(report.result, Some(Ok(_))));
    let refused = reports.iter().any(|report| matches!(report.result, Some(Err(Miss::Refused(_)))));
    let one = |SourceReport { name, result }| match result {
        None if !found => Finding::new(
            Check::Credentials,
            name,
            Verdict::Open,
            "was not asked: the source before it was chosen",
        ),
        None => {
            Finding::new(Check::Credentials, name, Verdict::Open, "was not asked: the key before it is used")
        }
        Some(Ok(key)) => match elsewhere(&key) {
            // By its looks only.
            Some(problem) => {
                Finding::new(Check::Credentials, name, Verdict::Warning, described(&key)).advise(problem)
            }
            None => Finding::new(Check::Credentials, name, Verdict::Ok, described(&key)),
        },
        Some(Err(Miss::NotConfigured(what))) => Finding::new(Check::Credentials, name, Verdict::Open, what),
        Some(Err(Miss::Failed(error))) if found => {
            Finding::new(Check::Credentials, name, Verdict::Warning, error.to_string())
                .advise("mend it or take it away: a later source is used, maybe of another account")
        }
        Some(Err(Miss::Failed(error) | Miss::Refused(error))) => {
            Finding::failed(Check::Credentials, name, &error)
        }
    };
    let mut findings: Vec<_> = reports.into_iter().map(one).collect();
    if !found {
        let none =
            Finding::new(Check::Credentials, "all sources", Verdict::Failed, "no credentials were found");
        findings.push(none.advise(if refused {
            "mend the source that was chosen, or the choice: nobody stands in for it"
        } else {
            "set one of the sources above up"
        }));
    }
    findings
}

/// A key, without its secrets.
fn described(key: &AccessKey) -> String {
    let kind = if key.expose_security_token().is_some() { "temporary" } else { "permanent" };
    let origin = key.origin().map(|origin| format!(" from {origin}")).unwrap_or_default();
    let end = key.expires_at().map(|end| format!(", until {end:.0}")).unwrap_or_default();
    format!("{kind} access key {}{origin}{end}", key.id())
}

/// Whether an address answered, and what it says of the time.
pub fn endpoint(endpoint: &Endpoint, reached: Result<Reached>) -> Vec<Finding> {
    let subject = endpoint.url().origin().ascii_serialization();
    let reached = match reached {
        Ok(reached) => reached,
        Err(error) => return vec![Finding::failed(Check::Endpoint, subject, &error)],
    };
    let way = if endpoint.url().scheme() == "https" { "over TLS" } else { "without TLS" };
    let detail = format!("answered {way} (HTTP status {})", reached.status.as_u16());
    let advice = match reached.status {
        status if status.is_server_error() => {
            Some("who answers fails: the cloud, or something on the way to it")
        }
        _ if endpoint.is_out_of_reach() => None,
        _ => Some("use https: who is on the way reads signing keys, and changes answers"),
    };
    let answered = match advice {
        Some(advice) => {
            Finding::new(Check::Endpoint, subject.clone(), Verdict::Warning, detail).advise(advice)
        }
        None => Finding::new(Check::Endpoint, subject.clone(), Verdict::Ok, detail),
    };
    vec![answered, clock(subject, reached.ahead, endpoint.is_out_of_reach())]
}

/// `learns`: requests that are refused for their time are sent again with the cloud's.
fn clock(subject: String, ahead: Option<SignedDuration>, learns: bool) -> Finding {
    let Some(ahead) = ahead else {
        let detail = "the cloud does not say its time";
        return Finding::new(Check::Clock, subject, Verdict::Open, detail);
    };
    let seconds = ahead.as_secs().unsigned_abs();
    let detail = match ahead {
        _ if ahead.abs() <= NEGLIGIBLE => "this machine's clock agrees with the cloud's".to_owned(),
        ahead if ahead.is_negative() => format!("this machine's clock is {seconds} s ahead of the cloud's"),
        _ => format!("this machine's clock is {seconds} s behind the cloud's"),
    };
    match ahead.abs() {
        difference if difference <= SignedDuration::from_mins(1) => {
            Finding::new(Check::Clock, subject, Verdict::Ok, detail)
        }
        difference if difference <= REFUSED_BEYOND => {
            Finding::new(Check::Clock, subject, Verdict::Warning, detail)
                .advise("set the clock: beyond 15 minutes, clouds refuse what is signed by it")
        }
        _ if learns => Finding::new(Check::Clock, subject, Verdict::Warning, detail)
            .advise("set the clock: the first request of each process is refused, and signed again by the cloud's time"),
        _ => Finding::new(Check::Clock, subject, Verdict::Failed, detail)
            .advise("set the clock: what is signed by it is refused"),
    }
}

/// Whose account the credentials are of. That nobody can tell stands in nobody's way.
pub fn account(learnt: Result<Option<AccountId>>) -> Finding {
    let subject = "account";
    match learnt {
        Ok(Some(account)) => {
            Finding::new(Check::Account, account.as_str(), Verdict::Ok, "is the account of the credentials")
        }
        Ok(None) => {
            Finding::new(Check::Account, subject, Verdict::Open, "nobody can tell whose the credentials are")
        }
        Err(error) => {
            let failed = Finding::failed(Check::Account, subject, &error);
            Finding { verdict: Verdict::Warning, ..failed }
                .advise("see to it if fleets are to refuse the credentials of another account")
        }
    }
}

/// Whether there are a key and an address to go on with.
pub fn may_call(findings: &[Finding]) -> bool {
    let preconditions = [Check::Credentials, Check::Endpoint];
    findings.iter().all(|one| one.verdict != Verdict::Failed || !preconditions.contains(&one.check))
}

/// One operation, tried in a way that changes nothing.
#[derive(Debug)]
pub struct Tried<'a> {
    /// The vendor's name of the operation.
    pub operation: &'static str,
    /// What a policy has to allow for it.
    pub action: &'static str,
    /// What it was tried with, and why that changes nothing.
    pub with: &'a str,
    /// What became of it.
    pub result: Result<()>,
    /// Whether it was tried with what nobody owns, though the right to it can be given for single domains.
    pub of_nobody: bool,
}

impl Tried<'_> {
    /// What that says of the caller's rights. That clouds look at rights before they look at what a call is about is
    /// UNVERIFIED: a refusal for another reason proves nothing.
    pub fn finding(self) -> Finding {
        let Self { operation, action, with, result, of_nobody } = self;
        let new = |verdict, detail| Finding::new(Check::Permission, operation, verdict, detail);
        match result {
            Ok(()) => new(Verdict::Ok, format!("allowed, tried with {with}")),
            Err(error) if error.kind() == ErrorKind::PermissionDenied && of_nobody => {
                new(Verdict::Warning, format!("denied, tried with {with}: {error}"))
                    .advise(format!("allow {action}, unless it is allowed for single domains"))
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                new(Verdict::Failed, format!("denied, tried with {with}: {error}"))
                    .advise(format!("allow {action}"))
            }
            Err(error) if is_about_the_call(&error) => {
                let code = error.code().map_or_else(|| error.kind().to_string(), ToOwned::to_owned);
                new(Verdict::Open, format!("not denied, tried with {with}: {code}"))
            }
            Err(error) => Finding::failed(Check::Permission, operation, &error),
        }
    }
}

impl Tried<'_> {
    /// Whether the other operations would say the same: the cloud does not know the caller, or does not answer.
    pub fn says_it_all(&self) -> bool {
        let kinds = [ErrorKind::Unauthenticated, ErrorKind::Unavailable, ErrorKind::Timeout];
        self.result.as_ref().is_err_and(|error| kinds.contains(&error.kind()))
    }
}

/// Whether the cloud refused what a call was about, knowing who called.
fn is_about_the_call(error: &Error) -> bool {
    let kinds = [
        ErrorKind::InvalidConfig,
        ErrorKind::NotFound,
        ErrorKind::DomainNotFound,
        ErrorKind::AlreadyExists,
        ErrorKind::Conflict,
    ];
    error.status().is_some() && kinds.contains(&error.kind())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use reqwest::StatusCode;

    use super::*;

    fn report(name: &str, result: Result<AccessKey, Miss>) -> SourceReport {
        SourceReport { name: name.into(), result: Some(result.map(Arc::new)) }
    }

    fn nothing() -> Result<AccessKey, Miss> {
        Err(Miss::NotConfigured("is not set".into()))
    }

    fn broken() -> Result<AccessKey, Miss> {
        Err(Miss::Failed(Error::new(ErrorKind::Unauthenticated, "is broken")))
    }

    fn verdicts(findings: &[Finding]) -> Vec<Verdict> {
        findings.iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn a_source_that_fails_is_a_warning_only_while_another_has_a_key() {
        use Verdict::{Failed, Ok as Well, Open, Warning};
        let key = || {
            let key = AccessKey::new("ak", "s3cr3t").with_security_token("t0ken").from_origin("a file");
            Ok(key.with_expiry("2026-01-02T03:04:05.5Z".parse().unwrap()))
        };
        let nowhere = |_: &AccessKey| None;
        let last = SourceReport { name: "d".into(), result: None };
        let reports = vec![report("a", nothing()), report("b", broken()), report("c", key()), last];
        let findings = credentials(reports, nowhere);
        assert_eq!(verdicts(&findings), [Open, Warning, Well, Open]);
        assert_eq!(findings[2].detail, "temporary access key ak from a file, until 2026-01-02T03:04:05Z");
        assert!(!format!("{findings:?}").contains("s3cr3t") && !format!("{findings:?}").contains("t0ken"));

        let findings = credentials(vec![report("a", nothing()), report("b", broken())], nowhere);
        assert_eq!(verdicts(&findings), [Open, Failed, Failed]);

        let last = SourceReport { name: "d".into(), result: None };
        let refused = Err(Miss::Refused(Error::new(ErrorKind::Unauthenticated, "cannot be had")));
        let findings = credentials(vec![report("a", nothing()), report("b", refused), last], nowhere);
        assert_eq!(verdicts(&findings), [Open, Failed, Open, Failed]);
        assert_eq!(findings[2].detail, "was not asked: the source before it was chosen");
        assert!(findings[3].advice.as_deref().unwrap().ends_with("nobody stands in for it"));

        let findings = credentials(vec![report("a", key())], |key| Some(format!("{} is strange", key.id())));
        assert_eq!(verdicts(&findings), [Warning]);
        assert!(may_call(&findings));
        assert_eq!(findings[0].advice.as_deref(), Some("ak is strange"));
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let finding = Finding::new(Check::Config, "a\u{1b}[31m", Verdict::Ok, "one\ntwo é");
        assert_eq!((finding.subject.as_str(), finding.detail.as_str()), ("a\\u{1b}[31m", "one\\ntwo é"));
    }

    #[test]
    fn a_clock_is_judged_by_what_clouds_refuse() {
        for (ahead, verdict, words) in [
            (Some(3), Verdict::Ok, "agrees"),
            (Some(-30), Verdict::Ok, "30 s ahead of"),
            (Some(120), Verdict::Warning, "120 s behind"),
            (Some(86_400), Verdict::Warning, "86400 s behind"),
            (None, Verdict::Open, "does not say"),
        ] {
            let finding = clock("cloud".into(), ahead.map(SignedDuration::from_secs), true);
            assert_eq!(finding.verdict, verdict, "{finding:?}");
            assert!(finding.detail.contains(words), "{finding:?}");
            assert_eq!(finding.advice.is_some(), verdict == Verdict::Warning);
        }
        let finding = clock("cloud".into(), Some(SignedDuration::from_mins(20)), false);
        assert_eq!(finding.verdict, Verdict::Failed);
    }

    #[test]
    fn an_account_that_is_not_known_is_no_failure() {
        let known = account(Ok(Some(AccountId::new("1234567890123456").unwrap())));
        assert_eq!((known.verdict, known.subject.as_str()), (Verdict::Ok, "1234567890123456"));
        assert_eq!(account(Ok(None)).verdict, Verdict::Open);
        let unknown = account(Err(Error::new(ErrorKind::Unavailable, "no connection")));
        assert_eq!((unknown.verdict, unknown.check), (Verdict::Warning, Check::Account));
        assert!(unknown.detail.contains("no connection"), "{unknown:?}");
    }

    #[test]
    fn plain_http_to_another_machine_and_servers_that_fail_are_warnings() {
        for (address, status, verdict) in [
            ("https://live.example.com", StatusCode::NOT_FOUND, Verdict::Ok),
            ("https://live.example.com", StatusCode::BAD_GATEWAY, Verdict::Warning),
            ("http://127.0.0.1:1", StatusCode::NOT_FOUND, Verdict::Ok),
            ("http://live.example.com", StatusCode::NOT_FOUND, Verdict::Warning),
        ] {
            let address = Endpoint::parse("endpoint", address, true).unwrap();
            assert_eq!(endpoint(&address, Ok(Reached { status, ahead: None }))[0].verdict, verdict);
        }
        let address = Endpoint::parse("endpoint", "live.example.com", true).unwrap();
        let failed = endpoint(&address, Err(Error::new(ErrorKind::Unavailable, "no connection")));
        assert_eq!(verdicts(&failed), [Verdict::Failed]);
    }

    #[test]
    fn a_refusal_proves_a_right_is_missing_only_if_it_says_so() {
        let tried = |result| {
            let (operation, action, with) = ("Delete", "live:Delete", "nothing");
            let tried = Tried { operation, action, with, result, of_nobody: false };
            let finding = tried.finding();
            (finding.verdict, finding.advice)
        };
        let refused = |kind| Err(Error::new(kind, "refused").with_status(400).with_code("Code"));
        assert_eq!(tried(Ok(())), (Verdict::Ok, None));
        assert_eq!(tried(refused(ErrorKind::NotFound)), (Verdict::Open, None));
        assert_eq!(tried(refused(ErrorKind::InvalidConfig)), (Verdict::Open, None));
        let allow = Some("allow live:Delete".to_owned());
        assert_eq!(tried(refused(ErrorKind::PermissionDenied)), (Verdict::Failed, allow));
        assert_eq!(tried(refused(ErrorKind::Unauthenticated)).0, Verdict::Failed);
        assert_eq!(tried(Err(Error::new(ErrorKind::InvalidConfig, "not sent"))).0, Verdict::Failed);
    }
}
