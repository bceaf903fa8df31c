use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};

use crate::error::{Field, InvalidConfig};

const RULE: &str = "a DNS name of at most 255 characters; labels of 1-63 letters, digits and inner hyphens";
/// The dots of internationalised names, RFC 3490 section 3.1.
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];
const MAX_LENGTH: usize = 255;
const MAX_LABEL: usize = 63;

/// A live domain in canonical form: lower case, no trailing dot, IDN as A-labels.
///
/// At most 255 characters; labels of 1–63 letters, digits and inner hyphens.
/// IP addresses and wildcard domains are refused: neither cloud has them as
/// live domains.
///
/// A name a cloud [reported](Self::reported) also knows the cloud's own [spelling](Self::spelling). Two spellings of one
/// name are equal, and nothing but `spelling` shows the difference.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DomainName {
    canonical: String,
    /// The cloud's spelling, if it is another.
    spelling: Option<Box<str>>,
}

impl DomainName {
    /// Checks and canonicalises `text`.
    pub fn new(text: &str) -> Result<Self, InvalidConfig> {
        let refuse = |problem: String| Err(InvalidConfig::new(Field::Domain, problem, RULE));
        let bare = text.strip_suffix(DOTS).unwrap_or(text);
        if bare.is_empty() {
            return refuse("is empty".into());
        }
        if bare.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return refuse("contains whitespace or a control character".into());
        }
        let Ok(ascii) = Uts46::new().to_ascii(
            bare.as_bytes(),
            AsciiDenyList::EMPTY,
            Hyphens::CheckFirstLast,
            DnsLength::Ignore,
        ) else {
            return refuse(format!("{} is not a valid (internationalised) name", quoted(text)));
        };
        if ascii.len() > MAX_LENGTH {
            return refuse(format!("has {} characters", ascii.len()));
        }
        for label in ascii.split('.') {
            if label.is_empty() {
                return refuse(format!("{} has an empty label", quoted(text)));
            }
            if label.len() > MAX_LABEL {
                return refuse(format!("label {} has {} characters", quoted(label), label.len()));
            }
            if let Some(bad) = label.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '-')) {
                return refuse(format!("label {} contains `{bad}`", quoted(label)));
            }
        }
        if ascii.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
            return refuse(format!("{} is an IP address or ends in a number", quoted(text)));
        }
        Ok(Self { canonical: ascii.into_owned(), spelling: None })
    }

    /// Takes a name as a cloud reports it, even one that [`DomainName::new`] would refuse,
    /// so that whatever is stored can be listed and deleted.
    pub fn reported(text: &str) -> Self {
        let canonical = Self::new(text).map_or_else(|_| nearly_canonical(text), |name| name.canonical);
        let spelling = (canonical != text).then(|| text.into());
        Self { canonical, spelling }
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.canonical
    }

    /// The text by which the cloud that reported the name knows it: what it has to be asked with, for it may compare
    /// names letter by letter. The canonical text if nobody reported another.
    pub fn spelling(&self) -> &str {
        self.spelling.as_deref().unwrap_or(&self.canonical)
    }
}

/// The canonical form of a name that breaks our rule, as far as one can be told.
fn nearly_canonical(text: &str) -> String {
    let bare = text.strip_suffix(DOTS).unwrap_or(text);
    let ascii =
        Uts46::new().to_ascii(bare.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore);
    ascii.map_or_else(|_| bare.to_lowercase(), std::borrow::Cow::into_owned)
}

/// Quotes `text` for an error message, cut to a readable length.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_LABEL + 1) {
        Some((cut, _)) => format!("`{}…`", &text[..cut]),
        None => format!("`{text}`"),
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DomainName").field(&self.spelling()).finish()
    }
}

impl PartialEq for DomainName {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for DomainName {}

impl PartialOrd for DomainName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DomainName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.canonical.cmp(&other.canonical)
    }
}

impl Hash for DomainName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical.hash(state);
    }
}

impl FromStr for DomainName {
    type Err = InvalidConfig;

    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        Self::new(text)
    }
}

impl TryFrom<String> for DomainName {
    type Error = InvalidConfig;

    fn try_from(text: String) -> Result<Self, InvalidConfig> {
        Self::new(&text)
    }
}

impl From<DomainName> for String {
    fn from(domain: DomainName) -> Self {
        domain.canonical
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_form_is_lower_case_without_the_dot_and_with_a_labels() {
        for (given, canonical) in [
            ("Live.EXAMPLE.com", "live.example.com"),
            ("live.example.com.", "live.example.com"),
            ("直播.example.com", "xn--z6ut02b.example.com"),
            ("直播。example。com。", "xn--z6ut02b.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("a-b.c0m", "a-b.c0m"),
        ] {
            assert_eq!(DomainName::new(given).unwrap().as_str(), canonical, "{given}");
        }
    }

    #[test]
    fn refusals_name_the_field_the_problem_and_the_rule() {
        let long_label = "a".repeat(64);
        let long_name = format!("{}.com", vec!["a".repeat(63); 4].join("."));
        for (given, problem) in [
            ("", "is empty"),
            (".", "is empty"),
            ("live example.com", "whitespace"),
            ("live\u{7f}.example.com", "control character"),
            ("live..example.com", "empty label"),
            ("*.example.com", "contains `*`"),
            ("live_1.example.com", "contains `_`"),
            ("https://live.example.com", "contains `:`"),
            ("-live.example.com", "not a valid"),
            ("live-.example.com", "not a valid"),
            ("10.0.0.1", "IP address"),
            (long_label.as_str(), "64 characters"),
            (long_name.as_str(), "259 characters"),
        ] {
            let error = DomainName::new(given).unwrap_err().to_string();
            assert!(error.starts_with("domain: "), "{given}: {error}");
            assert!(error.contains(problem), "{given}: {error}");
            assert!(error.ends_with(&format!("(rule: {RULE})")), "{given}: {error}");
        }
    }

    #[test]
    fn what_a_cloud_reports_is_kept_even_when_the_rule_refuses_it() {
        assert_eq!(DomainName::reported("Push_1.example.com").as_str(), "push_1.example.com");
        assert_eq!(DomainName::reported("Push_1.example.com.").as_str(), "push_1.example.com");
        assert_eq!(DomainName::reported("直播_1.example.com").as_str(), "xn--_1-f26dl28d.example.com");
    }

    #[test]
    fn two_spellings_are_one_name_and_the_clouds_is_kept() {
        for (reported, canonical) in [
            ("PUSH.Example.com", "push.example.com"),
            ("push.example.com.", "push.example.com"),
            ("直播.example.com", "xn--z6ut02b.example.com"),
            ("XN--Z6UT02B.example.com", "直播.example.com"),
        ] {
            let (reported, name) = (DomainName::reported(reported), DomainName::new(canonical).unwrap());
            assert_eq!(reported, name);
            assert_eq!(std::collections::HashSet::from([reported.clone(), name.clone()]).len(), 1);
            assert_eq!(reported.to_string(), name.to_string());
            assert_ne!(reported.spelling(), name.spelling());
            assert_eq!(name.spelling(), name.as_str());
        }
        assert_eq!(DomainName::reported("PUSH.example.com.").spelling(), "PUSH.example.com.");
    }
}
