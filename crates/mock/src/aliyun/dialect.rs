//! Where the vendor's pages leave a question open, the mock can take either side.

use crate::delivery::RetrySignature;

/// The reading of Aliyun's documentation a mock follows. No answer here was checked against the real service.
///
/// Fields are added as more questions come up: construct it with `..Default::default()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliyunDialect {
    /// How does `DescribeLiveRecordNotifyConfig` write booleans? The pages declare booleans, print `"false"` as text
    /// in one example and give `yes`/`no` as the values of `NotifyReqAuth` elsewhere.
    pub boolean_answers: BooleanAnswers,
    /// How many minutes may a request's timestamp be off? The error pages say 15, a newer page on signatures says 31.
    pub timestamp_window_minutes: u32,
    /// Which host does a callback's signature cover? The page says the host of the callback URL and does not mention
    /// ports.
    pub signed_host: SignedHost,
    /// What is a callback signed with that is sent again?
    pub retry_signature: RetrySignature,
    /// Does the question whether to record carry the signature of callbacks? The page's example has none.
    pub on_demand_signed: bool,
}

impl Default for AliyunDialect {
    fn default() -> Self {
        Self {
            boolean_answers: BooleanAnswers::Bool,
            timestamp_window_minutes: 15,
            signed_host: SignedHost::WithoutPort,
            retry_signature: RetrySignature::Kept,
            on_demand_signed: false,
        }
    }
}

/// How `NeedStatusNotify` and `NotifyReqAuth` are written in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BooleanAnswers {
    /// As JSON booleans.
    Bool,
    /// As the texts `"true"` and `"false"`.
    TrueFalseText,
    /// As the texts `"yes"` and `"no"`.
    YesNo,
}

/// Which form of a callback URL's host is signed. It is in lower case either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedHost {
    /// `cb.example.com`.
    WithoutPort,
    /// `cb.example.com:8443`; a default port is not part of it.
    WithPort,
}
