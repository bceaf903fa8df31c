use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::fidelity::Deviation;
use crate::provider::Vendor;
use crate::stored::Difference;
use crate::text::one_line;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A field of the model, in the spelling of configs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Field {
    /// `domain`
    Domain,
    /// `app`
    App,
    /// `notify_url`
    NotifyUrl,
    /// `on_demand_url`
    OnDemandUrl,
    /// `events`
    Events,
    /// `signing`: whether and with which scheme
    Signing,
    /// `signing.key`
    SigningKey,
}

impl Field {
    const ALL: [Self; 7] = [
        Self::Domain,
        Self::App,
        Self::NotifyUrl,
        Self::OnDemandUrl,
        Self::Events,
        Self::Signing,
        Self::SigningKey,
    ];

    /// The field as configs spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::App => "app",
            Self::NotifyUrl => "notify_url",
            Self::OnDemandUrl => "on_demand_url",
            Self::Events => "events",
            Self::Signing => "signing",
            Self::SigningKey => "signing.key",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Field {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Field {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let unknown = || serde::de::Error::custom(format!("`{text}` is not a field"));
        Self::ALL.into_iter().find(|field| field.as_str() == text).ok_or_else(unknown)
    }
}

impl From<Field> for &'static str {
    fn from(field: Field) -> Self {
        field.as_str()
    }
}

/// Input refused before any call: which field, what is wrong with it, what the rule is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem} (rule: {rule})")]
pub struct InvalidConfig {
    field: &'static str,
    problem: String,
    rule: String,
}

impl InvalidConfig {
    /// A refusal of `field`. `problem` must not contain a secret; control characters in the texts are escaped.
    pub fn new(field: impl Into<&'static str>, problem: impl Into<String>, rule: impl Into<String>) -> Self {
        let escaped = |text: String| one_line(&text).into_owned();
        Self { field: field.into(), problem: escaped(problem.into()), rule: escaped(rule.into()) }
    }

    /// The refused field, as configs spell it.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What is wrong with the value.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What a value must look like.
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

/// What went wrong, by what a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value is refused, by us before any call or by the cloud. Correct it.
    InvalidConfig,
    /// The vendor cannot do what was asked. Ask for less, or accept the listed deviations.
    Unsupported,
    /// The config does not exist. Create it.
    NotFound,
    /// The account has no such domain, so that nobody can tell about its configs. Check the spelling, and whose keys
    /// these are.
    DomainNotFound,
    /// There is a config for this domain and app already. Update it.
    AlreadyExists,
    /// The state of something stands against the call, and the cloud does not say in documented words what. Look at what is
    /// there.
    Conflict,
    /// The cloud does not know the caller: key, signature, token or clock is wrong. Check the credentials.
    Unauthenticated,
    /// The caller is known but may not do this. Grant the permission.
    PermissionDenied,
    /// Too many calls, and waiting as told did not help. Slow down or raise the quota.
    Throttled,
    /// The cloud, or the way to it, failed. Try again later.
    Unavailable,
    /// No answer within the deadline. Read back before deciding: the call may have been carried out.
    Timeout,
    /// The cloud accepted a write but does not show all of it. See [`Error::differences`].
    NotApplied,
    /// The answer makes no sense, or has a code nobody documented. Report it, with the request id.
    Protocol,
}

impl ErrorKind {
    /// What the person who gets this error can do.
    pub fn hint(self) -> &'static str {
        match self {
            Self::InvalidConfig => "correct the value and run again",
            Self::Unsupported => "ask for what this vendor offers",
            Self::NotFound => "check the domain and the app, or create the config first",
            Self::DomainNotFound => "check the spelling of the domain, and whose account the keys are of",
            Self::AlreadyExists => "update the existing config, or delete it first",
            Self::Conflict => "look at what is there and at who else changes it, then try again",
            Self::Unauthenticated => "check access key, secret, token and this machine's clock",
            Self::PermissionDenied => "grant the account the permission for this operation",
            Self::Throttled => "make fewer calls at a time, or ask the vendor for a larger quota",
            Self::Unavailable => "check the network and the endpoint, then try again",
            Self::Timeout => "read the config back before trying again: the call may have been carried out",
            Self::NotApplied => {
                "the cloud ignored part of the config; compare what it stores with what was asked"
            }
            Self::Protocol => {
                "the endpoint answered something unexpected; check that it is the vendor's, and look up the code if it gave one"
            }
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidConfig => "invalid config",
            Self::Unsupported => "unsupported",
            Self::NotFound => "not found",
            Self::DomainNotFound => "domain not found",
            Self::AlreadyExists => "already exists",
            Self::Conflict => "conflict",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission denied",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timed out",
            Self::NotApplied => "not applied",
            Self::Protocol => "protocol error",
        })
    }
}

