//! Where the vendor's pages leave a question open, the mock can take any side.

use crate::{delivery::RetrySignature, domain_matching::DomainMatching, field_order::FieldOrder};

mod questions;

/// The reading of Huawei Cloud's documentation a mock follows. No answer here was checked against the real service.
///
/// What speaks for each reading is in [`Dialect::questions`](crate::Dialect::questions). Fields are added as more
/// questions come up: construct it with `..Default::default()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HuaweicloudDialect {
    /// What does a successful create answer?
    pub create_answer: CreateAnswer,
    /// What does a successful update answer?
    pub update_answer: UpdateAnswer,
    /// What becomes of the fields an update leaves out, and what do empty texts mean in one?
    pub omitted_on_update: HuaweicloudOmitted,
    /// What may exist only once?
    pub uniqueness: Uniqueness,
    /// Are names of domains compared letter by letter, in filters, too?
    pub domain_matching: DomainMatching,
    /// Which HTTP status has the refusal of a second one?
    pub duplicate_status: DuplicateStatus,
    /// How are show, update and delete answered for an id that is not there?
    pub missing_id: MissingId,
    /// Does deleting what is not there fail?
    pub delete_of_missing: DeleteOfMissing,
    /// What does the list filter `app=*` find?
    pub app_wildcard_filter: AppWildcardFilter,
    /// In which order are configurations listed?
    pub list_order: ListOrder,
    /// What does a list's `offset` count?
    pub list_offset: ListOffset,
    /// How are `create_time` and `update_time` written?
    pub times: Times,
    /// What do ids of configurations look like? Those that a test stores stay as they are.
    pub ids: ConfigIds,
    /// Do answers contain `key`?
    pub key_in_answers: bool,
    /// What becomes of `on_demand_callback_url`?
    pub on_demand_url: OnDemandUrl,
    /// Is `RECORD_START` an event to subscribe to?
    pub record_start: RecordStart,
    /// May a callback URL have a query?
    pub url_query: UrlQuery,
    /// Does a query have to be encoded on the wire the way it is signed?
    pub query_on_wire: QueryOnWire,
    /// The answer for a project that is in another account.
    pub foreign_project: ForeignProject,
    /// Does STS have `/v5/caller-identity`?
    pub caller_identity_path: CallerIdentityPath,
    /// Which accounts does `/v3/auth/domains` list?
    pub auth_domains: AuthDomains,
    /// How is a caller throttled?
    pub throttling: HuaweicloudThrottling,
    /// Do the fields of an answer always come in the same order? IAM's always do.
    pub field_order: FieldOrder,
    /// How many milliseconds late do show and list see a change, by the mock's clock?
    pub read_lag_milliseconds: u32,
    /// Which JSON type has a callback's `auth_timestamp`?
    pub auth_timestamp: AuthTimestamp,
    /// How many seconds after sending does `auth_timestamp` lie?
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
            update_answer: UpdateAnswer::Object,
            omitted_on_update: HuaweicloudOmitted::Reset,
            uniqueness: Uniqueness::PerDomainAndApp,
            domain_matching: DomainMatching::Exact,
            duplicate_status: DuplicateStatus::BadRequest,
            missing_id: MissingId::NotFound,
            delete_of_missing: DeleteOfMissing::AsMissing,
            app_wildcard_filter: AppWildcardFilter::Literal,
            list_order: ListOrder::Created,
            list_offset: ListOffset::Records,
            times: Times::Seconds,
            ids: ConfigIds::Hex,
            key_in_answers: false,
            on_demand_url: OnDemandUrl::Kept,
            record_start: RecordStart::Accepted,
            url_query: UrlQuery::Accepted,
            query_on_wire: QueryOnWire::Decoded,
            foreign_project: ForeignProject::NotVerified,
            caller_identity_path: CallerIdentityPath::There,
            auth_domains: AuthDomains::Listed,
            throttling: HuaweicloudThrottling::Gateway,
            field_order: FieldOrder::Fixed,
            read_lag_milliseconds: 0,
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

/// The body of an update's 200 answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateAnswer {
    /// The whole configuration.
    Object,
    /// No body.
    Empty,
}

/// What an update does with a field that is not given, and with empty texts for a URL or the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HuaweicloudOmitted {
    /// It goes back to its default. An empty text is an invalid parameter.
    Reset,
    /// It goes back to its default. An empty text means none.
    ResetEmptyClears,
    /// It stays as it is. An empty text means none.
    Kept,
}

/// What a second configuration must differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    /// In the domain or the app.
    PerDomainAndApp,
    /// In the domain.
    PerDomain,
}

/// The status of `LIVE.103011018`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateStatus {
    /// 400.
    BadRequest,
    /// 409.
    Conflict,
}

/// What an unknown id is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingId {
    /// 404 `LIVE.103011019`.
    NotFound,
    /// 400 `LIVE.103011019`.
    BadRequest,
    /// 400 `LIVE.100011001`, `Request Illegal`.
    Illegal,
}

/// What deleting an unknown id is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteOfMissing {
    /// What [`MissingId`] says.
    AsMissing,
    /// 204, as if it had been there.
    NoContent,
}

/// The meaning of the list filter `app=*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppWildcardFilter {
    /// Configurations whose app is `*`.
    Literal,
    /// All configurations.
    AnyApp,
}

/// The order of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListOrder {
    /// The oldest first.
    Created,
    /// Another one for each request, so that pages may overlap.
    Unstable,
}

/// The unit of a list's `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListOffset {
    /// Configurations to skip.
    Records,
    /// Pages to skip, each of `limit` configurations.
    Pages,
}

/// The form of `create_time` and `update_time`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// `2020-03-02T08:59:45Z`.
    Seconds,
    /// `2020-03-02T08:59:45.123Z`.
    Milliseconds,
    /// Neither is there.
    Absent,
}

/// The form of the ids that creating gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigIds {
    /// 32 hexadecimal digits.
    Hex,
    /// A UUID with hyphens.
    Uuid,
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

/// Whether the encoding of a query on the wire counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryOnWire {
    /// No: `app=*` is the same as `app=%2A`, which is what is signed.
    Decoded,
    /// Yes: `app=*` does not match its signature.
    AsSigned,
}

/// Whether a callback URL may contain a question mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlQuery {
    /// Stored as given.
    Accepted,
    /// An invalid parameter.
    Refused,
}

/// The answer for a project of another account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignProject {
    /// 401 `LIVE.100011015`.
    NotVerified,
    /// 403 `APIGW.0310`.
    Unavailable,
    /// 401 `APIGW.0301`.
    NotAuthenticated,
}

/// The path of the caller's identity on the host of STS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerIdentityPath {
    /// It is there.
    There,
    /// 404: no such path.
    Missing,
}

/// The accounts a caller may enter, as IAM lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthDomains {
    /// The caller's own.
    Listed,
    /// None.
    Empty,
}

/// What a throttled call is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HuaweicloudThrottling {
    /// 429 `APIGW.0308`.
    Gateway,
    /// 500 `LIVE.100011007`.
    Service,
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
