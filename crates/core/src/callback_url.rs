use std::fmt;

use serde::{Serialize, Serializer};
use url::Url;

use crate::error::{Field, InvalidConfig};
use crate::text::without_query;

const RULE: &str = "an absolute http or https URL with a host, no user info, no whitespace";

/// A callback URL, kept exactly as written.
///
/// Absolute `http` or `https` with a host; no user info, whitespace or control
/// characters. The text is not normalised, so what was configured compares
/// equal to what a cloud stored.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CallbackUrl(String);

impl CallbackUrl {
    /// Checks `text`; an error names `field`.
    pub fn new(field: Field, text: &str) -> Result<Self, InvalidConfig> {
        // The URL itself stays out of the message: its query may hold a secret.
        let refuse = |problem: String| Err(InvalidConfig::new(field, problem, RULE));
        if text.is_empty() {
            return refuse("is empty".into());
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return refuse("contains whitespace or a control character".into());
        }
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(url::ParseError::EmptyHost) => return refuse("has no host".into()),
            Err(error) => return refuse(format!("is not a URL: {error}")),
        };
        if !matches!(url.scheme(), "http" | "https") {
            return refuse(format!("the scheme is `{}`", url.scheme()));
        }
        // The parser repairs `http:host` and `http:///host`; the clouds check the prefix as written.
        let prefix = format!("{}://", url.scheme());
        let Some(rest) = text.strip_prefix(&prefix) else {
            return refuse(format!("does not start with `{prefix}`"));
        };
        if rest.starts_with(['/', '\\', '?', '#']) {
            return refuse("has no host".into());
        }
        let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return refuse("contains user info".into());
        }
        Ok(Self(text.to_owned()))
    }

    /// The URL as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL as messages show it: a query may hold a secret.
    pub fn without_query(&self) -> String {
        without_query(&self.0)
    }
}

impl Serialize for CallbackUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Without the query, which may hold a secret.
impl fmt::Debug for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallbackUrl").field(&self.without_query()).finish()
    }
}

impl fmt::Display for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_kept_as_written() {
        for text in
            ["http://cb.example.com", "https://CB.example.com:8443/录制?a=1&b=%2F#x", "http://[::1]:80/n"]
        {
            assert_eq!(CallbackUrl::new(Field::NotifyUrl, text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn refusals_name_field_and_problem_but_not_the_url() {
        for (text, problem) in [
            ("", "is empty"),
            ("cb.example.com/hook", "is not a URL"),
            ("ftp://cb.example.com", "the scheme is `ftp`"),
            ("http://", "has no host"),
            ("https:///path", "has no host"),
            ("http://?x=cb.example.com", "has no host"),
            ("HTTP://cb.example.com", "does not start with `http://`"),
            ("http:cb.example.com", "does not start with `http://`"),
            ("http://user:s3cr3t@cb.example.com", "contains user info"),
            ("http://@cb.example.com", "contains user info"),
            ("http://cb.example.com/a b", "whitespace"),
            (" http://cb.example.com", "whitespace"),
            ("http://cb.example.com/\u{0}", "control character"),
        ] {
            let error = CallbackUrl::new(Field::OnDemandUrl, text).unwrap_err().to_string();
            assert!(error.starts_with("on_demand_url: "), "{text}: {error}");
            assert!(error.contains(problem), "{text}: {error}");
            assert!(!error.contains("s3cr3t"), "{error}");
        }
    }
}