/// The error of every operation.
///
/// `Display` is one line, control characters escaped: vendor, operation, domain, message, then kind and what
/// the cloud said (code, status, request id). It does not repeat [`source`](StdError::source), and
/// never contains a secret or a signed URL.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    vendor: Option<Vendor>,
    operation: Option<&'static str>,
    domain: Option<String>,
    code: Option<String>,
    status: Option<u16>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    maybe_applied: bool,
    deviations: Vec<Deviation>,
    differences: Vec<Difference>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`. `message` is lower case, one line, and must not contain a secret.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            vendor: None,
            operation: None,
            domain: None,
            code: None,
            status: None,
            request_id: None,
            retry_after: None,
            maybe_applied: false,
            deviations: Vec::new(),
            differences: Vec::new(),
            source: None,
        }))
    }

    /// Judges the error anew, where more is known than who made it knew.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Adds to the message what may be the reason, or what to do.
    #[must_use]
    pub fn with_advice(mut self, advice: &str) -> Self {
        self.0.message.truncate(self.0.message.trim_end_matches('.').len());
        self.0.message.push_str("; ");
        self.0.message.push_str(advice);
        self
    }

    /// Adds the vendor the error is about, unless one is set already.
    #[must_use]
    pub fn with_vendor(mut self, vendor: Vendor) -> Self {
        self.0.vendor.get_or_insert(vendor);
        self
    }

    /// Adds the vendor's operation that failed, unless one is set already.
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Adds the domain the operation was for, unless one is set already.
    #[must_use]
    pub fn with_domain(mut self, domain: impl Into<String>) -> Self {
        if self.0.domain.is_none() {
            self.0.domain = Some(domain.into());
        }
        self
    }

    /// Adds the vendor's error code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// Adds the HTTP status of the answer.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds the vendor's request id.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<String>) -> Self {
        self.0.request_id = Some(request_id.into());
        self
    }

    /// Adds how long the cloud asked to wait.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Marks that this call, or an earlier attempt of it, may have been carried out.
    #[must_use]
    pub fn with_maybe_applied(mut self) -> Self {
        self.0.maybe_applied = true;
        self
    }

    /// Keeps what is known of earlier attempts: marks the error as [`with_maybe_applied`](Self::with_maybe_applied) does
    /// if `earlier` may have been carried out.
    #[must_use]
    pub fn with_maybe_applied_if(self, earlier: bool) -> Self {
        if earlier { self.with_maybe_applied() } else { self }
    }

    /// Says that the call was not carried out: for what failed before it was made, whatever that was.
    #[must_use]
    pub fn with_nothing_applied(mut self) -> Self {
        self.0.maybe_applied = false;
        self
    }

    /// Adds the deviations that were refused.
    #[must_use]
    pub fn with_deviations(mut self, deviations: Vec<Deviation>) -> Self {
        self.0.deviations = deviations;
        self
    }

    /// Adds what the cloud stores differently from what was asked.
    #[must_use]
    pub fn with_differences(mut self, differences: Vec<Difference>) -> Self {
        self.0.differences = differences;
        self
    }

    /// Adds the cause. Its text must not contain a secret.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Advice for the person who gets this error: [`ErrorKind::hint`], and what else there is in this case.
    pub fn hint(&self) -> &'static str {
        match self.kind() {
            ErrorKind::Unsupported if !self.deviations().is_empty() => {
                "ask for what this vendor offers, or accept the named deviations with a lower fidelity"
            }
            kind => kind.hint(),
        }
    }

    /// The message alone, without context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The vendor, if the error is about one.
    pub fn vendor(&self) -> Option<Vendor> {
        self.0.vendor
    }

    /// The vendor's operation that failed.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The domain the operation was for.
    pub fn domain(&self) -> Option<&str> {
        self.0.domain.as_deref()
    }

    /// The vendor's error code.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// HTTP status of the answer.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The vendor's request id, to quote in a support case.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long the cloud asked to wait before the next call.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether this call, or an earlier attempt of it, may have been carried out although it failed.
    pub fn maybe_applied(&self) -> bool {
        self.0.maybe_applied
    }

    /// What the vendor cannot do, when that is why the call was refused.
    pub fn deviations(&self) -> &[Deviation] {
        &self.0.deviations
    }

    /// What the cloud stores differently, for [`ErrorKind::NotApplied`].
    pub fn differences(&self) -> &[Difference] {
        &self.0.differences
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, message, vendor, operation, domain, code, status, request_id, .. } = &*self.0;
        let context = [vendor.map(Vendor::as_str), *operation, domain.as_deref()];
        let mut separator = "";
        // Domain, message, code and request id may hold what a cloud reported, unchecked.
        for part in context.into_iter().flatten().map(one_line) {
            write!(f, "{separator}{part}")?;
            separator = " ";
        }
        if !separator.is_empty() {
            f.write_str(": ")?;
        }
        write!(f, "{} ({kind}", one_line(message))?;
        if let Some(code) = code.as_deref().map(one_line) {
            write!(f, ", code {code}")?;
        }
        if let Some(status) = status {
            write!(f, ", status {status}")?;
        }
        if let Some(id) = request_id.as_deref().map(one_line) {
            write!(f, ", request id {id}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("vendor", &self.0.vendor)
            .field("operation", &self.0.operation)
            .field("domain", &self.0.domain)
            .field("code", &self.0.code)
            .field("status", &self.0.status)
            .field("request_id", &self.0.request_id)
            .field("maybe_applied", &self.0.maybe_applied)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<InvalidConfig> for Error {
    fn from(invalid: InvalidConfig) -> Self {
        Self::new(ErrorKind::InvalidConfig, invalid.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::AppName;
    use crate::callback_url::CallbackUrl;
    use crate::domain::DomainName;
    use crate::event::EventKind;
    use crate::fidelity::DeviationKind;
    use crate::signing::SigningKey;
    use crate::text::needs_escaping;

    #[test]
    fn display_is_one_line_with_context_and_what_the_cloud_said() {
        let error = Error::new(ErrorKind::NotFound, "config does not exist")
            .with_vendor(Vendor::new("acme"))
            .with_operation("ReadThing")
            .with_domain("live.example.com")
            .with_code("Thing.Missing")
            .with_status(404)
            .with_request_id("R-1")
            .with_source(std::io::Error::other("cause"));
        assert_eq!(
            error.to_string(),
            "acme ReadThing live.example.com: config does not exist \
             (not found, code Thing.Missing, status 404, request id R-1)"
        );
        assert_eq!(error.source().unwrap().to_string(), "cause");
    }

    #[test]
    fn no_refusal_repeats_a_control_character() {
        const BAD: &str = "*.\n\u{1b}[2J\u{85}\u{2028}";
        for text in [BAD.to_owned(), format!("http://{BAD}"), format!("{BAD}://h"), format!("vendor:{BAD}")] {
            for refused in [
                AppName::new(&text).unwrap_err(),
                DomainName::new(&text).unwrap_err(),
                CallbackUrl::new(Field::NotifyUrl, &text).unwrap_err(),
                text.parse::<EventKind>().unwrap_err(),
                SigningKey::new(&text).unwrap_err(),
                InvalidConfig::new(Field::App, &text, &text),
            ] {
                assert!(!refused.problem().contains(needs_escaping), "{refused:?}");
                assert!(!refused.to_string().contains(needs_escaping), "{refused:?}");
            }
        }
    }

    #[test]
    fn display_is_one_line_whatever_the_parts_are() {
        let bad = "a\n\u{1b}[2J\u{2029}";
        let error = Error::new(ErrorKind::NotFound, bad)
            .with_domain(DomainName::reported("a\n\u{1b}[2J.example.com").as_str())
            .with_code(bad)
            .with_request_id(bad);
        assert_eq!(
            error.to_string(),
            r"a\n\u{1b}[2j.example.com: a\n\u{1b}[2J\u{2029} (not found, code a\n\u{1b}[2J\u{2029}, request id a\n\u{1b}[2J\u{2029})"
        );
        assert_eq!((error.message(), error.code()), (bad, Some(bad)));
    }

    #[test]
    fn a_lower_fidelity_is_advised_only_where_it_helps() {
        let refused =
            || Error::new(ErrorKind::Unsupported, "signing dropped: asked for hmac_sha256, gets md5");
        assert!(!refused().hint().contains("fidelity"));
        let deviation = Deviation {
            field: Field::Signing,
            requested: "hmac_sha256".into(),
            effective: "md5".into(),
            kind: DeviationKind::Dropped,
        };
        assert!(refused().with_deviations(vec![deviation]).hint().contains("a lower fidelity"));
    }

    #[test]
    fn context_set_first_stays() {
        let error = Error::new(ErrorKind::Timeout, "no answer")
            .with_operation("inner")
            .with_operation("outer")
            .with_domain("a.example.com")
            .with_domain("b.example.com");
        assert_eq!(error.to_string(), "inner a.example.com: no answer (timed out)");
    }
}
