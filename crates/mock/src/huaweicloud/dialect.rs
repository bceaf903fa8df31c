//! Where the vendor's pages leave a question open, the mock can take either side.

use crate::delivery::RetrySignature;

/// The reading of Huawei Cloud's documentation a mock follows. No answer here was checked against the real service.
///
/// Fields are added as more questions come up: construct it with `..Default::default()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HuaweicloudDialect {
    /// What does a successful create answer? Current pages show the whole object; those of 2021 show none, and early
    /// clients had to list to learn the id.
    pub create_answer: CreateAnswer,
    /// What may exist only once? The pages set no limit; matching prefers an exact app, which speaks for several
    /// configurations of a domain, while the Terraform provider documents one for each domain.
    pub uniqueness: Uniqueness,
    /// Do answers contain `key`? The response schema has no such field; examples of 2021 do.
    pub key_in_answers: bool,
    /// What becomes of `on_demand_callback_url`? Only pages of 2021 have it; later ones do not mention it.
    pub on_demand_url: OnDemandUrl,
    /// Is `RECORD_START` an event to subscribe to? The console offers it and a FAQ uses it; the API pages do not
    /// list it.
    pub record_start: RecordStart,
    /// May a callback URL have a query? The console says no; the API pages say nothing.
    pub url_query: UrlQuery,
    /// Which JSON type has a callback's `auth_timestamp`? Samples of 2021 show text, later ones a number.
    pub auth_timestamp: AuthTimestamp,
    /// How many seconds after sending does `auth_timestamp` lie? The text calls it the moment the signature expires,
    /// without a lifetime; in the samples it is the moment of sending.
    pub auth_lifetime_seconds: u32,
    /// What stands in an HMAC for `download_url` and `play_url` when a callback has none?
    pub absent_urls: AbsentUrls,
    /// What is a callback signed with that is sent again?
    pub retry_signature: RetrySignature,
}

impl Default for HuaweicloudDialect {
    fn default() -> Self {
        Self {
            create_answer: CreateAnswer::Object,
            uniqueness: Uniqueness::PerDomainAndApp,
            key_in_answers: false,
            on_demand_url: OnDemandUrl::Kept,
            record_start: RecordStart::Accepted,
            url_query: UrlQuery::Accepted,
            auth_timestamp: AuthTimestamp::Number,
            auth_lifetime_seconds: 0,
            absent_urls: AbsentUrls::Empty,
            retry_signature: RetrySignature::Kept,
        }
    }
}

/// The body of a 201 answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateAnswer {
    /// The whole configuration.
    Object,
    /// An object with nothing but the id.
    IdOnly,
    /// No body.
    Empty,
}

/// What a second configuration must differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    /// In the domain or the app.
    PerDomainAndApp,
    /// In the domain.
    PerDomain,
}

/// The fate of `on_demand_callback_url`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDemandUrl {
    /// Stored and returned.
    Kept,
    /// Accepted without a check and forgotten, like any unknown field.
    Ignored,
}

/// Whether `RECORD_START` can be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordStart {
    /// Like the other four events.
    Accepted,
    /// An invalid parameter.
    Refused,
}

/// Whether a callback URL may contain a question mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlQuery {
    /// Stored as given.
    Accepted,
    /// An invalid parameter.
    Refused,
}

/// The JSON type of `auth_timestamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthTimestamp {
    /// `1583676745`.
    Number,
    /// `"1583676745"`.
    Text,
}

/// What a callback without a URL is signed with in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsentUrls {
    /// Nothing.
    Empty,
    /// The word `null`.
    Null,
}
